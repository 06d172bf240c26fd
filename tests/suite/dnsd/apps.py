# SPDX-License-Identifier: GPL-3.0-or-later
"""The apps of a strict device, in its namespace: each name is resolved and, with the answer, a first connection is
made at once. Arguments: the device's IPv4 and IPv6 address, the resolver's address, port, first number, how many,
how many at a time. Prints JSON."""
import concurrent.futures
import json
import socket
import sys
import time

import dns.message
import dns.query

PATIENCE_S = 30


def connect(source, to, port):
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE_S)
        sock.bind((source, 0))
        try:
            sock.connect((to, port))
            return None if sock.recv(100) else "closed"
        except OSError as err:
            return type(err).__name__


def main():
    v4, v6, resolver, port, first, count, width = sys.argv[1:]

    def one(i):
        rdtype = ("A", "AAAA")[i % 2]
        query = dns.message.make_query(f"n{i}.strict.example", rdtype)
        begin = time.monotonic()
        attempt = 0
        # As a stub resolver does: SERVFAIL is no answer, and nothing is connected to without one.
        while True:
            answer = dns.query.udp(query, resolver, source=v4, timeout=PATIENCE_S)
            if answer.answer or time.monotonic() - begin > PATIENCE_S:
                break
            attempt += 1
        took = time.monotonic() - begin
        if not answer.answer:
            return "no answer", took, attempt
        to = answer.answer[0][0].to_text()
        return connect(v6 if ":" in to else v4, to, int(port)), took, attempt

    with concurrent.futures.ThreadPoolExecutor(int(width)) as pool:
        done = list(pool.map(one, range(int(first), int(first) + int(count))))
    json.dump({"faults": [d[0] for d in done if d[0]], "took": sorted(d[1] for d in done),
               "retried": sum(d[2] for d in done)}, sys.stdout)


if __name__ == "__main__":
    main()
