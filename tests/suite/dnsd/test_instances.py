# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes on the same addresses (SO_REUSEPORT); both families (D1, D13)."""
import json
import socket

import pytest

import bulk
from bulk import BLOCKED, PASSED
from dnsdlib import GATEWAY, LAPTOP, PHONE, addresses
from support.process import Daemon
from support.wait import wait_until

FLOWS, RATE, SECONDS = 8, 100, 4


@pytest.fixture
def fast():
    upstream = bulk.FastUpstream()
    yield upstream
    upstream.close()


@pytest.fixture
def two(make_world, fast):
    """(world, the second dnsd), both with the policy in force."""
    world = make_world(fast.url)
    text = (world.run / "culvert.conf").read_text()
    system = "system=127.0.0.1:%d" % world.system
    (world.run / "second.conf").write_text(text.replace(system, "instance=2\n" + system))
    second = Daemon("dnsd", world.run / "second.conf", world.run / "second.log")
    world.up()
    second.start()
    try:
        wait_until(lambda: in_force(world, 2), "the second in force")
        yield world, second
    finally:
        second.stop()


def in_force(world, instance):
    """All that is published: what it has from the disk that both have may be older, and be without the list."""
    applied = json.loads(world.redis("GET", "culvert:status:dnsd:%d" % instance) or "{}").get("applied", {})

    def published(topic, owner):
        return json.loads(world.redis("HGET", "culvert:gens:" + owner, topic))["gen"]
    return all(applied.get("%s:%s" % of, 0) >= published(*of)
               for of in (("domainset", "syncd"), ("lists", "syncd"), ("devices", "apid")))


def each_is_blocked(world, count=200):
    """From so many ports, so that each process is asked."""
    for i in range(count):
        answer = bulk.ask_all((GATEWAY, world.port), PHONE, ["i%d.listed.example" % i])
        assert set(answer.values()) == {BLOCKED}


def test_each_of_two_enforces_the_policy_and_its_changes(two):
    """D1, D3"""
    world, _ = two
    each_is_blocked(world)
    world.bus.set("device_prefs", {"device:phone": {"id": "device:phone", "lists_off": ["adblock"]}})
    wait_until(lambda: all(bulk.ask_all((GATEWAY, world.port), PHONE, ["c%d.listed.example" % i]) ==
                           {"c%d.listed.example" % i: PASSED} for i in range(40)), "the change in both")


@pytest.mark.parametrize("killed", ["first", "second"])
def test_one_killed_costs_no_more_than_what_it_was_at(two, killed):
    """D1: the other has every address; what both are asked meanwhile is answered as the policy says"""
    world, second = two
    names = world.run / "asked"
    names.write_text("".join("k%d.listed.example\n" % i for i in range(100)))
    flows = [bulk.Steady(world, names, RATE, seconds=SECONDS) for _ in range(FLOWS)]
    each_is_blocked(world, 50)
    victim = world.dnsd if killed == "first" else second
    victim.kill()
    each_is_blocked(world)
    got = [flow.result() for flow in flows]
    assert sum(g["wrong"] for g in got) == 0 and all(g["sent"] == RATE * SECONDS for g in got), got
    # What stood in the killed one's queues is lost: a moment's worth, not a flow's.
    assert sum(g["lost"] for g in got) <= sum(g["sent"] for g in got) / 20, got
    assert all(g["lost"] < g["sent"] / 2 for g in got), got
    for tcp in (False, True):
        assert addresses(world.ask("after.listed.example", tcp=tcp)) == [BLOCKED]
        assert addresses(world.ask("after.plain.example", source=LAPTOP, tcp=tcp)) == [PASSED]
    number = 1 if killed == "first" else 2
    world.redis("DEL", "culvert:status:dnsd:%d" % number)  # what the killed one said last
    victim.start()
    wait_until(lambda: in_force(world, number), "the killed one's successor")
    each_is_blocked(world)


def test_connection_to_the_killed_one_ends_and_the_next_is_served(two):
    """D1"""
    world, second = two
    streams = [socket.create_connection((GATEWAY, world.port), 10, (PHONE, 0)) for _ in range(14)]
    second.kill()
    ended = 0
    for s in streams:
        message = bulk.question("s.listed.example", 7)
        try:
            s.sendall(len(message).to_bytes(2, "big") + message)
            ended += not s.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            ended += 1
        s.close()
    assert ended < len(streams)
    for i in range(16):
        assert addresses(world.ask("t%d.listed.example" % i, tcp=True)) == [BLOCKED]


def test_both_families_are_served_alike(make_world, fast):
    """D1, D13: the same names over IPv4 and IPv6, UDP and TCP"""
    world = make_world(fast.url)
    conf = world.run / "culvert.conf"
    conf.write_text(conf.read_text().replace("addresses=%s/24" % GATEWAY, "addresses=%s/24, ::1/128" % GATEWAY))
    world.up()
    world.bus.set("devices", {"tablet": {"id": "tablet", "active": True, "tunnel": "mitm", "addresses": ["::1"],
                                         "profile": "internet"}})
    where = ("::1", world.port)

    def is_known():
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.settimeout(0.3)
            s.connect(where)
            try:
                s.send(bulk.question("up.example", 1))
                return s.recv(512)
            except OSError:
                return None
    wait_until(is_known, "the device")
    names = ["v%04d.%s" % (i, "listed.example" if i % 2 else "plain.example") for i in range(2000)]
    for tcp in (False, True):
        over6 = bulk.ask_all(where, "::1", names, tcp)
        assert over6 == bulk.ask_all((GATEWAY, world.port), PHONE, names, tcp)
        assert over6 == {n: BLOCKED if n.endswith("listed.example") else PASSED for n in names}
