# SPDX-License-Identifier: GPL-3.0-or-later
"""EasyList and EasyPrivacy of Debian's uBlock Origin as lists of the gateway (SPEC D2, P6, S4)."""
import random
import re
import subprocess

import pytest

import walklib
from culvertlab.scenery import SITES
from lablib import site_addresses
from support.wait import wait_until

PACKAGE = "webext-ublock-origin-chromium"
LISTS = ("easylist", "easyprivacy")
PURE = re.compile(r"(@@)?\|\|([a-z0-9_-]+(?:\.[a-z0-9_-]+)+)\^")
SAMPLE = 5000


def sources():
    files = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True, check=True)
    return {name: next(p for p in files.stdout.split() if p.endswith("/%s.txt" % name))
            for name in LISTS}


def suffixes():
    """Public suffixes, which no list may block whole (S4)."""
    with open("/usr/share/publicsuffix/public_suffix_list.dat", encoding="utf-8") as src:
        text = src.read().split("===END ICANN DOMAINS===")[0]
    return {line.encode("idna").decode() for line in map(str.strip, text.splitlines())
            if line and not line.startswith(("//", "*", "!"))}


def names_of(text):
    """(names of ||name^, names of @@||name^); addresses are no names."""
    found = [m for m in (PURE.fullmatch(line.strip()) for line in text.splitlines())
             if m and not m[2].rpartition(".")[2].isdigit()]
    return {m[2] for m in found if not m[1]}, {m[2] for m in found if m[1]}


def is_below(name, names):
    labels = name.split(".")
    return any(".".join(labels[i:]) in names for i in range(len(labels)))


def put_lists(lab, texts):
    """Both lists in force: a name of each is blocked."""
    document = walklib.read_seed(lab)
    document["list_sources"] += [
        {"id": name, "title": name, "source": "file:%s.txt" % name, "kind": "adblock",
         "default_on": True, "subtree": True} for name in texts]
    walklib.put_seed(lab, document)
    for name, text in texts.items():
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
    texts = {}
    for name, path in sources().items():
        with open(path, encoding="utf-8") as src:
            texts[name] = src.read()
        walklib.write_file(lab.places.in_run("lists", name + ".txt"), texts[name])
    sets = [names_of(text) for text in texts.values()]
    blocked, excepted = set.union(*[s[0] for s in sets]), set.union(*[s[1] for s in sets])
    try:
        put_lists(lab, texts)
        yield {name for name in blocked - suffixes() if not is_below(name, excepted)}
    finally:
        walklib.put_seed(lab, before)
        wait_until(lambda: not set(LISTS) & set(lab.topic("lists", "syncd")), "lists gone", 60)
        lab.settle(60)


def test_each_name_of_a_large_sample_is_blocked(lab, listed):
    assert len(listed) > 80000
    sample = random.Random(7).sample(sorted(listed), SAMPLE)
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
    names += [walklib.fresh("fresh.example") for _ in range(300)]
    for kind, at in ((1, 0), (28, 1)):
        answers = walklib.ask_all(lab, "phone", names, kind)
        for name in names:
            want = (site_addresses(name) if name in SITES else walklib.SITE)[at]
            assert answers.get(name) == [0, [want]], name
    absent = [n + ".culvert-test.example" for n in random.Random(9).sample(sorted(listed), 300)]
    answers = walklib.ask_all(lab, "phone", absent)
    assert {n: a for n, a in answers.items() if a != [3, []]} == {} and len(answers) == 300
