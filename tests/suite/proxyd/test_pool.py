# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to web servers that are kept for the next request, and what is never shared (issue: pools)."""
import concurrent.futures
import json
import socket
import threading

import pytest
from proxylib import DEADLINE_S, SITE
from support.wait import wait_until


def _number(answer):
    return json.loads(answer.text)["number"]


def _ask(world, host="s1.test.example", who="internet", **more):
    """Over a connection of its own: the number of the origin's."""
    return _number(world.get_secure("https://%s/echo" % host, who=who, **more))


@pytest.fixture(autouse=True)
def fresh(world):
    """None is kept from before."""
    def is_empty():
        world.secure.hang_up()
        world.site.hang_up()
        return world.status()["pooled"] == 0
    wait_until(is_empty, "an empty pool")


def test_next_client_connection_uses_the_kept_one(world):
    assert _ask(world) == _ask(world) == _ask(world)
    assert _number(world.get("http://s1.test.example/echo")) == _number(world.get("http://s1.test.example/echo"))


def test_kept_one_is_for_its_scheme_host_and_port(world):
    assert _ask(world) != _ask(world, "s2.test.example")
    plain = world.site.connections
    world.get("http://s1.test.example/echo")
    assert world.site.connections == plain + 1


def test_another_device_uses_it_where_its_profile_lets_it(world):
    assert _ask(world) == _ask(world, who="full")
    assert world.get_secure("https://s1.test.example/echo", who="intranet").status == 403


def test_the_last_one_put_in_is_the_first_taken_out(world):
    gate = threading.Barrier(2, timeout=DEADLINE_S)

    def together(r):
        gate.wait()
        r.answer(body=json.dumps({"number": r.number}))
    world.secure.routes["/together"] = together
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        two = list(pool.map(lambda _: _number(world.get_secure("https://s1.test.example/together")), range(2)))
    assert len(set(two)) == 2
    assert len({_ask(world) for _ in range(5)}) == 1


def test_connection_that_the_origin_closed_is_not_used(world):
    for _ in range(20):
        _ask(world)
        world.secure.hang_up()
        assert world.get_secure("https://s1.test.example/echo", method="POST", body=b"once").status == 200


def test_connection_that_the_origin_will_close_is_not_kept(world):
    def last(r):
        r.send("HTTP/1.1 200 Fine\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        r.conn.settimeout(DEADLINE_S)
        assert r.conn.recv(1) == b""
        return False
    world.secure.routes["/last"] = last
    assert world.get_secure("https://s1.test.example/last").body == b"ok"
    wait_until(lambda: world.status()["pooled"] == 0, "nothing kept")


def test_request_with_a_body_is_sent_once(world):
    """The origin takes a POST on a kept connection and hangs up: nobody knows whether it was carried out."""
    calls = []

    def leave(r):
        calls.append(r)
        return False
    world.secure.routes["/leave"] = leave
    for method, body, times in (("POST", b"x", 1), ("PUT", b"x", 1), ("POST", b"", 1), ("DELETE", None, 2), ("GET", None, 2)):
        _ask(world)
        calls.clear()
        r = world.get_secure("https://s1.test.example/leave", method=method, body=body)
        assert r.status == 502
        assert len(calls) == times, method


def test_answer_that_began_is_not_asked_for_again(world):
    calls = []

    def half(r):
        calls.append(r)
        r.send("HTTP/1.1 200 Fi")
        return False
    world.secure.routes["/half"] = half
    _ask(world)
    assert world.get_secure("https://s1.test.example/half").status == 502
    assert len(calls) == 1


def test_bytes_that_nobody_asked_for_end_a_kept_connection(world):
    """An answer ahead of its question is nobody's."""
    def ahead(r):
        r.conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        r.answer(body="first")
        r.send("HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\nother")
        r.conn.settimeout(DEADLINE_S)
        try:
            assert r.conn.recv(1) == b""
        finally:
            closed.set()
        return False
    closed = threading.Event()
    world.secure.routes["/ahead"] = world.site.routes["/ahead"] = ahead
    for url in ("https://s1.test.example/", "http://s1.test.example/"):
        get = world.get_secure if url.startswith("https") else world.get
        for _ in range(10):
            closed.clear()
            assert get(url + "ahead").body == b"first"
            assert closed.wait(DEADLINE_S)
            assert get(url).text == "<p>This is s1.test.example"


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_connection_that_knows_its_client_is_that_clients(world, scheme):
    """Authentication of the connection: nobody else gets it, and the client keeps it."""
    def login(r):
        if (r.get("Authorization") or "").startswith(scheme):
            r.answer(headers=[("X-User", "somebody")], body=json.dumps({"number": r.number}))
        else:
            r.answer(401, [("WWW-Authenticate", scheme)], json.dumps({"number": r.number}))
    world.secure.routes["/login"] = login
    with world.secure_to("s1.test.example") as c:
        first = c.ask("GET", "/login", "s1.test.example")
        assert first.status == 401
        assert _ask(world) != _number(first)
        again = c.ask("GET", "/login", "s1.test.example", [("Authorization", scheme + " x")])
        assert again.status == 200 and _number(again) == _number(first)
        assert _number(c.ask("POST", "/echo", "s1.test.example", body=b"x")) == _number(first)
        assert _ask(world) != _number(first)


def test_upgraded_connections_are_never_kept(world):
    def no(r):
        r.answer(400, body=json.dumps({"number": r.number}))
    world.secure.routes["/no"] = no
    before = _ask(world)
    with world.secure_to("s1.test.example") as c:
        r = c.ask("GET", "/no", "s1.test.example", [("Connection", "Upgrade"), ("Upgrade", "websocket")])
        assert r.status == 400 and _number(r) != before
    assert _ask(world) == before


def test_pool_is_bounded(new_world):
    w = new_world
    w.proxyd.stop()
    w.conf.write_text(w.conf.read_text() + "pool_max = 8\n")
    w.start_proxyd()
    for i in range(30):
        _ask(w, "s%d.test.example" % i)
    # A device has a quarter of all.
    wait_until(lambda: w.status()["pooled"] == 2, "two connections kept")
    wait_until(lambda: len([c for c in w.secure.open]) <= 2, "the others closed")
    for who in ("full", "passing"):
        for i in range(4):
            _ask(w, "s%d.test.example" % i, who)
    assert 2 <= w.status()["pooled"] <= 8
    w.proxyd.stop()
    w.conf.write_text(w.conf.read_text().replace("pool_max = 8", "pool_max = 0"))
    w.start_proxyd()
    assert _ask(w) != _ask(w)


def test_address_of_a_kept_connection_is_judged_again(new_world):
    """P15: a prefix becomes the LAN's, and what is kept to it is used no more."""
    w = new_world
    assert w.get("http://s1.test.example/echo").status == 200
    w.change("settings", {"id": "lan_prefixes", "value": [SITE + "/32"]})
    assert w.get("http://s1.test.example/echo").status == 403
    w.change("settings", {"id": "rebind_exceptions", "value": ["s1.test.example"]})
    assert w.get("http://s1.test.example/echo").status == 403
    assert w.get("http://s1.test.example/echo", who="full").status == 200
