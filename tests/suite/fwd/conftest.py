# SPDX-License-Identifier: GPL-3.0-or-later
"""`world`: one gateway with fwd for a module's tests; `intercepting`: the same with intercept."""
import pytest
from world import World


def _world(intercept):
    one = World(intercept)
    try:
        one.up()
        yield one
    finally:
        one.down()


@pytest.fixture(scope="module")
def world():
    yield from _world(False)


@pytest.fixture(scope="module")
def intercepting():
    yield from _world(True)
