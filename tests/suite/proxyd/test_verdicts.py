# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, and the page that says why (SPEC P1, P4, P5, P7, P15, P18)."""
import html
import time

import pytest
from proxylib import LAN, SITE
from support.wait import wait_until


def is_page(r, status, title, *words):
    text = html.unescape(r.text)
    assert r.status == status, r
    assert r.get("Content-Type") == "text/html; charset=utf-8" and r.get("Cache-Control") == "no-store"
    assert "default-src 'none'" in r.get("Content-Security-Policy")
    assert "<h1>%s</h1>" % title in text, text
    for word in words:
        assert word in text, text
    return True


def test_stranger_is_hung_up_on(world):
    """P4: no word to an address that is no device's."""
    with world.connect("stranger") as c:
        try:
            c.send("GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
        except OSError:
            pass
        assert c.is_closed()


def test_blocked_site_names_its_category(world):
    """P7, decrypted and plain; the path and the keep-alive survive."""
    with world.secure_to("blocked.example") as c:
        for path in ("/", "/a?b=<c>&d"):
            r = c.ask("GET", path, "blocked.example")
            is_page(r, 451, "Site Blocked", "in the category Gambling.", "https://blocked.example" + path)
        assert c.ask("POST", "/", "blocked.example", body=b"x" * 1000).status == 451
    is_page(world.get("http://blocked.example/"), 451, "Site Blocked", "Gambling")
    assert not [r for r in world.secure.requests if r.host == "blocked.example"]


def test_page_escapes_what_the_client_wrote(world):
    r = world.get_secure("https://blocked.example/?%22'><script>alert(1)</script>")
    assert r.status == 451 and "<script" not in r.text and "&lt;script&gt;" in r.text


def test_listed_site_names_its_list(world):
    is_page(world.get_secure("https://ads.listed.example/"), 451, "Site Blocked", "on the list Advertising.")


def test_switch_is_named(world):
    """P18."""
    for r in (world.get_secure("https://allowed.example/", who="offline_browser"),
              world.get("http://allowed.example/", who="offline_browser")):
        is_page(r, 451, "Site Blocked", "switched off", "offline_browser")


def test_unknown_site_is_not_reviewed(world):
    is_page(world.get_secure("https://unknown.example/"), 451, "Site Not Reviewed",
            "This website has not been reviewed yet.")
    is_page(world.get("http://unknown.example/"), 451, "Site Not Reviewed")
    assert world.get_secure("https://unknown.example/", who="passing").status == 200


@pytest.mark.parametrize("headers, kind, body", [
    ([("Sec-Fetch-Dest", "image"), ("Accept", "image/avif,*/*")], "image/gif", b"GIF89a"),
    ([("Accept", "image/webp,*/*")], "image/gif", b"GIF89a"),
    ([("Sec-Fetch-Dest", "script"), ("Accept", "*/*")], "text/javascript", b""),
    ([("Sec-Fetch-Dest", "style"), ("Accept", "text/css,*/*;q=0.1")], "text/css", b""),
    ([("Sec-Fetch-Dest", "empty"), ("Accept", "application/json")], "application/json", b"{}"),
    ([("Accept", "application/json")], "application/json", b"{}"),
])
def test_what_is_no_page_gets_a_typed_answer(world, headers, kind, body):
    """P7, fix: sub-resources are not killed, and still 451."""
    for site in ("blocked.example", "unknown.example"):
        r = world.get_secure("https://%s/x" % site, headers=headers)
        assert r.status == 451 and r.get("Content-Type") == kind and r.get("Cache-Control") == "no-store"
        assert r.body.startswith(body) and bool(r.body) == bool(body)


def test_document_and_frame_get_pages(world):
    for dest in ("document", "iframe"):
        r = world.get_secure("https://blocked.example/", headers=[
            ("Sec-Fetch-Dest", dest), ("Accept", "text/html,image/avif,*/*")])
        is_page(r, 451, "Site Blocked")


# ---- CONNECT ----

def test_garbage_inside_connect_is_refused(world):
    """P1: neither TLS nor HTTP."""
    for data in (b"\0\1\2\3", b"SSH-2.0-x\r\n", b"\x16", b"\xff" * 100000, b"\n\n\n", b"{}"):
        c, r = world.tunnel("allowed.example:443")
        with c:
            assert r.status == 200
            try:
                c.send(data + b"\0" * 2000)
                c.file.read1(1)
            except OSError:
                pass
    c, r = world.tunnel("allowed.example:443")
    with c:
        c.send("\x16\x03\x01\x00\x05hello")
        while c.socket.recv(100):
            pass


@pytest.mark.parametrize("authority", ["allowed.example:22", "allowed.example:25", "allowed.example:8443",
                                       "allowed.example:53", "%s:6379" % SITE])
def test_other_ports_are_refused(world, authority):
    with world.connect() as c:
        assert c.ask("CONNECT", authority, authority).status == 403


@pytest.mark.parametrize("authority", ["allowed.example", "allowed.example:", "allowed.example:0",
                                       "allowed.example:99999", "a@b:443", "/x:443", ":443", "a b:443"])
def test_bad_connect_targets_are_refused(world, authority):
    with world.connect() as c:
        c.send("CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n" % authority)
        assert c.read_head().status == 400


def test_connect_inside_connect_is_refused(world):
    with world.secure_to("allowed.example") as c:
        assert c.ask("CONNECT", "allowed.example:443", "allowed.example:443").status == 400


def test_names_must_agree(world):
    """P15: SNI, authority and CONNECT target; else 421 and nothing goes out."""
    before = len(world.secure.requests)
    with world.secure_to("allowed.example", sni="www.allowed.example") as c:
        for host in ("allowed.example", "www.allowed.example"):
            is_page(c.ask("GET", "/", host), 421, "Misdirected Request")
    with world.secure_to("allowed.example") as c:
        for host in ("www.allowed.example", "blocked.example", "allowed.example:80", "allowed.example.evil.example"):
            is_page(c.ask("GET", "/", host), 421, "Misdirected Request")
        assert len(world.secure.requests) == before
        for host in ("allowed.example", "ALLOWED.example", "allowed.example:443", "allowed.example."):
            assert c.ask("GET", "/", host).status == 200
        assert c.ask("GET", "http://blocked.example/", "allowed.example").status == 400
        assert c.ask("GET", "https://allowed.example/", "allowed.example").status == 400
    with world.connect() as c:
        assert c.ask("GET", "http://allowed.example/", "www.allowed.example").status == 421
        assert c.ask("GET", "https://allowed.example/", "allowed.example").status == 400
    with world.secure_to("allowed.example", sni="") as c:
        assert c.ask("GET", "/", "allowed.example").status == 200


# ---- origins that fail ----

@pytest.mark.parametrize("host, reason", [
    ("expired.test.example", "certificate has expired"),
    ("wronghost.test.example", "certificate is for another name"),
    ("untrusted.test.example", "certificate is not signed by a trusted authority"),
    ("selfsigned.test.example", "certificate is self-signed"),
])
def test_bad_certificate_is_named(world, host, reason):
    """P2: 502 with the reason."""
    for _ in range(2):
        is_page(world.get_secure("https://%s/" % host), 502, "Certificate Error", reason, host)


@pytest.mark.parametrize("host, status, title", [
    ("nowhere.test.example", 502, "Name Not Found"), ("empty.test.example", 502, "Name Not Found"),
    ("broken.test.example", 502, "Name Not Resolved"),
])
def test_name_without_address_has_a_page(world, host, status, title):
    is_page(world.get_secure("https://%s/" % host), status, title, host)
    is_page(world.get("http://%s/" % host), status, title, host)


def test_name_server_that_is_silent_has_a_page(world):
    is_page(world.get("http://silent.test.example/"), 504, "Name Not Resolved")


def test_refused_connection_has_a_page(world):
    is_page(world.get("http://allowed.example:8181/"), 502, "Connection Failed", "connection refused")


def test_origin_that_takes_no_packet_has_a_page(world):
    start = time.monotonic()
    is_page(world.get("http://deaf.test.example/"), 504, "No Answer")
    assert time.monotonic() - start < 40


@pytest.mark.parametrize("path, title", [
    ("/nothing", "Connection Failed"), ("/nonsense", "Bad Answer"), ("/both-lengths", "Bad Answer"),
    ("/huge-head", "Bad Answer"),
])
def test_bad_answers_have_a_page(world, path, title):
    """P17."""
    is_page(world.get_secure("https://allowed.example" + path), 502, title)
    is_page(world.get("http://allowed.example" + path), 502, title)


def test_answer_cut_short_is_cut_short(world):
    """Never a whole message out of half of one."""
    for get in (world.get_secure, world.get):
        scheme = "https" if get == world.get_secure else "http"
        with pytest.raises((EOFError, OSError)):
            get(scheme + "://allowed.example/cut")


# ---- P15: no way round ----

NEVER = ["127.0.0.1", "203.0.113.1", "169.254.1.1", "0.0.0.0"]


@pytest.mark.parametrize("host", ["blocked.example.", "blocked.example..", "BLOCKED.Example", "x..blocked.example",
                                  ".blocked.example", "%62locked.example", "a@blocked.example"])
def test_another_spelling_of_a_blocked_name_opens_nothing(world, host):
    """Also where unknown sites pass."""
    assert world.get("http://%s/" % host, who="passing").status in (400, 451)
    c, r = world.tunnel("%s:80" % host, who="passing")
    with c:
        assert r.status == 400 or c.ask("GET", "/", host).status == 451


@pytest.mark.parametrize("who", ["internet", "full", "intranet"])
@pytest.mark.parametrize("host", [*NEVER, "loop.test.example", "gw.test.example", "uplink.test.example",
                                  "link.test.example", "loop6.test.example", "mapped.test.example",
                                  "nat64.test.example"])
def test_gateway_is_out_of_reach(world, who, host):
    """By literal and by name (rebinding)."""
    before = world.gw_connections()
    is_page(world.get("http://%s/" % host, who=who), 403, "Connection Refused")
    assert world.gw_connections() == before


@pytest.mark.parametrize("host", ["[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
                                  "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]",
                                  "[ff02::1]", "[::]", "2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_gateway_is_out_of_reach_in_other_spellings(world, host):
    before = world.gw_connections()
    r = world.get("http://%s/" % host, who="passing")
    assert r.status in (400, 403), r
    c, r = world.tunnel("%s:80" % host, who="passing")
    with c:
        if r.status == 200:
            assert c.ask("GET", "/", host).status == 403
        else:
            assert r.status == 400
    assert world.gw_connections() == before


@pytest.mark.parametrize("host", ["10.9.0.77", "[fd09::77]"])
def test_devices_do_not_reach_each_other(world, host):
    """F2, P15: not even the first packet goes out."""
    is_page(world.get("http://%s/" % host, who="passing"), 403, "Connection Refused", "another device")


def test_lan_is_for_profiles_that_have_it(world):
    for host in (LAN, "lan.test.example"):
        is_page(world.get("http://%s/" % host), 403, "Connection Refused", "local network")
        for who in ("full", "intranet"):
            assert world.get("http://%s/" % host, who=who).status == 200
    is_page(world.get("http://allowed.example/", who="intranet"), 403, "Connection Refused")


def test_walled_device_reaches_nothing(world):
    r = world.get("http://allowed.example/", who="walled")
    assert r.status in (403, 451), r


def test_expired_device_reaches_renewal_hosts_only(world):
    """W4: it can still learn why, and renew."""
    world.change("settings", {"id": "renewal_hosts", "value": ["allowed.example"]})
    world.change("devices", world.device("walled", expires_at=1000))
    try:
        assert world.get("http://allowed.example/", who="walled").status == 200
        is_page(world.get("http://other.example/", who="walled"), 451, "Site Blocked", "expired")
    finally:
        world.change("devices", world.device("walled"))
        world.change("settings", {"id": "renewal_hosts", "value": []})


def test_name_with_a_forbidden_and_a_good_address_reaches_the_good_one(world):
    before = world.gw_connections()
    assert world.get("http://both.test.example/").status == 200
    assert world.gw_connections() == before


def test_alt_svc_is_removed(world):
    r = world.get_secure("https://allowed.example/alt-svc")
    assert r.status == 200 and r.get("X-Kept") == "yes" and r.get("Alt-Svc") is None


def test_dns_over_https_is_blocked(world):
    """As wish, as body, as answer."""
    kind = "application/dns-message"
    before = len(world.secure.requests)
    is_page(world.get_secure("https://allowed.example/dns-query?dns=AAAA", headers=[("Accept", kind)]),
            451, "Site Blocked", "DNS over HTTPS")
    is_page(world.get_secure("https://allowed.example/q", headers=[("Accept", "*/*, APPLICATION/DNS-message;q=1")]),
            451, "Site Blocked")
    is_page(world.get_secure("https://allowed.example/q", method="POST", headers=[("Content-Type", kind)],
                             body=b"\0" * 20), 451, "Site Blocked")
    assert len(world.secure.requests) == before
    r = world.get_secure("https://allowed.example/dns")
    is_page(r, 451, "Site Blocked")


def test_what_an_allowed_site_needs_is_allowed_as_a_part_of_it(new_world):
    """P5: by the page that the browser names, not when it is opened by itself."""
    w = new_world
    w.change("websites", {**w.website("allowed.example", "education"), "needs": ["unknown.example"]})
    page = {"Referer": "https://allowed.example/"}

    def status(**headers):
        with w.connect() as c:
            return c.ask("GET", "http://unknown.example/x", "unknown.example", headers=headers.items()).status
    assert status() == 451
    assert status(**page) == 200
    assert status(Origin="https://allowed.example") == 200
    assert status(Referer="https://blocked.example/") == 451
    assert status(**{**page, "Sec-Fetch-Dest": "document"}) == 451
    # Decrypted, too; of the site's other hosts' pages; not when the site needs nothing any more.
    secure = [w.get_secure("https://unknown.example/x.js", headers=h).status for h in (
        [], page.items(), [("Referer", "https://blocked.example/")], [("Referer", "https://www.allowed.example/a")])]
    assert secure == [451, 200, 451, 200]
    w.change("websites", w.website("allowed.example", "education"))
    assert w.get_secure("https://unknown.example/x.js", headers=page.items()).status == 451


# ---- changes ----

def test_change_of_policy_acts_on_the_next_request(new_world):
    """On connections that are open, too."""
    w = new_world
    with w.secure_to("allowed.example") as c, w.connect() as plain:
        def both():
            return [c.ask("GET", "/", "allowed.example").status,
                    plain.ask("GET", "http://allowed.example/", "allowed.example").status]
        assert both() == [200, 200]
        w.change("websites", w.website("allowed.example", "gambling"))
        assert both() == [451, 451]
        w.change("websites", w.website("allowed.example", "education"))
        assert both() == [200, 200]
        w.change("device_prefs", {"id": "device:internet", "offline_browser": True})
        assert both() == [451, 451]
        w.change("device_prefs", {"id": "device:internet", "offline_browser": False})
        assert both() == [200, 200]
        # The connections upstream are kept; the profile holds for them all the same.
        w.change("devices", w.device("internet", profile="intranet"))
        assert both() == [403, 403]
        w.change("devices", w.device("internet", active=False))
        assert all(s in (403, 451) for s in both())


def test_device_that_is_removed_is_refused(new_world):
    w = new_world
    with w.connect() as c:
        assert c.ask("GET", "http://allowed.example/", "allowed.example").status == 200
        w.apid.do("del", topic="devices", id="internet")
        w.wait_applied("devices", w.apid.flush("devices"))
        assert c.ask("GET", "http://allowed.example/", "allowed.example").status == 403
    wait_until(lambda: _is_refused(w), "refusal")


def _is_refused(w):
    with w.connect() as c:
        try:
            c.send("GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
            return c.is_closed()
        except OSError:
            return True
