# SPDX-License-Identifier: GPL-3.0-or-later
import os
import pathlib
import tempfile

import answerer
import apidlib
import pytest


@pytest.fixture(scope="session")
def mariadb():
    # A short path: a unix socket's name has 107 bytes.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cvdb", dir=memory) as d:
        os.chmod(d, 0o755)
        database = apidlib.MariaDB(pathlib.Path(d)).start()
        yield database
        database.stop()


def lent(mariadb):
    yield mariadb
    mariadb.resume()
    if mariadb.process.poll() is not None:
        mariadb.start()


@pytest.fixture
def database(mariadb):
    """With tables, without rows."""
    mariadb.clear()
    yield from lent(mariadb)


@pytest.fixture
def empty_database(mariadb):
    """Without tables."""
    mariadb.create()
    yield from lent(mariadb)


@pytest.fixture
def wgd(redis):
    one = apidlib.Wgd(redis)
    yield one
    one.close()


@pytest.fixture
def make_apid(place, redis, database):
    """make_apid(seed=...) → Apid, not started."""
    made = []

    def make(seed=None):
        made.append(apidlib.Apid(place, redis, database, seed))
        return made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.fixture
def apid(make_apid, wgd):
    """apid with the usual seed, running, wgd answering."""
    return make_apid(apidlib.SEED).start()


@pytest.fixture
def answer(redis):
    """answer(daemon, result) puts somebody in its place."""
    made = []

    def make(daemon, result):
        made.append(answerer.Answerer(redis, daemon, result))
        return made[-1]
    yield make
    for one in made:
        one.close()
