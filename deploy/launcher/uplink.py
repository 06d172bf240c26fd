# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine's side of `make up`: a veth pair into the namespace, the table culvert_up, ip_forward.

What the machine had before is written to run/uplink.json before it is changed; remove() gives it
back."""
import concurrent.futures
import ipaddress
import json
import os
import socket
import string
import subprocess

from .network import SYSCTLS, ip_batch, read_sysctl, set_sysctls, write_sysctl
from .places import WG_PORT, LaunchError, write_file

TABLE = "culvert_up"
LINK = "culvert-up"  # the machine's end; the other one is `uplink`
ADMIN_PORT = 8443
FORWARD = "net/ipv4/ip_forward"
# Writing ip_forward also writes these.
FORWARD_ALSO = ("net/ipv4/conf/all/accept_redirects",)
CONNECT_S = 4

# New connections from the namespace to the machine itself are nobody's business. $rest is there
# when ip_forward is ours: then nothing else is to be forwarded, as before.
RULES = string.Template("""table inet $table {
	chain arrive {
		type nat hook prerouting priority dstnat; policy accept;
		iifname "$uplink" fib daddr type local udp dport $wg dnat ip to $inside
		iifname "$uplink" fib daddr type local tcp dport $admin dnat ip to $inside
	}
	chain local {
		type nat hook output priority -100; policy accept;
		oifname "lo" ip daddr $address tcp dport $admin dnat ip to $inside
	}
	chain leave {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr $inside oifname "$uplink" masquerade
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		oifname "$link" ct state established,related accept
		oifname "$link" iifname "$uplink" ct status dnat accept
		oifname "$link" drop
		iifname "$link" oifname "$uplink" ip saddr $inside accept
		iifname "$link" drop
		$rest
	}
	chain input {
		type filter hook input priority filter; policy accept;
		iifname "$link" icmp type echo-request accept
		iifname "$link" ct state new drop
	}
}
""")
NO_REST = "# what the machine forwards besides is its own business"
LAB = "The lab brings an Internet of its own: tests/lab up"


def _run(*argv, text=None):
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise LaunchError("%s: %s" % (" ".join(argv[:4]), (done.stderr or done.stdout).strip()))
    return done.stdout


def _ip_json(*words):
    return json.loads(_run("ip", "-j", *words) or "[]")


def find():
    """The uplink as {device, address, mtu}: the device of the best IPv4 default route."""
    routes = [r for r in _ip_json("-4", "route", "show", "default") if "dev" in r]
    if not routes:
        raise LaunchError("no uplink: this machine has no IPv4 default route. " + LAB)
    route = min(routes, key=lambda r: r.get("metric", 0))
    link = _ip_json("-4", "address", "show", "dev", route["dev"])[0]
    addresses = [a["local"] for a in link["addr_info"] if a.get("scope") == "global"]
    address = route.get("prefsrc") or (addresses[0] if addresses else None)
    if address is None:
        raise LaunchError("no uplink: %s has no address. %s" % (route["dev"], LAB))
    return {"device": route["dev"], "address": address, "mtu": link["mtu"]}


def _ports_in_use(protocol, state):
    """Local ports of protocol (tcp, udp) with a socket in the state (hex as in /proc/net)."""
    found = set()
    for suffix in ("", "6"):
        try:
            with open("/proc/net/" + protocol + suffix, encoding="ascii") as src:
                rows = [line.split() for line in src.readlines()[1:]]
        except OSError:
            continue
        found |= {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == state}
    return found


def has_table():
    return any(entry.get("table", {}).get("name") == TABLE
               for entry in json.loads(_run("nft", "-j", "list", "tables"))["nftables"])


def check():
    """Whether the machine is free for a gateway; a LaunchError says what is in the way."""
    find()
    if has_table():
        raise LaunchError("this machine has a table inet %s already. If no gateway of Culvert uses "
                          "it, make down removes it" % TABLE)
    if os.path.exists("/sys/class/net/" + LINK):
        raise LaunchError("this machine has an interface %s already" % LINK)
    for protocol, state, port in (("udp", "07", WG_PORT), ("tcp", "0A", ADMIN_PORT)):
        if port in _ports_in_use(protocol, state):
            raise LaunchError("%s port %d is in use on this machine" % (protocol.upper(), port))


def free_subnet():
    """A private /30 that overlaps no route or address of the machine: (outside, inside)."""
    taken = []
    for route in _ip_json("-4", "route", "show", "table", "all"):
        if route["dst"] not in ("default", "0.0.0.0/0"):
            taken.append(ipaddress.ip_network(route["dst"], strict=False))
    for number in range(256):
        net = ipaddress.ip_network("10.213.%d.0/30" % number)
        if not any(net.overlaps(other) for other in taken):
            return str(net[1]), str(net[2])
    raise LaunchError("no private subnet is free below 10.213.0.0/16")


def _state_file(places):
    return places.in_run("uplink.json")


def _forwarding():
    """What writing ip_forward changes, as it is now: path -> value."""
    paths = [FORWARD, *FORWARD_ALSO] + [
        "net/ipv4/conf/%s/forwarding" % name for name in os.listdir("/proc/sys/net/ipv4/conf")
        if name not in ("all", LINK)]
    return {path: read_sysctl(path) for path in paths}


def connect(places, host, link):
    """Wires the host to the machine's uplink. link is find()'s and gets outside and inside."""
    link["outside"], link["inside"] = free_subnet()
    is_ours = read_sysctl(FORWARD) == "0"
    write_file(_state_file(places), json.dumps({"sysctls": _forwarding() if is_ours else {}}))
    set_sysctls(host, *SYSCTLS)
    _run("ip", "link", "add", LINK, "mtu", str(link["mtu"]), "type", "veth",
         "peer", "name", "uplink", "mtu", str(link["mtu"]), "netns", str(host.pid()))
    _run("ip", "address", "add", link["outside"] + "/30", "dev", LINK)
    _run("ip", "link", "set", LINK, "up")
    ip_batch(host, ["link set lo up", "address add %s/30 dev uplink" % link["inside"],
                    "link set uplink up", "route add default via " + link["outside"]])
    _run("nft", "-f", "-", text=RULES.substitute(
        table=TABLE, uplink=link["device"], wg=WG_PORT, admin=ADMIN_PORT, inside=link["inside"],
        link=LINK, address=link["address"],
        rest="meta nfproto ipv4 drop" if is_ours else NO_REST))
    if is_ours:
        write_sysctl(FORWARD, "1")


def remove(places):
    """Takes table and link away and gives ip_forward back. Harmless when there is nothing."""
    try:
        with open(_state_file(places), encoding="ascii") as src:
            before = json.load(src)
    except (OSError, ValueError):
        before = None
    # ip_forward comes first: writing it overwrites the others.
    for path, value in (before or {"sysctls": {}})["sysctls"].items():
        try:
            if read_sysctl(path) != value:
                write_sysctl(path, value)
        except OSError:
            pass  # an interface that is no longer there
    if before is not None and os.path.exists("/sys/class/net/" + LINK):
        subprocess.run(["ip", "link", "del", LINK], capture_output=True, check=False)
    if has_table():
        _run("nft", "delete", "table", "inet", TABLE)


def _answers(servers):
    def one(server):
        with socket.socket() as probe:
            probe.settimeout(CONNECT_S)
            return probe.connect_ex(tuple(server)) == 0
    with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
        return any(pool.map(one, servers))


def check_internet(host, link, servers):
    """Whether one of the DNS servers, pairs of address and port, is reached from the host."""
    if not servers or host.call(_answers, servers):
        return
    names = " or ".join("%s port %d" % tuple(server) for server in servers)
    if _answers(servers):
        raise LaunchError("this machine reaches %s, but what it forwards does not: another firewall "
                          "here drops it" % names)
    raise LaunchError("no Internet: %s does not answer over %s, and Culvert resolves names there. "
                      "%s" % (names, link["device"], LAB))
