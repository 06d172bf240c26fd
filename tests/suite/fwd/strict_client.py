# SPDX-License-Identifier: GPL-3.0-or-later
"""In the place of dnsd and of a strict device's apps, in the device's namespace: for each name, fwd is
told the address, and once it has confirmed, a first connection is made.

Arguments: Redis's socket, the device, its addresses (IPv4, IPv6), the port, how many; addresses are
counted up from those on standard input, one of each family. Prints JSON."""
import ipaddress
import json
import pathlib
import socket
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1])]
from feed import Feed
from support.redis import Client

PATIENCE_S = 30


class Server:
    """What Feed wants of a Redis."""

    def __init__(self, path):
        self.path = path

    def connect(self, user, password):
        return Client(self.path, user, password)


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
    path, device, v4, v6, port, count = sys.argv[1:]
    first = [ipaddress.ip_address(line.strip()) for line in sys.stdin]
    feed, faults, confirmed = Feed(Server(path)), {}, []
    # Without an answer from dnsd nothing is reached.
    early = connect(v4, str(first[0]), int(port)), connect(v6, str(first[1]), int(port))
    for i in range(int(count)):
        to = str(first[i % 2] + i)
        begin = time.monotonic()
        result = feed.send([{"kind": "strict", "address": to, "device": device, "ttl": 300}])
        confirmed.append(time.monotonic() - begin)
        fault = connect(v6 if ":" in to else v4, to, int(port)) if result["applied"] == 1 else "refused"
        if fault:
            faults[to] = fault
    json.dump({"early": early, "faults": faults, "confirmed": sorted(confirmed)}, sys.stdout)


if __name__ == "__main__":
    main()
