# SPDX-License-Identifier: GPL-3.0-or-later
import sys
import pathlib
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import buslib  # noqa: E402


@pytest.fixture
def place():
    # A short path: a unix socket's name has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="cvbus") as d:
        yield pathlib.Path(d)


@pytest.fixture
def redis(place):
    r = buslib.Redis(place).start()
    yield r
    r.stop()


@pytest.fixture
def probe(place, redis):
    """Makes probes and ends them; a leak or a sanitizer's finding fails the test."""
    made = []

    def make(daemon, server=None, **more):
        p = buslib.Probe(daemon, server or f"unix:{redis.socket}", place, **more)
        made.append(p)
        return p

    yield make
    redis.resume() if redis.process.poll() is None else None
    for p in made:
        if p.process.returncode is None:
            p.quit()
