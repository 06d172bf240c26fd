# SPDX-License-Identifier: GPL-3.0-or-later
"""Real packets of every profile to every kind of destination, IPv4 and IPv6 (F2 to F5, F7, D13)."""
import pytest

from support.network import GATEWAY, LAN, LAN_GATEWAY, QUAD9, SITE, UPLINK, UPLINK_PEER
from world import NOBODY

AT_ONCE_S = 1.0

# destination, protocol, port → who gets which answer. "-" is a refusal at once: a reset for TCP,
# ICMP for the rest; "silence" nothing at all. Columns: full internet intranet walled offline_vpn
# offline_browser both custom
OFFLINE = "full internet intranet walled offline_vpn offline_browser both custom".split()
TABLE = [
    (SITE, "tcp", 1234, "inet inet - - - inet - inet"),
    (SITE, "udp", 1234, "inet inet - - - inet - -"),
    (SITE, "tcp", 1500, "inet inet - - - inet - -"),
    (SITE, "tcp", 80, "inet inet - - - - - -"),
    (SITE, "tcp", 443, "inet inet - - - inet - -"),
    (LAN, "tcp", 1234, "lan - lan - - lan - -"),
    (LAN, "tcp", 80, "lan - lan - - - - -"),
    # the network of the gateway's own uplink is LAN too
    (UPLINK_PEER, "tcp", 1234, "inet - inet - - inet - -"),
    # other devices
    (NOBODY, "tcp", 1234, "- - - - - - - -"),
    (NOBODY, "udp", 1234, "- - - - - - - -"),
    # DNS anywhere is dnsd's
    (SITE, "udp", 53, "gw gw gw gw - gw gw gw"),
    (SITE, "tcp", 53, "gw gw gw gw - gw gw gw"),
    (QUAD9, "udp", 53, "gw gw gw gw - gw gw gw"),
    (QUAD9, "tcp", 53, "gw gw gw gw - gw gw gw"),
    (LAN, "udp", 53, "gw gw gw gw - gw gw gw"),
    (LAN, "tcp", 53, "gw gw gw gw - gw gw gw"),
    (GATEWAY, "udp", 53, "gw gw gw gw - gw gw gw"),
    (GATEWAY, "tcp", 53, "gw gw gw gw - gw gw gw"),
    # DoT, QUIC, DoH by address
    (QUAD9, "tcp", 853, "- - - - - - - -"),
    (QUAD9, "udp", 853, "- - - - - - - -"),
    (SITE, "tcp", 853, "- - - - - - - -"),
    (SITE, "udp", 443, "- - - - - - - -"),
    (LAN, "udp", 443, "- - - - - - - -"),
    (QUAD9, "tcp", 443, "- - - - - - - -"),
    # the gateway's services
    (GATEWAY, "tcp", 8080, "gw gw gw gw gw gw gw gw"),
    (GATEWAY, "tcp", 80, "gw gw gw gw - gw gw gw"),
    (GATEWAY, "tcp", 443, "gw gw gw gw - gw gw gw"),
    (GATEWAY, "tcp", 8444, "gw gw gw gw - gw gw gw"),
    (GATEWAY, "tcp", 22, "- - - - - - - -"),
    (GATEWAY, "tcp", 8443, "- - - - - - - -"),
    (GATEWAY, "tcp", 3128, "- - - - - - - -"),
    (GATEWAY, "tcp", 3129, "- - - - - - - -"),
    # not by the gateway's other addresses
    (LAN_GATEWAY, "tcp", 8080, "- - - - - - - -"),
    (LAN_GATEWAY, "tcp", 80, "- - - - - - - -"),
    (UPLINK, "tcp", 22, "- - - - - - - -"),
]


def judge(probe, result, want):
    """What is wrong with the result, or None."""
    verdict, seconds, detail = result
    _, _, protocol, port = probe
    if want == "silence":
        return None if verdict == "silence" else "%s %s" % (verdict, detail)
    if want == "-":
        right = "reset" if protocol == "tcp" else "prohibited"
        if verdict != right:
            return "%s %s, wants %s" % (verdict, detail, right)
        return None if seconds < AT_ONCE_S else "refused after %.2f s" % seconds
    if verdict != "answer":
        return "%s %s, wants %s" % (verdict, detail, want)
    return None if detail.startswith("%s %d " % (want, port)) else detail


def check(world, rows, columns):
    """Rows as in TABLE, for those columns."""
    expected = {}
    for to, protocol, port, line in rows:
        for who, want in zip(columns, line.split()):
            for family in (4, 6):
                expected[(who, to[family], protocol, port)] = want
    probes = list(expected)
    wrong = []
    for probe, result in zip(probes, world.probe(probes)):
        fault = judge(probe, result, expected[probe])
        if fault:
            wrong.append("%s: %s" % (" ".join(map(str, probe)), fault))
    assert not wrong, "%d of %d:\n%s" % (len(wrong), len(probes), "\n".join(wrong))


def test_every_profile_to_every_destination(world):
    """F2, F3, F4, F5, F7"""
    check(world, TABLE, OFFLINE)


def test_a_source_that_is_no_device_is_dropped(world):
    """F5: a source address that is not ours is dropped."""
    rows = [(to, protocol, port, "silence") for to, protocol, port, _ in TABLE
            if (protocol, port) in (("tcp", 1234), ("udp", 53), ("tcp", 8080))]
    check(world, rows, ["stranger"])


def test_an_unknown_profile_and_no_entitlement_are_walled(world):
    """F2, W4"""
    rows = [(SITE, "tcp", 1234, "- - -"), (LAN, "tcp", 1234, "- - -"),
            (SITE, "udp", 53, "gw gw gw"), (GATEWAY, "tcp", 80, "gw gw gw")]
    check(world, rows, ["nosuch", "expired", "inactive"])


def test_a_device_without_v6_is_refused_there_at_once(world):
    """D13: nothing is black-holed."""
    results = world.probe([("no_v6", SITE[4], "tcp", 1234), ("no_v6", SITE[6], "tcp", 1234)])
    assert results[0][0] == "answer"
    assert results[1][0] == "reset" and results[1][1] < AT_ONCE_S


def test_a_ping_of_the_gateway_is_answered(world):
    """F5"""
    for family, to in GATEWAY.items():
        world.client.run("ping", "-%d" % family, "-c", "1", "-W", "5", "-I",
                         "10.9.0.2" if family == 4 else "fd09::2", to)


def test_sources_are_masqueraded(world):
    """F8: the other side sees the gateway's address."""
    for family in (4, 6):
        verdict, _, detail = world.probe_one("full", SITE[family], "tcp", 1234)
        assert (verdict, detail.split()[2]) == ("answer", UPLINK[family])


@pytest.mark.parametrize("family", [4, 6])
def test_nobody_reaches_a_device_from_outside(world, family):
    """F2: established return traffic only."""
    device = {4: "10.9.0.2", 6: "fd09::2"}[family]
    before = world.status().get("refused_packets", {})
    world.lan.run("ping", "-%d" % family, "-c", "1", "-W", "1", device, check=False)
    counter = world.nft("list", "counter", "inet", "culvert", "inbound")
    assert "packets 0" not in counter, before


def test_v6_without_an_uplink_is_refused_at_once(world):
    """D13"""
    world.gw.run("ip", "-6", "route", "del", "default")
    try:
        tcp, udp, local = world.probe([("full", SITE[6], "tcp", 1234), ("full", SITE[6], "udp", 1234),
                                       ("full", SITE[6], "udp", 53)])
    finally:
        world.gw.run("ip", "-6", "route", "add", "default", "via", UPLINK_PEER[6])
    assert tcp[0] == "reset" and tcp[1] < AT_ONCE_S
    assert udp[0] == "prohibited" and udp[1] < AT_ONCE_S
    assert local[0] == "answer"


def test_what_the_host_forwards_besides_is_not_ours(world):
    """F2: LAN to Internet through the gateway goes on."""
    out = world.lan.run("/usr/bin/python3", "-c",
                        "import socket; s = socket.create_connection(('%s', 1234), 5);"
                        "print(s.recv(100).decode())" % SITE[4])
    assert out.startswith("inet 1234 ")


INTERCEPTED = [
    (SITE, "tcp", 80, "3128 3128 - - - - - 3128"),
    (SITE, "tcp", 443, "3129 3129 - - - 3129 - 3129"),
    (LAN, "tcp", 80, "lan - lan - - - - -"),
    (LAN, "tcp", 443, "lan - lan - - lan - -"),
    (QUAD9, "tcp", 443, "- - - - - - - -"),
    (GATEWAY, "tcp", 80, "gw gw gw gw - gw gw gw"),
    (GATEWAY, "tcp", 443, "gw gw gw gw - gw gw gw"),
    (GATEWAY, "tcp", 3128, "- - - - - - - -"),
    (GATEWAY, "tcp", 3129, "- - - - - - - -"),
    (SITE, "tcp", 1234, "inet inet - - - inet - inet"),
    (SITE, "udp", 443, "- - - - - - - -"),
]


def test_intercept_redirects_all_but_the_lan(intercepting):
    """F5, F7"""
    rows = []
    for to, protocol, port, line in INTERCEPTED:
        rows.append((to, protocol, port, line))
    expected = {}
    for to, protocol, port, line in rows:
        for who, want in zip(OFFLINE, line.split()):
            for family in (4, 6):
                expected[(who, to[family], protocol, port)] = want
    wrong = []
    for probe, result in zip(expected, intercepting.probe(list(expected))):
        want = expected[probe]
        if want in ("3128", "3129"):
            fault = None if result[2].startswith("gw %s " % want) else str(result)
        else:
            fault = judge(probe, result, want)
        if fault:
            wrong.append("%s: %s" % (" ".join(map(str, probe)), fault))
    assert not wrong, "\n".join(wrong)
