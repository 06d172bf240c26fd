# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody gets an answer that follows another's policy; real lists as a whole (D3)."""
import random

import pytest

import bulk
from bulk import BLOCKED, PASSED
from dnsdlib import GATEWAY, LAPTOP, PHONE, addresses
from support import easylist
from support.wait import wait_until

NAMES, UNLISTED = 10_000, 10_000


@pytest.fixture
def fast():
    upstream = bulk.FastUpstream()
    yield upstream
    upstream.close()


def put_lists(world, texts, off):
    """texts: list -> text; off: device -> lists switched off. In force when every list's last name says so."""
    for name, text in texts.items():
        (world.run / "lists" / (name + ".txt")).write_text(text)
    world.bus.set("device_prefs", {"device:" + d: {"id": "device:" + d, "lists_off": ["adblock", *lists]}
                                   for d, lists in off.items()})
    world.bus.set("list_sources", {name: {
        "id": name, "title": name, "source": "file:%s.txt" % name, "kind": "adblock", "default_on": True,
        "subtree": True} for name in texts})


def test_two_devices_with_different_lists_never_hear_of_the_others(make_world, fast):
    """D3: 10,000 names in random order and interleaving, over UDP and TCP, new and from the cache"""
    world, rng = make_world(fast.url).up(), random.Random(11)
    kinds = {"n%05d.%s.test-names.net" % (i, rng.choice(["a", "b", "c"])): rng.choice(["first", "second", "both", ""])
             for i in range(NAMES)}
    texts = {name: "||in-%s.example^\n" % name + "".join("||%s^\n" % n for n, k in kinds.items() if k in (name, "both"))
             for name in ("first", "second")}
    put_lists(world, texts, {"phone": ["second"], "laptop": ["first"]})
    for source, name in ((PHONE, "first"), (LAPTOP, "second")):
        wait_until(lambda s=source, n=name: addresses(world.ask("in-%s.example" % n, source=s)) == [BLOCKED], name)
    want = {PHONE: {n: BLOCKED if k in ("first", "both") else PASSED for n, k in kinds.items()},
            LAPTOP: {n: BLOCKED if k in ("second", "both") else PASSED for n, k in kinds.items()}}
    askers = []
    for source in (PHONE, LAPTOP):
        for tcp in (False, True, False):
            order = list(kinds)
            rng.shuffle(order)
            askers.append((source, bulk.Asker((GATEWAY, world.port), source, [(n, n) for n in order], tcp)))
    bulk.run([a for _, a in askers], window=30)
    for source, asker in askers:
        wrong = {n: (got, kinds[n]) for n, got in asker.answers.items() if got != want[source][n]}
        assert not wrong and len(asker.answers) == NAMES, (source, asker.tcp, len(wrong), list(wrong.items())[:5])


def test_each_name_of_real_lists_is_blocked_and_no_other(make_world, fast):
    """D2, D3, S4: EasyList and EasyPrivacy whole"""
    world, found = make_world(fast.url).up(), easylist.texts()
    put_lists(world, found, {"laptop": list(found)})
    names = sorted(easylist.blocked_names(found))
    assert len(names) > 80_000
    where = (GATEWAY, world.port)
    for text in found.values():
        first = min(easylist.names_of(text)[0])
        wait_until(lambda n=first: bulk.ask_all(where, PHONE, [n])[n] == BLOCKED, "list in force", 60)
    answers = bulk.ask_all(where, PHONE, names)
    wrong = [n for n in names if answers[n] != BLOCKED]
    assert not wrong, (len(wrong), wrong[:10], [answers[n] for n in wrong[:10]])
    sample = random.Random(3).sample(names, 2000)
    assert set(bulk.ask_all(where, LAPTOP, sample).values()) == {PASSED}
    unlisted = ["x%05d.%s.culvert-test.net" % (i, n) for i, n in enumerate(random.Random(4).choices(names, k=UNLISTED))]
    assert set(bulk.ask_all(where, PHONE, unlisted).values()) == {PASSED}
