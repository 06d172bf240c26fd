# SPDX-License-Identifier: GPL-3.0-or-later
"""Records for the tests of the bus, and owners that sleep."""
import contextlib
import signal


@contextlib.contextmanager
def asleep(owner):
    """It would put right what another writes in its place, on a slow machine before that was read."""
    owner.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        owner.process.send_signal(signal.SIGCONT)


def device(name, n=1, **more):
    return {"id": name, "name": name, "active": True, "addresses": [f"10.9.0.{n}"], **more}


def devices(count, **more):
    return {f"d{i}": device(f"d{i}", i % 250 + 1, **more) for i in range(count)}
