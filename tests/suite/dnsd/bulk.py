# SPDX-License-Identifier: GPL-3.0-or-later
"""Many questions at once, without a parser in the way: for tests that ask tens of thousands."""
import json
import selectors
import signal
import socket
import struct
import subprocess
import time

from support import BUILD, DEADLINE_S
from support.net import free_port
from support.process import holds_signal
from support.wait import wait_until

BLOCKED, PASSED = "0.0.0.0", "192.0.2.1"
WINDOW = 100


def question(name, number, rdtype=1):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", rdtype, 1)


def outcome(answer):
    """The one address (which ends the message when the question had no EDNS), or the rcode and count."""
    count = struct.unpack("!H", answer[6:8])[0]
    if answer[3] & 15 or count != 1:
        return "rcode %d, %d records" % (answer[3] & 15, count)
    return socket.inet_ntoa(answer[-4:])


class Asker:
    """One device's socket; questions are taken from a list shared by nobody."""

    def __init__(self, where, source, questions, tcp=False):
        """questions: [(key, name)]; the same name may come often."""
        self.tcp, self.left, self.open = tcp, list(reversed(questions)), {}
        self.answers, self.number, self.data = {}, 0, b""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(where)

    def more(self, window):
        while self.left and len(self.open) < window:
            key, name = self.left.pop()
            self.number = (self.number + 1) & 0xffff
            self.open[self.number] = (key, name, time.monotonic())
            self._send(name, self.number)

    def _send(self, name, number):
        message = question(name, number)
        self.socket.sendall((struct.pack("!H", len(message)) if self.tcp else b"") + message)

    def again(self, patience=3):
        """What a client does when a datagram got lost."""
        now = time.monotonic()
        for number, (key, name, since) in list(self.open.items()):
            if now - since > patience and not self.tcp:
                self.open[number] = (key, name, now)
                self._send(name, number)

    def read(self):
        data = self.socket.recv(65536)
        assert data or not self.tcp, "the connection was closed"
        if not self.tcp:
            self._take(data)
            return
        self.data += data
        while len(self.data) >= 2 and len(self.data) >= 2 + struct.unpack("!H", self.data[:2])[0]:
            size = struct.unpack("!H", self.data[:2])[0]
            self._take(self.data[2:2 + size])
            self.data = self.data[2 + size:]

    def _take(self, answer):
        number = struct.unpack("!H", answer[:2])[0]
        if number not in self.open:
            return  # the second answer to what was asked twice
        key, name, _ = self.open.pop(number)
        asked = question(name, number)[12:]
        assert answer[12:12 + len(asked)] == asked, (name, answer)
        self.answers[key] = outcome(answer)

    def close(self):
        self.socket.close()


def run(askers, seconds=300, window=WINDOW):
    """Until every question of every asker is answered; closes them."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for asker in askers:
            selector.register(asker.socket, selectors.EVENT_READ, asker)
            asker.more(window)
        while any(a.open for a in askers):
            assert time.monotonic() < deadline, [len(a.open) + len(a.left) for a in askers]
            for key, _ in selector.select(0.5):
                key.data.read()
                key.data.more(window)
            for asker in askers:
                asker.again()
    for asker in askers:
        asker.close()


def ask_all(where, source, names, tcp=False):
    """name -> outcome."""
    asker = Asker(where, source, [(n, n) for n in names], tcp)
    run([asker])
    return asker.answers


class FastUpstream:
    """Has 192.0.2.1 for every name; at the rate of a compiled program."""

    def __init__(self):
        self.port = free_port()
        self.url = "udp://127.0.0.1:%d" % self.port
        self.process = subprocess.Popen([BUILD / "bin/dns-echo", "127.0.0.1", str(self.port), "batch", "answer"])
        wait_until(self._answers, "the upstream")

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.connect(("127.0.0.1", self.port))
            try:
                s.send(question("up.example", 1))
                return s.recv(512)
            except OSError:
                return None

    def close(self):
        self.process.kill()
        self.process.wait()


class Steady:
    """dns-steady: so many questions a second whatever happens, for so many seconds or until end()."""

    def __init__(self, world, names_file, rate, source="127.1.0.2", address="127.1.0.1", seconds=120, patience=3):
        self.process = subprocess.Popen(
            [str(x) for x in (BUILD / "bin/dns-steady", address, world.port, source, rate, seconds, patience,
                              names_file)], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: holds_signal(self.process, signal.SIGTERM), "dns-steady")

    def stop(self):
        """It asks no more; what is missing may still come."""
        self.process.terminate()

    def end(self):
        self.stop()
        return self.result()

    def result(self):
        text, _ = self.process.communicate(timeout=4 * DEADLINE_S)
        return json.loads(text)
