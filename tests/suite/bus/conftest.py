# SPDX-License-Identifier: GPL-3.0-or-later
import buslib
import pytest

from support.bus import Probe


@pytest.fixture
def probe(place, redis):
    """Makes probes and ends them; a leak or a sanitizer's finding fails the test."""
    made = []

    def make(daemon, server=None, **more):
        p = Probe(daemon, server or f"unix:{redis.socket}", place, **more)
        made.append(p)
        return p

    yield make
    redis.resume() if redis.process.poll() is None else None
    for p in made:
        if p.process.returncode is None:
            p.quit()


@pytest.fixture
def pair(probe):
    """apid with thirty devices, and fwd that has them."""
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    fwd.wait("batch", gen=apid.replace("devices", buslib.devices(30)), current=True)
    fwd.drain()
    return apid, fwd


@pytest.fixture
def alone(pair):
    """fwd of the pair, whose owner sleeps."""
    apid, fwd = pair
    with buslib.asleep(apid):
        yield fwd
