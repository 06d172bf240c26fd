# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams that lie: another one answers, or SERVFAIL that says why within 3 s; nothing of it is kept, and
nothing is ever asked in the clear instead (D1, D12)."""
import threading
import time

import dns.rcode
import pytest

from alone import GOOD, ask, start
from dnsdlib import addresses, ede
from liar import LIES, POISON, Liar
from support import DEADLINE_S
from support.wait import wait_until

SERVFAIL_AT_MOST_S = 4.5  # the bound is 3 s; more for a loaded machine, less than a client's patience
STREAM_LIES = sorted(set(LIES) - {"flood"})


@pytest.fixture
def make_liar(certificates):
    made = []

    def make(lie, kind="udp", certificate="dot"):
        made.append(Liar(lie, kind, certificates, certificate))
        return made[-1]
    yield make
    for liar in made:
        liar.close()


def check_alone(world, name="alone.example"):
    """In time for one of a few questions: what a machine stands still for is not dnsd's."""
    took = []
    while len(took) < 3 and not (took and min(took) < SERVFAIL_AT_MOST_S):
        begun = time.monotonic()
        answer = ask(world, "x" * len(took) + name)
        took.append(time.monotonic() - begun)
        assert answer.rcode() == dns.rcode.SERVFAIL and not answer.answer, answer
        assert ede(answer)[0] in (22, 23), answer
    assert min(took) < SERVFAIL_AT_MOST_S, took


def check_beside(world):
    """Each question gets the good upstream's answer, and so does the name that the lies are about."""
    for i in range(3):
        answer = ask(world, "beside%d.example" % i)
        assert addresses(answer) == [GOOD], answer
    assert addresses(ask(world, "victim.example")) == [GOOD]


@pytest.mark.parametrize("lie", sorted([*LIES, "mute", "dead"]))
def test_lying_resolver_alone_is_servfail(make_liar, make_world, lie):
    """D1"""
    world = start(make_world(make_liar(lie)))
    if lie == "wrong_owner":  # a sound message without the answer; what it adds is nobody's
        assert POISON not in addresses(ask(world, "alone.example"))
        return
    check_alone(world)


@pytest.mark.parametrize("lie", sorted([*LIES, "mute", "dead", "slow"]))
def test_lying_resolver_is_passed_over(make_liar, make_upstream, make_world, lie):
    """D1: and nothing of what it says is ever told"""
    liar = make_liar(lie)
    world = start(make_world(liar, make_upstream()))
    if lie == "wrong_owner":
        assert POISON not in addresses(ask(world, "beside.example"))
        liar.lie, liar.mute = "mute", True
        assert addresses(ask(world, "victim.example")) == [GOOD]
        return
    check_beside(world)
    assert world.dnsd.is_running()


@pytest.mark.parametrize("lie", sorted([*STREAM_LIES, "closes", "mute", "dead", "slow"]))
def test_lying_resolver_behind_tls_is_passed_over(make_liar, make_upstream, make_world, lie):
    """D1"""
    world = start(make_world(make_liar(lie, "tls"), make_upstream("tls")))
    if lie == "wrong_owner":
        assert POISON not in addresses(ask(world, "beside.example"))
        return
    check_beside(world)


@pytest.mark.parametrize("lie", ["garbage", "closes", "wrong_id"])
def test_lying_resolver_behind_tls_alone_is_servfail(make_liar, make_world, lie):
    """D1"""
    check_alone(start(make_world(make_liar(lie, "tls"))))


def test_answer_from_another_port_is_not_heard(make_liar, make_world):
    """D1, RFC 5452 9.1: it has the right id and question and comes first"""
    world = start(make_world(make_liar("spoofed")))
    for i in range(20):
        assert addresses(ask(world, "port%d.example" % i)) == [GOOD]


def test_answers_that_come_late_change_nothing(make_liar, make_upstream, make_world):
    """D1: the slow one's own answers arrive when the questions are settled"""
    slow, settled = make_liar("late"), threading.Event()
    world = start(make_world(slow, make_upstream()))
    slow.zone[("late.example", "A")] = [POISON]
    honest = slow._lies
    slow._lies = lambda wire: (answers := honest(wire)) and settled.wait(DEADLINE_S) and answers
    assert addresses(ask(world, "late.example")) == [GOOD]
    wait_until(lambda: slow.count("late.example"), "the slow one")
    settled.set()
    wait_until(lambda: slow.told, "its answer")
    for _ in range(50):
        assert addresses(ask(world, "late.example")) == [GOOD]


@pytest.mark.parametrize("lie", ["garbage", "closes", "mute", "wrong_id", "dead"])
def test_truncated_answer_whose_stream_lies_is_servfail_or_anothers(make_liar, make_upstream, make_world, lie):
    """D1: TC over UDP, then a stream that is of no use"""
    class Cut(Liar):
        """Its datagrams are honest and cut, its streams lie."""
        def _tell(self, wire, peer):
            answer = self._answer(wire, "udp")
            self.udp.sendto(answer, peer)
    liar = Cut("closes" if lie == "dead" else lie)
    liar.mute = False
    if lie == "dead":
        liar.tcp.close()
    if lie == "mute":
        liar._lies = lambda wire: []
    try:
        good = make_upstream()
        world = start(make_world(liar, good))
        assert addresses(ask(world, "one.cut.example", tcp=True)) == [GOOD]
        world.dnsd.stop()
        world = start(make_world(liar))
        check_alone(world, "two.cut.example")
    finally:
        liar.close()


@pytest.mark.parametrize("certificate, lie", [("other", "slow"), ("dot", "dead"), ("dot", "garbage")])
def test_nothing_is_asked_in_the_clear_instead_of_tls(make_liar, make_world, certificate, lie):
    """D1: not on the same port, and no other address than the configured one"""
    liar = make_liar(lie, "tls", certificate)
    liar.udp.setblocking(False)
    world = start(make_world(liar))
    check_alone(world, "clear.example")
    with pytest.raises(BlockingIOError):
        liar.udp.recv(4096)


def test_plain_bytes_where_tls_should_be_are_no_answer(make_upstream, make_world, make_liar):
    """D1: an upstream that has no TLS on its port for it"""
    plain, right = make_upstream("udp"), make_upstream("tls")
    url = "tls://127.0.0.1:%d#dot.test" % plain.port
    world = start(make_world(url, right))
    assert addresses(ask(world, "one.example")) == [GOOD]
    assert not plain.seen
    world.dnsd.stop()
    world = start(make_world(url))
    check_alone(world)
    assert not plain.seen
