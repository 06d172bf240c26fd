# SPDX-License-Identifier: GPL-3.0-or-later
import halib
import pytest


@pytest.fixture(scope="session", autouse=True)
def own_network():
    halib.enter_own_network()


@pytest.fixture(scope="session")
def stores():
    """The stores, running, and nothing else yet."""
    one = halib.World()
    try:
        yield one.start_stores()
    finally:
        one.close()
