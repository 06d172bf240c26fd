# SPDX-License-Identifier: GPL-3.0-or-later
"""O4: each part is killed under traffic. Filtering never stops, changes resume within 10 s, no device, appeal or audit
row is lost. HA_SEED orders the kills, HA_ROUNDS repeats them; the log is printed."""
import os
import random
import threading
import time
import urllib.parse

import halib
import pytest
from portallib import FORM_TYPE, Page

from support import BUILD
from support.wait import wait_until

RESUME_S = 10
SEED = int(os.environ.get("HA_SEED", "15"))
ROUNDS = int(os.environ.get("HA_ROUNDS", "1"))
SITE = "198.51.100.10"
START = time.monotonic()
LOG = BUILD / "evidence/ha.log"


def say(text):
    line = f"{time.monotonic() - START:8.2f} {text}"
    print(line, flush=True)
    with LOG.open("a") as log:
        log.write(line + "\n")


class Traffic:
    """What both devices do all the time, and what went wrong."""

    def __init__(self, gateways):
        self.gateways, self.ends = gateways, threading.Event()
        # Gateways of which a daemon was killed: no answer is right, a wrong one is not.
        self.away, self.ended, self.without = set(), {g: 0 for g in gateways}, 0
        self.asked = self.pages = 0
        self.bad = []
        self.threads = [threading.Thread(target=t, args=(g,)) for g in gateways for t in (self._dns, self._web)]
        for one in self.threads:
            one.start()

    def _note(self, what):
        self.bad.append(what)
        say(what)

    def kill(self, gateway, name):
        self.away.add(gateway)
        self.ended[gateway] += 1
        gateway.daemons[name].kill()

    def _when(self, gateway):
        return gateway in self.away, self.ended[gateway]

    def _missing(self, gateway, asked, what):
        """An answer is. asked: _when() it was."""
        if gateway in self.away or asked != (False, self.ended[gateway]):
            self.without += 1
        else:
            self._note(what)

    def _dns(self, gateway):
        n = 0
        while not self.ends.wait(0.02):
            n += 1
            asked = self._when(gateway)
            # A name that no cache has, of a list and of a rule.
            for name in (f"n{n}.listed.example", f"n{n}.never.example"):
                answer = gateway.resolve(name)
                self.asked += 1
                if answer and answer != ["0.0.0.0"]:
                    self._note(f"LEAK gw{gateway.number} {name} {answer}")
            answer = gateway.resolve(f"n{n}.allowed.example")
            self.asked += 1
            if answer != [SITE]:
                self._missing(gateway, asked, f"NO ANSWER gw{gateway.number} n{n}.allowed.example {answer}")

    def _web(self, gateway):
        while not self.ends.wait(0.05):
            asked = self._when(gateway)
            status, text = gateway.http("GET", "http://blocked.example/")
            if "origin" in text.splitlines()[-1:] or status not in (0, 451):
                self._note(f"NOT BLOCKED gw{gateway.number} {status} {text[:80]!r}")
            elif status == 0:
                self._missing(gateway, asked, f"NO PAGE gw{gateway.number} {text[:80]!r}")
            status, text = gateway.http("GET", "http://allowed.example/")
            if status != 200 or not text.endswith("origin\n"):
                self._missing(gateway, asked, f"NOT PASSED gw{gateway.number} {status} {text[:80]!r}")
            self.pages += 2

    def end(self):
        self.ends.set()
        for one in self.threads:
            one.join()


class Changes:
    """One change after the other, by whichever apid takes it, until it is in force in both gateways; with each a device
    and an appeal. `accepted` is what was answered with success."""

    def __init__(self, world, clients):
        self.world, self.clients, self.ends = world, clients, threading.Event()
        self.seconds, self.devices, self.rules, self.appeals = [], set(), set(), set()
        self.failed, self.error = 0, None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _send(self, path, body):
        """By the one, else by the other, until it is taken."""
        n = 0
        until = time.monotonic() + 60
        while time.monotonic() < until:
            client = self.clients[n % len(self.clients)]
            n += 1
            try:
                status, answer = client.put(path, body)
            except OSError:
                status, answer, client.conn = 0, "", None
            if status in (200, 201):
                return
            assert status in (0, 503), (path, status, answer)
            self.failed += 1
            time.sleep(0.1)
        raise AssertionError(f"{path} is not taken")

    def _appeal(self, n):
        """By the same person again where proxyd ended meanwhile."""
        until = time.monotonic() + 60
        while not self._is_submitted(n, self.world.gateways[n % 2]):
            assert time.monotonic() < until, "no appeal is taken"
            time.sleep(0.1)
        self.appeals.add(f"reason {n}")

    def _is_submitted(self, n, gateway):
        there = f"http://blocked.example/.kvylock/appeal?{urllib.parse.urlencode({'host': 'blocked.example'})}"
        status, text = gateway.http("GET", there)
        if status == 0:
            return False
        assert status == 200, (status, text[:200])
        page = Page(type("R", (), {"status": status, "text": text.split("\r\n\r\n", 1)[1]}))
        body = urllib.parse.urlencode({**page.fields, "reason": f"reason {n}"})
        status, text = gateway.http("POST", urllib.parse.urljoin(there, page.form["action"]), body, (
            f"Content-Type: {FORM_TYPE}", "Origin: http://blocked.example", "Sec-Fetch-Site: same-origin"))
        assert status == 0 or status == 200 and "Submitted" in text, (status, text[-600:])
        return status == 200

    def _change(self, n):
        start = time.monotonic()
        self._send(f"/api/v1/dns-rules/r{n}", {"pattern": f"c{n}.allowed.example", "match": "exact", "action": "block"})
        self.rules.add(f"r{n}")
        for one in self.world.gateways:
            # A name below an allowed one, asked for the first time when it may be in force.
            wait_until(lambda g=one: g.resolve(f"c{n}.allowed.example") == ["0.0.0.0"], "in force", 60)
        self.seconds.append((time.monotonic() - start, time.monotonic() - START))
        self._send(f"/api/v1/devices/d{n}", {"name": f"Device {n}", "tunnel": halib.NAMES[n % 2],
                                             "addresses": [f"10.{9 + n % 2}.{1 + n // 200}.{1 + n % 200}"]})
        self.devices.add(f"d{n}")
        self._appeal(n)

    def _run(self):
        n = 0
        try:
            while not self.ends.is_set():
                self._change(n)
                n += 1
        except Exception as e:  # pylint: disable=broad-exception-caught
            self.error = e
            say(f"CHANGES END {e!r}")

    def end(self):
        self.ends.set()
        self.thread.join()
        assert self.error is None, self.error

    def await_next(self):
        """Two more changes are in force: one may have been under way."""
        goal = len(self.seconds) + 2
        wait_until(lambda: self.error or len(self.seconds) >= goal, "changes go on", 60)
        assert self.error is None, self.error


@pytest.fixture(name="running", scope="module")
def _running(stores):
    stores.apids.clear()
    stores.cluster.sql("DROP DATABASE culvert; CREATE DATABASE culvert CHARACTER SET utf8mb4")
    for first in (0, 1):
        stores.add_apid(first)
    for one in stores.apids:
        one.launch()
    for one in stores.apids:
        wait_until(lambda a=one: "database ready" in a.log(), "ready", 60)

    halib.Upstream()
    stores.start_syncd()
    clients = stores.clients()
    stores.start_gateways(clients[0])
    return stores, clients


def kills(world, traffic):
    """(name, kill, what brings it back)"""
    redis, cluster = world.redis, world.cluster

    def follows(one):
        """What was the master and comes back follows the one that took its place."""
        wait_until(lambda: one.role() == "slave", "the old master is a replica", 60)
        assert redis.master() is not one

    def master():
        one = redis.master()
        one.kill()
        return lambda: (one.start(), follows(one))

    def replica():
        one = next(s for s in redis.servers if s is not redis.master())
        one.kill()
        return one.start

    def sentinel():
        one = redis.sentinels[1]
        one.kill()
        return one.start

    def node(n):
        def kill():
            cluster.nodes[n].kill()
            return lambda: cluster.restart(cluster.nodes[n])
        return kill

    def apid(n):
        def kill():
            world.apids[n].kill()
            return world.apids[n].start
        return kill

    def syncd():
        world.syncd.kill()
        return world.syncd.start

    def master_stopped():
        one = redis.master()
        one.pause()
        return lambda: (one.resume(), follows(one))

    def daemon(gateway, name):
        """As systemd has it, it is started again at once; until it answers its part fails closed."""
        def kill():
            traffic.kill(gateway, name)
            gateway.daemons[name].start()
            wait_until(lambda: gateway.resolve("probe.allowed.example", 0.3) == [SITE] and
                       gateway.http("GET", "http://allowed.example/")[0] == 200, "it serves again")
            return lambda: traffic.away.discard(gateway)
        return kill
    return [("the Redis master", master), ("a Redis replica", replica), ("a Sentinel", sentinel),
            ("Galera node 1", node(0)), ("Galera node 2", node(1)), ("Galera node 3", node(2)), ("apid 1", apid(0)),
            ("apid 2", apid(1)), ("syncd", syncd), ("the Redis master, which hangs", master_stopped),
            *[(f"{d} of {g.name}", daemon(g, d)) for g in world.gateways for d in halib.DAEMONS]]


def lost(world, changes):
    """What was answered with success and is not there."""
    def column(statement):
        return {r[0] for r in world.cluster.sql(statement, "culvert")}
    devices, rules = column("SELECT id FROM devices"), column("SELECT id FROM records WHERE topic = 'dns_rules'")
    audits = column("SELECT DISTINCT subject FROM audit WHERE action IN ('device_add', 'dns_rules_add')")
    wait_until(lambda: changes.appeals <= column("SELECT reason FROM appeals"), "each appeal is in the database", 90)
    return (changes.devices - devices) | (changes.rules - rules) | ((changes.devices | changes.rules) - audits)


def test_each_part_is_killed_under_traffic(running):
    world, clients = running
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("")
    traffic = Traffic(world.gateways)
    order = [k for _ in range(ROUNDS) for k in kills(world, traffic)]
    random.Random(SEED).shuffle(order)
    say(f"seed {SEED}: {[name for name, _ in order]}")
    worst = {}
    changes = Changes(world, clients)
    try:
        changes.await_next()
        for name, kill in order:
            before, at = len(changes.seconds), time.monotonic()
            back = kill()
            changes.await_next()
            first = changes.seconds[before + 1][1] + START - at
            slowest = max(s for s, _ in changes.seconds[before:])
            worst[name] = max(worst.get(name, 0), first, slowest)
            say(f"killed: {name}; two changes, each with a device and an appeal, done {first:.2f} s later; the slowest "
                f"took {slowest:.2f} s")
            back()
            wait_until(world.redis.is_settled, "Redis and Sentinels are settled", 60)
            wait_until(lambda: {n.status().get("WSREP_CLUSTER_SIZE") for n in world.cluster.nodes} == {"3"}, "nodes", 60)
            changes.await_next()
    finally:
        traffic.end()
        changes.end()
    say(f"{traffic.asked} names asked, {traffic.pages} pages, {len(traffic.bad)} wrong, {traffic.without} without an answer while "
        f"a daemon of that gateway was started again; {len(changes.rules)} rules, "
        f"{len(changes.devices)} devices, {len(changes.appeals)} appeals taken, {changes.failed} requests refused")
    gone = lost(world, changes)
    say(f"lost: {sorted(gone) or 'nothing'}; slowest change {max(s for s, _ in changes.seconds):.2f} s")
    assert not traffic.bad, traffic.bad[:20]
    assert not gone
    assert max(worst.values()) < RESUME_S, worst
    # On the bus stands what the database has.
    master = world.redis.master()
    ids = set(master("HKEYS", "culvert:state:devices:apid"))
    assert changes.devices <= ids


def test_a_gateway_that_is_away_for_15_s_is_told_of_and_catches_up(running):
    """All of its daemons are killed. The other one goes on, also with changes; nothing of the device that it leaves
    behind gets through; then it has what it missed."""
    world, (owner, _) = running
    north, south = world.gateways
    for one in south.daemons.values():
        one.kill()
    away = time.monotonic()
    status, body = owner.put("/api/v1/dns-rules/away", {"pattern": "away.allowed.example", "match": "exact",
                                                       "action": "block"})
    assert status in (200, 201), body
    wait_until(lambda: north.resolve("away.allowed.example") == ["0.0.0.0"], "in force at the one that is there")

    def state():
        return {g["name"]: g["state"] for g in owner.get("/api/v1/health")[1]["gateways"]}
    wait_until(lambda: state() != {"north": "ok", "south": "ok"}, "it is missed", 60)
    assert state()["north"] == "ok"
    while time.monotonic() < away + 15:
        assert north.resolve("x.listed.example") == ["0.0.0.0"]
        assert north.http("GET", "http://allowed.example/")[0] == 200
        assert south.resolve("x.allowed.example", 0.3) is None
        assert south.http("GET", "http://blocked.example/")[0] == 0
    south.start()
    wait_until(lambda: south.resolve("away.allowed.example", 0.3) == ["0.0.0.0"], "what it missed", 60)
    wait_until(lambda: state() == {"north": "ok", "south": "ok"}, "it is there", 60)
    assert south.http("GET", "http://blocked.example/")[0] == 451


def test_every_daemon_of_both_ends_cleanly(running):
    """Status 0: no handle is left after all that."""
    for one in running[0].gateways:
        one.stop()
