# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the suite of trust: the shared lab, left as it was found; what was tried is written down."""
import os

from lablib import TOP
from walklib import seeded  # noqa: F401

TRIED = []


def pytest_runtest_logreport(report):
    if report.when == "call" or report.failed:
        path, _, name = report.nodeid.partition("::")
        TRIED.append((os.path.basename(path).removesuffix(".py"), name, report.outcome, report.duration))


def pytest_sessionfinish():
    """build/evidence/trust-FILE.txt: each test and how it ended, for make check-trust to print."""
    folder = os.path.join(TOP, os.environ.get("B", "build"), "evidence")
    os.makedirs(folder, exist_ok=True)
    for file in {t[0] for t in TRIED}:
        with open(os.path.join(folder, "trust-%s.txt" % file.replace("test_", "")), "w", encoding="utf-8") as out:
            for _, name, outcome, seconds in (t for t in TRIED if t[0] == file):
                out.write("%-8s %6.2f s  %s\n" % (outcome, seconds, name))
