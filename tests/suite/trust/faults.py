# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a gateway, as (name, begin): begin(chaos) makes it so and gives what ends it."""
import os
import resource
import shutil
import signal
import threading

from lablib import DAEMONS
from culvertlab.places import UIDS
from support.process import set_limit
from support.wait import wait_until

FILTERS = ("dnsd", "proxyd", "fwd", "wgd")
CROWD_LINK = "table inet loss {\n\tchain out {\n\t\ttype filter hook output priority 0\n" \
             "\t\tudp dport 51820 numgen random mod 100 < %d drop\n\t}\n}\n"


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def kill_one(chaos):
    name = chaos.rng.choice(DAEMONS)
    chaos.note(name)
    chaos.lab.daemon(name, "kill")
    return lambda: chaos.start(name)


def kill_all(chaos):
    for name in DAEMONS:
        chaos.lab.daemon(name, "kill")
    return lambda: [chaos.start(name) for name in chaos.rng.sample(DAEMONS, len(DAEMONS))]


def stop_one(chaos):
    """It lives and does nothing."""
    name = chaos.rng.choice(DAEMONS)
    chaos.note(name)
    pid = chaos.pid(name)
    _signal(pid, signal.SIGSTOP)
    return lambda: _signal(pid, signal.SIGCONT)


def slow_one(chaos):
    """A tenth of the time it wants."""
    name, over = chaos.rng.choice(DAEMONS), threading.Event()
    chaos.note(name)
    pid = chaos.pid(name)

    def run():
        while not over.wait(0.01):
            _signal(pid, signal.SIGSTOP)
            over.wait(0.09)
            _signal(pid, signal.SIGCONT)
    thread = threading.Thread(target=run)
    thread.start()

    def end():
        over.set()
        thread.join()
        _signal(pid, signal.SIGCONT)
    return end


def redis_gone(chaos):
    chaos.lab.daemon("redis", "kill")
    return lambda: chaos.lab.daemon("redis", "start")


def redis_emptied(chaos):
    """What it held is lost. Appeals that have left proxyd's disk are in MariaDB."""
    chaos.lab.daemon("redis", "kill")
    data = chaos.lab.places.in_run("redis", "data")
    for name in os.listdir(data):
        path = os.path.join(data, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    return lambda: chaos.lab.daemon("redis", "start")


def redis_stopped(chaos):
    """Connections stay, nobody answers: as a partition."""
    pid = int(chaos.lab.redis("INFO", "server").split("process_id:")[1].split()[0])
    _signal(pid, signal.SIGSTOP)
    return lambda: _signal(pid, signal.SIGCONT)


def mariadb_gone(chaos):
    chaos.lab.daemon("mariadb", "kill")
    return lambda: chaos.lab.daemon("mariadb", "start")


def internet_gone(chaos):
    chaos.lab.run("inet", "ip", "link", "set", "gw", "down")

    def end():
        chaos.lab.run("inet", "ip", "link", "set", "gw", "up")
        chaos.lab.run("inet", "ip", "address", "replace", "2001:db8:1::1/64", "dev", "gw", "nodad")
    return end


def resolver_stopped(chaos):
    """The Internet is there, its resolvers say nothing."""
    pid = chaos.pid("inet-resolver")
    _signal(pid, signal.SIGSTOP)
    return lambda: _signal(pid, signal.SIGCONT)


def disk_full(chaos):
    path = chaos.lab.places.in_kept("state") + "/full"
    chaos.lab.run("gw", "sh", "-c", "cat /dev/zero >%s; true" % path, check=False)
    return lambda: chaos.lab.run("gw", "rm", "-f", path)


LIMITS = {"nofile": "Max open files", "as": "Max address space"}


def _limit(chaos, what, value):
    """value(pid) for one daemon; the old limit afterwards."""
    name = chaos.rng.choice(FILTERS + ("apid", "syncd"))
    chaos.note(name)
    pid = chaos.pid(name)
    with open("/proc/%d/limits" % pid, encoding="ascii") as src:
        before = next(line for line in src if line.startswith(LIMITS[what]))[len(LIMITS[what]):].split()[0]
    assert set_limit(pid, UIDS[name], what, value(pid)), name
    return lambda: set_limit(pid, UIDS[name], what, before)


def no_descriptors(chaos):
    return _limit(chaos, "nofile", lambda pid: len(os.listdir("/proc/%d/fd" % pid)) + 1)


def no_memory(chaos):
    def size(pid):
        with open("/proc/%d/statm" % pid, encoding="ascii") as src:
            return int(src.read().split()[0]) * resource.getpagesize() + (1 << 18)
    return _limit(chaos, "as", size)


def clock_jumps(chaos):
    """An hour ahead, and back again."""
    with open(chaos.clock, "w", encoding="ascii"):
        pass
    return lambda: os.unlink(chaos.clock)


def tunnel_loses(chaos):
    """Of the phone's packets, and of those of many."""
    for host in ("phone", "laptop"):
        chaos.lab.run(host, "nft", "-f", "-", data=CROWD_LINK % chaos.rng.choice([5, 20, 40]))
    return lambda: [chaos.lab.run(host, "nft", "delete", "table", "inet", "loss") for host in ("phone", "laptop")]


def tunnel_reorders(chaos):
    """Packets of all tunnels are overtaken by later ones, and some come twice."""
    chaos.relays.disturb(chaos.rng.choice([0.1, 0.3, 0.6]), 0.1)
    return chaos.relays.straighten


FAULTS = [kill_one, kill_all, stop_one, slow_one, redis_gone, redis_emptied, redis_stopped, mariadb_gone, internet_gone,
          resolver_stopped, disk_full, no_descriptors, no_memory, clock_jumps, tunnel_loses, tunnel_reorders]


# ---- what they need of a lab ----

STATE_MIB = 64


def prepare(lab, folder):
    """The daemons' state on a small disk of its own, and a clock that can jump; they have been started anew."""
    from preload import Preload  # pylint: disable=import-outside-toplevel
    shim, clock = Preload("clock_jump"), os.path.join(str(folder), "clock-is-ahead")
    for name in DAEMONS:
        lab.daemon(name, "stop")
        real = lab.places.in_run("bin", name)
        os.rename(real, real + ".real")
        with open(real, "w", encoding="ascii") as out:
            out.write("#!/bin/sh\nLD_PRELOAD=%s CLOCK_JUMP_FILE=%s exec %s.real \"$@\"\n" % (shim.env["LD_PRELOAD"], clock, real))
        os.chmod(real, 0o755)
    state = lab.places.in_kept("state")
    lab.run("gw", "sh", "-ec", "cp -a %s %s.old; mount -t tmpfs -o size=%dm,mode=755 tmpfs %s; cp -a %s.old/. %s/" % (
        state, state, STATE_MIB, state, state, state))
    for name in DAEMONS:
        lab.daemon(name, "start")
    lab.settle(60)
    # A session that its other end has forgotten is begun anew after 15 s, or later when that is lost.
    wait_until(lambda: lab.dig("phone", "allowed.example", seconds=1).addresses, "DNS", 150)
    return shim, clock
