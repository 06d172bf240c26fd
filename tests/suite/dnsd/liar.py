# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams that do all that one must not do. What they lie has the address POISON in it."""
import random
import socket
import struct
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.rrset

from upstream import Upstream

POISON = "203.0.113.66"
SLOW_S = 1.5


def forged(wire, name=None, number=None):
    """A sound answer with the poison; to another question or with another id if told so."""
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query, recursion_available=True)
    owner = dns.name.from_text(name) if name else query.question[0].name
    response.question[0].name = owner
    response.answer.append(dns.rrset.from_text(owner, 300, "IN", "A", POISON))
    if number is not None:
        response.id = number
    return response.to_wire()


def wrong_id(liar, wire):
    return [forged(wire, number=struct.unpack("!H", wire[:2])[0] ^ 1 << random.randrange(16))]


def wrong_question(liar, wire):
    return [forged(wire, name="victim.example.")]


def wrong_type(liar, wire):
    answer = bytearray(forged(wire))
    at = answer.index(b"\0\0\x01\0\x01", 12)
    answer[at + 2] = 28
    return [bytes(answer)]


def wrong_owner(liar, wire):
    """The right question; the record is one that nobody asked for."""
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query, recursion_available=True)
    for section in (response.answer, response.authority, response.additional):
        section.append(dns.rrset.from_text("victim.example.", 300, "IN", "A", POISON))
    return [response.to_wire()]


def no_answer_bit(liar, wire):
    answer = bytearray(forged(wire))
    answer[2] &= 0x7f
    return [bytes(answer)]


def cut_short(liar, wire):
    answer = forged(wire)
    return [answer[:n] for n in (1, 11, 12, 20, len(answer) - 17, len(answer) - 4, len(answer) - 1)]


def garbage(liar, wire):
    rng = random.Random(6)
    return [wire[:2] + rng.randbytes(rng.randrange(0, 600)) for _ in range(20)] + [b"", wire, b"\xff" * 4096]


def loops(liar, wire):
    """A pointer that points to itself in every place where a name is."""
    end = wire.index(b"\0", 12) + 5
    head = wire[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
    loop, inner = (bytes([0xc0 | at >> 8, at & 255]) for at in (end, end + 12))
    record = b"\0\x01\0\x01\0\0\1\0\0\4\xcb\0\x71\x42"
    return [head + wire[12:end] + loop + record, head + b"\xc0\x0c\0\1\0\1" + loop + record,
            head + wire[12:end] + b"\xc0\x0c\0\5\0\1\0\0\1\0\0\2" + inner]


def flood(liar, wire):
    """Thousands of guesses: ids from all over the range, none the right one."""
    number = struct.unpack("!H", wire[:2])[0]
    answer = forged(wire)
    return [struct.pack("!H", n) + answer[2:] for n in range(0, 65536, 23) if n != number][:2500]


LIES = {f.__name__: f for f in (wrong_id, wrong_question, wrong_type, wrong_owner, no_answer_bit, cut_short, garbage,
                                loops, flood)}


class Liar(Upstream):
    """lie: one of LIES, 'dead', 'mute', 'slow', 'closes' (the connection, instead of an answer) or 'spoofed' (the
    right answer's rival comes from another port)."""

    def __init__(self, lie, kind="udp", directory=None, certificate="dot"):
        self.lie, self.guard, self.told = lie, threading.Lock(), []
        super().__init__(kind, directory, certificate)
        if lie == "dead":
            self.end(*[self.tcp, self.udp][:1 if kind == "tls" else 2])
        self.mute = lie == "mute"

    def _lies(self, wire):
        honest = self._answer(wire, self.kind)
        if self.lie == "slow":
            time.sleep(SLOW_S)
        if self.lie in LIES:
            return LIES[self.lie](self, wire)
        return [honest] if honest else []

    def _datagrams(self):
        while not self.closing:
            try:
                wire, peer = self.udp.recvfrom(4096)
                if wire:
                    threading.Thread(target=self._tell, args=(wire, peer), daemon=True).start()
            except OSError:
                if self.closing:
                    return

    def _tell(self, wire, peer):
        try:
            if self.lie == "spoofed":
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                    other.sendto(forged(wire), peer)
            for answer in self._lies(wire):
                self.udp.sendto(answer, peer)
                self.told.append(answer)
        except OSError:
            pass  # closed meanwhile, or the asker's port is gone

    def _stream(self, s):
        try:
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
            self.open_streams.append(s)
            data = b""
            while chunk := s.recv(65536):
                data += chunk
                while len(data) >= 2 and len(data) >= 2 + struct.unpack("!H", data[:2])[0]:
                    size = struct.unpack("!H", data[:2])[0]
                    wire, data = data[2:2 + size], data[2 + size:]
                    if self.lie == "closes":
                        self._answer(wire, self.kind)
                        return
                    for answer in self._lies(wire):
                        s.sendall(struct.pack("!H", len(answer)) + answer)
        except OSError:
            pass
        finally:
            s.close()
