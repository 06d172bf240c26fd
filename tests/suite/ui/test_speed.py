# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is loaded, and lists that are long. UI_DEVICES=50000 for the whole."""
import json
import os
import pathlib
import tempfile
import time

import pytest
import uilib
from apidlib import OWNER
from support.wait import wait_until

DEVICES = int(os.environ.get("UI_DEVICES", 2000))
FIRST_VIEW = 150 * 1000


@pytest.fixture(scope="module")
def many():
    """An apid with many devices, which the database has got at once."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cvui", dir=memory) as d:
        os.chmod(d, 0o755)
        world = uilib.World(pathlib.Path(d), {}, network="10.9.0.1/16")
        devices = ",".join("('d%05d', 'mitm', '%s')" % (n, json.dumps({"name": "Device number %d" % (n * 7919 % DEVICES)}))
                           for n in range(DEVICES))
        addresses = ",".join("('10.9.%d.%d', 'd%05d', 0)" % (n + 2 >> 8, n + 2 & 255, n) for n in range(DEVICES))
        world.mariadb.sql(
            "SET SESSION max_statement_time = 0; START TRANSACTION; UPDATE change_seq SET seq = seq + 1; "
            f"INSERT INTO devices (id, tunnel, record) VALUES {devices}; "
            f"INSERT INTO device_addresses (address, device, position) VALUES {addresses}; "
            "INSERT INTO changes (seq, topic, id, at) SELECT seq, '*', '', UNIX_TIMESTAMP() * 1000 FROM change_seq; "
            "COMMIT", "culvert")
        last = "/api/v1/devices/d%05d" % (DEVICES - 1)
        wait_until(lambda: world.owner.get(last)[0] == 200, "apid has them all", 120)
        yield world
        world.stop()


def test_first_view_is_small(world, open_page):
    page = open_page(None, user=None)
    page.context_addCookies([world.cookie(OWNER)])
    page.goto(world.url + "/")
    page.waitForSelector("h1")
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
    page.addInitScript("""globalThis.longTasks = []; new PerformanceObserver(l => {
        for (const e of l.getEntries()) longTasks.push(Math.round(e.duration)); }).observe({type: "longtask"});""")
    began = time.monotonic()
    page.goto(many.url + "/#/devices")
    page.waitForSelector("main .t-row")
    first = time.monotonic() - began
    page.wait("document.querySelector('.tally').textContent === '%s entries'" % format(DEVICES, ","), 120)
    whole = time.monotonic() - began
    assert page.evaluate("document.querySelectorAll('main .t-row').length") < 80
    page.evaluate("longTasks.length = 0")
    page.click("main >> role=columnheader >> role=button[name='Device']")
    page.waitForSelector("main .t-row >> text=/^Device number 0$/")
    scroll = """(async () => { const s = document.querySelector(".table-scroll"), frames = []; let last = performance.now();
        for (let i = 0; i < 60; i++) { s.scrollTop += s.scrollHeight / 60; await new Promise(requestAnimationFrame);
            const now = performance.now(); frames.push(now - last); last = now; }
        return frames.map(Math.round); })()"""
    frames = page.evaluate(scroll)
    page.wait("[...document.querySelectorAll('main .t-row')].some(r => r.ariaRowIndex == '%d')" % (DEVICES + 1))
    page.fill("main input[type=search]", "number %d" % (DEVICES - 1))
    page.wait("document.querySelectorAll('main .t-row').length === 1")
    long = page.evaluate("longTasks")
    print("devices %d: first rows %.1f s, all %.1f s; frames while scrolling, ms: median %d, worst %d; long tasks: %s" % (
        DEVICES, first, whole, sorted(frames)[30], max(frames), long))
    assert sorted(frames)[30] < 170
    page.close()
