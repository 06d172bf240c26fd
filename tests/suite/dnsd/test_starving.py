# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices that want everything for themselves: others are served all the same (D1, F10)."""
import contextlib
import socket
import struct
import threading
import time

import dns.message
import dns.rcode
import dns.rrset
import pytest

import bulk
from dnsdlib import GATEWAY, LAPTOP, addresses, ede
from features import FakeFwd, device, sure
from support.wait import wait_until
from test_features_names import change

DEVICES = 48
HOLD_S = 2.5  # less than a question may take


class Half:
    """An upstream that hears all and answers no name with `silent` in it; it costs next to nothing to be asked."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.url = "udp://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.silent = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                wire, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if b"silent" in wire:
                self.silent += 1
                continue
            if not wire:
                return
            response = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
            response.answer.append(dns.rrset.from_text(response.question[0].name, 60, "IN", "A", "192.0.2.1"))
            self.socket.sendto(response.to_wire(), peer)

    def close(self):
        with contextlib.suppress(OSError):  # it is not connected, and wakes its reader all the same
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def crowd(make_world):
    """(world, upstream, sources of greedy devices)"""
    upstream = Half()
    world = make_world(upstream.url).up()
    sources = ["127.1.0.%d" % (100 + i) for i in range(DEVICES)]
    change(world, "devices", {"greedy%d" % i: device("greedy%d" % i, s) for i, s in enumerate(sources)})
    yield world, upstream, sources
    upstream.close()


def flood(world, source, count, tag):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.connect(("127.0.0.1", world.system) if source == "127.0.0.1" else (GATEWAY, world.port))
        for i in range(count):
            s.send(bulk.question("%s-%d.silent.example" % (tag, i), i))
            if not i % 64:
                time.sleep(0.002)  # so that none is lost on its way


def test_questions_that_nobody_answers_leave_room_for_others(crowd):
    """D1: two dozen devices want more than there is"""
    world, upstream, sources = crowd
    for i, source in enumerate(sources[:24]):
        flood(world, source, 600, "d%d" % i)
    wait_until(lambda: upstream.silent > 2000, "the flood to be under way")
    for i in range(20):
        assert addresses(world.ask("room%d.example" % i, source=LAPTOP)) == ["192.0.2.1"], i
        assert addresses(world.ask("late%d.example" % i, source="system")) == ["192.0.2.1"], i
    assert world.dnsd.is_running()


def test_questions_of_the_gateway_s_own_daemons_leave_room_for_devices(crowd):
    """D1: what a device makes proxyd ask for is asked as system"""
    world, upstream, _ = crowd
    flood(world, "127.0.0.1", 6000, "s")
    wait_until(lambda: upstream.silent > 1500, "the flood to be under way")
    for i in range(20):
        assert addresses(world.ask("own%d.example" % i, source=LAPTOP)) == ["192.0.2.1"], i


def test_too_many_questions_over_tcp_are_told_so(crowd):
    """D1: silence would hold the client up; over UDP it asks again"""
    world, _, sources = crowd
    streams = [socket.create_connection((GATEWAY, world.port), 10, (sources[0], 0)) for _ in range(12)]
    try:
        for k, s in enumerate(streams):
            for i in range(64):
                message = bulk.question("t%d-%d.silent.example" % (k, i), i)
                s.sendall(struct.pack("!H", len(message)) + message)
        streams[-1].settimeout(HOLD_S)
        refused = streams[-1].recv(4096)
        assert refused[5] & 15 == dns.rcode.SERVFAIL
        wait_until(lambda: world.status().get("busy", 0) > 64, "the counter")
        assert addresses(world.ask("else.example", source=LAPTOP, tcp=True)) == ["192.0.2.1"]
    finally:
        for s in streams:
            s.close()


def test_connections_that_are_kept_leave_room_for_others(crowd):
    """D1: four dozen devices open as many as they get; the next one still gets its own"""
    world, _, sources = crowd
    kept = []
    try:
        for source in sources:
            for _ in range(16):
                s = socket.create_connection((GATEWAY, world.port), 10, (source, 0))
                kept.append(s)
                message = bulk.question("c.silent.example", 1)
                with contextlib.suppress(ConnectionError):  # it got no place
                    s.sendall(struct.pack("!H", len(message)) + message)
        for i in range(3):  # one after the other: the one before may not have been seen to end
            answer = wait_until(lambda n=i: world.ask("tcp%d.example" % n, source=LAPTOP, tcp=True), "its turn")
            assert addresses(answer) == ["192.0.2.1"]
    finally:
        for s in kept:
            s.close()


def test_a_strict_device_fills_no_other_s_firewall(make_upstream, make_world):
    """F10: the kernel's table is everybody's; who resolves addresses by the thousand is told SERVFAIL in the end"""
    each, upstream = 250, make_upstream()
    world = make_world(upstream).up()
    fwd = FakeFwd(world.redis)
    try:
        change(world, "devices", {"greedy": device("greedy", "127.1.0.100", strict=True),
                                  "modest": device("modest", "127.1.0.101", strict=True)})
        for i in range(65):
            name = "many%d.cut.example" % i
            upstream.zone[(name, "A")] = ["198.18.%d.%d" % (i, k + 1) for k in range(each)]
            answer = sure(world, name, source="127.1.0.100", tcp=True)
            assert len(answer.answer[0]) == each
        upstream.zone[("more.cut.example", "A")] = ["198.19.0.%d" % (k + 1) for k in range(each)]
        for _ in range(3):
            answer = world.ask("more.cut.example", source="127.1.0.100", tcp=True)
            assert answer.rcode() == dns.rcode.SERVFAIL and ede(answer)[0] == 14
        assert 16000 < len(fwd.entries) <= 16384
        answer = sure(world, "modest.example", source="127.1.0.101")
        assert addresses(answer) == ["192.0.2.1"]
        assert ("strict", "192.0.2.1", "modest") in fwd.entries
    finally:
        fwd.close()
