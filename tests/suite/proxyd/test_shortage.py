# SPDX-License-Identifier: GPL-3.0-or-later
"""proxyd whose calls fail (P17, D8): memory, files, connections. What is blocked stays so, proxyd lives and catches up."""
import itertools
import json
import urllib.parse

import pytest

from faultlib import Faults
from portallib import fetch, spooled, stored, submit
from proxylib import World
from support.wait import wait_until


BLOCKED = "https://blocked.example/page"


@pytest.fixture(scope="module")
def faulty():
    """(world, faults), up."""
    faults, world = Faults(), World()
    try:
        world.up()
        world.proxyd.stop()
        world.start_proxyd(env=faults.env)
        yield world, faults
    finally:
        world.down()
        faults.close()


class Work:
    """Changes and requests, of which none for what is blocked may reach its origin."""

    def __init__(self, world):
        self.world, self.numbers = world, itertools.count()

    def status(self, url):
        """None: no answer."""
        get = self.world.get_secure if url.startswith("https:") else self.world.get
        try:
            return get(url).status
        except (OSError, EOFError, AssertionError, ValueError):
            return None

    def __call__(self):
        w, n = self.world, next(self.numbers)
        w.set("site_overrides", {"id": "o", "pattern": "new%d.test.example" % n, "match": "endswith", "action": "block"})
        gen = w.set("devices", {**w.device("full"), "name": "n%d" % n})
        for url in ("http://%s.example/", "https://%s.example/"):
            for blocked in ("blocked", "unknown", "ads.listed"):
                assert self.status(url % blocked) != 200, blocked
            self.status(url % "allowed")
        return lambda: w.redis.applied("proxyd", "devices") >= gen

    def is_well(self):
        """The last of everything is in force."""
        w, n = self.world, next(self.numbers)
        w.set("site_overrides", {"id": "o", "pattern": "s7.test.example", "match": "endswith", "action": "block"})
        wait_until(lambda: self.status("https://s7.test.example/") == 451, "blocked now")
        w.set("site_overrides", {"id": "o", "pattern": "s8.test.example", "match": "endswith", "action": "block"})
        wait_until(lambda: self.status("https://s7.test.example/") == 200, "not any more %d" % n)
        for url in ("http://%s.example/", "https://%s.example/"):
            for blocked in ("blocked", "unknown", "ads.listed"):
                wait_until(lambda u=url % blocked: self.status(u) == 451, url % blocked)
            wait_until(lambda u=url % "allowed": self.status(u) == 200, url % "allowed")


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_an_allocation_that_fails_anywhere_ends_and_opens_nothing(faulty, count):
    """P17"""
    world, faults = faulty
    work = Work(world)
    faults.each("memory", count, world.proxyd, work, work.is_well)


def appeal(world, mark):
    """Was it accepted?"""
    try:
        links = fetch(world, BLOCKED).links
        there = urllib.parse.urljoin(BLOCKED, links["Appeal Access"])
        return submit(world, fetch(world, there), there, reason=mark).title == "Submitted"
    except (OSError, EOFError):
        return False


@pytest.mark.parametrize("first", [1, 2, 3, 4, 5])
def test_an_appeal_that_cannot_be_written_is_not_accepted_and_leaves_nothing(faulty, first):
    """P15: no room, or an error of the disk. The fifth call syncs the directory: what it was when it was found, the
    appeal was refused, stayed on the disk, and was filed with the next start."""
    world, faults = faulty
    mark = "appeal %d" % first
    with faults.failing("file", first, None):
        accepted = appeal(world, mark)
    assert world.proxyd.is_running()
    assert accepted == bool([a for a in spooled(world) if mark in json.dumps(a)] or
                            [a for a in stored(world) if mark in json.dumps(a)])
    wait_until(lambda: appeal(world, mark + " again"), "accepted with room")
    wait_until(lambda: not list((world.dir / "state/proxyd").rglob("*.tmp*")), "no half a file")


def test_origins_and_redis_that_cannot_be_reached_are_tried_again(faulty):
    """P17: refused, no address, no route, at once"""
    world, faults = faulty
    work = Work(world)
    before = faults.seen("connect")
    with faults.failing("connect", 1, None):
        world.redis("CLIENT", "KILL", "USER", "proxyd")
        work()
        assert work.status("http://s9.test.example/") in (502, 503, 504)
        wait_until(lambda: faults.seen("connect") > before + 8, "tries")
        assert faults.seen("connect") < before + 400, "tries without a pause"
    work.is_well()
