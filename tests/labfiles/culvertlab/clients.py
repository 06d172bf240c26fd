# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices: a real WireGuard tunnel in each client, set up with the wg tool."""
import os
import re
import subprocess

from launcher.process import wait_until
from launcher.sample import gateway_key

from .gateway import enrolment_link, provision_device, start_wireguard_go
from .places import CLIENTS, TOP, TUNNEL, UPLINK, WG_PORT, make_dir, write_file

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
    make_dir(places.in_run("wg"), 0o700)
    for client in CLIENTS:
        write_keys(places, client, _wg("genkey"))


def write_keys(places, client, key):
    write_file(places.in_run("wg", client + ".key"), key + "\n", 0o600)
    write_file(places.in_run("wg", client + ".pub"), _wg("pubkey", text=key) + "\n")


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


def _enrol(places, hosts, session, client):
    """As a user does who got a link: False when apid has no such device to enrol."""
    link = enrolment_link(places, hosts["gw"], session, client)
    if link is None:
        return False
    config, ca = places.in_run("wg", client + ".conf"), os.path.join(places.lab_dir, "admin-ca.pem")
    hosts[client].run([os.path.join(TOP, "deploy", "client", "culvert-enrol"), "-c", ca, "-o", config, link])
    own, peer = hosts[client].run(["wg-quick", "strip", config]).split("[Peer]")
    write_keys(places, client, re.search(r"^PrivateKey = (\S+)$", own, re.M).group(1))
    hosts[client].run(["wg", "set", interface(client), "private-key", places.in_run("wg", client + ".key")])
    _add_peer(places, hosts, client, "[Peer]" + peer)
    return True


def _add_peer(places, hosts, client, text):
    config = places.in_run("wg", client + ".peer")
    write_file(config, text, 0o600)
    hosts[client].run(["wg", "addconf", interface(client), config])


def _provision(places, hosts, client):
    """As an app does."""
    provision_device(places, hosts["gw"], client, public_key(places, client), TUNNEL[client][0] + "/32")


def connect_clients(places, hosts, session):
    """Makes the gateway the clients' peer; with a session, of apid's owner, also the clients the
    gateway's: the phone by its enrolment link, the laptop by an app's call."""
    log = places.log("wgd")
    key = wait_until("wg0: a public key", lambda: gateway_key(hosts["gw"]), 30, log)
    # The laptop first: its call waits for wgd, and a link is good once.
    for client in reversed(CLIENTS):
        if session and client == "phone" and _enrol(places, hosts, session, client):
            continue
        if session:
            _provision(places, hosts, client)
        _add_peer(places, hosts, client, PEER % (key, UPLINK[0], WG_PORT))
    if not session:
        return
    for client in CLIENTS:
        wait_until("handshake of " + client, lambda c=client: has_handshake(hosts[c]), 60, log)


def has_handshake(host):
    text = host.run(["wg", "show", interface(host.name), "latest-handshakes"])
    return any(line.split()[1] != "0" for line in text.splitlines())
