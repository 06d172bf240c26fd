# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of a device passes while the table is gone; routing is restored (F8, F11)."""
import json
import time

import pytest

from support.network import LAN, SITE, TUNNEL
from support.wait import wait_until
from world import DEVICES, PYTHON

HEAL_S = 1.0 * 10  # F11

# Datagrams and SYNs from one address to others, as fast as it goes.
FLOOD = """
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
while True:
    for to in sys.argv[2:]:
        for port in (1234, 53, 853, 4444):
            try:
                s.sendto(b'x', (to, port))
            except OSError:
                pass
"""
WATCH = ("add table inet watch; add chain inet watch c { type filter hook prerouting priority -400; };"
         "add rule inet watch c ip saddr 10.9.0.0/24 counter;"
         "add rule inet watch c ip6 saddr fd09::/64 counter;")


@pytest.fixture
def flood(world):
    """Devices send; flood() is how many packets arrived that must not."""
    for host in (world.inet, world.lan):
        host.run("nft", WATCH)
    children = [world.client.start(PYTHON, "-c", FLOOD, TUNNEL[family] % DEVICES[who], SITE[family],
                                   LAN[family])
                for who in ("full", "walled", "stranger") for family in (4, 6)]

    def leaked():
        total = 0
        for host in (world.inet, world.lan):
            for line in host.run("nft", "list", "chain", "inet", "watch", "c").splitlines():
                if "saddr" in line:
                    total += int(line.split("packets ")[1].split()[0])
        return total

    def refused():
        """It flows."""
        text = world.nft("list", "counter", "inet", "culvert", "unknown_source")
        return int(text.split("packets ")[1].split()[0])
    begin = refused()
    wait_until(lambda: refused() > begin + 1000, "flood")
    yield leaked
    for child in children:
        child.kill()
        child.wait()
    for host in (world.inet, world.lan):
        host.run("nft", "delete", "table", "inet", "watch")


def received(world):
    """Packets from devices so far."""
    link = json.loads(world.gw.run("ip", "-s", "-j", "link", "show", "wgT"))[0]
    return link["stats64"]["rx"]["packets"]


def table_is_whole(world):
    return "chain nat_out" in world.gw.run("nft", "list", "table", "inet", "culvert", check=False)


def test_nothing_leaks_between_a_flush_and_its_heal(world, flood):
    """F11: 20 times; no packet with a device's own address leaves the gateway."""
    took = []
    for _ in range(20):
        world.nft("flush ruleset")
        start = time.monotonic()
        wait_until(lambda: table_is_whole(world), "healed", HEAL_S)
        took.append(time.monotonic() - start)
    print("healed within %.0f to %.0f ms" % (min(took) * 1000, max(took) * 1000))
    assert flood() == 0


def test_nothing_leaks_while_fwd_is_dead_and_the_table_gone(world, flood):
    """F8, F11: no rules and nobody to restore them, until fwd is back with all of them."""
    world.fwd.kill()
    try:
        world.nft("flush ruleset")
        begin = received(world)
        wait_until(lambda: received(world) > begin + 5000, "flood")
        assert flood() == 0
        assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "silence"
        # It is the barrier that holds them.
        world.gw.run("ip", "rule", "del", "pref", "10")
        wait_until(lambda: flood() > 100, "leak")
    finally:
        world.start_fwd()
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"


@pytest.mark.parametrize("name", ["ipv4/ip_forward", "ipv6/conf/all/forwarding",
                                  "ipv4/conf/wgT/forwarding"])
def test_forwarding_comes_back(world, name):
    """F11: switched off by another program."""
    path = "/proc/sys/net/" + name
    with world.redis.connect() as listener:
        listener("SUBSCRIBE", "culvert:event:fwd:alarm")
        world.gw.write(path, 0)
        start = time.monotonic()
        wait_until(lambda: world.gw.read(path) == "1", "forwarding", HEAL_S)
        print("restored after %.3f s" % (time.monotonic() - start))
        assert "forwarding" in listener.read()[2]
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"


def barrier(world):
    return [line for family in ("-4", "-6")
            for line in world.gw.run("ip", family, "rule").splitlines() if "blackhole" in line]


def test_the_barrier_comes_back(world):
    """F11"""
    before = barrier(world)
    assert len(before) == 2 and all("iif wgT" in line for line in before)
    with world.redis.connect() as listener:
        listener("SUBSCRIBE", "culvert:event:fwd:alarm")
        for family in ("-4", "-6"):
            world.gw.run("ip", family, "rule", "del", "pref", "10")
        wait_until(lambda: barrier(world) == before, "barrier", HEAL_S)
        assert "barrier" in listener.read()[2]


def test_an_old_barrier_goes(world):
    """Of a tunnel that the configuration has no more."""
    world.fwd.stop()
    world.gw.run("ip", "rule", "add", "pref", "10", "iif", "gone0", "fwmark", "0/0xff", "blackhole",
                 "protocol", "201")
    world.gw.run("ip", "rule", "add", "pref", "11", "iif", "other0", "blackhole")
    world.start_fwd()
    wait_until(lambda: not any("gone0" in line for line in barrier(world)), "old rule gone")
    assert any("other0" in line for line in barrier(world))
    world.gw.run("ip", "rule", "del", "pref", "11")
