# SPDX-License-Identifier: GPL-3.0-or-later
"""QUIC judged in the path by its hello (SPEC P21)."""
import os

import pytest
import quiclib
from proxylib import SITE, SITE6
from quiclib import DRAFT29, GREASE, V1, V2, crypto, hello, initial, long_packet, padded

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


FORMS = [whole, version_2, two_datagrams, reordered_datagrams, shuffled_frames, coalesced, with_token, repeated,
         after_negotiation, after_retry, other_version_later]


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
def test_an_allowed_name_passes(net, place, form):
    with quiclib.Client(net, place.address) as c:
        for sent in form(GOOD):
            c.send(sent)
            assert place.take() == sent
        place.answer(b"\xc0 an answer")
        assert c.socket.recv(100) == b"\xc0 an answer"
        c.send(b"\x40 of the short form")
        assert place.take() == b"\x40 of the short form"


@pytest.mark.parametrize("form", FORMS + [behind_0rtt], ids=lambda f: f.__name__)
def test_a_listed_name_is_refused(net, place, form):
    datagrams, arrived = form(EVIL), []
    with quiclib.Client(net, place.address) as c:
        for sent in datagrams:
            c.send(sent)
            got = quiclib.first_of(c, place)
            if got is None:
                break
            arrived.append(got)
        # What makes the hello whole never arrives.
        assert len(arrived) < len(datagrams) and datagrams[-1] not in arrived
        # Nor does anything else of that connection.
        c.send(b"\x40 of the short form")
        assert c.is_refused()
    assert place.take(0.02) is None


def test_a_hello_said_twice_and_differently_is_refused(net, place):
    good, evil = hello(GOOD), hello("x" * (len(GOOD) - 8) + ".example")
    assert len(good) == len(evil)
    with quiclib.Client(net, place.address) as c:
        c.send(long_packet(padded(crypto(0, good[:70])), DCID))
        assert place.take()
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
        for _ in range(50):
            try:
                c.send(b"\x40 of the short form")
            except OSError:
                break
            if place.take(0.1) is None:
                break
        else:
            pytest.fail("it goes on")
