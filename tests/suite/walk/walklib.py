# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end-to-end tests share: probes from a device, policy changes, the core of a gateway."""
import concurrent.futures
import copy
import errno
import itertools
import json
import os
import socket
import struct
import time

import pytest
from culvertlab import clients, gateway
from culvertlab.places import write_file
from support.wait import wait_until

SITE = ("93.184.216.10", "2606:2800:220:1::10")
LAN = ("10.77.0.5", "fd77::5")
AT_ONCE_S = 1.0
PATIENCE_S = 2.5
TRIES = 3

_numbers = itertools.count(1)


def fresh(below):
    """A name that nobody has asked for before."""
    return "n%d-%d.%s" % (os.getpid(), next(_numbers), below)


# ---- connections from a host ----

REFUSALS = {errno.ECONNREFUSED: "refused", errno.EACCES: "refused", errno.EHOSTUNREACH: "refused",
            errno.ENETUNREACH: "refused", errno.EPERM: "refused"}


def _probe(kind, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    start = time.monotonic()
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE_S)
        try:
            sock.connect((address, port))
            if kind == "udp":
                sock.send(b"?" * 16)
                sock.recv(2048)
            verdict = "open"
        except socket.timeout:
            verdict = "silence"
        except OSError as exc:
            verdict = REFUSALS.get(exc.errno, str(exc))
    return [verdict, time.monotonic() - start]


def _probe_all(probes):
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        return list(pool.map(lambda p: _probe(*p), probes))


def probe(lab, host, *probes):
    """Each probe is (tcp|udp, address, port): {probe: (open|refused|silence|error, seconds)}."""
    results = lab.hosts[host].call(_probe_all, probes)
    return {p: tuple(result) for p, result in zip(probes, results)}


def refused_at_once(lab, host, *probes):
    """Asserts it of each probe. What was silent or late is tried again: a packet that a busy machine loses comes again
    after a second. What is open is so at the first time."""
    for left in range(TRIES, 0, -1):
        found = probe(lab, host, *probes)
        bad = {p: r for p, r in found.items() if r[0] != "refused" or r[1] >= AT_ONCE_S}
        assert not any(r[0] == "open" for r in bad.values()) and (left > 1 or not bad), (host, bad)
        if not bad:
            return
        probes = tuple(bad)


# ---- many questions ----

def question(number, name, kind):
    wire = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0)
    for label in name.split("."):
        wire += bytes([len(label)]) + label.encode()
    return wire + b"\0" + struct.pack("!HH", kind, 1)


def _addresses(wire, size):
    """RCODE and the addresses of a short answer (records named by a pointer)."""
    _, flags, _, count, _, _ = struct.unpack("!HHHHHH", wire[:12])
    at, found = size, []
    for _ in range(count):
        while wire[at] and wire[at] < 0xC0:
            at += 1 + wire[at]
        at += 2 if wire[at] else 1
        kind, _, _, length = struct.unpack("!HHIH", wire[at:at + 10])
        at += 10
        if kind in (1, 28):
            family = socket.AF_INET if kind == 1 else socket.AF_INET6
            found.append(socket.inet_ntop(family, wire[at:at + length]))
        at += length
    return [flags & 15, found]


def _ask_all(server, names, kind):
    """Name → [RCODE, addresses]; a name that is never answered is absent."""
    answers = {}
    numbers = itertools.count()  # late answers to what was asked before are not taken for others
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET,
                       socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.connect((server, 53))
        for _ in range(3):
            left = [n for n in names if n not in answers]
            for begin in range(0, len(left), 64):
                waiting = {next(numbers) & 0xFFFF: n for n in left[begin:begin + 64]}
                queries = {i: question(i, n, kind) for i, n in waiting.items()}
                for query in queries.values():
                    sock.send(query)
                try:
                    while waiting:
                        wire = sock.recv(4096)
                        number = struct.unpack("!H", wire[:2])[0]
                        if number in waiting:
                            answers[waiting.pop(number)] = _addresses(wire, len(queries[number]))
                except (socket.timeout, ConnectionRefusedError):
                    pass
    return answers


def ask_once(server, name, seconds=1):
    """The addresses of one answer, in the caller's network; none: nobody answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        query = question(os.getpid() & 0xFFFF, name, 1)
        try:
            sock.connect((server, 53))
            sock.send(query)
            return _addresses(sock.recv(4096), len(query))[1]
        except OSError:
            return []


def ask_all(lab, host, names, kind=1, server="10.9.0.1"):
    return lab.hosts[host].call(_ask_all, server, list(names), kind)


# ---- policy ----

def seed_path(lab):
    return lab.places.in_run("etc", "seed.json")


def read_seed(lab):
    with open(seed_path(lab), encoding="utf-8") as src:
        return json.load(src)


def _is_published(lab, document):
    for topic, records in document.items():
        have = lab.topic(topic, "apid")
        if have is None or set(have) != {r["id"] for r in records}:
            return False
        for record in records:
            if any(have[record["id"]].get(key) != value for key, value in record.items()):
                return False
    return True


def put_seed(lab, document):
    """Writes the seed; returns when the running daemons have it in force."""
    write_file(seed_path(lab), json.dumps(document))
    lab.daemon("apid", "reload")
    wait_until(lambda: _is_published(lab, document), "seed published", 60)
    lab.settle(60)


@pytest.fixture
def seeded(lab):
    """seeded(change) puts another policy in force; the former one is back after the test: topics that a change
    brought are empty (a seed says nothing of those that it leaves out)."""
    before = read_seed(lab)

    def apply(change):
        document = copy.deepcopy(read_seed(lab))
        change(document)
        put_seed(lab, document)
    yield apply
    after = read_seed(lab)
    if after != before:
        put_seed(lab, {**{topic: [] for topic in after}, **before})


def device(document, name):
    return next(d for d in document["devices"] if d["id"] == name)


def snapshot(lab):
    """What a refused request must leave as it is: the bus's generations and wgd's peers."""
    generations = {owner: lab.redis("HGETALL", "culvert:gens:" + owner)
                   for owner in ("apid", "wgd")}
    peers = sorted(line.split("\t")[0] + " " + line.split("\t")[3]
                   for line in lab.run("gw", "wg", "show", "wg0", "dump").stdout.splitlines()[1:])
    return generations, peers


def key_of(lab, name):
    return clients.public_key(lab.places, name)


def peers(lab):
    """Public keys that the gateway's tunnel knows."""
    return lab.run("gw", "wg", "show", "wg0", "peers").stdout.split()


def shake_hands(lab, name):
    """The device forgets its session and begins anew; waits for the handshake."""
    interface, peer = clients.interface(name), lab.places.in_run("wg", name + ".peer")
    key = lab.run("gw", "wg", "show", "wg0", "public-key").stdout.strip()
    lab.run(name, "wg", "set", interface, "peer", key, "remove")
    lab.run(name, "wg", "addconf", interface, peer)
    wait_until(lambda: clients.has_handshake(lab.hosts[name]), "handshake of " + name, 60)


def answers_ping(lab, name, address="10.9.0.1", seconds=2):
    return lab.run(name, "ping", "-n", "-c1", "-W%d" % seconds, address,
                   check=False).returncode == 0


def await_ping(lab, name, address="10.9.0.1"):
    """A packet may be lost, to a handshake or to a neighbour that is looked for."""
    wait_until(lambda: answers_ping(lab, name, address), "%s pings %s" % (name, address))


# ---- the core of a gateway: what works must work ----

def _page(lab, url):
    return lab.curl("phone", url, proxy=True, ca=lab.file("culvert-ca.pem"), seconds=4)


def _is_blocked_page(lab, url, *texts):
    page = _page(lab, url)
    return page.status == 451 and all(text in page.text for text in texts)


def provisions(lab):
    """POST / works; an upsert of what is there changes nothing."""
    try:
        status, body = lab.provision("wg_upsert", "phone", publicKey=key_of(lab, "phone"),
                                     address="10.9.0.2/32")
    except (gateway.LabError, ValueError):
        return False
    return status == 200 and body["status"] == "success"


CORE = {
    "tunnel": lambda lab: clients.has_handshake(lab.hosts["phone"]) and
    answers_ping(lab, "phone", seconds=1),
    "listed name blocked": lambda lab: lab.dig(
        "phone", fresh("listed.example"), seconds=1).addresses == ["0.0.0.0"],
    "allowed name resolves": lambda lab: lab.dig(
        "phone", fresh("fresh.example"), seconds=2).addresses == [SITE[0]],
    "allowed page": lambda lab: "<h1>allowed.example</h1>" in _page(
        lab, "https://allowed.example/").text,
    "blocked page": lambda lab: _is_blocked_page(
        lab, "https://blocked.example/", "Site Blocked", "Gambling"),
    "unknown page": lambda lab: _is_blocked_page(
        lab, "https://unknown.example/", "Site Not Reviewed"),
    "DoT refused": lambda lab: probe(lab, "phone", ("tcp", "1.1.1.1", 853))[
        "tcp", "1.1.1.1", 853][0] == "refused",
}
API = {"provisioning": provisions}


def holds(lab, checks):
    """Asserts that every check passes; one that a busy machine makes late is tried again."""
    for name, check in checks.items():
        wait_until(lambda c=check: c(lab), name)


def recovery(lab, since, checks, seconds=50):
    """Seconds from since until every check has passed; AssertionError naming the one that has not."""
    def all_pass():
        for name, check in checks.items():
            pending[:] = [name]
            if not check(lab):
                return False
        return True

    pending = []
    deadline = since + seconds
    while not all_pass():
        assert time.monotonic() < deadline, "%s: not within %g s" % (pending[0], seconds)
        time.sleep(0.02)
    return time.monotonic() - since
