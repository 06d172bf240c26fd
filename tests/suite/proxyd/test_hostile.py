# SPDX-License-Identifier: GPL-3.0-or-later
"""What hostile clients and origins try (SPEC P17): clear answers, bounded memory, nothing mixed up."""
import concurrent.futures
import json
import random
import socket
import ssl
import threading
import time

import pytest
from proxylib import SITE
from support import DEADLINE_S
from support.wait import wait_until

GET = "GET /echo HTTP/1.1\r\nHost: allowed.example\r\n"
POST = "POST /echo HTTP/1.1\r\nHost: allowed.example\r\n"
HIDDEN = "GET /hidden HTTP/1.1\r\nHost: allowed.example\r\n\r\n"

SMUGGLING = [
    POST + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    POST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    POST + "Content-Length: 5, 5\r\n\r\nhello",
    POST + "Content-Length: +5\r\n\r\nhello",
    POST + "Content-Length: -5\r\n\r\nhello",
    POST + "Content-Length: 0x5\r\n\r\nhello",
    POST + "Content-Length: 99999999999999999999\r\n\r\nhello",
    POST + "Content-Length : 5\r\n\r\nhello",
    POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    POST + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    POST + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    GET + "X-A: b\r\n folded\r\n\r\n",
    GET + "X-A: b\n\r\n\r\n",
    GET + "X-A: b\rX-B: c\r\n\r\n",
    GET + "X-A: \0\r\n\r\n",
    GET + "Host: blocked.example\r\n\r\n",
    "GET /echo HTTP/1.1\r\n\r\n",
    "GET  /echo HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
    "GET /echo HTTP/1.1 \r\nHost: allowed.example\r\n\r\n",
    "GET /echo HTTP/2.0\r\nHost: allowed.example\r\n\r\n",
    "GET /ec ho HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /echo\r\n\r\n",
    "geT /echo HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
]


@pytest.mark.parametrize("index", range(len(SMUGGLING)))
def test_smuggled_request_never_arrives(world, index):
    """4xx or 5xx, the connection ends, and what was hidden behind is not served."""
    text = SMUGGLING[index] + HIDDEN
    plain = text.replace(" /", " http://allowed.example/", 1)
    for c, data in ((world.secure_to("allowed.example"), text), (world.connect(), plain)):
        with c:
            c.send(data)
            r = c.read()
            assert 400 <= r.status <= 505, r
            assert c.is_closed()
    seen = world.secure.requests + world.site.requests
    assert not [r for r in seen if r.target == "/hidden"]


@pytest.mark.parametrize("chunks", ["zz\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n",
                                    "5;\0\r\nhello\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n", "5\nhello\r\n0\r\n\r\n",
                                    "0x5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n"])
def test_bad_chunks_end_the_connection(world, chunks):
    with world.secure_to("allowed.example") as c:
        c.send(POST + "Transfer-Encoding: chunked\r\n\r\n" + chunks + HIDDEN)
        try:
            assert 400 <= c.read().status <= 502
        except (EOFError, OSError):
            pass
        assert c.is_closed()
    assert not [r for r in world.secure.requests if r.target == "/hidden"]


def test_oversized_heads_are_refused(world):
    for text, status in ((GET + "X-A: %s\r\n\r\n" % ("a" * 70000), 431),
                         (GET + "".join("X-%d: a\r\n" % i for i in range(150)) + "\r\n", 431),
                         ("GET /%s HTTP/1.1\r\nHost: allowed.example\r\n\r\n" % ("a" * 20000), 414)):
        with world.secure_to("allowed.example") as c:
            c.send(text)
            assert c.read().status == status
            assert c.is_closed()
    with world.connect() as c:
        c.send("GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nX-A: %s" % ("a" * 70000))
        assert c.read().status == 431


def test_slow_heads_are_closed(world):
    """Slow loris: plain, after CONNECT, in the handshake; none holds its connection."""
    start = time.monotonic()
    plain, inner, shake = world.connect(), world.secure_to("allowed.example"), world.tunnel("allowed.example:443")[0]
    shake.send(b"\x16\x03\x01\x02\x00")
    plain.send("GET http://allowed.example/ HTTP/1.1\r\n")
    inner.send("GET / HTTP/1.1\r\n")
    open_ones = {"plain": plain, "inner": inner, "shake": shake}
    while open_ones:
        assert time.monotonic() - start < 100, open_ones
        for name, c in list(open_ones.items()):
            c.socket.settimeout(0.5)
            try:
                if name != "shake":
                    c.send("X-A: b\r\n")
                if c.socket.recv(4096) == b"":
                    open_ones.pop(name).close()
            except TimeoutError:
                pass
            except OSError:
                open_ones.pop(name).close()
    assert world.get("http://allowed.example/").status == 200


def test_client_that_leaves_takes_the_origin_along(world):
    """Half-way through a download: the origin's connection is closed, too."""
    for scheme in ("http", "https"):
        origin = world.secure if scheme == "https" else world.site
        ended = threading.Event()

        def endless(r):
            r.send("HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    r.send(b"400\r\n%s\r\n" % (b"x" * 1024))
            except OSError:
                ended.set()
                raise
        origin.routes["/endless"] = endless
        c = world.secure_to("allowed.example") if scheme == "https" else world.connect()
        target = "/endless" if scheme == "https" else "http://allowed.example/endless"
        c.send("GET %s HTTP/1.1\r\nHost: allowed.example\r\n\r\n" % target)
        assert c.read_head().status == 200
        c.file.read(100000)
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        c.close()
        assert ended.wait(DEADLINE_S)


def test_client_that_leaves_early_is_forgotten(world):
    """At every stage: resolving, connecting, waiting, uploading."""
    holding = threading.Event()

    def hold(r):
        holding.set()
        r.conn.recv(1)
        return False
    world.secure.routes["/hold"] = world.site.routes["/hold"] = hold
    for url in ("http://silent.test.example/", "http://deaf.test.example/", "http://allowed.example/hold"):
        with world.connect() as c:
            c.send("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (url, url.split("/")[2]))
            if "hold" in url:
                assert holding.wait(DEADLINE_S)
    for text in ("CONNECT allowed.example:443 HTTP/1.1\r\nHost: a\r\n", "CONNECT bank.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
                 "POST http://allowed.example/echo HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 10\r\n\r\nhalf",
                 "POST http://silent.test.example/ HTTP/1.1\r\nHost: silent.test.example\r\nContent-Length: 10\r\n\r\n"):
        for reset in (False, True):
            with world.connect() as c:
                c.send(text)
                if reset:
                    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert world.get("http://allowed.example/").status == 200


def test_half_closed_client_gets_its_answer(world):
    with world.connect() as c:
        c.send("GET http://allowed.example/echo HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
        c.socket.shutdown(socket.SHUT_WR)
        assert c.read().status == 200
        assert c.is_closed()


def test_idle_origin_connection_that_was_closed_is_replaced(world):
    """A request that meets the end of a kept connection is sent again; one that may not be is new, once the end has
    come to the gateway."""
    def has_ended():
        return not world.gw.run("ss", "-Htn", "state", "established", "dst", SITE + ":443")
    with world.secure_to("allowed.example") as c:
        for _ in range(10):
            assert c.ask("GET", "/echo", "allowed.example").status == 200
            world.secure.hang_up()
            wait_until(has_ended, "no connection left")
            assert c.ask("POST", "/echo", "allowed.example", body=b"x").status == 200
            world.secure.hang_up()


def test_origin_that_leaves_during_an_upload_has_a_page(world):
    def leave(_):
        return False
    leave.early = True
    world.secure.routes["/leave-early"] = leave
    for _ in range(5):
        with world.secure_to("allowed.example") as c:
            c.send("POST /leave-early HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 9000000\r\n\r\n")
            try:
                c.send(b"x" * 9000000)
            except OSError:
                pass
            try:
                assert c.read().status == 502
            except (OSError, EOFError):
                pass


def test_requests_share_nothing(world):
    """200 requests with different hosts, cookies and bodies, interleaved over many connections."""
    order = random.Random(7)

    def one(i):
        host = "s%d.test.example" % (i % 40)
        target, body = "/cookie?%d" % i, ("body-%d-" % i) * order.randrange(1, 400)
        headers = [("Cookie", "mine=%d" % i)]
        secure = i % 2
        c = world.secure_to(host) if secure else world.connect()
        with c:
            for again in range(3):
                tag = "%s%s.%d" % (host, target, again)
                path = "%s.%d" % (target, again)
                r = c.ask("POST" if again % 2 else "GET", path if secure else "http://" + host + path, host, headers,
                          body.encode() if again % 2 else None)
                got = json.loads(r.text)
                assert got == {"tag": tag, "cookie": "mine=%d" % i, "body": body if again % 2 else ""}
                assert r.get("Set-Cookie") == "tag=" + tag
                other = "s%d.test.example" % ((i + 1) % 40)
                if not secure:
                    r = c.ask("GET", "http://%s/cookie" % other, other)
                    assert json.loads(r.text) == {"tag": other + "/cookie", "cookie": None, "body": ""}
                r = c.ask("GET", "/" if secure else "http://unknown.example/", host if secure else "unknown.example")
                assert r.status == (200 if secure else 451)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(200)))


def test_memory_comes_back_after_many_connections(world):
    def some(n):
        conns = [world.secure_to("s%d.test.example" % (i % 40)) for i in range(n)]
        for i, c in enumerate(conns):
            assert c.ask("GET", "/", "s%d.test.example" % (i % 40)).status == 200
        for c in conns:
            c.close()
    some(60)
    before = world.rss_kib()
    for _ in range(4):
        some(60)
    assert world.rss_kib() - before < 12 * 1024


def test_noise_hurts_nobody(world):
    """Random bytes at every layer; the proxy still serves."""
    rng = random.Random(11)
    parts = [b"GET ", b"http://allowed.example/", b" HTTP/1.1\r\n", b"Host: allowed.example\r\n", b"\r\n", b"\0",
             b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"CONNECT allowed.example:443", b"abc",
             b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"\xff\xfe"]
    for _ in range(150):
        data = b"".join(rng.choice(parts) for _ in range(rng.randrange(1, 12)))
        layer = rng.randrange(3)
        try:
            c = world.connect() if layer == 0 else world.tunnel("allowed.example:443")[0] if layer == 1 \
                else world.secure_to("allowed.example")
            with c:
                c.socket.settimeout(0.02)
                c.send(data)
                c.socket.recv(1000)
        except (OSError, ssl.SSLError):
            pass
    wait_until(lambda: world.get("http://allowed.example/").status == 200, "service")


def test_one_device_cannot_use_up_the_connections_of_all(world):
    """P17: 512 connections a device; another one is served meanwhile, and so is it afterwards."""
    held = [world.connect() for _ in range(512)]
    try:
        assert world.connect().is_closed()
        with world.connect(who="full") as other:
            other.send("GET http://allowed.example/echo HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
            assert other.read().status == 200
    finally:
        for c in held:
            c.close()

    def is_served_again():
        with world.connect() as c:
            try:
                c.send("GET http://allowed.example/echo HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
                return c.read().status == 200
            except (OSError, EOFError, ValueError, IndexError):
                return False
    wait_until(is_served_again, "served again")
