# SPDX-License-Identifier: GPL-3.0-or-later
"""EasyList and EasyPrivacy of Debian's uBlock Origin as lists of the gateway (SPEC D2, P6, S4)."""
import os
import random

import pytest

import walklib
from culvertlab.scenery import SITES
from lablib import site_addresses
from support.easylist import LISTS, blocked_names, names_of, texts
from support.wait import wait_until

# EASYLIST_SAMPLE=100000 UNLISTED=10000 for the lists as a whole.
SAMPLE = int(os.environ.get("EASYLIST_SAMPLE") or 5000)
UNLISTED = int(os.environ.get("UNLISTED") or 300)


def put_lists(lab, found):
    """Both lists in force: a name of each is blocked."""
    document = walklib.read_seed(lab)
    document["list_sources"] += [
        {"id": name, "title": name, "source": "file:%s.txt" % name, "kind": "adblock",
         "default_on": True, "subtree": True} for name in found]
    walklib.put_seed(lab, document)
    for name, text in found.items():
        wait_until(lambda n=name: (lab.topic("lists", "syncd").get(n) or {}).get("count"),
                   "list read: " + name, 60)
        first = min(names_of(text)[0])
        wait_until(lambda n=first: lab.dig("phone", n, seconds=1).addresses == ["0.0.0.0"],
                   "list in force: " + first, 60)
    lab.settle(60)


@pytest.fixture(scope="module")
def listed(lab):
    """Both lists in force; gives the names that they block and that are not excepted."""
    before = walklib.read_seed(lab)
    found = texts()
    for name, text in found.items():
        walklib.write_file(lab.places.in_run("lists", name + ".txt"), text)
    try:
        put_lists(lab, found)
        yield blocked_names(found)
    finally:
        walklib.put_seed(lab, before)
        wait_until(lambda: not set(LISTS) & set(lab.topic("lists", "syncd")), "lists gone", 60)
        lab.settle(60)


def test_each_name_of_a_large_sample_is_blocked(lab, listed):
    assert len(listed) > 80000
    sample = random.Random(7).sample(sorted(listed), min(SAMPLE, len(listed)))
    answers = walklib.ask_all(lab, "phone", sample)
    wrong = [n for n in sample if answers.get(n) != [0, ["0.0.0.0"]]]
    assert not wrong, (len(wrong), wrong[:10], [answers.get(n) for n in wrong[:10]])


def test_names_below_listed_ones_are_blocked_in_both_families(lab, listed):
    sample = ["a." + n for n in random.Random(8).sample(sorted(listed), 500)]
    for kind, null in ((1, "0.0.0.0"), (28, "::")):
        answers = walklib.ask_all(lab, "phone", sample, kind)
        assert [n for n in sample if answers.get(n) != [0, [null]]] == []


def test_unlisted_names_resolve(lab, listed):
    names = [n for n in SITES if n.endswith(".example") and not n.endswith("listed.example")]
    names += [walklib.fresh("fresh.example") for _ in range(UNLISTED)]
    for kind, at in ((1, 0), (28, 1)):
        answers = walklib.ask_all(lab, "phone", names, kind)
        for name in names:
            want = (site_addresses(name) if name in SITES else walklib.SITE)[at]
            assert answers.get(name) == [0, [want]], name
    absent = [n + ".culvert-test.example" for n in random.Random(9).sample(sorted(listed), 300)]
    answers = walklib.ask_all(lab, "phone", absent)
    assert {n: a for n, a in answers.items() if a != [3, []]} == {} and len(answers) == 300
