# SPDX-License-Identifier: GPL-3.0-or-later
"""Does anything get through that must not, while units come and go? From a device, without pause; and at the Internet's
end, where no packet of a tunnel's address is ever to be seen."""
import json
import socket
import threading

from chaos import find_leaks
from crowdlib import place
import latencylib
import walklib

# What a device must not reach whatever runs: another resolver over TLS, the LAN.
CLOSED = (("1.1.1.1", 853), (walklib.LAN[0], 80))
COUNTER = """table inet leakwatch {
	chain seen {
		type filter hook prerouting priority -300;
		ip saddr 10.9.0.0/16 counter
		ip6 saddr fd09::/64 counter
	}
}
"""


def _is_open(address, port):
    try:
        socket.create_connection((address, port), 2).close()
        return True
    except OSError:
        return False


def _look():
    return find_leaks() + ["%s port %d is open" % where for where in CLOSED if _is_open(*where)]


def _works():
    return latencylib.dns("allowed.example") and latencylib.app443("allowed.example")


class LeakWatch:
    """with LeakWatch(lab) as w: …; afterwards w.check()."""

    def __init__(self, lab):
        self.lab, self.leaks, self.looks = lab, [], 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self.lab.run("inet", "nft", "-f", "-", data=COUNTER)
        self.phone = place(self.lab, "phone")
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join()
        self.phone.close()
        text = self.lab.run("inet", "nft", "-j", "list", "table", "inet", "leakwatch").stdout
        self.lab.run("inet", "nft", "delete", "table", "inet", "leakwatch")
        counters = [e["counter"] for r in json.loads(text)["nftables"] if "rule" in r
                    for e in r["rule"]["expr"] if "counter" in e]
        assert len(counters) == 2
        self.untranslated = sum(c["packets"] for c in counters)

    def _watch(self):
        while not self.over.is_set():
            try:
                self.leaks += self.phone.call(_look)
            except OSError as exc:  # the link itself is down: nothing passes
                self.leaks += [] if exc.errno in (19, 99, 101, 113) else ["watch: %r" % exc]
            self.looks += 1
            self.over.wait(0.05)

    def works(self):
        """Does what is allowed work? In the caller's thread, from a device."""
        other = place(self.lab, "phone")
        try:
            return other.call(_works)
        finally:
            other.close()

    def check(self, looks=3, moments=False):
        """moments: packets, but no answers, may have passed for a moment, how long suite fwd measures."""
        assert self.leaks == [] and (moments or self.untranslated == 0), (self.leaks, self.untranslated)
        assert self.looks >= looks, "looked %d times" % self.looks
