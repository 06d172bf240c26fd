# SPDX-License-Identifier: GPL-3.0-or-later
"""EasyList and EasyPrivacy of Debian's uBlock Origin, and what they block."""
import re
import subprocess

PACKAGE = "webext-ublock-origin-chromium"
LISTS = ("easylist", "easyprivacy")
PURE = re.compile(r"(@@)?\|\|([a-z0-9_-]+(?:\.[a-z0-9_-]+)+)\^")


def texts():
    """List -> its text."""
    files = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True, check=True)
    found = {}
    for name in LISTS:
        path = next(p for p in files.stdout.split() if p.endswith("/%s.txt" % name))
        with open(path, encoding="utf-8") as src:
            found[name] = src.read()
    return found


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


def blocked_names(found):
    """Names that texts() block and do not except."""
    sets = [names_of(text) for text in found.values()]
    blocked, excepted = set.union(*[s[0] for s in sets]), set.union(*[s[1] for s in sets])
    return {name for name in blocked - suffixes() if not is_below(name, excepted)}
