# SPDX-License-Identifier: GPL-3.0-or-later
"""What else the table keeps: lists by address at once (F6), what proxyd's user may connect to (F14),
the tunnel's addresses from outside (F5), rates (W7), counts per device (F12)."""
import json
import socket
import subprocess
import time

import pytest

from fwdclients import CONNECT, connect_as
from support.network import GATEWAY, LAN, LAN_GATEWAY, SITE, TUNNEL, UPLINK, UPLINK_PEER
from support.wait import wait_until
from table import WHO
from world import PROXYD_UID, PYTHON, device

FAMILIES = (4, 6)
LISTED = {4: "198.51.100.20", 6: "2001:db8:100::14"}
LISTED_TWICE = {4: "198.51.100.21", 6: "2001:db8:100::15"}
RULE_S = 10


def reaches(world, who, address):
    return world.probe_one(who, address, "tcp", 1234)[0] == "answer"


def counter(world, name):
    text = world.nft("-j", "list", "counter", "inet", "culvert", name)
    return json.loads(text)["nftables"][1]["counter"]["packets"]


# ---- lists by address ----

@pytest.mark.parametrize("family", FAMILIES)
def test_a_list_switched_off_acts_at_once(world, family):
    """F6: for the device; the address stays blocked as long as another list holds it."""
    assert not reaches(world, "full", LISTED[family])
    pref = {"id": "device:full", "lists_off": ["ads"]}
    world.owner.set("device_prefs", {"device:full": pref})
    world.wait_applied("device_prefs")
    assert reaches(world, "full", LISTED[family])
    assert not reaches(world, "full", LISTED_TWICE[family])
    assert not reaches(world, "internet", LISTED[family])
    world.owner.remove("device_prefs", "device:full")
    world.wait_applied("device_prefs")
    assert not reaches(world, "full", LISTED[family])


@pytest.mark.parametrize("change", [{"by_address": False}, None])
def test_a_list_that_acts_no_more_acts_no_more_at_once(world, change):
    """F6: by_address off, or the list removed; afterwards a bit is not the former list's."""
    before = dict(world.syncd.records["lists"])
    if change:
        world.syncd.set("lists", {"ads": {**before["ads"], **change}})
    else:
        world.syncd.remove("lists", "ads")
    try:
        wait_until(lambda: reaches(world, "full", LISTED[4]), "the address is reached", RULE_S)
        assert reaches(world, "full", LISTED[6])
        assert not reaches(world, "full", LISTED_TWICE[4])
        if not change:
            world.syncd.set("lists", {"news": {**before["ads"], "id": "news"}})
            world.wait_applied("lists", owner=world.syncd)
            world.feed([{"kind": "listed", "address": "198.51.100.22", "list": "news"}])
            assert not reaches(world, "full", "198.51.100.22")
            assert reaches(world, "full", LISTED[4])
            world.syncd.remove("lists", "news")
    finally:
        world.syncd.set("lists", {"ads": before["ads"]})
    entries = [{"kind": "listed", "address": a, "list": "ads"}
               for one in (LISTED, LISTED_TWICE) for a in one.values()]
    wait_until(lambda: _feeds(world, entries), "the list acts again", RULE_S)
    assert not reaches(world, "full", LISTED[4])


def _feeds(world, entries):
    from feed import Feed
    with Feed(world.redis) as feed:
        return feed.send(entries)["refused"] == 0


def test_a_newly_listed_address_ends_live_flows(world):
    """F6, F9"""
    sock = _connect_as(world, "full", SITE[4])
    world.feed([{"kind": "listed", "address": SITE[4], "list": "ads"}])
    assert not reaches(world, "full", SITE[4])
    assert sock.stdout.readline() == "gone\n"
    sock.wait()
    world.feed([{"kind": "listed", "address": SITE[4], "list": "ads", "remove": True}])
    assert reaches(world, "full", SITE[4])


def _connect_as(world, who, address):
    """Talks until it cannot."""
    code = ("import socket, time\n"
            "s = socket.create_connection(('%s', 1234), 30, ('%s', 0))\n"
            "s.recv(100); print('open', flush=True)\n"
            "try:\n"
            "    while True:\n"
            "        s.sendall(b'x'); assert s.recv(100); time.sleep(.05)\n"
            "except (OSError, AssertionError): print('gone', flush=True)\n"
            % (address, TUNNEL[4] % WHO[who].number))
    child = world.client.start(PYTHON, "-c", code, stdout=subprocess.PIPE, text=True)
    world.children.append(child)
    assert child.stdout.readline() == "open\n"
    return child


# ---- proxyd's user ----

def test_proxyd_connects_to_the_internet_and_the_lan(world):
    """F14; whether the device may is proxyd's own check."""
    targets = [(a[f], "tcp", 1234) for a in (SITE, LAN, UPLINK_PEER) for f in FAMILIES]
    assert connect_as(world, PROXYD_UID, *targets) == ["answer"] * len(targets)


def test_proxyd_connects_to_nothing_of_the_gateway(world):
    """F14: own addresses, loopback, devices; others' users are not limited."""
    own = [(a[f], "tcp", 8444) for a in (GATEWAY, LAN_GATEWAY, UPLINK) for f in FAMILIES]
    own += [("127.0.0.1", "tcp", 8444), ("127.9.9.9", "tcp", 8444), ("::1", "tcp", 8444),
            ("0.0.0.0", "tcp", 8444), ("::ffff:127.0.0.1", "tcp", 8444)]
    assert connect_as(world, PROXYD_UID, *own) == ["ConnectionRefusedError"] * len(own)
    assert connect_as(world, PROXYD_UID + 1, *own) == ["answer"] * len(own)
    devices = [(TUNNEL[f] % 2, "tcp", 1234) for f in FAMILIES]
    assert connect_as(world, PROXYD_UID, *devices) == ["ConnectionRefusedError"] * 2
    assert counter(world, "output") > 0


def test_proxyd_has_no_udp_but_to_the_resolver(world):
    """F14"""
    out = connect_as(world, PROXYD_UID, (SITE[4], "udp", 1234), (SITE[6], "udp", 1234))
    assert "answer" not in out
    world.respond(world.gw, "dns", "5300", ["127.0.0.1"])
    asked = [("127.0.0.1", "udp", 5300), ("127.0.0.1", "tcp", 5300)]
    assert connect_as(world, PROXYD_UID, *asked) == ["answer", "answer"]


def test_proxyd_has_no_nat64_and_no_link_local(world):
    """F14: forms of addresses that would get round."""
    out = connect_as(world, PROXYD_UID, ("64:ff9b::7f00:1", "tcp", 1234), ("2002:7f00:1::", "tcp", 1234),
                     ("169.254.1.1", "tcp", 1234))
    assert out == ["ConnectionRefusedError"] * 3


# ---- from outside ----

@pytest.mark.parametrize("family", FAMILIES)
def test_the_tunnel_s_addresses_are_closed_from_outside(world, family):
    """F5: for a host on the uplink that has a route to the tunnel."""
    world.inet.run("ip", "-%d" % family, "route", "replace", GATEWAY[family], "via", UPLINK[family])
    before = counter(world, "closed")
    out = world.inet.run(PYTHON, "-c", CONNECT.replace("settimeout(5)", "settimeout(1)"), json.dumps(
        [(GATEWAY[family], "tcp", 8080), (GATEWAY[family], "udp", 53), (GATEWAY[family], "tcp", 80)]))
    assert "answer" not in json.loads(out)
    assert counter(world, "closed") > before
    world.inet.run("ip", "-%d" % family, "route", "del", GATEWAY[family])


# ---- rates ----

SEND = """
import socket, threading
s = socket.socket(socket.AF_INET6); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", 7777)); s.listen(16); print("ready", flush=True)
while True:
    c, _ = s.accept()
    threading.Thread(target=lambda c=c: (c.sendall(bytes(%d)), c.close())).start()
"""
SIZE, KBIT = 1_500_000, 4000
TAKE = """
import socket, time
start, n = time.monotonic(), 0
s = socket.create_connection(("%s", 7777), 60, ("%s", 0))
while True:
    data = s.recv(65536)
    if not data: break
    n += len(data)
print(n, time.monotonic() - start)
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_device_has_its_rate(world, family):
    """W7: acts at once, and on this device alone."""
    if not getattr(world, "sender", None):
        world.sender = world.inet.start(PYTHON, "-c", SEND % SIZE, stdout=subprocess.PIPE, text=True)
        world.children.append(world.sender)
        assert world.sender.stdout.readline() == "ready\n"

    def take(who):
        n, seconds = world.client.run(PYTHON, "-c", TAKE % (
            SITE[family], TUNNEL[family] % WHO[who].number)).split()
        assert int(n) == SIZE
        return float(seconds)
    dropped = counter(world, "rate")
    free = take("full")
    assert counter(world, "rate") == dropped
    world.owner.set("devices", {"full": device("full", rate_kbit=KBIT)})
    world.wait_applied("devices")
    limited = take("full")
    assert counter(world, "rate") > dropped
    other = take("internet")
    world.owner.set("devices", {"full": device("full")})
    world.wait_applied("devices")
    again = take("full")
    print("free %.2f s, limited %.2f s, other device %.2f s, free again %.2f s"
          % (free, limited, other, again))
    # A second's bytes come at once, the rest at the rate.
    assert limited > (SIZE - KBIT * 125) / (KBIT * 125) * .8
    assert "up_" not in world.nft("list", "limits", "table", "inet", "culvert")


# ---- counts ----

def test_status_tells_how_many_packets_and_bytes_each_reason_has_refused(world):
    """F12: what the API shows as the firewall's, against the kernel's own numbers."""
    kinds = ("packets", "bytes")

    def kernel(what):
        objects = [o["counter"] for o in json.loads(world.nft("-j", "list", "counters", "table", "inet", "culvert"))["nftables"]
                   if "counter" in o]
        return {o["name"]: o[what] for o in objects}

    def told():
        status = world.redis.status_now("fwd")
        return {what: {name: int(n) for name, n in status["refused_" + what].items()} for what in kinds}
    before = told()
    for address in SITE.values():
        assert not reaches(world, "intranet", address)
    # Of one status: a packet of somebody else may come at any moment.
    after = wait_until(lambda: (t := told()) == {what: kernel(what) for what in kinds} and t, "the kernel's numbers", 60)
    more = {what: {name: n - before[what][name] for name, n in after[what].items()} for what in kinds}
    acted = {name for name, n in more["packets"].items() if n}
    assert acted and {name for name, n in more["bytes"].items() if n} == acted, more
    # A first packet of TCP: an IP header, one of TCP, its options.
    assert all(40 <= more["bytes"][name] / more["packets"][name] <= 1500 for name in acted), more


def test_refusals_are_counted_per_device(world):
    """F12"""
    start = time.monotonic()
    for address in SITE.values():
        assert not reaches(world, "intranet", address)
    for family in FAMILIES:
        text = world.nft("list", "set", "inet", "culvert", "refused%d" % family)
        number = socket.inet_ntop(*((socket.AF_INET, socket.inet_aton(TUNNEL[4] % 4)) if family == 4 else (
            socket.AF_INET6, socket.inet_pton(socket.AF_INET6, TUNNEL[6] % 4))))
        assert number + " . 0x" in text, text
    assert time.monotonic() - start < 60
