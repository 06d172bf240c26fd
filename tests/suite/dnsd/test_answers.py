# SPDX-License-Identifier: GPL-3.0-or-later
"""What devices are told: D1 to D4, D6, D7, D10, D12 over the real path of policy."""
import concurrent.futures
import contextlib
import random
import socket
import struct

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from dnsdlib import GATEWAY, LAPTOP, PHONE, STRANGER, addresses, ede
from features import Events
from support.wait import wait_until

ASKS_MAX = 12  # of one question upstream


def test_plain_name_is_forwarded_and_cached(shared):
    """D1"""
    world, upstream = shared
    first = world.ask("one.plain.example")
    assert addresses(first) == ["192.0.2.1"] and first.flags & dns.flags.RA
    with upstream.silence():
        assert addresses(world.ask("ONE.plain.Example")) == ["192.0.2.1"]
    assert upstream.count("one.plain.example")


def test_listed_name_is_blocked_by_device_and_says_why(shared):
    """D2, D3"""
    world, _ = shared
    blocked = world.ask("ads.listed.example")
    assert addresses(blocked) == ["0.0.0.0"] and blocked.answer[0].ttl == 5
    assert ede(blocked) == (15, "list Advertising")
    assert addresses(world.ask("ads.listed.example", "AAAA")) == ["::"]
    for rdtype in ("TXT", "HTTPS", "MX", "CNAME"):
        other = world.ask("ads.listed.example", rdtype)
        assert other.rcode() == dns.rcode.NOERROR and not other.answer and other.authority
    assert addresses(world.ask("ads.listed.example", source=LAPTOP)) == ["192.0.2.1"]


@pytest.mark.parametrize("order", [(LAPTOP, PHONE), (PHONE, LAPTOP)])
def test_answer_cached_for_one_device_never_unblocks_another(shared, order):
    """D3"""
    world, _ = shared
    name = "shared%d.listed.example" % order.index(PHONE)
    got = {source: addresses(world.ask(name, source=source)) for source in order + order}
    assert got == {PHONE: ["0.0.0.0"], LAPTOP: ["192.0.2.1"]}


def test_canaries_are_answered_for_all_types(shared):
    """D4"""
    world, upstream = shared
    for name in ("use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com", "mask-canary.icloud.com",
                 "mask-api.icloud.com"):
        for rdtype in ("A", "AAAA", "HTTPS", "TXT"):
            assert world.ask(name, rdtype, source=LAPTOP).rcode() == dns.rcode.NXDOMAIN
    ddr = world.ask("_dns.resolver.arpa", "SVCB", source=LAPTOP)
    assert ddr.rcode() == dns.rcode.NOERROR and not ddr.answer
    assert addresses(world.ask("dns.google", source=LAPTOP)) == ["0.0.0.0"]
    assert addresses(world.ask("abc123.dns.nextdns.io", source=LAPTOP)) == ["0.0.0.0"]
    assert not upstream.count("dns.google")


def test_stranger_gets_no_answer(shared):
    """D1"""
    world, _ = shared
    assert world.ask("one.plain.example", source=STRANGER, timeout=1) is None
    assert world.ask("one.plain.example", source=STRANGER, timeout=1, tcp=True) is None


def test_system_is_answered_without_lists(shared):
    """D1"""
    world, _ = shared
    assert addresses(world.ask("ads.listed.example", source="system")) == ["192.0.2.1"]
    assert addresses(world.ask("dns.google", source="system", tcp=True)) == ["192.0.2.1"]


def test_alias_of_a_listed_name_is_blocked_and_named(shared):
    """D7, in both orders of device and with what is cached"""
    world, upstream = shared
    upstream.zone[("alias.plain.example", "CNAME")] = ["hop.plain.example."]
    upstream.zone[("hop.plain.example", "CNAME")] = ["tracker.listed.example."]
    assert addresses(world.ask("alias.plain.example", source=LAPTOP)) == ["192.0.2.1"]
    for _ in range(2):
        blocked = world.ask("alias.plain.example", source=PHONE)
        assert addresses(blocked) == ["0.0.0.0"] and not [r for r in blocked.answer if r.rdtype == 5]
        assert ede(blocked) == (15, "list Advertising, reached by tracker.listed.example")


def test_https_record_loses_ech_and_h3_and_its_target_is_judged(shared):
    """D6, D7"""
    world, upstream = shared
    upstream.zone[("svc.plain.example", "HTTPS")] = ['1 . alpn="h3,h2" ipv4hint=192.0.2.7 ech="AEX+DQA="']
    upstream.zone[("alias-svc.plain.example", "HTTPS")] = ["0 cdn.listed.example."]
    text = world.ask("svc.plain.example", "HTTPS").answer[0][0].to_text()
    assert "ech" not in text and "h3" not in text and 'alpn="h2"' in text and "192.0.2.7" in text
    assert not world.ask("alias-svc.plain.example", "HTTPS").answer
    assert world.ask("alias-svc.plain.example", "HTTPS", source=LAPTOP).answer


def test_odd_bytes_in_a_name_are_blocked(shared):
    """D12: a name that cannot be judged does not pass"""
    world, upstream = shared
    before = set(upstream.seen)
    for odd in (rb"a\.listed", rb"x\000y", rb"\255", rb"a\032b", rb"a\\b"):
        name = dns.name.from_text(odd.decode() + ".plain.example.")
        assert addresses(world.ask(name)) == ["0.0.0.0"]
    assert set(upstream.seen) == before


def test_any_transfers_and_other_classes_are_refused(shared):
    """D1"""
    world, _ = shared
    for rdtype in ("ANY", "AXFR", "IXFR"):
        assert world.ask("plain.example", rdtype, tcp=True).rcode() == dns.rcode.REFUSED
    chaos = dns.message.make_query("version.bind", "TXT", "CH")
    assert world.send(chaos).rcode() == dns.rcode.REFUSED


def test_negative_answers_are_cached(shared):
    """D1, RFC 2308"""
    world, upstream = shared
    for when in (contextlib.nullcontext(), upstream.silence()):
        with when:
            answer = world.ask("gone.nx.example")
        assert answer.rcode() == dns.rcode.NXDOMAIN and answer.authority[0].rdtype == 6
    assert upstream.count("gone.nx.example")


def test_ttl_ages(shared):
    """D1"""
    world, upstream = shared
    assert world.ask("age.plain.example").answer[0].ttl == upstream.ttl
    wait_until(lambda: world.ask("age.plain.example").answer[0].ttl < upstream.ttl, "ageing")


def test_answer_over_the_limit_is_cut_and_comes_over_tcp(shared):
    """D1"""
    world, upstream = shared
    upstream.zone[("many.cut.example", "TXT")] = ['"%s%d"' % ("x" * 200, i) for i in range(30)]
    for payload in (512, 1232, 4096):
        answer = world.ask("many.cut.example", "TXT", payload=payload)
        assert answer.flags & dns.flags.TC and not answer.answer and len(answer.to_wire()) <= payload
    assert len(world.ask("many.cut.example", "TXT", tcp=True).answer[0]) == 30
    assert ("many.cut.example", "TXT", "tcp") in upstream.seen


def test_answer_without_edns_has_no_opt(shared):
    """D1"""
    world, _ = shared
    answer = world.ask("no-edns.plain.example", use_edns=False)
    assert answer.edns == -1 and addresses(answer) == ["192.0.2.1"]
    answer = world.ask("no-edns.plain.example", payload=4000)
    assert answer.edns == 0 and answer.payload == 1232


def test_ad_is_not_believed_over_plain_udp(shared):
    """D1"""
    world, _ = shared
    assert not world.ask("ad.plain.example", want_dnssec=True).flags & dns.flags.AD


def test_unknown_edns_version_is_refused_as_such(shared):
    """D1, RFC 6891 6.1.3"""
    world, _ = shared
    query = dns.message.make_query("one.plain.example", "A")
    query.use_edns(edns=1, ednsflags=1 << 16)
    assert query.to_wire()[-5] == 1
    answer = world.send(query)
    assert answer.rcode() == dns.rcode.BADVERS


def test_identical_questions_are_asked_once(shared):
    """D1"""
    world, upstream = shared
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        with upstream.silence():
            asked = [pool.submit(world.ask, "same.plain.example", source=(PHONE, LAPTOP)[i % 2]) for i in range(64)]
            wait_until(lambda: upstream.count("same.plain.example"), "the question")
        assert all(addresses(a.result()) == ["192.0.2.1"] for a in asked)
    # Once, and again while nothing is answered.
    assert upstream.count("same.plain.example") <= ASKS_MAX


def test_tcp_pipeline_answers_every_question(shared):
    """D1, RFC 7766"""
    world, _ = shared
    queries = [dns.message.make_query("p%d.plain.example" % i, "A", id=i) for i in range(150)]
    with socket.create_connection((GATEWAY, world.port), timeout=10, source_address=(PHONE, 0)) as s:
        s.sendall(b"".join(struct.pack("!H", len(q.to_wire())) + q.to_wire() for q in queries))
        data, got = b"", set()
        while len(got) < len(queries):
            chunk = s.recv(65536)
            assert chunk
            data += chunk
            while len(data) >= 2 and len(data) >= 2 + struct.unpack("!H", data[:2])[0]:
                size = struct.unpack("!H", data[:2])[0]
                got.add(dns.message.from_wire(data[2:2 + size]).id)
                data = data[2 + size:]
    assert got == {q.id for q in queries}


def test_tcp_connections_that_end_give_their_place_up(shared):
    """D1, RFC 7766 6.2.3: one source may have 16 at a time, and as many one after another as it likes"""
    world, _ = shared
    for i in range(60):
        answer = world.ask("q%d.plain.example" % i, tcp=True, timeout=5)
        assert answer is not None, "question %d" % i
        assert addresses(answer) == ["192.0.2.1"]


def test_garbage_is_survived(shared):
    """D12"""
    world, _ = shared
    rng = random.Random(7)
    good = dns.message.make_query("one.plain.example", "A", use_edns=True).to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((PHONE, 0))
        for i in range(20000):
            wire = bytearray(good[:rng.randrange(len(good) + 1)] if i % 3 else rng.randbytes(rng.randrange(1500)))
            for _ in range(rng.randrange(6)):
                if wire:
                    wire[rng.randrange(len(wire))] = rng.randrange(256)
            s.sendto(wire, (GATEWAY, world.port))
    for _ in range(20):
        with socket.create_connection((GATEWAY, world.port), timeout=10, source_address=(PHONE, 0)) as s, \
                contextlib.suppress(ConnectionError):  # one too many, while those before it are being closed
            s.sendall(rng.randbytes(3000))
    # As long as the garbage fills dnsd's socket, questions get lost.
    answer = wait_until(lambda: world.ask("one.plain.example", timeout=1), "an answer")
    assert addresses(answer) == ["192.0.2.1"]
    assert world.dnsd.is_running()


def test_malformed_query_gets_formerr(shared):
    """D12"""
    world, _ = shared
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.bind((PHONE, 0))
        # A pointer to itself.
        s.sendto(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01", (GATEWAY, world.port))
        answer = s.recv(512)
    assert answer[:2] == b"\x12\x34" and answer[3] & 15 == dns.rcode.FORMERR and len(answer) == 12


def test_counters_reach_the_bus(shared):
    """D10"""
    world, _ = shared
    counts = Events(world.redis, "count")
    world.ask("one.plain.example")
    world.ask("count.listed.example")
    for what in ("allowed", "blocked"):
        counts.wait(lambda e, what=what: e["device"] == "phone" and e[what], what)
    counts.close()


def test_names_are_not_logged_above_debug(certificates, make_upstream, make_world):
    """D10"""
    world = make_world(make_upstream(), extra="block_mode=nxdomain")
    conf = world.run / "culvert.conf"
    conf.write_text(conf.read_text().replace("log_level=debug", "log_level=info"))
    world.dnsd.start()
    wait_until(lambda: world.ask("secret-name.example", source="system", timeout=1), "dnsd")
    assert "secret-name" not in world.dnsd.log()
