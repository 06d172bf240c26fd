# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsd's parser and dnspython's on the same thousands of messages, sound and mutated (D12).

DNS_MESSAGES=100000 and DNS_SEED=N for more of them; a failure names the message."""
import os
import random
import struct
import subprocess

import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset

from support import BUILD

MESSAGES = int(os.environ.get("DNS_MESSAGES") or 20_000)  # half of them queries
SEED = int(os.environ.get("DNS_SEED") or 1)
BASES = 2000  # of each kind; the rest are mutations of these

TEXTS = {
    "A": ["192.0.2.1", "198.51.100.7"],
    "AAAA": ["2001:db8::1"],
    "NS": ["ns1.Example.net.", "ns.www.example.com."],
    "CNAME": ["other.Example.com."],
    "DNAME": ["below.example.org."],
    "SOA": ["ns.example.com. host.example.com. 1 7200 3600 86400 300"],
    "MX": ["10 mx.example.com.", "20 ."],
    "TXT": ['"one" "two"', '"' + "x" * 250 + '"'],
    "PTR": ["host.example.com."],
    "SRV": ["1 2 443 svc.example.com."],
    "NAPTR": ['10 20 "s" "SIP+D2U" "" _sip._udp.example.com.'],
    "RP": ["mbox.example.com. txt.example.com."],
    "AFSDB": ["1 afs.example.com."],
    "CAA": ['0 issue "ca.example"'],
    "HTTPS": ['1 . alpn="h2" port=8443 ipv4hint=192.0.2.1', "0 pool.example.com."],
    "SVCB": ['3 svc.example.com. alpn="dot"'],
    "TLSA": ["3 1 1 " + "ab" * 32],
    "DS": ["12345 13 2 " + "cd" * 32],
    "RRSIG": ["A 13 2 300 20300101000000 20200101000000 12345 example.com. " + "AAAA" * 20],
    "NSEC": ["next.example.com. A MX RRSIG"],
}


def probe(lines):
    done = subprocess.run([BUILD / "bin/dns-probe"], input="\n".join(lines) + "\n", capture_output=True, text=True,
                          check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    return [a.split() for a in answers]


def random_name(rng):
    labels = [bytes(rng.choice(b"abcXYZ019-_" if rng.random() < .9 else range(256)) for _ in range(rng.randint(1, 20)))
              for _ in range(rng.randint(0, 6))]
    return dns.name.Name(labels + [b""])


def random_query(rng):
    q = dns.message.make_query(random_name(rng), rng.choice(list(TEXTS)))
    if rng.random() < .6:
        q.use_edns(0, ednsflags=rng.choice([0, 0x8000]), payload=rng.choice([512, 1232, 4096]))
    return bytearray(q.to_wire())


def random_answer(rng):
    rdtype = rng.choice(list(TEXTS))
    query = dns.message.make_query(rng.choice(["www.example.com.", "Example.com."]), rdtype)
    m = dns.message.make_response(query)
    owner = query.question[0].name
    if rng.random() < .4 and rdtype != "CNAME":
        m.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", "real.www.example.com."))
        owner = dns.name.from_text("real.www.example.com.")
    if rng.random() < .8:
        m.answer.append(dns.rrset.from_text(owner, rng.randrange(86400), "IN", rdtype, *TEXTS[rdtype]))
    m.authority.append(dns.rrset.from_text("example.com.", rng.randrange(3600), "IN", "SOA", *TEXTS["SOA"]))
    m.additional.append(dns.rrset.from_text("ns1.example.net.", 60, "IN", "A", "192.0.2.9"))
    return bytearray(m.to_wire())


def mutate(rng, wire):
    wire = bytearray(wire)
    for _ in range(rng.randint(0, 2)):
        wire[rng.randrange(len(wire))] = rng.randrange(256)
    return bytes(wire[:rng.randrange(len(wire) + 1)]) if rng.random() < .15 else bytes(wire)


def many(rng, make):
    bases = [make(rng) for _ in range(min(BASES, MESSAGES // 2))]
    return [mutate(rng, rng.choice(bases)) for _ in range(MESSAGES // 2)]


def test_queries_read_as_another_parser_reads_them():
    rng = random.Random(SEED)
    wires = many(rng, random_query)
    accepted = 0
    for wire, got in zip(wires, probe(["Q " + w.hex() for w in wires])):
        if len(wire) > 2 and wire[2] & 0x78:
            continue  # another opcode, which dnsd does not look into
        try:
            m = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            # What an additional record or an option holds within is nobody's business here.
            assert got[0] != "0" or wire[10:12] != b"\0\0", wire.hex()
            continue
        except ValueError:
            continue
        if got[0] != "0":
            flags, counts = struct.unpack("!H", wire[2:4])[0], struct.unpack("!4H", wire[4:12])
            assert flags & 0x8000 or counts[0] != 1 or counts[1] or counts[2] or counts[3] > 8, wire.hex()
            continue
        accepted += 1
        question = m.question[0]
        name = dns.name.from_text(got[7].encode().decode("ascii"))
        assert name == question.name and int(got[1]) == m.id
        assert [int(got[3]), int(got[4])] == [question.rdtype, question.rdclass]
        assert int(got[5]) == (m.payload if m.edns >= 0 else -1)
        assert bool(int(got[6])) == bool(m.edns >= 0 and m.ednsflags & 0x8000)
    assert accepted > MESSAGES // 6


def records(section):
    return sorted((r.name, r.rdtype, rdata.to_digestable()) for r in section for rdata in r)


def asked_for(m):
    """The answer section without what is of no name that the question leads to."""
    chain = {m.question[0].name}
    while True:
        found = {rdata.target for r in m.answer if r.rdtype == 5 and r.name in chain for rdata in r}
        if found <= chain:
            break
        chain |= found
    return [r for r in m.answer if r.name in chain or r.rdtype in (39, 46) and
            any(n.is_subdomain(r.name) for n in chain)]


def test_stored_answers_hold_the_same_records():
    rng = random.Random(SEED + 1)
    wires = many(rng, random_answer)
    compared = 0
    for wire, got in zip(wires, probe(["A " + w.hex() for w in wires])):
        if got[0] != "0":
            continue
        try:
            m = dns.message.from_wire(wire, one_rr_per_rrset=True)
        except (dns.exception.DNSException, ValueError):
            continue  # rdata that is passed on unread may be wrong within
        stored = dns.message.from_wire(bytes.fromhex(got[3]), one_rr_per_rrset=True)
        assert not stored.additional
        if any(r.rdclass != 1 for r in m.answer + m.authority) or m.question[0].rdclass != 1:
            continue
        if any(r.rdtype in (41, 64, 65) for r in m.answer + m.authority):
            continue
        assert records(stored.answer) == records(asked_for(m)), wire.hex()
        assert records(stored.authority) == records(m.authority), wire.hex()
        compared += 1
    assert compared > MESSAGES // 5


def test_records_that_nobody_asked_for_are_left_out():
    """In whatever order the chain of aliases stands."""
    rng = random.Random(4)
    wires, wants = [], []
    for _ in range(200):
        query = dns.message.make_query("n0.example.com.", "A")
        m, length = dns.message.make_response(query), rng.randrange(16)
        sets = [("n%d.example.com." % i, "CNAME", "n%d.Example.com." % (i + 1)) for i in range(length)]
        sets.append(("n%d.example.com." % length, "A", "192.0.2.1"))
        strays = [("victim.example.com.", "A", "203.0.113.66"), ("n99.example.com.", "CNAME", "n0.example.com."),
                  ("victim.example.com.", "CNAME", "n3.example.com."), ("example.org.", "DNAME", "example.net.")]
        both = sets + rng.sample(strays, rng.randrange(len(strays) + 1))
        rng.shuffle(both)
        for owner, rdtype, text in both:
            m.answer.append(dns.rrset.from_text(owner, 60, "IN", rdtype, text))
        wires.append(m.to_wire().hex())
        wants.append({(o, {"A": 1, "CNAME": 5}[t]) for o, t, _ in sets})
    for wire, want, got in zip(wires, wants, probe(["A " + w for w in wires])):
        assert got[0] == "0", wire
        stored = dns.message.from_wire(bytes.fromhex(got[3]), one_rr_per_rrset=True)
        assert {(r.name.to_text().lower(), r.rdtype) for r in stored.answer} == want, wire


def test_sound_answers_are_all_stored():
    rng = random.Random(3)
    wires = [bytes(random_answer(rng)) for _ in range(2000)]
    assert all(got[0] == "0" for got in probe(["A " + w.hex() for w in wires]))
