# SPDX-License-Identifier: GPL-3.0-or-later
"""fwd where memory is short (SPEC F8): it lives, what is in force stays, and it catches up."""
import pathlib
import resource

from faultlib import Faults
import pytest
from support import BUILD
from support.process import set_limit
from support.wait import wait_until
from world import QUIET_S, UID, device, first_devices

SHORT = "Cannot allocate memory"


def _others():
    return {name: record for name, record in first_devices().items() if name != "internet"}


def _changes(world):
    """A device goes, which cuts its connections, and is there again under other rules."""
    world.owner.replace("devices", _others())
    return world.owner.replace("devices", {**_others(), "internet": device("internet", egress="web")})


def _is_caught_up(world):
    world.owner.replace("devices", first_devices())
    world.wait_applied("devices")
    return world.probe_one("internet", "93.184.216.34", "tcp", 80, patience=QUIET_S)


@pytest.mark.skipif("asan" in BUILD.name, reason="the sanitizer's own allocator")
def test_no_memory_for_threads_or_rules_right_after_the_start(world):
    """What it was when it was found: libuv's threads were made with the first work, which ended the program."""
    world.fwd.stop()
    world.start_fwd()
    pid = world.fwd.process.pid
    size = int(pathlib.Path("/proc/%d/statm" % pid).read_text().split()[0]) * resource.getpagesize()
    failed = world.fwd.log().count(SHORT)
    assert set_limit(pid, UID, "as", size)
    try:
        def has_failed():
            assert world.fwd.is_running(), world.fwd.log()[-2000:]
            _changes(world)
            return world.fwd.log().count(SHORT) > failed
        wait_until(has_failed, "memory to be short")
    finally:
        set_limit(pid, UID, "as", "unlimited")
    _is_caught_up(world)


@pytest.fixture(scope="module")
def faulty(world):
    """fwd whose calls can be made to fail."""
    faults = Faults()
    world.fwd.stop()
    world.start_fwd(env=faults.env)
    yield world, faults
    world.fwd.stop()
    faults.close()
    world.start_fwd()


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_an_allocation_that_fails_anywhere_ends_nothing(faulty, count):
    """Of those that changes need, some by a seed, one alone and all from there on."""
    world, faults = faulty

    def work():
        gen = _changes(world)
        return lambda: world.redis.applied("fwd", "devices") >= gen
    faults.each("memory", count, world.fwd, work, lambda: _is_caught_up(world))
