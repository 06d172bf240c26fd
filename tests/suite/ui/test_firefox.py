# SPDX-License-Identifier: GPL-3.0-or-later
"""The main flow in Firefox: log in, add a device with a key of the browser's own, see it live (SPEC A11)."""
import re
import subprocess

import pytest
from apidlib import OWNER, PASSWORD
from livelib import query
from support.marionette import Firefox

ENTER = "\ue007"


@pytest.fixture
def firefox():
    one = Firefox()
    yield one
    one.close()


def test_device_is_added_and_seen_live(world, firefox):
    firefox.goto(world.url + "/")
    firefox.type("input[name=user]", OWNER)
    firefox.type("input[name=password]", PASSWORD + ENTER)
    firefox.wait("document.querySelector('h1')?.textContent === 'Overview'")
    firefox.wait("[...document.querySelectorAll('main .mark.good')].some(m => m.textContent === 'Live')")
    firefox.click("main [data-new]")
    firefox.type("dialog input[name=name]", "Fox" + ENTER)
    firefox.wait("!!document.querySelector('[data-config]')")
    config = firefox.run("document.querySelector('[data-config]').textContent")
    private = re.search(r"^PrivateKey = (\S+)$", config, re.M).group(1)
    public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True).stdout.strip()
    assert world.owner.get("/api/v1/devices/fox")[1]["public_key"] == public
    firefox.wait("document.querySelector('dialog .qr').naturalWidth > 0")
    firefox.click("dialog .dialog-foot .button.main")
    firefox.wait("document.querySelector('h1')?.textContent === 'Fox'")
    firefox.run("location.hash = '/live'")
    firefox.wait("[...document.querySelectorAll('main .mark.good')].some(m => m.textContent === 'Live')")
    query(world.redis, "fox.example", device="fox", verdict="blocked", rule="list ads")
    firefox.wait("[...document.querySelectorAll('main .t-row')].some(r => /fox\\.example/.test(r.textContent) && /Blocked/.test(r.textContent))")
    firefox.click("button[data-theme-button]")
    assert firefox.run("document.documentElement.dataset.theme") in ("light", "dark")
