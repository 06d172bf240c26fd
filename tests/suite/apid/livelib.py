# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of /ws/live and /ws/stats, and somebody who tells what dnsd and proxyd tell."""
import base64
import contextlib
import json
import os
import pathlib
import socket
import ssl
import tempfile
import time

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import (BytesMessage, CloseConnection, Ping, Pong, TextMessage)

import apidlib
from apidlib import COOKIE, SEED
from support import DEADLINE_S
from support.redis import Redis

SECOND = "another long password"
MUCH = 50  # rows of 4 KB, in one message of the bus


@contextlib.contextmanager
def live_world(mariadb, more):
    """(apid, owner, redis): a phone of group kids and a laptop of none; helen, a helper for kids."""
    with tempfile.TemporaryDirectory(prefix="culvert-") as d:
        os.chmod(d, 0o755)
        mariadb.clear()
        redis = Redis(pathlib.Path(d)).start()
        wgd = apidlib.Wgd(redis)
        apid = apidlib.Apid(pathlib.Path(d), redis, mariadb, SEED)
        apid.write_conf(f"seed_file = {apid.seed_file}\n{more}")
        try:
            apid.start()
            yield apid, made_owner(apid), redis
            apid.stop()
        finally:
            if apid.is_running():
                apid.kill()
            wgd.close()
            redis.stop()


def made_owner(apid):
    """With the devices, the group and helen."""
    owner = apid.owner()
    assert owner.put("/api/v1/groups/kids", {})[0] in (200, 201)
    assert owner.patch("/api/v1/devices/phone", {"group": "kids"})[0] == 200
    assert owner.put("/api/v1/devices/laptop", {"name": "Laptop", "active": True, "tunnel": "mitm",
                                                "addresses": ["10.9.0.3"]})[0] in (200, 201)
    assert owner.post("/api/v1/admins", {"name": "helen", "password": SECOND, "role": "helper",
                                         "groups": ["kids"]})[0] == 201
    return owner


def report(redis, daemon, instance="1", **more):
    """The daemon's status, as it sends it."""
    redis("PUBLISH", f"culvert:status:{daemon}:{instance}", json.dumps({
        "v": 1, "daemon": daemon, "instance": instance, "version": "1.2", "at": int(time.time() * 1000), "uptime_s": 7,
        "state": "running", "applied": {}, "topics": {}, "bus": {"connects": 1}, **more}))


class Refused(Exception):
    """The handshake's answer: status, headers (lower case), body."""

    def __init__(self, status, headers, body):
        super().__init__(f"{status} {body!r}")
        self.status, self.headers, self.body = status, headers, body


class Closed(Exception):
    """By a close frame: code and reason; or without one: None."""

    def __init__(self, code, reason=None):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class Socket:
    """A WebSocket of a logged-in client (or one with a token). headers: more, or None to leave one out."""

    def __init__(self, client, path, headers=None, receive=None):
        self.client = client
        self.sock = self._connect(receive)
        self.sock.settimeout(DEADLINE_S)
        self.key = base64.b64encode(os.urandom(16)).decode()
        host = f"127.0.0.1:{client.port}"
        send = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": self.key,
                "Sec-WebSocket-Version": "13", "Origin": f"https://{host}"}
        if client.cookie:
            send["Cookie"] = f"{COOKIE}={client.cookie}"
        if client.token:
            send["Authorization"] = f"Bearer {client.token}"
        send.update(headers or {})
        lines = [f"GET {path} HTTP/1.1"] + [f"{k}: {v}" for k, v in send.items() if v is not None]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.ws = Connection(ConnectionType.CLIENT)
        self.texts, self.pings = [], 0
        self._read_head()

    def _connect(self, receive):
        raw = socket.socket()
        if receive:  # before the connection stands, else the window is wide already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        raw.settimeout(DEADLINE_S)
        raw.connect(("127.0.0.1", self.client.port))
        context = ssl.create_default_context(cafile=str(self.client.ca))
        return context.wrap_socket(raw, server_hostname="127.0.0.1")

    def _read_head(self):
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            assert more, data
            data += more
        head, rest = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        if self.status != 101:
            length = int(self.headers.get("content-length", 0))
            while len(rest) < length:
                rest += self.sock.recv(65536)
            self.sock.close()
            raise Refused(self.status, self.headers, rest.decode())
        self.ws.receive_data(rest)

    def _take(self):
        """What has come, as events."""
        for event in self.ws.events():
            if isinstance(event, TextMessage):
                self.texts.append((event.data, event.message_finished))
            elif isinstance(event, Ping):
                self.pings += 1
                if self.ws.state is ConnectionState.OPEN:
                    self.sock.sendall(self.ws.send(event.response()))
            elif isinstance(event, CloseConnection):
                raise Closed(event.code, event.reason)
            else:
                assert isinstance(event, (Pong, BytesMessage)), event

    def _whole(self):
        """The first whole message, or None."""
        for i, (_, last) in enumerate(self.texts):
            if last:
                text = "".join(t for t, _ in self.texts[:i + 1])
                del self.texts[:i + 1]
                return json.loads(text)
        return None

    def read(self):
        """The next message."""
        while True:
            self._take()
            message = self._whole()
            if message is not None:
                return message
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise Closed(None)
            self.ws.receive_data(data)

    def until(self, kind):
        """The next message of that type; others are passed over."""
        while True:
            message = self.read()
            if message["type"] == kind:
                return message

    def rows(self, n):
        """The next n rows."""
        out = []
        while len(out) < n:
            out += self.until("rows")["rows"]
        return out

    def closed(self):
        """How it ends: the code."""
        while True:
            try:
                self.read()
            except Closed as end:
                return end.code

    def send(self, message):
        text = message if isinstance(message, str) else json.dumps(message)
        self.sock.sendall(self.ws.send(TextMessage(data=text)))

    def filter(self, **what):
        """Answered: from here on it is in force."""
        self.send({"type": "filter", **what})
        answer = self.read()
        while answer["type"] == "rows":
            answer = self.read()
        return answer

    def raw(self, data):
        self.sock.sendall(data)

    def ping(self):
        self.sock.sendall(self.ws.send(Ping(payload=b"here")))

    def close(self):
        self.sock.close()


def frame(opcode, payload=b"", fin=True, rsv=0, mask=True, length=None):
    """A frame by hand. length: what is said instead of the payload's."""
    length = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += bytes([bit | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + length.to_bytes(8, "big")
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


def tell(redis, daemon, kind, *records):
    """An event of that daemon, as it sends it."""
    return redis("PUBLISH", f"culvert:event:{daemon}:{kind}", json.dumps({"v": 1, "batch": list(records)}))


def query(redis, name, device="phone", verdict="allowed", **more):
    tell(redis, "dnsd", "query", {"device": device, "name": name, "type": "A", "verdict": verdict, **more})


def access(redis, host, device="phone", verdict="allow", **more):
    tell(redis, "proxyd", "access", {"device": device, "host": host, "method": "GET", "verdict": verdict,
                                     "status": 200, "bytes": 10, "ms": 3, **more})


def tell_much(redis, reader):
    """More than a socket takes at once; reader has read it."""
    record = {"device": "phone", "host": "much.example", "method": "GET", "verdict": "allow", "url": "u" * 4000}
    tell(redis, "proxyd", "access", *[record] * MUCH)
    reader.rows(MUCH)
