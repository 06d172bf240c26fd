#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many devices in one program: each with a key, a handshake and a session of WireGuard's own (its paper, section 5),
asking DNS and sending datagrams through the tunnel. What to do comes as JSON in stdin's first line:

	{"server": KEY, "endpoint": [ADDRESS, PORT], "devices": [{"private": KEY, "address": "10.9.4.1"}, …],
	 "rate": questions a second, "listed": NAME, "allowed": NAME, "real": ADDRESS, "churn": handshakes a second}

Names get a label of their own in front. One line a second says what has been seen since the start.
"""
import base64
import hashlib
import hmac
import json
import random
import select
import socket
import struct
import sys
import time

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
SESSION_S, RETRY_S, ANSWER_S = 100, 5, 5
GATEWAY = socket.inet_aton("10.9.0.1")


def digest(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def derive(n, key, data):
    secret = hmac.digest(key, data, "blake2s")
    made, last = [], b""
    for i in range(1, n + 1):
        last = hmac.digest(secret, last + bytes([i]), "blake2s")
        made.append(last)
    return made


def seal(key, counter, data, more):
    return ChaCha20Poly1305(key).encrypt(struct.pack("<IQ", 0, counter), data, more)


def unseal(key, counter, data, more):
    return ChaCha20Poly1305(key).decrypt(struct.pack("<IQ", 0, counter), data, more)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Device:
    def __init__(self, number, server, private, address):
        self.number, self.server = number, server
        self.private = X25519PrivateKey.from_private_bytes(base64.b64decode(private))
        self.public = _raw(self.private.public_key())
        self.address = socket.inet_aton(address)
        self.ephemeral = None  # of the handshake that waits for its answer
        self.session = None  # (peer's index, key to send, key to receive)
        self.counter = 0
        self.began = self.made = -1e9

    def initiation(self, now):
        """5.4.2; the one before is forgotten."""
        self.began = now
        self.ephemeral = X25519PrivateKey.generate()
        public, server = _raw(self.ephemeral.public_key()), X25519PublicKey.from_public_bytes(self.server)
        chain = digest(CONSTRUCTION)
        h = digest(digest(chain, IDENTIFIER), self.server)
        chain, h = derive(1, chain, public)[0], digest(h, public)
        chain, key = derive(2, chain, self.ephemeral.exchange(server))
        static = seal(key, 0, self.public, h)
        h = digest(h, static)
        chain, key = derive(2, chain, self.private.exchange(server))
        wall = time.time()
        stamp = seal(key, 0, struct.pack(">QI", (1 << 62) + 10 + int(wall), int(wall % 1 * 1e9)), h)
        self.chain, self.hash = chain, digest(h, stamp)
        message = struct.pack("<II", INITIATION, self.number) + public + static + stamp
        mac = hashlib.blake2s(message, digest_size=16, key=digest(b"mac1----", self.server)).digest()
        return message + mac + bytes(16)

    def take_response(self, message, now):
        """5.4.3; an InvalidTag when it is not for what was begun. One that comes twice would begin the session anew."""
        if not self.ephemeral:
            return False
        peer, = struct.unpack("<I", message[4:8])
        public = message[12:44]
        theirs = X25519PublicKey.from_public_bytes(public)
        chain, h = derive(1, self.chain, public)[0], digest(self.hash, public)
        chain = derive(1, chain, self.ephemeral.exchange(theirs))[0]
        chain = derive(1, chain, self.private.exchange(theirs))[0]
        chain, more, key = derive(3, chain, bytes(32))
        h = digest(h, more)
        unseal(key, 0, message[44:60], h)
        send, receive = derive(2, chain, b"")
        self.session, self.counter, self.made, self.ephemeral = (peer, send, receive), 0, now, None
        return True

    def data(self, packet):
        peer, key, _ = self.session
        packet += bytes(-len(packet) % 16)
        message = struct.pack("<IIQ", DATA, peer, self.counter) + seal(key, self.counter, packet, b"")
        self.counter += 1
        return message

    def udp(self, target, port, own_port, payload):
        udp = struct.pack(">HHHH", own_port, port, 8 + len(payload), 0) + payload
        total = checksum(self.address + target + struct.pack(">HH", 17, len(udp)) + udp) or 0xFFFF
        udp = udp[:6] + struct.pack(">H", total) + udp[8:]
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + self.address + target
        return self.data(head[:10] + struct.pack(">H", checksum(head)) + head[12:] + udp)


def _raw(key):
    from cryptography.hazmat.primitives import serialization as s  # pylint: disable=import-outside-toplevel
    return key.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)


def question(number, name):
    wire = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    for label in name.split("."):
        wire += bytes([len(label)]) + label.encode()
    return wire + b"\0\0\1\0\1"


class Crowd:
    def __init__(self, task):
        self.task = task
        server = base64.b64decode(task["server"])
        self.devices = [Device(n, server, **d) for n, d in enumerate(task["devices"])]
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.connect(tuple(task["endpoint"]))
        self.socket.setblocking(False)
        self.real = socket.inet_aton(task["real"])
        self.waiting = {}  # (device, id) → (is it listed?, when asked)
        self.serial = 0
        self.seen = dict.fromkeys(("handshakes", "asked", "blocked", "allowed", "leaks", "refused", "lost", "sent"), 0)
        self.slowest_ms = 0.0

    def send(self, message):
        try:
            self.socket.send(message)
        except OSError:
            pass  # no route or no room for a moment: as lost on the way

    def act(self, device, now):
        """Its next question, or a handshake when it has no session."""
        if now - device.made > SESSION_S:
            if now - device.began > RETRY_S:
                self.send(device.initiation(now))
            return
        self.serial += 1
        number, listed = self.serial & 0xFFFF, random.random() < 0.5
        name = "c%d.%s" % (self.serial % 5000, self.task["listed" if listed else "allowed"])
        self.waiting[device.number, number] = (listed, now)
        self.send(device.udp(GATEWAY, 53, 1024 + number % 60000, question(number, name)))
        self.seen["asked"] += 1
        if self.serial % 5 == 0:  # something for the firewall to forward
            self.send(device.udp(self.real, 4433, 1024 + number % 60000, b"?" * 64))
            self.seen["sent"] += 1

    def take(self, now):
        while True:
            try:
                message = self.socket.recv(4096)
            except OSError:
                return
            kind, = struct.unpack("<I", message[:4])
            number, = struct.unpack("<I", message[8:12] if kind == RESPONSE else message[4:8])
            if number >= len(self.devices):
                continue
            device = self.devices[number]
            try:
                if kind == RESPONSE:
                    self.seen["handshakes"] += device.take_response(message, now)
                elif kind == DATA and device.session:
                    counter, = struct.unpack("<Q", message[8:16])
                    self.answer(device, unseal(device.session[2], counter, message[16:], b""), now)
            except Exception as exc:  # pylint: disable=broad-except
                if type(exc).__name__ != "InvalidTag":  # of a session before
                    raise

    def answer(self, device, packet, now):
        if len(packet) < 40 or packet[9] != 17 or packet[20:22] != b"\0\x35":
            return
        message = packet[28:struct.unpack(">H", packet[2:4])[0]]
        number, flags, _, answers = struct.unpack(">HHHH", message[:8])
        listed, asked = self.waiting.pop((device.number, number), (None, 0))
        if listed is None:
            return
        self.slowest_ms = max(self.slowest_ms, (now - asked) * 1000)
        if listed:
            is_null = answers == 1 and message.find(b"\0\4\0\0\0\0") > 0
            self.seen["blocked" if is_null else "refused" if flags & 15 else "leaks"] += 1
        elif self.real in message:
            self.seen["allowed"] += 1
        else:
            self.seen["refused"] += 1

    def run(self):
        start, done, told = time.monotonic(), 0, 0
        churned = 0
        while True:
            now = time.monotonic()
            while done < (now - start) * self.task["rate"]:
                self.act(random.choice(self.devices), now)
                done += 1
            while churned < (now - start) * self.task.get("churn", 0):
                random.choice(self.devices).made = -1e9  # as if it had slept
                churned += 1
            select.select([self.socket], [], [], 0.01)
            self.take(time.monotonic())
            if now - start >= told + 1:
                told += 1
                self.tell(now)

    def tell(self, now):
        for key in [k for k, (_, asked) in self.waiting.items() if now - asked > ANSWER_S]:
            del self.waiting[key]
            self.seen["lost"] += 1
        up = sum(now - d.made <= SESSION_S for d in self.devices)
        print(json.dumps({**self.seen, "up": up, "slowest_ms": round(self.slowest_ms, 1)}), flush=True)
        self.slowest_ms = 0.0


if __name__ == "__main__":
    Crowd(json.loads(sys.stdin.readline())).run()
