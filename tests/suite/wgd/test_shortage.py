# SPDX-License-Identifier: GPL-3.0-or-later
"""wgd whose calls fail (W3): memory, files, connections. It lives, live peers stay, and it catches up."""
import itertools
import json

import pytest

from faultlib import Faults
from support.wait import wait_until
from wgdlib import PUB, Gateway

STAYS = {PUB[0]: ["10.9.0.2/32"]}


@pytest.fixture(scope="module")
def faulty():
    """(gateway, faults), with one device that stays."""
    faults, one = Faults(), Gateway()
    try:
        one.start_wireguard()
        one.wgd.start(env=faults.env)
        one.bus.put_device("stays", PUB[0], "10.9.0.2")
        one.await_peers(STAYS)
        yield one, faults
    finally:
        one.close()
        faults.close()


class Work:
    """A device comes, is asked for, changes and goes."""

    def __init__(self, gateway):
        self.gateway, self.numbers = gateway, itertools.count()

    def __call__(self):
        g, n = self.gateway, next(self.numbers)
        gen = g.bus.put_device("comes", PUB[1 + n % 2], "10.9.0.%d" % (3 + n % 200))
        message = {"v": 1, "id": "n%d" % n, "op": "peer_applied", "args": {"id": "comes", "gen": gen},
                   "reply": "culvert:reply:apid:nobody"}
        g.redis("PUBLISH", "culvert:req:wgd:apid", json.dumps(message))
        assert not g.peers() or PUB[0] in g.peers()
        return lambda: g.redis.applied("wgd", "devices") >= gen

    def is_well(self):
        g, n = self.gateway, next(self.numbers)
        g.bus.put_device("comes", PUB[3], "10.9.0.%d" % (3 + n % 200))
        g.await_peers({**STAYS, PUB[3]: ["10.9.0.%d/32" % (3 + n % 200)]})
        g.bus.remove_device("comes")
        g.await_peers(STAYS)

    def wait_kept(self):
        """The last good state on the disk is of now."""
        mark = "mark%d" % next(self.numbers)
        self.gateway.bus.set("device_prefs", {"device:none": {"id": "device:none", "lists_off": [mark]}})
        path = self.gateway.dir / "state/wgd/last-good"
        wait_until(lambda: path.exists() and mark.encode() in path.read_bytes(), "the last good state")


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_an_allocation_that_fails_anywhere_ends_nothing(faulty, count):
    """W3"""
    gateway, faults = faulty
    work = Work(gateway)
    faults.each("memory", count, gateway.wgd, work, work.is_well)


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_a_file_that_cannot_be_written_ends_nothing(faulty, count):
    """W3: no room, or an error of the disk"""
    gateway, faults = faulty
    work = Work(gateway)
    work()
    work.wait_kept()
    mark = "mark%d" % next(work.numbers)
    with faults.failing("file", 2, count) as has_failed:
        gateway.bus.set("device_prefs", {"device:none": {"id": "device:none", "lists_off": [mark]}})
        wait_until(has_failed, "the last good state is not written")
        assert count or mark.encode() not in (gateway.dir / "state/wgd/last-good").read_bytes()
    work.is_well()
    work.wait_kept()


def test_redis_and_wireguard_that_cannot_be_reached_are_tried_again(faulty):
    """W3: refused, no address, no route, at once"""
    gateway, faults = faulty
    work = Work(gateway)
    before = faults.seen("connect")
    with faults.failing("connect", 1, None):
        gateway.redis("CLIENT", "KILL", "USER", "wgd")
        wait_until(lambda: faults.seen("connect") > before + 6, "tries")
        assert PUB[0] in gateway.peers()
        assert faults.seen("connect") < before + 400, "tries without a pause"
    work.is_well()
