# SPDX-License-Identifier: GPL-3.0-or-later
"""What is open when policy forbids it is cut at once (SPEC F9)."""
import base64
import hashlib
import socket
import time

import interceptlib as lib
import pytest
from interceptlib import RAW, RAW_NAME
from proxylib import DEVICES, SITE, Late
from support.wait import wait_until

# The requirement; MARGIN is for a machine that has other things to do.
SECONDS, MARGIN = 1, 10


@pytest.fixture(scope="module", name="net")
def _net(world):
    lib.redirect(world)
    world.change("websites", world.website(RAW_NAME, "education"))
    return world


@pytest.fixture(scope="module", name="raw")
def _raw(net):
    with lib.Raw(net) as raw:
        yield raw


def override(action, **more):
    return {"id": "cut", "device": "internet", "pattern": RAW_NAME, "match": "endswith", "action": action, **more}


def change(topic, record):
    return lambda n: (topic, n.set(topic, record(n)))


def replace(topic, records):
    return lambda n: (topic, n.publish(topic, records(n)))


_known = change("devices", lambda n: n.device("internet"))
# What forbids it, and what makes good again: net → (topic, generation).
CHANGES = {
    "a name that is blocked everywhere": (
        change("sni_block", lambda n: {"id": "x", "domain": RAW_NAME}), replace("sni_block", lambda n: [])),
    "an inactive device": (change("devices", lambda n: n.device("internet", active=False)), _known),
    "another profile": (change("devices", lambda n: n.device("internet", profile="intranet")), _known),
    "a device that is gone": (
        replace("devices", lambda n: [n.device(d) for d in DEVICES if d != "internet"]), _known),
    "another device that has its address": (
        replace("devices", lambda n: [dict(n.device(d), id="next" if d == "internet" else d) for d in DEVICES]),
        replace("devices", lambda n: [n.device(d) for d in DEVICES])),
    "offline": (
        change("device_prefs", lambda n: {"id": "device:internet", "offline_vpn": True, "offline_browser": True}),
        change("device_prefs", lambda n: {"id": "device:internet"})),
}


def is_cut(sock):
    """Reset, or closed."""
    sock.settimeout(SECONDS * MARGIN)
    try:
        while sock.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_cuts_a_live_splice(net, raw, what):
    c, server = lib.open_raw(net, raw)
    forbid, allow = CHANGES[what]
    try:
        forbid(net)
        assert is_cut(c.socket)
        assert is_cut(server)
    finally:
        net.wait_applied(*allow(net))
        c.close()
        server.close()
    c, server = lib.open_raw(net, raw)
    c.close()
    server.close()


def test_what_is_still_allowed_goes_on(net, raw):
    c, server = lib.open_raw(net, raw)
    net.change("sni_block", {"id": "x", "domain": "other.example"})
    net.change("device_prefs", {"id": "device:full", "offline_vpn": True, "offline_browser": True})
    net.change("device_prefs", {"id": "device:full"})
    c.send(b"still")
    assert lib.read_exactly(server, 5) == b"still"
    c.close()
    server.close()
    net.wait_applied("sni_block", net.publish("sni_block", []))


def test_an_unblocking_that_ends_cuts(net, raw):
    """Nothing on the bus changes then: time alone."""
    net.change("sni_block", {"id": "x", "domain": "unrelated.example"})
    net.change("devices", net.device("internet", site_scope="all"))
    net.change("websites", net.website(RAW_NAME, "gambling"))
    try:
        net.change("site_overrides", override("allow", until=int(time.time() * 1000) + 600000))
        c, server = lib.open_raw(net, raw)
        net.change("site_overrides", override("allow", until=int(time.time() * 1000) + 1500))
        assert is_cut(c.socket)
        c.close()
        server.close()
    finally:
        net.change("websites", net.website(RAW_NAME, "education"))
        net.wait_applied("site_overrides", net.publish("site_overrides", []))
        net.change("devices", net.device("internet"))


def forever(request):
    """Chunks until the other side is gone."""
    request.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        request.send("5\r\nagain\r\n")
        time.sleep(0.05)


def flood(request):
    """As much as is taken."""
    request.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        request.send("x" * 65536)


def unsent(net, c):
    """Bytes for the client that wait in the gateway's kernel."""
    port = c.socket.getsockname()[1]
    rows = net.gw.run("ss", "-Htn", "dport", "=", ":%d" % port).split()
    return int(rows[2]) if rows else 0


def silent(request):
    """No answer before the test is over."""
    request.origin.stops.wait(60)
    return False


@pytest.mark.parametrize("kind", ["plain", "decrypted", "intercepted"])
def test_a_download_that_runs_is_cut(net, kind):
    name = "s5.test.example"
    for origin in (net.site, net.secure):
        origin.routes["/forever"] = forever
    if kind == "decrypted":
        c = net.secure_to(name)
    else:
        c = net.connect() if kind == "plain" else lib.connect(net, to=SITE, port=80)
    target = "http://%s/forever" % name if kind == "plain" else "/forever"
    c.send("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, name))
    r = c.read_head()
    assert r.status == 200 and c.read_chunk() == b"again"
    net.set("sni_block", {"id": "x", "domain": name})
    try:
        with pytest.raises((EOFError, OSError, ValueError)):
            while True:
                assert c.read_chunk() == b"again"
        c.close()
    finally:
        net.wait_applied("sni_block", net.publish("sni_block", []))


@pytest.mark.parametrize("kind", ["plain", "decrypted", "tunnel"])
def test_what_is_open_is_not_inherited_with_the_address(net, raw, kind):
    """Another device has it from now on, with the same policy; what comes is not for it."""
    name = "s5.test.example"
    forbid, allow = CHANGES["another device that has its address"]
    net.site.routes["/forever"] = net.secure.routes["/forever"] = forever
    if kind == "tunnel":
        net.change("websites", net.website(RAW_NAME, "banking"))
        c, _ = net.tunnel(RAW_NAME + ":443")
        c.send(lib.hello(lib.sni(RAW_NAME)))
        server = raw.accept()
        assert server.recv(5)
    else:
        c = net.secure_to(name) if kind == "decrypted" else net.connect()
        target = "http://%s/forever" % name if kind == "plain" else "/forever"
        c.send("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, name))
        assert c.read_head().status == 200 and c.read_chunk() == b"again"
    forbid(net)
    try:
        if kind == "tunnel":
            assert is_cut(c.socket) and is_cut(server)
            server.close()
        else:
            with pytest.raises((EOFError, OSError, ValueError)):
                for _ in range(SECONDS * MARGIN * 20):
                    assert c.read_chunk() == b"again"
        c.close()
    finally:
        net.wait_applied(*allow(net))
        net.change("websites", net.website(RAW_NAME, "education"))


def test_what_a_slow_reader_has_not_taken_yet_does_not_come_any_more(net):
    """It waits in the gateway's kernel, hundreds of kilobytes where the reader was quick before."""
    name = "s9.test.example"
    net.site.routes["/flood"] = flood
    c = net.connect()
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.send("GET http://%s/flood HTTP/1.1\r\nHost: %s\r\n\r\n" % (name, name))
    assert c.read_head().status == 200
    wait_until(lambda: unsent(net, c) > 10000, "full buffers")
    net.set("sni_block", {"id": "x", "domain": name})
    try:
        wait_until(lambda: unsent(net, c) == 0, "nothing waits any more")
        with pytest.raises(ConnectionResetError):
            while c.socket.recv(65536):
                pass
        c.close()
    finally:
        net.wait_applied("sni_block", net.publish("sni_block", []))


def test_a_request_that_waits_gets_the_block_page(net):
    net.site.routes["/silent"] = silent
    with net.connect() as c:
        c.send("GET http://s6.test.example/silent HTTP/1.1\r\nHost: s6.test.example\r\n\r\n")
        wait_until(lambda: any(r.target == "/silent" for r in net.site.requests), "asked")
        net.set("sni_block", {"id": "x", "domain": "s6.test.example"})
        try:
            assert c.read().status == 451
        finally:
            net.wait_applied("sni_block", net.publish("sni_block", []))


def test_a_tunnel_that_is_not_decrypted_is_cut(net, raw):
    net.change("websites", net.website(RAW_NAME, "banking"))
    try:
        c, r = net.tunnel(RAW_NAME + ":443")
        assert r.status == 200
        c.send(lib.hello(lib.sni(RAW_NAME)))
        with raw.accept() as server:
            assert server.recv(5)
            net.change("websites", net.website(RAW_NAME, "education"))  # to be decrypted now
            assert is_cut(c.socket)
            assert is_cut(server)
        c.close()
    finally:
        net.change("websites", net.website(RAW_NAME, "education"))


def test_a_tunnel_that_is_blocked_while_it_is_connected_comes_to_nothing(net, raw):
    """It was connected all the same, and had what it asked for until the next look at all flows."""
    name = "late." + RAW_NAME
    address = net.dns.names[name] = Late(RAW)
    net.change("websites", net.website(name, "banking"))
    try:
        with net.connect() as c:
            c.send("CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n" % (name, name))
            wait_until(lambda: name in net.dns.asked, "its address is asked for")
            net.change("sni_block", {"id": "x", "domain": name})
            address.told.set()
            assert c.read().status in (451, 504)  # or it had given up the name already
        assert raw.nobody_came()
    finally:
        address.told.set()
        net.wait_applied("sni_block", net.publish("sni_block", []))


def test_many_flows_are_cut_and_the_rest_goes_on(net, raw):
    """300 of two devices; one of them is switched off."""
    pairs = {who: [lib.open_raw(net, raw, who=who) for _ in range(150)] for who in ("internet", "full")}
    began = time.monotonic()
    net.set("device_prefs", {"id": "device:internet", "offline_vpn": True, "offline_browser": True})
    try:
        for c, _ in pairs["internet"]:
            assert is_cut(c.socket)
        assert time.monotonic() - began < SECONDS * MARGIN
        for c, server in pairs["full"]:
            c.send(b"on")
            assert lib.read_exactly(server, 2) == b"on"
    finally:
        net.change("device_prefs", {"id": "device:internet"})
        for both in pairs.values():
            for c, server in both:
                c.close()
                server.close()


def echo(request):
    key = request.get("Sec-WebSocket-Key")
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
    request.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n\r\n" % accept.decode())
    while data := request.file.read1(1024):
        request.send(data)
    return False


def open_socket(net, c, name, *headers):
    net.secure.routes["/ws"] = echo
    c.send("GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
           % (name, "".join(h + "\r\n" for h in headers)))
    assert c.read_head().status == 101
    say(c)


def say(c):
    c.send(b"ping")
    assert c.file.read(4) == b"ping"


def test_websocket_is_cut(net):
    with net.secure_to("s7.test.example") as c:
        open_socket(net, c, "s7.test.example")
        net.set("sni_block", {"id": "x", "domain": "s7.test.example"})
        try:
            assert c.is_closed(SECONDS * MARGIN)
        finally:
            net.wait_applied("sni_block", net.publish("sni_block", []))


def test_a_websocket_that_a_site_needs_lives_as_long_as_that(net):
    """P5: it was judged again as if no page had asked for it, and cut within a second."""
    site = net.website("allowed.example", "education")
    net.change("websites", {**site, "needs": ["unknown.example"]})
    with net.secure_to("unknown.example") as c:
        try:
            open_socket(net, c, "unknown.example", "Origin: https://allowed.example")
            net.change("sni_block", {"id": "x", "domain": "other.example"})
            net.change("sni_block", {"id": "x", "domain": "another.example"})
            say(c)
        finally:
            net.change("websites", site)
            net.wait_applied("sni_block", net.publish("sni_block", []))
        assert c.is_closed(SECONDS * MARGIN)
