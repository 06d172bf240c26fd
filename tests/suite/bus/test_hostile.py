# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd and hostile contents, other releases, other users (SPEC W3, W5; DESIGN 4)."""
import json

import buslib
import pytest

from support.redis import RedisError

KEY = "culvert:state:devices:apid"


def write(redis, records, gen, full=1, prev=None, remove=()):
    """What a script of another release would do, by hand."""
    epoch = redis("GET", "culvert:epoch:apid")
    for k, v in records.items():
        redis("HSET", KEY, k, v if isinstance(v, str) else json.dumps(v))
    for k in remove:
        redis("HDEL", KEY, k)
    stamp = {"gen": gen, "wid": "f" * 32, "full": full}
    redis("HSET", "culvert:gens:apid", "devices", json.dumps(stamp))
    redis("PUBLISH", KEY, json.dumps({"v": 1, "epoch": epoch, **stamp, "prev": prev, "full": full == gen}))


@pytest.mark.parametrize("message", [
    "", "x", "{}", "[]", "null", '{"v":1}', '{"v":1,"epoch":1,"gen":"x"}', "[" * 5000,
    '{"v":1,"epoch":"e","gen":5,"wid":"w","prev":7,"set":[1],"del":{}}',
    '{"v":1,"epoch":"e","gen":-5,"wid":"w"}', '{"v":1,"epoch":"' + "e" * 500 + '","gen":5,"wid":"w"}',
    '{"v":1,"epoch":"e","gen":5,"wid":"w","del":[1,2]}', b"\xff\xfe\x00", "y" * (2 << 20),
], ids=range(14))
def test_announcements_that_are_none_are_counted(redis, pair, message):
    apid, fwd = pair
    start = len(fwd.seen)
    redis("PUBLISH", KEY, message)
    apid.do("set", topic="devices", id="d1", record=buslib.device("d1", 44))
    fwd.wait_gen("devices", "apid", apid.flush("devices"))
    assert [e["id"] for e in fwd.seen[start:] if e["ev"] == "record"] == ["d1"]


def test_an_unusable_record_keeps_its_last_good_version(redis, alone):
    start = len(alone.seen)
    write(redis, {"d1": "not json", "d2": {"id": "d2"}, "d3": {"id": "other", "addresses": ["10.9.9.9"]},
                  "new": "[]", "good": buslib.device("good", 9)}, 1000)
    alone.wait("batch", gen=1000)
    assert [e["id"] for e in alone.seen[start:] if e["ev"] == "record"] == ["good"]
    assert alone.records["devices:apid"]["d1"]["addresses"] == ["10.9.0.2"]
    assert "id=d2 why=device.addresses" in alone.text()


def test_a_release_beside_this_one_may_add_fields_and_values(redis, alone):
    """Unknown fields are ignored; an unknown value of a restricting field makes the record closed."""
    write(redis, {"d1": buslib.device("d1", 5, colour="blue"), "d2": buslib.device("d2", 6, egress="teleport")}, 1000)
    one, two = sorted([alone.wait("record"), alone.wait("record")], key=lambda e: e["id"])
    assert not one["closed"] and one["rec"]["addresses"] == ["10.9.0.5"]
    assert two["closed"]


def test_wrong_types_of_keys_keep_the_last_good_state(redis, pair):
    apid, fwd = pair
    with buslib.asleep(apid):
        redis("SET", KEY, "a string")
        stamp = {"gen": 1000, "wid": "f" * 32, "full": 1000}
        redis("HSET", "culvert:gens:apid", "devices", json.dumps(stamp))
        redis("PUBLISH", KEY, json.dumps({"v": 1, "epoch": redis("GET", "culvert:epoch:apid"), **stamp}))
        fwd.wait_log("state unreadable")
    assert len(fwd.records["devices:apid"]) == 30
    apid.do("set", topic="devices", id="d1", record=buslib.device("d1", 44))  # notices and publishes all
    fwd.wait_gen("devices", "apid", apid.flush("devices"))


def test_a_huge_record_is_left_out(redis, alone):
    write(redis, {"d1": buslib.device("d1", 5), "d2": json.dumps(buslib.device("d2", 6, x="n" * (3 << 20)))}, 1000)
    alone.wait("batch", gen=1000)
    assert alone.records["devices:apid"]["d1"]["addresses"] == ["10.9.0.5"]
    assert alone.records["devices:apid"]["d2"]["addresses"] == ["10.9.0.3"]


def test_a_state_too_large_for_one_reply_is_asked_for_once(redis, pair):
    apid, fwd = pair
    with buslib.asleep(apid):
        redis("HSET", KEY, "d1", "x" * (140 << 20))
        stamp = {"gen": 1000, "wid": "f" * 32, "full": 1000}
        redis("HSET", "culvert:gens:apid", "devices", json.dumps(stamp))
        redis("PUBLISH", KEY, json.dumps({"v": 1, "epoch": redis("GET", "culvert:epoch:apid"), **stamp}))
        fwd.wait_log("why=too large", 300)  # 140 MB, with the sanitizers a quarter of a minute
    apid.do("set", topic="groups", id="g1", record={"id": "g1"})
    fwd.drain()
    # A connection that the machine was too slow for is made anew, and the first may ask once more.
    assert fwd.text().count("why=reply too large") <= 1 + fwd.text().count("no answer for 2 s")
    assert len(fwd.records["devices:apid"]) == 30


def test_mass_removal_needs_a_whole_publication(redis, alone):
    gone = [f"d{i}" for i in range(20)]
    write(redis, {}, 1000, full=1, remove=gone)
    alone.wait_log("mass removal refused")
    alone.drain()
    assert len(alone.records["devices:apid"]) == 30
    write(redis, {}, 1001, full=1001)
    alone.wait("batch", gen=1001)
    assert len(alone.records["devices:apid"]) == 10


def test_mass_removal_by_the_owner_is_published_whole(pair):
    apid, fwd = pair
    apid.do("replace", topic="devices", records=buslib.devices(2))
    fwd.wait_gen("devices", "apid", apid.flush("devices"))
    assert len(fwd.records["devices:apid"]) == 2
    assert "refused" not in fwd.text()


def test_a_topic_that_lost_its_generation_is_unknown_and_kept(redis, probe, pair):
    apid, fwd = pair
    apid.quit()
    redis("FLUSHALL")
    start = len(fwd.seen)
    other = probe("dnsd")
    other.subscribe("devices", "apid")
    other.drain()
    assert not other.ask("find", "find", topic="devices", owner="apid", id="")["known"]
    fwd.drain()
    assert not [e for e in fwd.seen[start:] if e["ev"] == "record"]
    assert len(fwd.records["devices:apid"]) == 30


@pytest.mark.parametrize("command", [
    ("HSET", "culvert:state:devices:apid", "d1", "{}"),
    ("SET", "culvert:epoch:apid", "x"),
    ("PUBLISH", "culvert:state:devices:apid", "{}"),
    ("PUBLISH", "culvert:event:wgd:peer", "{}"),
    ("PUBLISH", "culvert:req:wgd:apid", "{}"),
    ("HGETALL", "culvert:state:device_keys:apid"),
    ("SUBSCRIBE", "culvert:state:device_keys:apid"),
    ("PSUBSCRIBE", "culvert:*"),
    ("SUBSCRIBE", "culvert:reply:apid:1"),
    ("SET", "culvert:status:wgd:1", "{}"),
    ("SETRANGE", "culvert:blob:" + "0" * 64, "0", "x"),
    ("XADD", "culvert:queue:appeals", "*", "a", "b"),
    ("EVAL", "return redis.call('HSET', KEYS[1], 'a', 'b')", "1", "culvert:state:devices:apid"),
    ("FUNCTION", "LOAD", "x"), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("FLUSHALL",), ("ACL", "WHOAMI"),
])
def test_another_daemons_things_are_refused(redis, command):
    with redis.connect("fwd", "secret-fwd") as c:
        with pytest.raises(RedisError, match="NOPERM|no permissions"):
            c(*command)


@pytest.mark.parametrize("command", [
    ("HSET", "culvert:state:pinned:proxyd", "d1", "{}"), ("PUBLISH", "culvert:state:pinned:proxyd", "{}"),
    ("EVAL", "return 1", "1", "culvert:gens:proxyd"), ("SET", "culvert:status:proxyd:1", "{}"),
    ("PUBLISH", "culvert:event:proxyd:pinned", "{}"), ("XADD", "culvert:queue:appeals", "*", "a", "b"),
    ("SUBSCRIBE", "culvert:req:proxyd:apid"), ("PUBLISH", "culvert:reply:apid:1", "{}"), ("PUBLISH", "culvert:req:fwd:proxyd", "{}"),
])
def test_who_reads_packets_does_not_do_what_proxyd_may(redis, command):
    with redis.connect("path", "secret-path") as c:
        with pytest.raises(RedisError, match="NOPERM|no permissions"):
            c(*command)
        assert c("HGETALL", "culvert:state:devices:apid") in ([], {})
        assert c("PUBLISH", "culvert:event:proxyd:count", "{}") == 0


def test_the_default_user_is_off(redis):
    with pytest.raises(RedisError):
        redis.connect("default", "")


def test_refused_rights_are_logged_and_do_no_harm(redis, probe):
    redis("ACL", "SETUSER", "apid", "reset", "on", ">secret-apid", "+ping", "+get", "+hgetall", "~*")
    apid = probe("apid")
    apid.do("set", topic="devices", id="d1", record=buslib.device("d1"))
    apid.wait_log("staging failed")
    apid.drain()


def test_an_announcement_refused_inside_the_script_leads_to_a_whole_publication(redis, probe):
    """A script keeps its partial writes: what was written without being told is told again."""
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    apid.do("replace", topic="devices", records=buslib.devices(3))
    fwd.wait_gen("devices", "apid", apid.flush("devices"))
    rules = [r for r in redis.acl.read_text().splitlines() if r.startswith("user apid ")][0].split(" ", 2)[2]
    redis("ACL", "SETUSER", "apid", "clearselectors", "resetchannels", "-publish", *acl_words(
        rules.replace(" &culvert:state:devices:apid", "")))
    apid.do("set", topic="devices", id="d1", record=buslib.device("d1", 44))
    apid.wait_log("publication failed")
    redis("ACL", "SETUSER", "apid", "clearselectors", *acl_words(rules))
    fwd.wait_gen("devices", "apid", apid.flush("devices"))
    assert fwd.records["devices:apid"]["d1"]["addresses"] == ["10.9.0.44"]


def acl_words(rules):
    """Rules as arguments: a selector in parentheses is one."""
    words, depth = [], 0
    for w in rules.split():
        if depth:
            words[-1] += " " + w
        else:
            words.append(w)
        depth += w.count("(") - w.count(")")
    return words
