# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's test of itself (SPEC O5): a device of its own tries a blocked name through every layer."""
import os
import re
import subprocess

import pytest

import walklib
from explainlib import Admin
from lablib import TOP
from support.wait import wait_until

WAYS = ("dns", "dns-tcp", "dns-elsewhere", "http", "tls", "proxy", "proxy-tls")
DEVICE = "culvert-selftest"


@pytest.fixture
def selftest(lab, tmp_path):
    """selftest(**environment) → (exit status, way → verdict, what it said); its device goes afterwards."""
    script = tmp_path / "culvert-selftest"
    with open(os.path.join(TOP, "deploy/setup/culvert-selftest.in"), encoding="utf-8") as src:
        script.write_text(src.read())
    script.chmod(0o755)

    def run(**more):
        env = dict(lab.env, STATE_DIRECTORY=str(tmp_path), CREDENTIALS_DIRECTORY=lab.places.in_kept("secrets"),
                   BUS_SOCKET=lab.places.bus_socket, BUS_USER=lab.places.bus_user, **{"CANARY": "ads.listed.example", **more})
        done = subprocess.run([str(script)], preexec_fn=lab.hosts["gw"].enter, env=env, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.stdout.startswith("selftest: "), done.stdout + done.stderr
        ways = dict(re.findall(r"([a-z-]+)=([a-z]+)", done.stdout))
        return done.returncode, ways, done.stdout
    yield run
    assert lab.provision("wg_remove", DEVICE)[0] == 200
    lab.settle()


def _await_alarm(lab_dir, what, detail):
    """On the gateway. By one session, which waits where the administration is asked too often."""
    admin = Admin(lab_dir)
    status, who = admin.ask("POST", "/auth/login", {"user": admin.env["ADMIN_USER"], "password": admin.env["ADMIN_PASSWORD"]})
    assert status == 200, who

    def is_raised():
        status, health = admin.ask("GET", "/api/v1/health")
        assert status == 200, health
        return any(a["what"] == what and detail in a["detail"] for a in health["alarms"])
    return wait_until(is_raised, "the alarm " + what, 60)


def await_alarm(lab, what, detail=""):
    """As the administration shows it."""
    lab.hosts["gw"].call(_await_alarm, lab.dir, what, detail)


def test_all_layers_block_and_nothing_is_left_behind(lab, selftest):
    before = lab.run("gw", "ip", "-o", "link").stdout
    status, ways, text = selftest()
    assert status == 0, text
    assert ways == dict.fromkeys(WAYS, "blocked")
    assert lab.run("gw", "ip", "-o", "link").stdout == before


def test_a_list_that_is_off_is_found_in_every_layer(lab, seeded, selftest):
    off = {"id": "device:" + DEVICE, "lists_off": ["adblock"]}
    seeded(lambda seed: seed.setdefault("device_prefs", []).append(off))
    status, ways, text = selftest()
    assert status == 1, text
    # The proxy does not let unknown sites pass here, so that nothing loads there all the same.
    assert {w for w, verdict in ways.items() if verdict == "blocked"} == {"proxy", "proxy-tls"}, text
    await_alarm(lab, "selftest_leak", "ads.listed.example")


def test_one_layer_that_is_open_is_named(lab, selftest):
    config = lab.places.in_run("etc", "culvert.conf")
    with open(config, encoding="utf-8") as src:
        before = src.read()
    try:
        with open(config, "w", encoding="utf-8") as out:
            out.write(before.replace("[fwd]\n", "[fwd]\nintercept = no\n"))
        lab.daemon("fwd", "restart")
        lab.settle()
        status, ways, text = selftest()
        assert status == 1 and "by way of http tls (" in text, text
        assert {w for w, verdict in ways.items() if verdict == "blocked"} == set(WAYS) - {"http", "tls"}
    finally:
        with open(config, "w", encoding="utf-8") as out:
            out.write(before)
        lab.daemon("fwd", "restart")
        lab.settle()


def test_what_cannot_be_told_is_an_alarm_too(lab, selftest):
    lab.daemon("dnsd", "kill")
    try:
        status, _, text = selftest()
    finally:
        lab.daemon("dnsd", "start")
        lab.settle()
    assert status == 2 and "does not resolve" in text
    await_alarm(lab, "selftest_failed")


def test_a_name_that_loads_is_never_taken_for_blocked(lab, selftest):
    status, ways, text = selftest(CANARY="allowed.example")
    assert status == 1 and set(ways) == set(WAYS), text
    assert "blocked" not in ways.values(), text
    assert walklib.provisions(lab)
