# SPDX-License-Identifier: GPL-3.0-or-later
"""`world`: one gateway with proxyd for a module's tests; `client`: a connection there; `new_world`: one for a test
alone."""
import pytest

from proxylib import BUILDS, World


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


@pytest.fixture(scope="module", params=BUILDS, ids=[b.name for b in BUILDS])
def build(world, request):
    """The module's world with proxyd over each TLS library, one after the other."""
    if request.param != BUILDS[0]:
        world.use_build(request.param)
    return request.param


@pytest.fixture(params=["http", "https"])
def client(request, world):
    """A connection to allowed.example, plain and decrypted: (connection, its origin, start of a target)."""
    if request.param == "https":
        with world.secure_to("allowed.example") as c:
            yield c, world.secure, ""
    else:
        with world.connect() as c:
            yield c, world.site, "http://allowed.example"


@pytest.fixture
def new_world():
    yield from _world()
