# SPDX-License-Identifier: GPL-3.0-or-later
"""What an idle connection keeps: resident memory of the processes, and the kernel's of their pipes."""
import fcntl
import os
import struct
import termios
import time

from .measure import rss_kib

# One pipe without data, of the default 16 slots: inode, ring, two files, dentries; by /proc/slabinfo
# before and after 2000 pipes, Linux 6.18.
PIPE_KIB = 2.4
SETTLE_S = 0.5


def pipes_kib(pids):
    """(number of pipes, KiB)"""
    found = {}
    for pid in pids:
        for fd in os.listdir("/proc/%d/fd" % pid):
            path = "/proc/%d/fd/%s" % (pid, fd)
            try:
                name = os.readlink(path)
            except FileNotFoundError:
                continue
            if name.startswith("pipe:") and name not in found:
                found[name] = buffered(path)
    return len(found), sum(PIPE_KIB + n / 1024 for n in found.values())


def buffered(path):
    """Bytes that lie in the pipe."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]
    finally:
        os.close(fd)


def memory_kib(pids):
    """(all, of it RSS, pipes)"""
    rss = sum(rss_kib(pid) for pid in pids)
    count, kernel = pipes_kib(pids)
    return rss + kernel, rss, count


def settled_kib(pids):
    """Once it does not change any more."""
    before = memory_kib(pids)
    for _ in range(20):
        time.sleep(SETTLE_S)
        after = memory_kib(pids)
        if abs(after[0] - before[0]) < 64:
            return after
        before = after
    return before
