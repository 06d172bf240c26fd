# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of a daemon under test that fail by their number (fault_inject.c).

	faults = Faults()
	daemon.start(env=faults.env)
	with faults.failing("memory", first=3):      # the third call from now on, alone
	    ...
"""
import contextlib
import mmap
import pathlib
import struct

from preload import Preload

KINDS = ("memory", "write", "connect", "socket")
ROW = struct.Struct("=QQQ")  # seen, first, last
FOREVER = 2 ** 63


class Faults:
    def __init__(self):
        self.shim = Preload("fault_inject", pathlib.Path(__file__).parent)
        path = self.shim.file("FAULT_FILE")
        path.write_bytes(bytes(ROW.size * len(KINDS)))
        path.chmod(0o666)
        with path.open("r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 0)
        self.env = self.shim.env

    def seen(self, kind):
        """How many calls there were."""
        return ROW.unpack_from(self.memory, KINDS.index(kind) * ROW.size)[0]

    @contextlib.contextmanager
    def failing(self, kind, first=1, count=1):
        """From the first-th call from now on, so many fail (None: all, until the end)."""
        at = KINDS.index(kind) * ROW.size + 8
        begin = self.seen(kind) + first
        # The last one before the first one, by which the fault begins.
        struct.pack_into("=Q", self.memory, at + 8, FOREVER if count is None else begin + count - 1)
        struct.pack_into("=Q", self.memory, at, begin)
        try:
            yield
        finally:
            struct.pack_into("=Q", self.memory, at, 0)

    def close(self):
        self.memory.close()
        self.shim.close()
