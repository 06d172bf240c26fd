# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's own web server on the tunnel addresses (SPEC F5, P2, P4, P8, P15)."""
import ssl
import subprocess

import pytest
from proxylib import Conn
from support import BUILD

HTTP, HTTPS = ("10.9.0.1", 80), ("10.9.0.1", 443)
HTTP6, HTTPS6 = ("fd09::1", 80), ("fd09::1", 443)
NAME = "gateway.test"


def secure(world, to=HTTPS, name=None, who="internet", session=None):
    """A verified TLS connection; name: of the certificate, the address by default."""
    context = session[0] if session else ssl.create_default_context(cafile=str(world.root))
    c = world.connect(who, to)
    return Conn(context.wrap_socket(c.socket, server_hostname=name or to[0],
                                    session=session[1] if session else None))


@pytest.fixture(scope="module")
def named(world):
    """The portal has a name."""
    world.change("settings", {"id": "portal_host", "value": NAME})
    yield world
    world.change("settings", {"id": "portal_host", "value": ""})


@pytest.mark.parametrize("to, host", [(HTTP, "10.9.0.1"), (HTTP6, "[fd09::1]")])
def test_portal_answers_on_80(world, to, host):
    with world.connect(to=to) as c:
        assert c.ask("GET", "/culvert-ca.pem", host).body == world.root.read_bytes()
        assert c.ask("GET", "/culvert-ca.pem?x=1", host).status == 200
        assert c.ask("GET", "/nothing", host).status == 404


@pytest.mark.parametrize("to, host", [(HTTPS, "10.9.0.1"), (HTTPS6, "[fd09::1]")])
def test_portal_answers_on_443_with_a_certificate_for_its_address(world, to, host):
    with secure(world, to) as c:
        assert c.ask("GET", "/culvert-ca.pem", host).status == 200
        names = c.socket.getpeercert()["subjectAltName"]
    assert len(names) == 1 and names[0][0] == "IP Address"


def test_portal_answers_to_its_name(named):
    with named.connect(to=HTTP) as c:
        assert c.ask("GET", "/culvert-ca.pem", NAME).status == 200
    with secure(named, name=NAME) as c:
        assert c.ask("GET", "/culvert-ca.pem", NAME.upper()).status == 200
        assert c.socket.getpeercert()["subjectAltName"] == (("DNS", NAME),)


def test_portal_answers_on_a_resumed_session(named):
    context = ssl.create_default_context(cafile=str(named.root))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with secure(named, name=NAME, session=(context, None)) as c:
        assert c.ask("GET", "/culvert-ca.pem", NAME).status == 200
        session = c.socket.session
    with secure(named, name=NAME, session=(context, session)) as c:
        assert c.socket.session_reused
        assert c.ask("GET", "/culvert-ca.pem", NAME).status == 200


def test_other_names_are_not_here(named):
    """P15: neither by the Host header nor by the name of the certificate."""
    with named.connect(to=HTTP) as c:
        for host in ("allowed.example", "10.9.0.2", "127.0.0.1", "gateway.test.example"):
            assert c.ask("GET", "/culvert-ca.pem", host).status == 421
    with secure(named, name=NAME) as c:
        assert c.ask("GET", "/culvert-ca.pem", "10.9.0.1").status == 421


def test_name_that_dns_blocked_by_the_gateways_address_says_why(world):
    """D2 (block_mode address), P7, P8: over http and https, with the portal under that name."""
    for c in (world.connect(to=HTTP), secure(world, name="ads.listed.example")):
        with c:
            r = c.ask("GET", "/banner?x=1", "ads.listed.example")
            assert r.status == 451 and "on the list Advertising." in r.text and "/banner?x=1" in r.text
            r = c.ask("GET", "/.kvylock/appeal", "ads.listed.example")
            assert r.status == 200 and "<h1>Appeal Access</h1>" in r.text
            assert c.ask("GET", "/proxy.pac", "ads.listed.example").status == 451
            assert c.ask("GET", "/banner", "allowed.example").status == 421


def test_portal_is_reached_through_the_proxy(named):
    """By name and address, plain and decrypted; nothing of the gateway's else is."""
    before = named.gw_connections()
    for host in ("10.9.0.1", "[fd09::1]", NAME):
        assert named.get("http://%s/culvert-ca.pem" % host).body == named.root.read_bytes()
        assert named.get("http://%s:8000/culvert-ca.pem" % host).status != 200
    for host in ("10.9.0.1", NAME):
        assert named.get_secure("https://%s/culvert-ca.pem" % host).body == named.root.read_bytes()
    assert named.gw_connections() == before


@pytest.mark.parametrize("to", [HTTP, HTTPS])
def test_stranger_is_hung_up_on(world, to):
    """P4."""
    with world.connect("stranger", to) as c:
        try:
            c.send("GET / HTTP/1.1\r\nHost: 10.9.0.1\r\n\r\n")
        except OSError:
            pass
        assert c.is_closed()


@pytest.mark.parametrize("who", ["walled", "intranet", "offline_browser", "full"])
def test_every_device_reaches_the_portal(world, who):
    with world.connect(who, HTTP) as c:
        assert c.ask("GET", "/culvert-ca.pem", "10.9.0.1").status == 200


def test_portal_is_only_read(world):
    for method, body, status in (("POST", b"x", 405), ("DELETE", None, 405), ("HEAD", None, 200)):
        with world.connect(to=HTTP) as c:
            r = c.ask(method, "/culvert-ca.pem", "10.9.0.1", body=body)
            assert r.status == status and (method != "HEAD" or r.body == b"")


def test_bad_requests_to_the_portal_are_refused(world):
    for request in (b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
                    b"GET http://10.9.0.1/ HTTP/1.1\r\nHost: 10.9.0.1\r\n\r\n",
                    b"CONNECT 10.9.0.1:443 HTTP/1.1\r\nHost: 10.9.0.1:443\r\n\r\n",
                    b"\0\1\2\3\4\5\r\n\r\n"):
        with world.connect(to=HTTP) as c:
            c.send(request)
            assert c.read().status == 400
    with world.connect(to=HTTP) as c:
        c.send("GET /culvert-ca.sha256 HTTP/1.0\r\n\r\n")
        assert c.read().status == 200
    with world.connect(to=HTTPS) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: 10.9.0.1\r\n\r\n")
        assert b" 200 " not in c.file.read()


def test_device_that_is_removed_loses_the_portal(new_world):
    w = new_world
    with w.connect(to=HTTP) as c:
        assert c.ask("GET", "/culvert-ca.pem", "10.9.0.1").status == 200
        w.apid.do("del", topic="devices", id="internet")
        w.wait_applied("devices", w.apid.flush("devices"))
        assert c.ask("GET", "/culvert-ca.pem", "10.9.0.1").status == 403


@pytest.mark.parametrize("key, value", [("portal_host", 'a"b'), ("appeal_path", "appeal"), ("appeal_path", "/a?b")])
def test_wrong_name_or_path_is_a_start_up_error(world, tmp_path, key, value):
    """C1."""
    conf = tmp_path / "wrong.conf"
    conf.write_text(world.conf.read_text() + "%s = %s\n" % (key, value))
    done = subprocess.run([BUILD / "bin/proxyd", "-c", conf, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "proxyd.%s: is no " % key in done.stderr
