# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of one benchmark: a table for people, $B/bench/PART.json for programs."""
import json
import os
import pathlib
import platform
import subprocess
import time

from . import ROOT

HIGHER, LOWER = "higher", "lower"


class Report:
    """Rows in the order of row(); close() prints, writes and gives the exit status."""

    def __init__(self, part, *packages):
        """packages: Debian's names of the peers, whose versions are printed."""
        self.part = part
        self.file = ROOT / os.environ.get("B", "build") / "bench" / (part + ".json")
        self.rows, self.faults, self.notes = [], [], []
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.unlink(missing_ok=True)
        print(provenance(packages), flush=True)

    def row(self, name, unit, better, culvert, peers=None, goal=None, against=None, limit=None):
        """peers: name -> value, None for one that could not be measured. goal: how many times as
        good as the best peer (or the one named by `against`) we must be, whichever way is better:
        2 with LOWER asks for half of the peer's value. limit: a bound that the value itself keeps.
        """
        peers = {k: None if v is None else round(v, 4) for k, v in (peers or {}).items()}
        one = {"name": name, "unit": unit, "better": better,
               "culvert": None if culvert is None else round(culvert, 4), "peers": peers,
               "limit": limit, "goal": None if goal is None else round(goal, 4), "against": against}
        self.rows.append(dict(one, ratio=ratio(one, against)))
        self.faults += faults(one, self.rows[-1]["ratio"], against)

    def check(self, what, ok):
        """A demand beside the rows: printed, and part of the verdict."""
        self.notes.append("%-4s %s" % ("ok" if ok else "BAD", what))
        if not ok:
            self.faults.append(what)

    def note(self, text):
        self.notes.append("     " + text)

    def close(self):
        keys = ("name", "unit", "better", "culvert", "peers", "limit", "goal", "against")
        rows = [{k: row[k] for k in keys} for row in self.rows]
        self.file.write_text(json.dumps(rows, indent=1) + "\n")
        print(table(self.rows))
        for line in self.notes + ["MISSED " + fault for fault in self.faults]:
            print(line)
        print("%s: %s" % (self.part, "missed" if self.faults else "all goals met"))
        return 1 if self.faults or not self.rows else 0


def ratio(row, against=None):
    """How many times as good as the best (or named) peer; None without both values."""
    values = [v for k, v in row["peers"].items() if v is not None and against in (None, k)]
    if row["culvert"] is None or not values:
        return None
    if row["better"] == HIGHER:
        return row["culvert"] / max(values) if max(values) else None
    return min(values) / row["culvert"] if row["culvert"] else float("inf")


def faults(row, times, against=None):
    """What is wrong with a row."""
    name, value, out = row["name"], row["culvert"], []
    if value is None:
        out.append("%s: not measured" % name)
    out += ["%s: no peer %s" % (name, k) for k, v in row["peers"].items() if v is None]
    if against and against not in row["peers"]:
        out.append("%s: no peer %s" % (name, against))
    if row["goal"] is not None and (times is None or times < row["goal"]):
        out.append("%s: %s times as good, the goal is %s" % (name, show(times), show(row["goal"])))
    if row["limit"] is not None and value is not None and (
            value < row["limit"] if row["better"] == HIGHER else value > row["limit"]):
        out.append("%s: %s, the limit is %s" % (name, show(value), show(row["limit"])))
    return out


def show(value):
    return "-" if value is None else "%.4g" % value if abs(value) < 1e4 else "%.0f" % value


def table(rows):
    lines = [("row", "unit", "better", "culvert", "peers", "ratio", "goal", "limit")]
    for r in rows:
        peers = ", ".join("%s %s" % (k, show(v)) for k, v in r["peers"].items())
        lines.append((r["name"], r["unit"], r["better"], show(r["culvert"]), peers or "-",
                      show(r["ratio"]), show(r["goal"]), show(r["limit"])))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in lines)


def read(argv):
    try:
        return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True,
                              check=False).stdout.strip()
    except OSError:
        return ""


def provenance(packages=()):
    """What was measured where."""
    cpu = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text()
           .splitlines() if line.startswith("model name")]
    commit = read(["git", "describe", "--always", "--dirty", "--abbrev=12"]) or "no commit"
    versions = [read(["dpkg-query", "-W", "-f", "${Package} ${Version}", p]) or p + " missing"
                for p in packages]
    return "\n".join([
        "culvert %s, %s" % (commit, time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        "%d x %s, %s %s, load %.1f" % (os.cpu_count(), cpu[0] if cpu else "unknown CPU",
                                       platform.system(), platform.release(), os.getloadavg()[0]),
        *([", ".join(versions)] if versions else [])])
