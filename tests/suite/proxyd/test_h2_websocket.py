# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket over HTTP/2 (RFC 8441) towards clients: extended CONNECT becomes an upgrade of HTTP/1.1 at the server."""
import base64
import hashlib
import os
import threading

import pytest
from h2lib import Answer, Client
from proxylib import DEADLINE_S
from websocket_origin import echo

HOST = "allowed.example"
# A final text frame of a client, masked by zeros.
HELLO, BACK = b"\x81\x85\0\0\0\0hello", b"\x81\x05hello"


@pytest.fixture(name="client")
def fixture_client(world):
    world.secure.routes["/socket"] = echo()
    with Client(world) as c:
        c.until(lambda: c.h2.remote_settings.enable_connect_protocol)
        yield c


def open_socket(c, path="/socket", headers=(("sec-websocket-version", "13"),), protocol="websocket", authority=HOST):
    """A stream that asks for it, as browsers do (python3-h2 wants the path told of any method)."""
    n = c.h2.get_next_available_stream_id()
    c.h2.send_headers(n, [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "https"),
                          (":authority", authority), (":path", path), *headers])
    c.answers[n] = Answer()
    c.flush()
    c.until(lambda: c.answers[n].headers or c.answers[n].reset is not None)
    return n


def say(c, n, data):
    c.write(n, data, ends=False)


def unframe(text):
    """The payloads of a server's frames that are whole."""
    out = b""
    while len(text) >= 2:
        size, at = text[1], 2
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(text[2:at], "big")
        out += text[at:at + size]
        text = text[at + size:]
    return out


def test_messages_go_both_ways(world, client):
    n = open_socket(client, headers=[("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat"),
                                     ("origin", "https://allowed.example")])
    answer = client.answers[n]
    assert answer.status == 200 and answer.get("sec-websocket-accept") is None and answer.get("upgrade") is None
    seen = {k.lower(): v for k, v in world.secure.requests[-1].headers}
    assert seen["upgrade"] == "websocket" and seen["connection"] == "Upgrade" and seen["host"] == HOST
    assert len(seen["sec-websocket-key"]) == 24 and seen["sec-websocket-protocol"] == "chat"
    for i in range(20):
        say(client, n, HELLO)
        client.until(lambda i=i: len(answer.body) == len(BACK) * (i + 1))
    assert answer.body == BACK * 20


def test_sockets_and_requests_share_a_connection(world, client):
    streams = [open_socket(client) for _ in range(5)]
    for n in streams:
        say(client, n, HELLO)
    assert client.get("/").status == 200
    for n in streams:
        client.until(lambda n=n: client.answers[n].body == BACK)


def test_big_message_comes_back(client):
    n = open_socket(client)
    data = os.urandom(200000)
    say(client, n, b"\x82\xff" + len(data).to_bytes(8, "big") + b"\0\0\0\0" + data)
    client.until(lambda: unframe(client.answers[n].body) == data)


def test_end_of_the_client_is_one_at_the_server(world, client):
    gone = threading.Event()

    def wait(r):
        echo_once = echo()
        try:
            echo_once(r)
        finally:  # by an end or by a reset
            gone.set()
        return False
    world.secure.routes["/wait"] = wait
    n = open_socket(client, "/wait")
    client.h2.reset_stream(n, 8)
    client.flush()
    assert gone.wait(DEADLINE_S)
    assert client.get("/").status == 200


def test_end_of_the_server_is_one_at_the_client(world, client):
    n = open_socket(client)
    say(client, n, b"\x88\x82\0\0\0\0\x03\xe8")  # close, 1000
    answer = client.wait(n)
    assert answer.is_ended and answer.body.startswith(b"\x88")


def test_refusal_is_passed_on(world, client):
    world.secure.routes["/no"] = lambda r: r.send(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    n = open_socket(client, "/no")
    answer = client.wait(n)
    assert answer.status == 403 and answer.body == b"no"


def test_server_that_does_not_know_the_key_is_no_websocket(world, client):
    world.secure.routes["/fake"] = lambda r: r.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n")
    n = open_socket(client, "/fake")
    assert client.answers[n].status == 502


def test_other_protocols_and_other_hosts_are_refused(client):
    assert client.answers[open_socket(client, protocol="connect-udp")].status == 501
    assert client.answers[open_socket(client, authority="www.allowed.example")].status == 421
    assert client.get("/").status == 200


def test_blocked_site_has_no_socket(world):
    with Client(world, "blocked.example") as c:
        assert c.answers[open_socket(c, authority="blocked.example")].status == 451


def test_socket_ends_when_its_site_is_blocked(world):
    """F9."""
    world.secure.routes["/socket"] = echo()
    with Client(world, "s9.test.example") as c:
        n = open_socket(c, authority="s9.test.example")
        say(c, n, HELLO)
        c.until(lambda: c.answers[n].body == BACK)
        world.change("websites", world.website("s9.test.example", "gambling", "exact"))
        assert c.wait(n).reset is not None


def test_client_that_does_not_read_holds_the_server_back(world):
    size = 64 << 20
    sent = []

    def flood(r):
        accept = base64.b64encode(hashlib.sha1((r.get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
                                               .encode()).digest()).decode()
        r.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Accept: %s\r\n\r\n" % accept)
        for _ in range(size >> 20):
            r.send(bytes(1 << 20))
            sent.append(1)
        return False
    world.secure.routes["/flood"] = flood
    with Client(world, windows=False) as c:
        c.h2.increment_flow_control_window(1 << 28)  # the connection's
        n = open_socket(c, "/flood")
        c.until(lambda: len(c.answers[n].body) == 65535)
        before = world.rss_kib()
        assert c.get("/").status == 200
        assert len(sent) < size >> 21 and world.rss_kib() - before < 8 * 1024
