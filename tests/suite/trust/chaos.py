# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway under faults, one after the other by a seed, with these invariants: nothing that is blocked resolves or
loads at any time; what is allowed works again soon after a fault; an appeal that was accepted, a device that was
provisioned and a change that was made are there in the end, once."""
import collections
import http.client
import os
import random
import re
import statistics
import threading
import time
import urllib.parse
import uuid

import faults
import latencylib as probes
import walklib
from crowdlib import place
from lablib import DAEMONS
from launcher.places import LaunchError
from launcher.process import Process
from support.wait import wait_until

GOAL_S, LIMIT_S = 5, 60
PROXY = ("10.9.0.1", 8080)


def find_leaks():
    """What got through that is blocked; in the phone's network."""
    found = []
    name = "q%d.listed.example" % random.getrandbits(40)
    for server in ("10.9.0.1", "8.8.8.8"):
        answer = walklib.ask_once(server, name)
        if any(a != "0.0.0.0" for a in answer):
            found.append("%s resolves to %s at %s" % (name, answer, server))
    for probe, name in ((probes.app80, probes.LISTED), (probes.app443, probes.LISTED), (probes.proxy, probes.LISTED),
                        (probes.proxy, "blocked.example")):
        if probe(name):
            found.append("%s: %s" % (probe.__name__, name))
    return found


def _works():
    """What does not work of that which is allowed."""
    name = "q%d.fresh.example" % random.getrandbits(40)
    late = [] if walklib.ask_once("10.9.0.1", name) == [walklib.SITE[0]] else ["DNS"]
    return late + [p.__name__ for p in (probes.proxy, probes.app443, probes.app80) if not p("allowed.example")]


class Chaos:
    def __init__(self, lab, owner, many, clock, relays, seed):
        self.lab, self.owner, self.many, self.clock, self.relays = lab, owner, many, clock, relays
        self.rng = random.Random(seed)
        self.watched, self.leaks, self.died = 0, [], collections.Counter()
        self.recoveries = []  # (fault, seconds)
        self.appeals, self.devices, self.words = set(), {}, set()
        self.tried = collections.Counter()
        self.over = threading.Event()
        self.watch, self.check, self.appealing = [place(lab, "phone") for _ in range(3)]
        self.watcher = threading.Thread(target=self._watch)
        self.detail = ""

    # ---- what faults use ----

    def note(self, text):
        self.detail = text

    def pid(self, name):
        """None: it has ended."""
        return Process(self.lab.hosts["inet" if name.startswith("inet") else "gw"], name).pid()

    def start(self, name):
        self.lab.daemon(name, "start")

    # ---- watching ----

    def _watch(self):
        while not self.over.is_set():
            self.leaks += self.watch.call(find_leaks)
            self.watched += 1
            self.over.wait(0.02)

    def _revive(self):
        """As a service manager does."""
        for name in DAEMONS:
            if self.pid(name) is None:
                self.died[name] += 1
                self.start(name)

    # ---- what people do meanwhile ----

    def _attempt(self, what, do):
        self.tried[what] += 1
        try:
            do()
        except (OSError, http.client.HTTPException, AssertionError, ValueError, LaunchError):
            self.owner.admin.conn = None

    def appeal(self):
        """Through the page; counts once it says that it is submitted."""
        reason = str(uuid.uuid4())

        def do():
            if self.appealing.call(_submit, reason):
                self.appeals.add(reason)
        self._attempt("appeals", do)

    def provision(self):
        n = len(self.devices) + self.tried["devices"]
        name, address = "chaos-%d" % n, "10.9.%d.%d" % (100 + n // 250, 1 + n % 250)
        key = self.lab.run("gw", "wg", "genkey").stdout
        public = self.lab.run("gw", "wg", "pubkey", data=key).stdout.strip()

        def do():
            if self.lab.provision("wg_upsert", name, publicKey=public, address=address)[0] == 200:
                self.devices[name] = public
        self._attempt("devices", do)

    def change(self):
        name = "chaos-%s" % uuid.uuid4()

        def do():
            self.owner.ask("PUT", "/api/v1/words/" + name, {"term": name, "match": "exact"})
            self.words.add(name)
        self._attempt("changes", do)

    # ---- a round ----

    def round(self, fault):
        self.detail = ""
        end = fault(self)
        begin = time.monotonic()
        try:
            for act in self.rng.sample([self.appeal, self.provision, self.change], 2):
                act()
            self.over.wait(max(0.0, self.rng.uniform(0.3, 2) - (time.monotonic() - begin)))
        finally:
            end()
        since = time.monotonic()
        self._revive()
        while late := self.check.call(_works):
            assert time.monotonic() - since < LIMIT_S, "%s %s: %s: not within %d s" % (
                fault.__name__, self.detail, ", ".join(late), LIMIT_S)
            self._revive()
            time.sleep(0.02)
        self.recoveries.append((fault.__name__, time.monotonic() - since))
        assert not self.leaks, "%s %s: %s" % (fault.__name__, self.detail, self.leaks[:5])

    def run(self, seconds, tell):
        """Every fault once, in an order of the seed's, and on until the time is over."""
        self.watcher.start()
        deadline, rounds = time.monotonic() + seconds, 0
        try:
            while time.monotonic() < deadline:
                for fault in self.rng.sample(faults.FAULTS, len(faults.FAULTS)):
                    self.round(fault)
                    rounds += 1
                    tell("%4d %-18s %-8s recovered in %5.2f s" % (
                        rounds, fault.__name__, self.detail, self.recoveries[-1][1]))
                    if time.monotonic() > deadline:
                        break
        finally:
            self.over.set()
            self.watcher.join()
        self.settle()
        return rounds

    # ---- in the end ----

    def settle(self):
        """Everything that was accepted is there, once."""
        self.lab.settle(60)
        for what, statement, wanted in (
                ("appeals", "SELECT reason FROM culvert.appeals", self.appeals),
                ("audit rows", "SELECT subject FROM culvert.audit WHERE action = 'words_add'", self.words)):
            wait_until(lambda s=statement, w=wanted: not self.missing(s, w), what + " there", 60)
            found = collections.Counter(self.found(statement))
            twice = [w for w in wanted if sum(n for k, n in found.items() if w in k) != 1]
            assert not twice, (what, twice)
        wait_until(lambda: set(self.devices) <= set(self.lab.topic("devices", "apid") or ()), "devices there", 60)
        wait_until(lambda: set(self.devices.values()) <= set(walklib.peers(self.lab)), "peers", 60)
        seen = self.many.seen()
        assert seen["leaks"] == 0, seen

    def found(self, statement):
        return [line.strip() for line in self.lab.sql(statement).splitlines()]

    def missing(self, statement, wanted):
        text = "\n".join(self.found(statement))
        return [w for w in wanted if w not in text]

    def report(self):
        yield "faults survived: %d of %d kinds; blocked names and pages tried meanwhile: %d times 6, got through: %d" % (
            len(self.recoveries), len({n for n, _ in self.recoveries}), self.watched, len(self.leaks))
        yield "accepted and there in the end, once: %d appeals (%d tried), %d devices (%d), %d changes with their audit rows (%d)" % (
            len(self.appeals), self.tried["appeals"], len(self.devices), self.tried["devices"], len(self.words),
            self.tried["changes"])
        yield "died of a fault and started again: %s" % (", ".join("%s %d" % p for p in sorted(self.died.items())) or "none")
        seconds = [s for _, s in self.recoveries]
        yield "recovery of what is allowed: p50 %.2f s, slowest %.2f s, above %d s: %d" % (
            statistics.median(seconds), max(seconds), GOAL_S, sum(s > GOAL_S for s in seconds))
        for name in sorted({n for n, _ in self.recoveries}):
            mine = [s for n, s in self.recoveries if n == name]
            yield "  %-18s %3d times, p50 %.2f s, slowest %.2f s" % (name, len(mine), statistics.median(mine), max(mine))
        yield "packets of the tunnels: " + ", ".join("%s %d" % p for p in self.relays.straighten().items())
        yield "traffic of the crowd: " + ", ".join("%s %s" % p for p in self.many.seen().items())

    def close(self):
        self.over.set()
        for one in (self.watch, self.check, self.appealing):
            one.close()


# ---- an appeal, by the page's own form; in the phone's network ----

def _ask_proxy(method, url, body=None):
    conn = http.client.HTTPConnection(*PROXY, timeout=4)
    try:
        headers = {"Host": urllib.parse.urlsplit(url).netloc, "Content-Type": "application/x-www-form-urlencoded"}
        conn.request(method, url, body, headers if body else {"Host": headers["Host"]})
        answer = conn.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        conn.close()


def _submit(reason):
    url = "http://blocked.example/" + reason
    _, page = _ask_proxy("GET", url)
    link = re.search(r'href="([^"]*appeal[^"]*)"', page)
    if not link:
        return False
    there = urllib.parse.urljoin(url, link.group(1).replace("&amp;", "&"))
    _, form = _ask_proxy("GET", there)
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form):
        words = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if words.get("name"):
            fields[words["name"]] = words.get("value", "")
    fields["reason"] = reason
    status, done = _ask_proxy("POST", urllib.parse.urljoin(there, "/.kvylock/appeal"), urllib.parse.urlencode(fields))
    return status == 200 and "Submitted" in done


def write(path, lines):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        for line in lines:
            out.write(line + "\n")
