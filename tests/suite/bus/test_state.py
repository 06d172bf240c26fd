# SPDX-License-Identifier: GPL-3.0-or-later
"""Retained state between an owner and consumers (DESIGN 4; SPEC W2, W3)."""
import buslib
import pytest

from support.wait import wait_until


def test_consumer_gets_what_the_owner_set(probe):
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    gen = apid.set("devices", "d1", buslib.device("d1"))
    fwd.wait("batch", gen=gen)
    assert fwd.records["devices:apid"]["d1"]["addresses"] == ["10.9.0.1"]


def test_changes_and_removals_arrive_as_differences(probe):
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    apid.do("replace", topic="devices", records=buslib.devices(5))
    fwd.wait("batch", gen=apid.flush("devices"))
    fwd.drain()
    apid.do("set", topic="devices", id="d1", record=buslib.device("d1", 77))
    apid.do("set", topic="devices", id="d2", record=buslib.device("d2", 3))  # what it was
    apid.do("del", topic="devices", id="d3")
    gen = apid.flush("devices")
    e1 = fwd.wait("record")
    e2 = fwd.wait("record")
    fwd.wait("batch", gen=gen)
    assert {(e["id"], e["rec"] is None) for e in (e1, e2)} == {("d1", False), ("d3", True)}
    assert not [e for e in fwd.drain() if e["ev"] == "record"]


def lose(fwd, count=1, **what):
    fwd.do("lose", **{"records": 0, "batches": 0, **what})
    return lambda: [fwd.wait("lost") for _ in range(count)]


@pytest.mark.parametrize("what", ["records", "batches"])
def test_what_a_consumer_had_no_memory_for_comes_again(probe, what):
    """D8: and its generation is not reached before. What it was when it was found: the end of a batch was told once, and
    what was wrong then was said to be in force."""
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    fwd.wait("batch", gen=apid.replace("devices", buslib.devices(3)))
    lost = lose(fwd, 3, **{what: 3})
    apid.do("set", topic="devices", id="d1", record=buslib.device("d1", 77))
    gen = apid.flush("devices")
    lost()
    fwd.wait("batch", gen=gen, current=True)
    assert fwd.records["devices:apid"]["d1"]["addresses"] == ["10.9.0.77"]


def test_a_removal_that_a_consumer_had_no_memory_for_comes_again(probe):
    """D8: what it was when it was found: told once."""
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    fwd.wait("batch", gen=apid.replace("devices", buslib.devices(3)))
    lost = lose(fwd, 2, records=2)
    apid.do("del", topic="devices", id="d1")
    gen = apid.flush("devices")
    lost()
    fwd.wait("batch", gen=gen, current=True)
    assert sorted(fwd.records["devices:apid"]) == ["d0", "d2"]
    lost = lose(fwd, records=1)
    apid.do("del", topic="devices", id="d2")
    lost()
    apid.do("set", topic="devices", id="d2", record=buslib.device("d2"))  # it is back before the next try, or after it
    fwd.wait("batch", gen=apid.flush("devices"), current=True)
    assert sorted(fwd.records["devices:apid"]) == ["d0", "d2"]


def test_a_late_consumer_reads_everything(probe):
    apid = probe("apid")
    gen = apid.replace("devices", buslib.devices(400))
    fwd = probe("fwd")
    fwd.subscribe("devices", "apid")
    fwd.wait("batch", gen=gen)
    assert len(fwd.records["devices:apid"]) == 400
    apid.do("replace", topic="devices", records=buslib.devices(2))
    fwd.wait("batch", gen=apid.flush("devices"))
    assert len(fwd.records["devices:apid"]) == 2
    assert "unusable" not in fwd.text() and "refused" not in fwd.text()


def test_an_empty_topic_is_known_and_a_missing_one_is_not(probe):
    apid, fwd = probe("apid"), probe("fwd")
    gen = apid.replace("devices", {})
    fwd.subscribe("groups", "apid")
    fwd.subscribe("devices", "apid")
    fwd.wait("batch", topic="devices", gen=gen, current=True)
    assert not fwd.ask("find", "find", topic="groups", owner="apid", id="")["known"]


def test_of_a_topic_that_is_not_in_redis_that_is_known_while_redis_can_be_asked(probe, redis):
    apid, fwd = probe("apid"), probe("fwd")
    apid.replace("devices", {})

    def answered():
        return fwd.ask("find", "find", topic="groups", owner="apid", id="")["answered"]
    assert answered()  # nobody follows it
    redis.pause()
    fwd.subscribe("groups", "apid")
    assert not answered()
    redis.resume()
    wait_until(answered, "there is none")
    apid.replace("groups", {})
    fwd.wait("batch", topic="groups", current=True)
    assert answered()
    redis.kill()
    wait_until(lambda: not answered(), "it is away")


def test_a_topic_that_is_followed_no_more_is_answered_and_applied(probe):
    """It stays on the disk: nobody is to wait for it."""
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("groups", "apid")
    fwd.wait("batch", topic="groups", gen=apid.replace("groups", {}), current=True)
    fwd.quit()
    found = probe("fwd").ask("find", "find", topic="groups", owner="apid", id="")
    assert found["gen"] and not found["current"] and found["answered"] and found["applied"]


def test_secret_topic_reaches_its_reader_without_values_in_announcements(probe, redis):
    """C5: messages show no key."""
    apid, wgd = probe("apid"), probe("wgd")
    wgd.subscribe("device_keys", "apid")
    key = "A" * 43 + "="
    with redis.connect() as c:
        c("SUBSCRIBE", "culvert:state:device_keys:apid")
        apid.do("set", topic="device_keys", id="d1", record={"id": "d1", "public_key": key})
        wgd.wait("batch", gen=apid.flush("device_keys"))
        apid.do("set", topic="device_keys", id="d2", record={"id": "d2", "public_key": key})
        wgd.wait("batch", gen=apid.flush("device_keys"))
        assert key not in c.read()[2]
        second = c.read()[2]
        assert key not in second and '"ids":["d2"]' in second
    assert wgd.records["device_keys:apid"]["d2"]["public_key"] == key


def test_changes_of_one_turn_are_one_generation(probe):
    apid = probe("apid")
    apid.do("replace", topic="devices", records={})
    first = apid.flush("devices")
    lines = "".join('{"do":"set","topic":"devices","id":"d%d","record":{"id":"d%d"}}\n' % (i, i) for i in range(50))
    apid.process.stdin.write(lines)
    apid.process.stdin.flush()
    assert apid.flush("devices") <= first + 2  # the pipe may hand the lines over in two turns


def test_a_large_set_stalls_neither_loop(probe):
    """50,000 devices: full publication, read, mass change, one change."""
    apid, fwd = probe("apid"), probe("fwd")
    fwd.do("quiet")
    fwd.subscribe("devices", "apid")
    apid.do("fill", n=50000, name="a")
    gen = apid.flush("devices")
    fwd.wait("batch", gen=gen, timeout=120)
    stats = fwd.ask("stats", "stats")
    assert stats["records"] == 50000
    assert stats["busy_max_ms"] < 500  # generous: sanitizers
    apid.do("set", topic="devices", id="d7", record=buslib.device("d7"))
    fwd.wait("batch", gen=apid.flush("devices"))
    assert fwd.ask("stats", "stats")["records"] == 1
