# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons killed, Redis emptied, MariaDB gone: the gateway comes back and no peer is dropped
(SPEC C3, F8, D8, W3; DESIGN 2)."""
import os
import shutil
import signal
import subprocess
import time

import pytest

import walklib
from lablib import DAEMONS
from launcher.process import Process
from support.wait import wait_until
from walklib import API, CORE

LIMIT_S = 50  # ten times what is expected
EVERYTHING = {**CORE, **API}


def note(evidence, what, seconds):
    with open(os.path.join(evidence, "walk-recovery.txt"), "a", encoding="ascii") as out:
        out.write("%-40s %.2f s\n" % (what, seconds))


@pytest.fixture(scope="module", autouse=True)
def fresh_notes(evidence):
    path = os.path.join(evidence, "walk-recovery.txt")
    if os.path.exists(path):
        os.unlink(path)


class Watch:
    """Samples the tunnel's peers all the time, and pings the gateway from phone."""

    SAMPLER = ("import os, subprocess, time\n"
               "while os.getppid() == %d:\n"
               "\tdone = subprocess.run(['wg', 'show', 'wg0', 'dump'], capture_output=True)\n"
               "\tprint(done.stdout.decode().replace('\\n', '|'), flush=True)\n"
               "\ttime.sleep(0.05)\n")

    def __init__(self, lab, folder):
        self.paths = [os.path.join(folder, name) for name in ("peers", "ping")]
        commands = (("gw", "python3", "-c", self.SAMPLER % os.getpid()),
                    ("phone", "ping", "-n", "-D", "-O", "-i", "0.1", "10.9.0.1"))
        self.programs = []
        for path, command in zip(self.paths, commands):
            with open(path, "wb") as out:
                self.programs.append(lab.popen(*command, stdin=subprocess.DEVNULL, stdout=out,
                                               stderr=out))
        wait_until(lambda: len(self.samples()) > 1 and self.pings()[1], "watch", 10)

    def samples(self):
        """For each sample the peers: key → (allowed addresses, handshake, received bytes)."""
        found = []
        with open(self.paths[0], encoding="ascii") as src:
            for line in src:
                if not line.endswith("\n"):
                    break  # it is being written
                rows = [row.split("\t") for row in line.rstrip("\n").split("|")[1:] if row]
                if rows or "|" in line:
                    found.append({r[0]: (r[3], int(r[4]), int(r[5])) for r in rows})
        return found

    def pings(self):
        """(lost, answered)."""
        with open(self.paths[1], encoding="ascii") as src:
            text = src.read()
        return text.count("no answer yet"), text.count(" bytes from ")

    def check(self, keys):
        """No peer was missing, changed or made anew; the ping goes on."""
        answered = self.pings()[1]
        wait_until(lambda: self.pings()[1] > answered + 2, "ping goes on", 10)
        samples = self.samples()
        assert len(samples) > 3
        for before, after in zip(samples, samples[1:]):
            assert set(after) == keys
            for key in keys:
                assert after[key][0] == before[key][0]
                assert after[key][1] >= before[key][1] > 0, "session lost"
                assert after[key][2] >= before[key][2], "peer made anew"
        return self.pings()[0]

    def close(self):
        for program in self.programs:
            program.send_signal(signal.SIGKILL)
            program.wait()


@pytest.fixture
def watch(lab, tmp_path):
    keys = {walklib.key_of(lab, name) for name in ("phone", "laptop")}
    for name in ("phone", "laptop"):
        walklib.await_ping(lab, name)
    one = Watch(lab, tmp_path)
    one.keys = keys
    yield one
    one.close()


def start_all(lab, names):
    """All at the same time, as a service manager would."""
    starts = [subprocess.Popen(
        [os.path.join(lab.places.top, "tests", "lab"), "daemon", name, "start"], env=lab.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for name in names]
    for name, start in zip(names, starts):
        output = start.communicate(timeout=60)[0].decode()
        assert start.returncode == 0, (name, output)


def empty_redis(lab):
    lab.daemon("redis", "kill")
    data = lab.places.in_run("redis", "data")
    for name in os.listdir(data):
        path = os.path.join(data, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def test_everything_works_before(lab):
    walklib.holds(lab, EVERYTHING)


@pytest.mark.parametrize("name", DAEMONS)
def test_one_daemon_killed_and_restarted(lab, watch, evidence, name):
    start = time.monotonic()
    lab.daemon(name, "kill")
    lab.daemon(name, "start")
    note(evidence, name + " killed", walklib.recovery(lab, start, EVERYTHING, LIMIT_S))
    lab.settle(LIMIT_S)
    watch.check(watch.keys)


@pytest.mark.parametrize("name", ("wgd", "fwd", "apid", "syncd"))
def test_while_a_daemon_is_away_filtering_goes_on(lab, watch, name):
    """F8, D8: what the others need is in force without it."""
    lab.daemon(name, "kill")
    try:
        walklib.holds(lab, CORE)
        watch.check(watch.keys)
    finally:
        lab.daemon(name, "start")
    lab.settle(LIMIT_S)


def test_all_daemons_killed_and_restarted_at_once(lab, watch, evidence):
    start = time.monotonic()
    for name in DAEMONS:
        lab.daemon(name, "kill")
    start_all(lab, DAEMONS)
    note(evidence, "all daemons killed", walklib.recovery(lab, start, EVERYTHING, LIMIT_S))
    lab.settle(LIMIT_S)
    watch.check(watch.keys)


def test_without_redis_filtering_goes_on_and_empty_it_comes_back(lab, watch, evidence):
    """DESIGN 2.3, 4: last good; owners fill a new epoch."""
    empty_redis(lab)
    walklib.holds(lab, CORE)
    start = time.monotonic()
    lab.daemon("redis", "start")
    wait_until(lambda: lab.topic("devices", "apid") and lab.topic("domainset", "syncd"),
               "state published anew", LIMIT_S)
    note(evidence, "Redis restarted empty", walklib.recovery(lab, start, EVERYTHING, LIMIT_S))
    lab.settle(LIMIT_S)
    note(evidence, "Redis restarted empty, all in force", time.monotonic() - start)
    watch.check(watch.keys)


def test_daemons_start_without_redis_from_their_last_good(lab, watch, evidence):
    """DESIGN 2.3: also across a restart."""
    empty_redis(lab)
    try:
        start = time.monotonic()
        for name in DAEMONS:
            lab.daemon(name, "kill")
        start_all(lab, DAEMONS)
        note(evidence, "all daemons killed, no Redis",
             walklib.recovery(lab, start, CORE, LIMIT_S))
        watch.check(watch.keys)
    finally:
        lab.daemon("redis", "start")
    walklib.recovery(lab, time.monotonic(), EVERYTHING, LIMIT_S)
    lab.settle(LIMIT_S)


def test_an_empty_redis_without_its_owners_takes_nothing_away(lab, watch):
    """DESIGN 4: a topic that its owner has not published is unknown, not empty."""
    readers = ("wgd", "fwd", "dnsd", "proxyd")
    empty_redis(lab)
    for name in DAEMONS:
        lab.daemon(name, "kill")
    try:
        start_all(lab, ("redis",) + readers)
        walklib.recovery(lab, time.monotonic(), CORE, LIMIT_S)
        watch.check(watch.keys)
    finally:
        start_all(lab, ("apid", "syncd"))
    walklib.recovery(lab, time.monotonic(), EVERYTHING, LIMIT_S)
    lab.settle(LIMIT_S)
    watch.check(watch.keys)


def test_a_device_outlives_everything_but_mariadb(lab):
    """What POST has answered with success is there after every other program lost its memory."""
    key = lab.run("gw", "wg", "pubkey", data=lab.run("gw", "wg", "genkey").stdout).stdout.strip()
    assert lab.provision("wg_upsert", "tablet", publicKey=key, address="10.9.0.77")[0] == 200
    try:
        for name in DAEMONS:
            lab.daemon(name, "kill")
        empty_redis(lab)
        shutil.rmtree(lab.places.in_run("state", "apid"))
        start_all(lab, ("redis",) + tuple(DAEMONS))
        walklib.recovery(lab, time.monotonic(), EVERYTHING, LIMIT_S)
        lab.settle(LIMIT_S)
        # The administration's CA is another now.
        shutil.copy(lab.places.in_run("state", "apid", "admin-ca.pem"), lab.file("admin-ca.pem"))
        assert lab.topic("devices", "apid")["tablet"]["addresses"] == ["10.9.0.77", "fd09::4d"]
        assert key in walklib.peers(lab)
    finally:
        assert lab.provision("wg_remove", "tablet")[0] == 200
    wait_until(lambda: key not in walklib.peers(lab), "peer gone", 10)


def test_a_download_survives_every_daemon_but_proxyd(lab, tmp_path):
    out = tmp_path / "10m"
    curl = lab.popen("phone", "curl", "-sS", "--cacert", lab.file("culvert-ca.pem"), "--proxy",
                     "http://10.9.0.1:8080", "--limit-rate", "1M", "-o", str(out),
                     "https://big.example/10m", stdin=subprocess.DEVNULL)
    wait_until(lambda: out.exists() and out.stat().st_size > 100000, "download begun")
    # By itself: a command of the lab each may take as long as the download.
    for name in ("redis",) + tuple(n for n in DAEMONS if n != "proxyd"):
        Process(lab.hosts["gw"], name).stop(signal.SIGKILL)
    assert curl.poll() is None
    start_all(lab, ("redis",) + tuple(n for n in DAEMONS if n != "proxyd"))
    assert curl.wait(120) == 0
    assert out.stat().st_size == 10 * 1024 * 1024
    walklib.recovery(lab, time.monotonic(), EVERYTHING, LIMIT_S)
    lab.settle(LIMIT_S)


def test_without_the_internet_what_is_blocked_is_blocked_and_it_comes_back(lab, evidence):
    """D1: an answer that says so, a page that says so; no policy is lost."""
    lab.run("inet", "ip", "link", "set", "gw", "down")
    try:
        answer = lab.dig("phone", walklib.fresh("fresh.example"), seconds=10)
        assert answer.status == "SERVFAIL"
        assert lab.dig("phone", walklib.fresh("listed.example")).addresses == ["0.0.0.0"]
        for url, status in (("https://blocked.example/", 451), ("https://unknown.example/", 451),
                            ("http://allowed.example/", 502)):
            assert lab.curl("phone", url, proxy=True).status == status, url
    finally:
        lab.run("inet", "ip", "link", "set", "gw", "up")
        lab.run("inet", "ip", "address", "replace", "2001:db8:1::1/64", "dev", "gw", "nodad")
        start = time.monotonic()
    note(evidence, "Internet back", walklib.recovery(lab, start, EVERYTHING, LIMIT_S))
    for family in (0, 1):
        walklib.await_ping(lab, "phone", walklib.SITE[family])


def test_wireguard_killed_and_restarted_is_configured_again(lab, evidence):
    """W2: the interface, its addresses and peers are back; the rules hold for it."""
    start = time.monotonic()
    lab.daemon("wireguard-gw", "kill")
    lab.daemon("wireguard-gw", "start")
    keys = {walklib.key_of(lab, name) for name in ("phone", "laptop")}
    wait_until(lambda: set(walklib.peers(lab)) == keys, "peers", LIMIT_S)
    note(evidence, "WireGuard restarted, peers set", time.monotonic() - start)
    for name in ("phone", "laptop"):  # by themselves clients begin anew after 15 s
        walklib.shake_hands(lab, name)
    walklib.recovery(lab, time.monotonic(), EVERYTHING, LIMIT_S)
    for address in ("fd09::1",) + walklib.SITE:
        walklib.await_ping(lab, "phone", address)


def test_everything_killed_and_redis_empty_at_once(lab, watch, evidence):
    start = time.monotonic()
    for name in DAEMONS:
        lab.daemon(name, "kill")
    empty_redis(lab)
    start_all(lab, ("redis",) + tuple(DAEMONS))
    note(evidence, "all daemons and Redis killed",
         walklib.recovery(lab, start, EVERYTHING, LIMIT_S))
    lab.settle(LIMIT_S)
    watch.check(watch.keys)


def test_without_mariadb_filtering_goes_on_and_post_answers_503(lab, watch, evidence):
    lab.daemon("mariadb", "kill")
    try:
        walklib.holds(lab, CORE)
        start = time.monotonic()
        status, body = lab.provision("wg_upsert", "phone", publicKey=walklib.key_of(lab, "phone"),
                                     address="10.9.0.2/32")
        assert status == 503 and body["status"] == "failure" and body["error"]
        assert time.monotonic() - start < 20
    finally:
        start = time.monotonic()
        lab.daemon("mariadb", "start")
    note(evidence, "MariaDB restarted", walklib.recovery(lab, start, EVERYTHING, LIMIT_S))
    watch.check(watch.keys)
