# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries connections and reports: a JSON list of [source, destination, protocol, port] on stdin, a
list of [verdict, seconds, detail] on stdout. Verdicts: answer, reset, prohibited, silence."""
import concurrent.futures
import errno
import json
import socket
import sys
import time

PATIENCE_S = 2.5
AGAIN_S = 0.2

REFUSALS = {errno.ECONNREFUSED: "reset", errno.ECONNRESET: "reset", errno.EACCES: "prohibited",
            errno.EHOSTUNREACH: "prohibited", errno.ENETUNREACH: "prohibited",
            errno.EPERM: "prohibited"}


def exchange(sock, protocol, target):
    if protocol == "tcp":
        sock.settimeout(PATIENCE_S)
        sock.connect(target)
        return sock.recv(200).decode()
    sock.connect(target)
    sock.settimeout(AGAIN_S)
    deadline = time.monotonic() + PATIENCE_S
    while True:  # as a real client, which sends again
        sock.send(b"?")
        try:
            return sock.recv(200).decode()
        except socket.timeout:
            if time.monotonic() > deadline:
                raise


def probe(one):
    source, target, protocol, port = one
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    start = time.monotonic()
    with socket.socket(family, kind) as sock:
        try:
            sock.bind((source, 0))
            verdict, detail = "answer", exchange(sock, protocol, (target, port))
        except socket.timeout:
            verdict, detail = "silence", ""
        except OSError as err:
            verdict, detail = REFUSALS.get(err.errno, "error"), str(err)
    return [verdict, time.monotonic() - start, detail]


def main():
    probes = json.load(sys.stdin)
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        json.dump(list(pool.map(probe, probes)), sys.stdout)


if __name__ == "__main__":
    main()
