# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of a daemon under test that fail by their number (fault_inject.c).

	faults = Faults()
	daemon.start(env=faults.env)
	with faults.failing("memory", first=3):      # the third call from now on, alone
	    ...
"""
import contextlib
import mmap
import os
import pathlib
import random
import struct

from preload import Preload
from support.wait import wait_until

KINDS = ("memory", "file", "connect")
ROW = struct.Struct("=QQQ")  # seen, first, last
FOREVER = 2 ** 63
# How many calls of each work fail, one after the other. More with FAULT_POINTS, others with FAULT_SEED.
POINTS, SEED = int(os.environ.get("FAULT_POINTS", "2")), int(os.environ.get("FAULT_SEED", "17"))


class Faults:
    def __init__(self):
        self.shim = Preload("fault_inject", pathlib.Path(__file__).parent, is_first=True)
        path = self.shim.file("FAULT_FILE")  # in the shim's env
        path.write_bytes(bytes(ROW.size * len(KINDS)))
        path.chmod(0o666)
        with path.open("r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 0)
        # What is lost with memory that is short is not looked for.
        self.env = {**self.shim.env, "ASAN_OPTIONS": self.shim.env["ASAN_OPTIONS"] + ":detect_leaks=0"}

    def seen(self, kind):
        """How many calls there were."""
        return ROW.unpack_from(self.memory, KINDS.index(kind) * ROW.size)[0]

    @contextlib.contextmanager
    def failing(self, kind, first=1, count=1):
        """From the first-th call from now on, so many fail (None: all, until the end). Gives a function: has one
        failed?"""
        at = KINDS.index(kind) * ROW.size + 8
        begin = self.seen(kind) + first
        # The last one before the first one, by which the fault begins.
        struct.pack_into("=Q", self.memory, at + 8, FOREVER if count is None else begin + count - 1)
        struct.pack_into("=Q", self.memory, at, begin)
        try:
            yield lambda: self.seen(kind) >= begin
        finally:
            struct.pack_into("=Q", self.memory, at, 0)

    def each(self, kind, count, daemon, work, is_well, points=POINTS):
        """The work, with one of its calls failing (count 1), or that one and all after it (None): some by a seed.
        work() makes changes and gives a function: are they in force? is_well() raises unless all is as it should be,
        after some time; and at no time does the daemon end."""
        for _ in range(2):  # the first time may need more
            before = self.seen(kind)
            wait_until(work(), "work without faults")
        needed, rng = self.seen(kind) - before, random.Random(SEED)
        assert needed > 1, "none of these calls is seen"
        for first in sorted(rng.randrange(1, needed) for _ in range(points)):
            with self.failing(kind, first, count) as has_failed:
                self._work_until(lambda: has_failed() or not daemon.is_running(), work, "call %d" % first)
            assert daemon.is_running(), "%s %d: %s" % (kind, first, daemon.log()[-4000:])
            try:
                is_well()
            except AssertionError as e:
                raise AssertionError("after %s %d: %s\n%s" % (kind, first, e, daemon.log()[-4000:])) from e
        assert daemon.is_running(), daemon.log()[-4000:]

    @staticmethod
    def _work_until(is_over, work, what):
        """Again and again, for it may need fewer calls than before."""
        is_done = work()

        def is_enough():
            nonlocal is_done
            if not is_over() and is_done():
                is_done = work()
            return is_over()
        wait_until(is_enough, what)

    def close(self):
        self.memory.close()
        self.shim.close()
