# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices in the pages: added in one step, changed, conflicts, what is shown of them (SPEC A3, A11)."""
import re
import subprocess
import time

import pytest
from livelib import tell
from uilib import key


def public_half(private):
    return subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True).stdout.strip()


def add(page, name):
    page.click("main >> role=button[name='Add device']")
    page.fill("dialog input[name=name]", name)
    page.keyboard_press("Enter")
    page.waitForSelector("[data-config]")
    return page.text("[data-config]")


@pytest.mark.parametrize("width", [1440, 360])
def test_device_is_added_in_one_step(world, open_page, width, tmp_path):
    """Its name in, its configuration out: the private key was made in the browser, the QR code is the file."""
    page = open_page("/devices", width=width)
    config = add(page, "Olga’s phone %d" % width)
    record = world.owner.get("/api/v1/devices/olgas-phone-%d" % width)[1]
    private = re.search(r"^PrivateKey = (\S+)$", config, re.M).group(1)
    assert public_half(private) == record["public_key"]
    assert re.search(r"^Address = %s" % re.escape(record["addresses"][0]), config, re.M)
    assert "Endpoint = gw.example:51820" in config
    page.wait("document.querySelector('dialog .qr').complete && document.querySelector('dialog .qr').naturalWidth > 0")
    page.evaluate("document.querySelector('dialog .qr').scrollIntoView()")
    page.screenshot({"path": str(tmp_path / "qr.png")})
    seen = subprocess.run(["zbarimg", "-q", "--raw", str(tmp_path / "qr.png")], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == config.strip()
    page.click("dialog >> role=button[name='Done']")
    page.waitForSelector("h1 >> text=phone %d" % width)
    assert private not in "".join(world.redis.connect()("HVALS", "culvert:state:device_keys:apid"))


def test_browser_that_cannot_make_keys_has_them_made(world, open_page):
    page = open_page("/devices")
    page.evaluate("crypto.subtle.generateKey = () => Promise.reject(new Error('no'))")
    config = add(page, "Old tablet")
    private = re.search(r"^PrivateKey = (\S+)$", config, re.M).group(1)
    assert public_half(private) == world.owner.get("/api/v1/devices/old-tablet")[1]["public_key"]
    page.see("was made on the gateway")


def test_names_that_are_taken_get_another_id(world, open_page):
    world.have("devices", {"id": "twin", "name": "Twin"})
    page = open_page("/devices")
    open_page.expected.append("409")
    add(page, "Twin")
    assert world.owner.get("/api/v1/devices/twin-2")[1]["name"] == "Twin"


def test_what_somebody_else_changed_is_not_overwritten(world, open_page):
    world.have("devices", {"id": "shared", "name": "Shared", "public_key": key(40)})
    page = open_page("/devices/shared/policy")
    page.waitForSelector("select[name=images]")
    world.owner.patch("/api/v1/devices/shared", {"name": "Changed meanwhile"})
    page.selectOption("select[name=images]", "hide")
    open_page.expected.append("412")
    page.click("main >> role=button[name='Save']")
    page.see("Somebody else has changed it meanwhile")
    assert "images" not in world.owner.get("/api/v1/devices/shared")[1]


def test_who_is_online_is_seen_in_the_list(world, open_page):
    world.have("devices", {"id": "here", "name": "Here", "public_key": key(46)})
    world.have("devices", {"id": "gone", "name": "Gone", "public_key": key(47)})
    now = int(time.time() * 1000)
    tell(world.redis, "wgd", "stats", {"device": "here", "handshake_at": now, "rx_bytes": "10", "tx_bytes": "10"},
         {"device": "gone", "handshake_at": now - 7200000, "rx_bytes": "10", "tx_bytes": "10"})
    page = open_page("/devices")
    page.waitForSelector("main .t-row:has-text('Here') >> text=Online")
    page.waitForSelector("main .t-row:has-text('Gone') >> text=Offline")


def test_policy_is_set_and_inherited_again(world, open_page):
    world.have("devices", {"id": "policed", "name": "Policed", "public_key": key(41)})
    page = open_page("/devices/policed/policy")
    page.selectOption("select[name=unknown_sites]", "block")
    page.fill("input[name=quota_bytes]", "1.5")
    page.click("role=button[name='Add a time']")
    page.click("main >> role=button[name='Save']")
    page.see("Saved")
    record = world.owner.get("/api/v1/devices/policed")[1]
    assert record["unknown_sites"] == "block" and record["quota_bytes"] == 1500000000
    assert record["schedules"] == [{"what": "all", "from": "21:00", "to": "06:00"}]
    page.goto("about:blank")
    page.goto(world.url + "/#/devices/policed/policy")
    page.waitForSelector("role=button[name='Remove this time']")
    page.click("role=button[name='Remove this time']")
    page.selectOption("select[name=unknown_sites]", "")
    page.click("main >> role=button[name='Save']")
    page.see("Saved")
    record = world.owner.get("/api/v1/devices/policed")[1]
    assert "unknown_sites" not in record and "schedules" not in record


def test_time_without_a_day_is_not_stored(world, open_page):
    """It would be one of every day."""
    world.have("devices", {"id": "dayless", "name": "Dayless", "public_key": key(48)})
    page = open_page("/devices/dayless/policy")
    for _ in range(2):
        page.click("role=button[name='Add a time']")
    days = "main fieldset fieldset >> nth=1 >> input[type=checkbox] >> nth=%d"
    for n in range(7):
        page.uncheck(days % n)
    page.click("main >> role=button[name='Save']")
    page.see("Blocked at times has a time without a day: choose one, or remove the time.")
    assert page.evaluate("document.activeElement.value") == "mon"
    assert "schedules" not in world.owner.get("/api/v1/devices/dayless")[1]
    page.check(days % 4)
    page.click("main >> role=button[name='Save']")
    page.see("Saved")
    at = {"what": "all", "from": "21:00", "to": "06:00"}
    assert world.owner.get("/api/v1/devices/dayless")[1]["schedules"] == [at, {**at, "days": ["fri"]}]


def test_switch_is_undone_from_the_message(world, open_page):
    world.have("devices", {"id": "switched", "name": "Switched", "public_key": key(42)})
    page = open_page("/devices/switched/policy")
    page.click("role=switch[name=/No browsing/]")
    page.see("No browsing: on")
    assert world.owner.get("/api/v1/device-prefs/device:switched")[1]["offline_browser"] is True
    page.click("role=button[name='Undo']")
    page.see("Undone")
    assert world.owner.get("/api/v1/device-prefs/device:switched")[1]["offline_browser"] is False


def test_website_is_unblocked_for_a_while(world, open_page):
    world.have("devices", {"id": "blocked", "name": "Blocked", "public_key": key(43)})
    page = open_page("/devices/blocked/sites")
    page.click("main >> role=button[name='Unblock a website']")
    page.fill("dialog input[name=pattern]", "wiki.example")
    page.keyboard_press("Enter")
    page.waitForSelector("main >> text=wiki.example")
    made = world.owner.get("/api/v1/site-overrides?device=blocked")[1]["items"]
    assert [(o["pattern"], o["action"]) for o in made] == [("wiki.example", "allow")] and made[0]["until"]


def test_suspended_device_is_resumed_by_undo(world, open_page):
    world.have("devices", {"id": "paused", "name": "Paused", "public_key": key(44)})
    page = open_page("/devices/paused")
    page.click("role=button[name='Suspend']")
    page.see("Paused is suspended")
    assert world.owner.get("/api/v1/devices/paused")[1]["active"] is False
    page.click("role=button[name='Undo']")
    page.waitForSelector("role=button[name='Suspend']")
    assert world.owner.get("/api/v1/devices/paused")[1]["active"] is True


def test_device_is_removed_after_a_question(world, open_page):
    world.have("devices", {"id": "doomed", "name": "Doomed", "public_key": key(45)})
    page = open_page("/devices/doomed")
    page.click("main >> role=button[name='Remove Doomed']")
    page.see("This cannot be undone")
    page.keyboard_press("Escape")
    assert world.owner.get("/api/v1/devices/doomed")[0] == 200
    page.click("main >> role=button[name='Remove Doomed']")
    page.click("dialog >> role=button[name='Remove']")
    page.waitForSelector("h1 >> text=Devices")
    assert world.owner.get("/api/v1/devices/doomed")[0] == 404
