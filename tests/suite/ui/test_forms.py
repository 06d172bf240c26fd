# SPDX-License-Identifier: GPL-3.0-or-later
"""What pages do besides records: files in and out, notifications, pass-throughs, figures, accounts (SPEC A6, A10, A11)."""
import json
import time

import apidlib
import pytest
from answerer import Answerer
from postlib import Web
from support.wait import wait_until
from uilib import SECOND, key, told_list

IMAGES = "/api/v1/image-ignore"
LINES = "[...document.querySelectorAll('%s')].map(e => e.innerText.replace(/\\s+/g, ' ').trim())"


@pytest.fixture
def web():
    """Who takes notifications."""
    one = Web()
    yield one
    one.close()


def domains(world):
    return {r["domain"]: r.get("note") for r in world.owner.get(IMAGES + "?limit=500")[1]["items"]}


@pytest.fixture
def images(world):
    """The page of a resource that no other test has."""
    for record in world.owner.get(IMAGES + "?limit=500")[1]["items"]:
        world.owner.delete("%s/%s" % (IMAGES, record["id"]))
    world.have("image-ignore", {"id": "i1", "domain": "old.example", "note": "kept, \"so\""})
    return "/websites/image_ignore"


def choose(page, file, text):
    file.write_text(text)
    page.setInputFiles("dialog input[type=file]", str(file))


def open_import(page):
    page.click("main >> role=button[name='Import, export']")
    page.click("dialog >> role=button[name='Import']")


# ---- files ----

def test_nothing_is_imported_before_it_was_seen_and_is_right(world, open_page, images, tmp_path):
    page = open_page(images)
    open_import(page)
    choose(page, tmp_path / "a.csv", "id,domain\ni2,new.example\ni3,\n")
    page.see("1 row is wrong")
    assert page.text("dialog .feed li").startswith("Row 3")
    assert page.isDisabled("dialog [data-apply]") and domains(world) == {"old.example": "kept, \"so\""}
    choose(page, tmp_path / "b.csv", "id,domain\ni2,new.example\ni3,newer.example\n")
    page.see("2 new, 0 changed, 0 as they are, 0 removed.")
    assert list(domains(world)) == ["old.example"]
    page.click("dialog [data-apply]")
    page.see("2 records were taken")
    assert sorted(domains(world)) == ["new.example", "newer.example", "old.example"]
    page.waitForSelector("main .t-row >> text=newer.example")


def test_import_that_replaces_says_what_goes(world, open_page, images, tmp_path):
    page = open_page(images)
    open_import(page)
    choose(page, tmp_path / "a.json", json.dumps([{"id": "i4", "domain": "only.example"}]))
    page.see("1 new, 0 changed, 0 as they are, 0 removed.")
    page.check("dialog input[role=switch]")
    page.see("1 new, 0 changed, 0 as they are, 1 removed.")
    page.click("dialog [data-apply]")
    page.see("2 records were taken")
    assert list(domains(world)) == ["only.example"]


def test_file_that_is_none_is_told(open_page, images, tmp_path):
    page = open_page(images)
    open_import(page)
    choose(page, tmp_path / "a.json", "{\"records\": [")
    page.see("That is no JSON")
    assert page.isDisabled("dialog [data-apply]")


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_exported_comes_in_again_unchanged(open_page, images, tmp_path, form):
    page = open_page(images)
    page.click("main >> role=button[name='Import, export']")
    assert page.download("dialog >> text=Export %s" % form.upper(), tmp_path / "out") == "image-ignore." + form
    open_import(page)
    choose(page, tmp_path / ("in." + form), (tmp_path / "out").read_text())
    page.see("0 new, 0 changed, 1 as they are, 0 removed.")
    assert page.isDisabled("dialog [data-apply]")


# ---- notifications ----

def notifications(world):
    items = world.owner.get("/api/v1/settings?limit=500")[1]["items"]
    return next((s["value"] for s in items if s["id"] == "notifications"), None)


def test_webhook_is_set_and_tried_from_its_page(world, open_page, web):
    page = open_page("/settings/notifications")
    page.see("Not set up.")
    page.fill("[name=url]", "http://127.0.0.1:%d/hook" % web.port)
    page.click("main >> role=button[name='Save']")
    page.click("main >> role=button[name='Send a test']")
    page.see("It was taken")
    assert web.posts and notifications(world)["webhook"] == {"url": "http://127.0.0.1:%d/hook" % web.port}
    web.statuses += [500] * 20  # also where the gateway has something to tell by itself meanwhile
    open_page.expected.append("422")
    page.click("main >> role=button[name='Send a test']")
    page.waitForSelector(".toast.bad")
    page.waitForSelector("main .facts .bad")
    page.fill("[name=url]", "")
    page.click("main >> role=button[name='Save']")
    wait_until(lambda: "webhook" not in notifications(world), "it is taken back")


def test_mail_is_set_as_it_is_shown(world, open_page):
    page = open_page("/settings/notifications")
    fields = {"host": "smtp.example.org", "port": "2525", "user": "gateway", "from": "gw@example.org",
              "to": "a@example.org\nb@example.org"}
    for name, value in fields.items():
        page.fill("main [name=%s]" % name, value)
    page.selectOption("main [name=security]", "tls")
    page.uncheck("main [name=appeals]")
    page.click("main >> role=button[name='Save']")
    page.see("Saved")
    wait_until(lambda: (notifications(world) or {}).get("mail"), "it is stored")
    assert notifications(world) == {"appeals": False, "alarms": True, "mail": {
        "host": "smtp.example.org", "port": 2525, "security": "tls", "user": "gateway", "from": "gw@example.org",
        "to": ["a@example.org", "b@example.org"]}}
    page.goto("about:blank")
    page.goto(world.url + "/#/settings/notifications")
    page.waitForSelector("main [name=host]")
    assert {name: page.inputValue("main [name=%s]" % name) for name in fields} == fields
    world.owner.delete("/api/v1/settings/notifications")


# ---- pass-throughs ----

def test_pass_through_is_seen_and_taken_back(world, open_page):
    world.have("devices", {"id": "annas-phone", "name": "Anna\u2019s phone", "public_key": key(1)})
    record = {"id": "bank.example@annas-phone", "device": "annas-phone", "name": "bank.example", "count": 3,
              "until": int(time.time() * 1000) + 7200000}
    world.tell("proxyd", "pinned", [record])
    wait_until(lambda: world.owner.get("/api/v1/pinned/" + record["id"])[0] == 200, "it is told of")
    page = open_page("/websites/pinned")
    page.waitForSelector("main .t-row >> text=bank.example")
    page.click("main >> role=button[name='Remove bank.example']")
    page.see("It is not learned again")
    proxyd = Answerer(world.redis, "proxyd", {})
    try:
        page.click("dialog >> role=button[name='Remove']")
        page.see("bank.example was removed")
        assert proxyd.calls == [("unpin", {"id": record["id"]})]
    finally:
        proxyd.close()
    assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('main, .toasts')")


# ---- figures ----

def test_report_shows_what_was_counted(world, open_page, tmp_path):
    world.have("devices", {"id": "counted", "name": "Counted", "public_key": key(50)})
    world.tell_lists([told_list()])
    hour = int(time.time()) // 3600 * 3600
    world.apid.database.sql(
        "SET sql_mode = ''; "
        "INSERT INTO statistics (step, at, device, dns_allowed, dns_blocked, web_allowed, web_blocked, web_unknown, "
        "web_bytes, refused_packets) "
        f"VALUES (1, {hour}, 'counted', 1000, 200, 30, 4, 6, 5000000, 77), "
        f"(1, {hour - 3600}, 'counted', 500, 0, 0, 0, 0, 0, 0); "
        f"INSERT INTO statistics_lists VALUES (1, {hour}, 'counted', 'ads', 199); "
        f"INSERT INTO statistics_domains VALUES (1, {hour}, 'counted', 'most.example', 0, 321, 900), "
        f"(1, {hour}, 'counted', 'ads.example', 1, 123, 0)", "culvert")
    page = open_page("/report")
    page.waitForSelector("main .ranking li:has-text('Counted') >> text=1,740")
    page.click("main .ranking >> text=Counted")
    page.wait("location.hash.endsWith('device=counted')")
    page.wait("document.querySelectorAll('main .ranking').length === 3")
    page.waitForSelector("main .tile")
    assert page.evaluate(LINES % "main .tile") == ["Requests 1,740", "Blocked 210 12.1 %", "Loaded 5.0 MB by the proxy",
                                                   "Refused 77 packets at the firewall"]
    assert page.evaluate(LINES % "main .ranking .row") == ["most.example 321 900 B", "ads.example 123", "Ads & trackers 199"]
    assert page.download("main >> role=button[name='CSV']", tmp_path / "report.csv") == "culvert-day.csv"
    rows = (tmp_path / "report.csv").read_text().splitlines()
    assert rows[0] == "at,dns_allowed,dns_blocked,web_allowed,web_blocked,web_unknown,bytes"
    assert [r.split(",", 1)[1] for r in rows[1:]] == ["500,0,0,0,0,0", "1000,200,30,4,6,5000000"]


def test_firewall_shows_what_it_refuses_now(world, open_page):
    packets = {"profile": "1310", "unknown_source": "0", "listed": "92"}
    world.tell_firewall(refused_packets=packets, refused_bytes={"profile": "78600", "listed": "7360"})
    page = open_page("/firewall")
    page.waitForSelector("main .ranking")
    assert page.evaluate(LINES % "main .ranking .row") == ["Profile 1,310 79 kB", "Address on a list 92 7.4 kB"]
    packets["listed"] = "2092"
    world.tell_firewall(refused_packets=packets, refused_bytes={"listed": "80000"})
    # Until it is asked again and nothing more was refused.
    page.wait("/^Address on a list 2,092 80 kB · [0-9.,]+ a second$/.test(%s[0])" % (LINES % "main .ranking .row"))
    world.tell_firewall(failing=True)
    page.see("The kernel refuses the rules")
    world.tell_firewall()


# ---- accounts ----

def test_account_is_made_limited_changed_and_removed(world, open_page):
    world.have("groups", {"id": "kids", "name": "Kids"})
    page = open_page("/accounts")
    page.click("main >> role=button[name='Add account']")
    page.fill("dialog [name=name]", "nina")
    page.fill("dialog [name=password]", "short")
    page.fill("dialog textarea", "kids")
    open_page.expected.append("400")
    page.click("dialog >> role=button[name='Save']")
    page.waitForSelector("dialog .wrong:visible")
    assert page.evaluate("document.activeElement.name") == "password"
    page.fill("dialog [name=password]", SECOND)
    page.selectOption("dialog [name=role]", "viewer")
    page.click("dialog >> role=button[name='Save']")
    page.waitForSelector("dialog", {"state": "detached"})
    page.waitForSelector("main .t-row:has-text('nina') >> text=kids")
    nina = world.apid.client("nina", SECOND)
    assert nina.get("/api/v1/devices")[0] == 200 and nina.put("/api/v1/words/w", {"term": "x"})[0] == 403
    page.click("main .t-row a.open:has-text('nina')")
    page.selectOption("dialog [name=role]", "admin")
    page.fill("dialog textarea", "")
    page.click("dialog >> role=button[name='Save']")
    page.waitForSelector("dialog", {"state": "detached"})
    account = next(a for a in world.owner.get("/api/v1/admins")[1]["items"] if a["name"] == "nina")
    assert (account["role"], account["groups"]) == ("admin", None)
    page.click("main >> role=button[name='Remove nina']")
    page.click("dialog >> role=button[name='Remove']")
    page.see("nina was removed")
    assert apidlib.OWNER in [a["name"] for a in world.owner.get("/api/v1/admins")[1]["items"]]
    assert "nina" not in [a["name"] for a in world.owner.get("/api/v1/admins")[1]["items"]]


def test_one_cannot_remove_oneself(open_page):
    page = open_page("/accounts")
    page.waitForSelector("main .t-row >> text=%s" % apidlib.OWNER)
    assert page.evaluate("[...document.querySelectorAll('main .t-row button')].every(b => !/ %s$/.test(b.ariaLabel))" % apidlib.OWNER)
