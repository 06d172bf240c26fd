# SPDX-License-Identifier: GPL-3.0-or-later
"""One real Directus for the session, with K's collections; syncd of the test's own beside it."""
import os
import pathlib
import tempfile

import chaoslib
import directuslib
import pytest
import realdirectus
import synclib

from support.net import free_port


@pytest.fixture(scope="session")
def served():
    with tempfile.TemporaryDirectory(prefix="culvert-") as d:
        os.chmod(d, 0o755)
        one = realdirectus.RealDirectus(pathlib.Path(d), free_port())
        try:
            one.setup().start()
            one.make_schema()
            one.make_user(directuslib.TOKEN)
            yield one
        finally:
            one.close()


@pytest.fixture
def directus(served):
    """Up, with collections that are empty and a token that may use them."""
    yield served
    served.restore(directuslib.TOKEN)


@pytest.fixture
def world(place, redis, directus):
    """All parts on the way of an appeal, this Directus among them."""
    one = chaoslib.World(place, redis, realdirectus.Killable(directus))
    yield one
    one.close()


@pytest.fixture
def policy(place, redis, directus):
    """syncd between it and a consumer of its topics, not started yet."""
    dns = synclib.Dns()
    dns.start()
    synclib.make_certificate(place, "ca", "unused.test")
    gateway = synclib.Gateway(place, redis, dns.port)
    yield directuslib.Policy(gateway, directus, place)
    gateway.close()
    dns.close()
