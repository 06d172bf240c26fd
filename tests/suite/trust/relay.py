#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""On the way between devices of one network and their gateway: datagrams pass both ways, each source by a port of its own.
When it is told to, it holds some back so that later ones overtake them, and some come twice.

stdin's first line: {"server": [ADDRESS, PORT], "seed": n}; the answer: {"port": n}, of 127.0.0.1. Each further line:
{"late": share, "twice": share}; when that is in force, the answer is what has been since the start:
{"passed": n, "overtaken": n, "twice": n}. It ends with stdin.
"""
import heapq
import json
import os
import random
import selectors
import socket
import time

DEPTH, HOLD_S = 16, 0.05  # what is held back goes after so many later ones, at the latest then
SOURCES = 64
SO_RCVBUFFORCE = 33  # of <asm-generic/socket.h>
BURST = 256


class Way:
    """One direction of one source. send(data) is the way on."""

    def __init__(self, seed, send):
        self.rng, self.send = random.Random(seed), send
        self.late = self.twice = 0.0
        self.arrived = self.highest = 0
        self.held = []  # (number of the arrival after which it goes, own number, when it goes anyway, data)
        self.seen = {"passed": 0, "overtaken": 0, "twice": 0}

    def _pass(self, number, data):
        self.seen["overtaken"] += number < self.highest
        self.seen["passed"] += 1
        self.highest = max(self.highest, number)
        self.send(data)

    def _hold(self, data, now):
        heapq.heappush(self.held, (self.arrived + self.rng.randint(1, DEPTH), self.arrived, now + HOLD_S, data))

    def take(self, data, now):
        self.arrived += 1
        is_late, is_twice = self.rng.random() < self.late, self.rng.random() < self.twice
        if is_late:
            self._hold(data, now)
        else:
            self._pass(self.arrived, data)
        if is_twice:
            self.seen["twice"] += 1
            self._hold(data, now)
        while self.held and self.held[0][0] <= self.arrived:
            _, number, _, data = heapq.heappop(self.held)
            self._pass(number, data)

    def release(self, now):
        """What has been held back for long enough; its next time, None: nothing is held back."""
        for one in [h for h in self.held if h[2] <= now]:
            self.held.remove(one)
            self._pass(one[1], one[3])
        heapq.heapify(self.held)
        return min((h[2] for h in self.held), default=None)

    def set(self, late, twice):
        """What is held back goes now."""
        self.late, self.twice = late, twice
        self.release(float("inf"))


def _socket(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
    s.bind(address)
    s.setblocking(False)
    return s


def _send(s, data, target):
    try:
        s.sendto(data, target)
    except OSError:
        pass  # no route or no room for a moment: as lost on the way


class Relay:
    def __init__(self, server, seed):
        self.server, self.seed, self.shares = tuple(server), seed, (0.0, 0.0)
        self.near = _socket(("127.0.0.1", 0))
        self.sources = {}  # source → (socket towards the server, way there, way back)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.near, selectors.EVENT_READ, self._outwards)
        self.selector.register(0, selectors.EVENT_READ, None)
        self.lines = b""

    def ways(self):
        return [way for _, *pair in self.sources.values() for way in pair]

    def _source(self, source):
        if source not in self.sources:
            assert len(self.sources) < SOURCES, "more sources than a network has here"
            far = _socket(("", 0))
            way = Way("%d there %d" % (self.seed, len(self.sources)), lambda data: _send(far, data, self.server))
            back = Way("%d back %d" % (self.seed, len(self.sources)), lambda data: _send(self.near, data, source))
            for one in (way, back):
                one.set(*self.shares)
            self.sources[source] = (far, way, back)
            self.selector.register(far, selectors.EVENT_READ, lambda _, sender: back if sender == self.server else None)
        return self.sources[source]

    def _outwards(self, _, source):
        return self._source(source)[1]

    def _receive(self, s, choose, now):
        for _ in range(BURST):
            try:
                data, sender = s.recvfrom(65536)
            except OSError:
                return
            way = choose(s, sender)
            if way:
                way.take(data, now)

    def _obey(self):
        """False: nobody is there to say anything any more."""
        data = os.read(0, 4096)
        *lines, self.lines = (self.lines + data).split(b"\n")
        for line in lines:
            self.shares = tuple(json.loads(line)[key] for key in ("late", "twice"))
            for way in self.ways():
                way.set(*self.shares)
            tell({key: sum(way.seen[key] for way in self.ways()) for key in ("passed", "overtaken", "twice")})
        return bool(data)

    def run(self):
        while True:
            now = time.monotonic()
            due = [at for way in self.ways() if (at := way.release(now)) is not None]
            for key, _ in self.selector.select(max(0.0, min(due) - now) if due else None):
                if key.data:
                    self._receive(key.fileobj, key.data, time.monotonic())
                elif not self._obey():
                    return


def tell(what):
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        relay = Relay(**json.loads(stdin.readline()))
    tell({"port": relay.near.getsockname()[1]})
    relay.run()
