# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1's finer points, both ways: interim answers, expectations, methods, old versions, deadlines (SPEC P1, P17)."""
import json
import threading
import time

import pytest
from proxylib import DEADLINE_S
from support.wait import wait_until

HOST = "allowed.example"


def _upload(target, length, *headers):
    return "\r\n".join(["POST %s HTTP/1.1" % target, "Host: " + HOST, "Content-Length: %d" % length, *headers, "", ""])


# ---- what comes before the answer ----

def test_expectation_is_the_origins_to_meet(client):
    """RFC 9110 10.1.1: it is sent on, and so is 100 Continue; not before the origin said so."""
    c, origin, at = client
    asked, told = threading.Event(), threading.Event()

    def expecting(r):
        asked.set()
        assert told.wait(DEADLINE_S)
        r.send("HTTP/1.1 100 Continue\r\n\r\n")
        r.answer(body=r.file.read(5))
    expecting.early = True
    origin.routes["/expecting"] = expecting
    c.send(_upload(at + "/expecting", 5, "Expect: 100-continue"))
    assert asked.wait(DEADLINE_S)
    assert origin.requests[-1].get("Expect") == "100-continue"
    told.set()
    assert c.read_head(interim=True).status == 100
    c.send("hello")
    assert c.read().body == b"hello"


def test_expectation_that_is_refused_takes_no_body(client):
    c, origin, at = client

    def refusing(r):
        r.send("HTTP/1.1 413 Enough\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        return False
    refusing.early = True
    origin.routes["/refusing"] = refusing
    began = time.monotonic()
    c.send(_upload(at + "/refusing", 1 << 30, "Expect: 100-continue"))
    r = c.read_head(interim=True)
    if r.status == 100:  # after a second without an answer
        assert time.monotonic() - began >= 1
        r = c.read_head()
    assert r.status == 413 and r.get("Connection") == "close"


def test_origin_that_knows_no_expectations_gets_the_body(client):
    """After a second the client is told to go on all the same."""
    c, _, at = client
    c.send(_upload(at + "/echo", 5, "Expect: 100-continue"))
    assert c.read_head(interim=True).status == 100
    c.send("hello")
    assert json.loads(c.read().text)["length"] == 5


def test_body_that_does_not_wait_is_taken(client):
    c, _, at = client
    c.send(_upload(at + "/echo", 5, "Expect: 100-continue") + "hello")
    r = c.read_head(interim=True)
    assert r.status == 200


@pytest.mark.parametrize("field", ["Host: blocked.example", "Upgrade: h2c", "Cookie: a=b", "YouTube-Restrict: None",
                                   "Range: bytes=0-0"])
def test_what_belongs_to_the_head_is_no_trailer(client, field):
    """RFC 9110 6.5.1: a server may make one head of both, and the head alone was judged."""
    c, origin, at = client
    c.send("POST %s/echo HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n"
           "2\r\nhi\r\n0\r\n%s\r\nX-Sum: 7\r\n\r\n" % (at, field))
    assert c.read().status == 200
    assert origin.requests[-1].trailers == ["X-Sum: 7"]


def test_early_hints_are_passed_on(client):
    c, origin, at = client

    def hinting(r):
        r.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nAlt-Svc: h3=\":443\"\r\nConnection: X-Hop\r\n"
               "X-Hop: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
        r.answer(body="done")
    origin.routes["/hinting"] = hinting
    c.send("GET %s/hinting HTTP/1.1\r\nHost: %s\r\n\r\n" % (at, HOST))
    r = c.read_head(interim=True)
    assert r.status == 103 and r.headers == [("Link", "</a.css>; rel=preload")]
    assert c.read_head(interim=True).status == 102
    assert c.read().body == b"done"
    assert c.ask("GET", at + "/echo", HOST).status == 200


def test_early_hints_are_nothing_for_http10(world):
    world.site.routes["/hinting"] = lambda r: (r.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), r.answer(body="done"))
    with world.connect() as c:
        c.send("GET http://%s/hinting HTTP/1.0\r\n\r\n" % HOST)
        assert c.read_head(interim=True).status == 200


def test_interim_answers_without_end_are_ended(client):
    c, origin, at = client

    def babbling(r):
        r.send("HTTP/1.1 103 Early Hints\r\n\r\n" * 5000)
        return False
    origin.routes["/babbling"] = babbling
    assert c.ask("GET", at + "/babbling", HOST).status == 502


def test_other_ways_to_a_site_are_not_told(client):
    """P15: what would have the browser come by QUIC, past the proxy."""
    c, origin, at = client
    origin.routes["/ways"] = lambda r: r.answer(headers=[
        ("Alt-Svc", 'h3=":443"; ma=86400'), ("ALT-SVC", "clear"), ("Alternate-Protocol", "443:quic"), ("X-Kept", "1")])
    r = c.ask("GET", at + "/ways", HOST)
    assert r.status == 200 and r.get("X-Kept") == "1"
    assert r.get("Alt-Svc") is None and r.get("Alternate-Protocol") is None


@pytest.mark.parametrize("kind", ["application/dns-json", "application/dns+json", "application/oblivious-dns-message"])
def test_dns_by_http_in_another_form_is_blocked(client, kind):
    """P15: in JSON, and by way of somebody who does not tell the resolver who asks."""
    c, origin, at = client
    before = len(origin.requests)
    r = c.ask("GET", at + "/resolve?name=a.example", HOST, [("Accept", kind)])
    assert r.status == 451 and len(origin.requests) == before
    origin.routes["/resolve"] = lambda r: r.answer(headers=[("Content-Type", kind + "; charset=utf-8")], body="{}")
    assert c.ask("GET", at + "/resolve?name=a.example", HOST).status == 451
    before = len(origin.requests)
    r = c.ask("POST", at + "/resolve", HOST, [("Content-Type", kind)], body=b"{}")
    assert r.status == 451 and len(origin.requests) == before


# ---- methods and targets ----

def test_options_of_the_whole_server(world):
    """RFC 9112 3.2.4"""
    with world.connect() as c:
        c.send("OPTIONS http://%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (HOST, HOST))
        assert c.read().status == 200
        assert world.site.requests[-1].target == "*"
        c.send("OPTIONS http://%s/ HTTP/1.1\r\nHost: %s\r\n\r\n" % (HOST, HOST))
        assert c.read().status == 200
        assert world.site.requests[-1].target == "/"
    with world.secure_to(HOST) as c:
        assert c.ask("OPTIONS", "*", HOST).status == 200
        assert world.secure.requests[-1].target == "*"


def test_hops_of_options_are_counted(client):
    c, origin, at = client
    r = c.ask("OPTIONS", at + "/echo", HOST, [("Max-Forwards", "3")])
    assert ["Max-Forwards", "2"] in json.loads(r.text)["headers"]
    before = len(origin.requests)
    r = c.ask("OPTIONS", at + "/echo", HOST, [("Max-Forwards", "0")])
    assert r.status == 200 and "OPTIONS" in r.get("Allow") and len(origin.requests) == before
    # Nothing to count.
    r = c.ask("GET", at + "/echo", HOST, [("Max-Forwards", "0")])
    assert ["Max-Forwards", "0"] in json.loads(r.text)["headers"]


def test_trace_is_not_sent_on(client):
    c, origin, at = client
    before = len(origin.requests)
    assert c.ask("TRACE", at + "/echo", HOST, [("Cookie", "secret")]).status == 405
    assert len(origin.requests) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "PROPFIND", "REPORT", "SEARCH", "MKCOL"])
def test_methods_pass(client, method):
    c, origin, at = client
    assert c.ask(method, at + "/echo", HOST, body=b"some").status == 200
    assert origin.requests[-1].method == method and origin.requests[-1].body == b"some"


def test_origin_asks_for_no_password_in_the_proxys_name(client):
    """407 from a website."""
    c, origin, at = client
    origin.routes["/asking"] = lambda r: r.answer(407, [("Proxy-Authenticate", 'Basic realm="x"')])
    r = c.ask("GET", at + "/asking", HOST)
    assert r.status == 502 and r.get("Proxy-Authenticate") is None


def test_nothing_is_told_of_the_client(client):
    """No Via, no Forwarded: the origin sees the gateway alone."""
    c, _, at = client
    names = {k.lower() for k, _ in json.loads(c.ask("GET", at + "/echo", HOST).text)["headers"]}
    assert names == {"host"}


# ---- old versions ----

def test_http10_origin(client):
    """Without a length, with one, and with keep-alive."""
    c, origin, at = client
    origin.routes["/old"] = lambda r: r.send("HTTP/1.0 200 OK\r\n\r\nto the end") or False
    assert c.ask("GET", at + "/old", HOST).body == b"to the end"
    origin.routes["/older"] = lambda r: r.send("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nlen")
    assert c.ask("GET", at + "/older", HOST).body == b"len"
    origin.routes["/kept"] = lambda r: r.send("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nkept")
    assert c.ask("GET", at + "/kept", HOST).body == b"kept"
    assert c.ask("GET", at + "/echo", HOST).status == 200


def test_http10_client_may_keep_its_connection(client):
    c, _, at = client
    for _ in range(3):
        c.send("GET %s/head HTTP/1.0\r\nHost: %s\r\nConnection: keep-alive\r\n\r\n" % (at, HOST))
        r = c.read()
        assert r.status == 200 and r.get("Connection") == "keep-alive"


def test_http10_client_without_a_host(world):
    with world.secure_to(HOST) as c:
        c.send("GET / HTTP/1.0\r\n\r\n")
        assert "This is " + HOST in c.read().text
        assert c.is_closed()


# ---- ends and deadlines ----

def test_client_that_says_goodbye_in_tls_takes_the_origin_along(world):
    """close_notify while the answer is awaited: nobody reads it any more."""
    asked, gone = threading.Event(), threading.Event()

    def waiting(r):
        asked.set()
        r.conn.settimeout(DEADLINE_S)
        try:
            r.conn.recv(1)
        finally:
            gone.set()
        return False
    world.secure.routes["/waiting"] = waiting
    with world.secure_to(HOST) as c:
        c.send("GET /waiting HTTP/1.1\r\nHost: %s\r\n\r\n" % HOST)
        assert asked.wait(DEADLINE_S)
        c.socket.setblocking(False)
        try:
            c.socket.unwrap()
        except OSError:
            pass
        assert gone.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def hasty(world):
    """A proxyd that waits for one second only."""
    before = world.conf.read_text()
    world.proxyd.stop()
    world.conf.write_text(before + "answer_s = 1\nidle_s = 1\n")
    world.start_proxyd()
    yield world
    world.proxyd.stop()
    world.conf.write_text(before)
    world.start_proxyd()


def _silent_after(origin, text):
    ended = threading.Event()

    def silent(r):
        r.send(text)
        r.conn.settimeout(DEADLINE_S)
        try:
            r.conn.recv(1)
        except OSError:
            pass
        ended.set()
        return False
    origin.routes["/silent"] = silent
    return ended


def test_origin_that_does_not_answer_has_a_page(hasty):
    for origin, get in ((hasty.site, hasty.get), (hasty.secure, hasty.get_secure)):
        ended = _silent_after(origin, "")
        r = get("%s://%s/silent" % ("https" if origin is hasty.secure else "http", HOST))
        assert r.status == 504 and "No Answer" in r.text, r.text[-700:]
        assert ended.wait(DEADLINE_S)


def test_answer_that_stops_is_cut_off(hasty):
    for text in ("HTTP/1.1 200 Fine\r\nContent-Length: 10\r\n\r\nhalf", "HTTP/1.1 200 Fine\r\n\r\nhalf"):
        ended = _silent_after(hasty.site, text)
        with hasty.connect() as c:
            c.send("GET http://%s/silent HTTP/1.1\r\nHost: %s\r\n\r\n" % (HOST, HOST))
            assert c.read_head().status == 200
            assert ended.wait(DEADLINE_S)
            c.socket.settimeout(DEADLINE_S)
            rest = c.file.read()
            assert b"half" in rest and not rest.endswith(b"0\r\n\r\n")


def test_half_an_answers_head_has_a_page(hasty):
    ended = _silent_after(hasty.site, "HTTP/1.1 200 Fine\r\nX-Half:")
    assert hasty.get("http://%s/silent" % HOST).status == 504
    assert ended.wait(DEADLINE_S)


def test_upload_may_take_longer_than_an_answer(hasty):
    """The origin's time begins when it has the request."""
    going = threading.Event()
    hasty.site.routes["/slow"] = lambda r: r.answer(body=str(len(r.body)))
    with hasty.connect() as c:
        c.send(_upload("http://%s/slow" % HOST, 15))
        for _ in range(15):
            c.send("x")
            going.wait(0.2)
        assert c.read().text == "15"
    assert hasty.site.requests[-1].method == "POST"


def test_pool_outlives_silence(hasty):
    """A connection at rest is bound by the pool's own time."""
    first = hasty.get("http://%s/echo" % HOST).get("X-Connection")
    threading.Event().wait(1.5)
    assert hasty.get("http://%s/echo" % HOST).get("X-Connection") == first


def test_closed_sockets_stay_closed(world):
    """Nothing is left of the above."""
    def is_quiet():
        mine = world.gw.run("ss", "-Htnp", "state", "established").count("proxyd")
        return mine <= 2 * world.status()["pooled"] + 4
    wait_until(is_quiet, "only what is kept")
