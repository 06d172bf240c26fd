# SPDX-License-Identifier: GPL-3.0-or-later
"""W7: byte quotas with real traffic through a tunnel, and what they survive."""
import json

import pytest

from clientlib import Client
from support.clock import Clock
from support.wait import wait_until
from wgdlib import genkey

PRIVATE, PUBLIC = genkey()
MB = 1000000


def set_quota(gateway, quota_bytes, **fields):
    gen = gateway.bus.put_device("phone", PUBLIC, "10.9.0.2", quota_bytes=quota_bytes, **fields)
    assert gateway.bus.applied("phone", gen)["ok"]


def set_period(gateway, period):
    gateway.bus.set("settings", {"quota_period": {"id": "quota_period", "value": period}})


def usage(gateway):
    return json.loads(gateway.redis("HGET", "culvert:state:usage:wgd", "phone") or "null")


def kick(gateway):
    """A pass at once, not in 5 s."""
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300", check=False)


def await_cut(gateway):
    def over():
        kick(gateway)
        return usage(gateway)
    return wait_until(over, "usage over quota")


def await_free(gateway):
    def free():
        kick(gateway)
        return not usage(gateway)
    wait_until(free, "usage cleared")


@pytest.fixture
def client(gateway):
    """A phone without quota, its session up."""
    set_quota(gateway, 0)
    one = Client(gateway, 2, PRIVATE, "10.9.0.2")
    try:
        wait_until(lambda: "\t0" not in gateway.run("wg", "show", "wgt0", "latest-handshakes"),
                   "handshake")
        yield one
    finally:
        one.close()


def counted(gateway):
    """What the status knows of quotas."""
    return gateway.status()["quota"]


def test_quota_used_up_is_on_the_bus_within_10_s_and_cleared_by_a_higher_one(gateway, client):
    set_quota(gateway, MB)
    assert usage(gateway) is None
    client.send(1200000)
    record = wait_until(lambda: usage(gateway), "cut within 10 s, twice that on a busy machine", 20)
    assert record["device"] == "phone" and record["over_quota"] is True
    assert int(record["used_bytes"]) >= MB and record["since"] > 0
    # The record stands; further bytes are no news.
    gen = gateway.redis("GET", "culvert:gen:wgd")
    client.send(120000)
    gateway.a_pass()
    assert gateway.redis("GET", "culvert:gen:wgd") == gen
    set_quota(gateway, 100 * MB)
    await_free(gateway)
    set_quota(gateway, 1)
    await_cut(gateway)
    gateway.bus.remove_device("phone")
    await_free(gateway)


def test_clock_that_jumps_starts_a_period_once_and_never_counts_twice(gateway):
    clock, day = Clock(gateway.dir), 86400
    gateway.wgd.stop()
    gateway.wgd.start(**clock.options)
    set_quota(gateway, MB)
    client = Client(gateway, 2, PRIVATE, "10.9.0.2")
    try:
        client.send(1200000)
        first = await_cut(gateway)
        clock.set(-100 * day)
        for _ in range(3):
            gateway.a_pass()
        assert usage(gateway) == first
        clock.set(40 * day)  # another month
        await_free(gateway)
        clock.set(0)
        client.send(600000)
        gateway.a_pass()
        clock.set(40 * day)  # the same month again: no second beginning
        client.send(600000)
        second = await_cut(gateway)
        assert int(second["used_bytes"]) < 2 * MB and second["since"] > first["since"]
    finally:
        client.close()


def test_shorter_period_begins_anew_never_keeps(gateway, client):
    set_quota(gateway, MB)
    client.send(1200000)
    first = await_cut(gateway)
    set_period(gateway, "never")
    wait_until(lambda: counted(gateway)["period"] == "never", "period")
    assert usage(gateway) == first
    set_period(gateway, "day")
    wait_until(lambda: counted(gateway)["period"] == "day", "period")
    if counted(gateway)["since"] > first["since"]:  # but on the first of a month
        await_free(gateway)


def test_quota_survives_kill_restart_without_redis_and_a_new_interface(gateway, client):
    """Reboot: the interface's counters begin at 0, the file goes on."""
    client.send(1200000)
    gateway.a_pass()
    set_quota(gateway, 2 * MB)  # 1.2 MB are used
    gateway.wgd.stop()
    gateway.wgd.start()
    client.send(240000)
    wait_until(lambda: gateway.wgd.log().count("tunnel ready") == 2, "ready")
    assert usage(gateway) is None
    gateway.stop_wireguard()
    gateway.start_wireguard()
    gateway.await_peers({PUBLIC: ["10.9.0.2/32"]})
    wait_until(lambda: ",UP" in gateway.run("ip", "link", "show", "wgt0", check=False), "up")
    client.reconnect()
    client.send(840000)  # the interface is new, the sum is not
    record = await_cut(gateway)
    assert 2 * MB <= int(record["used_bytes"]) < 3.5 * MB
    wait_until(lambda: (gateway.dir / "state/wgd/usage").exists(), "written")
    gateway.wgd.kill()
    gateway.redis.stop()
    starts = gateway.wgd.log().count("devices known")
    gateway.wgd.start()
    wait_until(lambda: gateway.wgd.log().count("devices known") > starts, "last good")
    gateway.redis.start()
    assert int(await_cut(gateway)["used_bytes"]) >= 2 * MB


@pytest.mark.parametrize("text", ["", "culvert-usage 1 1 0 1\n", "\0" * 100],
                         ids=["empty", "cut", "zeros"])
def test_corrupt_usage_is_reported_and_the_file_before_taken(gateway, client, text):
    set_quota(gateway, MB)
    client.send(1200000)
    await_cut(gateway)
    file = gateway.dir / "state/wgd/usage"
    wait_until(file.exists, "written")
    client.send(12000)
    gateway.wgd.stop()  # writes again if there is news
    before = file.with_name("usage.1")
    if not before.exists():
        before.write_bytes(file.read_bytes())
        before.chmod(0o644)
    file.write_text(text)
    gateway.wgd.start()
    wait_until(lambda: "usage taken from the file before" in gateway.wgd.log(), "the one before")
    assert "usage not read" in gateway.wgd.log() and "the file is corrupt" in gateway.wgd.log()
    await_cut(gateway)


def test_without_any_usage_file_quotas_count_from_now(gateway, client):
    client.send(1200000)
    gateway.a_pass()
    gateway.wgd.stop()
    for name in ("usage", "usage.1"):
        (gateway.dir / "state/wgd" / name).unlink(missing_ok=True)
    gateway.wgd.start()
    set_quota(gateway, MB)
    wait_until(lambda: gateway.wgd.log().count("no usage is known") == 2, "said")
    wait_until(lambda: counted(gateway)["devices"] == 1, "read")
    assert usage(gateway) is None  # the 1.2 MB are of before
    client.send(1200000)
    await_cut(gateway)


def test_full_disk_is_said_once_and_wgd_goes_on(make_gateway):
    with make_gateway() as gateway:
        client = None
        try:
            state = gateway.dir / "state/wgd"
            gateway.wgd.stop()
            gateway.run("sh", "-c", f"cp -a {state} {state}.full && "
                        f"mount -t tmpfs -o size=96k,mode=700,uid=64101,gid=64101 tmpfs {state} && "
                        f"cp -a {state}.full/keys {state}/ && "
                        f"dd if=/dev/zero of={state}/filler bs=1k count=200 2>/dev/null; true")
            gateway.wgd.start()
            set_quota(gateway, MB)
            client = Client(gateway, 2, PRIVATE, "10.9.0.2")
            client.send(1440000)
            await_cut(gateway)
            wait_until(lambda: counted(gateway)["file"] == "No space left on device", "said")
            assert gateway.wgd.log().count("usage not written, counting goes on") == 1
            set_quota(gateway, 50 * MB)  # the bus goes on, too
            await_free(gateway)
            gateway.run("rm", state / "filler")
            wait_until(lambda: counted(gateway)["file"] == "good", "written again")
            assert "usage written again" in gateway.wgd.log()
        finally:
            if client:
                client.close()


def test_device_that_takes_over_a_key_does_not_pay_for_the_one_before(gateway, client):
    """The peer lives on under another id, and so do its counters."""
    client.send(2 * MB)
    gateway.a_pass()
    gateway.bus.set("device_keys", {"tablet": {"id": "tablet", "public_key": PUBLIC}})
    gateway.bus.remove("device_keys", "phone")
    gateway.bus.set("devices", {"tablet": {"id": "tablet", "addresses": ["10.9.0.2"],
                                           "active": True, "quota_bytes": MB}})
    gen = gateway.bus.remove("devices", "phone")
    assert gateway.bus.applied("tablet", gen)["ok"]
    gateway.a_pass()
    assert gateway.redis("HGET", "culvert:state:usage:wgd", "tablet") is None
    gateway.wgd.stop()  # nor after a restart
    gateway.wgd.start()
    wait_until(lambda: gateway.status().get("peers") == 1, "known")
    gateway.a_pass()
    assert gateway.redis("HGET", "culvert:state:usage:wgd", "tablet") is None
    client.send(MB)

    def cut():
        kick(gateway)
        return gateway.redis("HGET", "culvert:state:usage:wgd", "tablet")
    assert int(json.loads(wait_until(cut, "cut"))["used_bytes"]) < 2 * MB
