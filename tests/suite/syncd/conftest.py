# SPDX-License-Identifier: GPL-3.0-or-later
import directuslib
import pytest
import synclib


@pytest.fixture
def dns():
    one = synclib.Dns()
    one.start()
    yield one
    one.close()


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
    if not (place / "ca.pem").exists():
        synclib.make_certificate(place, "ca", "unused.test")
    one = synclib.Gateway(place, redis, dns.port)
    yield one
    one.close()


@pytest.fixture
def directus():
    one = directuslib.Directus()
    yield one
    one.close()


@pytest.fixture
def policy(gateway, directus, place):
    return directuslib.Policy(gateway, directus, place)
