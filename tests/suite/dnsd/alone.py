# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsd alone, without Redis: whoever asks as system is answered."""
from support.wait import wait_until

GOOD = "192.0.2.1"  # what a good upstream says


def start(world):
    """dnsd without Redis: system is answered."""
    world.dnsd.start()
    wait_until(lambda: "listening" in world.dnsd.log(), "dnsd listens")
    return world


def ask(world, name, **more):
    answer = world.ask(name, source="system", timeout=20, **more)
    assert answer is not None, name
    return answer
