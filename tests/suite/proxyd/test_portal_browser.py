# SPDX-License-Identifier: GPL-3.0-or-later
"""Block pages, appeal portal and set-up page in a real Chromium; what proxy.pac and the managed policies
make of one (SPEC P7, P8, P19). Screenshots go to the build's evidence directory."""
import json
import os
import re
import socket
import subprocess
import uuid

import pytest
from browser import PROXY, SIZES, Browser
from portallib import GATEWAY, PATH, address, fetch, spooled, stored
from support import BUILD, axe
from support.wait import wait_until

BLOCKED, UNKNOWN = "https://blocked.example/page", "https://unknown.example/" + "long-" * 40
DIRECT = ("--no-proxy-server",)
LAYOUT = "document.documentElement.scrollWidth <= innerWidth"


# "$0" SCRATCH FILE PLACE … -- COMMAND: the files lie at their places, for the command alone.
OVERLAY = """
scratch=$1; shift
mount -t tmpfs none "$scratch"
for top in etc usr/lib; do
  mkdir -p "$scratch/$top/upper" "$scratch/$top/work"
  mount -t overlay -o "lowerdir=/$top,upperdir=$scratch/$top/upper,workdir=$scratch/$top/work" none "/$top"
done
while [ "$1" != -- ]; do mkdir -p "$(dirname "$2")"; cp "$1" "$2"; shift 2; done
shift
exec "$@"
"""


class Phone:
    """The place of the lab that a Browser runs in: the devices' host; files: (file, place), …"""

    def __init__(self, world, scratch=None, files=()):
        self.world, self.scratch, self.files, self.env = world, scratch, files, dict(os.environ)

    def popen(self, _, *argv, **options):
        if self.files:
            words = [str(w) for pair in self.files for w in pair]
            argv = ("unshare", "-m", "sh", "-ec", OVERLAY, "sh", str(self.scratch), *words, "--", *argv)
        return self.world.client.start(*argv, **options)


def open_browser(world, home, ca=True, proxy=PROXY):
    return Browser(Phone(world), "", home, str(world.root) if ca else None, proxy)


def download(world, path, file):
    with world.connect(to=("10.9.0.1", 80)) as c:
        file.write_bytes(c.ask("GET", path, "10.9.0.1").body)
    return file


def made(path):
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def browser(world, tmp_path_factory):
    one = open_browser(world, tmp_path_factory.mktemp("home"))
    yield one
    one.close()


@pytest.fixture
def phone(browser):
    """Trusts Culvert and uses the proxy; scripts are off."""
    browser.page("Emulation.setScriptExecutionDisabled", value=True)
    return browser


@pytest.fixture(scope="module")
def checker():
    return axe.source()


@pytest.fixture(scope="module")
def evidence():
    path = BUILD / "evidence"
    path.mkdir(exist_ok=True)
    return path


def text(browser):
    return browser.value("document.body.innerText")


def press(browser, times=1, key="Tab", **more):
    for _ in range(times):
        browser.key(key, **more)


def focus(browser, selector):
    """By the keyboard alone."""
    for _ in range(20):
        press(browser)
        if browser.value("document.activeElement.matches(%s)" % json.dumps(selector)):
            return
    raise AssertionError(selector)


def enter(browser):
    browser.key("Enter", text="\r")


def type_text(browser, words):
    browser.page("Input.insertText", text=words)


# ---- keyboard, no script ----

@pytest.mark.parametrize("url, title, form", [(BLOCKED, "Site Blocked", "Appeal Access"),
                                              (UNKNOWN, "Site Not Reviewed", "Request Review")])
def test_appeal_by_keyboard_alone_and_without_script(world, phone, url, title, form):
    """From the block page to the stored record."""
    reason = "Please ✓ " + str(uuid.uuid4())
    assert phone.open(url) is None
    assert phone.value("document.title") == title
    focus(phone, "a.button")
    enter(phone)
    phone.wait("document.title === %s && document.readyState === 'complete'" % json.dumps(form))
    if form == "Request Review":
        focus(phone, "#category_id")
        phone.key("E", text="e", code="KeyE")  # Education
        assert phone.value("document.activeElement.value") == "education"
    focus(phone, "#reason")
    type_text(phone, reason)
    focus(phone, "button")
    enter(phone)
    phone.wait("document.title === 'Submitted' && document.readyState === 'complete'")
    assert "Waiting for an answer" in text(phone)
    record, = wait_until(lambda: stored(world, reason=reason))
    assert record["url"] == url and record["host"] == url.split("/")[2]
    assert record["category_id"] == ("education" if form == "Request Review" else "gambling")


@pytest.mark.parametrize("mode", ["review", "report"])
def test_missing_category_leads_back_to_the_form(phone, mode):
    phone.open(address(mode=mode, host="x.example"))
    focus(phone, "button")
    enter(phone)
    phone.wait("document.title === 'Error' && document.readyState === 'complete'")
    assert "Please select a category." in text(phone)
    focus(phone, "a")
    enter(phone)
    phone.wait("!!document.querySelector('#category_id')")


def test_report_from_the_set_up_page(world, phone):
    reason = str(uuid.uuid4())
    phone.open(GATEWAY + "/")
    focus(phone, "a[href*='mode=report']")
    enter(phone)
    phone.wait("document.title === 'Report Website' && document.readyState === 'complete'")
    focus(phone, "#url")
    type_text(phone, "bad.example/page")
    focus(phone, "#category_id")
    phone.key("N", text="n", code="KeyN")  # News
    focus(phone, "#reason")
    type_text(phone, reason)
    focus(phone, "button")
    enter(phone)
    phone.wait("document.title === 'Submitted'")
    record, = wait_until(lambda: stored(world, reason=reason))
    assert (record["url"], record["mode"], record["category_id"]) == ("https://bad.example/page", "report", "news")


# ---- what people see ----

PAGES = {
    "blocked": (BLOCKED, "Site Blocked"),
    "unknown": (UNKNOWN, "Site Not Reviewed"),
    "appeal": (address("https://blocked.example", url=BLOCKED, host="blocked.example"), "Appeal Access"),
    "review": (address("https://unknown.example", url=UNKNOWN, host="unknown.example", mode="review"), "Request Review"),
    "report": (address(mode="report"), "Report Website"),
    "error": (address(url="javascript:x"), "Error"),
    "setup": (GATEWAY + "/", "Set Up This Device"),
    "setup-https": ("https://10.9.0.1/", "Set Up This Device"),
    "not-found": (GATEWAY + "/nothing", "Not Found"),
}


@pytest.fixture(scope="module")
def answered(world):
    """The device has requests in every state."""
    for n, (status, answer) in enumerate((("pending", ""), ("approved", "You may. Until Sunday."),
                                          ("rejected", "No <games> on " + "weekdays" * 9))):
        number = str(uuid.UUID(int=n))
        gen = world.apid.set("appeal_answers", number, {
            "uuid": number, "device": "internet", "host": "n%d.games.example" % n, "status": status, "answer": answer})
    world.wait_applied("appeal_answers", gen)
    return world


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_phone_and_desktop(answered, phone, evidence, name):
    url, title = PAGES[name]
    for width in SIZES:
        for dark in (False, True):
            assert phone.open(url, width, dark) is None
            assert phone.value("document.title") == title
            assert phone.value(LAYOUT)
            phone.screenshot(evidence / ("portal-%s-%d%s.png" % (name, width, "-dark" if dark else "")), whole=True)


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(answered, phone, checker, name):
    url, _ = PAGES[name]
    for width, dark in ((390, False), (1280, True)):
        phone.open(url, width, dark)
        assert axe.violations(phone, checker) == []


def test_axe_finds_nothing_on_results(answered, phone, checker, evidence):
    for mode, title in (("appeal", "Submitted"), ("report", "Error")):
        for dark in (False, True):
            phone.open(address(mode=mode, host="x.example"), 390, dark)
            focus(phone, "button")
            enter(phone)
            phone.wait("document.title === %s && document.readyState === 'complete'" % json.dumps(title))
            assert axe.violations(phone, checker) == []
            phone.screenshot(evidence / ("portal-result-%s-390%s.png" % (mode, "-dark" if dark else "")), whole=True)


def test_pages_run_nothing_that_is_not_theirs(phone):
    """The policy of the page holds in the browser: neither script nor style nor frame of the URL's."""
    phone.open("https://blocked.example/?\"'><script>document.title='no'</script><style>body{color:red}</style>")
    assert phone.value("document.title") == "Site Blocked"
    assert phone.value("document.scripts.length") == 0 and phone.value("document.styleSheets.length") == 1


# ---- other websites ----

EVIL = """<!doctype html><title>evil</title><iframe name=f></iframe>
<form id=a method=post target=f action="%(to)s"><input name=mode value=appeal>
<input name=host value=blocked.example><input name=url value="https://blocked.example/">
<input name=token value="%(token)s"></form>
<script>
document.getElementById("a").submit();
const told = {};
(async () => {
  for (const [name, url] of [["own", "%(path)s"], ["other", "%(to)s"]]) {
    try { const r = await fetch(url, {credentials: "include"}); told[name] = r.status + (await r.text()); }
    catch (e) { told[name] = "refused"; }
    try {
      const r = await fetch(url, {method: "POST", body: new URLSearchParams({mode: "appeal", host: "allowed.example",
        url: "https://allowed.example/", token: "%(token)s"})});
      told[name + "-post"] = r.status;
    } catch (e) { told[name + "-post"] = "refused"; }
  }
  window.told = told; document.title = "told";
})();
</script>"""


@pytest.mark.parametrize("to", [GATEWAY + PATH, "https://10.9.0.1" + PATH, "https://blocked.example" + PATH])
def test_page_of_another_site_cannot_send_an_appeal(world, tmp_path, to):
    """Not even with a token that is right."""
    token = fetch(world, address(host="blocked.example")).fields["token"]
    page = EVIL % {"to": to, "path": PATH, "token": token}
    world.secure.routes["/evil"] = lambda r: r.answer(headers=[("Content-Type", "text/html")], body=page)
    before, asked = len(spooled(world)), world.status()["requests"]
    one = open_browser(world, tmp_path)
    try:
        assert one.open("https://allowed.example/evil") is None
        one.wait("document.title === 'told'")
        told = one.value("window.told")
    finally:
        one.close()
    assert told["own"].startswith("403") and "token" not in told["own"] and told["own-post"] == 403
    assert told["other"] == "refused" and told["other-post"] in ("refused", 403)
    wait_until(lambda: world.status()["requests"] >= asked + 4, "the form has come")
    assert len(spooled(world)) == before


def test_form_stands_in_no_frame(world, tmp_path):
    """No website leads a finger to its button."""
    page = "<!doctype html><title>frame</title><iframe id=f src='%s'></iframe>" % PATH
    world.secure.routes["/frame"] = lambda r: r.answer(headers=[("Content-Type", "text/html")], body=page)
    one = open_browser(world, tmp_path)
    try:
        one.open("https://allowed.example/frame")
        assert one.value("(() => { try { return !document.getElementById('f').contentDocument.querySelector('form'); }"
                         "catch (e) { return true; } })()")
    finally:
        one.close()


# ---- set-up ----

YES = "getComputedStyle(document.querySelector('.trust-yes')).display"
NO = "getComputedStyle(document.querySelector('.trust-no')).display"


@pytest.mark.parametrize("trusts, script, proxy", [(True, False, PROXY), (False, False, DIRECT),
                                                   (True, True, DIRECT), (False, True, PROXY)])
def test_set_up_page_tells_whether_the_certificate_is_trusted(world, tmp_path, trusts, script, proxy):
    one = open_browser(world, tmp_path, trusts, proxy)
    try:
        one.page("Emulation.setScriptExecutionDisabled", value=not script)
        assert one.open(GATEWAY + "/") is None
        assert (one.value(YES), one.value(NO)) == (("block", "none") if trusts else ("none", "block"))
    finally:
        one.close()


def test_set_up_page_sees_by_itself_that_the_certificate_is_trusted(world, tmp_path, evidence):
    one = open_browser(world, tmp_path, False, DIRECT)
    try:
        one.open(GATEWAY + "/", 390)
        assert one.value(NO) == "block"
        one.screenshot(evidence / "portal-untrusted-390.png", whole=True)
        one.page("Security.setIgnoreCertificateErrors", ignore=True)
        one.wait(YES + " === 'block'")
    finally:
        one.close()


def test_set_up_page_over_ipv6(world, tmp_path):
    one = open_browser(world, tmp_path, True, DIRECT)
    try:
        assert one.open("http://[fd09::1]/") is None
        assert one.value(YES) == "block"
        assert "http://[fd09::1]/proxy.pac" in text(one) and "[fd09::1]:8080" in text(one)
    finally:
        one.close()


COUNTER = """
table inet watch {
	counter portal { }
	chain incoming {
		type filter hook input priority filter
		iifname "wgT" tcp dport 80 counter name "portal"
	}
}
"""


def packets_to_portal(world):
    """From devices, since it was asked last; what goes through the proxy comes to its port instead."""
    return int(re.search(r"packets (\d+)", world.gw.run("nft", "reset", "counter", "inet", "watch", "portal"))[1])


def test_chromium_follows_proxy_pac(world, tmp_path):
    """Websites through the proxy, the gateway's own page past it."""
    world.gw.run("nft", "-f", "-", text=COUNTER)
    one = open_browser(world, tmp_path, True, ("--proxy-pac-url=%s/proxy.pac" % GATEWAY,))
    try:
        assert one.open("https://allowed.example/") is None
        assert "This is allowed.example" in text(one)
        assert one.open(BLOCKED) is None and one.value("document.title") == "Site Blocked"
        packets_to_portal(world)
        assert one.open("http://10.9.0.1/") is None and one.value("document.title") == "Set Up This Device"
        assert packets_to_portal(world) > 0
    finally:
        one.close()


# All text of a page that is made of custom elements.
SHOWN = """(() => {
  const all = [];
  const walk = n => {
    if (n.shadowRoot) walk(n.shadowRoot);
    if (n.nodeType === Node.TEXT_NODE) all.push(n.data);
    n.childNodes.forEach(walk);
  };
  walk(document.body);
  return all.join(" ");
})()"""


def test_chromium_takes_the_managed_policy(world, tmp_path):
    """The proxy and the certificate come from the file alone, and the browser shows what it took."""
    file = download(world, "/policies/chrome.json", tmp_path / "culvert.json")
    phone = Phone(world, made(tmp_path / "scratch"), [(file, "/etc/chromium/policies/managed/culvert.json")])
    one = Browser(phone, "", made(tmp_path / "home"), None, ())
    try:
        assert one.open("https://allowed.example/") is None
        assert "This is allowed.example" in text(one)
        assert one.open("chrome://policy") is None
        names = json.loads(file.read_text())
        one.wait("(shown => %s.every(name => shown.includes(name)))(%s)" % (json.dumps(list(names)), SHOWN))
        shown = " ".join(one.value(SHOWN).split())
        for name in names:
            assert re.search(r" %s .{0,400}? Platform Machine Mandatory (\S+)" % name, shown)[1] == "OK", name
    finally:
        one.close()


PREFS = {"browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False,
         "browser.aboutwelcome.enabled": False, "network.captive-portal-service.enabled": False,
         "marionette.port": 2828}
FIREFOX_S = 150


class Marionette:
    """Commands to a Firefox in the devices' host (Mozilla's remote protocol)."""

    def __init__(self, world):
        def connect():
            try:
                return world.client_place.call(socket.create_connection, ("127.0.0.1", 2828))
            except OSError:
                return None
        self.socket = wait_until(connect, "Marionette", FIREFOX_S)
        self.socket.settimeout(FIREFOX_S)
        self.file = self.socket.makefile("rb")
        self.serial = 0
        self._read()
        self.call("WebDriver:NewSession")
        self.call("Marionette:SetContext", value="chrome")

    def _read(self):
        size = b""
        while not size.endswith(b":"):
            byte = self.file.read(1)
            assert byte, "Firefox has ended"
            size += byte
        return json.loads(self.file.read(int(size[:-1])))

    def call(self, name, **args):
        self.serial += 1
        text = json.dumps([0, self.serial, name, args]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._read()
        assert not error, error
        return result

    def value(self, script):
        return self.call("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def close(self):
        self.file.close()
        self.socket.close()


def test_firefox_takes_the_managed_policy(world, tmp_path):
    """The proxy and the certificate come from the files alone, and it has taken every policy."""
    profile = made(tmp_path / "profile")
    (profile / "user.js").write_text("".join("user_pref(%s, %s);\n" % tuple(map(json.dumps, p)) for p in PREFS.items()))
    policies = download(world, "/policies/firefox.json", tmp_path / "p")
    files = [(policies, "/etc/firefox/policies/policies.json"),
             (download(world, "/culvert-ca.pem", tmp_path / "c"), "/usr/lib/mozilla/certificates/culvert-ca.pem")]
    firefox = Phone(world, made(tmp_path / "scratch"), files).popen(
        "", "firefox-esr", "--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile",
        str(profile), "https://allowed.example/by-firefox", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL, env={**os.environ, "HOME": str(profile)})
    try:
        seen = wait_until(lambda: [r for r in world.secure.requests if r.target == "/by-firefox"],
                          "Firefox's request", FIREFOX_S)
        remote = Marionette(world)
        active = remote.value("return Services.policies.getActivePolicies()")
        locked = remote.value("return Services.prefs.prefIsLocked('network.http.http3.enable')")
        remote.close()
    finally:
        firefox.terminate()
        firefox.wait()
    assert "Firefox/" in seen[0].get("User-Agent")
    wanted = json.loads(policies.read_text())["policies"]
    assert active["Proxy"].pop("SSLProxy") == wanted["Proxy"]["HTTPProxy"]  # Firefox's own word
    assert active == wanted and locked


def test_certificate_of_the_gateway_is_what_the_page_says(world):
    page = fetch(world, GATEWAY + "/")
    digest = subprocess.run(["openssl", "x509", "-in", world.root, "-noout", "-fingerprint", "-sha256"],
                            capture_output=True, text=True, check=True).stdout
    assert digest.split("=")[1].strip().replace(":", "").lower() in page.text
