# SPDX-License-Identifier: GPL-3.0-or-later
"""P5, P6, F7, W4, D11 and the table "Which rules act where": what the daemons decide is what a model of
SPEC says."""
import collections
import random

import policy_worlds as worlds
from policy_model import Gateway


def check(cases, answers):
    """Every answer has what the model says; gives how many there were of each reason."""
    seen, bad = collections.Counter(), {}
    for case, decisions in zip(cases, answers):
        gateway = Gateway(case)
        for ask, got in zip(case["asks"], decisions):
            want = gateway.decide(*ask[:5])
            seen[want["verdict"], want.get("reason", "default")] += 1
            wrong = tuple((k, got[k], v) for k, v in want.items() if got[k] != v)
            if wrong:
                bad.setdefault((ask[1], wrong[:2]), []).append((len(case["records"]), ask, wrong, case))
    if bad:
        print(*(f"{len(v)} times on {k[0]}: (what, is, should be) {k[1]}" for k, v in bad.items()), sep="\n")
        _, ask, wrong, case = min((v for vs in bad.values() for v in vs), key=lambda v: v[0])
        print(ask, wrong, *case["records"], *(one["text"] for one in case["lists"]), case["now"], sep="\n")
    assert not bad, f"{sum(map(len, bad.values()))} of {sum(seen.values())} differ"
    return seen


def test_every_combination_of_steps_on_every_path(probe):
    cases = list(worlds.table())
    seen = check(cases, probe(cases))
    assert sum(seen.values()) > 60_000 and len(seen) >= 12, seen


def test_random_worlds(probe):
    """Levels, owners, match types, schedules in zones, switches, lists, media, needs."""
    cases = [worlds.World(seed).case() for seed in range(1500)]
    seen = check(cases, probe(cases))
    assert len(seen) >= 16, seen


def test_random_worlds_with_wrong_records(probe):
    """DESIGN 4: a wrong type or unknown value in a field that restricts closes the record."""
    cases = []
    for seed in range(5000, 5600):
        case = worlds.World(seed).case()
        worlds.spoil(case, random.Random(seed))
        cases.append(case)
    check(cases, probe(cases))
