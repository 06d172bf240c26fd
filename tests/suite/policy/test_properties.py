# SPDX-License-Identifier: GPL-3.0-or-later
"""P5 and DESIGN 4, "restricting fields close": what must hold of any decision, in random worlds."""
import copy
import random

import pytest

import policy_worlds as worlds

WORLDS = 400


def is_open(d):
    return d["verdict"] in ("allow", "pass")


def opened(before, after):
    """Is something less restricted? (A device that gets walled may reach its renewal hosts.)"""
    if is_open(after) and after["reason"] == "switch":
        return False
    if not is_open(before):
        return is_open(after)
    return is_open(after) and (any(before[k] and not after[k] for k in ("images", "words"))
                               or after["no_decrypt"] and not before["no_decrypt"])


def compare(probe, pairs, is_wrong):
    """pairs: (what was done, the case before, the case after); both are asked the same."""
    answers = probe([c for _, before, after in pairs for c in (before, after)])
    bad = []
    for i, (what, before, _) in enumerate(pairs):
        bad += [(what, ask, a, b, before["records"])
                for ask, a, b in zip(before["asks"], answers[2 * i], answers[2 * i + 1]) if is_wrong(a, b)]
    for one in bad[:1]:
        print(*one[:4], *one[4], sep="\n")
    assert not bad, f"{len(bad)} of {sum(map(len, answers)) // 2}"


def changed(case, change):
    after = copy.deepcopy(case)
    change(after)
    return after


def make_blocks(w):
    """A record that blocks."""
    text, match = w.pattern()
    return w.r.choice((
        ["apid", "site_overrides", {**w.who(), "pattern": text, "match": match, "action": "block"}],
        ["apid", "category_prefs", {**w.who(), "category": "edu", "blocked": True}],
        ["apid", "dns_rules", {"pattern": text, "match": match, "action": "block"}],
        ["apid", "sni_block", {"domain": w.host()}],
        ["apid", "websites", {"pattern": text, "match": match, "category": w.r.choice(("sec", "rep", "ext"))}],
        ["apid", "settings", {"id": w.r.choice(("offline_vpn", "offline_browser")), "value": True}],
    ))


def test_adding_a_block_never_unblocks(probe):
    pairs = []
    for seed in range(WORLDS):
        w = worlds.World(seed)
        before, block = w.case(), make_blocks(w)
        block[2].setdefault("id", "added")
        pairs.append((block, before, changed(before, lambda c, b=block: c["records"].append(b))))
        if w.lists:
            def add_line(c, name=w.r.choice([n for n in worlds.NAMES if n != "192.0.2.7"])):
                one = c["lists"][0]
                c["lists"][0] = worlds.make_list("ads", one["entries"] + [["subtree", name, ""]],
                                                 subtree=one.get("subtree"))
            pairs.append(("a line", before, changed(before, add_line)))
    compare(probe, pairs, lambda a, b: is_open(b) and not is_open(a) and b["reason"] != "switch")


def test_order_does_not_matter(probe):
    pairs = []
    for seed in range(WORLDS):
        before = worlds.World(seed).case()

        def shuffle(c, r=random.Random(seed)):
            r.shuffle(c["records"])
            for i, one in enumerate(c["lists"]):
                r.shuffle(one["entries"])
                c["lists"][i] = worlds.make_list(one["id"], one["entries"], subtree=one.get("subtree"))
        pairs.append((seed, before, changed(before, shuffle)))
    compare(probe, pairs, lambda a, b: a != b)


def test_what_has_expired_changes_nothing(probe):
    pairs = []
    for seed in range(WORLDS):
        w = worlds.World(seed)
        after = w.case()
        text, match = w.pattern()
        old = [["apid", t, {"id": "old" + t, "pattern": text, "match": match, "until": w.now - w.r.randrange(9),
                            "action": w.r.choice(("allow", "block")), **(w.who() if t[0] == "s" else {})}]
               for t in ("site_overrides", "dns_rules")]
        pairs.append((old, changed(after, lambda c, o=old: c["records"].extend(o)), after))
    compare(probe, pairs, lambda a, b: a != b)


def test_wrong_field_never_opens(probe):
    """Compared with the record as it was meant."""
    pairs = []
    for seed in range(WORLDS // 2):
        w = worlds.World(seed)
        before = w.case()
        for i, record in enumerate(before["records"]):
            for bad, name in worlds.corruptions(record, w.r):
                if w.r.random() < 0.25:
                    def put(c, i=i, b=bad):
                        c["records"][i] = b
                    pairs.append(((bad, name), before, changed(before, put)))
    assert len(pairs) > 1000
    compare(probe, pairs, opened)


@pytest.mark.parametrize("value", [7, "yes", None, [], {}])
def test_wrong_setting_never_opens(probe, value):
    pairs = []
    for seed in range(60):
        before = worlds.World(seed).case()
        for name in ("offline_vpn", "offline_browser", "device_defaults"):
            def put(c, n=name, v=value):
                c["records"] = [r for r in c["records"] if r[2]["id"] != n] + [worlds.setting(n, v)]
            if value == {} and name == "device_defaults":
                continue
            pairs.append((name, before, changed(before, put)))
    compare(probe, pairs, opened)


def test_explain_tells_what_was_decided(probe):
    """A8: the first step that decided is the decision."""
    cases = []
    for seed in range(WORLDS):
        case = worlds.World(seed).case()
        case["asks"] = [ask[:5] + [explain] for ask in case["asks"] for explain in (False, True)]
        cases.append(case)
    keys = ("verdict", "reason", "rule", "id", "list", "category")
    for case, answers in zip(cases, probe(cases)):
        for ask, decision, steps in zip(case["asks"][::2], answers[::2], answers[1::2]):
            first = next(s for s in steps if s["decided"])
            assert {k: first[k] for k in keys} == {k: decision[k] for k in keys}, (ask, steps)


# ---- spelling ----

def respell(rest, r):
    """The same URL, written otherwise."""
    path, mark, query = rest.partition("?")
    out = ""
    for c in path:
        if c == "/" and out:
            out += r.choice(("/", "/", "//", "/./", "\\", "%2f", "/x/../", "/y/%2E./"))
        elif c != "/" and r.random() < 0.3:
            out += "%" + f"{ord(c):02{r.choice('xX')}}"
        else:
            out += c
    for c in query:
        mark += f"%{ord(c):02x}" if c.isalnum() and r.random() < 0.3 else c
    return out + mark


def test_spelling_of_a_url_decides_nothing(probe):
    pairs = []
    for seed in range(WORLDS):
        w = worlds.World(seed)
        before = w.case()

        def put(c, r=w.r):
            for ask in c["asks"]:
                ask[3] = ask[3] and respell(ask[3], r)
        pairs.append((seed, before, changed(before, put)))
    compare(probe, pairs, lambda a, b: a != b)


ME = ["apid", "devices", {"id": "d", "addresses": ["10.9.0.2"], "unknown_sites": "pass"}]


def ask_one(probe, pattern, match, host, rest):
    case = {"now": worlds.NOW, "records": [ME, ["apid", "site_overrides", {
        "id": "o", "pattern": pattern, "match": match, "action": "block"}]], "asks": [
            ["d", "proxy", host, rest, None, False]]}
    return probe([case])[0][0]["reason"] == "override"


@pytest.mark.parametrize("pattern, match, host, rest, want", [
    ("X.Example.", "exact", "x.example", "/", True),
    ("x.example:443", "exact", "x.example", "/", True),
    ("x.example:8443", "exact", "x.example", "/", False),
    ("www.x.example", "exact", "x.example", "/", True),
    ("x.example", "endswith", "www.x.example", None, True),
    ("x.example", "endswith", "ax.example", None, False),
    (".x.example", "endswith", "x.example", None, False),
    ("xn--bcher-kva.example", "endswith", "a.xn--bcher-kva.example", "/", True),
    ("192.0.2.7", "exact", "192.0.2.7", "/", True),
    ("http://192.0.2.7:80/a", "startswith", "192.0.2.7", "/ab", True),
    ("[2001:DB8::1]:443", "exact", "2001:db8::1", "/", True),
    ("https://[2001:db8:0:0::1]/a", "startswith", "2001:db8::1", "/a/b", True),
    ("2001:db8::443", "exact", "2001:db8::443", None, True),
    ("x.example/a", "startswith", "x.example", "/a?b", True),
    ("x.example/a", "startswith", "x.example", "/A?b", False),
    ("x.example/a", "startswith", "x.example", None, False),
    ("x.example/?b", "contains", "x.example", "/?bc", True),
    ("x.example/a b", "startswith", "x.example", "/a%20b", False),
    ("x.example/a%20b", "startswith", "x.example", "/a%20b", True),
    ("x.example/\u00fc", "startswith", "x.example", "/%C3%bc", True),
    ("x.example/%c3%bc", "startswith", "x.example", "/\u00fc", True),
    ("*.example/*x", "wildcard", "a.example", "/b/c?x", True),
    ("example", "contains", "an.example.test", "/", True),
    ("example/", "contains", "an.example", "/", True),
    ("/casino", "contains", "an.example", "/my/casino", True),
    ("a" * 60 + ".example", "endswith", ("b" * 60 + ".") * 4 + "a" * 60 + ".example", "/", True),
])
def test_patterns(probe, pattern, match, host, rest, want):
    """P5, Patterns: hosts, ports, addresses, cases, letters beyond ASCII, names over 253 bytes."""
    assert ask_one(probe, pattern, match, host, rest) == want


def test_url_that_is_too_long_is_blocked(probe):
    case = {"now": worlds.NOW, "records": [ME], "asks": [
        ["d", "proxy", "x.example", "/" + "a" * n, None, False] for n in (60 * 1024, 70 * 1024)]}
    assert [d["verdict"] for d in probe([case])[0]] == ["pass", "block"]
