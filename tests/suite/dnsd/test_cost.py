# SPDX-License-Identifier: GPL-3.0-or-later
"""What a query costs besides time: no memory is taken for it, and no system call made but for its batch (DESIGN 7)."""
import re
import signal
import socket
import subprocess

import pytest

import bulk
from bulk import BLOCKED, PASSED
from dnsdlib import GATEWAY, PHONE
from preload import Preload
from support import BUILD, DEADLINE_S
from support.wait import wait_until

QUERIES, CACHED, BURST = 6000, 500, 128
# What goes on beside: heartbeats, counters for the bus.
BESIDE = 1500
PER_BATCH = {"recvmmsg", "sendmmsg", "epoll_wait", "epoll_pwait", "epoll_ctl"}


@pytest.fixture
def fast():
    upstream = bulk.FastUpstream()
    yield upstream
    upstream.close()


def kinds():
    """kind -> (names, what each is told)"""
    cached = ["c%03d.plain.example" % (i % CACHED) for i in range(QUERIES)]
    return {"cached": (cached, PASSED), "blocked": (["b%05d.listed.example" % i for i in range(QUERIES)], BLOCKED),
            "forwarded": (["f%05d.plain.example" % i for i in range(QUERIES)], PASSED)}


def ask(world, names, want):
    asker = bulk.Asker((GATEWAY, world.port), PHONE, list(enumerate(names)))
    bulk.run([asker])
    assert set(asker.answers.values()) == {want} and len(asker.answers) == len(names)


def ask_in_bursts(world, names, want):
    """So that there are batches, however slow this program is."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((PHONE, 0))
        s.settimeout(DEADLINE_S)
        s.connect((GATEWAY, world.port))
        for at in range(0, len(names), BURST):
            burst = [bulk.question(n, i) for i, n in enumerate(names[at:at + BURST])]
            for message in burst:
                s.send(message)
            assert {bulk.outcome(s.recv(512)) for _ in burst} == {want}


def warm(world):
    """What is taken once is taken: the device's counters, the sockets to upstream, the cache."""
    for names, want in kinds().values():
        ask(world, names[:CACHED], want)


@pytest.mark.skipif("asan" in BUILD.name, reason="the sanitizer's own allocator")
def test_no_memory_is_taken_per_query(make_world, fast):
    """D1"""
    preload = Preload("count_allocations")
    counter = preload.file("COUNT_FILE")
    counter.write_bytes(bytes(8))
    counter.chmod(0o666)
    world = make_world(fast.url)
    (world.run / "culvert.conf").write_text((world.run / "culvert.conf").read_text().replace("=debug", "=notice"))
    world.redis.start()
    world.publish_policy()
    world.syncd.start()
    world.dnsd.start(env=preload.env)
    world.await_policy()
    warm(world)
    taken = {}
    for kind, (names, want) in kinds().items():
        before = int.from_bytes(counter.read_bytes(), "little")
        assert before > 1000  # it does count
        ask(world, names, want)
        taken[kind] = int.from_bytes(counter.read_bytes(), "little") - before
    print("taken for %d queries each: %s" % (QUERIES, taken))
    world.dnsd.stop()
    preload.close()
    assert max(taken.values()) < BESIDE, taken


def test_no_system_call_is_made_but_for_a_batch(make_world, fast):
    """D1: with a batch of 64 that is far less than one per query"""
    world = make_world(fast.url)
    (world.run / "culvert.conf").write_text((world.run / "culvert.conf").read_text().replace("=debug", "=notice"))
    world.up()
    warm(world)
    for kind, (names, want) in kinds().items():
        table = world.run / ("calls-" + kind)
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-c", "-o", table, "-p", str(world.dnsd.process.pid)])
        wait_until(lambda: re.search(r"TracerPid:\t[1-9]", open("/proc/%d/status" % world.dnsd.process.pid).read()),
                   "the tracer")
        ask_in_bursts(world, names, want)
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        calls = {line.split()[-1]: int(line.split()[3]) for line in table.read_text().splitlines()
                 if re.match(r" *[0-9.]+ +[0-9.]+ +[0-9]+ +[0-9]+ ", line) and not line.endswith("total")}
        print(kind, calls)
        beside = sum(n for name, n in calls.items() if name not in PER_BATCH)
        assert calls.get("recvmmsg") and beside < QUERIES / 20, (kind, calls)
        assert sum(calls.values()) < QUERIES / 2, (kind, calls)
