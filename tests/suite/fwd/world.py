# SPDX-License-Identifier: GPL-3.0-or-later
"""fwd on a gateway, with something that answers everywhere and probes from the devices."""
import json
import os
import subprocess

from support.bus import Owner
from support.network import GATEWAY, LAN, QUAD9, SITE, TUNNEL, UPLINK_PEER, Network
from support.process import Daemon
from support.wait import wait_until

HERE = os.path.dirname(os.path.realpath(__file__))
PYTHON = "/usr/bin/python3"
UID = 64102

# Devices and the last number of their addresses.
DEVICES = {"full": 2, "internet": 3, "intranet": 4, "walled": 5, "offline_vpn": 6,
           "offline_browser": 7, "both": 8, "custom": 9, "nosuch": 10, "no_v6": 11, "expired": 12,
           "inactive": 13, "stranger": 66}
NOBODY = {4: "10.9.0.200", 6: "fd09::200"}  # another device
PORTS = "53,80,443,853,1234,1500"


def device(name, number=None, **fields):
    number = number or DEVICES[name]
    record = {"id": name, "active": True, "tunnel": "mitm",
              "addresses": [TUNNEL[4] % number, TUNNEL[6] % number], "profile": name}
    record.update(fields)
    return record


def first_devices():
    devices = {name: device(name) for name in ("full", "internet", "intranet", "walled", "custom",
                                               "nosuch")}
    for name in ("offline_vpn", "offline_browser", "both"):
        devices[name] = device(name, profile="full")
    devices["no_v6"] = device("no_v6", profile="full", v6=False)
    devices["expired"] = device("expired", profile="full", expires_at=1000)
    devices["inactive"] = device("inactive", profile="full", active=False)
    return devices


PROFILES = {"custom": {"name": "custom", "rules": [
    {"action": "block", "ports": ["1500"]},
    {"action": "allow", "prefixes": [SITE[4] + "/32", SITE[6] + "/128"], "protocols": ["tcp"],
     "ports": ["1200-1600"]},
    {"action": "allow", "prefixes": ["10.77.0.0/24"], "protocols": ["udp"]}]}}


class World(Network):
    """Everything; up() once, down() always."""

    def __init__(self, intercept=False):
        super().__init__()
        self.intercept = intercept
        self.children = []
        self.fwd = None

    def up(self):
        super().up(DEVICES.values())
        self._responders()
        self.owner = Owner(self.redis, ("groups", "settings"))
        self.owner.replace("profiles", PROFILES)
        self.owner.replace("device_prefs", {
            "device:offline_vpn": {"id": "device:offline_vpn", "offline_vpn": True},
            "device:offline_browser": {"id": "device:offline_browser", "offline_browser": True},
            "device:both": {"id": "device:both", "offline_vpn": True, "offline_browser": True}})
        self.owner.replace("devices", first_devices())
        self.configure(self.intercept)
        self.start_fwd()

    def down(self):
        try:
            if self.fwd:
                self.fwd.stop()
        finally:
            for child in self.children:
                child.kill()
                child.wait()
            super().down()

    def _respond(self, host, name, ports, addresses):
        child = host.start(PYTHON, os.path.join(HERE, "responder.py"), name, ports, *addresses,
                           stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        assert child.stdout.readline() == "ready\n", name

    def _responders(self):
        both = (4, 6)
        self._respond(self.lan, "lan", PORTS, [LAN[f] for f in both])
        self._respond(self.inet, "inet", PORTS,
                      [a[f] for a in (SITE, QUAD9, UPLINK_PEER) for f in both])
        self._respond(self.gw, "gw", "22,53,80,443,3128,3129,8080,8443,8444",
                      ["0.0.0.0", "::"])

    def configure(self, intercept):
        conf = self.dir / "culvert.conf"
        conf.write_text("[culvert]\nstate_dir = %s/state\ncache_dir = %s/cache\n"
                        "[bus]\nredis = unix:%s\n"
                        "[tunnel mitm]\ninterface = wgT\naddresses = %s/24, %s/64\n"
                        "[fwd]\nuser = %d\nredis_password_file = %s\nintercept = %s\n" % (
                            self.dir, self.dir, self.redis.socket, GATEWAY[4], GATEWAY[6], UID,
                            self.redis.password_file("fwd", UID), "yes" if intercept else "no"))
        self.fwd = Daemon("fwd", conf, self.dir / "fwd.log", self.gw)

    def start_fwd(self):
        self.fwd.start()
        self.wait_applied("devices")
        self.wait_applied("profiles")

    def status(self):
        return self.redis.status("fwd")

    def wait_applied(self, topic, gen=None):
        """Until fwd says that it enforces the generation (by default the last one)."""
        gen = gen or self.owner.stamps[topic]["gen"]

        def applied():
            assert self.fwd.is_running(), self.fwd.log()
            return self.redis.applied("fwd", topic) >= gen
        wait_until(applied, "generation %d of %s" % (gen, topic), 10)

    def probe(self, probes):
        """[(device, destination, protocol, port)] → [(verdict, seconds, detail)]"""
        wire = [[TUNNEL[6 if ":" in to else 4] % DEVICES[who], to, protocol, port]
                for who, to, protocol, port in probes]
        out = self.client.run(PYTHON, os.path.join(HERE, "prober.py"), text=json.dumps(wire))
        return [tuple(one) for one in json.loads(out)]

    def probe_one(self, *probe):
        return self.probe([probe])[0]

    def nft(self, *words):
        return self.gw.run("nft", *words)
