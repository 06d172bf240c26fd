# SPDX-License-Identifier: GPL-3.0-or-later
"""F10: a strict device reaches what dnsd answered to it, from the first connection on."""
import json
import os

import pytest

from feed import Feed
from support.network import TUNNEL
from world import DEVICES, HERE, PYTHON, device

CONNECTIONS, PORT = 1000, 2345
NETS = ("198.18.0.0/15", "2001:db8:1818::/64")


def test_no_first_connection_is_refused(world):
    """1,000 answers, each confirmed by fwd and used at once."""
    for net in NETS:
        world.inet.run("ip", "route", "add", "local", net, "dev", "lo")
    world.respond(world.inet, "any", str(PORT), ["0.0.0.0", "::"])
    number = DEVICES["strict"]
    out = world.client.run(
        PYTHON, os.path.join(HERE, "strict_client.py"), world.redis.socket, "strict", TUNNEL[4] % number,
        TUNNEL[6] % number, PORT, CONNECTIONS, text="198.18.0.10\n2001:db8:1818::10\n")
    told = json.loads(out)
    confirmed = told["confirmed"]
    print("%d connections, %d failed; confirmed after %.1f ms (half), %.1f ms (99 of 100), %.1f ms (all)"
          % (CONNECTIONS, len(told["faults"]), confirmed[CONNECTIONS // 2] * 1000,
             confirmed[CONNECTIONS * 99 // 100] * 1000, confirmed[-1] * 1000))
    assert told["early"] == ["ConnectionRefusedError"] * 2
    assert not told["faults"]


def test_another_device_s_answers_are_not_its_own(world):
    """The element is the pair of device and destination."""
    world.feed([{"kind": "strict", "address": "198.51.100.22", "device": "strict_internet"}])
    own, other = world.probe([("strict_internet", "198.51.100.22", "tcp", 1234),
                              ("strict", "198.51.100.22", "tcp", 1234)])
    assert (own[0], other[0]) == ("answer", "reset")
    world.feed([{"kind": "strict", "address": "198.51.100.22", "device": "strict_internet", "remove": True}])
    assert world.probe_one("strict_internet", "198.51.100.22", "tcp", 1234)[0] == "reset"


def test_what_is_wrong_is_refused_and_the_rest_is_in_force(world):
    """Each entry is judged alone."""
    with Feed(world.redis) as feed:
        result = feed.send([
            {"kind": "strict", "address": "198.51.100.10", "device": "no such device"},
            {"kind": "strict", "address": "no address", "device": "strict"},
            {"kind": "listed", "address": "198.51.100.10", "list": "no such list"},
            {"kind": "strict", "address": "198.51.100.10", "device": "strict"}])
        assert result == {"applied": 1, "refused": 3}
        assert world.probe_one("strict", "198.51.100.10", "tcp", 1234)[0] == "answer"
        feed.send([{"kind": "strict", "address": "198.51.100.10", "device": "strict", "remove": True}])
    assert world.probe_one("strict", "198.51.100.10", "tcp", 1234)[0] == "reset"


@pytest.mark.parametrize("entry", [{"kind": "strict", "device": "strict"}, {"kind": "listed", "list": "ads"}],
                         ids=lambda one: one["kind"])
def test_one_that_starts_says_nothing_is_in_force_that_is_not_and_refuses_nothing_that_is_right(world, entry):
    """F6, F10: which lists there are is not to be had, so that a former run's rules are kept for a while."""
    world.fwd.stop()
    (world.dir / "state/fwd/last-good").unlink()
    world.forget_status()
    world.redis("HDEL", "culvert:gens:syncd", "lists")
    try:
        world.fwd.start()
        with Feed(world.redis) as feed:
            reply = feed.request([{"address": "198.51.100.23", **entry}])
        if entry["kind"] == "listed":
            assert reply["error"]["code"] == "not_ready"
        elif reply["ok"] and reply["result"]["applied"]:  # on a slow machine
            assert "198.51.100.23" in world.nft("list", "set", "inet", "culvert", "strict4")
        else:
            assert reply["error"]["code"] in ("not_ready", "not_applied")
    finally:
        world.syncd.replace("lists", world.syncd.records["lists"])
    world.wait_applied("lists", owner=world.syncd)
    world.wait_applied("devices")
    world.feed([{"address": "198.51.100.23", "remove": True, **entry}])


def strict_one(number, name):
    return {name: device(name, number, profile="full", strict=True)}


def change(world, topic, how, records):
    world.wait_applied(topic, getattr(world.owner, how)(topic, records))


@pytest.fixture
def restored(world):
    """The devices as they were, afterwards."""
    before = dict(world.owner.records["devices"])
    yield before
    change(world, "devices", "replace", before)


@pytest.mark.parametrize("newcomer", ("another", "zealous"))
def test_who_takes_an_address_over_inherits_no_answers(world, restored, newcomer):
    """F10: the device is gone and another has its address, by one change; whichever is read first."""
    fed = {"kind": "strict", "address": "198.51.100.22", "device": "strict"}
    world.feed([fed])
    assert world.probe_one("strict", "198.51.100.22", "tcp", 1234)[0] == "answer"
    rest = {name: one for name, one in restored.items() if name != "strict"}
    change(world, "devices", "replace", rest | strict_one(DEVICES["strict"], newcomer))
    assert world.probe_one("strict", "198.51.100.22", "tcp", 1234)[0] == "reset"
    world.feed([fed | {"device": newcomer}])
    assert world.probe_one("strict", "198.51.100.22", "tcp", 1234)[0] == "answer"


@pytest.mark.parametrize("newcomer", ("another", "zealous"))
def test_who_takes_an_address_over_while_fwd_is_away_inherits_no_answers(world, restored, newcomer):
    """F10, C3: the kernel has them still, and who had the address is known from the disk."""
    fed = {"kind": "strict", "address": "198.51.100.22", "device": "strict"}
    world.feed([fed])
    world.fwd.stop()
    rest = {name: one for name, one in restored.items() if name != "strict"}
    world.owner.replace("devices", rest | strict_one(DEVICES["strict"], newcomer))
    world.start_fwd()
    assert world.probe_one("strict", "198.51.100.22", "tcp", 1234)[0] == "reset"
    world.feed([fed | {"device": newcomer}])
    assert world.probe_one("strict", "198.51.100.22", "tcp", 1234)[0] == "answer"


@pytest.mark.parametrize("newcomer", ("another", "zealous"))
def test_who_takes_an_address_that_another_leaves_is_let_in(world, restored, newcomer):
    """F1, W8: the address is claimed before the other has left it, in the same change."""
    fed = {"kind": "strict", "address": "198.51.100.22", "device": "strict"}
    world.feed([fed])
    change(world, "devices", "set", strict_one(DEVICES["strict"], newcomer) | strict_one(77, "strict"))
    assert world.probe_one("strict", "198.51.100.22", "tcp", 1234)[0] == "reset"
    world.feed([fed | {"device": newcomer}])
    assert world.probe_one("strict", "198.51.100.22", "tcp", 1234)[0] == "answer"
