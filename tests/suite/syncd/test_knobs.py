# SPDX-License-Identifier: GPL-3.0-or-later
"""K's environment variables that syncd has, by name (SPEC C1)."""
import os
import re
import subprocess

import pytest
from directuslib import TOKEN

from support import BUILD, ROOT
from support.wait import wait_until

# knob → the daemon and the key that it stands for; DIRECTUS_TOKEN and API_KEY stand for secrets.
KNOBS = {"DIRECTUS_URL": "syncd.directus_url", "DIRECTUS_ENV": "syncd.directus_env",
         "WEBSITES_TTL": "syncd.directus_poll_s", "DEVICE_POLICY_TTL": "syncd.directus_device_poll_s",
         "APPEAL_CATEGORIES_TTL": "syncd.directus_categories_poll_s", "SNI_BLOCK_TTL": "syncd.directus_sni_block_poll_s",
         "MITM_IGNORE_TTL": "syncd.directus_mitm_ignore_poll_s", "SNI_BLOCK_SOURCES": "syncd.sni_block_sources",
         "SNI_BLOCK_COLLECTION": "syncd.sni_block_collection", "SNI_BLOCK_FIELD": "syncd.sni_block_field",
         "WG_CONFIG_PATH": "wgd.watch", "PORTAL_HOST": "proxyd.portal_host", "SNI_LOG_IPS": "proxyd.sni_log_ips",
         "SNI_LOG_TTL": "proxyd.sni_log_ttl_s", "IMAGE_BLOCKER_CACHE": "proxyd.image_cache",
         "IMAGE_BLOCKER_PARSE_LIMIT": "proxyd.image_parse_limit", "MITM_IGNORE_RESOLVE": "proxyd.mitm_ignore_resolve",
         "SQUID_IPSET_TIMEOUT": "fwd.address_ttl_s"}


def start(policy, more="", token=True, **env):
    """syncd with these in its environment."""
    old = {k: os.environ.get(k) for k in env}
    os.environ.update(env)
    try:
        policy.start("directus_push = no\n" + more, token)
    finally:
        for k, v in old.items():
            os.environ.pop(k) if v is None else os.environ.update({k: v})


def asked(directus, text):
    return len(directus.asked(text))


def test_every_knob_is_a_key_of_its_daemon():
    for knob, name in KNOBS.items():
        daemon, key = name.split(".")
        rows = re.findall(r"\{[^{}]*\}", (ROOT / daemon / "conf.c").read_text())
        assert any(f'"{key}"' in row and f'"{knob}"' in row for row in rows), knob


def test_url_and_token_come_from_the_environment(policy, directus):
    directus.add("bad_words", {"word": "darn"})
    url, directus.url = directus.url, "http://127.0.0.1:1"
    start(policy, token=False, DIRECTUS_URL=url, DIRECTUS_TOKEN=TOKEN)
    wait_until(lambda: policy.records("words"), "words")


@pytest.mark.parametrize("text", [f"ADMIN_TOKEN={TOKEN}", "ADMIN_EMAIL='admin@example.com'\nADMIN_PASSWORD=secret"])
def test_access_comes_from_directus_own_environment(policy, directus, place, text):
    directus.login = ("admin@example.com", "secret")
    directus.add("bad_words", {"word": "darn"})
    path = policy.secret("env", "KEY=x\n" + text)
    start(policy, token=False, DIRECTUS_ENV=str(path))
    wait_until(lambda: policy.records("words"), "words")


def test_environment_file_that_others_may_read_is_refused(policy, place):
    path = policy.secret("env", f"ADMIN_TOKEN={TOKEN}")
    path.chmod(0o444)
    start(policy, token=False, DIRECTUS_ENV=str(path))
    syncd = policy.gateway.syncd
    assert syncd.wait() != 0
    assert "others may read it" in syncd.log()


@pytest.mark.parametrize("knob, collection", [
    ("DEVICE_POLICY_TTL", "vpn_category_prefs"), ("DEVICE_POLICY_TTL", "vpn_site_overrides"),
    ("DEVICE_POLICY_TTL", "vpn_master_controls"), ("APPEAL_CATEGORIES_TTL", "website_categories"),
    ("SNI_BLOCK_TTL", "mitm_block_domains"), ("MITM_IGNORE_TTL", "mitm_ignore_domains")])
def test_a_part_is_looked_at_as_often_as_its_knob_says(policy, directus, knob, collection):
    """The others every 3600 s; then the other way round."""
    start(policy, "directus_poll_s = 3600\n", **{knob: "1"})
    wait_until(lambda: asked(directus, f"/items/{collection}?aggregate") >= 3, "looked at")
    assert asked(directus, "/items/bad_words?aggregate") == 1


def test_a_part_may_be_looked_at_less_often(policy, directus):
    start(policy, SNI_BLOCK_TTL="3600", WEBSITES_TTL="1", more="directus_poll_s = 5\n")
    wait_until(lambda: asked(directus, "/items/bad_words?aggregate") >= 3, "looked at")
    assert asked(directus, "/items/mitm_block_domains?aggregate") == 1
    # By hand it is looked at all the same.
    policy.gateway.request("syncd.sync_now")
    wait_until(lambda: asked(directus, "/items/mitm_block_domains?aggregate") == 2, "synced")


def test_names_to_block_come_from_several_sources(policy, directus):
    directus.make_collection("more_domains")
    directus.add("more_domains", {"name": "more.example"})
    directus.add("mitm_block_domains", {"domain": "first.example"})
    start(policy, SNI_BLOCK_SOURCES="mitm_block_domains:domain, more_domains:name")
    policy.wait("sni_block", {"1": {"id": "1", "domain": "first.example"},
                              "2.1": {"id": "2.1", "domain": "more.example"}})


def test_names_to_block_come_from_another_collection(policy, directus):
    directus.make_collection("more_domains")
    directus.add("more_domains", {"name": "more.example"})
    start(policy, SNI_BLOCK_COLLECTION="more_domains", SNI_BLOCK_FIELD="name")
    policy.wait("sni_block", {"1": {"id": "1", "domain": "more.example"}})


@pytest.mark.parametrize("knob, value", [
    ("SNI_BLOCK_SOURCES", "a/b:c"), ("SNI_BLOCK_SOURCES", ", ".join(f"c{i}:d" for i in range(9))),
    ("SNI_BLOCK_COLLECTION", "a b"), ("SNI_BLOCK_FIELD", "x&y"), ("WEBSITES_TTL", "0"), ("SNI_BLOCK_TTL", "-1")])
def test_wrong_knobs_are_errors_at_the_start(place, gateway, knob, value):
    conf = gateway.syncd.conf
    conf.write_text(gateway.syncd.text)
    run = subprocess.run([BUILD / "bin/syncd", "-c", conf, "--check"], capture_output=True, text=True,
                         env={**os.environ, knob: value}, check=False)
    assert run.returncode != 0 and f"environment {knob}: " in run.stderr, run.stderr
