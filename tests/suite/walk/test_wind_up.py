# SPDX-License-Identifier: GPL-3.0-or-later
"""Last of the suite: after all that traffic every daemon ends well (SPEC C2)."""
import time

import pytest

import walklib
from lablib import DAEMONS


@pytest.mark.parametrize("name", DAEMONS)
def test_daemon_ends_with_0_and_no_sanitizer_complains(lab, name):
    """A leaked handle, or what a sanitizer found, would be another status."""
    lab.daemon(name, "restart")  # asserts the status
    text = lab.log(name)
    assert "ERROR: AddressSanitizer" not in text and "ERROR: LeakSanitizer" not in text
    assert "runtime error:" not in text
    lab.settle()


def test_everything_works_after_that(lab):
    walklib.recovery(lab, time.monotonic(), {**walklib.CORE, **walklib.API})
