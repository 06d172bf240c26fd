# SPDX-License-Identifier: GPL-3.0-or-later
import os
import pathlib
import tempfile

import apidlib
import pytest
import uilib
from support.playwright import Browser


LEFT = "WebSocket is closed before the connection is established"  # who leaves a page at once


@pytest.fixture(scope="session")
def world():
    """One apid for the suite, and who answers in wgd's place. Tests name what they make."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cvui", dir=memory) as d:
        os.chmod(d, 0o755)
        one = uilib.World(pathlib.Path(d))
        yield one
        one.stop()


@pytest.fixture(scope="session")
def browser():
    one = Browser()
    yield one
    one.close()


@pytest.fixture
def open_page(world, browser):
    """open_page("/devices") → a page of somebody who is logged in, there. Nothing may have been wrong in it."""
    pages = []

    def make(address="/overview", user=apidlib.OWNER, width=1440, height=900, theme="dark", **more):
        page = browser.page(width, height, theme, **{"reducedMotion": "reduce", **more})
        pages.append(page)
        if user:
            page.context_addCookies([world.cookie(user)])
        if address:
            page.goto(world.url + "/#" + address)
        if user:
            page.waitForSelector("h1")
        return page
    make.expected = [LEFT]
    yield make
    for page in pages:
        said = [line for line in page.said() if not any(part in line for part in make.expected)]
        page.close()
        assert not said, said


@pytest.fixture(scope="module")
def page(full, browser):
    """One of the owner's for all tests of a file, so that what a page leaves behind is seen too."""
    one = browser.page(reducedMotion="reduce")
    one.context_addCookies([full.cookie(apidlib.OWNER)])
    one.goto(full.url)
    one.waitForSelector("h1")
    yield one
    said = [line for line in one.said() if LEFT not in line]
    one.close()
    assert not said, said


@pytest.fixture(scope="session")
def full(world):
    """The world with something of everything."""
    uilib.fill(world)
    return world
