# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries connections and reports: a JSON list of [source, destination, protocol, port, seconds of
patience] on stdin, a list of [verdict, seconds, detail] on stdout. Protocols: tcp, udp, icmp (echo; the port does not
matter). Verdicts: answer, reset, prohibited, silence, error."""
import collections
import errno
import json
import resource
import selectors
import socket
import struct
import sys
import time

AGAIN_S = 0.2  # datagrams are sent again, as real clients do
AT_A_TIME = 400

REFUSALS = {errno.ECONNREFUSED: "reset", errno.ECONNRESET: "reset", errno.EACCES: "prohibited",
            errno.EHOSTUNREACH: "prohibited", errno.ENETUNREACH: "prohibited",
            errno.EPERM: "prohibited"}
IP_RECVERR, IPV6_RECVERR = 11, 25
ECHO = {socket.AF_INET: struct.pack("!BBHHH", 8, 0, 0, 0, 1),
        socket.AF_INET6: struct.pack("!BBHHH", 128, 0, 0, 0, 1)}
KINDS = {"tcp": (socket.SOCK_STREAM, 0), "udp": (socket.SOCK_DGRAM, 0)}


class Probe:
    """One attempt; step() until it gives a verdict."""

    def __init__(self, source, target, protocol, port, patience):
        self.family = socket.AF_INET6 if ":" in target else socket.AF_INET
        self.protocol, self.source, self.target = protocol, source, (target, port)
        self.patience = patience
        self.result = None
        self.start = self.sent = 0.0
        self.sock = None

    def _open(self):
        icmp = (socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if self.family == socket.AF_INET6
                else socket.IPPROTO_ICMP)
        self.sock = socket.socket(self.family, *KINDS.get(self.protocol, icmp))
        self.sock.setblocking(False)
        if self.family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            self.sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        self.sock.bind((self.source, 0))

    def begin(self):
        self.start = self.sent = time.monotonic()
        try:
            self._open()
            if self.protocol == "tcp":
                error = self.sock.connect_ex(self.target)
                if error not in (0, errno.EINPROGRESS):
                    raise OSError(error, "connect")
            else:
                self.sock.connect((self.target[0], self.target[1] or 1))
                self.send()
        except OSError as err:
            self.fail(err)

    def send(self):
        self.sent = time.monotonic()
        self.sock.send(ECHO[self.family] if self.protocol == "icmp" else b"?")

    def finish(self, verdict, detail):
        self.result = [verdict, time.monotonic() - self.start, detail]

    def fail(self, err):
        self.finish(REFUSALS.get(err.errno, "error"), str(err))

    def on_event(self):
        try:
            data = self.sock.recv(200)
            self.finish("answer" if data else "error", self.said(data))
        except BlockingIOError:
            pass
        except OSError as err:
            self.fail(err)

    def said(self, data):
        return "echo" if self.protocol == "icmp" else data.decode()

    def on_time(self, now):
        if now - self.start > self.patience:
            self.finish("silence", "")
        elif self.protocol != "tcp" and now - self.sent > AGAIN_S:
            try:
                self.send()
            except OSError as err:
                self.fail(err)


def run(probes):
    waiting, selector, open_now = collections.deque(probes), selectors.DefaultSelector(), set()
    while waiting or open_now:
        while waiting and len(open_now) < AT_A_TIME:
            one = waiting.popleft()
            one.begin()
            if one.result is None:
                selector.register(one.sock, selectors.EVENT_READ, one)
                open_now.add(one)
            elif one.sock:
                one.sock.close()
        for key, _ in selector.select(0.02):
            key.data.on_event()
        now = time.monotonic()
        for one in list(open_now):
            if one.result is None:
                one.on_time(now)
            if one.result is not None:
                selector.unregister(one.sock)
                one.sock.close()
                open_now.remove(one)


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    probes = [Probe(*one) for one in json.load(sys.stdin)]
    run(probes)
    json.dump([one.result for one in probes], sys.stdout)


if __name__ == "__main__":
    main()
