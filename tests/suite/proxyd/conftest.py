# SPDX-License-Identifier: GPL-3.0-or-later
"""`world`: one gateway with proxyd for a module's tests; `new_world`: one for a test alone."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from proxylib import World  # noqa: E402


def _world():
    one = World()
    try:
        one.up()
        yield one
    finally:
        one.down()


@pytest.fixture(scope="module")
def world():
    yield from _world()


@pytest.fixture
def new_world():
    yield from _world()
