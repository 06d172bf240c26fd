# SPDX-License-Identifier: GPL-3.0-or-later
import os
import pathlib
import tempfile

import apidlib
import gatewaylib
import pytest


@pytest.fixture(scope="session")
def mariadb():
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cvdb", dir=memory) as d:
        os.chmod(d, 0o755)
        database = apidlib.MariaDB(pathlib.Path(d)).start()
        database.create()
        yield database
        database.stop()


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
