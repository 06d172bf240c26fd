# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway between devices, a LAN and an Internet, in network namespaces of the test's own.

The interface wgT is a veth, so that packets with any source address can be sent.
"""
import pathlib
import shutil
import tempfile

from .net import Host
from .redis import Redis

TUNNEL = {4: "10.9.0.%d", 6: "fd09::%d"}
GATEWAY = {4: "10.9.0.1", 6: "fd09::1"}
LAN = {4: "10.77.0.5", 6: "fd77::5"}
LAN_GATEWAY = {4: "10.77.0.1", 6: "fd77::1"}
UPLINK = {4: "203.0.113.1", 6: "2001:db8:1::1"}
UPLINK_PEER = {4: "203.0.113.2", 6: "2001:db8:1::2"}
SITE = {4: "198.51.100.10", 6: "2001:db8:100::10"}
QUAD9 = {4: "9.9.9.9", 6: "2620:fe::fe"}


class Network:
    """The hosts gw, client (all devices), lan and inet, and a Redis; up() once, down() always."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="culvert-"))
        self.dir.chmod(0o755)
        self.hosts = []
        self.redis = Redis(self.dir)

    def up(self, devices):
        """devices: the last numbers of their addresses."""
        self.redis.start()
        for _ in range(4):
            self.hosts.append(Host())
        self.gw, self.client, self.lan, self.inet = self.hosts
        for host in self.hosts:
            host.write("/proc/sys/net/ipv6/conf/default/accept_dad", 0)
            host.write("/proc/sys/net/ipv6/conf/all/disable_ipv6", 0)
        # Each refusal is said: what is tried is the rules, not the kernel's limit of ICMP errors, which is six to a host
        # and then one a second.
        for name, value in (("ipv4/icmp_ratelimit", 0), ("ipv6/icmp/ratelimit", 0)):
            self.gw.write("/proc/sys/net/" + name, value)
        # Not every kernel has these for a namespace of its own.
        for name, value in (("msgs_per_sec", 100000), ("msgs_burst", 10000)):
            self.gw.run("sh", "-c", "echo %d > /proc/sys/net/ipv4/icmp_%s" % (value, name), check=False)
        for name, other, far in (("wgT", self.client, "wg0"), ("lan0", self.lan, "eth0"),
                                 ("up0", self.inet, "eth0")):
            self.gw.run("ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns",
                        other.sleeper.pid)
            self.gw.run("ip", "link", "set", name, "up")
            other.run("ip", "link", "set", far, "up")
        for family, bits in ((4, 24), (6, 64)):
            for name, address in (("wgT", GATEWAY), ("lan0", LAN_GATEWAY), ("up0", UPLINK)):
                self._address(self.gw, "%s/%d" % (address[family], bits), name)
            self._address(self.lan, "%s/%d" % (LAN[family], bits), "eth0")
            self._address(self.inet, "%s/%d" % (UPLINK_PEER[family], bits), "eth0")
            for extra in (SITE, QUAD9):
                self._address(self.inet, extra[family], "lo")
            for number in devices:
                self._address(self.client, "%s/%d" % (TUNNEL[family] % number,
                                                      32 if family == 4 else 128), "wg0")
            inet = "-%d" % family
            self.client.run("ip", inet, "route", "add", "default", "via", GATEWAY[family], "dev",
                            "wg0", "onlink")
            self.lan.run("ip", inet, "route", "add", "default", "via", LAN_GATEWAY[family])
            self.gw.run("ip", inet, "route", "add", "default", "via", UPLINK_PEER[family])
            self.inet.run("ip", inet, "route", "add", "default", "via", UPLINK[family])

    @staticmethod
    def _address(host, address, name):
        words = ["nodad"] if ":" in address else []
        host.run("ip", "address", "add", address, "dev", name, *words)

    def down(self):
        self.redis.stop()
        for host in self.hosts:
            host.close()
        shutil.rmtree(self.dir, ignore_errors=True)
