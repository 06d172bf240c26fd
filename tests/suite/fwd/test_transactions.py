# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions beside other writers, killed writers, and reloads (F1, F8, C2, C3)."""
import random
import signal
import subprocess
import time

import pytest

from support.network import SITE
from support.wait import wait_until
from test_changes import rules, tidy, whole
from world import device

CHANGES = 200


@pytest.fixture(autouse=True)
def usual_devices(world):
    before = dict(world.owner.records["devices"])
    yield
    if not world.fwd.is_running():
        world.start_fwd()
    world.owner.replace("devices", before)
    world.wait_applied("devices")


WRITER = """
nft add table inet busy; nft add set inet busy s '{ type ipv4_addr; }'
i=0
while [ $i -lt %d ]; do
    nft add element inet busy s "{ 192.0.2.$((i %% 250 + 1)) }" || exit 1
    nft flush set inet busy s || exit 1
    i=$((i + 1))
done
nft delete table inet busy
""" % CHANGES


def test_changes_beside_another_writer_are_all_in_force(world):
    """F1: 200 changes while another program makes 400 transactions of its own."""
    faults = world.fwd.log().count("rules not applied")
    heals = world.status()["heals"]
    writer = world.gw.start("sh", "-c", WRITER, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for i in range(CHANGES):
            world.owner.set("devices", {"busy%d" % i: device("busy%d" % i, number=100 + i % 150 + 1,
                                                             profile=("full", "intranet")[i % 2],
                                                             addresses=["10.9.1.%d" % (i + 1)])})
        world.wait_applied("devices")
        assert writer.wait(300) == 0, writer.stderr.read()
    finally:
        writer.kill()
        writer.wait()
        writer.stderr.close()
    have = world.nft("list", "map", "inet", "culvert", "devices4")
    missing = [i for i in range(CHANGES) if "10.9.1.%d :" % (i + 1) not in have]
    assert not missing
    assert world.fwd.log().count("rules not applied") == faults
    assert world.status()["heals"] == heals  # what others do elsewhere is no drift


def test_a_killed_writer_leaves_whole_rules(world):
    """C3, F8: kill -9 at any moment of a rewrite; the next start takes over."""
    before = whole(world)
    chance = random.Random(1)
    for _ in range(10):
        world.fwd.send(signal.SIGHUP)
        time.sleep(chance.random() * 0.03)
        world.fwd.kill()
        after = whole(world)
        assert after == before
        known = world.fwd.log().count("devices known")
        world.start_fwd()
        # The status may still be the former process's.
        wait_until(lambda n=known: world.fwd.log().count("devices known") > n, "devices")
    wait_until(lambda: whole(world) == before, "rules as before")


def edit(world, old, new):
    text = world.fwd.conf.read_text()
    assert old in text
    world.fwd.conf.write_text(text.replace(old, new))


def reload(world, says):
    count = world.fwd.log().count(says)
    world.fwd.send(signal.SIGHUP)
    wait_until(lambda: world.fwd.log().count(says) > count, says)


def test_a_reload_changes_what_can_change(world):
    """C2: intercept and masquerade, by one transaction."""
    tidy(world)
    world.forget_status()
    wait_until(world.status, "a fresh status", 60)
    before = sorted(rules(world))
    text = world.fwd.conf.read_text()
    rewrites = world.status()["rewrites"]
    try:
        edit(world, "intercept = no", "intercept = yes\nmasquerade = no")
        reload(world, "reloaded")
        table = world.nft("list", "table", "inet", "culvert")
        assert "3129" in table
        assert "masquerade" not in table.split("chain nat_out")[1].split("}")[0].replace(
            "type nat hook postrouting", "")
        assert world.probe_one("full", SITE[4], "tcp", 443)[2].startswith("gw")
        wait_until(lambda: world.status()["rewrites"] == rewrites + 1)
    finally:
        world.fwd.conf.write_text(text)
        reload(world, "reloaded")
    assert sorted(rules(world)) == before


def test_reloaded_is_said_when_it_is_in_force(world):
    """C2: not while a former run's rules are kept, as Redis cannot be asked."""
    text = world.fwd.conf.read_text()
    starts = world.fwd.log().count("started version=")
    world.fwd.kill()
    world.forget_status()
    world.redis.pause()
    try:
        world.fwd.start()
        wait_until(lambda: world.fwd.log().count("started version=") > starts, "start")
        edit(world, "intercept = no", "intercept = yes")
        reload(world, "reloaded")
        assert "3129" in world.nft("list", "table", "inet", "culvert")
    finally:
        world.redis.resume()
        world.fwd.conf.write_text(text)
        reload(world, "reloaded")
        assert "3129" not in world.nft("list", "table", "inet", "culvert")
    world.wait_applied("devices")


@pytest.mark.parametrize("broken", ["intercept = perhaps", "nonsense = 1"])
def test_a_broken_file_leaves_all_in_force(world, broken):
    """C2"""
    before = sorted(rules(world))
    text = world.fwd.conf.read_text()
    try:
        edit(world, "intercept = no", broken)
        reload(world, "reload refused")
        assert sorted(rules(world)) == before
        assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"
    finally:
        world.fwd.conf.write_text(text)
    reload(world, "reloaded")


def test_no_moment_of_a_life_is_ended_by_a_reload(world):
    """C2: SIGHUP from the program's first line to its last, which SIGTERM alone brings."""
    def after_hup(value):
        world.fwd.send(signal.SIGHUP)
        return value()

    for _ in range(5):
        world.fwd.stop()
        before = world.fwd.log().count("started version=")
        world.fwd.start()
        wait_until(lambda: after_hup(lambda: world.fwd.log().count("started version=") > before), "start")
        assert world.fwd.is_running(), world.fwd.log()[-1000:]
        world.fwd.send(signal.SIGTERM)
        wait_until(lambda: after_hup(lambda: not world.fwd.is_running()), "end")
        assert world.fwd.wait() == 0
        world.start_fwd()
