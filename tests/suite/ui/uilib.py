# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the administration's pages share."""
import base64
import contextlib
import json
import threading
import time

import apidlib
from livelib import report, tell
from support.bus import Probe
from support.redis import Redis
from support.wait import wait_until

SERVER_KEY = "kQZPB1ZNWvV6lgkRLiZXsO1YbLLvNKn1g6V5zn/b2mU="
SECOND = "another long password"
READY_S = 300  # with 50,000 devices


class World:
    """apid with a database of its own, an owner, and a tunnel that wgd has told of."""

    def __init__(self, place, seed=None, network=None, has_owner=True):
        """network: of the first tunnel, in place of a /24. seed None: the usual one."""
        self.started, self.proxyd, self.updates, self.firewall = [], None, 30, None
        self.ended = threading.Event()
        for name in ("db", "run"):
            (place / name).mkdir()
        try:
            self._start(place, apidlib.SEED if seed is None else seed, network)
            self.owner = self.apid.owner() if has_owner else None
            if has_owner:
                self.tell_firewall()
        except BaseException:
            self.stop()
            raise
        self.clients = {apidlib.OWNER: self.owner}
        self.url = "https://127.0.0.1:%d" % self.apid.admin_port

    def _start(self, place, seed, network):
        self.mariadb = apidlib.MariaDB(place / "db").start()
        self.started.append(self.mariadb.stop)
        self.mariadb.clear()
        self.redis = Redis(place / "run").start()
        self.started.append(self.redis.stop)
        self.wgd = apidlib.Wgd(self.redis)
        self.started.append(self.wgd.close)
        self.redis("HSET", "culvert:state:tunnels:wgd", "mitm", json.dumps(
            {"name": "mitm", "public_key": SERVER_KEY, "port": 51820, "addresses": ["10.9.0.1", "fd09::1"]}))
        self.redis("SET", "culvert:epoch:wgd", "e")
        self.redis("HSET", "culvert:gens:wgd", "tunnels", '{"gen":1,"wid":"w","full":1}')
        self.apid = apidlib.Apid(place / "run", self.redis, self.mariadb, seed)
        conf = self.apid.conf.read_text().replace("10.9.0.1/24", network or "10.9.0.1/24")
        apidlib.owned_file(self.apid.conf, conf + "notify_private = yes\n", 0o444)
        self.started.append(self.apid.stop)
        self.apid.launch()
        wait_until(lambda: "a setup link lies in" in self.apid.log(), "apid is ready", READY_S)

    def account(self, name, role, groups=None):
        """An account of that role, logged in."""
        if name not in self.clients:
            status, body = self.owner.post("/api/v1/admins", {"name": name, "password": SECOND, "role": role,
                                                              "groups": groups})
            assert status == 201, body
            self.clients[name] = self.apid.client(name, SECOND)
        return self.clients[name]

    def cookie(self, user):
        return {"name": apidlib.COOKIE, "value": self.clients[user].cookie, "url": self.url, "secure": True,
                "httpOnly": True, "sameSite": "Lax"}

    def have(self, path, record, key="id"):
        """The record is there, whatever was before."""
        status, body = self.owner.put("/api/v1/%s/%s" % (path, record[key]), record)
        assert status in (200, 201), body
        return body

    def post_appeal(self, record):
        """As proxyd does when a device has asked; it is in the database then."""
        if not self.proxyd:
            self.proxyd = Probe("proxyd", "unix:%s" % self.redis.socket, self.apid.dir)
        self.proxyd.do("queue_add", record=record, tag=record["uuid"])
        wait_until(lambda: self.owner.get("/api/v1/appeals/" + record["uuid"])[0] == 200, "the appeal is stored")

    def tell(self, daemon, topic, records):
        """As the daemon tells of what it has; nobody of its name is there afterwards."""
        if daemon == "proxyd" and self.proxyd:
            self.proxyd.quit()
            self.proxyd = None
        one = Probe(daemon, "unix:%s" % self.redis.socket, self.apid.dir)
        one.replace(topic, {r["id"]: r for r in records})
        one.quit()

    def _report_firewall(self):
        """As fwd does, every while."""
        while not self.ended.wait(2):
            with contextlib.suppress(OSError):
                report(self.redis, "fwd", **self.firewall)

    def tell_firewall(self, **more):
        """What fwd reports from here on."""
        self.updates += 1
        said = {"known": True, "failing": False, "rewrites": 2, "updates": self.updates, "heals": 1,
                "refused_packets": {"profile": "310", "listed": "92", "quic": "41", "rate": "0"},
                "refused_bytes": {"profile": "18600", "listed": "7360", "quic": "52480", "rate": "0"}, **more}
        if not self.firewall:
            threading.Thread(target=self._report_firewall, daemon=True).start()
        self.firewall = json.loads(json.dumps(said))

        def is_heard():
            report(self.redis, "fwd", **self.firewall)
            status, body = self.owner.get("/api/v1/firewall")
            return status == 200 and body["updates"] == self.updates
        wait_until(is_heard, "apid has heard of the firewall")

    def tell_lists(self, records):
        self.tell("syncd", "lists", records)
        for record in records:
            wait_until(lambda r=record: self.owner.get("/api/v1/lists/" + r["id"])[1] == r, "the list is told of")

    def stop(self):
        self.ended.set()
        if self.proxyd:
            self.proxyd.quit()
        while self.started:
            self.started.pop()()


def crowd(world, n):
    """n devices, which the database has got at once."""
    devices = ",".join("('d%05d', 'mitm', '%s')" % (i, json.dumps({"name": "Device number %d" % (i * 7919 % n)}))
                       for i in range(n))
    addresses = ",".join("('10.9.%d.%d', 'd%05d', 0)" % (i + 2 >> 8, i + 2 & 255, i) for i in range(n))
    world.mariadb.sql(
        "SET SESSION max_statement_time = 0; START TRANSACTION; UPDATE change_seq SET seq = seq + 1; "
        f"INSERT INTO devices (id, tunnel, record) VALUES {devices}; "
        f"INSERT INTO device_addresses (address, device, position) VALUES {addresses}; "
        "INSERT INTO changes (seq, topic, id, at) SELECT seq, '*', '', UNIX_TIMESTAMP() * 1000 FROM change_seq; "
        "COMMIT", "culvert")
    last = "/api/v1/devices/d%05d" % (n - 1)
    wait_until(lambda: world.owner.get(last)[0] == 200, "apid has them all", 120)


# Scrolls in the page, so much a frame (an expression), and waits until all is drawn.
SCROLL = """(async () => { const s = document.querySelector(".table-scroll"), step = %s; s.scrollTop = 0;
    for (let i = 0; i < %d; i++) { s.scrollTop += step; await new Promise(requestAnimationFrame); }
    for (let i = 0; i < 12; i++) await new Promise(requestAnimationFrame); })()"""
SMOOTH, JUMP, FRAMES = "120", "s.scrollHeight / 60", 60


class Sender:
    """with Sender(world, rate, seconds): DNS queries as dnsd tells of them, each of another name."""

    def __init__(self, world, rate, seconds):
        self.redis, self.rate, self.ticks, self.stop = world.redis, rate, seconds * 10, threading.Event()
        self.thread = threading.Thread(target=self._send)

    def _send(self):
        redis, a_tick = self.redis.connect(), self.rate // 10
        for tick in range(self.ticks):
            for n in range(0, a_tick, 25):
                tell(redis, "dnsd", "query", *[{"device": "annas-phone", "name": "host%d.example" % (tick * a_tick + n + i),
                                                "type": "A", "verdict": ("allowed", "blocked")[i % 4 == 0]} for i in range(25)])
            if self.stop.wait(0.1):
                break

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


# ---- pages, and something to show on each ----

PAGES = ["/overview", "/live", "/report", "/report/week?device=annas-phone", "/devices", "/devices/annas-phone", "/devices/annas-phone/activity",
         "/devices/annas-phone/policy", "/devices/annas-phone/sites", "/users", "/groups", "/groups/kids", "/lists", "/lists/ads", "/websites",
         "/websites/categories", "/websites/overrides", "/websites/sni_block", "/words", "/words/searched", "/dns",
         "/dns/dns_records", "/firewall", "/appeals", "/appeals/approved", "/explain", "/sync", "/health", "/audit",
         "/accounts", "/keys",
         "/keys/tokens", "/keys/provision", "/settings", "/settings/access", "/settings/network",
         "/settings/notifications", "/websites/pinned",
         "/settings/defaults", "/settings/backup", "/me", "/welcome"]


def key(n):
    """A public key as good as any other."""
    return base64.b64encode(bytes([n]) * 32).decode()


def appeal(n, **more):
    return {"uuid": "00000000-0000-4000-8000-%012d" % n, "url": "https://news%d.example/today" % n,
            "host": "news%d.example" % n, "mode": "appeal", "device_id": "annas-phone",
            "reason": "We need it for school.", "time": int(time.time() * 1000) - n * 60000, **more}


VERSIONS = ["5f78c33274e43fa9" * 4, "9de5659265c1d917" * 4, "e25c03722dcb0b8d" * 4]


def told_list(**more):
    """What syncd tells of a list that has changed twice."""
    at = 1796000000000
    return {"id": "ads", "title": "Ads & trackers", "source": "https://lists.example/ads.txt", "kind": "adblock",
            "count": 80214, "fetched_at": at, "changed_at": at, "in_force_at": at, "version": VERSIONS[0],
            "versions": [{"version": v, "since": at - n * 86400000, "count": 80214 - n * 11}
                         for n, v in enumerate(VERSIONS)], **more}


RECORDS = {
    "groups": [{"id": "kids", "name": "Kids", "unknown_sites": "block", "images": "hide"},
               {"id": "guests", "name": "Guests", "profile": "internet"}],
    "users": [{"id": "anna", "name": "Anna Berger", "email": "anna@example.org"}, {"id": "ben", "name": "Ben"}],
    "devices": [{"id": "annas-phone", "name": "Anna\u2019s phone", "group": "kids", "user": "anna", "public_key": key(1)},
                {"id": "living-room-tv", "name": "Living room TV", "public_key": key(2)},
                {"id": "bens-laptop", "name": "Ben\u2019s laptop", "group": "guests", "user": "ben",
                 "public_key": key(3)},
                {"id": "tablet", "name": "Tablet", "group": "kids", "user": "anna"},
                {"id": "printer", "name": "Printer", "public_key": key(4), "active": False}],
    "list-sources": [{"id": "ads", "title": "Ads & trackers", "source": "https://lists.example/ads.txt",
                      "kind": "adblock", "default_on": True},
                     {"id": "malware", "title": "Malware", "source": "https://lists.example/malware.txt"}],
    "categories": [{"id": "news", "name": "News", "visibility": "public", "sort_order": 1, "default": "allow"},
                   {"id": "gambling", "name": "Gambling", "default": "block"}],
    "websites": [{"id": "w1", "pattern": "example.org", "match": "endswith", "category": "news",
                  "status": "approved"},
                 {"id": "w2", "pattern": "casino.example", "match": "endswith", "category": "gambling",
                  "status": "approved"}],
    "site-overrides": [{"id": "o1", "device": "annas-phone", "pattern": "wiki.example", "match": "endswith",
                        "action": "allow", "until": int(time.time() * 1000) + 3600000}],
    "sni-block": [{"id": "s1", "domain": "bad.example", "note": "reported"}],
    "words": [{"id": "x1", "term": "forbiddenword", "match": "exact"}],
    "search-words": [{"id": "q1", "term": "poker"}],
    "dns-rules": [{"id": "r1", "pattern": "telemetry.example", "match": "endswith", "action": "block"}],
    "dns-records": [{"id": "h1", "name": "nas.home", "type": "A", "value": "10.77.0.5"}],
    "profiles": [{"name": "printer-only", "rules": [{"action": "allow", "prefixes": ["10.77.0.5/32"],
                                                     "protocols": ["tcp"], "ports": ["631"]}]}],
}


def fill(world):
    """Something of everything."""
    for path, records in RECORDS.items():
        for record in records:
            world.have(path, record, "name" if path == "profiles" else "id")
    for n in range(1, 5):
        world.post_appeal(appeal(n, **({"mode": "review", "category_id": "news"} if n == 2 else {})))
    world.owner.post("/api/v1/appeals/%s/approve" % appeal(4)["uuid"], {"answer": "Until the exam."})
    world.owner.post("/api/v1/tokens", {"name": "backup", "role": "viewer", "scopes": ["devices:read"]})
    world.owner.post("/api/v1/provision-keys", {"name": "app"})
    world.account("hana", "helper", ["kids"])
    world.tell_lists([told_list()])
