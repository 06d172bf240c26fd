# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/2 towards clients as time goes by, which the test makes go by (P17)."""
import pytest
from h2lib import Client
from support.clock import Clock

CANCEL, NO_ERROR = 8, 0
LIMIT_S = 60


@pytest.fixture(name="clock")
def fixture_clock(new_world):
    clock = Clock(new_world.dir, is_monotonic=True)
    new_world.proxyd.stop()
    new_world.start_proxyd(env=clock.options["env"])
    return clock


def test_stream_without_a_window_is_ended_after_a_minute(new_world, clock):
    """And its connection goes on."""
    big = bytes(1 << 20)
    new_world.secure.routes["/big"] = lambda r: r.answer(body=big)
    with Client(new_world, windows=False) as c:
        c.h2.increment_flow_control_window(1 << 28)  # the connection's
        c.flush()
        stalled = c.request("/big")
        c.until(lambda: len(c.answers[stalled].body) == 65535)
        clock.set(LIMIT_S - 10)
        assert c.get("/").status == 200
        assert c.answers[stalled].reset is None
        clock.set(LIMIT_S + 5)
        assert c.wait(stalled).reset == CANCEL
        assert c.get("/").status == 200


def test_connection_at_rest_is_told_goodbye_after_a_minute(new_world, clock):
    with Client(new_world) as c:
        assert c.get("/").status == 200
        clock.set(LIMIT_S - 10)
        assert c.get("/").status == 200
        clock.set(2 * LIMIT_S)
        assert c.wait_closed() == NO_ERROR
