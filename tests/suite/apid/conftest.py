# SPDX-License-Identifier: GPL-3.0-or-later
import json
import os

import answerer
import apidlib
import prism
import pytest


@pytest.fixture(scope="session")
def mariadb():
    with apidlib.running_mariadb() as database:
        yield database


def lent(mariadb):
    yield mariadb
    mariadb.resume()
    if mariadb.process.poll() is not None:
        mariadb.start()


class Watch:
    """Holds answers against the document of the first apid that gives one."""

    def __init__(self):
        self.prism = None

    def __call__(self, method, path, status, headers, data):
        if self.prism:
            self.prism.look(method, path, status, headers, data)
        elif path == "/api/openapi.json" and status == 200:
            self.prism = prism.Prism(json.loads(data))


@pytest.fixture(scope="session")
def watch():
    one = Watch()
    apidlib.Client.watch = one
    yield one
    apidlib.Client.watch = None
    if one.prism:
        one.prism.close()


@pytest.fixture(autouse=True)
def all_answers_fit(request):
    """With APID_PRISM=1 a test fails, too, when an answer that it was given is not as the document says."""
    if not os.environ.get("APID_PRISM"):
        yield
        return
    one = request.getfixturevalue("watch")
    if not one.prism and "apid" in request.fixturenames:
        request.getfixturevalue("apid").client().get("/api/openapi.json")
    yield
    if one.prism:
        wrong, one.prism.wrong = one.prism.wrong, []
        assert not wrong


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
    """apid with the usual seed and its owner, running, wgd answering."""
    one = make_apid(apidlib.SEED)
    one.add_owner()
    return one.start()


@pytest.fixture
def new_apid(make_apid, wgd):
    """The same as nobody has set it up."""
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
