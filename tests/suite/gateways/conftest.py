# SPDX-License-Identifier: GPL-3.0-or-later
import apidlib
import gatewaylib
import pytest


@pytest.fixture(scope="session")
def mariadb():
    with apidlib.running_mariadb() as database:
        database.create()
        yield database


@pytest.fixture(scope="session")
def world(mariadb):
    one = gatewaylib.World(mariadb)
    try:
        yield one.up()
    finally:
        one.down()


@pytest.fixture(scope="session")
def owner(world):
    """The administrator."""
    return world.apid.owner()
