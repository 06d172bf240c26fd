# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is loaded, and lists that are long. UI_DEVICES=50000 for the whole."""
import os
import pathlib
import tempfile
import time

import pytest
import uilib
from apidlib import OWNER
from support.trace import traced

DEVICES = int(os.environ.get("UI_DEVICES", 2000))
FIRST_VIEW = 150 * 1000


@pytest.fixture(scope="module")
def many():
    """An apid with many devices, which the database has got at once."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cvui", dir=memory) as d:
        os.chmod(d, 0o755)
        world = uilib.World(pathlib.Path(d), {}, network="10.9.0.1/16")
        uilib.crowd(world, DEVICES)
        yield world
        world.stop()


def test_first_view_is_small(world, open_page):
    page = open_page(None, user=None)
    page.context_addCookies([world.cookie(OWNER)])
    page.goto(world.url + "/")
    page.waitForSelector("h1")
    page.wait("performance.getEntriesByType('resource').some(e => e.name.includes('/vendor/'))")
    page.call("waitForLoadState", "networkidle")
    loaded = page.evaluate("""[performance.getEntriesByType("navigation")[0], ...performance.getEntriesByType("resource")].map(
        e => [new URL(e.name).pathname, e.transferSize])""")
    own = [(name, size) for name, size in loaded if "/vendor/" not in name and not name.startswith("/api/")]
    print("first view:", sum(size for _, size in own), "bytes in", len(own), "files")
    assert 10000 < sum(size for _, size in own) < FIRST_VIEW, own
    assert [name for name, _ in loaded if "/vendor/" in name], "the graph's part is loaded when it is shown"


def test_many_devices_are_searched_sorted_and_scrolled(many, browser):
    page = browser.page(reducedMotion="reduce")
    page.context_addCookies([many.cookie(OWNER)])
    began = time.monotonic()
    page.goto(many.url + "/#/devices")
    page.waitForSelector("main .t-row")
    first = time.monotonic() - began
    page.wait("document.querySelector('.tally').textContent === '%s entries'" % format(DEVICES, ","), 120)
    whole = time.monotonic() - began
    assert page.evaluate("document.querySelectorAll('main .t-row').length") < 80
    page.click("main >> role=columnheader >> role=button[name='Device']")
    page.waitForSelector("main .t-row >> text=/^Device number 0$/")
    with traced(page) as found:
        page.evaluate(uilib.SCROLL % (uilib.JUMP, uilib.FRAMES))
    page.wait("[...document.querySelectorAll('main .t-row')].some(r => r.ariaRowIndex == '%d')" % (DEVICES + 1))
    page.fill("main input[type=search]", "number %d" % (DEVICES - 1))
    page.wait("document.querySelectorAll('main .t-row').length === 1")
    print("devices %d: first rows %.1f s, all %.1f s; a frame of scrolling, CPU ms: median %.1f, worst %.1f" % (
        DEVICES, first, whole, found.cost.frame(.5), found.cost.frames[-1]))
    assert found.cost.frame(.5) < 40
    page.close()
