# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of all suites: `lab`, one for the session, and `new_lab`, one of the test's own; `place`, a
directory, and `redis` there."""
import os
import pathlib
import tempfile

from lablib import Lab
import pytest

from support.redis import Redis


@pytest.fixture
def place():
    # A short path: a unix socket's name has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="culvert-") as d:
        os.chmod(d, 0o755)
        yield pathlib.Path(d)


@pytest.fixture
def redis(place):
    one = Redis(place).start()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def lab():
    """The build's lab: taken as it is when it is up, else brought up and taken down again. BOOTED_LAB: one whose
    gateway is a system that has booted (suite systemd)."""
    if os.environ.get("BOOTED_LAB"):
        from bootlib import BootedLab
        yield BootedLab.attached(os.environ["BOOTED_LAB"])
        return
    one = Lab()
    mine = not one.is_up()
    if mine:
        one.up()
    yield one
    if mine and not os.environ.get("LAB_KEEP"):
        one.down()


@pytest.fixture
def new_lab(tmp_path):
    """new_lab(daemons="wgd fwd", conf="[fwd]\\nintercept = yes\\n", seed=PATH) → Lab, up."""
    made = []

    def make(daemons=None, conf=None, seed=None, **settings):
        for key, value in (("LAB_DAEMONS", daemons), ("LAB_CONF_EXTRA", conf),
                           ("LAB_SEED", seed)):
            if value is not None:
                settings[key] = str(value)
        one = Lab(tmp_path / ("lab%d" % len(made)), **settings)
        made.append(one)
        one.up()
        return one
    yield make
    for one in made:
        one.down()
