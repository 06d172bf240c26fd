# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of ways round the filter is whole: every test of theirs is in it, and every test that it names exists."""
import os
import re

import pytest
from lablib import TOP

DOC = os.path.join(TOP, "deploy", "doc", "trust.md")
SUITE = os.path.join(TOP, "tests", "suite")


def _tests_of(path):
    with open(os.path.join(SUITE, path), encoding="utf-8") as src:
        return set(re.findall(r"^def (test_\w+)", src.read(), re.M))


def _named():
    """File → names of tests."""
    found = {}
    with open(DOC, encoding="utf-8") as src:
        for file, name in re.findall(r"`(?:([\w/]+\.py)::)?(test_\w+)`", src.read()):
            found.setdefault(file or "trust/test_bypass.py", set()).add(name)
    return found


def test_every_way_that_is_tried_is_in_the_table():
    assert _tests_of("trust/test_bypass.py") == _named()["trust/test_bypass.py"]


@pytest.mark.parametrize("file", sorted(_named()))
def test_every_test_that_the_table_names_exists(file):
    assert _named()[file] <= _tests_of(file)
