# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab with many devices: who they are, how they come in, and the traffic of them all (crowd.py)."""
import base64
import json
import os
import subprocess
import threading
import types

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from crowd import _raw

from explainlib import Admin
from lablib import Lab, site_addresses
from culvertlab.places import UPLINK, WG_PORT
from proxylib import Place
from support.wait import wait_until

ROOM = "[tunnel mitm]\naddresses = 10.9.0.1/16, fd09::1/64\n"


def place(lab, host):
    """A thread in a host's network; what it makes belongs there."""
    return Place(types.SimpleNamespace(sleeper=types.SimpleNamespace(pid=lab.hosts[host].pid())))


class Owner:
    """The lab's owner, from the gateway's network. Refused changes are AssertionErrors."""

    def __init__(self, lab):
        self.place, self.admin, self.csrf = place(lab, "gw"), Admin(lab.dir), None
        status, said = self.place.call(self.admin.ask, "POST", "/auth/login", {
            "user": self.admin.env["ADMIN_USER"], "password": self.admin.env["ADMIN_PASSWORD"]})
        assert status == 200, said
        self.admin.headers["X-CSRF-Token"] = said.get("csrf") or self.ask("GET", "/auth/csrf")["csrf"]

    def ask(self, method, path, body=None):
        status, said = self.place.call(self.admin.ask, method, path, body)
        assert status in (200, 201, 204), (method, path, status, said)
        return said

    def close(self):
        self.place.close()


class Many:
    """count devices beside phone and laptop. close() ends their traffic."""

    def __init__(self, lab, owner, count):
        self.lab, self.process, self.lines = lab, None, []
        made = [X25519PrivateKey.generate() for _ in range(count)]
        self.addresses = ["10.9.%d.%d" % (4 + n // 250, 1 + n % 250) for n in range(count)]
        self.devices = [{"private": base64.b64encode(_private(k)).decode(), "address": a}
                        for k, a in zip(made, self.addresses)]
        records = [{"id": "many-%d" % n, "public_key": base64.b64encode(_raw(k.public_key())).decode(), "addresses": [a]}
                   for n, (k, a) in enumerate(zip(made, self.addresses))]
        for at in range(0, count, 500):
            said = owner.ask("POST", "/api/v1/import/devices", {"records": records[at:at + 500]})
            assert said["applied"], said
        wait_until(lambda: len(lab.run("gw", "wg", "show", "wg0", "peers").stdout.split()) >= count + 2, "peers", 60)
        lab.settle(60)

    def start(self, rate, churn=0, endpoint=(UPLINK[0], WG_PORT)):
        key = self.lab.run("gw", "wg", "show", "wg0", "public-key").stdout.strip()
        task = {"server": key, "endpoint": endpoint, "devices": self.devices, "rate": rate, "churn": churn,
                "listed": "listed.example", "allowed": "fresh.example", "real": site_addresses("allowed.example")[0]}
        self.process = self.lab.popen("laptop", "/usr/bin/python3", os.path.join(os.path.dirname(__file__), "crowd.py"),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def seen(self):
        assert self.process.poll() is None, "the crowd has ended"
        return self.lines[-1] if self.lines else {"up": 0, "allowed": 0, "blocked": 0, "leaks": 0}

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def _private(key):
    from cryptography.hazmat.primitives import serialization as s  # pylint: disable=import-outside-toplevel
    return key.private_bytes(s.Encoding.Raw, s.PrivateFormat.Raw, s.NoEncryption())


def new_lab(folder, seed=None, conf=""):
    """A lab of its own in folder, up, with room for many devices. seed: changes a copy of the lab's."""
    one = Lab(folder, LAB_CONF_EXTRA=ROOM + conf)
    path = os.path.join(str(folder), "seed.json")
    with open(os.path.join(one.places.files, "seed.json"), encoding="utf-8") as src:
        document = json.load(src)
    if seed:
        seed(document)
    os.makedirs(str(folder), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        json.dump(document, out)
    one.env["LAB_SEED"] = path
    one.up()
    return one
