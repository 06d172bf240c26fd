# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A8: what `explain` says of a device's web address is what happens, on every path.

EXPLAIN_CASES addresses (150; 2000 shows it at length), half of them in each direction: is what explain calls blocked
really blocked, and is what is really blocked called so? Every case is compared by its exact word, so both are one
comparison. The log is build/evidence/explain-N.log.
"""
import os
import random

import pytest

import explainlib
import walklib
from explainlib import CANARIES

CASES = int(os.environ.get("EXPLAIN_CASES", "150"))
PER_WORLD = 75 if CASES < 1000 else 125
SEED = int(os.environ.get("EXPLAIN_SEED", "20261129"))
WORLDS = -(-CASES // PER_WORLD)
WORDS = {"block": "block", "unknown": "unknown", "allow": "allow", "pass": "allow"}


def ask_dns(lab, cases):
    """[device, …, host, …] → block or allow, as the device is told."""
    words = {}
    for device in ("phone", "laptop"):
        names = sorted({c[2] for c in cases if c[0] == device})
        answers = walklib.ask_all(lab, device, names)
        for name in names:
            rcode, addresses = answers.get(name, [2, []])
            words[device, name] = "allow" if addresses and addresses != ["0.0.0.0"] and not rcode else "block"
    return [words[c[0], c[2]] for c in cases]


def visit(lab, cases):
    """What becomes of each: (by the proxy, intercepted)."""
    found = [None] * len(cases)
    for device in ("phone", "laptop"):
        own = [i for i, c in enumerate(cases) if c[0] == device]
        asked = [[*cases[i][1:], None if cases[i][2] in CANARIES else explainlib.address_of(cases[i][2])]
                 for i in own]
        for i, one in zip(own, lab.hosts[device].call(explainlib.visit_all, asked)):
            found[i] = one
    return found


def compare(case, said, dns, proxy, apps):
    """Texts of what is not so."""
    wrong = []
    for name, real in (("dns", dns), ("proxy", proxy), ("intercept", apps)):
        way = said["paths"][name]
        if real is not None and WORDS.get(way["verdict"]) != real:
            # Off the proxy nobody is shown whether it was for want of a review.
            if name == "intercept" and real == "block" and way["verdict"] == "unknown":
                continue
            wrong.append("%s: explain says %s, by %s; it is %s" % (name, way["verdict"], way["by"], real))
    return ["%s %s://%s%s: %s" % (*case, w) for w in wrong]


@pytest.mark.parametrize("world", range(WORLDS))
def test_explain_says_what_happens(lab, seeded, evidence, world):
    rng = random.Random(SEED * 1000 + world)
    cases = explainlib.make_cases(rng, min(PER_WORLD, CASES - world * PER_WORLD))
    seeded(lambda document: explainlib.make_world(rng, document, world))
    said = lab.hosts["gw"].call(explainlib.explain_all, lab.dir, cases)
    dns, visits = ask_dns(lab, cases), visit(lab, cases)
    wrong = [w for case, s, d, v in zip(cases, said, dns, visits) for w in compare(case, s, d, *v)]
    with open(os.path.join(evidence, "explain-%d.log" % CASES), "w" if world == 0 else "a", encoding="utf-8") as out:
        out.write("world %d, seed %d: %d cases, %d differ\n" % (world, SEED, len(cases), len(wrong)))
        out.write("".join("  %s\n" % w for w in wrong))
        for case, s, d, v in zip(cases, said, dns, visits):
            out.write("  %-6s %s://%s%s dns=%s proxy=%s intercept=%s by=%s/%s/%s\n" % (
                *case, d, *v, *(s["paths"][p]["by"] for p in ("dns", "proxy", "intercept"))))
    assert not wrong, "\n".join(wrong)
