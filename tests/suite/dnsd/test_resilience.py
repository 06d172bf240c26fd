# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong around dnsd: Redis, its disk, its image; lists that change while it is asked (D1, D3, D8)."""
import os
import subprocess

import pytest

import bulk
from bulk import BLOCKED, PASSED
from dnsdlib import GATEWAY, LAPTOP, PHONE, UID, addresses
from preload import Preload
from support.process import Daemon
from support.wait import wait_until


RELOAD_NAMES, RELOADS = int(os.environ.get("RELOAD_NAMES") or 60_000), int(os.environ.get("RELOADS") or 5)


@pytest.fixture
def fast():
    upstream = bulk.FastUpstream()
    yield upstream
    upstream.close()


def seen(world, name, source=PHONE, timeout=0.3):
    """What the device is told: an address, or None for silence."""
    answer = world.ask(name, source=source, timeout=timeout)
    return None if answer is None else (addresses(answer) or [str(answer.rcode())])[0]


def put_list(world, names):
    """The list adblock whole; whoever reads it sees all of it or nothing."""
    part = world.run / "lists/.part"
    part.write_text("||listed.example^\n" + "".join("||%s^\n" % n for n in names))
    part.rename(world.run / "lists/adblock.txt")


def names_of(count, tag="bulk"):
    return ["%s%06d.net" % (tag, i) for i in range(count)]


def write_names(world, names):
    path = world.run / "asked"
    path.write_text("".join("%s\n" % n for n in names))
    return path


def images(world):
    return [p for p in (world.run / "cache/dnsd").rglob("*") if p.is_file()]


def test_policy_outlives_redis_and_follows_it_again(make_world, fast):
    """D8: nothing changes for devices while Redis is gone, and changes arrive when it is back"""
    world = make_world(fast.url).up()
    world.redis.kill()  # it keeps nothing on disk
    for i in range(20):
        assert seen(world, "g%d.listed.example" % i, timeout=5) == BLOCKED
        assert seen(world, "g%d.listed.example" % i, LAPTOP, timeout=5) == PASSED
        assert seen(world, "g%d.plain.example" % i, timeout=5) == PASSED
    world.redis.start()
    world.publish_policy()
    wait_until(lambda: world.status().get("state"), "dnsd on the bus")
    world.bus.set("device_prefs", {"device:phone": {"id": "device:phone", "lists_off": ["adblock"]}})
    wait_until(lambda: seen(world, "back.listed.example") == PASSED, "the change")


def test_empty_redis_takes_no_policy_away(make_world, fast):
    """D8: an owner that has published nothing yet is unknown, not empty"""
    world = make_world(fast.url).up()
    steady = bulk.Steady(world, write_names(world, ["e%d.listed.example" % i for i in range(50)]), 500)
    world.redis.kill()  # it keeps nothing on disk
    world.redis.start()
    wait_until(lambda: world.status().get("state"), "dnsd on the bus")
    got = steady.end()
    assert got["lost"] == got["wrong"] == 0 and got["sent"], got


def test_changed_lists_lose_no_query_and_open_nothing(make_world, fast):
    """D1, D3: the list is replaced over and over while its names are asked for, and nobody waits for it"""
    world = make_world(fast.url).up()
    names = names_of(RELOAD_NAMES)
    put_list(world, names)
    wait_until(lambda: seen(world, names[-1]) == BLOCKED, "the list", 60)
    asked = write_names(world, names[::7])
    normal = bulk.Steady(world, asked, 2000, seconds=1).result()
    runs = []
    for i in range(RELOADS):
        steady = bulk.Steady(world, asked, 2000, seconds=600)
        put_list(world, [*names, "marker%d.example" % i])
        wait_until(lambda n=i: seen(world, "marker%d.example" % n) == BLOCKED, "the changed list", 60)
        steady.stop()
        runs.append(steady)
    runs = [steady.result() for steady in runs]
    print("normal %s\nwith a reload of %d names each %s" % (normal, RELOAD_NAMES, runs))
    assert not any(got["lost"] or got["wrong"] for got in runs) and sum(got["sent"] for got in runs) > 500, runs
    # The bench asks for 5 ms on a machine of its own; one that has others to serve too stands still for them now and
    # then, but not each time.
    stalls = sorted(got["stall_ms"] for got in runs)
    assert stalls[len(stalls) // 2] < normal["stall_ms"] + 250, (normal, runs)


SLOW_DISK_MS = 400


def stall_of_a_changed_list(world, asked, tag):
    names = names_of(100_000, tag)  # several slices
    steady = bulk.Steady(world, asked, 500)
    put_list(world, names)
    wait_until(lambda: seen(world, names[-1], timeout=5) == BLOCKED, "the list")
    got = steady.end()
    assert got["lost"] == got["wrong"] == 0 and got["sent"] > 100, got
    return got["stall_ms"]


def test_slow_disk_makes_no_query_wait(make_world, fast):
    """D1: what is kept of a changed list is written beside the loop, not on it"""
    world, preload = make_world(fast.url), Preload("slow_disk", SLOW_DISK_MS=SLOW_DISK_MS)
    calls = preload.file("SLOW_DISK_LOG")
    calls.touch()
    calls.chmod(0o666)
    world.redis.start()
    world.publish_policy()
    world.syncd.start()
    world.dnsd.start(env=preload.env)
    world.await_policy()
    asked = write_names(world, ["w%d.listed.example" % i for i in range(50)])
    before, stalls = len(calls.read_text().splitlines()), []
    # A machine that has others to serve too stands still for them now and then, but not each time.
    while len(stalls) < 4 and min(stalls, default=SLOW_DISK_MS) >= SLOW_DISK_MS / 2:
        stalls.append(stall_of_a_changed_list(world, asked, "slow%d" % len(stalls)))
    waited = calls.read_text().splitlines()[before:]
    world.dnsd.stop()
    preload.close()
    assert "fsync" in waited and not [call for call in waited if call.endswith(" loop")], waited
    assert min(stalls) < SLOW_DISK_MS / 2, stalls


def test_nothing_is_open_while_lists_load(make_world, fast):
    """D8: from the first moment; silence until the policy is whole"""
    world = make_world(fast.url)
    names = names_of(200_000)
    put_list(world, names)
    steady = bulk.Steady(world, write_names(world, names[::501] + ["x.listed.example"]), 1000)
    world.up()
    wait_until(lambda: seen(world, names[-1]) == BLOCKED, "the list")
    before = world.dnsd.process.pid
    world.dnsd.kill()  # and again, from its own disk
    world.dnsd.start()
    wait_until(lambda: seen(world, names[-1]) == BLOCKED, "the list")
    assert world.dnsd.process.pid != before
    got = steady.end()
    assert got["wrong"] == 0 and got["lost"] < got["sent"], got


DAMAGE = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[:len(data) // 2],
    "one bit": lambda data: data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:],
    "zeros": lambda data: bytes(len(data)),
    "another": lambda data: data[::-1],
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_damaged_image_is_never_believed(make_world, fast, damage):
    """D8: closed without Redis, right again with it"""
    world = make_world(fast.url).up()
    put_list(world, names_of(5000))
    wait_until(lambda: seen(world, names_of(5000)[-1]) == BLOCKED, "the list")
    wait_until(lambda: (world.run / "state/dnsd/last-good").exists(), "last good on disk")
    world.dnsd.stop()
    world.redis.pause()
    try:
        hit = [p for p in images(world) if p.stat().st_size > 1000]
        assert hit
        for path in hit:
            path.write_bytes(DAMAGE[damage](path.read_bytes()))
        world.dnsd.start()
        wait_until(lambda: world.ask("up.example", source="system", timeout=0.3), "dnsd")
        for i in range(5):
            assert seen(world, "d%d.listed.example" % i) in (None, BLOCKED)
            assert seen(world, "bulk%06d.net" % i) in (None, BLOCKED)
    finally:
        world.redis.resume()
    wait_until(lambda: seen(world, "bulk000001.net") == BLOCKED, "the image from Redis")
    wait_until(lambda: seen(world, "whole.plain.example") == PASSED, "a name on no list")


@pytest.mark.parametrize("what", ["last-good", "everything"])
def test_damaged_state_is_closed_until_redis_tells(make_world, fast, what):
    """D8"""
    world = make_world(fast.url).up()
    last_good = world.run / "state/dnsd/last-good"
    wait_until(last_good.exists, "last good on disk")
    world.dnsd.stop()
    last_good.write_bytes(last_good.read_bytes()[:-20] + b"\0" * 7)
    if what == "everything":
        for path in images(world):
            path.unlink()
    world.redis.pause()
    try:
        world.dnsd.start()
        wait_until(lambda: world.ask("up.example", source="system", timeout=0.3), "dnsd")
        assert seen(world, "d.listed.example") in (None, BLOCKED)
    finally:
        world.redis.resume()
    wait_until(lambda: seen(world, "e.listed.example") == BLOCKED, "policy in force")


class FullDisk:
    """In a host's place for Daemon: state and cache on small disks of their own, seen by the daemon alone."""

    def __init__(self, world, kib):
        self.places = [world.run / kind / "dnsd" for kind in ("state", "cache")]
        self.script = " && ".join(
            ["mount -t tmpfs -o size=%dk,mode=0700,uid=%d,gid=%d tmpfs %s" % (kib, UID, UID, place)
             for place in self.places] + ['exec "$@"'])

    def argv(self, *argv):
        return ["unshare", "-m", "--", "sh", "-c", self.script, "sh", *map(str, argv)]

    def grow(self, pid):
        for place in self.places:
            subprocess.run(["nsenter", "-t", str(pid), "-m", "mount", "-o", "remount,size=16m", str(place)], check=True)


def test_full_disk_keeps_what_is_in_force(make_world, fast):
    """D8: a list that does not fit is not in force; the one before it stays until there is room"""
    assert os.geteuid() == 0
    world = make_world(fast.url)
    world.dnsd = Daemon("dnsd", world.run / "culvert.conf", world.run / "dnsd.log", FullDisk(world, 256))
    world.up()
    steady = bulk.Steady(world, write_names(world, ["f%d.listed.example" % i for i in range(50)]), 300)
    put_list(world, names_of(100_000))  # more than a MiB
    wait_until(lambda: "No space left" in world.dnsd.log(), "dnsd to notice")
    assert world.dnsd.is_running()
    assert seen(world, "still.listed.example", timeout=5) == BLOCKED
    world.dnsd.host.grow(world.dnsd.process.pid)
    wait_until(lambda: seen(world, names_of(100_000)[-1]) == BLOCKED, "the list, now that there is room")
    got = steady.end()
    assert got["lost"] == got["wrong"] == 0 and got["sent"], got
