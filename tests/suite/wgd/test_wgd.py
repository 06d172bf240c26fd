# SPDX-License-Identifier: GPL-3.0-or-later
"""W1–W4, W8: wgd against a real WireGuard, as `wg show` says."""
import json
import time

import pytest

from support.wait import wait_until
from wgdlib import PUB, Gateway, userspace_only

def test_interface_gets_key_addresses_mtu_port_and_routes(gateway):
    """W1."""
    link = json.loads(gateway.run("ip", "-j", "addr", "show", "wgt0"))[0]
    assert link["mtu"] == 1380
    assert "UP" in link["flags"]
    have = {"%s/%d" % (a["local"], a["prefixlen"]) for a in link["addr_info"]
            if a["scope"] == "global"}
    assert have == {"10.9.0.1/24", "fd09::1/64"}
    assert "10.9.0.0/24" in gateway.run("ip", "route", "show", "dev", "wgt0")
    assert "fd09::/64" in gateway.run("ip", "-6", "route", "show", "dev", "wgt0")
    assert gateway.run("wg", "show", "wgt0", "listen-port").strip() == "51820"


def test_publishes_tunnel_and_keeps_its_key_private(gateway):
    """W1: the key is made 0600, never logged; topic `tunnels`."""
    path = gateway.dir / "state/wgd/keys/mitm.key"
    assert path.stat().st_mode & 0o777 == 0o600
    private = path.read_text().strip()
    record = json.loads(wait_until(
        lambda: gateway.redis("HGET", "culvert:state:tunnels:wgd", "mitm"), "published"))
    assert record == {"name": "mitm", "interface": "wgt0", "port": 51820,
                      "addresses": ["10.9.0.1/24", "fd09::1/64"],
                      "public_key": gateway.run("wg", "show", "wgt0", "public-key").strip()}
    assert gateway.run("wg", "show", "wgt0", "private-key").strip() == private
    assert private not in gateway.wgd.log()


def test_peers_follow_the_bus(gateway):
    """W3: added, changed, removed; each as `wg show` says."""
    bus = gateway.bus
    bus.put_device("phone", PUB[0], "10.9.0.2", "fd09::2", tunnel="mitm")
    bus.put_device("laptop", PUB[1], "10.9.0.3")
    gateway.await_peers({PUB[0]: ["10.9.0.2/32", "fd09::2/128"], PUB[1]: ["10.9.0.3/32"]})
    bus.put_device("phone", PUB[2], "10.9.0.4", tunnel="mitm")
    gateway.await_peers({PUB[2]: ["10.9.0.4/32"], PUB[1]: ["10.9.0.3/32"]})
    bus.remove_device("laptop")
    gateway.await_peers({PUB[2]: ["10.9.0.4/32"]})
    bus.remove_device("phone")
    gateway.await_peers({})


def test_peer_applied_answers_once_the_peer_is_there(gateway):
    """A1: the answer comes when the peer is in force, within the 2 s of a request."""
    gen = gateway.bus.put_device("phone", PUB[0], "10.9.0.2")
    answer = gateway.bus.applied_once("phone", gen, public_key=PUB[0])
    assert answer["ok"] and answer["result"] == {"state": "applied"}
    assert gateway.peers() == {PUB[0]: ["10.9.0.2/32"]}
    gen = gateway.bus.put_device("phone", PUB[1], "10.9.0.2")
    assert gateway.bus.applied_once("phone", gen, public_key=PUB[1])["ok"]
    assert gateway.peers() == {PUB[1]: ["10.9.0.2/32"]}
    gen = gateway.bus.remove_device("phone")
    assert gateway.bus.applied_once("phone", gen)["result"] == {"state": "absent"}
    assert gateway.peers() == {}


def test_peer_applied_gives_up_on_a_generation_that_never_comes(gateway):
    answer = gateway.bus.applied_once("phone", gateway.bus.gen + 100)
    assert not answer.get("ok") and answer["error"]["code"] == "timeout"


@pytest.mark.parametrize("reason,key,address", [
    ("invalid_key", "nonsense", "10.9.0.3"),
    ("duplicate_key", PUB[0], "10.9.0.3"),
    ("duplicate_address", PUB[1], "10.9.0.2"),
    ("address_outside_tunnel", PUB[1], "10.8.0.3"),
    ("address_reserved", PUB[1], "10.9.0.1"),
    ("invalid_address", PUB[1], "10.9.0.300"),
])
def test_bad_input_is_refused_by_name_and_nothing_applied(gateway, reason, key, address):
    """W8."""
    gen = gateway.bus.put_device("good", PUB[0], "10.9.0.2")
    assert gateway.bus.applied("good", gen)["ok"]
    gen = gateway.bus.put_device("wrong", key, address)  # of two, the smaller id keeps an address
    answer = gateway.bus.applied("wrong", gen)
    assert not answer.get("ok"), answer
    assert answer["error"] == {"code": "refused", "detail": reason}
    assert gateway.peers() == {PUB[0]: ["10.9.0.2/32"]}
    wait_until(lambda: gateway.status().get("peers_refused") == {reason: 1}, "counted")


def test_unknown_tunnel_is_refused(gateway):
    gen = gateway.bus.put_device("bad", PUB[0], "10.9.0.2", tunnel="nowhere")
    assert gateway.bus.applied("bad", gen)["error"]["detail"] == "unknown_tunnel"


def test_peer_added_by_hand_is_purged(gateway):
    """W3: unknown peers are purged by the next pass, wrong prefixes put right."""
    gen = gateway.bus.put_device("phone", PUB[0], "10.9.0.2")
    assert gateway.bus.applied("phone", gen)["ok"]
    gateway.run("wg", "set", "wgt0", "peer", PUB[3], "allowed-ips", "10.9.0.2/32,0.0.0.0/0")
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")  # any link event starts a pass
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"]})


@userspace_only
def test_restarted_wireguard_is_configured_again(gateway):
    """W2, W3: the interface goes with its program; both come back as they were."""
    gen = gateway.bus.put_device("phone", PUB[0], "10.9.0.2")
    assert gateway.bus.applied("phone", gen)["ok"]
    key = gateway.run("wg", "show", "wgt0", "public-key")
    gateway.stop_wireguard()
    wait_until(lambda: gateway.status()["tunnels"][0]["state"] == "waiting", "noticed")
    gateway.start_wireguard()
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"]})
    wait_until(lambda: "10.9.0.1/24" in gateway.run("ip", "addr", "show", "wgt0"), "addresses")
    wait_until(lambda: "UP" in gateway.run("ip", "-br", "link", "show", "wgt0"), "up")
    assert gateway.run("wg", "show", "wgt0", "public-key") == key


def test_interface_taken_down_or_stripped_comes_back(gateway):
    """W3: when the link changes."""
    gateway.run("ip", "addr", "del", "10.9.0.1/24", "dev", "wgt0")
    wait_until(lambda: "10.9.0.1/24" in gateway.run("ip", "addr", "show", "wgt0"), "address")
    gateway.run("ip", "addr", "add", "10.66.0.1/24", "dev", "wgt0")
    wait_until(lambda: "10.66" not in gateway.run("ip", "addr", "show", "wgt0"), "purge")
    gateway.run("ip", "link", "set", "wgt0", "down")
    wait_until(lambda: ",UP" in gateway.run("ip", "link", "show", "wgt0"), "up")
    wait_until(lambda: "10.9.0.0/24" in gateway.run("ip", "route"), "route")


def test_peers_stay_when_wgd_restarts_without_redis(gateway):
    """W3, DESIGN principle 3: last good; no purge without a complete desired state."""
    want = {}
    for i in range(3):
        gen = gateway.bus.put_device("d%d" % i, PUB[i], "10.9.0.%d" % (i + 2))
        assert gateway.bus.applied("d%d" % i, gen)["ok"]
        want[PUB[i]] = ["10.9.0.%d/32" % (i + 2)]
    # The last good state is written debounced; stopping wgd writes what is due.
    gateway.wgd.stop()
    gateway.redis.stop()
    gateway.wgd.start()
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")
    wait_until(lambda: "mtu 1380" in gateway.run("ip", "link", "show", "wgt0"), "a pass")
    assert gateway.peers() == want


def test_walled_device_stays_a_peer_until_the_grace_days_are_over(gateway):
    """W4."""
    now = int(time.time() * 1000)
    day = 86400000
    gateway.bus.put_device("new", PUB[0], "10.9.0.2", expires_at=now - day)
    gateway.bus.put_device("old", PUB[1], "10.9.0.3", expires_at=now - 31 * day)
    gateway.bus.put_device("off", PUB[2], "10.9.0.4", active=False)
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"], PUB[2]: ["10.9.0.4/32"]})
    gateway.bus.set("settings", {"expired_grace_days": {"id": "expired_grace_days", "value": 60}})
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"], PUB[1]: ["10.9.0.3/32"],
                         PUB[2]: ["10.9.0.4/32"]})


def test_generations_are_reported_as_applied(gateway):
    gen = gateway.bus.put_device("phone", PUB[0], "10.9.0.2")
    wait_until(lambda: gateway.redis.applied("wgd", "devices") == gen, "applied generation")


def test_unchanged_peer_keeps_its_session(gateway, session):
    """W3."""
    before = session()[PUB[0]]
    gateway.bus.put_device("laptop", PUB[1], "10.9.0.3")
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"], PUB[1]: ["10.9.0.3/32"]})
    gateway.bus.remove_device("laptop")
    gateway.bus.put_device("phone", PUB[0], "10.9.0.7")  # another address keeps it too
    gateway.await_peers({PUB[0]: ["10.9.0.7/32"]})
    gateway.wgd.stop()
    gateway.wgd.start()  # and so does a new wgd
    wait_until(lambda: gateway.wgd.log().count("tunnel ready") == 2, "ready again")
    assert session()[PUB[0]] >= before > 0
    assert gateway.peers() == {PUB[0]: ["10.9.0.7/32"]}


@pytest.fixture
def ear(gateway):
    """Who listens to wgd's events; before there is a session, whose beginning is told once."""
    with gateway.redis.connect() as one:
        one("PSUBSCRIBE", "culvert:event:wgd:*")
        yield one


def test_statistics_and_edges_are_published(gateway, ear, session):
    """W6."""
    assert session()
    seen = {}
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")  # a pass at once, not in 10 s
    while len(seen) < 2:
        _, _, channel, text = ear.read()
        seen[channel.rsplit(":", 1)[1]] = json.loads(text)
    assert '"phone"' in json.dumps(seen["stats"])
    assert '"online"' in json.dumps(seen["peer"])


def test_interface_stays_down_until_the_firewall_knows_it():
    """F8: on a host that forwards anyway an early tunnel would leak."""
    one = Gateway(need_rules="yes")

    def is_up():
        return ",UP" in one.run("ip", "link", "show", "wgt0", check=False)

    def refusals(word):
        return one.wgd.log().count("until fwd has rules for it interface=wgt0 error=" + word)

    def full_passes():
        return (one.status().get("tunnels") or [{"failures": 0}])[0]["failures"]

    def await_pass():
        since = full_passes()
        wait_until(lambda: full_passes() > since + 1, "another pass")
    try:
        one.run("sysctl", "-q", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        one.start_wireguard()
        one.wgd.start()
        wait_until(lambda: refusals("No such file"), "waits for the rules")
        assert not is_up()
        for command in ("table inet culvert", "set inet culvert tunnels { type ifname; }",
                        "element inet culvert tunnels { wgt1 }"):
            one.run("nft", "add " + command)
            await_pass()
            assert not is_up()
        one.run("nft", "add element inet culvert tunnels { wgt0 }")
        wait_until(is_up, "up")
        # Afterwards fwd heals its table; the tunnel is not torn down meanwhile.
        one.run("nft", "delete table inet culvert")
        gen = one.bus.put_device("phone", PUB[0], "10.9.0.2")
        assert one.bus.applied("phone", gen)["ok"]
        assert is_up()
    finally:
        one.close()
