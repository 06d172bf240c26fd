# SPDX-License-Identifier: GPL-3.0-or-later
"""The administration's pages with a whole gateway behind them: a device is added, connects with the configuration
that was shown, is seen, blocked, asks, and is let through (SPEC A11)."""
import os
import re
import subprocess

import pytest

from culvertlab import clients
from support.playwright import Browser
from support.wait import wait_until

NAME = "Story laptop"
SITE = "http://allowed.example/"


def popen_in(lab, host):
    return lambda argv, **options: lab.popen(host, *argv, **options)


@pytest.fixture
def admin(lab):
    """A page of the administration, at its login."""
    with open(os.path.join(lab.dir, "env"), encoding="ascii") as src:
        env = dict(line.rstrip("\n").split("=", 1) for line in src)
    browser = Browser(popen=popen_in(lab, "gw"))
    page = browser.page(reducedMotion="reduce")
    page.env = env
    page.goto(env["ADMIN_URL"] + "/")
    yield page
    page.close()
    browser.close()


@pytest.fixture
def device(lab):
    """device(config): the laptop takes that configuration; its own is back afterwards. Gives a page of a browser
    there, behind the gateway's proxy."""
    interface = clients.interface("laptop")
    before = lab.run("laptop", "wg", "showconf", interface).stdout
    addresses = re.findall(r"inet6? (\S+) ", lab.run("laptop", "ip", "-o", "address", "show", "dev", interface, "scope",
                                                     "global").stdout)
    opened = []

    def set_up(config, addresses):
        lab.run("laptop", "wg", "setconf", interface, "/dev/stdin", data=config)
        lab.run("laptop", "ip", "address", "flush", "dev", interface, "scope", "global")
        for address in addresses:
            lab.run("laptop", "ip", "address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))
        for net in ("default", "::/0"):
            lab.run("laptop", "ip", "route", "replace", net, "dev", interface)

    def take(config):
        stripped = subprocess.run(["wg-quick", "strip", "/dev/stdin"], input=config, capture_output=True, text=True,
                                  check=False).stdout or strip(config)
        set_up(stripped, re.search(r"^Address = (.*)$", config, re.M).group(1).split(", "))
        opened.append(Browser(popen=popen_in(lab, "laptop"), args=["--proxy-server=http://10.9.0.1:8080"]))
        return opened[-1].page()
    yield take
    for browser in opened:
        browser.close()
    set_up(before, addresses)


FORGET = """(async () => {
    const token = (await (await fetch("/auth/csrf")).json()).csrf;
    for (const kind of ["site-overrides", "category-prefs"])
        for (const one of (await (await fetch(`/api/v1/${kind}?device=story-laptop`)).json()).items)
            await fetch(`/api/v1/${kind}/${one.id}`, {method: "DELETE", headers: {"X-CSRF-Token": token}});
})()"""


def strip(config):
    """What wg takes of a file for wg-quick."""
    return "".join(line + "\n" for line in config.splitlines() if not re.match(r"(Address|DNS|MTU) =", line))


def log_in(page):
    page.fill("input[name=user]", page.env["ADMIN_USER"])
    page.fill("input[name=password]", page.env["ADMIN_PASSWORD"])
    page.keyboard_press("Enter")
    page.waitForSelector("h1 >> text=Overview")
    assert all("/auth/me" in line for line in page.said())  # nobody was logged in


def visit(page, address):
    page.goto(page.env["ADMIN_URL"] + "/#" + address)


def shown(page):
    """What the site's page says; nothing, while it does not load."""
    try:
        page.goto(SITE)
    except AssertionError:  # its device's tunnel is not there yet
        return ""
    return page.text("body")


def loads(page, title):
    wait_until(lambda: title in shown(page), title)


def test_device_is_added_seen_blocked_and_let_through(lab, admin, device):
    log_in(admin)
    admin.click("main >> role=button[name='Add device']")
    admin.fill("dialog [name=name]", NAME)
    admin.keyboard_press("Enter")
    admin.waitForSelector("[data-config]")
    phone = device(admin.text("[data-config]"))
    admin.click("dialog >> role=button[name='Done']")
    admin.waitForSelector("h1 >> text=%s" % NAME)  # its page opens by itself
    try:
        # It is seen.
        visit(admin, "/live?device=story-laptop")
        admin.waitForSelector("main .mark.good >> text=Live")
        loads(phone, "allowed.example")
        admin.waitForSelector("main .t-row:has-text('Allowed') >> text=allowed.example")
        visit(admin, "/devices/story-laptop")
        admin.waitForSelector("main .mark >> text=Online")
        # Its category is blocked for this device.
        visit(admin, "/devices/story-laptop/policy")
        admin.selectOption("select[aria-label=Education]", "block")
        admin.waitForSelector(".force[data-force=done]")
        loads(phone, "Site Blocked")
        # It asks, and is let through.
        phone.click("text=Appeal Access")
        phone.fill("textarea", "For school")
        phone.click("role=button[name=/Submit/]")
        phone.see("Submitted")
        # The page shows what is there when it is opened.
        wait_until(lambda: "For school" in lab.sql("SELECT reason FROM culvert.appeals WHERE status = 'pending'"), "it is stored")
        visit(admin, "/appeals")
        admin.waitForSelector(".appeal >> text=For school")
        admin.evaluate("[...document.querySelectorAll('.appeal')].find(a => /For school/.test(a.innerText)).focus()")
        admin.keyboard_press("a")
        admin.see("allowed.example is approved")
        loads(phone, "allowed.example")
        wait_until(lambda: "Site Blocked" not in (shown(phone) or "Site Blocked"), "it loads")
    finally:
        admin.evaluate(FORGET)
        visit(admin, "/devices/story-laptop")
        admin.click("main >> role=button[name='Remove %s']" % NAME)
        admin.click("dialog >> role=button[name='Remove']")
        admin.waitForSelector("h1 >> text=Devices")
    # Who leaves a page at once.
    assert not [line for line in admin.said() if "WebSocket is closed before the connection is established" not in line]
