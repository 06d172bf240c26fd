# SPDX-License-Identifier: GPL-3.0-or-later
import pathlib
import tempfile

import dnsdlib
import pytest
import upstream as upstream_module


@pytest.fixture(scope="session")
def certificates():
    with tempfile.TemporaryDirectory(prefix="cvdnsca") as d:
        upstream_module.make_certificates(pathlib.Path(d))
        yield pathlib.Path(d)


@pytest.fixture
def make_upstream(certificates):
    made = []

    def make(kind="udp", certificate="dot"):
        made.append(upstream_module.Upstream(kind, certificates, certificate))
        return made[-1]
    yield make
    for u in made:
        u.close()


@pytest.fixture
def make_world(certificates):
    made = []

    def make(*upstreams, **more):
        urls = [u if isinstance(u, str) else u.url for u in upstreams]
        made.append(dnsdlib.World(urls, certificates, **more))
        return made[-1]
    yield make
    for w in made:
        w.close()


@pytest.fixture(scope="module")
def shared(certificates):
    """(world, upstream), up, for tests that leave nothing behind but cached names."""
    u = upstream_module.Upstream("udp", certificates)
    w = dnsdlib.World([u.url], certificates)
    try:
        w.up()
        yield w, u
    finally:
        w.close()
        u.close()
