# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsd with a private Redis, the real syncd for lists, and the test in apid's place. Devices are loopback addresses."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile

import dns.message
import dns.query

from support.bus import Owner
from support.net import free_port
from support.process import Daemon
from support.redis import Redis
from support.wait import wait_until

PHONE, LAPTOP, STRANGER = "127.1.0.2", "127.1.0.3", "127.1.0.9"
GATEWAY = "127.1.0.1"
UID = 64103
APID_TOPICS = ("devices", "groups", "settings", "device_prefs", "categories", "category_prefs", "websites",
               "site_overrides", "sni_block", "mitm_ignore", "dns_rules", "list_sources")
CONF = """[culvert]
state_dir={run}/state
cache_dir={run}/cache
log_level=debug
[bus]
redis=unix:{run}/redis.sock
[tunnel mitm]
interface=wgt0
addresses={gateway}/24
[dnsd]
user={uid}
redis_password_file={dnsd_password}
port={port}
system=127.0.0.1:{system}
upstreams={upstreams}
upstream_ca={run}/ca.pem
ipv6=yes
{extra}
[syncd]
user={uid}
redis_password_file={syncd_password}
lists_dir={run}/lists
list_ca={run}/ca.pem
"""


class World:
    """One gateway: Redis, syncd, dnsd. Nothing but loopback."""

    def __init__(self, upstreams, directory, extra=""):
        self.run = pathlib.Path(tempfile.mkdtemp(prefix="cvdns", dir="/tmp"))
        self.run.chmod(0o755)
        self.port, self.system = free_port(), free_port()
        self.redis = Redis(self.run)
        self.dnsd, self.syncd = [Daemon(name, self.run / "culvert.conf", self.run / f"{name}.log")
                                 for name in ("dnsd", "syncd")]
        shutil.copy(directory / "ca.pem", self.run / "ca.pem")
        for daemon in ("dnsd", "syncd"):
            for kind in ("state", "cache"):
                (self.run / kind / daemon).mkdir(parents=True)
                os.chown(self.run / kind / daemon, UID, UID)
        (self.run / "lists").mkdir()
        (self.run / "lists/adblock.txt").write_text("||listed.example^\n")
        self.configure(upstreams, extra)
        self.bus = None

    def configure(self, upstreams, extra=""):
        (self.run / "culvert.conf").write_text(CONF.format(
            run=self.run, gateway=GATEWAY, uid=UID, port=self.port, system=self.system,
            upstreams=", ".join(upstreams), extra=extra, dnsd_password=self.redis.password_file("dnsd", UID),
            syncd_password=self.redis.password_file("syncd", UID)))

    def publish_policy(self):
        self.bus = Owner(self.redis, APID_TOPICS)
        self.bus.replace("settings", {"policy_source": {"id": "policy_source", "value": "local"}})
        self.bus.replace("list_sources", {"adblock": {
            "id": "adblock", "title": "Advertising", "source": "file:adblock.txt", "kind": "adblock",
            "default_on": True, "subtree": True}})
        self.bus.replace("device_prefs", {"device:laptop": {"id": "device:laptop", "lists_off": ["adblock"]}})
        self.bus.replace("devices", {
            "phone": {"id": "phone", "active": True, "tunnel": "mitm", "addresses": [PHONE], "profile": "internet"},
            "laptop": {"id": "laptop", "active": True, "tunnel": "mitm", "addresses": [LAPTOP], "profile": "full"}})

    def up(self):
        """Everything, until the phone's listed name is blocked."""
        self.redis.start()
        self.publish_policy()
        self.syncd.start()
        self.dnsd.start()
        self.await_policy()
        return self

    def await_policy(self):
        def in_force():
            answer = self.ask("probe.listed.example", source=PHONE, timeout=0.3)
            return answer is not None and addresses(answer) == ["0.0.0.0"]
        try:
            wait_until(in_force, "policy in force")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.dnsd.log()[-4000:]}\n{self.syncd.log()[-4000:]}") from None

    def await_kept(self, *topics, owner="syncd"):
        """Until dnsd's disk has these topics as they are published now: it is written a second after a change."""
        def is_kept(topic):
            now = json.loads(self.redis("HGET", f"culvert:gens:{owner}", topic) or "{}").get("gen")
            text = kept.read_text(errors="replace") if kept.exists() else ""
            found = re.search(r'^\{"topic":"%s","owner":"%s",.*?"gen":(\d+),' % (topic, owner), text, re.M)
            return now and found and int(found[1]) >= now
        kept = self.run / "state/dnsd/last-good"
        wait_until(lambda: all(is_kept(t) for t in topics), "last good on disk")

    def ask(self, name, rdtype="A", source=PHONE, tcp=False, timeout=10.0, **options):
        """The answer, or None when there is none in time."""
        options.setdefault("use_edns", True)
        query = dns.message.make_query(name, rdtype, **options)
        return self.send(query, source, tcp, timeout)

    def send(self, query, source=PHONE, tcp=False, timeout=10.0):
        ask = dns.query.tcp if tcp else dns.query.udp
        where = ("127.0.0.1", self.system) if source == "system" else (GATEWAY, self.port)
        try:
            return ask(query, where[0], port=where[1], source=None if source == "system" else source, timeout=timeout)
        except (dns.exception.Timeout, EOFError, OSError):
            return None

    def status(self):
        return self.redis.status("dnsd")

    def close(self):
        with contextlib.ExitStack() as ends:  # each of them, whatever the others say
            ends.callback(shutil.rmtree, self.run, ignore_errors=True)
            ends.callback(self.redis.stop)
            ends.callback(self.syncd.stop)
            self.dnsd.stop()


def addresses(answer):
    return sorted(r.to_text() for rrset in answer.answer for r in rrset if rrset.rdtype in (1, 28))


def ede(answer):
    """(code, text) of the extended error, or None."""
    for option in answer.options:
        if int(option.otype) == 15:
            return int(option.code), option.text or ""
    return None
