# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the end-to-end suite: the shared lab, left as it was found."""
import os

import pytest

from walklib import seeded  # noqa: F401


@pytest.fixture(scope="session")
def evidence(lab):
    """A directory for what people look at: screenshots and measured times."""
    path = os.path.join(lab.places.build, "evidence")
    os.makedirs(path, exist_ok=True)
    return path
