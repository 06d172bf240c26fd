# SPDX-License-Identifier: GPL-3.0-or-later
"""Real packets of every device to every kind of destination, both families: F2 to F7, F10, F13, D13."""
import pytest

from support.network import GATEWAY, SITE, TUNNEL, UPLINK, UPLINK_PEER
from table import REFUSED, SILENCE, WHO, answer, cells
from world import PATIENCE_S, QUIET_S

AT_ONCE_S = 1.0


def fault(result, protocol, want):
    """What is wrong with it, or None."""
    verdict, seconds, detail = result
    if want == SILENCE:
        return None if verdict == "silence" else "%s %s" % (verdict, detail)
    if want == REFUSED:
        right = "reset" if protocol == "tcp" else "prohibited"
        if verdict != right:
            return "%s %s, wants %s" % (verdict, detail, right)
        return None if seconds < AT_ONCE_S else "refused after %.2f s" % seconds
    if verdict != "answer":
        return "%s %s, wants %s" % (verdict, detail, want)
    return None if protocol == "icmp" or detail.startswith(want + " ") else detail + ", wants " + want


def probe(world, wanted):
    """(cell, what is wrong with it, or None, is it but slow)"""
    results = world.probe([one for one, _, _ in wanted],
                          [QUIET_S if want == SILENCE else PATIENCE_S for _, want, _ in wanted])
    return [(cell, fault(result, cell[0][2], cell[1]), fault((result[0], 0, result[2]), cell[0][2], cell[1]) is None)
            for cell, result in zip(wanted, results)]


def check(world, wanted):
    """What was right but slow among hundreds is asked again alone: others compute here."""
    found = probe(world, wanted)
    slow = [cell for cell, what, is_slow in found if what and is_slow]
    print("%d slow" % len(slow))
    found = [one for one in found if one[0] not in slow] + [probe(world, [cell])[0] for cell in slow[:50]]
    assert len(slow) <= 50, "slow: %s" % slow
    wrong = ["%s: %s" % (name, what) for (_, _, name), what, _ in found if what]
    print("%d cells, %d wrong" % (len(wanted), len(wrong)))
    assert not wrong, "%d of %d:\n%s" % (len(wrong), len(wanted), "\n".join(wrong))


def test_every_device_to_every_destination(world):
    """F2 to F7, F10, F13, D13"""
    check(world, list(cells(False)))


def test_every_device_to_every_destination_with_intercept(intercepting):
    """F5: 80 and 443 outside the LAN come to proxyd; nothing passes it."""
    check(intercepting, list(cells(True)))


@pytest.mark.parametrize("switches", [("offline_vpn",), ("offline_browser",),
                                      ("offline_vpn", "offline_browser")])
def test_a_global_switch_is_every_device_s(world, switches):
    """F7: device and global are OR-ed."""
    world.owner.set("settings", {s: {"id": s, "value": True} for s in switches})
    world.wait_applied("settings")
    try:
        wanted = []
        for probe, _, name in cells(False, ["full", "internet"], ["site", "lan", "gateway"]):
            other = "both" if len(switches) == 2 else switches[0]
            if probe[0] == "internet" and probe[1] in ("10.77.0.5", "fd77::5"):
                continue
            alike = dict(((p[1:]), w) for p, w, _ in cells(False, [other], ["site", "lan", "gateway"]))
            wanted.append((probe, alike[probe[1:]], name))
        check(world, wanted)
    finally:
        for s in switches:
            world.owner.remove("settings", s)
        world.wait_applied("settings")


def test_sources_are_masqueraded(world):
    """F8: the other side sees the gateway's address."""
    for family in (4, 6):
        verdict, _, detail = world.probe_one("full", SITE[family], "tcp", 1234)
        assert (verdict, detail.split()[2]) == ("answer", UPLINK[family])


@pytest.mark.parametrize("family", [4, 6])
def test_nobody_reaches_a_device_from_outside(world, family):
    """F2: established return traffic only."""
    device = TUNNEL[family] % WHO["full"].number
    world.lan.run("ping", "-%d" % family, "-c", "1", "-W", "1", device, check=False)
    counter = world.nft("list", "counter", "inet", "culvert", "inbound")
    assert "packets 0" not in counter


def test_v6_without_an_uplink_is_refused_at_once(world):
    """D13"""
    world.gw.run("ip", "-6", "route", "del", "default")
    try:
        check(world, [(("full", SITE[6], "tcp", 1234), REFUSED, "tcp"), (("full", SITE[6], "udp", 1234), REFUSED, "udp"),
                      (("full", SITE[6], "udp", 53), answer("gw", 53), "dns")])
    finally:
        world.gw.run("ip", "-6", "route", "add", "default", "via", UPLINK_PEER[6])


def test_what_the_host_forwards_besides_is_not_ours(world):
    """F2: LAN to Internet through the gateway goes on."""
    out = world.lan.run("/usr/bin/python3", "-c",
                        "import socket; s = socket.create_connection(('%s', 1234), 5);"
                        "print(s.recv(100).decode())" % SITE[4])
    assert out.startswith("inet 1234 ")
