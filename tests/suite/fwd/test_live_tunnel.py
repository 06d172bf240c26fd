# SPDX-License-Identifier: GPL-3.0-or-later
"""Live changes behind a real WireGuard tunnel (wireguard-go), whose packets are joined and split."""
import os
import subprocess
import time

import pytest

from live import Download, serve
from support.net import Host
from support.network import SITE
from support.wait import wait_until
from world import World

PORT = 1501
CUT_S = 1.0 * 10  # F9
INNER = {4: "10.8.0.%d", 6: "fd08::%d"}


class TunnelWorld(World):
    """The device `full` has a second life behind the tunnel `real`."""

    def __init__(self):
        super().__init__()
        self.ours = "flw%da" % (os.getpid() % 100000)
        self.theirs = "flw%db" % (os.getpid() % 100000)

    def configure(self, intercept):
        self.phone = Host()
        self.hosts.append(self.phone)
        self._tunnel()
        super().configure(intercept)
        self.fwd.conf.write_text(self.fwd.conf.read_text() + (
            "[tunnel real]\ninterface = %s\naddresses = 10.8.0.1/24, fd08::1/64\nport = 51999\n"
            % self.ours))
        self.owner.set("devices", {"phone": {
            "id": "phone", "active": True, "tunnel": "real", "profile": "full",
            "addresses": [INNER[4] % 2, INNER[6] % 2]}})

    def respond(self, host, name, *args):
        if name != "gw":
            super().respond(host, name, *args)

    def _tunnel(self):
        self.gw.run("ip", "link", "add", "under", "type", "veth", "peer", "name", "under", "netns",
                    self.phone.sleeper.pid)
        keys = {}
        for host, number, name in ((self.gw, 1, self.ours), (self.phone, 2, self.theirs)):
            host.run("ip", "address", "add", "192.0.2.%d/30" % number, "dev", "under")
            host.run("ip", "link", "set", "under", "up")
            self.children.append(host.start("wireguard-go", "-f", name, stdout=subprocess.DEVNULL,
                                            stderr=subprocess.DEVNULL))
            wait_until(lambda h=host, n=name: h.run("wg", "show", n, check=False), "wireguard-go")
            private = host.run("wg", "genkey")
            keys[number] = host.run("wg", "pubkey", text=private).strip()
            host.run("wg", "set", name, "private-key", "/dev/stdin", "listen-port", "51999",
                     text=private)
            host.run("ip", "link", "set", name, "mtu", "1420", "up")
            for family, bits in ((4, 24), (6, 64)):
                self._address(host, "%s/%d" % (INNER[family] % number, bits), name)
        for host, peer, name, ips in ((self.gw, 2, self.ours, "10.8.0.2/32,fd08::2/128"),
                                      (self.phone, 1, self.theirs, "0.0.0.0/0,::/0")):
            host.run("wg", "set", name, "peer", keys[peer], "allowed-ips", ips, "endpoint",
                     "192.0.2.%d:51999" % peer)
        for family in (4, 6):
            self.phone.run("ip", "-%d" % family, "route", "add", "default", "dev", self.theirs)


@pytest.fixture(scope="module")
def tunnel():
    one = TunnelWorld()
    try:
        one.up()
        serve(one, one.inet, PORT, SITE.values())
        serve(one, one.gw, 443, [INNER[family] % 1 for family in (4, 6)])
        one.client = one.phone
        yield one
    finally:
        one.down()


class Phone(Download):
    SOURCES = INNER


@pytest.fixture
def phone(tunnel):
    """phone(to, port) → a download, and phone.set(fields)"""
    record = dict(tunnel.owner.records["devices"]["phone"])
    made = []

    def make(*args):
        made.append(Phone(tunnel, "full", *args))
        return made[-1]
    make.set = lambda **fields: tunnel.owner.set("devices", {"phone": dict(record, **fields)})
    yield make
    for one in made:
        one.close()
    make.set()
    tunnel.owner.set("device_prefs", {"device:phone": {"id": "device:phone"}})
    tunnel.wait_applied("devices")
    tunnel.wait_applied("device_prefs")


def assert_reset(one, start):
    end = one.wait()
    print("reset after %.3f s, last bytes after %.3f s, %d MB" % (
        end["at"] - start, end["last"] - start, end["bytes"] >> 20))
    assert end["end"] == "ECONNRESET"
    assert end["at"] - start < CUT_S


@pytest.mark.parametrize("family", [4, 6])
def test_a_download_through_wireguard_fails_at_once(phone, family):
    """F9: segments that were joined on the way are one reset, or several; the socket fails."""
    one = phone(SITE[family], PORT)
    start = time.monotonic()
    phone.set(profile="intranet")
    assert_reset(one, start)


@pytest.mark.parametrize("family", [4, 6])
def test_a_download_from_the_gateway_fails_at_once(tunnel, phone, family):
    """F9: what is redirected to the gateway or goes there: the acknowledgements are refused."""
    one = phone(INNER[family] % 1, 443)
    start = time.monotonic()
    tunnel.owner.set("device_prefs", {"device:phone": {"id": "device:phone",
                                                       "offline_vpn": True}})
    assert_reset(one, start)
