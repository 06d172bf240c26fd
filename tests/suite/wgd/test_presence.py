# SPDX-License-Identifier: GPL-3.0-or-later
"""W6: one key in two places, with real clients."""
import pytest

from clientlib import Client
from support.events import Events
from support.wait import wait_until
from wgdlib import genkey

PRIVATE, PUBLIC = genkey()


@pytest.fixture
def edges(gateway):
    """Those of the devices, however long nothing happens between them."""
    one = Events(gateway.redis, "wgd", "peer")
    yield one
    one.close()


def test_one_key_in_two_places_flaps_and_a_lone_device_does_not(gateway, edges):
    clients = []
    other_private, other_public = genkey()
    gen = gateway.bus.put_device("phone", PUBLIC, "10.9.0.2")
    gateway.bus.put_device("laptop", other_public, "10.9.0.3")
    assert gateway.bus.applied("phone", gen)["ok"]
    try:
        clients = [Client(gateway, 2, PRIVATE, "10.9.0.2"),
                   Client(gateway, 3, PRIVATE, "10.9.0.2"),
                   Client(gateway, 4, other_private, "10.9.0.3")]

        def flapping():
            gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")  # a reading
            return [e for e in edges.seen if e["edge"] == "flapping"]
        first = wait_until(flapping, "flapping", 60)
        assert first[0]["device"] == "phone" and "endpoint" in first[0]
        for _ in range(20):
            flapping()
        wait_until(lambda: gateway.status()["peers_flapping"] == 1, "in the status")
        assert len(flapping()) == 1  # once in ten minutes
        wait_until(lambda: {e["device"] for e in edges.seen if e["edge"] == "online"} ==
                   {"phone", "laptop"}, "both online")
        wait_until(lambda: gateway.status()["peers_online"] == 2, "online in the status")
        assert gateway.status()["peers_silent"] == 0
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("how", ["refused", "removed"])
def test_device_that_is_no_peer_any_more_is_offline(gateway, edges, how):
    """W6: refused, removed: whoever was online is told to be gone."""
    gen = gateway.bus.put_device("phone", PUBLIC, "10.9.0.2")
    assert gateway.bus.applied("phone", gen)["ok"]
    client = Client(gateway, 2, PRIVATE, "10.9.0.2")

    def phones():
        gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")  # a reading
        return [e["edge"] for e in edges.seen if e["device"] == "phone"]
    try:
        wait_until(lambda: phones() == ["online"], "online")
        if how == "refused":
            gateway.bus.put_device("phone", PUBLIC, "10.8.0.2")  # outside the tunnel
        else:
            gateway.bus.remove_device("phone")
        wait_until(lambda: phones() == ["online", "offline"], "offline")
    finally:
        client.close()
