# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks have in common. An executable tests/bench/PART reads

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    from bench.support import use_suite
    from bench.support.measure import median, paired
    from bench.support.report import LOWER, Report
    use_suite("PART")  # from here on `support` and the modules of tests/suite/PART can be imported

and ends in sys.exit(report.close()).
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]


def use_suite(part):
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(ROOT / "tests/suite" / part), str(ROOT / "tests/suite")]
