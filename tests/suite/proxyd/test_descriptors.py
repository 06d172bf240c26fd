# SPDX-License-Identifier: GPL-3.0-or-later
"""Out of file descriptors (issue: accept pauses on EMFILE)."""
import os
import re
import subprocess
import threading

import pytest
from proxylib import SITE
from support.wait import wait_until

HOST = "allowed.example"


@pytest.fixture
def starved(new_world):
    """A proxyd with few descriptors left."""
    _starve(new_world, 24)
    return new_world


def _starve(world, left):
    pid = world.proxyd.process.pid
    used = max(int(n) for n in os.listdir("/proc/%d/fd" % pid)) + 1
    owner = os.stat("/proc/%d" % pid)
    subprocess.run(["setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid), "--clear-groups", "prlimit",
                    "--pid", str(pid), "--nofile=%d:" % (used + left)], check=True)


def test_out_of_descriptors_it_pauses_and_goes_on(starved):
    """Neither dies, nor turns in circles: those who wait are served when there is room."""
    w = starved
    held = []
    try:
        for _ in range(60):
            held.append(w.connect())
        wait_until(lambda: "accept paused" in w.proxyd.log(), "pause")
        before = _cpu_ticks(w)
        threading.Event().wait(1)
        assert _cpu_ticks(w) - before < 50  # of 100 in a second
    finally:
        for c in held:
            c.close()
    assert w.get("http://%s/" % HOST).status == 200
    assert w.get_secure("https://%s/" % HOST).status == 200


def test_out_of_descriptors_a_website_has_a_page(starved):
    """The client's connection took the last one."""
    w = starved
    held = [w.connect()]
    c = w.connect()
    try:
        for _ in range(60):
            held.append(w.connect())
        wait_until(lambda: "accept paused" in w.proxyd.log(), "pause")
        r = c.ask("GET", "http://s1.test.example/", "s1.test.example")  # none is kept
        assert r.status in (502, 503), r
    finally:
        for one in [*held, c]:
            one.close()
    wait_until(lambda: w.get("http://%s/" % HOST).status == 200, "served again")


def test_out_of_descriptors_idle_connections_make_room(new_world):
    """Those to web servers that rest go before a request is refused."""
    w = new_world
    for i in range(10):
        assert w.get("http://s%d.test.example/" % i).status == 200
    wait_until(lambda: w.status()["pooled"] >= 10, "ten at rest")
    c = w.connect()
    assert c.ask("GET", "http://s0.test.example/", "s0.test.example").status == 200
    held = []
    try:
        _starve(w, 4)
        for _ in range(30):
            held.append(w.connect())
        wait_until(lambda: "accept paused" in w.proxyd.log(), "pause")
        # An address, since asking for a name takes a descriptor, too; nobody listens there.
        r = c.ask("GET", "http://%s:8181/" % SITE, SITE + ":8181")
        assert r.status == 502 and "refused" in r.text, r
    finally:
        for one in [*held, c]:
            one.close()


def _cpu_ticks(world):
    with open("/proc/%d/stat" % world.proxyd.process.pid, encoding="ascii") as stat:
        fields = re.sub(r".*\) ", "", stat.read()).split()
    return int(fields[11]) + int(fields[12])


def test_takes_as_many_descriptors_as_it_may_have(world):
    """10,000 tunnels are more than the usual soft limit."""
    with open("/proc/%d/limits" % world.proxyd.process.pid, encoding="ascii") as limits:
        soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits.read()).groups()
    assert soft == hard
