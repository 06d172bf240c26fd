# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices: a real WireGuard tunnel in each client, set up with the wg tool."""
import os
import subprocess

from launcher.process import wait_until
from launcher.sample import gateway_key

from .gateway import provision_device, start_wireguard_go
from .places import CLIENTS, TUNNEL, UPLINK, WG_PORT, make_dir, write_file

PEER = """
[Peer]
PublicKey = %s
Endpoint = %s:%d
AllowedIPs = 0.0.0.0/0, ::/0
PersistentKeepalive = 25
"""


def _wg(*args, text=None):
    return subprocess.run(["wg", *args], input=text, text=True, capture_output=True,
                          check=True).stdout.strip()


def interface(client):
    return "wg-" + client


def make_keys(places):
    folder = make_dir(places.in_run("wg"), 0o700)
    for client in CLIENTS:
        key = _wg("genkey")
        write_file(os.path.join(folder, client + ".key"), key + "\n", 0o600)
        write_file(os.path.join(folder, client + ".pub"), _wg("pubkey", text=key) + "\n")


def public_key(places, client):
    with open(places.in_run("wg", client + ".pub"), encoding="ascii") as src:
        return src.read().strip()


def start_interfaces(places, hosts, kind):
    """Tunnel interfaces with addresses and default routes; no peer yet."""
    for client in CLIENTS:
        host, name = hosts[client], interface(client)
        if kind == "go":
            start_wireguard_go(host, name)
        else:
            host.run(["ip", "link", "add", name, "type", "wireguard"])
        host.run(["wg", "set", name, "private-key", places.in_run("wg", client + ".key")])
        host.run(["ip", "-batch", "-"], text="\n".join([
            "address add %s/32 dev %s" % (TUNNEL[client][0], name),
            "address add %s/128 dev %s nodad" % (TUNNEL[client][1], name),
            "link set %s mtu 1420 up" % name,
            "route add default dev " + name,
            "route add ::/0 dev " + name]) + "\n")


def connect_clients(places, hosts, provision):
    """Makes the gateway the clients' peer; with provision also the clients the gateway's."""
    log = places.log("wgd")
    key = wait_until("wg0: a public key", lambda: gateway_key(hosts["gw"]), 10, log)
    for client in CLIENTS:
        if provision:
            provision_device(places, hosts["gw"], client, public_key(places, client),
                             TUNNEL[client][0] + "/32")
        config = places.in_run("wg", client + ".peer")
        write_file(config, PEER % (key, UPLINK[0], WG_PORT), 0o600)
        hosts[client].run(["wg", "addconf", interface(client), config])
    if not provision:
        return
    for client in CLIENTS:
        wait_until("handshake of " + client, lambda c=client: has_handshake(hosts[c]), 15, log)


def has_handshake(host):
    text = host.run(["wg", "show", interface(host.name), "latest-handshakes"])
    return any(line.split()[1] != "0" for line in text.splitlines())
