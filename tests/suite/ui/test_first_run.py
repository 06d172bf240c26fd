# SPDX-License-Identifier: GPL-3.0-or-later
"""From the setup link to the first device, in the browser (SPEC A4, A11)."""
import os
import pathlib
import tempfile

import apidlib
import pytest
import uilib


@pytest.fixture
def fresh():
    """A gateway that nobody has set up."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cvui", dir=memory) as d:
        os.chmod(d, 0o755)
        one = uilib.World(pathlib.Path(d), {}, has_owner=False)
        yield one
        one.stop()


def test_setup_link_leads_to_the_first_device(fresh, browser):
    page = browser.page(360, 740, reducedMotion="reduce")
    page.goto(fresh.url + "/setup/" + fresh.apid.setup_token())
    page.fill("[name=user]", apidlib.OWNER)
    page.fill("[name=password]", apidlib.PASSWORD)
    page.fill("[name=again]", apidlib.PASSWORD)
    page.click("button")
    page.click("text=go on")
    page.waitForSelector("h1 >> text=Welcome, olga")
    page.click("role=button[name='Set up']")
    page.waitForSelector("dialog .qr")
    page.click("dialog summary")
    page.fill("dialog [name=totp]", apidlib.totp(page.text("[data-seed]")))
    page.keyboard_press("Enter")
    page.see("Recovery codes")
    codes = page.text("dialog .secret").split()
    assert len(codes) == 10
    page.click("dialog >> role=button[name='I have kept it']")
    page.fill("[name=value]", "vpn.example.org")
    page.keyboard_press("Enter")
    page.click("main >> role=button[name='Add device']")
    page.fill("dialog [name=name]", "First phone")
    page.keyboard_press("Enter")
    page.waitForSelector("[data-config]")
    assert "Endpoint = vpn.example.org:51820" in page.text("[data-config]")
    page.click("dialog >> role=button[name='Done']")
    page.waitForSelector("h1 >> text=Overview")
    client = fresh.apid.client()
    assert client.login(apidlib.OWNER, apidlib.PASSWORD)[0] == 401
    assert client.login(apidlib.OWNER, apidlib.PASSWORD, totp=codes[0])[0] == 200
    assert [d["name"] for d in client.get("/api/v1/devices")[1]["items"]] == ["First phone"]
    said = page.said()
    page.close()
    assert not said
