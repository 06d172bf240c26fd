# SPDX-License-Identifier: GPL-3.0-or-later
"""P6: EasyList as we read it, and as a blocking engine for browsers does, for 100,000 names."""
import collections
import os
import pathlib
import random
import re
import shutil
import subprocess

import pytest

from support import BUILD
from synclib import listcheck

PEER = pathlib.Path(__file__).parent / "peer"
PACKAGE = "webext-ublock-origin-chromium"
HOST_RULE = re.compile(r"(@@)?\|\|([a-z0-9._-]+)\^")
NAMES = 100_000


@pytest.fixture(scope="module")
def engine():
    """(list, names) → for each the filter that decides, '' none. The engine is installed once a build."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node or npm is not installed")
    place = BUILD / "peer"
    place.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json", "match.mjs"):
        shutil.copy(PEER / name, place)
    installed = place / "installed"
    lock = (PEER / "package-lock.json").read_text()
    if not installed.exists() or installed.read_text() != lock:
        run = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place,
                             capture_output=True, text=True)
        if run.returncode:
            pytest.skip("npm cannot install the engine: " + run.stderr[-300:])
        installed.write_text(lock)

    def run(path, names):
        done = subprocess.run(["node", place / "match.mjs", path], input="\n".join(names) + "\n", text=True,
                              capture_output=True, check=True, env={**os.environ, "NODE_OPTIONS": ""})
        answers = done.stdout.split("\n")[:-1]
        assert len(answers) == len(names)
        return answers
    return run


@pytest.fixture(scope="module")
def easylist():
    run = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True)
    path = next(p for p in run.stdout.split() if p.endswith("/easylist.txt"))
    return pathlib.Path(path)


def make_names(text):
    """Names of the rules, above, below and beside them."""
    rules = sorted({m[2] for m in map(HOST_RULE.match, text.splitlines()) if m})
    names = set(rules)
    r = random.Random(6)
    while len(names) < NAMES:
        d = r.choice(rules)
        names.add(r.choice((f"www.{d}", f"a{r.randrange(9)}.b.{d}", "x" + d, d.partition(".")[2], f"cdn.{d}",
                            d + ".test", f"{r.randrange(10 ** 6)}.example")) or d)
    return sorted(n for n in names if re.search(r"\.[a-z][a-z0-9-]*$", n))


def ours(path, names):
    return [int(row[1], 16) != 0 for row in listcheck(path, names=names)[2]]


def test_host_rules_say_the_same(engine, easylist, place):
    """||d^ and @@||d^, without options."""
    lines = [line for line in easylist.read_text().splitlines() if HOST_RULE.fullmatch(line)]
    excepted = [m[2] for m in map(HOST_RULE.match, lines) if not m[1]][::50]
    lines += [f"@@||cdn.{d}^" for d in excepted]
    path = place / "hosts.txt"
    path.write_text("[Adblock Plus 2.0]\n" + "\n".join(lines) + "\n")
    names = make_names(path.read_text())
    names += [f"{x}cdn.{d}" for d in excepted for x in ("", "a.")]
    reports, _, _ = listcheck(path)
    classes, seen = collections.Counter(), collections.Counter()
    for name, block, found in zip(names, ours(path, names), engine(str(path), names)):
        theirs = bool(found) and not found.startswith("@@")
        seen[block, theirs] += 1
        if block != theirs:
            host = HOST_RULE.match(found or "")
            # We skip rules for public suffixes: one would take every name below it.
            classes["public suffix" if theirs and host and "." not in host[2].rstrip(".") else name] += 1
    print(len(lines), "rules,", len(names), "names", dict(seen), dict(classes), reports)
    assert not set(classes) - {"public suffix"}
    assert seen[True, True] > 30_000 and seen[False, False] > 15_000


def why(found, block):
    """The class of a difference; None: there is no reason for it."""
    host = HOST_RULE.fullmatch(found)
    if block:
        return "exception with options" if found.startswith("@@") else "no filter for it" if not found else None
    if host:
        return None if "." in host[2] else "public suffix"
    body, _, options = found.rpartition("$") if "$" in found else (found, "", "")
    if re.fullmatch(r"\|\|[^/^*|]+\^", body):
        return "options"
    return "pattern"


def test_the_whole_list_differs_by_what_names_cannot_say(engine, easylist):
    text = easylist.read_text()
    names = make_names(text)
    classes, seen, bad = collections.Counter(), collections.Counter(), []
    for name, block, found in zip(names, ours(easylist, names), engine(str(easylist), names)):
        theirs = bool(found) and not found.startswith("@@")
        seen[block, theirs] += 1
        if block != theirs:
            reason = why(found, block)
            classes[reason] += 1
            if reason in (None, "no filter for it"):
                bad.append((name, block, found[:80]))
    print(dict(seen), dict(classes), bad[:10])
    assert not bad
    assert seen[True, True] > 25_000
