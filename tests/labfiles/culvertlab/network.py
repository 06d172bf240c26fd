# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses and routes between the hosts."""
from launcher.network import SYSCTLS, ip_batch, set_sysctls

from .places import (CLIENTS, LAN, LAN_GATEWAY, MOBILE, UPLINK, UPLINK_PEER)
from .scenery import inet_addresses


def _gateway_lines(hosts):
    lines = ["link set lo up"]
    for client in CLIENTS:
        lines += [
            "link add m-%s type veth peer name mobile netns %d" % (client, hosts[client].pid()),
            "address add %s/24 dev m-%s" % (MOBILE[client][0], client),
            "link set m-%s up" % client]
    lines += [
        "link add lan type veth peer name gw netns %d" % hosts["lan"].pid(),
        "address add %s/24 dev lan" % LAN_GATEWAY[0],
        "address add %s/64 dev lan nodad" % LAN_GATEWAY[1],
        "link set lan up",
        "link add uplink type veth peer name gw netns %d" % hosts["inet"].pid(),
        "address add %s/24 dev uplink" % UPLINK[0],
        "address add %s/64 dev uplink nodad" % UPLINK[1],
        "link set uplink up",
        "route add default via " + UPLINK_PEER[0],
        "route add ::/0 via " + UPLINK_PEER[1]]
    return lines


def _inet_lines():
    lines = ["link set lo up",
             "address add %s/24 dev gw" % UPLINK_PEER[0],
             "address add %s/64 dev gw nodad" % UPLINK_PEER[1],
             "link set gw up"]
    for address in inet_addresses():
        lines.append("address add %s dev lo" % address)
    return lines


def connect(hosts):
    """Wires all hosts. Forwarding on the gateway stays off."""
    for host in hosts.values():
        set_sysctls(host, *SYSCTLS)
    # Each refusal is said: the kernel's limit of ICMP errors is six to a host and then one a second.
    set_sysctls(hosts["gw"], "net/ipv4/icmp_ratelimit=0", "net/ipv6/icmp/ratelimit=0")
    ip_batch(hosts["gw"], _gateway_lines(hosts))
    for client in CLIENTS:
        ip_batch(hosts[client], [
            "link set lo up",
            "address add %s/24 dev mobile" % MOBILE[client][1],
            "link set mobile up",
            "route add %s via %s" % (UPLINK[0], MOBILE[client][0])])
    ip_batch(hosts["lan"], [
        "link set lo up",
        "address add %s/24 dev gw" % LAN[0],
        "address add %s/64 dev gw nodad" % LAN[1],
        "link set gw up",
        "route add default via " + LAN_GATEWAY[0],
        "route add ::/0 via " + LAN_GATEWAY[1]])
    ip_batch(hosts["inet"], _inet_lines())
