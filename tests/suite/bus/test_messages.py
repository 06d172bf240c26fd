# SPDX-License-Identifier: GPL-3.0-or-later
"""Events, requests, status, queues and blobs (DESIGN 4)."""
import errno
import hashlib
import pathlib

import buslib
import pytest

from support.wait import wait_until


def ready(redis, channel, pattern=False):
    """Until somebody listens there."""
    if pattern:
        wait_until(lambda: redis("PUBSUB", "NUMPAT") > 0)
    else:
        wait_until(lambda: redis("PUBSUB", "NUMSUB", channel)[1] > 0)


def test_events_arrive_in_order(redis, probe):
    wgd, apid = probe("wgd"), probe("apid")
    apid.do("listen", event="wgd.peer")
    ready(redis, "culvert:event:wgd:peer")
    wgd.do("replace", topic="usage", records={})
    wgd.flush("usage")  # connected
    for i in range(100):
        wgd.do("event", event="wgd.peer", record={"device": f"d{i}", "edge": "online"})
    got = [apid.wait("event")["rec"]["device"] for _ in range(100)]
    assert got == [f"d{i}" for i in range(100)]


def dropped(wgd):
    """How many events, with one more. The first batch may still be written to the server that is gone."""
    wgd.do("event", event="wgd.peer", record={"device": "d", "edge": "online"})
    return wgd.ask("stats", "stats")["events_dropped"]


def test_events_without_redis_are_counted_and_told_later(redis, probe):
    wgd, apid = probe("wgd"), probe("apid")
    apid.do("watch")
    redis.kill()
    wgd.wait_log("connection lost")

    wait_until(lambda: dropped(wgd), "counted")
    redis.start()
    wait_until(lambda: apid.wait("status", daemon="wgd")["json"]["bus"]["events_dropped"], "told")


def test_an_alarm_without_redis_waits_until_it_is_heard(redis, probe):
    wgd, apid = probe("wgd"), probe("apid")
    redis.kill()
    wait_until(lambda: dropped(wgd), "nothing is sent")
    wgd.do("event", event="wgd.alarm", record={"what": "disk", "detail": "full"})
    before = wgd.ask("stats", "stats")["events_dropped"]
    wait_until(lambda: dropped(wgd) > before, "what was to be sent with the alarm is dropped")
    redis.start()
    wait_until(lambda: wgd.ask("stats", "stats")["connected"])
    apid.do("listen", event="wgd.alarm")
    assert apid.wait("event", event="wgd.alarm")["rec"] == {"what": "disk", "detail": "full"}


@pytest.mark.parametrize("message", ["", "x", "{}", '{"v":1,"batch":7}', '{"v":1,"batch":[1,null,{"device":3}]}'])
def test_odd_events_are_ignored(redis, probe, message):
    wgd, apid = probe("wgd"), probe("apid")
    apid.do("listen", event="wgd.peer")
    ready(redis, "culvert:event:wgd:peer")
    redis("PUBLISH", "culvert:event:wgd:peer", message)
    redis("PUBLISH", "culvert:event:wgd:peer", '{"v":1,"batch":[{"device":"d","edge":"x","new":1}]}')
    assert apid.wait("event")["rec"] == {"device": "d", "edge": "x"}


def call(apid, **more):
    apid.do("request", op="wgd.peer_applied", args={"id": "d1", "gen": 1}, tag="r", **more)
    return apid.wait("reply", tag="r")


def serving(redis, probe, **more):
    wgd, apid = probe("wgd"), probe("apid")
    wgd.do("serve", op="wgd.peer_applied", **more)
    ready(redis, "culvert:req:wgd:apid")
    wait_until(lambda: any(c.startswith("culvert:reply:apid:") for c in redis("PUBSUB", "CHANNELS")))
    apid.drain()
    wait_until(lambda: apid.ask("stats", "stats")["connected"])
    return wgd, apid


def test_a_request_is_answered(redis, probe):
    wgd, apid = serving(redis, probe)
    r = call(apid)
    assert r["status"] == 0 and r["result"] == {"hello": True}
    assert wgd.wait("call")["caller"] == "apid"


def test_a_request_nobody_serves_fails_at_once(redis, probe):
    apid = probe("apid")
    wait_until(lambda: apid.ask("stats", "stats")["connected"])
    assert call(apid)["status"] == -107


def test_a_request_without_answer_times_out_and_a_late_one_is_dropped(redis, probe):
    wgd, apid = serving(redis, probe, hold=True)
    assert call(apid)["status"] == -110
    wgd.do("answer", code="late")
    wgd.drain()
    apid.drain()


def test_an_error_comes_with_code_and_detail(redis, probe):
    wgd, apid = serving(redis, probe, hold=True)
    apid.do("request", op="wgd.peer_applied", args={"id": "d1", "gen": 1}, tag="r")
    wgd.wait("call")
    wgd.do("answer", code="no_such_device")
    r = apid.wait("reply", tag="r")
    assert r["status"] == -121 and r["result"]["code"] == "no_such_device"


def test_wrong_arguments_are_refused_by_the_server(redis, probe):
    _, apid = serving(redis, probe)
    apid.do("request", op="wgd.peer_applied", args={"id": 3}, tag="r")
    r = apid.wait("reply", tag="r")
    assert r["status"] == -121 and r["result"]["code"] == "bad_args"


def test_a_reply_is_sent_only_to_the_callers_own_channel(redis, probe):
    """A caller must not make the server publish on a channel that is not the caller's."""
    wgd, apid = serving(redis, probe)
    message = '{"v":1,"id":"1","op":"peer_applied","args":{"id":"d","gen":1},"reply":"%s"}'
    redis("PUBLISH", "culvert:req:wgd:apid", message % "culvert:reply:fwd:1")
    redis("PUBLISH", "culvert:req:wgd:apid", message % ("culvert:reply:apid:" + "x" * 500))
    redis("PUBLISH", "culvert:req:wgd:apid", "[]")
    assert call(apid)["status"] == 0
    wgd.drain()
    assert len([e for e in wgd.seen if e["ev"] == "call"]) == 1


def test_a_call_still_open_when_the_server_ends_leaks_nothing(redis, probe):
    wgd, apid = serving(redis, probe, hold=True)
    apid.do("request", op="wgd.peer_applied", args={"id": "d1", "gen": 1}, tag="r")
    wgd.wait("call")
    wgd.do("answer", code="x")
    wgd.quit()


def test_status_tells_what_is_applied(redis, probe):
    apid, fwd = probe("apid"), probe("fwd", instance="7")
    apid.do("watch")
    ready(redis, "culvert:status:*", pattern=True)
    fwd.subscribe("devices", "apid")
    gen = apid.replace("devices", buslib.devices(2))
    fwd.wait_gen("devices", "apid", gen)
    fwd.do("applied", topic="devices", owner="apid", gen=gen)
    e = apid.wait("status", daemon="fwd", instance="7", applied=gen)
    assert e["json"]["topics"]["devices:apid"]["current"] is True
    assert 0 < redis("TTL", "culvert:status:fwd:7") <= 15


def appeal(n):
    return {"uuid": f"00000000-0000-4000-8000-{n:012d}", "device": "d1", "host": "example.com"}


def test_a_queued_message_is_delivered_until_acknowledged(redis, probe):
    proxyd, apid = probe("proxyd"), probe("apid")
    apid.do("queue_consume")
    proxyd.do("queue_add", record=appeal(1), tag="q")
    assert proxyd.wait("queued")["status"] == 0
    assert apid.wait("message")["rec"] == appeal(1)
    apid.kill()
    again = probe("apid", sub="apid2")
    again.do("queue_consume")
    m = again.wait("message")
    assert m["rec"] == appeal(1)
    again.do("queue_ack", entry=m["entry"])
    wait_until(lambda: redis("XPENDING", "culvert:queue:appeals", "apid")[0] == 0)


def test_the_spool_holds_until_the_final_storer_confirms(redis, probe):
    proxyd, syncd = probe("proxyd"), probe("syncd")
    syncd.do("queue_consume")
    for n in range(3):
        proxyd.do("queue_add", record=appeal(n), tag="q")
    for _ in range(3):
        m = syncd.wait("message")
        if m["rec"]["uuid"] != appeal(1)["uuid"]:
            syncd.do("queue_confirm", uuid=m["rec"]["uuid"])
    wait_until(lambda: proxyd.ask("spooled", "spooled")["n"] == 1)
    assert [f.name for f in (proxyd.dir / "state/queue-appeals").iterdir()] == [appeal(1)["uuid"] + ".json"]


def test_what_was_spooled_without_redis_is_added_later_even_after_a_restart(redis, probe):
    redis.kill()
    proxyd = probe("proxyd")
    proxyd.do("queue_add", record=appeal(1), tag="q")
    assert proxyd.wait("queued")["status"] == 0
    proxyd.kill()
    redis.start()
    probe("proxyd")
    apid = probe("apid")
    apid.do("queue_consume")
    assert apid.wait("message")["rec"] == appeal(1)


def test_messages_lost_by_redis_are_added_again(redis, probe):
    proxyd, apid = probe("proxyd"), probe("apid")
    apid.do("queue_consume")
    proxyd.do("queue_add", record=appeal(1), tag="q")
    apid.wait("message")
    redis.kill()
    redis.start()
    assert apid.wait("message")["rec"] == appeal(1)


def test_bad_messages_are_refused_by_the_producer(probe):
    proxyd = probe("proxyd")
    for record, status in (({}, -22), ({"uuid": "../../x"}, -22), ({"uuid": ""}, -22)):
        proxyd.do("queue_add", record=record, tag="q")
        assert proxyd.wait("queued")["status"] == status


def put(syncd, length, seed=0):
    syncd.do("blob_put", len=length, seed=seed, tag="b")
    digest = syncd.wait("digest")["digest"]
    assert syncd.wait("blob_put")["status"] == 0
    return digest


@pytest.mark.parametrize("length", [1, 256 << 10, (256 << 10) + 1, 5 << 20])
def test_a_blob_arrives_whole(redis, probe, length):
    syncd, dnsd = probe("syncd"), probe("dnsd")
    digest = put(syncd, length)
    dnsd.do("blob_get", digest=digest, tag="g")
    got = dnsd.wait("blob_got")
    assert got["status"] == 0
    data = pathlib.Path(got["path"]).read_bytes()
    assert len(data) == length and hashlib.sha256(data).hexdigest() == digest


def test_a_cached_blob_needs_no_redis_and_a_damaged_one_is_fetched_again(redis, probe):
    syncd, dnsd = probe("syncd"), probe("dnsd")
    digest = put(syncd, 700000)
    dnsd.do("blob_get", digest=digest, tag="g")
    path = pathlib.Path(dnsd.wait("blob_got")["path"])
    redis.kill()
    dnsd.do("blob_get", digest=digest, tag="g")
    assert dnsd.wait("blob_got")["status"] == 0
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    dnsd.do("blob_get", digest=digest, tag="g")
    dnsd.drain()
    redis.start()  # empty: syncd brings the blob back
    assert dnsd.wait("blob_got")["status"] == 0
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_a_blob_with_another_content_is_not_taken(redis, probe):
    dnsd = probe("dnsd")
    digest = hashlib.sha256(b"right").hexdigest()
    redis("SET", "culvert:blob:" + digest, "wrong")
    dnsd.do("blob_get", digest=digest, tag="g")
    dnsd.wait_log("another content")
    redis("SET", "culvert:blob:" + digest, "right")
    assert dnsd.wait("blob_got")["status"] == 0


def test_a_blob_that_is_forgotten_is_asked_for_no_more(redis, probe):
    dnsd = probe("dnsd")
    dnsd.do("blob_get", digest="0" * 64, tag="g")
    dnsd.drain()
    dnsd.do("blob_forget")
    assert dnsd.wait("blob_got")["status"] == -errno.ECANCELED


def test_an_old_blob_expires_when_no_record_names_it(redis, probe):
    syncd = probe("syncd")
    old, new = put(syncd, 1000, 1), put(syncd, 1000, 2)
    syncd.do("set", topic="domainset", id="main", record={"id": "main", "blob": new, "lists": []})
    wait_until(lambda: 0 < redis("TTL", "culvert:blob:" + old) <= 3600)
    assert redis("TTL", "culvert:blob:" + new) > 3600


def test_ending_in_the_middle_of_everything_leaks_nothing(redis, probe):
    syncd, dnsd = probe("syncd"), probe("dnsd")
    dnsd.do("blob_get", digest="0" * 64, tag="g")
    syncd.do("blob_put", len=3 << 20, seed=1, tag="b")
    dnsd.subscribe("domainset", "syncd")
    dnsd.quit()
    syncd.quit()
