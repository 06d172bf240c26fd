# SPDX-License-Identifier: GPL-3.0-or-later
import time

from . import DEADLINE_S


def wait_until(predicate, what="condition", seconds=DEADLINE_S):
    """Polls until predicate() is true and gives its value; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.01)
