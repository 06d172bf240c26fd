# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample device of `make up`: a key, a provisioning call as an app makes it, a wg-quick file."""
import ipaddress
import os
import subprocess

from . import gateway
from .places import GATEWAY, WG_PORT, make_dir, write_file
from .process import wait_until

ID = "sample"
ADDRESSES = ("10.9.0.2", "fd09::2")
CONFIG = """# Culvert's sample device, for WireGuard's apps and wg-quick
[Interface]
PrivateKey = {private}
Address = {v4}/32, {v6}/128
DNS = {dns}
MTU = 1420

[Peer]
PublicKey = {server}
Endpoint = {endpoint}:{port}
AllowedIPs = 0.0.0.0/0, ::/0
PersistentKeepalive = 25
"""
TRY = """On the device, with its tunnel up:
  example.net    does not resolve: it is on the sample list
  example.com    loads; with the proxy set and the CA installed it still does
  example.org    through the proxy: a page says that its category is blocked"""


class Device:
    """config is its wg-quick file; None when apid would not have the device, why says the reason."""

    def __init__(self, config, why=None):
        self.config = config
        self.why = why


def _wg(*args, text=None):
    return subprocess.run(["wg", *args], input=text, text=True, capture_output=True,
                          check=True).stdout.strip()


def _private_key(path):
    """Made once: the phone that scanned the code goes on working after down and up."""
    if not os.path.exists(path):
        write_file(path, _wg("genkey") + "\n", 0o600)
    with open(path, encoding="ascii") as src:
        return src.read().strip()


def gateway_key(host, interface="wg0"):
    """The tunnel's public key once wgd has set it, else None."""
    key = host.run(["wg", "show", interface, "public-key"], check=False).strip()
    return None if key in ("", "(none)") else key


def bracket(endpoint):
    """An IPv6 address needs brackets before its port, names and IPv4 addresses do not."""
    try:
        return "[%s]" % endpoint if ipaddress.ip_address(endpoint).version == 6 else endpoint
    except ValueError:
        return endpoint


def make(places, host, endpoint):
    """Tells apid of the device and writes its configuration."""
    folder = make_dir(places.in_kept("devices"), 0o700)
    private = _private_key(os.path.join(folder, ID + ".key"))
    config = os.path.join(folder, ID + ".conf")
    server = wait_until("wg0: a public key", lambda: gateway_key(host), 15, places.log("wgd"))
    try:
        gateway.provision_device(places, host, ID, _wg("pubkey", text=private),
                                 ADDRESSES[0] + "/32")
    except gateway.Refused as exc:
        if os.path.exists(config):
            os.unlink(config)
        return Device(None, str(exc))
    write_file(config, CONFIG.format(
        private=private, v4=ADDRESSES[0], v6=ADDRESSES[1], dns=GATEWAY[0], server=server,
        endpoint=bracket(endpoint), port=WG_PORT), 0o600)
    return Device(config)
