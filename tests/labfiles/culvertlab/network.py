# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses and routes between the hosts."""
from .places import (CLIENTS, LAN, LAN_GATEWAY, MOBILE, UPLINK, UPLINK_PEER)
from .scenery import inet_addresses

SYSCTLS = (
    "net/ipv6/conf/all/disable_ipv6=0", "net/ipv6/conf/default/disable_ipv6=0",
    "net/ipv6/conf/all/accept_dad=0", "net/ipv6/conf/default/accept_dad=0",
    "net/ipv6/conf/default/accept_ra=0",
    "net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0",
    "net/ipv4/ip_forward=0", "net/ipv6/conf/all/forwarding=0",
)


def _set_sysctls(lines):
    for line in lines:
        path, value = line.split("=")
        with open("/proc/sys/" + path, "w", encoding="ascii") as out:
            out.write(value)


def set_sysctls(host, *lines):
    host.call(_set_sysctls, lines)


def _ip(host, lines):
    host.run(["ip", "-batch", "-"], text="\n".join(lines) + "\n")


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
    _ip(hosts["gw"], _gateway_lines(hosts))
    for client in CLIENTS:
        _ip(hosts[client], [
            "link set lo up",
            "address add %s/24 dev mobile" % MOBILE[client][1],
            "link set mobile up",
            "route add %s via %s" % (UPLINK[0], MOBILE[client][0])])
    _ip(hosts["lan"], [
        "link set lo up",
        "address add %s/24 dev gw" % LAN[0],
        "address add %s/64 dev gw nodad" % LAN[1],
        "link set gw up",
        "route add default via " + LAN_GATEWAY[0],
        "route add ::/0 via " + LAN_GATEWAY[1]])
    _ip(hosts["inet"], _inet_lines())
