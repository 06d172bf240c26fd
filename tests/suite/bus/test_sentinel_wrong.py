# SPDX-License-Identifier: GPL-3.0-or-later
"""O4: Sentinels that are wrong, hostile or silent lead nobody away, while more than half of them are right."""
import os
import pathlib

import buslib
import pytest
from fakesentinel import FakeSentinel

from support.sentinel import Server
from support.wait import wait_until

STATE = "culvert:state:devices:apid"


def says(server, epoch):
    return ("127.0.0.1", server.port, epoch)


@pytest.fixture(name="servers")
def _servers(place):
    """Ours, and another one that would take our passwords."""
    made = [Server(place / name) for name in ("ours", "other")]
    for one in made:
        one.start()("CONFIG", "SET", "min-replicas-to-write", "0")
    yield made
    for one in made:
        one.stop()


@pytest.fixture(name="sentinels")
def _sentinels(servers):
    made = [FakeSentinel(says(servers[0], 7)) for _ in range(3)]
    yield made
    for one in made:
        one.close()


@pytest.fixture(name="apid")
def _apid(sentinels, probe):
    one = probe("apid", "unix:/nowhere", sentinels=[s.where for s in sentinels])
    one.set("devices", "first", buslib.device("first", 1))
    return one


def is_at(server, apid, name, number):
    """A change goes there."""
    apid.set("devices", name, buslib.device(name, number))
    wait_until(lambda: server("HEXISTS", STATE, name) == 1, "published")


def ask_again(sentinels):
    """Each was asked once more, for the address and for the epoch: what it says now has been taken."""
    goal = [s.asked + 3 for s in sentinels]
    wait_until(lambda: all(s.asked >= n for s, n in zip(sentinels, goal)), "asked", 30)


@pytest.mark.parametrize("epoch", [7, 2 ** 64 - 1])
def test_one_that_names_another_server_is_not_followed(servers, sentinels, apid, epoch):
    """Whatever its epoch, also when our own server is away for a moment."""
    ours, other = servers
    sentinels[0].says = says(other, epoch)
    ours.kill()
    ask_again(sentinels)
    ours.start()("CONFIG", "SET", "min-replicas-to-write", "0")
    is_at(ours, apid, "second", 2)
    assert other("EXISTS", STATE) == 0


@pytest.mark.parametrize("wrong", [
    None, b"-NOPERM no\r\n", b"*-1\r\n", b"*2\r\n$9\r\nlocalhost\r\n$4\r\n6379\r\n", b"*1000000000\r\n",
    b"*2\r\n$11\r\n203.0.113.9\r\n$4\r\n6379\r\n", b"\0" * 100, b"$5\r\nab", ("203.0.113.9", 6379, 99)],
    ids=["silence", "refusal", "unknown", "a name", "endless", "a stranger", "zeros", "half", "a stranger, newer"])
def test_what_is_no_answer_does_no_harm(servers, sentinels, apid, wrong):
    """Of two; the third is right and the only one, and the server comes back at another port."""
    ours, other = servers
    for one in sentinels[:2]:
        one.says = wrong
    wait_until(lambda: sentinels[0].asked and sentinels[1].asked, "asked")
    is_at(ours, apid, "second", 2)
    ours.kill()
    sentinels[2].says = says(other, 8)
    try:
        wait_until(lambda: other("HEXISTS", STATE, "second") == 1, "the new master has all", 30)
    except AssertionError as e:
        log = [line for line in apid.text().splitlines() if "name=sentinel" not in line]
        raise AssertionError("\n".join(log)[-3000:]) from e


def test_one_that_speaks_garbage_is_come_back_to_slowly_and_told_of_once(sentinels, probe):
    """Though it greets as it should; until it speaks as a Sentinel again."""
    wrong = sentinels[0]
    wrong.says = b"garbage\r\n"
    apid = probe("apid", "unix:/nowhere", sentinels=[s.where for s in sentinels])
    wait_until(lambda: len(wrong.came) >= 3, "it is come back to", 60)
    assert wrong.came[2] - wrong.came[1] > 0.3
    lost, found = ("bus: %s name=sentinel-%s" % (what, wrong.where) for what in ("connection lost", "connected"))
    assert apid.text().count(lost) == 1 and apid.text().count(found) == 1
    wrong.says = sentinels[1].says
    wait_until(lambda: apid.text().count(found) == 2, "it is believed again", 60)


def test_one_that_greets_and_then_is_silent_is_told_of_once(sentinels, probe):
    """Each time it is come back to."""
    wrong = sentinels[0]
    wrong.says = None
    apid = probe("apid", "unix:/nowhere", sentinels=[s.where for s in sentinels])
    wait_until(lambda: len(wrong.came) >= 3, "it is come back to", 60)
    lost, found = ("bus: %s name=sentinel-%s" % (what, wrong.where) for what in ("connection lost", "connected"))
    assert apid.text().count(lost) == 1 and apid.text().count(found) == 1


def test_sentinels_that_are_at_odds_lead_nobody_from_a_master_that_works(servers, sentinels, apid):
    ours, other = servers
    sentinels[0].says, sentinels[1].says = says(other, 9), None
    ask_again(sentinels[:1])
    is_at(ours, apid, "second", 2)
    assert other("EXISTS", STATE) == 0


def test_a_master_that_most_name_is_gone_to_though_the_old_one_works(servers, sentinels, apid):
    """Two masters, as after a network that was divided."""
    _, other = servers
    for one in sentinels[:2]:
        one.says = says(other, 8)
    wait_until(lambda: other("HEXISTS", STATE, "first") == 1, "the new master has all", 30)


def test_one_that_begins_while_there_is_no_master_waits_for_it(servers, sentinels, probe):
    ours, _ = servers
    ours.kill()
    for one in sentinels:
        one.says = b"*-1\r\n"
    apid = probe("apid", "unix:/nowhere", sentinels=[s.where for s in sentinels])
    apid.do("set", topic="devices", id="a", record=buslib.device("a"))
    apid.wait_log("sentinel gives no master")
    ours.start()("CONFIG", "SET", "min-replicas-to-write", "0")
    for one in sentinels:
        one.says = says(ours, 1)
    wait_until(lambda: ours("HEXISTS", STATE, "a") == 1, "published")


def test_a_master_that_changes_all_the_time_costs_nothing_that_stays(servers, sentinels, apid):
    """Six times to and fro; BUS_FLAPS for more."""
    fds = pathlib.Path(f"/proc/{apid.process.pid}/fd")
    count = None
    for n in range(int(os.environ.get("BUS_FLAPS", "6"))):
        there = servers[(n + 1) % 2]
        for one in sentinels:
            one.says = says(there, 8 + n)
        servers[n % 2].kill()
        wait_until(lambda s=there: s("HEXISTS", STATE, "first") == 1, "it has all", 30)
        if n == 3:
            count = len(os.listdir(fds))
        servers[n % 2].start()("CONFIG", "SET", "min-replicas-to-write", "0")
    wait_until(lambda: len(os.listdir(fds)) <= count + 2, "none is left behind")
