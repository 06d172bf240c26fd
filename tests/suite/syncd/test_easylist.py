# SPDX-License-Identifier: GPL-3.0-or-later
"""EasyList and EasyPrivacy, as Debian ships them, against an independent count (SPEC D3, P6, S4)."""
import ipaddress
import os
import random
import re
import subprocess

import pytest

import synclib

from support.wait import wait_until

PACKAGE = "webext-ublock-origin-chromium"
PURE = re.compile(r"^(@@)?\|\|(\*\.)?([^\^/$*|?:=&]*)\^\|?(?:\$([^\s]*))?$")
COSMETIC = ("##", "#@#", "#?#", "#$#", "#%#")


def paths():
    run = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True)
    found = {os.path.basename(p): p for p in run.stdout.split()}
    if "easylist.txt" not in found:
        pytest.fail(f"{PACKAGE} is not installed")
    return found["easylist.txt"], found["easyprivacy.txt"]


def suffixes():
    """The ICANN part of the public suffix list."""
    text = open("/usr/share/publicsuffix/public_suffix_list.dat", encoding="utf-8").read()
    text = text.split("===END ICANN DOMAINS===")[0]
    return {line.encode("idna").decode() for line in map(str.strip, text.splitlines())
            if line and not line.startswith(("//", "*", "!"))}


def is_name(name):
    try:
        ipaddress.ip_address(name)
        return False
    except ValueError:
        pass
    labels = name.split(".")
    return (len(labels) > 1 and len(name) <= 253 and not labels[-1].isdigit()
            and all(re.fullmatch(r"[a-z0-9_-]{1,63}", label) for label in labels))


def count(path, icann):
    """(blocked names, excepted names) of the || rules that mean whole names, line by line."""
    blocked, excepted = [], []
    for line in open(path, encoding="utf-8"):
        line = line.strip()
        if line.startswith("!") or any(mark in line for mark in COSMETIC):
            continue
        match = PURE.match(line)
        if not match:
            continue
        options = match.group(4)
        if options is not None and set(options.split(",")) - {"important", "all"}:
            continue
        name = match.group(3).lower().rstrip(".")
        if is_name(name) and name not in icann:
            (excepted if match.group(1) else blocked).append(name)
    return blocked, excepted


def test_easylist_and_easyprivacy_load_whole():
    icann = suffixes()
    files = paths()
    blocked, excepted, per_file = set(), set(), []
    for path in files:
        b, e = count(path, icann)
        per_file.append((len(b) + len(e), len(e)))
        blocked |= set(b)
        excepted |= set(e)
    assert len(blocked) > 80000
    random.seed(5)
    sample = random.sample(sorted(blocked - excepted), 5000)
    absent = [n + ".culvert-test.example" for n in sample[:500]]
    reports, summary, rows = synclib.listcheck(*files, names=sample + ["a." + n for n in sample] + absent)
    print(reports, summary)
    assert [(r["names"], r["exceptions"]) for r in reports] == per_file
    assert all(r["error"] == 0 and "name" not in r["skipped_by"] for r in reports)
    assert summary["count"] == len(blocked | excepted)
    assert summary["bytes"] <= 11 * summary["count"] + 4096
    for name, hit, other, _ in rows[:10000]:
        assert hit != "0" or other != "0", name
    assert not [r for r in rows[10000:] if r[1] != "0"]


def test_easylist_is_published_by_syncd(gateway):
    s = gateway.syncd
    easylist, easyprivacy = paths()
    for name, path in (("e", easylist), ("p", easyprivacy)):
        s.write(name, open(path, encoding="utf-8").read())
    gateway.sources(e="file:e", p="file:p")
    s.start()
    icann = suffixes()
    for name, path in (("e", easylist), ("p", easyprivacy)):
        b, e = count(path, icann)
        gateway.wait_list(name, error=None, count=len(b) + len(e))
    blocked = count(easylist, icann)[0]
    random.seed(6)
    sample = random.sample(blocked, 1000)
    wait_until(lambda: (gateway.domainset() or {}).get("count", 0) > 80000, "both in the set")
    hits = gateway.blocked(*sample)
    assert sum("e" in h for h in hits) >= 995  # the rest may be excepted
