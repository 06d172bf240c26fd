# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices' tunnels of a Net made WireGuard's own, of the kernel, over a link between devices and gateway."""
import json
import subprocess

OUTER = {"gw": "192.0.2.1", "client": "192.0.2.2"}
FIRST_PORT = 51820


def key():
    private = subprocess.run(["wg", "genkey"], check=True, capture_output=True, text=True).stdout.strip()
    public = subprocess.run(["wg", "pubkey"], check=True, capture_output=True, text=True, input=private).stdout.strip()
    return private, public


def use_wireguard(net, *pairs):
    """pairs: interfaces (gateway's, devices') whose place it takes, with their addresses and routes. RuntimeError
    where the kernel has none."""
    net.gw.run("ip", "link", "add", "outer0", "type", "veth", "peer", "name", "outer1", "netns", net.client.sleeper.pid)
    for host, name, address in ((net.gw, "outer0", OUTER["gw"]), (net.client, "outer1", OUTER["client"])):
        host.run("ip", "address", "add", address + "/30", "dev", name)
        host.run("ip", "link", "set", name, "up")
    for port, (ours, theirs) in enumerate(pairs, FIRST_PORT):
        _replace(net, ours, theirs, port)


def _replace(net, ours, theirs, port):
    ends = [(net.gw, ours, key()), (net.client, theirs, key())]
    had = [(_addresses(host, name), _defaults(host, name)) for host, name, _ in ends]
    net.gw.run("ip", "link", "del", ours)
    for (host, name, (private, _)), (addresses, defaults) in zip(ends, had):
        far = ends[1] if host is net.gw else ends[0]
        host.run("ip", "link", "add", name, "type", "wireguard")
        host.run("wg", "set", name, "listen-port", port, "private-key", "/dev/stdin", "peer", far[2][1], "allowed-ips",
                 "0.0.0.0/0,::/0", "endpoint", "%s:%d" % (OUTER["client" if host is net.gw else "gw"], port), text=private)
        for address in addresses:
            host.run("ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
        host.run("ip", "link", "set", name, "up")
        for family, table in defaults:
            host.run("ip", family, "route", "add", "default", "dev", name, "table", table)


def _addresses(host, name):
    links = json.loads(host.run("ip", "-j", "address", "show", "dev", name))
    return ["%s/%d" % (a["local"], a["prefixlen"]) for link in links for a in link.get("addr_info", [])
            if a["scope"] == "global"]


def _defaults(host, name):
    """(family, table) of each default route there."""
    return [(family, route.get("table", "main")) for family in ("-4", "-6")
            for route in json.loads(host.run("ip", "-j", family, "route", "show", "table", "all") or "[]")
            if route["dst"] == "default" and route.get("dev") == name]
