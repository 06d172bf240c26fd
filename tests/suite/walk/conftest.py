# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the end-to-end suite: the shared lab, left as it was found."""
import copy
import os

import pytest

import walklib


@pytest.fixture
def seeded(lab):
    """seeded(change) puts another policy in force; the former one is back after the test: topics that a change
    brought are empty (a seed says nothing of those that it leaves out)."""
    before = walklib.read_seed(lab)

    def apply(change):
        document = copy.deepcopy(walklib.read_seed(lab))
        change(document)
        walklib.put_seed(lab, document)
    yield apply
    after = walklib.read_seed(lab)
    if after != before:
        walklib.put_seed(lab, {**{topic: [] for topic in after}, **before})


@pytest.fixture(scope="session")
def evidence(lab):
    """A directory for what people look at: screenshots and measured times."""
    path = os.path.join(lab.places.build, "evidence")
    os.makedirs(path, exist_ok=True)
    return path
