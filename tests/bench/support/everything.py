#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of all benchmarks that were run, as one table: everything.py $B/bench."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from bench.support.report import ratio, table


def rows(folder):
    """PART.json of every benchmark, the part's name before the row's."""
    for path in sorted(folder.glob("*.json")):
        for row in json.loads(path.read_text()):
            yield dict(row, name="%s/%s" % (path.stem, row["name"]), ratio=ratio(row, row.get("against")))


if __name__ == "__main__":
    found = list(rows(pathlib.Path(sys.argv[1])))
    print(table(found) if found else "no benchmark has been run")
    sys.exit(0 if found else 1)
