# SPDX-License-Identifier: GPL-3.0-or-later
"""What wgd should make of devices and keys, told apart from how it does it (W3, W8)."""
import base64
import binascii
import ipaddress


def is_key(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 32 and base64.b64encode(raw).decode() == text


class Model:
    def __init__(self, tunnels):
        """tunnels: name -> the gateway's addresses with their subnets; the first is the default."""
        self.tunnels = {name: [ipaddress.ip_interface(a) for a in addresses]
                        for name, addresses in tunnels.items()}
        self.devices, self.keys = {}, {}
        self.holders = {}  # device -> the public key that it has as a peer

    def set_keys(self, records):
        self.keys.update(records)

    def remove_key(self, name):
        del self.keys[name]

    def set_device(self, name, record):
        self.devices[name] = record

    def remove_device(self, name):
        del self.devices[name]

    def restart(self):
        self.holders = {}

    def has_duplicate_keys(self):
        public = [r["public_key"] for r in self.keys.values()]
        return len(set(public)) < len(public)

    def _address_is_good(self, tunnel, text, name):
        """In the tunnel, nobody's special, and of no device with a smaller id."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        subnet = next((i for i in self.tunnels[tunnel] if address in i.network), None)
        if subnet is None or address in (subnet.ip, subnet.network.network_address) or (
                address.version == 4 and address == subnet.network.broadcast_address):
            return False
        return not any(text in other["addresses"] for o, other in self.devices.items() if o < name)

    def _is_eligible(self, name):
        device, record = self.devices.get(name), self.keys.get(name)
        if not device or not record or device["tunnel"] not in self.tunnels:
            return False
        if not device["addresses"] or not all(
                self._address_is_good(device["tunnel"], a, name) for a in device["addresses"]):
            return False
        psk = record.get("preshared_key")
        return is_key(record["public_key"]) and (psk is None or is_key(psk))

    def settle(self):
        """Who holds a key keeps it, of others those that are peers come first, then by id."""
        before = self.holders
        eligible = [n for n in self.devices if self._is_eligible(n)]
        self.holders = {n: k for n, k in before.items()
                        if n in eligible and self.keys[n]["public_key"] == k}
        for name in sorted(eligible, key=lambda n: (n not in before, n)):
            public = self.keys[name]["public_key"]
            if public not in self.holders.values():
                self.holders[name] = public

    def peers(self, tunnel):
        """Public key -> (preshared key, sorted prefixes)."""
        out = {}
        for name, public in self.holders.items():
            device = self.devices[name]
            if device["tunnel"] == tunnel:
                out[public] = (self.keys[name].get("preshared_key"), sorted(
                    a + ("/128" if ":" in a else "/32") for a in device["addresses"]))
        return out
