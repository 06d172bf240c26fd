# SPDX-License-Identifier: GPL-3.0-or-later
"""fwd on a gateway, with something that answers everywhere and probes from the devices."""
import json
import os
import subprocess

from feed import Feed
from support.bus import Owner
from support.network import GATEWAY, TUNNEL, Network
from support.process import Daemon
from support.wait import wait_until
from table import CUSTOM, GATEWAY_PORTS, INET_PORTS, LISTS, WHERE, WHO, Who

HERE = os.path.dirname(os.path.realpath(__file__))
PYTHON = "/usr/bin/python3"
UID, PROXYD_UID = 64102, 64104

# Devices and the last number of their addresses.
DEVICES = {name: who.number for name, who in WHO.items()}
PORTS = ",".join(map(str, INET_PORTS))
READY = "started version="
# Seconds until a probe that nobody answers is believed, and those for one that somebody does.
QUIET_S, PATIENCE_S = 2.5, 15


def device(name, number=None, **fields):
    """A device's record; what the table says of the name, changed by fields."""
    who = WHO.get(name, Who(0))
    number = number or who.number
    record = {"id": name, "active": True, "tunnel": "mitm",
              "addresses": [TUNNEL[4] % number, TUNNEL[6] % number], "profile": who.profile}
    if not who.v6:
        record["v6"] = False
    if who.strict:
        record["strict"] = True
    if who.egress != "off":
        record["egress"] = who.egress
    if name == "inactive":
        record["active"] = False
    if name == "expired":
        record["expires_at"] = 1000
    record.update(fields)
    return record


def first_devices():
    return {name: device(name) for name, who in WHO.items() if who.known}


def first_prefs():
    prefs = {}
    for name, who in WHO.items():
        pref = {s: True for s in ("offline_vpn", "offline_browser") if getattr(who, s)}
        if who.lists_off:
            pref["lists_off"] = list(who.lists_off)
        if pref:
            prefs["device:" + name] = dict(pref, id="device:" + name)
    return prefs


def first_lists():
    return {name: {"id": name, "title": name, "by_address": True, "bit": bit, "count": 1, **facts}
            for bit, (name, facts) in enumerate(LISTS.items())}


def first_feed():
    """What dnsd has seen: the addresses in the table, not their NAT64 forms."""
    entries = []
    for name, where in WHERE.items():
        for address in where.address.values() if not name.startswith("nat64_") else ():
            entries += [{"kind": "listed", "address": address, "list": one} for one in where.lists]
            if where.fed:
                entries += [{"kind": "strict", "address": address, "device": device}
                            for device, who in WHO.items() if who.strict]
            if where.renewal:
                entries.append({"kind": "renewal", "address": address})
    return entries


PROFILES = {"custom": {"name": "custom", "rules": CUSTOM}}


class World(Network):
    """Everything; up() once, down() always."""

    def __init__(self, intercept=False):
        super().__init__()
        self.intercept = intercept
        self.children = []
        self.fwd = None

    def up(self):
        super().up(DEVICES.values())
        self._addresses()
        self._responders()
        self.owner = Owner(self.redis, ("groups", "settings"))
        self.owner.replace("profiles", PROFILES)
        self.owner.replace("device_prefs", first_prefs())
        self.owner.replace("devices", first_devices())
        self.syncd = Owner(self.redis, (), "syncd")
        self.syncd.replace("lists", first_lists())
        self.configure(self.intercept)
        self.start_fwd()
        self.feed(first_feed())

    def _addresses(self):
        for where in WHERE.values():
            for address in where.address.values() if where.host == "inet" else ():
                self.inet.run("ip", "address", "replace", address, "dev", "lo")
        self.client.write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647")

    def down(self):
        try:
            if self.fwd:
                self.fwd.stop()
        finally:
            for child in self.children:
                child.kill()
                child.wait()
            super().down()

    def respond(self, host, name, ports, addresses):
        child = host.start(PYTHON, os.path.join(HERE, "responder.py"), name, ports, *addresses,
                           stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        assert child.stdout.readline() == "ready\n", name

    def _responders(self):
        for name, host in (("lan", self.lan), ("inet", self.inet)):
            self.respond(host, name, PORTS, sorted({a for w in WHERE.values() if w.host == name
                                                     for a in w.address.values()}))
        self.respond(self.gw, "gw", ",".join(map(str, GATEWAY_PORTS)), ["0.0.0.0", "::"])

    def configure(self, intercept, more="", bus=""):
        conf = self.dir / "culvert.conf"
        conf.write_text("[culvert]\nstate_dir = %s/state\ncache_dir = %s/cache\n"
                        "[bus]\nredis = unix:%s\n%s"
                        "[tunnel mitm]\ninterface = wgT\naddresses = %s/24, %s/64\n"
                        "[fwd]\nuser = %d\nredis_password_file = %s\nintercept = %s\nproxyd_user = %d\n%s" % (
                            self.dir, self.dir, self.redis.socket, bus, GATEWAY[4], GATEWAY[6], UID,
                            self.redis.password_file("fwd", UID), "yes" if intercept else "no", PROXYD_UID,
                            more))
        self.fwd = Daemon("fwd", conf, self.dir / "fwd.log", self.gw)

    def forget_status(self):
        """Of a former run: it says nothing of the next one."""
        self.redis("DEL", "culvert:status:fwd:1")

    def start_fwd(self, **options):
        """Until it enforces what there is."""
        before = self.fwd.log().count(READY)
        self.forget_status()
        self.fwd.start(**options)
        wait_until(lambda: self.fwd.log().count(READY) > before or not self.fwd.is_running(), "start")
        self.wait_applied("devices")
        self.wait_applied("profiles")
        self.wait_applied("lists", owner=self.syncd)

    def feed(self, entries):
        """In force on return."""
        with Feed(self.redis) as feed:
            result = feed.send(entries)
        assert result == {"applied": len(entries), "refused": 0}, result

    def status(self):
        return self.redis.status("fwd")

    def wait_applied(self, topic, gen=None, owner=None):
        """Until fwd says that it enforces the generation (by default the last one) of the owner (by default apid)."""
        owner = owner or self.owner
        gen = gen or owner.stamps[topic]["gen"]

        def applied():
            assert self.fwd.is_running(), self.fwd.log()
            return self.redis.applied("fwd", topic, owner.owner) >= gen
        try:
            wait_until(applied, "generation %d of %s" % (gen, topic))
        except AssertionError as late:
            raise AssertionError("%s\n%s\n%s" % (late, self.status(), self.fwd.log()[-1500:])) from None

    def probe(self, probes, patience=PATIENCE_S):
        """[(device, destination, protocol, port)] → [(verdict, seconds, detail)]; patience: for all, or one for each."""
        each = patience if isinstance(patience, list) else [patience] * len(probes)
        wire = [[TUNNEL[6 if ":" in to else 4] % DEVICES[who], to, protocol, port, seconds]
                for (who, to, protocol, port), seconds in zip(probes, each)]
        out = self.client.run(PYTHON, os.path.join(HERE, "prober.py"), text=json.dumps(wire))
        return [tuple(one) for one in json.loads(out)]

    def probe_one(self, *probe, patience=PATIENCE_S):
        return self.probe([probe], patience)[0]

    def nft(self, *words):
        return self.gw.run("nft", *words)
