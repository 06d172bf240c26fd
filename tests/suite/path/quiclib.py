# SPDX-License-Identifier: GPL-3.0-or-later
"""QUIC Initial packets made by hand (RFC 9000, RFC 9001, RFC 9369), and a place where they arrive."""
import errno
import hmac
import itertools
import os
import select
import socket
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from interceptlib import message, sni
from support import DEADLINE_S
from support.wait import wait_until

V1, V2, GREASE, DRAFT29 = 1, 0x6B3343CF, 0x1A2A3A4A, 0xFF00001D
SALTS = {V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9"}
UDP_SEGMENT, SO_RCVBUFFORCE = 103, 33
REFUSED = (errno.EACCES, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPERM)


def expand(secret, label, length):
    name = b"tls13 " + label.encode()
    info = struct.pack(">HB", length, len(name)) + name + b"\0\1"
    return hmac.digest(secret, info, "sha256")[:length]


def keys(version, dcid):
    salt = bytes.fromhex(SALTS.get(version, SALTS[V1]))
    client = expand(hmac.digest(salt, dcid, "sha256"), "client in", 32)
    prefix = "quicv2 " if version == V2 else "quic "
    return [expand(client, prefix + label, n) for label, n in (("key", 16), ("iv", 12), ("hp", 16))]


def varint(n, size=None):
    size = size or (1 if n < 64 else 2 if n < 16384 else 4)
    return (n | {1: 0, 2: 1 << 14, 4: 2 << 30}[size]).to_bytes(size, "big")


def crypto(offset, data):
    return b"\x06" + varint(offset) + varint(len(data)) + data


def long_packet(frames, dcid, version=V1, number=0, kind=0, key_dcid=None, token=b"", key_version=None):
    """kind: 0 Initial, 1 0-RTT, 2 Handshake."""
    key, iv, hp = keys(key_version or version, key_dcid or dcid)
    bits = (kind + 1) % 4 if version == V2 else kind
    head = bytes([0xC0 | bits << 4 | 3]) + struct.pack(">I", version) + bytes([len(dcid)]) + dcid + b"\x04scid"
    if kind == 0:
        head += varint(len(token)) + token
    head += varint(4 + len(frames) + 16, 2) + struct.pack(">I", number)
    nonce = bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big")))
    sealed = AESGCM(key).encrypt(nonce, frames, head)
    encryptor = Cipher(algorithms.AES(hp), modes.ECB()).encryptor()
    mask = encryptor.update(sealed[:16])
    tail = bytes(a ^ b for a, b in zip(head[-4:], mask[1:5]))
    return bytes([head[0] ^ mask[0] & 0x0F]) + head[1:-4] + tail + sealed


def padded(frames, size=1100):
    return frames + bytes(max(0, size - len(frames)))


def hello(name, *extensions):
    """The whole handshake message."""
    return message(*([sni(name)] if name else []), *extensions)


def initial(name, dcid=None, version=V1, **more):
    return long_packet(padded(crypto(0, hello(name))), dcid or os.urandom(8), version, **more)


class Place:
    """Where datagrams arrive: UDP port 443 of an address of the simulated Internet."""

    def __init__(self, world, address):
        self.socket = world.inet_place.call(lambda: socket.socket(
            socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM))
        # What nobody reads for a while is not to get lost.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.socket.bind((address, 443))
        self.peer = None

    def take(self, seconds=DEADLINE_S):
        """The next datagram, or None."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        data, self.peer = self.socket.recvfrom(65536)
        return data

    def all(self, count=0):
        """What comes until nothing has come for a moment; so many are awaited."""
        came = []
        while (one := self.take(DEADLINE_S if len(came) < count else 0.3)) is not None:
            came.append(one)
        return came

    def clear(self, client):
        """Takes all that the client has sent: until what it sends behind it comes."""
        marks = itertools.count()

        def has_come():
            mark = b"\x40 mark %d" % next(marks)
            client.send(mark)
            return mark in self.all()
        wait_until(has_come, "what was sent last")

    def answer(self, data):
        self.socket.sendto(data, self.peer)

    def close(self):
        self.socket.close()


class Client:
    """A device's UDP socket."""

    def __init__(self, world, address, number=3, port=0):
        v6 = ":" in address

        def make():
            s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((("fd09::%d" if v6 else "10.9.0.%d") % number, port))
            s.connect((address, 443))
            s.settimeout(DEADLINE_S)
            return s
        self.socket = world.client_place.call(make)

    def send(self, data):
        self.socket.send(data)

    def send_joined(self, datagrams):
        """In one piece for the kernel, of which only the last may be shorter (UDP_SEGMENT)."""
        self.socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(datagrams[0]))
        self.socket.send(b"".join(datagrams))
        self.socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)

    def is_refused_at_once(self, datagrams):
        """While they are sent; they are, all of them."""
        refused = False
        for data in datagrams:
            try:
                self.send(data)
            except OSError as e:
                assert e.errno in REFUSED
                refused = True
        return refused

    def is_refused(self):
        """An ICMP error comes."""
        try:
            self.socket.recv(1)
        except OSError as e:
            return e.errno in REFUSED
        return False

    def is_refused_at(self, datagrams):
        """An ICMP error comes for one of them."""
        try:
            for data in datagrams:
                self.send(data)
        except OSError as e:
            return e.errno in REFUSED
        return self.is_refused()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
