# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told of queries (D10), why a name is answered so (explain), what time changes (D11), reload (C2), and
that nothing opens when something breaks (D8)."""
import datetime
import signal
import subprocess
import time

import dns.rcode
import pytest

from dnsdlib import GATEWAY, LAPTOP, PHONE, UID, addresses, ede
from features import Events, device, records, request
from preload import Preload
from support.wait import wait_until
from test_features_names import change


@pytest.fixture
def watched(make_upstream, make_world):
    """(world, upstream, queries, counts): four devices, one of each privacy; all are watched."""
    upstream = make_upstream()
    world = make_world(upstream).up()
    change(world, "devices", {level: device(level, f"127.1.0.{10 + i}", privacy=level)
                              for i, level in enumerate(("none", "counts", "domains", "full"))})
    queries, counts = Events(world.redis, "query"), Events(world.redis, "count")
    yield world, upstream, queries, counts
    queries.close()
    counts.close()


LEVELS = {"none": "127.1.0.10", "counts": "127.1.0.11", "domains": "127.1.0.12", "full": "127.1.0.13"}


def watch(world, *devices, until=None):
    until = until or int(time.time() * 1000) + 600000
    change(world, "watch", {"admin": {"id": "admin", "devices": list(devices), "until": until}})


def ask_all(world, tag):
    for source in LEVELS.values():
        world.ask(f"{tag}.www.site.co.uk", source=source)
        world.ask(f"{tag}.ads.listed.example", source=source)


def test_nobody_watched_is_told_of_by_counters_alone(watched):
    """D10: and of a device with privacy none not even that"""
    world, _, queries, counts = watched
    ask_all(world, "a")
    for level in ("counts", "domains", "full"):
        for what in ("allowed", "blocked"):
            counts.wait(lambda e, level=level, what=what: e["device"] == level and e[what])
    assert not [e for e in counts.seen if e["device"] == "none"]
    assert not queries.seen


def test_a_block_by_no_list_counts_for_none(watched):
    """D10: a canary's, a private address', one after those of a list"""
    world, upstream, _, counts = watched
    upstream.zone[("lan.site.example", "A")] = ["192.168.7.7"]
    world.ask("ads.listed.example", source=LEVELS["full"])
    for name in ("use-application-dns.net", "mask.icloud.com", "lan.site.example") * 4:
        world.ask(name, source=LEVELS["full"])
    wait_until(lambda: sum(e["blocked"] for e in list(counts.seen) if "list" not in e) >= 13, "all are counted")
    counts.wait(lambda e: "list" in e)
    hits = [e for e in counts.seen if "list" in e]
    assert {e["list"] for e in hits} == {"adblock"} and sum(e["blocked"] for e in hits) < 4, hits


def test_watched_devices_are_told_of_as_their_privacy_allows(watched):
    """D10"""
    world, upstream, queries, _ = watched
    upstream.zone[("cloak.site.co.uk", "CNAME")] = ["x.listed.example."]
    watch(world, *LEVELS)
    ask_all(world, "a")
    for source in LEVELS.values():
        world.ask("cloak.site.co.uk", source=source)
        world.ask("b.site.servfail.example", "HTTPS", source=source)
    queries.wait(lambda e: e["device"] == "full" and e["verdict"] == "failed")
    told = {level: [e for e in queries.seen if e["device"] == level] for level in LEVELS}
    assert not told["none"] and not told["counts"]
    assert [(e["name"], e["type"], e["verdict"], e.get("rule")) for e in told["full"]] == [
        ("a.www.site.co.uk", "A", "allowed", None), ("a.ads.listed.example", "A", "blocked", "list Advertising"),
        ("cloak.site.co.uk", "A", "blocked", "list Advertising, reached by x.listed.example"),
        ("b.site.servfail.example", "HTTPS", "failed", None)]
    assert [(e["name"], e["verdict"], e.get("rule")) for e in told["domains"]] == [
        ("site.co.uk", "allowed", None), ("listed.example", "blocked", "list Advertising"),
        ("site.co.uk", "blocked", "list Advertising"), ("servfail.example", "failed", None)]


@pytest.fixture
def an_hour_passes():
    """(env for dnsd, what lets it pass)"""
    preload = Preload("clock_jump")
    yield preload.env, preload.file("CLOCK_JUMP_FILE").touch
    preload.close()


def test_a_watch_ends(watched, an_hour_passes):
    """D10: at its time, and when it is taken away"""
    world, _, queries, _ = watched
    env, pass_an_hour = an_hour_passes
    world.dnsd.stop()
    world.dnsd.start(env=env)
    world.await_policy()
    watch(world, "full", until=int(time.time() * 1000) + 1800000)
    world.ask("one.plain.example", source=LEVELS["full"])
    queries.wait(lambda e: e["name"] == "one.plain.example")
    pass_an_hour()
    world.ask("two.plain.example", source=LEVELS["full"])
    watch(world, "full", until=int(time.time() * 1000) + 7200000)
    world.ask("three.plain.example", source=LEVELS["full"])
    queries.wait(lambda e: e["name"] == "three.plain.example")
    assert not [e for e in queries.seen if e["name"] == "two.plain.example"]


def test_query_log_is_for_all_and_obeys_privacy(watched):
    """D10"""
    world, _, queries, _ = watched
    change(world, "settings", {"query_log": {"id": "query_log", "value": True}})
    ask_all(world, "l")
    queries.wait(lambda e: e["device"] == "full" and e["verdict"] == "blocked")
    assert {e["device"] for e in queries.seen} == {"domains", "full"}
    assert not [e for e in queries.seen if e["device"] == "domains" and "l." in e["name"][:2]]


def test_names_are_not_in_the_log(make_upstream, make_world):
    """D10: at the level info"""
    world = make_world(make_upstream()).up()
    conf = world.run / "culvert.conf"
    conf.write_text(conf.read_text().replace("log_level=debug", "log_level=info"))
    world.dnsd.send(signal.SIGHUP)
    wait_until(lambda: "reloaded" in world.dnsd.log(), "reload")
    for i in range(3):
        assert world.ask("very-private-name-%d.example" % i)
    # What is logged of a name comes behind its answer, and before the next one.
    assert not any("very-private-name-%d" % i in world.dnsd.log() for i in range(2))


def explain(world, name, device_id="phone", rdtype=None):
    ok, result = request(world.redis, "explain", {"device": device_id, "name": name, **({"type": rdtype} if rdtype else {})})
    assert ok, result
    return result


def test_explain_says_what_decided(make_upstream, make_world):
    """P5, D2: and agrees with what is answered"""
    world = make_world(make_upstream()).up()
    change(world, "dns_rules", {"r": {"id": "r", "pattern": "rule.example", "match": "endswith", "action": "block"}})
    change(world, "dns_records", records(n=("nas.lan.example", "A", "10.5.5.5"), c=("c.lan.example", "CNAME", "x.example")))
    change(world, "devices", {"safe": device("safe", "127.1.0.20", safe_search={"google": True})})

    def decided(result):
        return next(s for s in result["steps"] if s["decided"])
    listed = explain(world, "ads.Listed.example.")
    assert [s["step"] for s in listed["steps"]] == ["switches", "connectivity checks", "DNS rules", "lists", "default"]
    assert decided(listed)["step"] == "lists" and decided(listed)["list_title"] == "Advertising"
    assert decided(listed)["rule"] == "listed.example" and decided(listed)["verdict"] == "block"
    assert listed["outcome"] == "block" and listed["mode"] == "null" and listed["text"] == "list Advertising"
    assert explain(world, "ads.listed.example", "laptop")["outcome"] == "forward"
    ruled = explain(world, "a.rule.example")
    assert decided(ruled)["step"] == "DNS rules" and ruled["outcome"] == "block"
    assert explain(world, "nas.lan.example")["outcome"] == "own records"
    assert explain(world, "c.lan.example")["alias"] == "x.example."
    assert explain(world, "www.google.com", "safe")["alias"] == "forcesafesearch.google.com."
    assert explain(world, "use-application-dns.net")["mode"] == "nxdomain"
    assert explain(world, "one.plain.example", rdtype="HTTPS")["judges_answer"]
    for args, code in (({"device": "nobody", "name": "a.example"}, "unknown_device"),
                       ({"device": "phone", "name": "a b.example"}, "bad_question"),
                       ({"device": "phone", "name": "a.example", "type": "NONSENSE"}, "bad_question")):
        ok, error = request(world.redis, "explain", args)
        assert not ok and error["code"] == code


def window(minutes_from, minutes_to):
    now = datetime.datetime.now(datetime.timezone.utc)
    at = [(now + datetime.timedelta(minutes=m)).strftime("%H:%M") for m in (minutes_from, minutes_to)]
    return {"from": at[0], "to": at[1]}


def test_schedules_and_unblocks_are_obeyed(make_upstream, make_world, an_hour_passes):
    """D11: everything, one list, an unblock with an end, at once and for this device alone"""
    env, pass_an_hour = an_hour_passes
    world = make_world(make_upstream())
    world.redis.start()
    world.publish_policy()
    world.syncd.start()
    world.dnsd.start(env=env)
    world.await_policy()
    change(world, "devices", {"phone": device("phone", PHONE, time_zone="UTC", schedules=[
        {"what": "all", **window(-5, 60)}])})
    everything = world.ask("one.plain.example")
    assert addresses(everything) == ["0.0.0.0"] and ede(everything)[0] == 17
    assert addresses(world.ask("one.plain.example", source=LAPTOP)) == ["192.0.2.1"]
    change(world, "devices", {"phone": device("phone", PHONE, time_zone="UTC", schedules=[
        {"what": "list:adblock", **window(10, 60)}])})
    assert addresses(world.ask("ads.listed.example")) == ["192.0.2.1"]
    change(world, "devices", {"phone": device("phone", PHONE, time_zone="UTC", schedules=[
        {"what": "list:adblock", **window(-10, 180)}])})
    assert addresses(world.ask("ads.listed.example")) == ["0.0.0.0"]
    change(world, "dns_rules", {"u": {"id": "u", "pattern": "listed.example", "match": "endswith", "action": "allow",
                                      "scope": "device:phone", "until": int(time.time() * 1000) + 1800000}})
    assert addresses(world.ask("ads.listed.example")) == ["192.0.2.1"]
    pass_an_hour()
    wait_until(lambda: addresses(world.ask("ads.listed.example")) == ["0.0.0.0"], "the unblock to end")


def test_reload(make_upstream, make_world):
    """C2: upstreams, cache, mode; questions under way get their answer; a wrong file changes nothing"""
    first, second = make_upstream(), make_upstream()
    world = make_world(first).up()
    conf = world.run / "culvert.conf"
    before = conf.read_text()
    assert world.ask("one.plain.example") and first.count("one.plain.example")
    first.mute = True
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        under_way = [pool.submit(world.ask, f"way{i}.plain.example", tcp=bool(i % 2)) for i in range(8)]
        wait_until(lambda: sum(first.count(f"way{i}.plain.example") > 0 for i in range(8)) == 8, "questions")
        conf.write_text(before.replace(first.url, second.url).replace("ipv6=yes", "ipv6=yes\ncache_mib=8\nblock_mode=nxdomain"))
        world.dnsd.send(signal.SIGHUP)
        assert all(addresses(f.result()) == ["192.0.2.1"] for f in under_way)
    assert world.ask("ads.listed.example").rcode() == dns.rcode.NXDOMAIN
    assert world.ask("one.plain.example") and second.count("one.plain.example")
    conf.write_text(before.replace("ipv6=yes", "ipv6=perhaps"))
    world.dnsd.send(signal.SIGHUP)
    wait_until(lambda: "perhaps" in world.dnsd.log(), "the complaint")
    assert world.ask("ads.listed.example").rcode() == dns.rcode.NXDOMAIN
    world.dnsd.stop()


def test_corrupt_image_unblocks_nothing(make_upstream, make_world):
    """D8: on disk at the start, without Redis"""
    world = make_world(make_upstream()).up()
    wait_until(lambda: (world.run / "state/dnsd/last-good").exists(), "last good on disk")
    world.dnsd.stop()
    world.redis.kill()
    images = [p for p in (world.run / "cache/dnsd").rglob("*") if p.is_file()]
    assert images
    for p in images:
        data = bytearray(p.read_bytes())
        for at in range(0, len(data), max(1, len(data) // 64)):
            data[at] ^= 0x5a
        p.write_bytes(data)
    world.dnsd.start()
    wait_until(lambda: addresses(world.ask("one.example", source="system", timeout=0.5) or world_nothing) == ["192.0.2.1"],
               "the system identity")
    for source in (PHONE, LAPTOP):
        assert world.ask("ads.listed.example", source=source, timeout=1) is None
        assert world.ask("one.plain.example", source=source, timeout=1) is None
    # Redis comes back, with what syncd publishes: the image is fetched anew.
    world.redis.start()
    world.publish_policy()
    world.syncd.stop()
    world.syncd.start()
    world.await_policy()


class _Nothing:
    answer = ()


world_nothing = _Nothing()


def test_no_unblocked_answer_while_starting_and_when_redis_goes(make_upstream, make_world):
    """D8: asked all the time across starts, kills and returns of Redis and dnsd, the listed name never opens"""
    import threading
    upstream = make_upstream()
    world = make_world(upstream)
    answers, end = [], threading.Event()

    def ask_always():
        while not end.is_set():
            answer = world.ask("ads.listed.example", timeout=0.2)
            if answer is not None:
                answers.append(addresses(answer))
    askers = [threading.Thread(target=ask_always) for _ in range(4)]
    for t in askers:
        t.start()
    try:
        world.up()
        world.redis.save()
        # With the list, which may have come after all else.
        world.await_kept("webset", "domainset", "lists")
        for _ in range(3):
            world.dnsd.kill()
            world.dnsd.start()
            world.await_policy()
        world.redis.kill()
        world.dnsd.kill()
        world.dnsd.start()
        world.await_policy()
        world.redis.forget()
        world.redis.start()
        world.publish_policy()
        world.await_policy()
    finally:
        end.set()
        for t in askers:
            t.join()
    assert len(answers) > 20 and set(map(tuple, answers)) == {("0.0.0.0",)}
    assert not upstream.count("ads.listed.example")


def test_full_disk_changes_no_answer(make_upstream, make_world):
    """D8: state and cache on a file system without room"""
    world = make_world(make_upstream())
    mounted = []
    try:
        for kind in ("state", "cache"):
            directory = world.run / kind / "dnsd"
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=16k,uid={UID},mode=700", "tmpfs", directory], check=True)
            mounted.append(directory)
            with (directory / "filler").open("wb", buffering=0) as f:
                try:
                    while f.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
        world.redis.start()
        world.publish_policy()
        world.syncd.start()
        world.dnsd.start()
        wait_until(lambda: "devices:apid" in str(world.status()), "devices")
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            answer = world.ask("ads.listed.example", timeout=0.2)
            assert answer is None or addresses(answer) == ["0.0.0.0"]
        assert world.dnsd.is_running()
        for directory in mounted:
            (directory / "filler").unlink()
        wait_until(lambda: (a := world.ask("ads.listed.example", timeout=0.3)) and addresses(a) == ["0.0.0.0"],
                   "policy once there is room", 60)
        assert addresses(world.ask("ads.listed.example", source=LAPTOP)) == ["192.0.2.1"]
    finally:
        world.dnsd.stop()
        for directory in mounted:
            subprocess.run(["umount", "-l", directory], check=True)


def test_the_clock_s_jump_is_an_alarm(make_upstream, make_world):
    """D11"""
    preload = Preload("clock_jump")
    jumped = preload.file("CLOCK_JUMP_FILE")
    world = make_world(make_upstream())
    world.redis.start()
    world.publish_policy()
    world.syncd.start()
    alarms = Events(world.redis, "alarm")
    world.dnsd.start(env=preload.env)
    world.await_policy()
    jumped.touch()
    event = alarms.wait(lambda e: e["what"] == "clock_jump")
    assert abs(int(event["detail"].split("=")[1]) - 3600) < 60
    alarms.close()
    preload.close()
