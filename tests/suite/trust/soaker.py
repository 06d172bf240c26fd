#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A device's mixed load, in its own network: soaker.py RATE SECONDS CA. RATE: actions a second, 0: as many as can be.

Of ten actions five ask DNS (listed, fresh, known), two load a page by the proxy, two are an app's TLS undecrypted, one
is a page over TLS by the proxy. A line a second: {"done": n, "wrong": n, "p50_ms": …, "p99_ms": …}.
"""
import json
import os
import random
import socket
import ssl
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tests", "suite"), os.path.join(TOP, "tests", "suite", "walk")]

from lablib import site_addresses  # noqa: E402
import walklib  # noqa: E402

THREADS = 8
PROXY = ("10.9.0.1", 8080)
REQUEST = b"GET %s HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n"


def _read_all(s):
    data = b""
    while part := s.recv(65536):
        data += part
    return data


def _ask(name):
    """As a device's own resolver: again, where a datagram was lost or nobody answers in time."""
    return walklib.ask_once("10.9.0.1", name, 5) or walklib.ask_once("10.9.0.1", name, 5)


def ask_listed(_):
    return _ask("s%d.listed.example" % random.getrandbits(40)) == ["0.0.0.0"]


def ask_fresh(_):
    return _ask("s%d.fresh.example" % random.getrandbits(40)) == [walklib.SITE[0]]


def ask_known(_):
    return _ask("allowed.example") == [walklib.SITE[0]]


def load_page(_):
    with socket.create_connection(PROXY, 10) as s:
        s.sendall(REQUEST % b"http://allowed.example/")
        return b"<h1>allowed.example</h1>" in _read_all(s)


def load_blocked(_):
    with socket.create_connection(PROXY, 10) as s:
        s.sendall(b"GET http://blocked.example/ HTTP/1.1\r\nHost: blocked.example\r\nConnection: close\r\n\r\n")
        return b" 451 " in _read_all(s)[:16]


def load_direct(context):
    with socket.create_connection((site_addresses("allowed.example")[0], 443), 10) as plain:
        with context.wrap_socket(plain, server_hostname="allowed.example") as s:
            s.sendall(REQUEST % b"/")
            return b"<h1>allowed.example</h1>" in _read_all(s)


def load_decrypted(context):
    with socket.create_connection(PROXY, 10) as plain:
        plain.sendall(b"CONNECT allowed.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n")
        plain.recv(4096)
        with context.wrap_socket(plain, server_hostname="allowed.example") as s:
            s.sendall(REQUEST % b"/")
            return b"<h1>allowed.example</h1>" in _read_all(s)


MIX = [ask_listed, ask_fresh, ask_known, ask_known, ask_listed, load_page, load_blocked, load_direct, load_direct, load_decrypted]


class Load:
    def __init__(self, rate, seconds, ca):
        self.rate, self.end = rate, time.monotonic() + seconds
        self.context = ssl.create_default_context(cafile=ca)
        self.lock, self.times, self.wrong, self.why = threading.Lock(), [], 0, ""

    def work(self, number):
        n, start = number, time.monotonic()
        while (now := time.monotonic()) < self.end:
            if self.rate:
                due = start + n / self.rate
                if due > now:
                    time.sleep(due - now)
            action, begin, why = MIX[(n * 7) % 10], time.monotonic(), ""
            try:
                good = action(self.context)
            except (OSError, ValueError) as exc:
                good, why = False, repr(exc)
            with self.lock:
                self.times.append((time.monotonic() - begin) * 1000)
                if not good:
                    self.wrong, self.why = self.wrong + 1, "%s %s" % (action.__name__, why)
            n += THREADS

    def run(self):
        threads = [threading.Thread(target=self.work, args=(n,)) for n in range(THREADS)]
        for one in threads:
            one.start()
        while time.monotonic() < self.end:
            time.sleep(1)
            with self.lock:
                times, self.times, wrong, self.wrong = sorted(self.times), [], self.wrong, 0
            if times:
                print(json.dumps({"done": len(times), "wrong": wrong, "why": self.why, "p50_ms": times[len(times) // 2],
                                  "p99_ms": times[int(len(times) * 0.99)]}), flush=True)
        for one in threads:
            one.join()


if __name__ == "__main__":
    Load(float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]).run()
