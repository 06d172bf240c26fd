# SPDX-License-Identifier: GPL-3.0-or-later
"""proxyd's user on a gateway that has the bus itself: Redis' master and its Sentinels are reached there, and nothing
else (F14, O4)."""
import json

import pytest
from fwdclients import connect_as
from support.sentinel import Sentinel, Server
from support.wait import wait_until
from world import PROXYD_UID, UID

REFUSED, ANSWER = "ConnectionRefusedError", "answer"


@pytest.fixture(scope="module", name="stores")
def _stores(world):
    """Two servers, the second a replica of the first, and a Sentinel, all on the gateway."""
    first = Server(world.dir / "first", host=world.gw)
    second = Server(world.dir / "second", first, host=world.gw)
    sentinel = Sentinel(world.dir / "sentinel", first, 1, host=world.gw)
    try:
        for one in (first, second, sentinel):
            one.start()
        wait_until(lambda: first.info("connected_slaves") == "1", "the replica")
        yield first, second, sentinel
    finally:
        for one in (first, second, sentinel):
            if one.process and one.process.poll() is None:
                one.kill()


def targets(*ports):
    return [("127.0.0.1", "tcp", port) for port in ports]


def test_proxyd_reaches_the_master_and_the_sentinels_of_the_gateway_itself(world, stores):
    """The one that takes the master's place too, and then the old one no more."""
    first, second, sentinel = stores
    world.fwd.stop()
    world.nft("delete", "table", "inet", "culvert")
    world.configure(False, bus="redis_sentinels = %s\n" % sentinel.where)
    first.password_file("fwd", UID)
    world.fwd.start()

    def reached(*expected):
        return wait_until(lambda: connect_as(world, PROXYD_UID, *targets(first.port, second.port, sentinel.port, 8444))
                          == [*expected, ANSWER, REFUSED], "what proxyd reaches: " + json.dumps(expected), 60)
    reached(ANSWER, REFUSED)
    first.kill()
    reached(REFUSED, ANSWER)
