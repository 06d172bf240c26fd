# SPDX-License-Identifier: GPL-3.0-or-later
"""While rules are gone nothing of a device is forwarded, and while they are changed nothing but for the moment until
fwd hears of it; forwarding is restored (F8, F11)."""
import json
import os
import time

import pytest

from support.network import GATEWAY, LAN, SITE, TUNNEL
from support.wait import wait_until
from world import DEVICES, PYTHON, QUIET_S

HEAL_S = 1.0 * 10  # F11
FAMILIES = (4, 6)

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


@pytest.fixture(scope="module", autouse=True)
def guarded(world):
    world.fwd.stop()
    world.configure(world.intercept, "route_guard = yes\n")
    world.start_fwd()


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
    try:
        begin = refused()
        wait_until(lambda: refused() > begin + 1000, "flood")
        yield leaked
    finally:
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


# Where a packet is between the hooks at the moment of the commit it has passed the one and finds the other empty: one
# a processor at most, since nothing else runs there meanwhile.
UNDER_WAY = os.cpu_count()
ROUNDS = 20


def test_a_flush_lets_nothing_through(world, flood):
    """F11: 20 times; whoever flushes all rules also flushes the mark without which nothing is routed."""
    took, leaks, rates = [], [], []
    for _ in range(ROUNDS):
        before, rx, start = flood(), received(world), time.monotonic()
        world.nft("flush ruleset")
        wait_until(lambda: table_is_whole(world), "healed", HEAL_S)
        took.append(time.monotonic() - start)
        leaks.append(flood() - before)
        rates.append((received(world) - rx) / took[-1])
        wait_until(lambda: forwards(world), "forwarding", HEAL_S)
    print("healed within %.0f to %.0f ms; %d packets left of %.0f/s in all, %d at most after a flush"
          % (min(took) * 1000, max(took) * 1000, sum(leaks), sum(rates) / ROUNDS, max(leaks)))
    assert max(leaks) <= UNDER_WAY, leaks
    settled = flood()
    begin = received(world)
    wait_until(lambda: received(world) > begin + 5000, "flood")
    assert flood() == settled
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"


def forwards(world):
    return [world.gw.read("/proc/sys/net/" + name) for name in
            ("ipv4/conf/wgT/forwarding", "ipv6/conf/all/forwarding")] == ["1", "1"]


def test_nothing_leaks_while_fwd_cannot_heal(world, flood):
    """F11: forwarding is off until the rules are whole: here another program destroys them all the time."""
    breaker = world.gw.start("sh", "-c", "while nft flush ruleset; do :; done")
    try:
        wait_until(lambda: not forwards(world), "off", HEAL_S)
    finally:
        breaker.kill()
        breaker.wait()
    wait_until(lambda: table_is_whole(world) and forwards(world), "healed", HEAL_S)
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"


def test_nothing_leaks_while_fwd_is_dead_and_its_rules_are_gone(world, flood):
    """F8, F11: what the gateway answers is reached all the time."""
    before = flood()
    world.fwd.kill()
    try:
        world.nft("flush ruleset")
        through(world, 10000)
        assert flood() - before <= UNDER_WAY
        assert forwards(world)  # it is not that which holds them back
        for family in FAMILIES:
            assert world.probe_one("full", GATEWAY[family], "tcp", 53)[0] == "answer"
            assert world.probe_one("full", SITE[family], "tcp", 1234, patience=QUIET_S)[0] != "answer"
    finally:
        world.start_fwd()
    for family in FAMILIES:
        assert world.probe_one("full", SITE[family], "tcp", 1234)[0] == "answer"


def through(world, packets):
    """Until so many more have come from devices."""
    begin = received(world)
    wait_until(lambda: received(world) > begin + packets, "flood")


def test_a_start_without_rules_begins_with_forwarding_off(world, flood):
    """F8: also where another program has taken away both the rules and what guards without them."""
    world.fwd.kill()
    for family in FAMILIES:
        world.gw.run("ip", "-%d" % family, "rule", "flush", "protocol", PROTOCOL)
    world.nft("flush ruleset")
    world.forget_status()
    world.redis.pause()
    try:
        world.fwd.start()
        wait_until(lambda: table_is_whole(world), "rules", HEAL_S)
        settled = flood()
        through(world, 5000)
        assert flood() == settled
        assert [len(guards(world, family)) for family in FAMILIES] == [1, 1]
    finally:
        world.redis.resume()
    world.wait_applied("devices")
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"


# ---- the guard of routing ----

PROTOCOL, UNREACHABLE = "67", "7"


def rules(world, family):
    return json.loads(world.gw.run("ip", "-N", "-j", "-%d" % family, "rule"))


def guards(world, family):
    """The priorities of the rules that let nothing unmarked from the tunnel be routed."""
    return [rule["priority"] for rule in rules(world, family) if rule.get("protocol") == PROTOCOL and
            rule.get("iif") == "wgT" and rule.get("fwmark") == "0" and rule.get("action") == UNREACHABLE]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("command", ["flush protocol " + PROTOCOL, "flush"])
def test_the_guard_comes_back(world, family, command):
    """F11: taken away by another program, and told of."""
    ip = ["ip", "-%d" % family, "rule"]
    kept = [rule for rule in rules(world, family) if rule["priority"] >= 32766]
    with world.redis.connect() as listener:
        listener("SUBSCRIBE", "culvert:event:fwd:alarm")
        world.gw.run(*ip, *command.split())
        try:
            wait_until(lambda: guards(world, family), "the guard", HEAL_S)
            wait_until(lambda: "routing_changed" in listener.read()[2], "alarm")
        finally:
            for rule in kept if command == "flush" else ():
                world.gw.run(*ip, "add", "priority", rule["priority"], "lookup", rule["table"])
    assert world.redis.status_now("fwd")["guarded"] is True
    assert world.probe_one("full", SITE[family], "tcp", 1234)[0] == "answer"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_guard_stands_before_the_rules_of_others(world, family):
    """F11: which are left alone, wherever they stand; one that came first would route what is to be stopped."""
    def foreign():
        return [rule for rule in rules(world, family) if rule.get("protocol") != PROTOCOL]
    ip = ["ip", "-%d" % family, "rule"]
    others = [["priority", "5", "lookup", "main"], ["iif", "wgT", "fwmark", "0/0x10", "unreachable"],
              ["priority", "1", "lookup", "main"]]
    try:
        for other in others:
            world.gw.run(*ip, "add", *other)
            kept = foreign()
            first = min(rule["priority"] for rule in kept if rule["priority"])
            wait_until(lambda: len(guards(world, family)) == 1 and guards(world, family)[0] < first, "moved", HEAL_S)
            assert foreign() == kept
        assert [rule["priority"] for rule in rules(world, family)][:2] == [0, 0]
        assert rules(world, family)[0]["table"] == "255"  # the gateway's own addresses
        assert world.probe_one("full", SITE[family], "tcp", 1234)[0] == "answer"
        assert world.probe_one("full", GATEWAY[family], "tcp", 53)[0] == "answer"
    finally:
        for other in others:
            world.gw.run(*ip, "del", *other, check=False)


def test_the_guard_holds_before_another_s_rule_that_routes_all(world, flood):
    """F11: with a table of the other's, fwd dead and all its rules gone."""
    world.gw.run("ip", "rule", "add", "priority", "100", "lookup", "main")
    try:
        wait_until(lambda: guards(world, 4) and guards(world, 4)[0] < 100, "moved", HEAL_S)
        before = flood()
        world.fwd.kill()
        world.nft("flush ruleset")
        through(world, 10000)
        assert flood() - before <= UNDER_WAY
    finally:
        world.gw.run("ip", "rule", "del", "priority", "100")
        world.start_fwd()
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"


@pytest.mark.parametrize("mode", [1, 2])
def test_the_guard_lets_replies_through_rp_filter(world, mode):
    """The kernel asks for the way back of each reply, as if the device had sent it."""
    path = "/proc/sys/net/ipv4/conf/all/rp_filter"
    was = world.gw.read(path)
    world.gw.write(path, mode)
    try:
        for to, protocol in ((SITE[4], "tcp"), (SITE[4], "udp"), (SITE[4], "icmp"), (LAN[4], "tcp")):
            who = "intranet" if to == LAN[4] else "full"
            assert world.probe_one(who, to, protocol, 1234)[0] == "answer", (to, protocol)
    finally:
        world.gw.write(path, was)


def test_a_rule_of_a_tunnel_that_is_no_more_goes(world):
    """Another configuration's, or not as it should be: nothing is stopped for ever."""
    world.gw.run("ip", "rule", "add", "priority", "31000", "iif", "wgOld", "fwmark", "0/0x04000000", "protocol", PROTOCOL,
                 "unreachable")
    world.gw.run("ip", "rule", "add", "priority", "31001", "iif", "wgT", "protocol", PROTOCOL, "unreachable")
    wait_until(lambda: [r["priority"] for r in rules(world, 4) if r.get("protocol") == PROTOCOL] == guards(world, 4) and
               len(guards(world, 4)) == 1, "gone", HEAL_S)
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"


@pytest.mark.parametrize("masquerade, is_guarded", [("yes", False), ("no", True)])
def test_the_guard_is_there_where_answers_find_the_way_back(world, masquerade, is_guarded):
    """route_guard = auto: and the rules of a former configuration go."""
    world.fwd.stop()
    world.configure(world.intercept, "masquerade = %s\n" % masquerade)
    world.start_fwd()
    wait_until(lambda: world.redis.status_now("fwd")["guarded"] is is_guarded, "status")
    assert [len(guards(world, family)) for family in FAMILIES] == [int(is_guarded)] * 2
    assert ("mark set" in world.nft("list", "chain", "inet", "culvert", "route_in")) is is_guarded
    world.fwd.stop()
    world.configure(world.intercept, "route_guard = yes\n")
    world.start_fwd()


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
        wait_until(lambda: "forwarding" in listener.read()[2], "alarm")
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"
