# SPDX-License-Identifier: GPL-3.0-or-later
"""`world`: one gateway that judges in the path, for a module's tests."""
import pytest

from pathlab import PathWorld


@pytest.fixture(scope="module")
def world():
    one = PathWorld()
    try:
        one.up()
        yield one
    finally:
        one.down()
