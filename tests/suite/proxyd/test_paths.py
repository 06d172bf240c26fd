# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic that passes: plain and decrypted, all of HTTP/1.1's forms (SPEC P1, P2)."""
import hashlib
import json
import socket
import ssl
import threading

import pytest
from proxylib import DEADLINE_S, SITE
from support.wait import wait_until


def test_page_over_tls_verifies_against_the_root(world):
    """P2: the chain that the client gets is leaf and intermediate, nothing else is needed."""
    r = world.get_secure("https://allowed.example/")
    assert r.status == 200 and "This is allowed.example" in r.text
    seen = world.secure.requests[-1]
    assert seen.method == "GET" and seen.target == "/" and seen.host == "allowed.example"


def test_curl_takes_a_page(world):
    done = world.curl("https://allowed.example/", "-w", "%{http_code}")
    assert done.stdout.endswith(b"200"), done
    done = world.curl("http://allowed.example/")
    assert b"This is allowed.example" in done.stdout


def test_keeps_both_connections_alive(world):
    """P1: many requests over one connection; upstream too."""
    with world.secure_to("allowed.example") as c:
        numbers = {json.loads(c.ask("GET", "/echo?%d" % i, "allowed.example").text)["number"]
                   for i in range(20)}
    assert len(numbers) == 1
    with world.connect() as c:
        numbers = {json.loads(c.ask("GET", "http://allowed.example/echo", "allowed.example").text)
                   ["number"] for _ in range(20)}
    assert len(numbers) == 1


def test_answers_pipelined_requests_in_order(world):
    with world.secure_to("allowed.example") as c:
        c.send("".join("GET /echo?%d HTTP/1.1\r\nHost: allowed.example\r\n\r\n" % i
                       for i in range(30)))
        for i in range(30):
            assert json.loads(c.read().text)["target"] == "/echo?%d" % i


def test_pipelined_requests_to_several_hosts_in_order(world):
    with world.connect() as c:
        c.send("".join("GET http://s%d.test.example/cookie?%d HTTP/1.1\r\nHost: s%d.test.example"
                       "\r\n\r\n" % (i % 5, i, i % 5) for i in range(30)))
        for i in range(30):
            assert json.loads(c.read().text)["tag"] == "s%d.test.example/cookie?%d" % (i % 5, i)


def test_chunked_both_ways_with_trailers(world):
    with world.secure_to("allowed.example") as c:
        r = c.ask("GET", "/chunked", "allowed.example")
        assert r.body == b"onetwothree" and ("X-Sum", "11") in r.trailers
        c.send("POST /echo HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-End: yes\r\n\r\n")
        r = json.loads(c.read().text)
        assert r["sha256"] == hashlib.sha256(b"hello world").hexdigest()
        assert world.secure.requests[-1].trailers == ["X-End: yes"]
        assert c.ask("GET", "/", "allowed.example").status == 200


def test_head_and_bodiless_answers_keep_the_connection(world):
    with world.secure_to("allowed.example") as c:
        r = c.ask("HEAD", "/head", "allowed.example")
        assert r.get("Content-Length") == "4321"
        r = c.ask("GET", "/204", "allowed.example")
        assert r.status == 204 and r.get("X-Kept") == "yes" and r.get("Content-Length") is None
        r = c.ask("GET", "/304", "allowed.example")
        assert r.status == 304 and r.get("ETag") == '"e"'
        assert c.ask("GET", "/head", "allowed.example").body == b"x" * 4321


def test_body_until_close_comes_whole(world):
    for get in (lambda: world.get("http://allowed.example/until-close"),
                lambda: world.get_secure("https://allowed.example/until-close")):
        assert get().body == b"until the end"


def test_uploads_five_mebibytes(world):
    body = b"0123456789abcdef" * (5 * 65536)
    want = hashlib.sha256(body).hexdigest()
    for r in (world.get_secure("https://allowed.example/echo", method="POST", body=body),
              world.get("http://allowed.example/echo", method="POST", body=body)):
        r = json.loads(r.text)
        assert (r["length"], r["sha256"]) == (len(body), want)


def test_early_answer_to_an_upload_arrives(world):
    """The origin answers without reading the body."""
    with world.secure_to("allowed.example") as c:
        c.send("POST /early HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 100000\r\n\r\n")
        r = c.read()
        assert (r.status, r.body) == (413, b"enough")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_slow_reader_holds_the_origin_back(world, scheme):
    """Back-pressure: what the client does not take is not fetched."""
    origin = world.secure if scheme == "https" else world.site
    c = world.secure_to("allowed.example") if scheme == "https" else world.connect()
    with c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        before = world.rss_kib()
        origin.sent = 0
        target = "/big?1600" if scheme == "https" else "http://allowed.example/big?1600"
        c.send("GET %s HTTP/1.1\r\nHost: allowed.example\r\n\r\n" % target)
        assert c.read_head().status == 200
        held = [-1]

        def stands_still():
            now, held[0] = origin.sent == held[0] and origin.sent > 0, origin.sent
            threading.Event().wait(0.2)
            return now
        wait_until(stands_still, "back-pressure")
        assert origin.sent < 800
        assert world.rss_kib() - before < 16 * 1024
        got = 0
        while got < 1600 * 65536:
            got += len(c.file.read(1 << 20))
        assert c.ask("GET", target.replace("/big?1600", "/"), "allowed.example").status == 200


def _websocket(c, target, host):
    c.send("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
           % (target, host))
    r = c.read_head()
    assert r.status == 101 and r.get("Upgrade").lower() == "websocket"
    assert r.get("Sec-WebSocket-Accept") == "x"
    for i in range(50):
        c.send(b"\x81\x05frame")
        want = b"echo:\x81\x05frame"
        assert c.file.read(len(want)) == want
    big = b"z" * 300000
    c.send(big)
    got = b""
    while len(got.replace(b"echo:", b"")) < len(big):
        got += c.file.read1(65536)
    assert got.replace(b"echo:", b"") == big


def test_websocket_through_decryption(world):
    with world.secure_to("allowed.example") as c:
        _websocket(c, "/ws", "allowed.example")
    assert dict(world.secure.requests[-1].headers)["Connection"] == "Upgrade"


def test_websocket_plain(world):
    with world.connect() as c:
        _websocket(c, "http://allowed.example/ws", "allowed.example")
    c, r = world.tunnel("allowed.example:80")
    with c:
        assert r.status == 200
        _websocket(c, "/ws", "allowed.example")


def test_other_upgrades_stay_http(world):
    """P15: a protocol that cannot be read, such as h2c, is not switched to."""
    with world.connect() as c:
        c.send("GET http://allowed.example/echo HTTP/1.1\r\nHost: allowed.example\r\nUpgrade: h2c\r\n"
               "HTTP2-Settings: AAA\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n")
        r = c.read()
    assert r.status == 200
    names = [k.lower() for k, _ in json.loads(r.text)["headers"]]
    assert "upgrade" not in names and "http2-settings" not in names
    with world.connect() as c:
        c.send("GET http://allowed.example/ws HTTP/1.1\r\nHost: allowed.example\r\nUpgrade: h2c\r\n"
               "Connection: Upgrade\r\n\r\n")
        assert c.read().status == 502


def test_events_arrive_one_by_one(world):
    """P1: server-sent events are not held back."""
    seen = threading.Event()

    def events(r):
        r.send("HTTP/1.1 200 Fine\r\nContent-Type: text/event-stream\r\n"
               "Transfer-Encoding: chunked\r\n\r\n")
        r.send("d\r\ndata: first\n\n\r\n")
        assert seen.wait(DEADLINE_S)
        r.send("e\r\ndata: second\n\n\r\n0\r\n\r\n")
    world.secure.routes["/sse"] = world.site.routes["/sse"] = events
    for c, target in ((world.secure_to("allowed.example"), "/sse"),
                      (world.connect(), "http://allowed.example/sse")):
        seen.clear()
        with c:
            c.send("GET %s HTTP/1.1\r\nHost: allowed.example\r\n\r\n" % target)
            assert c.read_head().get("Content-Type") == "text/event-stream"
            assert c.read_chunk() == b"data: first\n\n"
            seen.set()
            assert c.read_chunk() == b"data: second\n\n"


def test_plain_absolute_form(world):
    r = world.get("http://allowed.example/echo?a=b", headers=[
        ("Proxy-Connection", "keep-alive"), ("Proxy-Authorization", "Basic x"),
        ("Connection", "X-Hop"), ("X-Hop", "1"), ("TE", "trailers"), ("X-Kept", "1")])
    got = json.loads(r.text)
    assert got["target"] == "/echo?a=b"
    names = [k.lower() for k, _ in got["headers"]]
    assert "x-kept" in names
    for hop in ("proxy-connection", "proxy-authorization", "x-hop", "te"):
        assert hop not in names
    assert world.get("http://allowed.example").status == 200


def test_http10_client(world):
    with world.connect() as c:
        c.send("GET http://allowed.example/chunked HTTP/1.0\r\n\r\n")
        r = c.read()
        assert r.status == 200 and r.body == b"onetwothree"
        assert r.get("Transfer-Encoding") is None
        assert c.is_closed()


def test_http_inside_connect(world):
    """P1: HTTP that is not TLS takes the normal path, on 80 and on 443."""
    c, r = world.tunnel("allowed.example:80")
    with c:
        assert r.status == 200
        assert "This is allowed.example" in c.ask("GET", "/", "allowed.example").text
    c, r = world.tunnel("blocked.example:80")
    with c:
        assert c.ask("GET", "/", "blocked.example").status == 451


def test_tls_on_port_80_is_decrypted(world):
    c, r = world.tunnel("blocked.example:80")
    with c:
        context = ssl.create_default_context(cafile=str(world.root))
        tls = context.wrap_socket(c.socket, server_hostname="blocked.example")
        inner = type(c)(tls)
        assert inner.ask("GET", "/", "blocked.example:80").status == 451


def test_ipv6_site_and_ipv6_client(world):
    assert world.get("http://six.test.example/").status == 200
    with world.connect(to=("fd09::1", 8080)) as c:
        assert c.ask("GET", "http://allowed.example/", "allowed.example").status == 200


def test_address_literals_are_sites_too(world):
    assert world.get("http://%s/" % SITE).status == 200


def test_no_decrypt_category_passes_untouched(world):
    """P2: the client sees the origin's own certificate."""
    with world.secure_to("bank.example", ca=world.dir / "internet.pem") as c:
        assert "This is bank.example" in c.ask("GET", "/", "bank.example").text
    with pytest.raises(ssl.SSLCertVerificationError):
        world.secure_to("bank.example")


def test_no_decrypt_passes_tls_only(world):
    """P15: what is not TLS does not travel unread."""
    c, r = world.tunnel("bank.example:443")
    with c:
        assert r.status == 200
        c.send("SSH-2.0-OpenSSH_9.2\r\n")
        assert c.is_closed()


def test_no_decrypt_is_for_the_name_of_its_connection(world):
    """P15: SNI and CONNECT target must agree where nothing is decrypted, too."""
    internet = world.dir / "internet.pem"
    with pytest.raises((OSError, EOFError)):
        world.secure_to("bank.example", sni="blocked.example", ca=internet)
    assert not [r for r in world.secure.requests if r.host == "blocked.example"]
    # A hello in many small pieces.
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context(cafile=internet).wrap_bio(into, out, server_hostname="bank.example")
    c, _ = world.tunnel("bank.example:443")
    with c:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in out.read():
                    c.send(bytes([byte]))
                into.write(c.socket.recv(65536))
        tls.write(b"GET / HTTP/1.1\r\nHost: bank.example\r\n\r\n")
        c.send(out.read())
        into.write(c.socket.recv(65536))
        while True:
            try:
                assert b"200 Fine" in tls.read()
                break
            except ssl.SSLWantReadError:
                into.write(c.socket.recv(65536))


@pytest.mark.parametrize("name", ["mask.icloud.com", "mask-h2.icloud.com", "doh.dns.apple.com", "dns.google", "cloudflare-ech.com"])
def test_a_resolver_or_relay_below_a_name_that_is_not_decrypted_is(world, name):
    """P3: by the proxy, queries that nobody sees passed where all of a provider's names are not decrypted."""
    world.dns.names[name] = [SITE]
    ignored = [{"id": d, "domain": d} for d in ("icloud.com", "apple.com", "dns.google", "cloudflare-ech.com", "s9.test.example")]
    world.wait_applied("mitm_ignore", world.publish("mitm_ignore", ignored))
    try:
        with world.secure_to("s9.test.example", "passing", ca=world.dir / "internet.pem"):
            pass  # its own certificate
        with world.secure_to(name, "passing"):
            pass  # ours
    finally:
        world.wait_applied("mitm_ignore", world.publish("mitm_ignore", []))


@pytest.mark.parametrize("offered", [("dot",), ("h2", "dot")])
def test_dns_over_tls_passes_no_tunnel_that_is_not_decrypted(world, offered):
    """P3: on 443 of apps it is reset whatever its name; in CONNECT it was not looked for."""
    context = ssl.create_default_context(cafile=str(world.dir / "internet.pem"))
    context.set_alpn_protocols(offered)
    c, r = world.tunnel("bank.example:443")
    with c:
        assert r.status == 200
        with pytest.raises(OSError):
            context.wrap_socket(c.socket, server_hostname="bank.example")


def test_root_certificate_is_served(world):
    """P2: PEM, DER and SHA-256 for devices."""
    with world.connect() as c:
        pem = c.ask("GET", "/culvert-ca.pem", "10.9.0.1:8080")
        der = c.ask("GET", "/culvert-ca.der", "10.9.0.1:8080")
        digest = c.ask("GET", "/culvert-ca.sha256", "10.9.0.1:8080")
        assert c.ask("GET", "/other", "10.9.0.1:8080").status == 404
        assert c.ask("POST", "/culvert-ca.pem", "10.9.0.1:8080", body=b"x").status == 405
    assert pem.body == world.root.read_bytes()
    assert ssl.PEM_cert_to_DER_cert(pem.text) == der.body
    assert digest.text.strip() == hashlib.sha256(der.body).hexdigest()
