# SPDX-License-Identifier: GPL-3.0-or-later
"""Acknowledged = in force; what cannot be loaded gives way to the last good; numbers of lists (SPEC S4)."""
import json
import shutil
import time

import pytest

from support.bus import Probe
from support.wait import wait_until


@pytest.fixture
def staged(gateway):
    """A gateway with list a in force, and little patience."""
    gateway.syncd.more = "ack_s = 1\n"
    gateway.syncd.write("a.txt", "a.example\n")
    gateway.sources(a="file:a.txt")
    gateway.syncd.start()
    gateway.wait_list("a", count=1, error=None)
    wait_in_force(gateway, "a")
    return gateway


def wait_in_force(gateway, name):
    return wait_until(lambda: gateway.lists().get(name, {}).get("in_force_at"), f"{name} in force")


def status(redis):
    return redis.status("syncd").get("domainset", {})


def test_list_is_in_force_once_all_daemons_have_applied_it(gateway, redis, place):
    """Also the web set counts, and a daemon that begins to run before the rest is through."""
    gateway.put_in_force(False)
    other = Probe("proxyd", f"unix:{redis.socket}", place)
    for topic in ("domainset", "webset"):
        other.subscribe(topic, "syncd")
    gateway.syncd.more = "ack_s = 1\n"
    gateway.syncd.write("a.txt", "a.example\nhttp://b.example/p\n")
    gateway.sources(a="file:a.txt")
    gateway.apid.replace("websites", {})
    gateway.syncd.start()
    try:
        gateway.wait_list("a", count=1, error=None)
        wait_until(lambda: len(status(redis).get("waiting_for", [])) == 2, "two to wait for")
        gateway.put_in_force(True)
        wait_until(lambda: status(redis)["waiting_for"] == ["proxyd/1"], "proxyd alone")
        assert "in_force_at" not in gateway.lists()["a"]
        gen = other.wait("batch", topic="domainset")["gen"]
        other.do("applied", topic="domainset", owner="syncd", gen=gen)
        wait_until(lambda: status(redis)["waiting_for"] == [], "domain set")
        assert status(redis)["state"] == "waiting" and "in_force_at" not in gateway.lists()["a"]
        before = time.time() * 1000

        def take():
            """The newest: there may have been one before the list's URLs were known."""
            other.drain()
            gen = max((e["gen"] for e in other.seen if e["ev"] == "batch" and e["topic"] == "webset"), default=0)
            other.do("applied", topic="webset", owner="syncd", gen=gen)
            return gateway.lists()["a"].get("in_force_at")
        assert wait_until(take, "a in force") >= before - 1000
        record = gateway.lists()["a"]
        assert record["tried_at"] and record["fetched_at"] and record["changed_at"] <= record["in_force_at"]
    finally:
        other.quit()


def test_set_that_cannot_be_loaded_gives_way_to_the_last_good(staged, redis):
    """Rollback, alarm, another try later, and a changed list at once."""
    gateway, s = staged, staged.syncd
    good = gateway.domainset()
    gateway.put_in_force(False)
    s.write("a.txt", "a.example\nb.example\n")
    refused = gateway.wait_set_seen(lambda r: r["count"] == 2)
    # Where dnsd was slow to load the first set, there was an alarm of that: no other was there to go back to.
    detail = wait_until(lambda: "there is no other" not in (d := gateway.alarm()["detail"]) and d, "alarm")
    assert "not loaded by dnsd/1" in detail and "back to the last good one" in detail
    wait_until(lambda: gateway.domainset() == good, "the last good set")
    gateway.put_in_force(True)
    wait_until(lambda: gateway.lists() and status(redis).get("state") == "in force", "in force")
    assert status(redis)["in_force"] == good["blob"]
    gateway.expect([{"a"}, set()], "a.example", "b.example")
    assert "in_force_at" not in gateway.lists()["a"]  # of this version of the list
    # Later, ten times the patience, it comes again and is taken now.
    wait_until(lambda: gateway.domainset() == refused, "another try", 60)
    wait_in_force(gateway, "a")
    assert "is tried again" in s.log()


def test_changed_list_comes_at_once_after_a_refusal(staged):
    gateway, s = staged, staged.syncd
    good = gateway.domainset()
    gateway.put_in_force(False)
    s.write("a.txt", "a.example\nb.example\n")
    gateway.wait_set_seen(lambda r: r["count"] == 2)
    wait_until(lambda: gateway.domainset() == good, "the last good set")
    gateway.put_in_force(True)
    start = time.monotonic()
    s.write("a.txt", "a.example\nc.example\n")
    gateway.wait_blocked("c.example", {"a"})
    assert time.monotonic() - start < 10
    wait_in_force(gateway, "a")


def test_last_good_is_known_after_a_restart(staged, redis):
    gateway, s = staged, staged.syncd
    good = gateway.domainset()
    s.stop()
    gateway.put_in_force(False)
    s.write("a.txt", "a.example\nb.example\n")
    s.start()
    gateway.wait_set_seen(lambda r: r["count"] == 2)
    wait_until(lambda: gateway.domainset() == good, "the last good set")
    gateway.expect([{"a"}, set()], "a.example", "b.example")


def test_first_set_that_nobody_loads_stays_with_an_alarm(gateway):
    gateway.put_in_force(False)
    gateway.syncd.more = "ack_s = 1\n"
    gateway.syncd.write("a.txt", "a.example\n")
    gateway.sources(a="file:a.txt")
    gateway.syncd.start()
    assert "there is no other" in gateway.alarm()["detail"]
    gateway.expect([{"a"}], "a.example")


def test_daemon_that_is_gone_is_not_waited_for(staged, redis, place):
    """Its status ends within 15 s."""
    gateway = staged
    other = Probe("proxyd", f"unix:{redis.socket}", place)
    other.subscribe("domainset", "syncd")
    other.wait("batch", topic="domainset")
    wait_until(lambda: redis.status("proxyd"), "proxyd's status")
    other.kill()
    gateway.syncd.write("a.txt", "a.example\nb.example\n")
    gateway.wait_list("a", count=2)
    wait_until(lambda: gateway.lists()["a"].get("in_force_at") and gateway.lists()["a"]["count"] == 2, "in force", 90)


def test_number_of_a_list_is_given_anew_only_after_acknowledgement(gateway, redis):
    """64 numbers: the 65th list waits until a set without the removed one is in force everywhere."""
    s = gateway.syncd
    gateway.syncd.more = "ack_s = 600\n"
    for i in range(65):
        s.write(f"l{i}", f"l{i}.example\n")
    first = {f"l{i}": f"file:l{i}" for i in range(64)}
    gateway.sources(**first)
    s.start()
    wait_until(lambda: gateway.lists() and status(redis).get("state") == "in force", "in force")
    freed = gateway.bit("l0")
    gateway.put_in_force(False)
    del first["l0"]
    gateway.sources(**first)
    wait_until(lambda: "l0" not in gateway.domainset()["lists"], "set without l0")
    gateway.sources(l64="file:l64", **first)
    assert "more than 64" in gateway.alarm()["detail"]
    gateway.put_in_force(True)
    wait_until(lambda: status(redis).get("in_force") == gateway.domainset()["blob"], "in force")
    gateway.sources(**first)
    wait_until(lambda: "l64" not in gateway.lists(), "l64 gone")
    gateway.sources(l64="file:l64", **first)
    assert gateway.bit("l64") == freed
    gateway.expect([{"l64"}], "l64.example")


def test_old_blob_expires_after_the_new_one_is_in_force(staged, redis):
    """DESIGN 4: an hour's grace."""
    gateway, s = staged, staged.syncd
    old = gateway.domainset()["blob"]
    s.write("a.txt", "a.example\nb.example\n")
    gateway.wait_blocked("b.example", {"a"})
    new = gateway.domainset()["blob"]

    def ttl(blob):
        return redis("TTL", f"culvert:blob:{blob}")
    wait_until(lambda: 0 < ttl(old) <= 3600, "old blob")
    assert ttl(new) > 3600
    web = json.loads(redis("HGET", "culvert:state:webset:syncd", "main") or "{}").get("blob")
    assert web is None or ttl(web) > 3600


def test_set_stays_when_syncd_lost_its_files_and_no_source_answers(staged):
    """S4: last good wins, whoever forgot it."""
    before = staged.domainset()
    staged.syncd.stop()
    for kind in ("state", "cache"):
        for path in (staged.syncd.dir / kind / "syncd").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (staged.syncd.lists / "a.txt").rename(staged.syncd.lists / "away")
    staged.syncd.start()
    wait_until(lambda: "no list could be loaded" in staged.alarm()["detail"], "alarm")
    assert staged.domainset() == before
    staged.expect([{"a"}], "a.example")
    (staged.syncd.lists / "away").rename(staged.syncd.lists / "a.txt")
    staged.wait_list("a", error=None, count=1)
    staged.expect([{"a"}], "a.example")


def test_first_start_without_any_list_is_closed_and_told(gateway):
    """D8, S4: no policy at all means closed; one list that comes ends that, an empty one too."""
    gateway.sources(a="file:a.txt", b="file:b.txt")
    gateway.syncd.start()
    gateway.wait_list("a", error="file not found", bit=None)
    wait_until(lambda: "no list could be loaded" in gateway.alarm()["detail"], "alarm")
    assert gateway.domainset() is None
    gateway.syncd.write("b.txt", "! nothing yet\n")
    gateway.wait_list("b", error=None, count=0)
    wait_until(gateway.domainset, "domain set")


def test_list_cut_off_to_nothing_keeps_its_names(staged):
    """S4: shrink guard, also for the smallest list; a comment says that it is meant."""
    staged.syncd.write("a.txt", "")
    staged.wait_list("a", 10, error="shrank from 1 to 0 entries; the old ones stay")
    staged.expect([{"a"}], "a.example")
    staged.syncd.write("a.txt", "# empty\n")
    staged.wait_list("a", 10, error=None, count=0)


def test_web_set_that_a_daemon_does_not_load_is_told(staged, redis, place):
    """S4: it keeps the one it has; somebody must hear of it."""
    other = Probe("proxyd", f"unix:{redis.socket}", place)
    other.subscribe("webset", "syncd")
    try:
        staged.apid.replace("websites", {"w": {"id": "w", "pattern": "w.example", "match": "endswith",
                                               "category": "c", "status": "approved"}})
        wait_until(lambda: "not loaded by proxyd/1" in staged.alarm()["detail"], "alarm")
    finally:
        other.quit()
