# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium and Firefox ESR in the devices' place, and a site whose page tries everything and tells."""
import json
import os
import shutil
import subprocess
import threading

import pytest
from proxylib import DEADLINE_S
from websocket_origin import echo

HOST = "allowed.example"
BROWSERS = ("chromium", "firefox-esr")
BROWSER_DEADLINE_S = 180  # it starts in a few seconds where nothing else does
PAGE = """<!doctype html><meta charset="utf-8"><title>everything</title><script>
const told = {agent: navigator.userAgent};
const image = url => new Promise(done => {
  const i = new Image();
  i.onload = () => done(i.naturalWidth);
  i.onerror = () => done("error");
  i.src = url;
});
const socket = url => new Promise(done => {
  const s = new WebSocket(url);
  s.onopen = () => s.send("hello ✓");
  s.onmessage = e => { s.close(); done(e.data); };
  s.onerror = () => done("error");
});
const events = url => new Promise(done => {
  const e = new EventSource(url), got = [];
  e.onmessage = m => {
    got.push(m.data);
    if (got.length == 1) fetch("/seen");  // the second comes when the first has arrived
    else { e.close(); done(got); }
  };
  e.onerror = () => done(["error"]);
});
const attempt = async (name, what) => { try { told[name] = await what(); } catch (e) { told[name] = "" + e; } };
(async () => {
  told.protocol = performance.getEntriesByType("navigation")[0].nextHopProtocol;
  await attempt("get", async () => (await (await fetch("/echo?a=b")).json()).target);
  await attempt("post", async () => (await (await fetch("/echo", {method: "POST", body: "x".repeat(300000)})).json()).length);
  await attempt("chunked", async () => (await fetch("/chunked")).text());
  await attempt("many", async () => (await Promise.all([...Array(40).keys()].map(
      async i => (await (await fetch("/echo?" + i)).json()).target == "/echo?" + i))).every(x => x));
  await attempt("socket", () => socket("wss://" + location.host + "/socket"));
  await attempt("events", () => events("/events"));
  await attempt("blocked", () => image("BLOCKED"));
  await attempt("plain", async () => (await fetch("/redirect")).url);
  await fetch("/told", {method: "POST", body: JSON.stringify(told)});
})();
</script>"""

# What the page tells when nothing was in its way.
EVERYTHING = {"get": "/echo?a=b", "post": 300000, "chunked": "onetwothree", "many": True, "socket": "hello ✓",
              "events": ["first", "second"], "plain": "https://allowed.example/echo?redirected"}
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage"]
PREFS = {"browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
         "toolkit.telemetry.reportingpolicy.firstRun": False, "app.update.enabled": False,
         "browser.aboutwelcome.enabled": False, "network.captive-portal-service.enabled": False}


def prepare(home, ca, flags, prefs):
    """name → its words: trust in ca, as a user's import gives it; Chromium's flags, Firefox's preferences in a
    profile of its own."""
    profile = home / "firefox"
    for store in (home / ".pki" / "nssdb", profile):
        store.mkdir(parents=True)
        for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "Test", "-i", ca]):
            subprocess.run(["certutil", "-d", "sql:%s" % store, *words], check=True, stdin=subprocess.DEVNULL)
    (profile / "user.js").write_text("".join(
        "user_pref(%s, %s);\n" % (json.dumps(k), json.dumps(v)) for k, v in {**PREFS, **prefs}.items()))
    return {"chromium": [*CHROMIUM, *flags, "--user-data-dir=%s" % (home / "chromium")],
            "firefox-esr": ["firefox-esr", "--headless", "--no-remote", "--profile", str(profile)]}


class Site:
    """What the page talks to."""

    def __init__(self, origin, blocked="https://blocked.example/a.png"):
        self.told, self.seen, self.arrived = None, threading.Event(), threading.Event()
        origin.routes.update({
            "/everything": lambda r: r.answer(headers=[("Content-Type", "text/html")], body=PAGE.replace("BLOCKED", blocked)),
            "/told": self._take, "/seen": self._note, "/events": self._events, "/socket": echo(),
            "/redirect": lambda r: r.answer(302, [("Location", "/echo?redirected")])})

    def _take(self, r):
        self.told = json.loads(r.body)
        r.answer()
        self.arrived.set()

    def _note(self, r):
        self.seen.set()
        r.answer()

    def _events(self, r):
        r.send("HTTP/1.1 200 Fine\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: first\n\n")
        assert self.seen.wait(DEADLINE_S)
        r.send("data: second\n\n")
        return False


def visit(world, home, name, argv, site):
    """What the page told."""
    if not shutil.which(name):
        pytest.fail("%s is not installed: deploy/deps test" % name)
    with open(home / "log", "wb") as log:
        browser = subprocess.Popen(
            world.client.argv(*argv, "https://%s/everything" % HOST), env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        assert site.arrived.wait(BROWSER_DEADLINE_S), (home / "log").read_text()[-3000:] + world.proxyd.log()[-3000:]
    finally:
        os.killpg(browser.pid, 9)
        browser.wait()
    told = site.told
    assert ("Firefox" if name == "firefox-esr" else "Chrome") in told.pop("agent")
    return told
