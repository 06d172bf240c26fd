# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device is set up with: certificate, proxy.pac, policies of browsers (SPEC P2, P19)."""
import base64
import configparser
import hashlib
import json
import plistlib
import re
import ssl
import subprocess
import uuid

import pytest
from support import ROOT

GATEWAY = ("10.9.0.1", 80)
LAN_DEVICES, OTHERS = ("full", "intranet"), ("internet", "walled")


def fetch(world, path, who="internet", to=GATEWAY):
    with world.connect(who, to) as c:
        r = c.ask("GET", path, "[%s]" % to[0] if ":" in to[0] else to[0])
    assert r.status == 200, r
    assert r.get("Cache-Control") == "no-store" and r.get("X-Content-Type-Options") == "nosniff"
    return r


def der(world):
    return ssl.PEM_cert_to_DER_cert(world.root.read_text())


# ---- certificate ----

def test_certificate_in_every_form(world):
    assert fetch(world, "/culvert-ca.pem").body == world.root.read_bytes()
    for name in ("der", "crt"):
        r = fetch(world, "/culvert-ca." + name)
        assert r.body == der(world) and r.get("Content-Type") == "application/x-x509-ca-cert"
        assert r.get("Content-Disposition") == 'attachment; filename="culvert-ca.%s"' % name
    assert fetch(world, "/culvert-ca.sha256").text == hashlib.sha256(der(world)).hexdigest() + "\n"


def test_apple_profile_holds_the_certificate(world):
    r = fetch(world, "/culvert.mobileconfig")
    assert r.get("Content-Type") == "application/x-apple-aspen-config"
    profile = plistlib.loads(r.body)
    payload, = profile["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.root" and payload["PayloadContent"] == der(world)
    assert profile["PayloadType"] == "Configuration" and profile["PayloadVersion"] == 1
    ids = {uuid.UUID(p["PayloadUUID"]) for p in (profile, payload)}
    assert len(ids) == 2 and all(i.variant == uuid.RFC_4122 for i in ids)
    assert len({p["PayloadIdentifier"] for p in (profile, payload)}) == 2


def test_apple_profile_stays_the_same(world):
    assert fetch(world, "/culvert.mobileconfig").body == \
        fetch(world, "/culvert.mobileconfig", "full", ("fd09::1", 80)).body


# ---- proxy.pac ----

def evaluate(pac, urls):
    """FindProxyForURL by another engine, without any of a browser's functions."""
    program = pac + """
const urls = %s;
console.log(JSON.stringify(urls.map(u => FindProxyForURL(u, new URL(u).hostname))));
""" % json.dumps(urls)
    done = subprocess.run(["node", "-"], input=program, text=True, capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


def pac(world, who="internet", to=GATEWAY):
    r = fetch(world, "/proxy.pac", who, to)
    assert r.get("Content-Type") == "application/x-ns-proxy-autoconfig"
    return r.text


WEB = ["http://allowed.example/", "https://allowed.example/x", "https://203.0.113.7/", "ws://allowed.example/",
       "ftp://allowed.example/", "http://intranet/", "https://10.9.0.1.example/", "http://[2001:db8::1]/",
       "https://localhost.example/", "http://a.10.9.0.1.example/", "http://8.8.8.8/"]
OWN = ["http://10.9.0.1/", "https://10.9.0.1/", "http://[fd09::1]/", "http://localhost:1/", "http://127.0.0.1/"]
LAN = ["http://10.77.0.5/", "http://192.168.1.1/", "https://172.16.5.5:8443/", "http://169.254.1.1/"]


@pytest.mark.parametrize("who", [*LAN_DEVICES, *OTHERS])
def test_pac_leads_the_web_to_the_proxy_and_nowhere_else(world, who):
    """Fails closed: no DIRECT behind the proxy."""
    assert evaluate(pac(world, who), WEB) == ["PROXY 10.9.0.1:8080"] * len(WEB)
    assert evaluate(pac(world, who), OWN) == ["DIRECT"] * len(OWN)


@pytest.mark.parametrize("who, word", [*[(w, "DIRECT") for w in LAN_DEVICES],
                                       *[(w, "PROXY 10.9.0.1:8080") for w in OTHERS]])
def test_pac_leaves_the_lan_to_devices_that_may_reach_it(world, who, word):
    assert evaluate(pac(world, who), LAN) == [word] * len(LAN)


def test_pac_names_the_proxy_of_the_devices_family(world):
    assert evaluate(pac(world, to=("fd09::1", 80)), WEB[:1]) == ["PROXY [fd09::1]:8080"]


def test_pac_is_wpad_too(world):
    assert fetch(world, "/wpad.dat").body == fetch(world, "/proxy.pac").body


def test_pac_is_found_by_the_name_wpad(world):
    with world.connect(to=GATEWAY) as c:
        r = c.ask("GET", "/wpad.dat", "wpad")
    assert r.status == 200 and r.body == fetch(world, "/proxy.pac").body


def test_pac_knows_the_portals_name(new_world):
    w = new_world
    w.change("settings", {"id": "portal_host", "value": "Gateway.Test"})
    assert evaluate(pac(w), ["http://gateway.test/", "http://x.gateway.test/"]) == ["DIRECT", "PROXY 10.9.0.1:8080"]
    # A name that is none breaks no script.
    w.change("settings", {"id": "portal_host", "value": 'a"];alert(1)//'})
    assert evaluate(pac(w), OWN[:1] + WEB[:1]) == ["DIRECT", "PROXY 10.9.0.1:8080"]


def test_downloads_are_on_the_proxy_itself_too(world):
    for path in ("/culvert-ca.pem", "/proxy.pac", "/culvert.mobileconfig", "/policies/firefox.json"):
        assert fetch(world, path, to=("10.9.0.1", 8080)).body == fetch(world, path).body


# ---- policies ----

def chromium(world, browser="chrome", who="internet"):
    return json.loads(fetch(world, "/policies/%s.json" % browser, who).body)


@pytest.mark.parametrize("browser", ["chrome", "edge"])
def test_policies_of_chromium_browsers(world, browser):
    p = chromium(world, browser)
    assert p["ProxySettings"] == {"ProxyMode": "fixed_servers", "ProxyServer": "10.9.0.1:8080",
                                  "ProxyBypassList": "10.9.0.1,[fd09::1]"}
    assert p["QuicAllowed"] is False and p["DnsOverHttpsMode"] == "off"
    assert p["BuiltInDnsClientEnabled"] is False and p["EncryptedClientHelloEnabled"] is False
    assert p["ForceGoogleSafeSearch"] is True and p["ForceYouTubeRestrict"] == 1
    assert [base64.b64decode(c) for c in p["CACertificates"]] == [der(world)]
    assert p.get("ForceBingSafeSearch") == (2 if browser == "edge" else None)


def test_policies_leave_the_lan_to_devices_that_may_reach_it(world):
    assert "10.0.0.0/8" in chromium(world, who="full")["ProxySettings"]["ProxyBypassList"].split(",")


@pytest.mark.parametrize("browser, domain", [("chrome", "Google\\Chrome"), ("edge", "Microsoft\\Edge")])
def test_registry_says_the_same(world, browser, domain):
    text = fetch(world, "/policies/%s.reg" % browser).body.decode("ascii")
    assert text.startswith("Windows Registry Editor Version 5.00\r\n\r\n[") and "\n" not in text.replace("\r\n", "")
    registry = configparser.RawConfigParser(delimiters="=")
    registry.optionxform = str
    registry.read_string(text.split("\r\n", 1)[1])
    key = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\" + domain

    def value(raw):
        if raw.startswith("dword:"):
            return int(raw[6:], 16)
        return raw[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    found = {k.strip('"'): value(v) for k, v in registry[key].items()}
    found["ProxySettings"] = json.loads(found["ProxySettings"])
    found["CACertificates"] = [value(v) for v in registry[key + "\\CACertificates"].values()]
    assert found == chromium(world, browser)


@pytest.mark.parametrize("browser", ["chrome", "edge"])
def test_property_list_says_the_same(world, browser):
    assert plistlib.loads(fetch(world, "/policies/%s.plist" % browser).body) == chromium(world, browser)


def test_policies_of_firefox(world):
    r = fetch(world, "/policies/firefox.json")
    assert r.get("Content-Disposition") == 'attachment; filename="policies.json"'
    p = json.loads(r.body)["policies"]
    assert p["Proxy"] == {"Mode": "manual", "Locked": True, "HTTPProxy": "10.9.0.1:8080",
                          "UseHTTPProxyForAllProtocols": True, "Passthrough": "10.9.0.1,[fd09::1]"}
    assert p["DNSOverHTTPS"] == {"Enabled": False, "Locked": True} and p["DisableEncryptedClientHello"] is True
    assert p["Preferences"]["network.http.http3.enable"] == {"Value": False, "Status": "locked"}
    assert p["Certificates"] == {"ImportEnterpriseRoots": True, "Install": ["culvert-ca.pem"]}


@pytest.mark.parametrize("want, google, youtube, bing", [
    ({"google": False, "youtube": "off", "bing": False}, False, 0, 0),
    ({"google": True, "youtube": "strict", "bing": True}, True, 2, 2),
    ({"google": True, "youtube": "moderate"}, True, 1, 0),
    ({"google": "what"}, True, 2, 2)])
def test_policies_follow_the_devices_safe_search(new_world, want, google, youtube, bing):
    w = new_world
    w.change("devices", w.device("internet", safe_search=want))
    p = chromium(w, "edge")
    assert (p["ForceGoogleSafeSearch"], p["ForceYouTubeRestrict"], p["ForceBingSafeSearch"]) == (google, youtube, bing)


def test_man_page_names_every_download():
    """O7."""
    page = (ROOT / "deploy/man/proxyd.8").read_text()
    paths = re.findall(r'^\t\{ "(/[^"]+)"', (ROOT / "proxyd/own.c").read_text(), re.M)
    assert len(paths) > 10 and [p for p in paths if p not in page] == []
