# SPDX-License-Identifier: GPL-3.0-or-later
"""O4: the bus follows the master that Redis Sentinel names; what a failover lost is published again."""
import buslib
import pytest

from support.sentinel import Replicated
from support.wait import wait_until


@pytest.fixture(name="replicated")
def _replicated(place):
    one = Replicated(place)
    try:
        yield one.start()
    finally:
        one.stop()


@pytest.fixture(name="followers")
def _followers(replicated, probe):
    """apid with thirty devices, and fwd that has them, by the Sentinels; apid's first one is not there."""
    apid = probe("apid", "unix:/nowhere", sentinels=["127.0.0.1:1", *replicated.where()])
    fwd = probe("fwd", "unix:/nowhere", sentinels=replicated.where())
    fwd.subscribe("devices", "apid")
    fwd.wait("batch", gen=apid.replace("devices", buslib.devices(30)), current=True)
    return apid, fwd


def test_a_killed_master_is_left_for_the_next_and_its_lost_tail_is_published_again(replicated, followers):
    """The replicas are stopped while the tail is written: what the next master has lacks it."""
    apid, fwd = followers
    old = replicated.servers[0]
    # Nobody has the tail but the master, which must take it all the same.
    old("CONFIG", "SET", "min-replicas-to-write", "0")
    for one in replicated.servers[1:]:
        one.pause()
    tail = apid.set("devices", "tail", buslib.device("tail", 99))
    apid.do("queue_add", record={"uuid": "u-1", "device": "d1", "host": "a.example"}, tag="q")
    fwd.wait("batch", gen=tail)
    seen = len(fwd.seen)
    old.kill()
    for one in replicated.servers[1:]:
        one.resume()
    wait_until(lambda: replicated.master() is not old and replicated.master().role() == "master", "a new master")
    new = replicated.master()
    wait_until(lambda: new("HEXISTS", "culvert:state:devices:apid", "tail") == 1, "the tail is there again")
    fwd.wait_gen("devices", "apid", apid.flush("devices"))
    assert not [e for e in fwd.seen[seen:] if e["ev"] == "record" and e["id"] != "tail"], "nothing else was touched"


def test_a_server_that_follows_another_is_no_master(replicated, probe):
    """READONLY: with one address and no Sentinels, as behind a load balancer."""
    apid = probe("apid", f"unix:{replicated.servers[1].socket}")
    apid.do("set", topic="devices", id="a", record=buslib.device("a"))
    apid.wait_log("the server follows another")
