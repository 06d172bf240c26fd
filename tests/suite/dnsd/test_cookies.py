# SPDX-License-Identifier: GPL-3.0-or-later
"""Cookies towards plain upstreams (D1, RFC 7873): what does not carry ours is nobody's."""
import dns.edns
import dns.message
import dns.rcode
import pytest

from alone import GOOD, ask, start
from dnsdlib import addresses
from liar import POISON, forged
from upstream import Upstream

COOKIE = 10


class Baker(Upstream):
    """An upstream with cookies; `cookies` has (over, cookie) of each question, but not of one that only says again what
    had no answer in time. theirs: its half; how: 'gives' it, 'demands' it, 'refuses' the option, 'spoiled': its
    half has changed and nobody may know it, 'echoes' ours alone, or 'forged': what comes over UDP lacks ours and is
    a lie; 'rivalled': so does what comes before the honest answer."""

    def __init__(self, directory, how="gives"):
        self.how, self.theirs, self.cookies, self.heard = how, b"theirs-0", [], set()
        super().__init__("udp", directory)

    def _answer(self, wire, over):
        query = dns.message.from_wire(wire)
        got = next((bytes(o.data) for o in query.options if int(o.otype) == COOKIE), None)
        if (query.question[0].name, over, got) not in self.heard:
            self.heard.add((query.question[0].name, over, got))
            self.cookies.append((over, got))
        if got and self.how == "refuses":
            response = dns.message.make_response(query)
            response.use_edns(False)
            response.set_rcode(dns.rcode.FORMERR)
            return response.to_wire()
        if over == "udp" and self.how == "forged":
            return forged(wire)
        honest = dns.message.from_wire(super()._answer(wire, over))
        if got and self.how not in ("none", "refuses"):
            theirs = b"" if self.how == "echoes" else self.theirs
            honest.use_edns(0, options=[dns.edns.GenericOption(COOKIE, got[:8] + theirs)])
        if over == "udp" and self.how in ("demands", "spoiled") and (self.how == "spoiled" or got[8:] != self.theirs):
            honest.answer = []
            honest.set_rcode(dns.rcode.BADCOOKIE)
        if self.how == "rivalled" and over == "udp":
            lie = dns.message.from_wire(forged(wire))
            lie.use_edns(0, options=[dns.edns.GenericOption(COOKIE, b"anything" + self.theirs)])
            self.udp.sendto(lie.to_wire(), self.peer)
        return honest.to_wire()

    def _datagrams(self):
        while not self.closing:
            try:
                wire, self.peer = self.udp.recvfrom(4096)
                if wire:
                    self.udp.sendto(self._answer(wire, "udp"), self.peer)
            except OSError:
                if self.closing:
                    return


@pytest.fixture
def bake(certificates, make_world):
    """bake(how) -> (upstream, world)"""
    made = []

    def make(how):
        made.append(Baker(certificates, how))
        return made[-1], start(make_world(made[-1]))
    yield make
    for baker in made:
        baker.close()


def test_an_upstream_s_half_goes_with_the_next_question(bake):
    baker, world = bake("gives")
    for i in range(3):
        assert addresses(ask(world, "half%d.example" % i)) == [GOOD]
    ours = baker.cookies[0][1]
    assert len(ours) == 8 and ours != bytes(8)
    assert [c for _, c in baker.cookies] == [ours, ours + b"theirs-0", ours + b"theirs-0"]


def test_each_upstream_has_a_cookie_of_its_own(bake, certificates, make_world):
    first, second = Baker(certificates, "none"), Baker(certificates, "none")
    world = start(make_world(first, second))
    try:
        for i in range(3000):  # of 64 questions one goes to either of them by chance, to know its speed
            assert addresses(ask(world, "own%d.example" % i)) == [GOOD]
            if first.cookies and second.cookies:
                break
        ours = [{c for _, c in baker.cookies} for baker in (first, second)]
        assert [len(o) for o in ours] == [1, 1] and ours[0] != ours[1]
    finally:
        first.close()
        second.close()


def test_bad_cookie_is_asked_again_with_the_new_one(bake):
    baker, world = bake("demands")
    for i, half in enumerate((b"theirs-0", b"another half of 32 bytes, whole.", b"theirs-2")):
        baker.theirs = half
        assert addresses(ask(world, "bad%d.example" % i)) == [GOOD]
        assert baker.cookies[-1][1][8:] == half
    assert len(baker.cookies) == 6 and {over for over, _ in baker.cookies} == {"udp"}


def test_an_upstream_that_knows_no_cookie_of_its_own_is_asked_over_tcp(bake):
    baker, world = bake("spoiled")
    assert addresses(ask(world, "spoiled.example")) == [GOOD]
    assert [over for over, _ in baker.cookies] == ["udp", "udp", "tcp"]


def test_answers_without_the_expected_cookie_are_asked_for_over_tcp(bake):
    """As anybody could send them who has guessed the port and the id."""
    baker, world = bake("gives")
    assert addresses(ask(world, "before.example")) == [GOOD]
    baker.how = "forged"
    for i in range(5):
        assert addresses(ask(world, "victim%d.example" % i)) == [GOOD]
    assert [over for over, _ in baker.cookies[-2:]] == ["udp", "tcp"]


def test_an_answer_with_another_s_cookie_is_not_heard(bake):
    baker, world = bake("rivalled")
    for i in range(5):
        answer = ask(world, "rival%d.example" % i)
        assert addresses(answer) == [GOOD], POISON
    assert {over for over, _ in baker.cookies} == {"udp"}


def test_an_upstream_that_sends_no_more_cookies_is_believed_again(bake):
    """Once it has said so over TCP."""
    baker, world = bake("gives")
    assert addresses(ask(world, "one.example")) == [GOOD]
    baker.how = "none"
    for i in range(4):
        assert addresses(ask(world, "none%d.example" % i)) == [GOOD]
    assert [over for over, _ in baker.cookies] == ["udp", "udp", "tcp", "udp", "udp", "udp"]


@pytest.mark.parametrize("how, asked", [("echoes", 1), ("none", 1), ("refuses", 2)])
def test_upstreams_without_cookies_are_used_as_ever(bake, how, asked):
    baker, world = bake(how)
    assert addresses(ask(world, "plain.example")) == [GOOD] and len(baker.cookies) == asked
    assert addresses(ask(world, "plain2.example")) == [GOOD] and len(baker.cookies) == asked + 1


def test_bad_cookie_over_tcp_is_a_failure_that_says_so(bake, monkeypatch):
    """And never an answer without records."""
    baker, world = bake("spoiled")
    spoiled = Baker._answer
    monkeypatch.setattr(baker, "_answer", lambda wire, over: spoiled(baker, wire, "udp"))
    answer = ask(world, "never.example")
    assert answer.rcode() == dns.rcode.SERVFAIL and not answer.answer


def test_cookies_are_not_sent_over_tls(make_upstream, make_world):
    """There the name proves who answers."""
    upstream, seen = make_upstream("tls"), []
    answer = upstream._answer
    upstream._answer = lambda wire, over: (seen.append(dns.message.from_wire(wire)), answer(wire, over))[1]
    world = start(make_world(upstream))
    assert addresses(ask(world, "tls.example")) == [GOOD]
    assert seen and not [o for q in seen for o in q.options if int(o.otype) == COOKIE]


def test_upstream_s_own_trouble_is_no_empty_answer(make_upstream, make_world):
    """D1: BADVERS has its number in OPT alone; without it the message says NOERROR"""
    upstream = make_upstream()
    honest = upstream._answer

    def bad_version(wire, over):
        honest(wire, over)
        response = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
        response.use_edns(0)
        response.set_rcode(dns.rcode.BADVERS)
        return response.to_wire()
    upstream._answer = bad_version
    world = start(make_world(upstream))
    assert ask(world, "version.example").rcode() == dns.rcode.SERVFAIL
    assert ask(world, "version.example").rcode() == dns.rcode.SERVFAIL
