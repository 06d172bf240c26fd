# SPDX-License-Identifier: GPL-3.0-or-later
"""What hostile and broken web servers answer (SPEC P17): a page that says so or an end, never a mix-up."""
import socket

import pytest
from proxylib import DEADLINE_S

HOST = "allowed.example"
OK = "HTTP/1.1 200 Fine\r\n"

# Heads that leave it open where the answer ends, or are none.
BAD = {
    "length and chunks": OK + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": OK + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same length twice": OK + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "list of lengths": OK + "Content-Length: 5, 5\r\n\r\nhello",
    "negative length": OK + "Content-Length: -5\r\n\r\nhello",
    "length with a sign": OK + "Content-Length: +5\r\n\r\nhello",
    "hexadecimal length": OK + "Content-Length: 0x5\r\n\r\nhello",
    "huge length": OK + "Content-Length: 99999999999999999999\r\n\r\nhello",
    "empty length": OK + "Content-Length:\r\n\r\nhello",
    "blank before the colon": OK + "Content-Length : 5\r\n\r\nhello",
    "unknown coding": OK + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked is not last": OK + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two codings": OK + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "vertical tab": OK + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "folded header": OK + "X-A: b\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "folded first header": OK + " X-A: b\r\nContent-Length: 0\r\n\r\n",
    "bare LF": "HTTP/1.1 200 Fine\nContent-Length: 0\n\n",
    "bare LF in a header": OK + "X-A: b\nX-B: c\r\nContent-Length: 0\r\n\r\n",
    "bare CR": OK + "X-A: b\rX-B: c\r\nContent-Length: 0\r\n\r\n",
    "NUL": OK + "X-A: b\0c\r\nContent-Length: 0\r\n\r\n",
    "no colon": OK + "Nonsense\r\nContent-Length: 0\r\n\r\n",
    "empty name": OK + ": nonsense\r\nContent-Length: 0\r\n\r\n",
    "blank in a name": OK + "X A: b\r\nContent-Length: 0\r\n\r\n",
    "no version": "200 Fine\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2.0": "HTTP/2.0 200 Fine\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": "<html>hello</html>",
    "status of two digits": "HTTP/1.1 20 Fine\r\nContent-Length: 0\r\n\r\n",
    "status of four digits": "HTTP/1.1 2000 Fine\r\nContent-Length: 0\r\n\r\n",
    "status 0": "HTTP/1.1 000 Fine\r\nContent-Length: 0\r\n\r\n",
    "ICY": "ICY 200 OK\r\n\r\n",
    "chunks in HTTP/1.0": "HTTP/1.0 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "oversized header": OK + "X-A: %s\r\nContent-Length: 0\r\n\r\n" % ("a" * 70000),
    "too many headers": OK + "".join("X-%d: a\r\n" % i for i in range(200)) + "Content-Length: 0\r\n\r\n",
    "upgrade that nobody wanted": "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "nothing": "",
}
# Bodies that go wrong after a good head.
BAD_CHUNKS = ["zz\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "5;\0\r\nhello\r\n0\r\n\r\n",
              "FFFFFFFFFFFFFFFFF\r\n", "5\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n",
              "5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
              "5\r\nhello\r\n0\r\nX: %s\r\n\r\n" % ("a" * 70000)]


def _answer_with(world, text):
    def bad(r):
        r.send(text)
        return False
    world.secure.routes["/bad"] = world.site.routes["/bad"] = bad


@pytest.mark.parametrize("name", BAD)
def test_answer_that_cannot_be_trusted_is_a_page(world, name):
    """502, and the next request of the same client is clean."""
    _answer_with(world, BAD[name])
    for c, at in ((world.secure_to(HOST), ""), (world.connect(), "http://" + HOST)):
        with c:
            r = c.ask("GET", at + "/bad", HOST)
            assert r.status == 502 and "<h1>" in r.text, r
            assert c.ask("GET", at + "/", HOST).text == "<p>This is " + HOST


@pytest.mark.parametrize("chunks", BAD_CHUNKS)
def test_body_that_goes_wrong_is_cut_short(world, chunks):
    """The client sees that it is not whole."""
    _answer_with(world, OK + "Transfer-Encoding: chunked\r\n\r\n" + chunks)
    for c, at in ((world.secure_to(HOST), ""), (world.connect(), "http://" + HOST)):
        with c:
            try:
                r = c.ask("GET", at + "/bad", HOST)
            except (EOFError, OSError, ValueError):
                continue
            assert r.status == 502, r


@pytest.mark.parametrize("text", [OK + "Content-Length: 10\r\n\r\nhalf", OK + "Content-Length: 2\r\n\r\nmuch more than two"])
def test_length_that_lies_hurts_nobody_else(world, text):
    _answer_with(world, text)
    for get in (world.get, world.get_secure):
        url = "%s://%s/" % ("https" if get == world.get_secure else "http", HOST)
        try:
            assert get(url + "bad").body == b"mu"
        except (EOFError, OSError):
            assert "10" in text
        assert get(url).text == "<p>This is " + HOST


def test_headers_of_an_answer_cannot_be_split(world):
    """What a header holds stays in it."""
    world.site.routes["/split"] = lambda r: r.answer(headers=[("X-Odd", "a\tb \xe9\xff=;,\"'")])
    r = world.get("http://%s/split" % HOST)
    assert r.status == 200 and r.get("X-Odd") == "a\tb \xe9\xff=;,\"'"


def test_early_close_during_many_requests(world):
    """An origin that hangs up after each head, while clients pipeline."""
    _answer_with(world, OK + "Content-Length: 5\r\nConnection: close\r\n\r\nhello")
    with world.connect() as c:
        c.send("".join("GET http://%s/bad?%d HTTP/1.1\r\nHost: %s\r\n\r\n" % (HOST, i, HOST) for i in range(20)))
        for _ in range(20):
            assert c.read().body == b"hello"


def test_slow_body_of_a_client_is_ended(world):
    """Slow loris in the body, and in the trailers: 408 or an end within bounds."""
    def takes(r):
        r.file.read(1)
        r.conn.settimeout(DEADLINE_S * 3)
        r.conn.recv(1)
        return False
    takes.early = True
    world.secure.routes["/takes"] = takes
    slow = []
    for body in ("Content-Length: 1000\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
                 "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-T"):
        c = world.secure_to(HOST)
        c.send("POST /takes HTTP/1.1\r\nHost: %s\r\n%s" % (HOST, body))
        slow.append(c)
    for c in slow:
        with c:
            c.socket.settimeout(45)
            try:
                assert c.read().status == 408
            except (EOFError, OSError) as e:
                assert not isinstance(e, TimeoutError)


def test_signal_of_a_closed_peer_does_not_end_it(world):
    """Writing to many connections that are gone."""
    def flood(r):
        try:
            for _ in range(200):
                r.send("x" * 65536)
        except OSError:
            pass
        return False
    world.site.routes["/gone"] = flood
    for _ in range(20):
        with world.connect() as c:
            c.send("GET http://%s/gone HTTP/1.1\r\nHost: %s\r\n\r\n" % (HOST, HOST))
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert world.proxyd.process.poll() is None
    assert world.get("http://%s/" % HOST).status == 200
