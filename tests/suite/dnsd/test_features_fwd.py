# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsd and fwd together, with packets: strict devices (F10), lists by address (F6), restarts (D9, C3)."""
import json
import os
import subprocess
import sys

import pytest

from support.bus import Owner
from support.network import GATEWAY, TUNNEL, UPLINK_PEER, Network
from support.process import Daemon
from support.wait import wait_until

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "fwd"))
PYTHON, PORT, DNS_PORT = "/usr/bin/python3", 2345, 5353
STRICT, PHONE, OPEN = 14, 2, 3
UIDS = {"fwd": 64102, "dnsd": 64103, "syncd": 64106}
NETS = ("198.18.0.0/15", "2001:db8:1818::/64")
TABLE = {"ads.listed.example": "198.18.9.1", "shared.listed.example": "198.18.9.2", "good.example": "198.18.9.2"}
CONF = """[culvert]
state_dir={dir}/state
cache_dir={dir}/cache
log_level=info
[bus]
redis=unix:{dir}/redis.sock
[tunnel mitm]
interface=wgT
addresses={v4}/24, {v6}/64
[fwd]
user=64102
redis_password_file={fwd}
[dnsd]
user=64103
redis_password_file={dnsd}
upstreams=udp://{upstream}:{port}
upstream_ca=/etc/ssl/certs/ca-certificates.crt
ipv6=yes
[syncd]
user=64106
redis_password_file={syncd}
lists_dir={dir}/lists
list_ca=/etc/ssl/certs/ca-certificates.crt
"""
TOPICS = ("devices", "groups", "settings", "profiles", "device_prefs", "categories", "category_prefs", "websites",
          "site_overrides", "sni_block", "mitm_ignore", "dns_rules", "list_sources")


class Gateway(Network):
    """up() once, down() always."""

    def up(self):
        super().up([STRICT, PHONE, OPEN])
        self.children, self.daemons = [], {}
        for net in NETS:
            self.inet.run("ip", "route", "add", "local", net, "dev", "lo")
        self._start(self.inet, "../fwd/responder.py", "any", PORT, "0.0.0.0", "::")
        self._start(self.inet, "authority.py", DNS_PORT, *("%s=%s" % row for row in TABLE.items()))
        (self.dir / "lists").mkdir()
        (self.dir / "lists/adblock.txt").write_text("||listed.example^\n")
        words = {name: self.redis.password_file(name, uid) for name, uid in UIDS.items()}
        (self.dir / "culvert.conf").write_text(CONF.format(
            dir=self.dir, v4=GATEWAY[4], v6=GATEWAY[6], upstream=UPLINK_PEER[4], port=DNS_PORT, **words))
        for name, uid in UIDS.items():
            for kind in ("state", "cache"):
                (self.dir / kind / name).mkdir(parents=True)
                os.chown(self.dir / kind / name, uid, uid)
            self.daemons[name] = Daemon(name, self.dir / "culvert.conf", self.dir / f"{name}.log", self.gw)
        self._publish()
        for daemon in self.daemons.values():
            daemon.start()
        wait_until(lambda: self.ask(PHONE, "ads.listed.example") == "0.0.0.0", "policy in force")
        wait_until(lambda: self.redis.applied("fwd", "lists", "syncd"), "fwd's lists")
        wait_until(lambda: self.redis.applied("fwd", "devices"), "fwd's devices")

    def _start(self, host, script, *words):
        child = host.start(PYTHON, os.path.join(HERE, script), *map(str, words), stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        assert child.stdout.readline() == "ready\n", script

    def _publish(self):
        owner = Owner(self.redis, TOPICS)
        owner.replace("list_sources", {"adblock": {
            "id": "adblock", "title": "Advertising", "source": "file:adblock.txt", "kind": "adblock",
            "default_on": True, "subtree": True, "by_address": True}})
        owner.replace("device_prefs", {"device:open": {"id": "device:open", "lists_off": ["adblock"]}})
        owner.replace("devices", {name: {
            "id": name, "active": True, "tunnel": "mitm", "profile": "full", "strict": name == "strict",
            "addresses": [TUNNEL[4] % number, TUNNEL[6] % number]}
            for name, number in (("strict", STRICT), ("phone", PHONE), ("open", OPEN))})
        self.owner = owner

    def ask(self, number, name):
        """The first address, or ""."""
        out = self.client.run("dig", "+short", "+tries=2", "+timeout=5", "-b", TUNNEL[4] % number, "@" + GATEWAY[4],
                              name, check=False).split()
        return out[0] if out and out[0][0].isdigit() else ""

    def connects(self, number, address):
        code = ("import socket,sys\ns=socket.socket()\ns.settimeout(10)\ns.bind((%r,0))\ns.connect((%r,%d))\n"
                "sys.exit(not s.recv(9))" % (TUNNEL[4] % number, address, PORT))
        return subprocess.run(self.client.argv(PYTHON, "-c", code), capture_output=True, check=False).returncode == 0

    def apps(self, first, count, width):
        out = self.client.run(PYTHON, os.path.join(HERE, "apps.py"), TUNNEL[4] % STRICT, TUNNEL[6] % STRICT,
                              GATEWAY[4], PORT, first, count, width)
        return json.loads(out)

    def down(self):
        try:
            for daemon in self.daemons.values():
                daemon.stop()
        finally:
            for child in self.children:
                child.kill()
                child.wait()
            super().down()


@pytest.fixture(scope="module")
def gateway():
    one = Gateway()
    try:
        one.up()
        yield one
    finally:
        one.down()


def told(result):
    took = result["took"]
    return "answers after %.1f ms (half), %.1f ms (99 of 100), %.1f ms (all), %d asked again; faults %s" % (
        took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000, took[-1] * 1000, result["retried"],
        result["faults"][:5])


def test_no_first_connection_of_a_strict_device_is_refused(gateway):
    """F10: 1,000 names, resolved and connected to at once"""
    assert not gateway.connects(STRICT, "198.18.0.10")
    result = gateway.apps(0, 1000, 8)
    print(told(result))
    assert not result["faults"], told(result)
    assert not gateway.connects(STRICT, "198.18.7.7")


def test_restarts_lose_no_answer_s_address(gateway):
    """D9, C3: fwd and dnsd killed and started again; what was answered before is still reached, new names too"""
    for name in ("fwd", "dnsd"):
        gateway.daemons[name].kill()
        gateway.daemons[name].start()
        wait_until(lambda: gateway.ask(STRICT, "n1.strict.example") or gateway.ask(STRICT, "n3.strict.example"), "answers")
        assert gateway.connects(STRICT, "198.18.0.10")
        result = gateway.apps(2000 if name == "fwd" else 3000, 100, 4)
        assert not result["faults"], told(result)


def test_listed_name_is_blocked_by_its_address_too(gateway):
    """F6: for the devices that have the list on; what an unlisted name shares stays open"""
    assert gateway.connects(PHONE, "198.18.9.1") or gateway.ask(PHONE, "ads.listed.example") == "0.0.0.0"
    wait_until(lambda: gateway.ask(PHONE, "ads.listed.example") == "0.0.0.0" and not gateway.connects(PHONE, "198.18.9.1"),
               "the address blocked", 70)
    assert gateway.connects(OPEN, "198.18.9.1")
    assert gateway.ask(PHONE, "good.example") == "198.18.9.2"
    assert gateway.ask(PHONE, "shared.listed.example") == "0.0.0.0"
    wait_until(lambda: gateway.redis.status("dnsd").get("shared_skipped"), "the skip")
    assert gateway.connects(PHONE, "198.18.9.2")
