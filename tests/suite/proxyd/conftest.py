# SPDX-License-Identifier: GPL-3.0-or-later
"""`world`: one gateway with proxyd for a module's tests; `new_world`: one for a test alone."""
import pytest

from proxylib import World


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
