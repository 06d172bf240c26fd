# SPDX-License-Identifier: GPL-3.0-or-later
"""Each thing that DNS filtering is for (SPEC D1 to D13), asked by a device on each way there is: over UDP and TCP,
IPv4 and IPv6, with dig and with kdig."""
import datetime
import itertools
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

import walklib
from lablib import Answer, site_addresses, stores
from support.wait import wait_until
from walklib import fresh

_turns = itertools.count()
WAYS = (("dig", "10.9.0.1", "udp"), ("kdig", "10.9.0.1", "tcp"), ("kdig", "fd09::1", "udp"), ("dig", "fd09::1", "tcp"))
ALL_WAYS = pytest.mark.parametrize("ask", WAYS, indirect=True, ids=["-".join(w) for w in WAYS])
ALLOWED = site_addresses("allowed.example")
KEPT = 16


def asker(lab, way):
    tool, server, transport = way

    def one(name, kind="A", *options, host="phone"):
        argv = [tool, "@" + server, name, kind, "+edns" if tool == "kdig" else "+tries=1", "+time=5",
                "+retry=0" if tool == "kdig" else "+noall", *options]
        if tool == "dig":
            argv += ["+comments", "+answer", "+question"]
        if transport == "tcp":
            argv.append("+tcp")
        return Answer(lab.run(host, *argv, check=False, timeout=30).stdout.replace(";; Flags:", ";; flags:"))
    return one


@pytest.fixture
def ask(lab, request):
    """ask(name, kind, *options, host="phone") on one of the ways."""
    return asker(lab, request.param)


@pytest.fixture
def asks(lab):
    """All of them, where a test takes its time."""
    return [asker(lab, way) for way in WAYS]


def said(answer, kind):
    """The records of that type."""
    return [data for _, _, of, data in answer.records if of == kind]


def person(document, name="phone"):
    return walklib.device(document, name)


@ALL_WAYS
def test_d1_answers_are_forwarded_kept_and_whole(ask, lab):
    name = fresh("fresh.example")
    assert ask(name).addresses == [walklib.SITE[0]]
    for _ in range(KEPT):
        again = ask(name)
        assert again.addresses == [walklib.SITE[0]] and again.records[0][1] <= 300
    # Once; a resolver that is late on a busy machine is not waited for, and others are asked.
    asked = lab.dns_queries(name)
    assert 1 <= len(asked) <= KEPT and {q["transport"] for q in asked} == {"dot"}
    assert len(said(ask("large.example", "TXT"), "TXT")) == 150  # over UDP cut, and asked again
    assert ask(fresh("nowhere.example")).status == "NXDOMAIN"
    secure = ask("allowed.example", "A", "+dnssec")
    assert "ad" in secure.flags and "do" in secure.text.lower()
    assert ask("allowed.example", "ANY").status == "REFUSED"
    assert re.search(r"COOKIE: [0-9a-fA-F]{48}", ask("allowed.example", "A", "+cookie").text.replace(" ", "").replace(
        "COOKIE:", "COOKIE: "))


@ALL_WAYS
def test_d2_d3_a_listed_name_is_null_for_whom_the_list_is_on(ask):
    name = fresh("listed.example")
    for kind, null, real in (("A", "0.0.0.0", "93.184.216.20"), ("AAAA", "::", "2606:2800:220:1::20")):
        blocked = ask(name, kind)
        assert (blocked.status, blocked.addresses) == ("NOERROR", [null]) and blocked.ede in (15, 17)
        assert "list Advertising" in blocked.text and blocked.records[0][1] == 5
        assert ask(name, kind, host="laptop").addresses == [real]
        assert ask(name, kind).addresses == [null]
    assert ask(name, "MX").records == [] and ask(name, "MX").status == "NOERROR"


@ALL_WAYS
def test_d4_canaries_and_other_resolvers(ask):
    for kind in ("A", "AAAA", "HTTPS"):
        for name in ("use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com"):
            assert ask(name, kind).status == "NXDOMAIN", (name, kind)
    ddr = ask("_dns.resolver.arpa", "SVCB")
    assert (ddr.status, ddr.records) == ("NOERROR", [])
    assert ask("dns.google").addresses == ["0.0.0.0"] and ask("one.one.one.one", "AAAA").addresses == ["::"]
    assert ask("connectivitycheck.gstatic.com").addresses == [site_addresses("connectivitycheck.gstatic.com")[0]]


SEARCH = (("www.google.com", "forcesafesearch.google.com"), ("www.bing.com", "strict.bing.com"),
          ("duckduckgo.com", "safe.duckduckgo.com"), ("www.youtube.com", "restrict.youtube.com"))


@pytest.fixture(scope="module")
def restricted(lab):
    """Search, own records, the portal's name."""
    before = walklib.read_seed(lab)
    document = json.loads(json.dumps(before))
    person(document)["safe_search"] = {"google": True, "bing": True, "duckduckgo": True, "youtube": "strict"}
    document["settings"].append({"id": "portal_host", "value": "portal.lab.example"})
    document["dns_records"] = [
        {"id": "nas", "name": "nas.home.example", "type": "A", "value": "10.77.0.5", "ttl": 60},
        {"id": "alias", "name": "files.home.example", "type": "CNAME", "value": "allowed.example", "ttl": 60}]
    walklib.put_seed(lab, document)
    yield
    walklib.put_seed(lab, before)


@ALL_WAYS
def test_d5_search_is_restricted_and_the_admin_s_names_are_known(ask, restricted):
    for name, target in SEARCH:
        for kind, at in (("A", 0), ("AAAA", 1)):
            answer = ask(name, kind)
            assert said(answer, "CNAME") == [target + "."] and answer.addresses == [site_addresses(target)[at]]
        assert ask(name, host="laptop").addresses == [site_addresses(name)[0]]
    assert ask("nas.home.example").addresses == ["10.77.0.5"]
    assert ask("files.home.example").addresses == [ALLOWED[0]]
    assert ask("portal.lab.example").addresses == ["10.9.0.1"]
    assert ask("portal.lab.example", "AAAA").addresses == ["fd09::1"]


@ALL_WAYS
def test_d6_service_records_keep_what_is_harmless(ask):
    assert ask(fresh("listed.example"), "HTTPS").records == []
    (record,) = said(ask("svcb.example", "HTTPS"), "HTTPS")
    assert "h2" in record and "93.184.216.10" in record and "h3" not in record and "ech" not in record.lower()
    (record,) = said(ask("hints.example", "HTTPS"), "HTTPS")
    assert "h2" in record and "93.184.216.10" in record and "10.77" not in record


@ALL_WAYS
def test_d7_cloaked_and_rebinding_names_are_blocked(ask):
    cloaked = ask("cloaked.example")
    assert cloaked.addresses == ["0.0.0.0"] and "tracker.ads.listed.example" in cloaked.text
    assert ask("cloaked.example", host="laptop").addresses == ["93.184.216.16"]
    assert ask("chain1.example").addresses == [ALLOWED[0]]
    assert ask("rebind.example").addresses == ["0.0.0.0"] and ask("rebind.example", "AAAA").addresses == ["::"]
    assert "rebinding" in ask("rebind.example").text


@ALL_WAYS
def test_d8_the_last_good_policy_is_in_force_without_redis(ask, lab):
    pid = int(lab.daemon("redis", "pid"))
    os.kill(pid, signal.SIGSTOP)
    try:
        lab.daemon("dnsd", "kill")
        lab.daemon("dnsd", "start")
        wait_until(lambda: ask(fresh("listed.example")).addresses == ["0.0.0.0"], "in force from the disk")
        assert ask(fresh("listed.example"), host="laptop").addresses == ["93.184.216.20"]
        assert ask(fresh("fresh.example")).addresses == [walklib.SITE[0]]
    finally:
        os.kill(pid, signal.SIGCONT)
    lab.settle()


@pytest.fixture(scope="module")
def strict(lab):
    before = walklib.read_seed(lab)
    document = json.loads(json.dumps(before))
    person(document)["strict"] = True
    walklib.put_seed(lab, document)
    yield
    walklib.put_seed(lab, before)


@ALL_WAYS
def test_d9_a_strict_device_reaches_what_it_was_told_at_once(ask, lab, strict):
    """And what it was never told not at all: by address, so that no name in the hello leads elsewhere."""
    name = ("words.example", "plain.example", "unknown.example", "blocked.example")[next(_turns) % 4]

    def reaches(address):
        url = "https://[%s]/" if ":" in address else "https://%s/"
        return lab.curl("phone", url % address, "--insecure", "--globoff").exit == 0
    for kind, at in (("A", 0), ("AAAA", 1)):
        told, untold = (site_addresses(n)[at] for n in (name, "bad-cert.example"))
        # An answer that fwd has not confirmed within 50 ms is SERVFAIL, and good for the next question.
        wait_until(lambda k=kind, t=told: ask(name, k).addresses == [t], "told")
        assert reaches(told)
        assert not reaches(untold)


class Events:
    """What is said on the bus: one of dnsd's kinds of event."""

    def __init__(self, lab, kind):
        env = dict(os.environ, REDISCLI_AUTH=stores.read_secret(lab.places, "redis-" + lab.places.bus_user))
        self.process = subprocess.Popen(
            ["redis-cli", "-s", lab.places.bus_socket, "--user", lab.places.bus_user, "--no-auth-warning",
             "SUBSCRIBE", "culvert:event:dnsd:" + kind], stdout=subprocess.PIPE, text=True, env=env,
            preexec_fn=lab.hosts["gw"].enter)
        assert any("subscribe" in self.process.stdout.readline() for _ in range(3))

    def until(self, is_last):
        """Every event up to the one that is_last finds."""
        seen = []
        for line in self.process.stdout:
            if line.startswith("{"):
                seen += json.loads(line)["batch"]
            if any(map(is_last, seen)):
                return seen
        raise AssertionError("the bus is gone")

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def logged(lab):
    """Everybody's queries are told of, but for the laptop, which is nobody's business."""
    before = walklib.read_seed(lab)
    document = json.loads(json.dumps(before))
    document["settings"].append({"id": "query_log", "value": True})
    person(document, "laptop")["privacy"] = "none"
    walklib.put_seed(lab, document)
    yield
    walklib.put_seed(lab, before)


def test_d10_queries_and_counts_are_told_as_privacy_allows(asks, lab, logged):
    """On all ways. What the laptop had asked before is told; what it asks now is not."""
    queries, counts, names = Events(lab, "query"), Events(lab, "count"), [fresh("listed.example") for _ in asks]
    many = 200
    try:
        walklib.ask_all(lab, "laptop", [fresh("fresh.example") for _ in range(many)])
        for ask, name in zip(asks, names):
            ask(name, host="laptop")
            ask(name)
        told = queries.until(lambda e: e["device"] == "phone" and e["name"] == names[-1])
        blocked = [e for e in told if e["device"] == "phone" and e["verdict"] == "blocked"]
        assert [(e["name"], e["rule"]) for e in blocked] == [(n, "list Advertising") for n in names]
        counted = counts.until(lambda e: e["device"] == "phone" and e["blocked"])
        assert not [e for e in told if e["device"] == "laptop"]
        assert not [e for e in counted if e["device"] == "laptop" and e["allowed"] >= many]
    finally:
        queries.close()
        counts.close()


def test_d11_hours_and_unblocks_with_an_end(asks, lab, seeded):
    """On all ways."""
    now = datetime.datetime.now(datetime.timezone.utc)
    at = [(now + datetime.timedelta(minutes=m)).strftime("%H:%M") for m in (-10, 50)]

    def close(document):
        person(document).update(time_zone="UTC", schedules=[{"what": "all", "from": at[0], "to": at[1]}])
    seeded(close)
    for ask in asks:
        shut = ask("allowed.example")
        assert shut.addresses == ["0.0.0.0"] and shut.ede == 17
        assert ask("allowed.example", host="laptop").addresses == [ALLOWED[0]]

    def unblock(document):
        person(document)["schedules"] = []
        document["dns_rules"] = [{"id": "u", "pattern": "listed.example", "match": "endswith", "action": "allow",
                                  "scope": "device:phone", "until": int(time.time() * 1000) + 6000}]
    seeded(unblock)
    until, name = walklib.read_seed(lab)["dns_rules"][0]["until"], fresh("listed.example")
    for ask in asks:
        answer = ask(name)
        assert answer.addresses == ["93.184.216.20"] or time.time() * 1000 > until  # on a slow machine
    for ask in asks:
        wait_until(lambda a=ask: a(name).addresses == ["0.0.0.0"], "the unblock's end")


def _throw(server, transport, messages):
    """Sends what is no question; says how many answers came, and their rcodes."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    rcodes = []
    if transport == "udp":
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(0.3)
            s.connect((server, 53))
            for m in messages:
                s.send(m)
            try:
                while True:
                    rcodes.append(s.recv(4096)[3] & 15)
            except socket.timeout:
                return rcodes
    for m in messages:
        with socket.create_connection((server, 53), 30) as s:
            s.settimeout(0.3)
            s.sendall(struct.pack("!H", len(m)) + m)
            try:
                answer = s.recv(4096)
                rcodes += [answer[5] & 15] if len(answer) > 5 else []
            except OSError:
                pass
    return rcodes


@ALL_WAYS
def test_d12_garbage_is_answered_with_formerr_or_not_at_all(ask, lab, request):
    _, server, transport = request.node.callspec.params["ask"]
    rng = random.Random(5)
    sound = walklib.question(7, "allowed.example", 1)
    loop = sound[:12] + b"\xc0\x0c\0\1\0\1"
    pid = lab.daemon("dnsd", "pid")
    messages = [sound[:n] for n in range(1, len(sound), 3)] + [loop, loop * 20, b"\xff" * 1400] + [
        rng.randbytes(rng.randrange(1, 600)) for _ in range(20)]
    rcodes = lab.hosts["phone"].call(_throw, server, transport, messages)
    assert set(rcodes) <= {1, 4, 5}, rcodes  # FORMERR, NOTIMP, REFUSED
    assert ask("allowed.example").addresses == [ALLOWED[0]] and lab.daemon("dnsd", "pid") == pid


@pytest.fixture(scope="module")
def without_ipv6(lab):
    before = walklib.read_seed(lab)
    document = json.loads(json.dumps(before))
    person(document)["v6"] = False
    walklib.put_seed(lab, document)
    yield
    walklib.put_seed(lab, before)


@ALL_WAYS
def test_d13_a_device_without_ipv6_is_given_none(ask, without_ipv6):
    none = ask("allowed.example", "AAAA")
    assert (none.status, none.records) == ("NOERROR", []) and ask("allowed.example").addresses == [ALLOWED[0]]
    assert "ipv6hint" not in ask("hints.example", "HTTPS").text
    assert ask("allowed.example", "AAAA", host="laptop").addresses == [ALLOWED[1]]
