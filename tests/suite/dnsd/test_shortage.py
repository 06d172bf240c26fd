# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsd whose calls fail (D8): memory, files, connections. What is listed stays blocked, dnsd lives and catches up."""
import itertools

import pytest

from dnsdlib import LAPTOP, PHONE, World, addresses
from faultlib import POINTS, Faults
from features import device
from support.wait import wait_until

GOOD = "192.0.2.1"
NEW = "127.1.0.20"
# The calls of a change that fail: those at 46 and 48 are for its record.
CHANGES = range(44, 50, 2) if POINTS <= 3 else range(1, 4 * POINTS)


@pytest.fixture(scope="module")
def faulty(certificates):
    """(world, upstream, faults), up."""
    import upstream as upstream_module  # pylint: disable=import-outside-toplevel
    faults = Faults()
    upstream = upstream_module.Upstream("udp", certificates)
    world = World([upstream.url], certificates)
    try:
        world.redis.start()
        world.publish_policy()
        world.syncd.start()
        world.dnsd.start(env=faults.env)
        world.await_policy()
        world.bus.set("devices", {"new": device("new", NEW)})
        yield world, upstream, faults
    finally:
        world.close()
        upstream.close()
        faults.close()


class Work:
    """Changes of each kind, and questions, of which none about what is listed may be answered with an address."""

    numbers = itertools.count()  # what is on the disk from another test is not written again

    def __init__(self, world):
        self.world = world

    def name(self, domain):
        return "n%d.%s" % (next(self.numbers), domain)

    def ask(self, timeout=0.2):
        for tcp in (False, True):
            answer = self.world.ask(self.name("listed.example"), source=PHONE, tcp=tcp, timeout=timeout)
            assert answer is None or addresses(answer) in ([], ["0.0.0.0"]), answer
            self.world.ask(self.name("plain.example"), source=PHONE, tcp=tcp, timeout=timeout)

    def __call__(self):
        bus, n = self.world.bus, next(self.numbers)
        bus.set("device_prefs", {"device:new": {"id": "device:new", "lists_off": ["adblock"] * (n % 2)}})
        gen = bus.set("devices", {"new": device("new", NEW)})
        (self.world.run / "lists/.part").write_text("||listed.example^\n||new%d.example^\n" % n)
        (self.world.run / "lists/.part").rename(self.world.run / "lists/adblock.txt")
        self.ask()
        return lambda: self.world.redis.applied("dnsd", "devices") >= gen and self.blocks("new%d.example" % n)

    def blocks(self, domain, source=PHONE):
        answer = self.world.ask(self.name(domain), source=source, timeout=0.5)
        return answer is not None and addresses(answer) == ["0.0.0.0"]

    def passes(self, domain, source):
        answer = self.world.ask(self.name(domain), source=source, timeout=0.5)
        return answer is not None and addresses(answer) == [GOOD]

    def is_well(self):
        """The last of everything is in force."""
        for off in (True, False):
            self.world.bus.set("device_prefs", {"device:new": {"id": "device:new", "lists_off": ["adblock"] * off}})
            wait_until(lambda o=off: (self.passes if o else self.blocks)("listed.example", NEW), "the change %s" % off)
        wait_until(lambda: self.blocks("listed.example"), "blocked for the phone")
        wait_until(lambda: self.passes("listed.example", LAPTOP), "not for the laptop")
        wait_until(lambda: self.passes("plain.example", PHONE), "what is not listed")


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_an_allocation_that_fails_anywhere_ends_and_opens_nothing(faulty, count):
    """D8"""
    world, _, faults = faulty
    work = Work(world)
    faults.each("memory", count, world.dnsd, work, work.is_well)


def test_a_change_without_memory_is_made_a_moment_later(faulty):
    """What it was when it was found: the generation was said to be in force, and the record was as before, for ever."""
    world, _, faults = faulty
    work = Work(world)
    work.is_well()
    for first in CHANGES:
        for off in (True, False):
            with faults.failing("memory", first):
                world.bus.set("device_prefs", {"device:new": {"id": "device:new", "lists_off": ["adblock"] * off}})
                wait_until(lambda o=off: (work.passes if o else work.blocks)("listed.example", NEW), "call %d" % first)
    assert world.dnsd.is_running()


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_a_file_that_cannot_be_written_opens_nothing(faulty, count):
    """D8: no room, or an error of the disk"""
    world, _, faults = faulty
    work = Work(world)
    faults.each("file", count, world.dnsd, work, work.is_well)


def test_a_last_good_state_without_room_is_written_when_there_is(faulty):
    """D8: what it was when it was found: it was tried once, so that a restart without Redis was one of days ago."""
    world, _, faults = faulty
    last_good = world.run / "state/dnsd/last-good"

    def mark(name):
        world.bus.set("device_prefs", {"device:" + name: {"id": "device:" + name, "lists_off": ["adblock"]}})

    def is_marked(name):
        return last_good.exists() and name.encode() in last_good.read_bytes()
    world.syncd.stop()  # so that nothing else changes
    mark("before")
    wait_until(lambda: is_marked("before"), "a last good state")
    told = world.dnsd.log().count("last good state not written")
    with faults.failing("file", 1, None):
        mark("after")
        wait_until(lambda: world.dnsd.log().count("last good state not written") > told, "it is told")
    wait_until(lambda: is_marked("after"), "the last good state")
    world.syncd.start()


def test_redis_that_cannot_be_reached_is_tried_again(faulty):
    """D8: refused, no address, no route, at once"""
    world, upstream, faults = faulty
    work = Work(world)
    before = faults.seen("connect")
    with faults.failing("connect", 1, None):
        world.redis("CLIENT", "KILL", "USER", "dnsd")
        upstream.drop_connections()
        wait_until(lambda: faults.seen("connect") > before + 6, "tries")
        for _ in range(3):
            work.ask()
        assert faults.seen("connect") < before + 400, "tries without a pause"
    work.is_well()
