# SPDX-License-Identifier: GPL-3.0-or-later
"""Attacks on what the gateway remembers of connections, and hellos that could be read in two ways (SPEC P20, P21): a
blocked name gets no answer, and an allowed one does as soon as it is tried in an ordinary way."""
import contextlib
import os
import socket
import struct

import interceptlib as lib
import pytest
import quiclib
from interceptlib import extension, sni
from quiclib import crypto, initial, long_packet, padded
from rawtcp import (ACK, EVIL, GOOD, RETRIES, RETRY, RST, SECRET, SITES, SYN, Tcp, hello, outcome, raw_net,
                    server_hello)
from support import DEADLINE_S
from support.wait import wait_until

FAMILIES = pytest.mark.parametrize("family", [4, 6])
NAMES = pytest.mark.parametrize("name", [GOOD, EVIL])
MSS = b"\x02\x04\x05\x78"
COUNT_MAX = "/proc/sys/net/netfilter/nf_conntrack_max"


@pytest.fixture(scope="module", name="net")
def _net(world):
    world.owner_device("internet", quic="judge")
    world.owner_device("full", quic="judge")
    with raw_net(world):
        yield world


def passes(net, family, name):
    c = Tcp(net.wire, SITES[family])
    assert c.connect()
    c.send(0, hello(name))
    return outcome(c, len(hello(name)))


# ---- the connection table ----

def lose(net, c):
    """As when the table is full, and those of which not much is known go first."""
    family = "ipv6" if c.v6 else "ipv4"
    net.gw.run("conntrack", "-D", "-f", family, "-p", "tcp", "-d", c.site, "--sport", c.port)


@FAMILIES
@NAMES
@pytest.mark.parametrize("when", ["before", "within"])
def test_a_connection_that_the_table_lost_while_its_hello_was_read_is_over(net, family, name, when):
    c = Tcp(net.wire, SITES[family])
    assert c.connect()
    at = 60 if when == "within" else 0
    if at:
        c.send(0, hello(name)[:at])
    lose(net, c)
    c.send(at, hello(name)[at:])
    c.send(0, hello(name))
    assert not outcome(c, len(hello(name))) and c.is_reset
    assert passes(net, family, name) == (name == GOOD)


@FAMILIES
def test_a_connection_that_passed_and_was_lost_is_not_taken_up_again(net, family):
    """Nobody knows what it is: what comes in it may be another one's hello."""
    c = Tcp(net.wire, SITES[family])
    assert c.connect()
    at = len(hello(GOOD))
    c.send(0, hello(GOOD))
    assert outcome(c, at)
    heard = net.servers[SITES[family]].heard[-1]
    lose(net, c)
    c.send(at, hello(EVIL))
    assert not c.read(b"never", DEADLINE_S, at) and c.is_reset
    assert bytes(heard) == hello(GOOD)


@FAMILIES
@NAMES
def test_a_port_that_is_used_again_is_judged_anew_whatever_else_the_device_begins(net, family, name):
    """What tells one connection from the next has few values: after so many others it is the same again."""
    port = Tcp(net.wire, SITES[family]).port
    for others in (6, 7, 8):
        for wanted in (GOOD, name):
            c = Tcp(net.wire, SITES[family], port=port)
            assert c.connect(), others
            c.send(0, hello(wanted))
            assert outcome(c, len(hello(wanted))) == (wanted == GOOD), others
            c.send(len(hello(wanted)), flags=RST)
            for _ in range(others):
                one = Tcp(net.wire, SITES[family])
                net.wire.send(one.packet(one.segment(-1, b"", SYN, 0, options=MSS)))
        port = Tcp(net.wire, SITES[family]).port


@FAMILIES
@pytest.mark.parametrize("first", [GOOD, EVIL])
def test_two_devices_with_the_same_port_to_the_same_site_are_two_connections(net, family, first):
    """Which one address outside has to carry."""
    other = EVIL if first == GOOD else GOOD
    c = Tcp(net.wire, SITES[family])
    assert c.connect()

    def connect():
        address = "fd09::3" if family == 6 else "10.9.0.3"
        return socket.create_connection((SITES[family], 443), DEADLINE_S, (address, c.port))
    with net.client_place.call(connect) as s:
        c.send(0, hello(first))
        assert outcome(c, len(hello(first))) == (first == GOOD)
        s.sendall(hello(other))
        try:
            got = s.recv(1000)
        except ConnectionResetError:
            got = b""
    assert bool(got) == (other == GOOD)


@FAMILIES
@NAMES
def test_both_stacks_are_judged_apart(net, family, name):
    """With the same port, one after the other half."""
    c, d = Tcp(net.wire, SITES[family]), None
    assert c.connect()
    d = Tcp(net.wire, SITES[10 - family], port=c.port)
    assert d.connect()
    other = EVIL if name == GOOD else GOOD
    c.send(0, hello(name)[:60])
    d.send(0, hello(other)[:60])
    d.send(60, hello(other)[60:])
    c.send(60, hello(name)[60:])
    assert outcome(d, len(hello(other))) == (other == GOOD)
    # Its reset may have come before the other's answer, and was not looked at.
    assert outcome(c, len(hello(name)), DEADLINE_S if name == GOOD else 2) == (name == GOOD)


@FAMILIES
@NAMES
def test_a_device_that_answers_itself_begins_nothing(net, family, name):
    """Simultaneous open: its SYN-ACK says another number than its SYN."""
    c = Tcp(net.wire, SITES[family])
    options = MSS
    net.wire.send(c.packet(c.segment(-1, b"", SYN, 0, options=options)))
    for lead, ttl in ((0, 64), (1000, 2)):
        net.wire.send(c.packet(c.segment(-1 + lead, b"", SYN | ACK, 1, options=options), ttl=ttl))
    if not c.await_answer(3):
        assert passes(net, family, name) == (name == GOOD)
        return
    c.send(1000, hello(GOOD), ttl=2)
    c.send(0, hello(name))
    assert not outcome(c, len(hello(name))) or name == GOOD


@FAMILIES
@pytest.mark.parametrize("lead", [-1000, 1000])
@pytest.mark.parametrize("ttl", [2, 64], ids=["which dies", "which arrives"])
def test_a_reset_that_dies_and_another_beginning_do_not_hide_half_a_hello(net, family, lead, ttl):
    """The server still has the first half, and waits for the other."""
    c = Tcp(net.wire, SITES[family])
    assert c.connect()
    h = hello(EVIL)
    c.send(0, h[:60])
    c.send(60, flags=RST, ttl=2)
    net.wire.send(c.packet(c.segment(-1 + lead, b"", SYN, 0, options=MSS), ttl=ttl))
    # An acknowledgement is all that comes, if anything.
    c.read(b"never", 0.3, 60)
    c.send(lead, hello(GOOD), ttl=2)
    c.send(60, h[60:])
    assert not c.read(SECRET, 0.5, len(h))


@pytest.mark.skipif("PATH_GUEST" not in os.environ, reason="the table's size is that of the whole machine")
def test_a_full_connection_table_lets_nothing_through_and_what_passed_goes_on(net):
    with open(COUNT_MAX, encoding="ascii") as file:
        before = file.read()
    try:
        with lib.tls(net, "s1.test.example") as live:
            assert live.ask("GET", "/", "s1.test.example").status == 200
            with open(COUNT_MAX, "w", encoding="ascii") as file:
                file.write("40")
            for i in range(120):
                c = Tcp(net.wire, SITES[4])
                net.wire.send(c.packet(c.segment(-1, b"", SYN, 0, options=MSS)))
                if i % 10 == 0:
                    evil = Tcp(net.wire, SITES[4])
                    if evil.connect(seconds=3):
                        evil.send(0, hello(EVIL))
                        assert not outcome(evil, len(hello(EVIL)))
            assert live.ask("GET", "/", "s1.test.example").status == 200
            with open(COUNT_MAX, "w", encoding="ascii") as file:
                file.write(before)
            assert live.ask("GET", "/", "s1.test.example").status == 200
    finally:
        with open(COUNT_MAX, "w", encoding="ascii") as file:
            file.write(before)
    wait_until(lambda: net.wire.drain() or passes(net, 4, GOOD), "recovery")
    assert not passes(net, 4, EVIL)


# ---- hellos with more than one reading ----

def names(*entries):
    """One server_name extension with all of them: (type, name)."""
    listed = b"".join(struct.pack(">BH", kind, len(name)) + name.encode() for kind, name in entries)
    return extension(0, struct.pack(">H", len(listed)) + listed)


TWO_NAMES = {
    "two extensions": (sni(GOOD), sni(EVIL)), "two extensions, reversed": (sni(EVIL), sni(GOOD)),
    "apart": (sni(GOOD), extension(0x0a0a, b""), sni(EVIL)), "one list": (names((0, GOOD), (0, EVIL)),),
    "one list, reversed": (names((0, EVIL), (0, GOOD)),), "another type first": (names((1, GOOD), (0, EVIL)),),
    "another type behind": (names((0, GOOD), (1, EVIL)),), "the same twice": (sni(GOOD), sni(GOOD)),
}


@FAMILIES
@pytest.mark.parametrize("extensions", TWO_NAMES.values(), ids=TWO_NAMES)
def test_two_names_in_one_hello_are_refused(net, family, extensions):
    """RFC 6066 3 has one of a type; which of two counts is the server's choice."""
    h = lib.hello(*extensions)
    c = Tcp(net.wire, SITES[family])
    assert c.connect()
    c.send(0, h)
    assert not outcome(c, len(h)) and c.is_reset


@pytest.mark.parametrize("extensions", TWO_NAMES.values(), ids=TWO_NAMES)
def test_two_names_in_one_hello_of_quic_are_refused(net, extensions):
    place = quiclib.Place(net, SITES[4])
    try:
        with quiclib.Client(net, SITES[4]) as c:
            c.send(long_packet(padded(crypto(0, lib.message(*extensions))), os.urandom(8)))
            assert c.is_refused()
        assert place.take(0.02) is None
    finally:
        place.close()


def resumption():
    """A ticket, whoever gave it, and data that comes with it (RFC 8446 4.2.10, 4.2.11)."""
    ticket = os.urandom(96)
    identities = struct.pack(">H", len(ticket)) + ticket + bytes(4)
    binders = b"\x20" + os.urandom(32)
    return [extension(42, b""), extension(41, struct.pack(">H", len(identities)) + identities +
                                          struct.pack(">H", len(binders)) + binders)]


@FAMILIES
@NAMES
def test_a_resumed_connection_is_judged_by_the_name_that_it_says_now(net, family, name):
    """Early data does not arrive before that, nor with it when it is refused."""
    h = lib.hello(sni(name), *resumption()) + lib.record(hello(GOOD), 23)
    c = Tcp(net.wire, SITES[family])
    before = len(net.servers[SITES[family]].heard)
    assert c.connect()
    c.send(0, h)
    assert outcome(c, len(h)) == (name == GOOD)
    assert name == GOOD or not any(net.servers[SITES[family]].heard[before:])


@FAMILIES
@NAMES
def test_a_second_hello_without_the_ticket_has_the_same_name(net, family, name):
    """Early data between the two is skipped by the server, and by us."""
    first, second = lib.hello(sni(GOOD), *resumption()), hello(name)
    c = Tcp(net.wire, RETRIES[family])
    assert c.connect()
    c.send(0, first)
    assert c.read(server_hello(RETRY), DEADLINE_S, len(first))
    c.send(len(first), second)
    assert outcome(c, len(first) + len(second)) == (name == GOOD)


# ---- QUIC ----

def half(dcid=None):
    """Of a hello: it is held until the rest comes."""
    return long_packet(padded(crypto(0, quiclib.hello(GOOD)[:60])), dcid or os.urandom(8))


def test_a_device_that_begins_very_many_hellos_of_quic_stands_in_its_own_way_alone(net):
    """P21: what is held of it has a limit; others go on, and it does when its packets are forgotten."""
    place = quiclib.Place(net, SITES[4])
    with contextlib.ExitStack() as stack:
        stack.callback(place.close)
        for _ in range(600):
            stack.enter_context(quiclib.Client(net, SITES[4])).send(half())
        with quiclib.Client(net, SITES[4], 2) as other:
            h = quiclib.hello(GOOD)
            other.send(long_packet(padded(crypto(0, h[:40])), b"a-device"))
            other.send(long_packet(padded(crypto(40, h[40:])), b"a-device", number=1))
            assert place.take() and place.take()
        assert place.all() == []

        def is_served():
            with quiclib.Client(net, SITES[4]) as again:
                for part in (long_packet(padded(crypto(0, h[:40])), b"again-id"),
                             long_packet(padded(crypto(40, h[40:])), b"again-id", number=1)):
                    again.send(part)
                return len(place.all()) == 2
        wait_until(is_served, "the device's turn")


@NAMES
def test_very_many_ids_of_one_socket_hold_no_more_than_one_connection(net, name):
    """Each begins anew; the last of them is judged like the first."""
    place = quiclib.Place(net, SITES[4])
    try:
        with quiclib.Client(net, SITES[4]) as c:
            for _ in range(500):
                c.send(half())
            last = initial(name)
            c.send(last)
            assert place.all(int(name == GOOD)) == ([last] if name == GOOD else [])
            assert name == GOOD or c.is_refused()
    finally:
        place.close()
