# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and CPU time, side by side."""
import ctypes
import os
import statistics
import time

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000

median = statistics.median


def paired(rounds, sides):
    """Calls the sides (name -> function giving a value) one after the other, `rounds` times, the
    first of them another one each time, after one round that does not count: name -> values. So
    what the machine does meanwhile meets all alike."""
    values = {name: [] for name in sides}
    names = list(sides)
    for i in range(rounds + 1):
        for name in names[i % len(names):] + names[:i % len(names)]:
            value = sides[name]()
            if i:
                values[name].append(value)
    return values


def ratio_of_pairs(values, one, other):
    """The median of the rounds' own ratios, steadier than the ratio of the medians."""
    return median([a / b for a, b in zip(values[one], values[other])])


def seconds(function, *args):
    """Wall time of one call."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def cpu_seconds(pid):
    """CPU time that the process with all its threads has used, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)


def pin(pid, *cpus):
    """All threads of the process to these CPUs; those made later inherit it."""
    for tid in os.listdir("/proc/%d/task" % pid):
        os.sched_setaffinity(int(tid), cpus)


def rss_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def enter(pid, mounts=False):
    """This process goes on in the network (and mount) namespace of another, so that programs can be
    started there without a helper whose own time would count."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind, flag in (("net", CLONE_NEWNET), ("mnt", CLONE_NEWNS))[:2 if mounts else 1]:
        fd = os.open("/proc/%d/ns/%s" % (pid, kind), os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(fd, flag):
                raise OSError(ctypes.get_errno(), "setns " + kind)
        finally:
            os.close(fd)
