# SPDX-License-Identifier: GPL-3.0-or-later
"""The last good state on disk (SPEC W1, W2)."""
import stat

import buslib

from support.wait import wait_until


def kept(probe, redis):
    """A wgd that has seen three devices and their keys and has ended; Redis is gone."""
    apid, wgd = probe("apid"), probe("wgd")
    wgd.subscribe("devices", "apid")
    wgd.subscribe("device_keys", "apid")
    apid.do("replace", topic="devices", records=buslib.devices(3))
    apid.do("set", topic="device_keys", id="d1", record={"id": "d1", "public_key": "A" * 43 + "="})
    wgd.wait_gen("devices", "apid", apid.flush("devices"))
    wgd.wait_gen("device_keys", "apid", apid.flush("device_keys"))
    wgd.quit()
    apid.quit()
    redis.kill()
    return wgd.dir / "state/last-good"


def test_a_restart_without_redis_starts_from_disk(probe, redis):
    path = kept(probe, redis)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    wgd = probe("wgd")
    wgd.subscribe("devices", "apid")
    wgd.subscribe("device_keys", "apid")
    wgd.wait("batch", topic="device_keys", current=False)
    assert len(wgd.records["devices:apid"]) == 3
    assert wgd.records["device_keys:apid"]["d1"]["public_key"]


def test_after_a_restart_only_what_changed_arrives(probe, redis):
    kept(probe, redis)
    redis.start()
    apid, wgd = probe("apid"), probe("wgd")
    wgd.subscribe("devices", "apid")
    wgd.wait("batch", current=False)
    start = len(wgd.seen)
    apid.do("replace", topic="devices", records=buslib.devices(4))
    wgd.wait_gen("devices", "apid", apid.flush("devices"))
    assert [e["id"] for e in wgd.seen[start:] if e["ev"] == "record"] == ["d3"]


def test_it_is_written_while_running(probe):
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    apid.do("replace", topic="devices", records=buslib.devices(3))
    fwd.wait_gen("devices", "apid", apid.flush("devices"))
    wait_until((fwd.dir / "state/last-good").exists)
    fwd.kill()
    again = probe("fwd", server="unix:/nonexistent")
    again.subscribe("devices", "apid")
    again.wait("batch", current=False)
    assert len(again.records["devices:apid"]) == 3


def test_a_corrupt_file_is_ignored_and_logged(probe, redis):
    path = kept(probe, redis)
    good = path.read_bytes()
    for damage in (good[:-1], good[:100], b"", good.replace(b"10.9.0.2", b"10.9.0.7"), b"x" * 5000):
        path.write_bytes(damage)
        wgd = probe("wgd")
        wgd.subscribe("devices", "apid")
        wgd.wait_log("corrupt, ignored")
        wgd.drain()
        assert "devices:apid" not in wgd.records
        wgd.log.write_text("")
        wgd.quit()


def test_only_the_holder_of_the_lock_writes(probe, redis):
    apid, one = probe("apid"), probe("dnsd")
    one.subscribe("devices", "apid")
    one.drain()
    two = probe("dnsd", instance="2")
    two.subscribe("groups", "apid")
    apid.do("set", topic="groups", id="g", record={"id": "g"})
    two.wait_gen("groups", "apid", apid.flush("groups"))
    two.quit()
    assert not (one.dir / "state/last-good").exists()
    apid.do("replace", topic="devices", records=buslib.devices(1))
    one.wait_gen("devices", "apid", apid.flush("devices"))
    one.quit()
    assert b'"devices"' in (one.dir / "state/last-good").read_bytes()
