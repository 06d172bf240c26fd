# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib

import pytest

from support.wait import wait_until
from wgdlib import Gateway


@contextlib.contextmanager
def running(*interfaces, **options):
    """A gateway with wgd and WireGuard up. wgd must end with status 0: no handle leaks."""
    one = Gateway(**options)
    try:
        one.start_wireguard(*interfaces)
        one.wgd.start()
        wait_until(lambda: all(t["state"] == "ready" for t in one.status().get("tunnels", [{"state": ""}])),
                   "tunnels ready")
        yield one
    except AssertionError as exc:
        raise AssertionError("%s\n%s" % (exc, one.wgd.log()[-3000:])) from exc
    finally:
        one.close()


@pytest.fixture
def make_gateway():
    """running(*further interfaces, **options of Gateway) as a context."""
    return running


@pytest.fixture
def gateway():
    with running() as one:
        yield one
