# SPDX-License-Identifier: GPL-3.0-or-later
"""F1: nothing that is refused passes, and nothing that is allowed is lost, while the policy is changed
in every way that the daemon knows."""
import itertools
import pathlib
import re
import signal
import subprocess
import time

from support import BUILD
from support.network import LAN, SITE, TUNNEL
from support.wait import wait_until
from table import WHERE
from world import DEVICES, PROFILES, device

CHANGES = 500
REFUSED_PORT, ALLOWED_PORT = 7777, 7776  # each kind of the refused has a port of its own
RATE, ALLOWED_RATE = 20000, 2000
FAMILIES = (4, 6)

REFUSED = [("intranet", SITE), ("internet", LAN), ("walled", SITE), ("stranger", SITE),
           ("offline_vpn", SITE), ("custom", SITE), ("full", WHERE["listed"].address),
           ("strict", SITE), ("web", SITE), ("deny_tunnels", WHERE["listed_twice"].address)]
ALLOWED = [("full", SITE), ("intranet", LAN), ("strict", WHERE["fed"].address),
           ("list_off", WHERE["listed"].address)]


def flows(who, to, port, rate, protocols):
    return ["%s,%s,%s,%d,%g" % (protocol, TUNNEL[family] % DEVICES[who], to[family], port, rate)
            for protocol in protocols for family in FAMILIES]


class Flood:
    """The C sender on the devices, and counters where its packets would arrive."""

    def __init__(self, world):
        self.world, self.hosts = world, (world.inet, world.lan)
        refused = [f for i, (who, to) in enumerate(REFUSED)
                   for f in flows(who, to, REFUSED_PORT + i, RATE / len(REFUSED) / 4, ("udp", "syn"))]
        allowed = [f for who, to in ALLOWED
                   for f in flows(who, to, ALLOWED_PORT, ALLOWED_RATE / len(ALLOWED) / 2, ("udp",))]
        self.refused = len(refused)
        for host in self.hosts:
            host.run("nft", "add table inet watch; add counter inet watch refused;"
                     "add counter inet watch allowed;"
                     "add set inet watch ports { type inet_service; flags dynamic; };"
                     "add chain inet watch c { type filter hook prerouting priority -400; };"
                     "add rule inet watch c th dport %d-%d update @ports { th dport counter }"
                     " counter name refused drop;"
                     "add rule inet watch c th dport %d counter name allowed drop"
                     % (REFUSED_PORT, REFUSED_PORT + len(REFUSED) - 1, ALLOWED_PORT))
        self.dropped = backlog_drops()
        self.sender = world.client.start(BUILD / "bin/packet-flood", "120", *refused, *allowed,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.sender.stdout.readline() == "ready\n"

    def arrived(self, name):
        return sum(int(host.run("nft", "list", "counter", "inet", "watch", name)
                       .split("packets ")[1].split()[0]) for host in self.hosts)

    def leaked(self):
        """Who came through: {(device, where to): packets}"""
        found = {}
        for host in self.hosts:
            for port, packets in re.findall(r"(\d+) counter packets (\d+)",
                                            host.run("nft", "list", "set", "inet", "watch", "ports")):
                who, to = REFUSED[int(port) - REFUSED_PORT]
                found[who, to[4]] = found.get((who, to[4]), 0) + int(packets)
        return found

    def stop(self):
        """(refused sent, refused arrived, allowed sent, allowed arrived, lost before the gateway)"""
        out, _ = self.sender.communicate()
        sent = list(map(int, out.split()))
        # What is on its way when the sender ends arrives a moment later.
        allowed = sum(sent[self.refused:])
        end = time.monotonic() + 10
        while allowed - self.arrived("allowed") > backlog_drops() - self.dropped and time.monotonic() < end:
            time.sleep(0.05)
        counts = (sum(sent[:self.refused]), self.arrived("refused"), allowed,
                  self.arrived("allowed"), backlog_drops() - self.dropped)
        return counts

    def close(self):
        if self.sender.poll() is None:
            self.sender.kill()
            self.sender.communicate()
        for host in self.hosts:
            host.run("nft", "delete", "table", "inet", "watch")


def backlog_drops():
    """What the machine's own queues between interfaces had no room for."""
    lines = pathlib.Path("/proc/net/softnet_stat").read_text().splitlines()
    return sum(int(line.split()[1], 16) for line in lines)


class Ways:
    """Every way in which the daemon changes rules; each call is one change, in force on return."""

    def __init__(self, world):
        self.world, self.count = world, itertools.count(100)
        self.all = [self.add_device, self.reload, self.remove_device, self.list_off, self.feed,
                    self.list_default, self.change_device, self.list_on, self.profile,
                    self.add_device, self.remove_device, self.resync, self.lan_prefix,
                    self.switch, self.profile_back, self.lan_prefix_gone, self.switch_gone,
                    self.list_default_back, self.unfeed]
        self.restarts = 0

    def run(self, n):
        done = dict.fromkeys((way.__name__ for way in self.all), 0)
        for i, way in zip(range(n), itertools.cycle(self.all)):
            way()
            done[way.__name__] += 1
            if i % 40 == 39:
                self.restart()
        return done

    def _set(self, topic, record, name):
        self.world.owner.set(topic, {name: record})
        self.world.wait_applied(topic)

    def _remove(self, topic, name):
        if name in self.world.owner.records[topic]:
            self.world.owner.remove(topic, name)
            self.world.wait_applied(topic)

    def add_device(self):
        number = 100 + next(self.count) % 90
        self._set("devices", device("extra", number=number, profile="full"), "extra")

    def remove_device(self):
        self._remove("devices", "extra")

    def change_device(self):
        self._set("devices", device("extra", number=99, profile="internet"), "extra")

    def resync(self):
        self.world.owner.replace("devices", self.world.owner.records["devices"])
        self.world.wait_applied("devices")

    def _feed(self, remove):
        self.world.feed([{"kind": kind, "address": "198.51.100.200", "remove": remove, **more} for kind, more in (
            ("listed", {"list": "games"}), ("strict", {"device": "strict"}), ("renewal", {}))])

    def feed(self):
        self._feed(False)

    def unfeed(self):
        self._feed(True)

    def list_off(self):
        self._set("device_prefs", {"id": "device:internet", "lists_off": ["games"]}, "device:internet")

    def list_on(self):
        self._remove("device_prefs", "device:internet")

    def _list(self, default_on):
        record = dict(self.world.syncd.records["lists"]["spare"], default_on=default_on)
        self.world.syncd.set("lists", {"spare": record})

    def list_default(self):
        self._list(True)

    def list_default_back(self):
        self._list(False)

    def profile(self):
        self._set("profiles", {"name": "custom", "rules": [{"action": "allow", "ports": ["9"]}]}, "custom")

    def profile_back(self):
        self._set("profiles", PROFILES["custom"], "custom")

    def lan_prefix(self):
        self._set("settings", {"id": "lan_prefixes", "value": ["10.0.0.0/8", "fc00::/7"]}, "lan_prefixes")

    def lan_prefix_gone(self):
        self._remove("settings", "lan_prefixes")

    def switch(self):
        self._set("device_prefs", {"id": "device:nosuch", "offline_browser": True}, "device:nosuch")

    def switch_gone(self):
        self._remove("device_prefs", "device:nosuch")

    def reload(self):
        done = self.world.fwd.log().count("reloaded")
        self.world.fwd.send(signal.SIGHUP)
        wait_until(lambda: self.world.fwd.log().count("reloaded") > done)

    def restart(self):
        self.restarts += 1
        self.world.fwd.kill()
        self.world.start_fwd()


def test_no_packet_leaks_and_none_is_lost_while_the_policy_changes(world):
    """F1, F8: 20,000 refused packets/s of all kinds, 500 changes beside them."""
    ways = Ways(world)
    flood = Flood(world)
    try:
        wait_until(lambda: flood.arrived("allowed") > 100, "packets")
        done = ways.run(CHANGES)
        refused_sent, refused, allowed_sent, allowed, dropped = flood.stop()
        leaked = flood.leaked()
    finally:
        flood.close()
    print("%d refused packets sent, %d arrived; %d allowed sent, %d arrived; %d dropped by full queues;"
          " %d restarts, %s" % (refused_sent, refused, allowed_sent, allowed, dropped, ways.restarts, done))
    assert refused == 0, leaked
    assert refused_sent > 2 * RATE  # it ran all the time, however fast the changes were
    assert allowed_sent - allowed <= dropped
