# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels whose packets overtake each other: each client of a lab reaches its gateway by a relay of its own (relay.py),
and by nothing else. No netem, which the kernels at hand have not."""
import contextlib
import json
import os
import subprocess

from culvertlab.clients import interface
from culvertlab.places import CLIENTS, UPLINK, WG_PORT
from support.wait import wait_until

LOOPBACK = "127.0.0.1"
# What the gateway still sends straight to the tunnel would lead the client back there.
ONLY = "table inet relay {\n\tchain in {\n\t\ttype filter hook input priority 0\n" \
       "\t\tip saddr %s udp sport %d udp dport %d drop\n\t}\n}\n"


class Relay:
    """One client's."""

    def __init__(self, lab, client, seed):
        self.lab, self.client, self.wg = lab, client, interface(client)
        self.before = self._show("endpoints")[1]
        path = os.path.join(os.path.dirname(__file__), "relay.py")
        self.process = lab.popen(client, "/usr/bin/python3", path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = self._say({"server": [UPLINK[0], WG_PORT], "seed": seed})["port"]

    def _say(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the relay of %s has ended" % self.client
        return json.loads(line)

    def set(self, late, twice):
        """The counts until now; in force afterwards."""
        return self._say({"late": late, "twice": twice})

    def _show(self, what):
        return self.lab.run(self.client, "wg", "show", self.wg, what).stdout.split()

    def _point(self, endpoint):
        peer = self._show("peers")[0]
        self.lab.run(self.client, "wg", "set", self.wg, "peer", peer, "endpoint", endpoint)

    def enter(self):
        self.lab.run(self.client, "nft", "-f", "-", data=ONLY % (UPLINK[0], WG_PORT, int(self._show("listen-port")[0])))
        wait_until(self._carries, "traffic of %s by the relay" % self.client, 120)

    def _carries(self):
        # Again each time, for what came before the rule may be read after it.
        self._point("%s:%d" % (LOOPBACK, self.port))
        return self.lab.dig(self.client, "allowed.example").addresses

    def leave(self):
        self.lab.run(self.client, "nft", "delete", "table", "inet", "relay", check=False)
        self._point(self.before)

    def close(self):
        self.process.kill()
        self.process.wait()


class Relays:
    """Of all clients."""

    def __init__(self):
        self.of = {}

    def endpoint(self, client):
        return [LOOPBACK, self.of[client].port]

    def disturb(self, late, twice):
        """Shares of the packets, both ways: overtaken by later ones, sent once more later. Gives what has been until now:
        how many passed, were overtaken, came twice."""
        counts = [one.set(late, twice) for one in self.of.values()]
        return {key: sum(c[key] for c in counts) for key in counts[0]}

    def straighten(self):
        return self.disturb(0, 0)


@contextlib.contextmanager
def relayed(lab, seed):
    """Relays by which the lab's clients reach the gateway meanwhile."""
    with contextlib.ExitStack() as stack:
        relays = Relays()
        for n, client in enumerate(CLIENTS):
            one = relays.of[client] = Relay(lab, client, seed * len(CLIENTS) + n)
            stack.callback(one.close)
            stack.callback(one.leave)
            one.enter()
        yield relays
