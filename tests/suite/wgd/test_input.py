# SPDX-License-Identifier: GPL-3.0-or-later
"""W1, W4, W7, W8: what devices ask for: bad input, preshared keys, several tunnels, expiry."""
import time

import pytest

from support.wait import wait_until
from wgdlib import genkey

PUB = [genkey()[1] for _ in range(4)]
PSK = [genkey()[0] for _ in range(2)]
PLAIN = "[tunnel plain]\ninterface=wgt1\naddresses=10.8.0.1/24\nport=51821\nmtu=1420\n"


def put(gateway, name, key, *addresses, psk=None, **fields):
    record = {"id": name, "public_key": key, **({"preshared_key": psk} if psk is not None else {})}
    gateway.bus.set("device_keys", {name: record})
    return gateway.bus.set("devices", {name: {"id": name, "addresses": list(addresses),
                                              "active": True, **fields}})


def state(gateway):
    return gateway.run("wg", "show", "wgt0", "dump")


@pytest.mark.parametrize("reason,key,addresses,more", [
    ("invalid_key", PUB[1][:-2], ["10.9.0.3"], {}),
    ("invalid_key", "A" * 43 + "=", ["10.9.0.3"], {}),  # zero
    ("invalid_preshared_key", PUB[1], ["10.9.0.3"], {"psk": "nonsense"}),
    ("invalid_preshared_key", PUB[1], ["10.9.0.3"], {"psk": 7}),
    ("own_key", None, ["10.9.0.3"], {}),
    ("duplicate_key", PUB[0], ["10.9.0.3"], {}),
    ("duplicate_address", PUB[1], ["10.9.0.2"], {}),
    ("duplicate_address", PUB[1], ["10.9.0.3", "10.9.0.2"], {}),
    ("address_outside_tunnel", PUB[1], ["10.8.0.3"], {}),
    ("address_outside_tunnel", PUB[1], ["10.9.0.3", "fd10::3"], {}),
    ("address_reserved", PUB[1], ["10.9.0.0"], {}),
    ("address_reserved", PUB[1], ["10.9.0.1"], {}),
    ("address_reserved", PUB[1], ["10.9.0.255"], {}),
    ("address_reserved", PUB[1], ["fd09::1"], {}),
    ("invalid_address", PUB[1], ["10.9.0.3/24"], {}),
    ("invalid_address", PUB[1], [], {}),
    ("unknown_tunnel", PUB[1], ["10.9.0.3"], {"tunnel": "nowhere"}),
], ids=lambda value: value if isinstance(value, str) and "_" in value else "")
def test_bad_input_is_refused_by_name_and_the_interface_stays(gateway, reason, key, addresses, more):
    gen = put(gateway, "good", PUB[0], "10.9.0.2")
    assert gateway.bus.applied("good", gen)["ok"]
    before = state(gateway)
    gen = put(gateway, "wrong", key or gateway.run("wg", "show", "wgt0", "public-key").strip(),
              *addresses, **more)
    answer = gateway.bus.applied("wrong", gen)
    assert answer.get("error") == {"code": "refused", "detail": reason}, answer
    assert state(gateway) == before
    wait_until(lambda: gateway.status().get("peers_refused") == {reason: 1}, "counted")
    assert f"peer refused device=wrong reason={reason}" in gateway.wgd.log()


def test_id_that_is_too_long_is_refused_and_the_others_work(gateway):
    gen = put(gateway, "good", PUB[0], "10.9.0.2")
    assert gateway.bus.applied("good", gen)["ok"]
    before = state(gateway)
    gen = put(gateway, "x" * 65, PUB[1], "10.9.0.3")
    answer = gateway.bus.applied("x" * 65, gen)
    assert not answer.get("ok") and "id" in answer["error"]["detail"], answer
    assert state(gateway) == before
    gen = put(gateway, "y" * 64, PUB[1], "10.9.0.3")
    assert gateway.bus.applied("y" * 64, gen)["ok"]


@pytest.mark.parametrize("name", ["a b", "../x", "%s%n", "a\nb", "\u00fc", '"'])
def test_id_that_is_none_is_refused_by_name(gateway, name):
    gen = put(gateway, name, PUB[1], "10.9.0.3", quota_bytes=1)
    assert gateway.bus.applied(name, gen)["error"]["detail"] == "invalid_id"
    assert gateway.peers() == {}


def test_address_that_is_there_twice_is_one(gateway):
    """W3: the interface then is as desired, and no pass finds anything to do."""
    gen = put(gateway, "phone", PUB[1], "10.9.0.3", "10.9.0.3", "::ffff:10.9.0.3", "fd09::3")
    assert gateway.bus.applied("phone", gen)["ok"]
    assert gateway.peers() == {PUB[1]: ["10.9.0.3/32", "fd09::3/128"]}
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")
    wait_until(lambda: "mtu 1380" in gateway.run("ip", "link", "show", "wgt0"), "a pass")
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")
    wait_until(lambda: "mtu 1380" in gateway.run("ip", "link", "show", "wgt0"), "another")
    assert "changed by somebody else" not in gateway.wgd.log()


def test_preshared_key_is_set_changed_and_removed(gateway):
    """W7."""
    def preshared():
        rows = dict(row.split() for row in
                    gateway.run("wg", "show", "wgt0", "preshared-keys").splitlines())
        return rows.get(PUB[0])
    for psk in (PSK[0], PSK[1], None, PSK[0]):
        gen = put(gateway, "phone", PUB[0], "10.9.0.2", psk=psk)
        assert gateway.bus.applied("phone", gen)["ok"]
        wait_until(lambda: preshared() == (psk or "(none)"), "preshared key")
    assert not any(psk in gateway.wgd.log() for psk in PSK)
    # A wrong one is not "none": the peer goes rather than work with less protection.
    gen = put(gateway, "phone", PUB[0], "10.9.0.2", psk="nonsense")
    assert gateway.bus.applied("phone", gen)["error"]["detail"] == "invalid_preshared_key"
    gateway.await_peers({})


def test_device_without_key_or_key_without_device_is_harmless(gateway):
    """apid writes devices and device_keys one after the other, in either order."""
    gateway.bus.set("devices", {"phone": {"id": "phone", "addresses": ["10.9.0.2"]}})
    gateway.bus.set("device_keys", {"laptop": {"id": "laptop", "public_key": PUB[1]}})
    wait_until(lambda: gateway.status().get("peers_refused") == {"no_key": 1}, "no key yet")
    assert gateway.peers() == {}
    gateway.bus.set("device_keys", {"phone": {"id": "phone", "public_key": PUB[0]}})
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"]})
    gateway.bus.set("devices", {"laptop": {"id": "laptop", "addresses": ["10.9.0.3"]}})
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"], PUB[1]: ["10.9.0.3/32"]})
    gateway.bus.remove("device_keys", "phone")
    gateway.await_peers({PUB[1]: ["10.9.0.3/32"]})
    gateway.bus.remove("devices", "laptop")
    gateway.await_peers({})


def test_two_tunnels_and_a_device_that_moves_between_them(make_gateway):
    """W1: `mode`."""
    with make_gateway("wgt1", extra=PLAIN) as gateway:
        gen = put(gateway, "phone", PUB[0], "10.9.0.2", tunnel="mitm")
        put(gateway, "laptop", PUB[1], "10.8.0.3", tunnel="plain")
        assert gateway.bus.applied("phone", gen)["ok"]
        wait_until(lambda: gateway.peers("wgt1") == {PUB[1]: ["10.8.0.3/32"]}, "wgt1")
        assert gateway.peers() == {PUB[0]: ["10.9.0.2/32"]}
        gen = put(gateway, "phone", PUB[0], "10.8.0.2", tunnel="plain")
        assert gateway.bus.applied("phone", gen)["ok"]
        gateway.await_peers({})  # the answer speaks of the tunnel it has moved to
        assert gateway.peers("wgt1") == {PUB[0]: ["10.8.0.2/32"], PUB[1]: ["10.8.0.3/32"]}
        # Moved without its address: refused, and in neither.
        gen = put(gateway, "phone", PUB[0], "10.8.0.2", tunnel="mitm")
        assert gateway.bus.applied("phone", gen)["error"]["detail"] == "address_outside_tunnel"
        wait_until(lambda: gateway.peers("wgt1") == {PUB[1]: ["10.8.0.3/32"]}, "gone from wgt1")
        assert gateway.peers() == {}
        keys = {gateway.run("wg", "show", name, "public-key") for name in ("wgt0", "wgt1")}
        assert len(keys) == 2


def test_peer_goes_at_the_second_its_grace_ends(gateway):
    """W4: not at the next pass."""
    gateway.bus.set("settings", {"expired_grace_days": {"id": "expired_grace_days", "value": 0}})
    for seconds in (2.5, 10, 40):  # it is to be there before, however slow the machine
        end = int((time.time() + seconds) * 1000)
        put(gateway, "later", PUB[1], "10.9.0.3", expires_at=end + 3600000)
        gen = put(gateway, "phone", PUB[0], "10.9.0.2", expires_at=end)
        answer = gateway.bus.applied("phone", gen)
        if time.time() * 1000 < end:
            break
    assert answer["result"] == {"state": "applied"}
    asked = 0
    while PUB[0] in gateway.peers():
        assert asked < end + 5000, "still there long after; the next pass is in 10 s"
        asked = time.time() * 1000
    assert time.time() * 1000 >= end
    gateway.await_peers({PUB[1]: ["10.9.0.3/32"]})
    wait_until(lambda: gateway.status().get("peers_refused") == {"grace_over": 1}, "by name")
    # Renewed.
    gen = put(gateway, "phone", PUB[0], "10.9.0.2", expires_at=end + 3600000)
    assert gateway.bus.applied("phone", gen)["ok"]


def test_suspended_device_stays_a_peer_for_it_has_no_date(gateway):
    """W4: only an expiry has a date to count grace days from."""
    gateway.bus.set("settings", {
        "expired_grace_days": {"id": "expired_grace_days", "value": 0},
        "subscription_required": {"id": "subscription_required", "value": True}})
    put(gateway, "off", PUB[0], "10.9.0.2", active=False)
    gen = put(gateway, "unpaid", PUB[1], "10.9.0.3")
    assert gateway.bus.applied("unpaid", gen)["ok"]
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"], PUB[1]: ["10.9.0.3/32"]})


def test_change_shows_at_once_and_a_burst_is_few_sets(gateway):
    """W3: debounced."""
    took = []
    for i in range(20):
        start = time.monotonic()
        gen = put(gateway, "phone", PUB[i % 2], "10.9.0.2")
        assert gateway.bus.applied("phone", gen, public_key=PUB[i % 2])["ok"]
        took.append(time.monotonic() - start)
    assert min(took) < 0.05, took  # others compute here; a delay of wgd's own would be in each

    def passes():
        row = gateway.status()["tunnels"][0]
        return row["full_passes"] + row["quick_passes"]
    before = passes()
    names = ["d%d" % i for i in range(200)]
    for name in names:  # 400 writes one by one
        gen = put(gateway, name, PUB[3], "10.9.0.9")
    devices = {name: {"id": name, "addresses": ["10.9.0.%d" % (i + 10)]}
               for i, name in enumerate(names)}
    gateway.bus.set("device_keys", {name: {"id": name, "public_key": genkey()[1]} for name in names})
    gen = gateway.bus.set("devices", devices)
    wait_until(lambda: gateway.redis.applied("wgd", "devices") == gen, "applied")
    assert len(gateway.peers()) == 201
    assert passes() - before < 100
