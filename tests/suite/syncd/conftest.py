# SPDX-License-Identifier: GPL-3.0-or-later
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import synclib  # noqa: E402
from synclib import buslib  # noqa: E402


@pytest.fixture
def place():
    # A short path: a unix socket's name has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="cvsync") as d:
        pathlib.Path(d).chmod(0o755)
        yield pathlib.Path(d)


@pytest.fixture
def dns():
    one = synclib.Dns()
    one.start()
    yield one
    one.socket.close()


@pytest.fixture
def redis(place):
    r = synclib.Redis(place).start()
    yield r
    r.stop()


@pytest.fixture
def web(place):
    """An HTTPS server for lists.test under the CA that syncd trusts."""
    one = synclib.Web(synclib.make_certificate(place, "ca", "lists.test", "other.test"))
    yield one
    one.shutdown()
    one.server_close()


@pytest.fixture
def gateway(place, redis, dns):
    """syncd, not started yet, with the probes around it."""
    made = []

    def probe(daemon):
        made.append(buslib.Probe(daemon, f"unix:{redis.socket}", place))
        return made[-1]

    if not (place / "ca.pem").exists():
        synclib.make_certificate(place, "ca", "unused.test")
    one = synclib.Gateway(place, redis, probe, dns.port)
    yield one
    one.syncd.stop()
    for p in made:
        p.quit()
