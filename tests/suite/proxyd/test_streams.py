# SPDX-License-Identifier: GPL-3.0-or-later
"""What flows for long: WebSocket, big bodies both ways at flat memory, slow ends (SPEC P1, P17).

CULVERT_TRANSFER_MIB sets how much is sent each way (1024 shows the gibibyte).
"""
import hashlib
import os
import socket
import threading

import pytest
from proxylib import DEADLINE_S
from websocket_origin import echo
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request as Handshake, TextMessage
from wsproto.extensions import PerMessageDeflate

HOST = "allowed.example"
MIB = int(os.environ.get("CULVERT_TRANSFER_MIB", "64"))
PIECE = os.urandom(1 << 20)
FLAT_KIB = 8 * 1024


# ---- WebSocket ----

class Socket:
    """A client's end."""

    def __init__(self, c, target, extensions=()):
        self.c, self.ws = c, WSConnection(ConnectionType.CLIENT)
        hello = self.ws.send(Handshake(host=HOST, target="/socket", extensions=[e() for e in extensions]))
        c.send(hello.replace(b"GET /socket", b"GET " + target.encode() + b"/socket", 1))
        self.queue = []
        event = self.next()
        assert isinstance(event, AcceptConnection), event
        self.extensions = event.extensions

    def send(self, event):
        self.c.send(self.ws.send(event))

    def next(self):
        while not self.queue:
            self.ws.receive_data(self.c.file.read1(65536) or None)
            self.queue += self.ws.events()
        return self.queue.pop(0)

    def message(self):
        data = None
        while True:
            event = self.next()
            data = event.data if data is None else data + event.data
            if event.message_finished:
                return data


@pytest.mark.parametrize("extensions", [[], [PerMessageDeflate]], ids=["plain", "deflated"])
def test_websocket_echoes(client, extensions):
    """Text, binary, in fragments, ping; the farewell comes back, and the connection ends."""
    c, origin, at = client
    origin.routes["/socket"] = echo(extensions)
    ws = Socket(c, at, extensions)
    assert len(ws.extensions) == len(extensions)
    for i in range(20):
        ws.send(TextMessage(data="message %d ✓" % i))
        assert ws.message() == "message %d ✓" % i
    big = bytearray(os.urandom(300000))
    ws.send(BytesMessage(data=bytes(big[:100000]), message_finished=False))
    ws.send(BytesMessage(data=bytes(big[100000:])))
    assert ws.message() == big
    ws.send(Ping(payload=b"there?"))
    pong = ws.next()
    assert isinstance(pong, Pong) and pong.payload == b"there?"
    ws.send(CloseConnection(code=1000, reason="enough"))
    end = ws.next()
    assert isinstance(end, CloseConnection) and end.reason == "enough"
    assert c.is_closed()


def test_websocket_is_asked_for_as_it_was(client):
    """Hop-by-hop headers are the proxy's own; the rest of the handshake is the browser's."""
    c, origin, at = client
    origin.routes["/socket"] = echo()
    Socket(c, at)
    headers = {k.lower(): v for k, v in origin.requests[-1].headers} if origin.requests else {}
    assert headers["upgrade"].lower() == "websocket" and headers["connection"] == "Upgrade"
    assert headers["sec-websocket-version"] == "13" and headers["host"] == HOST


def test_websocket_from_the_server_first(client):
    """What the origin sends right behind its 101 is not lost."""
    c, origin, at = client

    def eager(r):
        r.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05first")
        r.conn.settimeout(DEADLINE_S)
        return r.file.read(1) == b"never"
    origin.routes["/eager"] = eager
    c.send("GET %s/eager HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" % (at, HOST))
    assert c.read_head().status == 101
    assert c.file.read(7) == b"\x81\x05first"


# ---- big bodies ----

def _send_big(r):
    r.send("HTTP/1.1 200 Fine\r\nContent-Length: %d\r\n\r\n" % (MIB << 20))
    for _ in range(MIB):
        r.conn.sendall(PIECE)


def _take_big(r):
    digest, got = hashlib.sha256(), 0
    while got < MIB << 20:
        piece = r.file.read1(1 << 20)
        digest.update(piece)
        got += len(piece)
    r.answer(body=digest.hexdigest())


_take_big.early = True


def _digest():
    digest = hashlib.sha256()
    for _ in range(MIB):
        digest.update(PIECE)
    return digest.hexdigest()


def test_big_download_at_flat_memory(world, client):
    c, origin, at = client
    origin.routes["/down"] = _send_big
    c.send("GET %s/down HTTP/1.1\r\nHost: %s\r\n\r\n" % (at, HOST))
    assert c.read_head().status == 200
    before = peak = world.rss_kib()
    digest, got = hashlib.sha256(), 0
    while got < MIB << 20:
        piece = c.file.read(1 << 20)
        digest.update(piece)
        got += len(piece)
        peak = max(peak, world.rss_kib())
    assert digest.hexdigest() == _digest()
    print("download of %d MiB: %d KiB more" % (MIB, peak - before))
    assert peak - before < FLAT_KIB
    assert c.ask("GET", at + "/echo", HOST).status == 200


def test_big_upload_at_flat_memory(world, client):
    c, origin, at = client
    origin.routes["/up"] = _take_big
    c.send("POST %s/up HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n" % (at, HOST, MIB << 20))
    before = peak = world.rss_kib()
    for _ in range(MIB):
        c.send(PIECE)
        peak = max(peak, world.rss_kib())
    assert c.read().text == _digest()
    print("upload of %d MiB: %d KiB more" % (MIB, peak - before))
    assert peak - before < FLAT_KIB


def test_big_upload_in_chunks(client):
    c, origin, at = client

    def take(r):
        digest = hashlib.sha256()
        while size := int(r.file.readline(), 16):
            digest.update(r.file.read(size))
            r.file.readline()
        r.file.readline()
        r.answer(body=digest.hexdigest())
    take.early = True
    origin.routes["/chunks"] = take
    c.send("POST %s/chunks HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % (at, HOST))
    want = hashlib.sha256()
    for i in range(1, 400):
        piece = PIECE[:i * 37]
        want.update(piece)
        c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    c.send("0\r\n\r\n")
    assert c.read().text == want.hexdigest()


def test_origin_that_takes_nothing_holds_the_client_back(world, client):
    """Slow writer, the other way round: what the origin does not take is not read."""
    c, origin, at = client
    going = threading.Event()

    def stubborn(r):
        going.wait(DEADLINE_S)
        return False
    stubborn.early = True
    origin.routes["/stubborn"] = stubborn
    before = world.rss_kib()
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    c.socket.settimeout(1)
    sent = 0
    try:
        c.send("POST %s/stubborn HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n" % (at, HOST, 1 << 30))
        while sent < 512:
            c.send(PIECE)
            sent += 1
    except TimeoutError:
        pass
    finally:
        held = world.rss_kib() - before
        going.set()
    assert sent < 64
    assert held < FLAT_KIB


def test_many_slow_readers_are_bounded(world):
    """Each has at most its buffers, however much waits for it."""
    def flood(r):
        try:
            _send_big(r)
        except OSError:
            return False
        return True
    world.site.routes["/flood"] = world.secure.routes["/flood"] = flood
    before = world.rss_kib()
    conns = [world.secure_to(HOST) if i % 2 else world.connect() for i in range(40)]
    try:
        for i, c in enumerate(conns):
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.send("GET %s/flood HTTP/1.1\r\nHost: %s\r\n\r\n" % ("" if i % 2 else "http://" + HOST, HOST))
        for c in conns:
            assert c.read_head().status == 200
        threading.Event().wait(0.5)
        assert world.rss_kib() - before < 40 * 1024
    finally:
        for c in conns:
            c.close()
