# SPDX-License-Identifier: GPL-3.0-or-later
"""apid whose calls fail (A7): memory, files, connections. It lives, what it confirmed is there, and it catches up."""
import itertools

import pytest

import apidlib
from faultlib import Faults
from support.wait import wait_until

DEVICES = "/api/v1/devices"


@pytest.fixture
def faulty(make_apid, wgd):
    """(apid, its owner, faults)."""
    faults, one = Faults(), make_apid(apidlib.SEED)
    one.options = {"env": faults.env}
    one.add_owner()
    one.start()
    yield one, one.owner(), faults
    one.stop()
    faults.close()


class Work:
    """Devices come and change by both interfaces."""

    def __init__(self, apid, owner):
        self.apid, self.owner, self.numbers, self.confirmed = apid, owner, itertools.count(), {}

    def put(self, name, value):
        """Was it confirmed?"""
        self.confirmed.pop(name, None)  # it may be, or not
        try:
            status, body = self.owner.put(f"{DEVICES}/{name}", {"name": value})
        except OSError:
            self.owner.conn = None
            return False
        # 401, 403: what a session is known by could not be computed.
        assert status in (200, 201, 401, 403, 500, 503), (status, body)
        if status < 300:
            self.confirmed[name] = value
        return status < 300

    def upsert(self, n):
        try:
            return self.apid.upsert("kept", address="10.9.0.%d" % (10 + n % 200))[0] == 200
        except (OSError, ValueError):
            return False

    def __call__(self):
        n = next(self.numbers)
        self.put("d%d" % (n % 7), "round %d" % n)
        self.upsert(n)
        return lambda: self.put("last", "round %d" % n)

    def is_well(self):
        n = next(self.numbers)
        wait_until(lambda: self.put("last", "well %d" % n), "a change is taken")
        wait_until(lambda: self.upsert(n), "a device is provisioned")

        def agree():
            bus = self.apid.state("devices")
            api = {d["id"]: d for d in self.owner.get(f"{DEVICES}?limit=500")[1]["items"]}
            return all(one.get(name, {}).get("name") == value for one in (bus, api)
                       for name, value in self.confirmed.items())
        wait_until(agree, "bus and API have what was confirmed")


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_an_allocation_that_fails_anywhere_ends_and_loses_nothing(faulty, count):
    """A7"""
    apid, owner, faults = faulty
    work = Work(apid, owner)
    faults.each("memory", count, apid, work, work.is_well)


def test_mariadb_and_redis_that_cannot_be_reached_are_tried_again(faulty, database, redis):
    """A7: refused, no address, no route, at once; nothing is confirmed meanwhile that is not there"""
    apid, owner, faults = faulty
    work = Work(apid, owner)
    work.is_well()
    before = faults.seen("connect")
    with faults.failing("connect", 1, None):
        redis("CLIENT", "KILL", "USER", "apid")
        for (number,) in database.sql("SELECT id FROM information_schema.processlist WHERE user = 'culvert-apid'"):
            database.sql("KILL %s" % number, check=False)
        wait_until(lambda: faults.seen("connect") > before + 8, "tries")
        work()
        assert faults.seen("connect") < before + 400, "tries without a pause"
    work.is_well()
