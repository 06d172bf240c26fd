# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium and Firefox ESR that know of no proxy, redirected: their hellos are large (post-quantum key shares),
have the extension of Encrypted ClientHello, and are spliced (SPEC P3)."""
import json
import os
import shutil
import subprocess

import interceptlib as lib
import pytest
from proxylib import SITE
from test_browsers import BROWSER_DEADLINE_S, HOST, Site


def _prepare(world, home):
    """Trust in the Internet's CA alone: nothing is decrypted. All names lead to the one site's address."""
    profile = home / "firefox"
    for store in (home / ".pki" / "nssdb", profile):
        store.mkdir(parents=True)
        for words in (["-N", "--empty-password"],
                      ["-A", "-t", "C,,", "-n", "Internet", "-i", world.dir / "internet.pem"]):
            subprocess.run(["certutil", "-d", "sql:%s" % store, *words], check=True, stdin=subprocess.DEVNULL)
    prefs = {"network.proxy.type": 0, "network.dns.forceResolve": SITE, "network.dns.disableIPv6": True,
             "browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
             "toolkit.telemetry.reportingpolicy.firstRun": False, "app.update.enabled": False,
             "browser.aboutwelcome.enabled": False, "network.captive-portal-service.enabled": False,
             "network.trr.mode": 5}
    (profile / "user.js").write_text("".join(
        "user_pref(%s, %s);\n" % (json.dumps(k), json.dumps(v)) for k, v in prefs.items()))
    return {"chromium": ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic",
                         "--disable-background-networking", "--disable-component-update", "--disable-sync",
                         "--disable-dev-shm-usage", "--no-proxy-server", "--host-resolver-rules=MAP * " + SITE,
                         "--user-data-dir=%s" % (home / "chromium")],
            "firefox-esr": ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile)]}


@pytest.mark.parametrize("name", ["chromium", "firefox-esr"])
def test_browser_gets_everything_but_what_is_listed(world, tmp_path, name):
    if not shutil.which(name):
        pytest.fail("%s is not installed: deploy/deps test" % name)
    lib.redirect(world)
    site = Site(world.secure, blocked="https://ads.listed.example/a.png")
    argv = _prepare(world, tmp_path)[name]
    with open(tmp_path / "log", "wb") as log:
        browser = subprocess.Popen(
            world.client.argv(*argv, "https://%s/everything" % HOST), env={**os.environ, "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        assert site.arrived.wait(BROWSER_DEADLINE_S), (tmp_path / "log").read_text()[-3000:] + world.proxyd.log()[-3000:]
    finally:
        os.killpg(browser.pid, 9)
        browser.wait()
    told = site.told
    assert ("Firefox" if name == "firefox-esr" else "Chrome") in told.pop("agent")
    assert told == {
        "get": "/echo?a=b", "post": 300000, "chunked": "onetwothree", "many": True, "socket": "hello ✓",
        "events": ["first", "second"], "blocked": "error", "plain": "https://allowed.example/echo?redirected"}
    assert not any(r.target == "/a.png" for r in world.secure.requests)
    assert world.status()["leaves_made"] == 0  # nothing was decrypted
