# SPDX-License-Identifier: GPL-3.0-or-later
"""QUIC judged in the path by its hello (SPEC P21)."""
import contextlib
import os
import time

import pytest
import quiclib
from proxylib import SITE, SITE6
from quiclib import DRAFT29, GREASE, V1, V2, crypto, hello, initial, long_packet, padded
from support.wait import wait_until

READ_MS = 3000
GOOD, EVIL = "allowed.example", "ads.listed.example"
DCID = bytes.fromhex("8394c8f03e515708")


@pytest.fixture(scope="module", name="net")
def _net(world):
    world.owner_device("internet", quic="judge")
    world.dns.names[EVIL] = world.dns.names[GOOD]
    return world


@pytest.fixture(name="place", params=[SITE, SITE6])
def _place(net, request):
    place = quiclib.Place(net, request.param)
    place.address = request.param
    yield place
    place.close()


@pytest.fixture(name="both")
def _both(net):
    """A place and a client for it, of each family: for what takes time, and takes it once."""
    with contextlib.ExitStack() as stack:
        ends = []
        for address in (SITE, SITE6):
            place = quiclib.Place(net, address)
            stack.callback(place.close)
            ends.append((place, stack.enter_context(quiclib.Client(net, address))))
        yield ends


def whole(name):
    return [initial(name, DCID)]


def version_2(name):
    return [initial(name, DCID, V2)]


def two_datagrams(name):
    h = hello(name)
    return [long_packet(padded(crypto(0, h[:40])), DCID), long_packet(padded(crypto(40, h[40:])), DCID, number=1)]


def reordered_datagrams(name):
    return two_datagrams(name)[::-1]


def shuffled_frames(name):
    h = hello(name)
    parts = [crypto(i, h[i:i + 9]) for i in range(0, len(h), 9)]
    return [long_packet(padded(b"\x01".join(parts[::-1]) + b"\x01"), DCID)]


def coalesced(name):
    h = hello(name)
    return [long_packet(crypto(0, h[:30]), DCID) + long_packet(padded(crypto(30, h[30:]), 900), DCID, number=1)]


def behind_0rtt(name):
    """An Initial behind a 0-RTT packet: nothing before the hello passes."""
    h = hello(name)
    return [long_packet(padded(crypto(0, h)), DCID),
            long_packet(padded(b"\x01", 300), DCID, number=1, kind=1) + long_packet(b"\x01" * 40, DCID, number=2)]


def with_token(name):
    return [long_packet(padded(crypto(0, hello(name))), DCID, token=b"t" * 80)]


def filled_up(name):
    """With zeros behind the packet, as Firefox does it."""
    return [one + bytes(260) for one in two_datagrams(name)]


def repeated(name):
    h = hello(name)
    return [long_packet(padded(crypto(0, h[:50])), DCID),
            long_packet(padded(crypto(20, h[20:70])), DCID, number=1),
            long_packet(padded(crypto(60, h[60:]) + crypto(0, h[:60])), DCID, number=2)]


def after_negotiation(name):
    """A version that nobody has first, as those do who want to hear which there are."""
    return [long_packet(padded(b"\x01"), DCID, GREASE), initial(name, os.urandom(8))]


def after_retry(name):
    """The id has changed, and the keys with it."""
    return [initial(name, DCID), initial(name, b"retry-id", number=1, token=b"token")]


def other_version_later(name):
    """RFC 9368: version 2 for a connection that began with version 1; keys of the first id."""
    h = hello(name)
    return [long_packet(padded(crypto(0, h[:60])), DCID),
            long_packet(padded(crypto(60, h[60:])), b"serv-id!", V2, number=1, key_dcid=DCID)]


FORMS = [whole, version_2, two_datagrams, reordered_datagrams, shuffled_frames, coalesced, with_token, filled_up, repeated,
         after_negotiation, after_retry, other_version_later]


ANSWERS = (after_negotiation, after_retry)


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
def test_an_allowed_name_passes(net, place, form):
    with quiclib.Client(net, place.address) as c:
        sent = form(GOOD)
        # The second is an answer to what the server has said to the first.
        for part in [[one] for one in sent] if form in ANSWERS else [sent]:
            for one in part:
                c.send(one)
            assert {place.take() for _ in part} == set(part)
        place.answer(b"\xc0 an answer")
        assert c.socket.recv(100) == b"\xc0 an answer"
        c.send(b"\x40 of the short form")
        assert place.take() == b"\x40 of the short form"


@pytest.mark.parametrize("form", FORMS + [behind_0rtt], ids=lambda f: f.__name__)
def test_a_listed_name_is_refused(net, place, form):
    datagrams = form(EVIL)
    with quiclib.Client(net, place.address) as c:
        # A version that nobody has says nothing.
        if form is after_negotiation:
            c.send(datagrams.pop(0))
            assert place.take()
        assert c.is_refused_at(datagrams)
        # Nor does anything else of that connection pass.
        assert c.is_refused_at([b"\x40 of the short form"])
    assert place.take(0.02) is None


def test_a_hello_said_twice_and_differently_is_refused(net, place):
    good, evil = hello(GOOD), hello("x" * (len(GOOD) - 8) + ".example")
    assert len(good) == len(evil)
    with quiclib.Client(net, place.address) as c:
        c.send(long_packet(padded(crypto(0, good[:70])), DCID))
        c.send(long_packet(padded(crypto(0, evil)), DCID, number=1))
        assert c.is_refused()
    assert place.take(0.02) is None


def test_another_connection_of_the_same_socket_is_judged_too(net, place):
    with quiclib.Client(net, place.address) as c:
        c.send(initial(GOOD))
        assert place.take()
        c.send(initial(EVIL))
        assert c.is_refused()
    assert place.take(0.02) is None


def halves(name, dcid):
    h = hello(name)
    return [long_packet(padded(crypto(0, h[:60])), dcid), long_packet(padded(crypto(60, h[60:])), dcid, number=1)]


def taken_in_turn(first, second):
    return [first, initial(GOOD, b"another-"), second, initial(GOOD, b"a-third-")]


def behind_one_that_is_whole(first, second):
    """In the same datagrams."""
    return [first + initial(GOOD, b"another-"), second + initial(GOOD, b"a-third-")]


def before_one_that_is_whole(first, second):
    return [initial(GOOD, b"another-") + first, initial(GOOD, b"another-") + second, initial(GOOD, b"a-third-") + second]


@pytest.mark.parametrize("way", [taken_in_turn, behind_one_that_is_whole, before_one_that_is_whole], ids=lambda f: f.__name__)
def test_a_hello_in_halves_between_those_of_other_connections_never_arrives(net, place, way):
    """A server keeps connections apart: it would put the halves together."""
    parts = halves(EVIL, DCID)
    with quiclib.Client(net, place.address) as c:
        c.is_refused_at_once(way(*parts))
        c.is_refused_at_once([long_packet(padded(b"\x01", 300), b"serv-id!", kind=2, key_dcid=DCID)])
        arrived = place.all()
    assert not [one for one in arrived if any(part in one for part in parts)]


def test_half_a_hello_never_arrives_and_is_forgotten(net, both):
    """Nor its other half when nobody remembers the first."""
    first, second = halves(EVIL, DCID)
    for place, c in both:
        c.send(initial(GOOD))
        assert place.take()
        c.send(first)
    sent_ms = time.time() * 1000
    net.wait_path_status(lambda s: s.get("at", 0) > sent_ms + READ_MS and not s["readings"], "no readings")
    for place, c in both:
        c.send(second)
        c.send(b"\x40 of the short form")
        assert place.all(1) == [b"\x40 of the short form"]


def test_datagrams_that_were_joined_are_judged_one_by_one(net, place):
    """As a tunnel's interface may hand them over; the first of them would say that all is well."""
    with quiclib.Client(net, place.address) as c:
        c.send(initial(GOOD))
        assert place.take()
        evil = initial(EVIL)
        c.send_joined([b"\x40" + bytes(len(evil) - 1), evil])
        assert evil not in place.all()
        assert c.is_refused()
    with quiclib.Client(net, place.address) as c:
        sent = [one + bytes(-len(one) % 1200) for one in two_datagrams(GOOD)]
        arrived = set()

        def have_arrived():
            c.send_joined(sent)
            arrived.update(place.all())
            return arrived >= set(sent)
        # Of those that are first of a connection the kernel takes one.
        wait_until(have_arrived, "both halves of the hello")
        place.clear(c)
        short = [b"\x40" + bytes([i]) * 1199 for i in range(20)]
        c.send_joined(short)
        assert place.all(len(short)) == short


def test_an_allowed_connection_s_joined_datagrams_pass_however_many_they_are(net, place):
    """All of them come to the reader."""
    short = [b"\x40" + bytes([i]) * 1199 for i in range(40)]
    with quiclib.Client(net, place.address) as c:
        c.send(initial(GOOD))
        assert place.take()
        for _ in range(110):  # more than are read of one that has not begun
            c.send_joined(short)
            while place.take(0):
                pass
        place.clear(c)
        c.send_joined(short)
        assert place.all(len(short)) == short


def test_an_allowed_connection_s_joined_datagrams_pass_after_a_restart_of_the_reader(net, both):
    for place, c in both:
        c.send(initial(GOOD))
        assert place.take()
    net.await_judged()
    net.reader.stop()
    net.start_reader()
    handshake = long_packet(padded(b"\x01", 300), b"serv-id!", kind=2, key_dcid=DCID)
    for place, c in both:
        for sent in ([b"\x40" + bytes([i]) * 1199 for i in range(5)], [handshake]):
            c.send_joined(sent)
            assert place.all(len(sent)) == sent


def test_a_connection_that_comes_from_elsewhere_is_refused(net, place):
    """Migration: nobody knows what it is."""
    with quiclib.Client(net, place.address) as c:
        c.send(initial(GOOD))
        assert place.take()
    with quiclib.Client(net, place.address) as moved:
        moved.send(b"\x40 of the short form")
        assert moved.is_refused()
    assert place.take(0.02) is None


@pytest.mark.parametrize("data", [b"\x00" * 100, b"x", long_packet(padded(b"\x01"), DCID, DRAFT29)], ids=["short", "byte", "draft"])
def test_what_is_no_quic_that_can_be_read_is_refused(net, place, data):
    with quiclib.Client(net, place.address) as c:
        c.send(data)
        assert c.is_refused()
    assert place.take(0.02) is None


def test_what_no_server_could_open_does_not_pass(net, place):
    wrong = bytearray(initial(GOOD, DCID))
    wrong[-1] ^= 1
    with quiclib.Client(net, place.address) as c:
        c.send(bytes(wrong))
        assert place.take(0.1) is None
        c.send(initial(GOOD, DCID))
        assert place.take()


def test_a_name_elsewhere_is_refused(net):
    """P20's proof: the destination is no answer for it."""
    place = quiclib.Place(net, "9.9.9.9")
    try:
        with quiclib.Client(net, "9.9.9.9") as c:
            c.send(initial(GOOD))
            assert c.is_refused()
        assert place.take(0.02) is None
    finally:
        place.close()


def test_quic_is_refused_by_default(net, place):
    with quiclib.Client(net, place.address, number=8) as c:
        c.send(initial(GOOD))
        assert c.is_refused()
    assert place.take(0.02) is None


def test_policy_that_changes_ends_it(net, place):
    name = "s9.test.example" if place.address == SITE else "s10.test.example"
    net.dns.names[name] = [place.address]
    with quiclib.Client(net, place.address) as c:
        c.send(initial(name))
        assert place.take()
        place.answer(b"\xc0 an answer")
        assert c.socket.recv(100)
        gen = net.set("sni_block", {"id": name, "domain": name})
        net.wait_path_applied("sni_block", gen)

        def is_over():
            try:
                c.send(b"\x40 of the short form")
            except OSError:
                return True
            return place.take(0.1) is None
        wait_until(is_over, "its end")
