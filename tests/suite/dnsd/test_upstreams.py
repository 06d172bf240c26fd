# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams that lie, die or are slow; starts and restarts: D1, D8."""
import concurrent.futures
import time

import dns.flags
import dns.rcode
import pytest

from dnsdlib import LAPTOP, PHONE, addresses, ede
from support.wait import wait_until

ASKS_MAX = 12  # of one question upstream


def ask_system(world, name, **more):
    return world.ask(name, source="system", **more)


def start_alone(world):
    """dnsd without Redis: only system is answered."""
    world.dnsd.start()
    wait_until(lambda: "listening" in world.dnsd.log(), "dnsd listens")
    return world


def test_dot_with_the_right_name_answers_on_one_connection(make_upstream, make_world):
    """D1"""
    upstream = make_upstream("tls")
    world = start_alone(make_world(upstream))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: ask_system(world, f"n{i}.example", want_dnssec=True), range(100)))
    assert all(addresses(a) == ["192.0.2.1"] for a in answers)
    assert all(a.flags & dns.flags.AD for a in answers)
    # One, unless a machine that stood still made it look dead.
    assert upstream.connections < 5 and {over for _, _, over in upstream.seen} == {"tls"}


def test_dot_with_a_wrong_name_is_never_asked(make_upstream, make_world):
    """D1: no answer rather than one that nobody vouches for, and no fallback to plain"""
    upstream = make_upstream("tls", certificate="other")
    world = start_alone(make_world(upstream))
    answer = ask_system(world, "one.example")
    assert answer.rcode() == dns.rcode.SERVFAIL and ede(answer)[0] in (22, 23)
    assert not upstream.seen


def test_wrong_certificate_fails_over_to_the_right_one(make_upstream, make_world):
    """D1"""
    wrong, right = make_upstream("tls", certificate="other"), make_upstream("tls")
    world = start_alone(make_world(wrong, right))
    assert addresses(ask_system(world, "one.example")) == ["192.0.2.1"]
    assert not wrong.seen


def test_connection_closed_by_upstream_is_opened_again(make_upstream, make_world):
    """D1"""
    upstream = make_upstream("tls")
    world = start_alone(make_world(upstream))
    for i in range(4):
        assert addresses(ask_system(world, f"again{i}.example")) == ["192.0.2.1"]
        upstream.drop_connections()
    assert upstream.connections >= 2


def test_tls_session_is_taken_up_again(make_upstream, make_world):
    """D1: only the first connection costs a whole handshake; the name was proven there"""
    upstream = make_upstream("tls")
    world = start_alone(make_world(upstream))
    for i in range(6):
        assert addresses(ask_system(world, f"session{i}.example")) == ["192.0.2.1"]
        upstream.drop_connections()
    assert len(upstream.resumed) >= 3 and upstream.resumed == [False] + [True] * (len(upstream.resumed) - 1)


@pytest.mark.parametrize("kind", ["udp", "tls"])
def test_dead_upstream_is_passed_over(make_upstream, make_world, kind):
    """D1"""
    dead, alive = make_upstream(kind), make_upstream(kind)
    dead.close()
    world = start_alone(make_world(dead, alive))
    for i in range(10):
        assert addresses(ask_system(world, f"dead{i}.example")) == ["192.0.2.1"]


@pytest.mark.parametrize("kind", ["udp", "tls"])
def test_mute_upstream_is_hedged_and_then_avoided(make_upstream, make_world, kind):
    """D1"""
    mute, alive = make_upstream(kind), make_upstream(kind)
    mute.mute = True
    world = start_alone(make_world(mute, alive))
    for i in range(10):
        assert addresses(ask_system(world, f"mute{i}.example")) == ["192.0.2.1"]
    assert all(alive.count(f"mute{i}.example") for i in range(10))
    # It is asked again only where the other takes too long, too.
    assert not all(mute.count(f"mute{i}.example") for i in range(10))


@pytest.mark.parametrize("kind", ["udp", "tls"])
def test_no_upstream_is_servfail_within_three_seconds(make_upstream, make_world, kind):
    """D1"""
    upstream = make_upstream(kind)
    upstream.mute = True
    world = start_alone(make_world(upstream))
    # The bound is 3 s; the test's own is wider for a loaded machine, and narrower than a client's patience; what such
    # a machine stands still for it does not do three times.
    took = []
    while len(took) < 3 and not (took and min(took) < 4.5):
        begun = time.monotonic()
        answer = ask_system(world, "nobody%d.example" % len(took), timeout=30)
        took.append(time.monotonic() - begun)
        assert answer.rcode() == dns.rcode.SERVFAIL and ede(answer)[0] == 22
    assert min(took) < 4.5, took


def test_lost_datagram_is_sent_again(make_upstream, make_world):
    """D1"""
    upstream = make_upstream()
    world = start_alone(make_world(upstream))
    upstream.mute = True
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(ask_system, world, "lost.example")
        wait_until(lambda: upstream.count("lost.example"), "the first datagram")
        upstream.mute = False
        assert addresses(future.result()) == ["192.0.2.1"]


def test_servfail_of_one_upstream_is_not_the_last_word(make_upstream, make_world):
    """D1"""
    bad, good = make_upstream(), make_upstream()
    world = start_alone(make_world(bad, good))
    answer = ask_system(world, "x.servfail.example")
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert bad.count("x.servfail.example") and good.count("x.servfail.example")


def test_stale_answer_is_given_when_upstream_is_gone(make_upstream, make_world):
    """D1, RFC 8767"""
    upstream = make_upstream()
    upstream.ttl = 1
    world = start_alone(make_world(upstream))
    assert addresses(ask_system(world, "stale.example")) == ["192.0.2.1"]
    upstream.mute = True
    wait_until(lambda: (a := ask_system(world, "stale.example", timeout=30)) and ede(a), "the answer to expire")
    answer = ask_system(world, "stale.example", timeout=30)
    assert addresses(answer) == ["192.0.2.1"] and answer.answer[0].ttl == 30 and ede(answer)[0] == 3


def is_fetched_early(world, upstream, name):
    """One question a moment: each is answered, and never later than the cache would, nor is the new answer waited for."""
    def left():
        answer = ask_system(world, name)
        return answer.answer[0].ttl if answer.answer and not ede(answer) else -1
    wait_until(lambda: left() <= upstream.ttl / 2, "age")
    asked = upstream.count(name)
    with upstream.silence():
        while (ttl := left()) >= 0 and upstream.count(name) == asked:
            assert ttl <= upstream.ttl / 2, "a new answer from nowhere"
            time.sleep(0.01)
    if ttl < 0:
        return False
    wait_until(lambda: left() >= upstream.ttl * .8, "the new answer")
    assert upstream.count(name) - asked <= ASKS_MAX
    return True


def test_name_in_use_is_fetched_before_it_expires(make_upstream, make_world):
    """D1: a machine that stands still in the name's last second is asked once more"""
    upstream = make_upstream()
    upstream.ttl = 10
    world = start_alone(make_world(upstream))
    assert any(is_fetched_early(world, upstream, "hot%d.example" % i) for i in range(4)), "it was let expire"


def test_before_any_policy_devices_hear_nothing_and_system_is_answered(make_upstream, make_world):
    """D8"""
    world = start_alone(make_world(make_upstream()))
    assert addresses(ask_system(world, "one.example")) == ["192.0.2.1"]
    for tcp in (False, True):
        assert world.ask("one.example", timeout=1, tcp=tcp) is None
    # Redis with devices, but without lists: still no policy.
    world.redis.start()
    world.publish_policy()
    wait_until(lambda: "devices:apid" in str(world.status()), "devices")
    assert world.ask("one.example", timeout=1) is None
    world.syncd.start()
    world.await_policy()


def test_restart_without_redis_enforces_the_last_good_policy(make_upstream, make_world):
    """D8"""
    world = make_world(make_upstream()).up()
    wait_until(lambda: (world.run / "state/dnsd/last-good").exists(), "last good on disk")
    world.dnsd.stop()
    world.redis.kill()
    begun = time.monotonic()
    world.dnsd.start()
    answer = wait_until(lambda: world.ask("ads.listed.example", timeout=0.1), "an answer")
    took = time.monotonic() - begun
    assert addresses(answer) == ["0.0.0.0"]
    assert addresses(world.ask("ads.listed.example", source=LAPTOP)) == ["192.0.2.1"]
    assert took < 10  # a second is the aim


def test_change_of_policy_acts_on_what_is_cached(make_upstream, make_world):
    """D3"""
    world = make_world(make_upstream()).up()
    assert addresses(world.ask("ads.listed.example", source=LAPTOP)) == ["192.0.2.1"]
    world.bus.set("device_prefs", {"device:laptop": {"id": "device:laptop", "lists_off": []}})
    wait_until(lambda: addresses(world.ask("ads.listed.example", source=LAPTOP)) == ["0.0.0.0"], "the change")
    world.bus.set("device_prefs", {"device:phone": {"id": "device:phone", "lists_off": ["adblock"]}})
    wait_until(lambda: addresses(world.ask("ads.listed.example", source=PHONE)) == ["192.0.2.1"], "the change")


def test_removed_device_becomes_a_stranger(make_upstream, make_world):
    """D1"""
    world = make_world(make_upstream()).up()
    assert world.ask("one.example")
    world.bus.replace("devices", {"laptop": {"id": "laptop", "active": True, "tunnel": "mitm",
                                             "addresses": [LAPTOP], "profile": "full"}})
    wait_until(lambda: world.ask("one.example", timeout=0.3) is None, "the device to go")
    assert world.ask("one.example", source=LAPTOP)


def test_stop_with_questions_under_way_is_clean(make_upstream, make_world):
    """C2: a leaked handle or a crash makes the exit status 1"""
    upstream = make_upstream("tls")
    world = start_alone(make_world(upstream))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for i in range(8):
            pool.submit(ask_system, world, f"under-way{i}.silent.example", timeout=2, tcp=bool(i % 2))
        wait_until(lambda: len(upstream.seen) >= 8, "questions")
        world.dnsd.stop()


@pytest.mark.parametrize("line, why", [
    ("upstreams=https://1.1.1.1", "dnsd.upstreams"),
    ("upstreams=tls://1.1.1.1:853", "dnsd.upstreams"),
    ("system=192.0.2.1:53", "loopback"),
])
def test_wrong_configuration_is_named(make_upstream, make_world, line, why):
    """C1"""
    world = make_world(make_upstream())
    conf = world.run / "culvert.conf"
    key = line.split("=")[0]
    conf.write_text("\n".join(line if row.startswith(key + "=") else row for row in conf.read_text().splitlines()))
    world.dnsd.start()
    assert world.dnsd.wait() == 1
    assert why in world.dnsd.log()
