# SPDX-License-Identifier: GPL-3.0-or-later
"""Two gateways, each with a bus of its own, and one Directus; and two syncds on one bus, by mistake (SPEC S1, S5)."""
import pathlib
import tempfile

import directuslib
import pytest
import synclib

from support.redis import Redis
from support.wait import wait_until

ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
SOURCE = {"policy_source": {"id": "policy_source", "value": "directus"}}


@pytest.fixture
def other(dns, directus):
    """The second gateway's policy."""
    with tempfile.TemporaryDirectory(prefix="culvert-") as d:
        place = pathlib.Path(d)
        place.chmod(0o755)
        redis = Redis(place).start()
        synclib.make_certificate(place, "ca", "unused.test")
        gateway = synclib.Gateway(place, redis, dns.port)
        yield directuslib.Policy(gateway, directus, place)
        gateway.close()
        redis.stop()


@pytest.fixture
def both(policy, other):
    """Running, with policy_source=directus and nothing of their own."""
    for one in (policy, other):
        for topic in directuslib.TOPICS:
            one.gateway.apid.replace(topic, {})
        one.gateway.apid.replace("settings", SOURCE)
        one.start()
        one.known()
    return policy, other


def writes(directus):
    return [r for r in list(directus.requests) if r[0] != "GET" and r[1] != "/auth/login"]


def settle(directus, *policies):
    """Each looks at everything twice, and what there is to write has been written."""
    for _ in range(2):
        for one in policies:
            asked = len(directus.asked("/collections"))
            one.look()
            wait_until(lambda: len(directus.asked("/collections")) > asked, "a round")
            one.records("words")
    return len(writes(directus))


def test_what_one_writes_the_other_reads_and_writes_nothing(both, directus):
    a, b = both
    a.gateway.apid.set("words", "x", {"id": "x", "term": "darn"})
    for one in both:
        wait_until(lambda: [r["term"] for r in one.records("words").values()] == ["darn"], "read")
    before = settle(directus, a, b)
    assert before == 1
    assert settle(directus, a, b) == before
    a.gateway.apid.set("words", "x", {"id": "x", "term": "drat"})
    for one in both:
        wait_until(lambda: [r["term"] for r in one.records("words").values()] == ["drat"], "changed")
    assert settle(directus, a, b) == before + 1


def test_the_same_record_of_both_is_one_row_and_goes_to_and_fro_never(both, directus):
    a, b = both
    for one in both:  # one after the other: Directus has no rule that would make one row of two at once
        one.gateway.apid.set("words", "x", {"id": "x", "term": "darn"})
        one.wait("words", {"x": {"id": "x", "term": "darn"}})
    for n, one in enumerate((a, b, a)):
        one.gateway.apid.set("words", "x", {"id": "x", "term": f"word{n}"})
        for each in both:
            each.wait("words", {"x": {"id": "x", "term": f"word{n}"}})
    settled = settle(directus, a, b)
    assert settle(directus, a, b) == settled
    assert [r["word"] for r in directus.rows["bad_words"].values()] == ["word2"]


def appeals(directus):
    with directus.lock:
        return sorted((r["uuid"], r["status"]) for r in directus.rows["vpn_appeals"].values())


def post(policy, uuid):
    policy.gateway.apid.do("queue_add", tag=uuid, record={
        "uuid": uuid, "url": "http://a.example/", "host": "a.example", "mode": "appeal", "device_id": "dev-1",
        "reason": "", "category_id": "", "time": 1790000000000})


def decide(directus, uuid, own, foreign):
    """In Directus: both gateways are told, and the one whose appeal it is not knows none of that number."""
    for one in (own, foreign):
        one.gateway.apid.do("serve", op="apid.appeal_status", hold=one is foreign,
                            result={"status": "approved", "decided": True})
    key, = (n for n, r in directus.rows["vpn_appeals"].items() if r["uuid"] == uuid)
    directus.update("vpn_appeals", key, status="approved")
    for one in (own, foreign):
        one.gateway.apid.wait("call", args={"uuid": uuid, "status": "approved"})
    foreign.gateway.apid.do("answer", code="not_found")


def test_appeals_of_both_are_told_to_their_own_and_decided_once(both, directus):
    a, b = both
    post(a, ONE)
    post(b, TWO)
    wait_until(lambda: [u for u, _ in appeals(directus)] == [ONE, TWO], "both there")
    decide(directus, ONE, a, b)
    decide(directus, TWO, b, a)
    before = settle(directus, a, b)
    assert settle(directus, a, b) == before
    assert appeals(directus) == [(ONE, "approved"), (TWO, "approved")]
    for one, uuid in ((a, ONE), (b, TWO)):
        assert [e["args"]["uuid"] for e in one.gateway.apid.seen if e["ev"] == "call"].count(uuid) == 1


def test_a_second_syncd_on_the_bus_is_told(gateway, redis, place, dns):
    """Each replaces the other's topics: no policy is lost by it, and none is steady."""
    (place / "second").mkdir()
    second = synclib.Syncd(place / "second", redis, dns.port)
    second.ca.write_bytes(gateway.syncd.ca.read_bytes())
    gateway.sources()
    gateway.syncd.start()
    try:
        second.start()
        alarm = gateway.alarm()
        assert alarm["what"] == "syncd" and "another syncd (instance 1) is on this bus" in alarm["detail"]
    finally:
        second.stop()


def test_a_syncd_that_is_started_again_is_no_second(gateway):
    gateway.sources()
    for n in range(1, 4):
        gateway.syncd.start()
        wait_until(lambda: gateway.syncd.log().count("published topic=domainset") == n, "set")
        gateway.syncd.stop()
    assert "another syncd" not in gateway.syncd.log()
