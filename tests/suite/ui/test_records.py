# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of record is made, changed, removed and brought back in its page; roles see what they may."""
import pytest
from support.wait import wait_until

# page, button that makes one, fields, API, what is stored of it, another value, title in the table
KINDS = {
    "user": ("/users", "Add user", {"name": "Carla Test"}, "users", {"name": "Carla Test"}, {"email": "c@example.org"}),
    "word": ("/words", "Add word", {"term": "nastyterm"}, "words", {"term": "nastyterm", "match": "exact"}, {"term": "nastierterm"}),
    "search word": ("/words/searched", "Add word", {"term": "seekterm"}, "search-words", {"term": "seekterm"}, {"term": "soughtterm"}),
    "DNS rule": ("/dns", "Add rule", {"pattern": "rule.example"}, "dns-rules",
                 {"pattern": "rule.example", "action": "block", "match": "endswith"}, {"pattern": "ruled.example"}),
    "DNS record": ("/dns/dns_records", "Add record", {"name": "printer.home", "value": "10.77.0.9"}, "dns-records",
                   {"name": "printer.home", "type": "A", "value": "10.77.0.9"}, {"value": "10.77.0.10"}),
    "website": ("/websites", "Add website", {"pattern": "paper.example"}, "websites",
                {"pattern": "paper.example", "status": "approved"}, {"pattern": "papers.example"}),
    "category": ("/websites/categories", "Add category", {"name": "Crafts"}, "categories",
                 {"id": "crafts", "name": "Crafts", "default": "allow", "visibility": "public"}, {"name": "Handicrafts"}),
    "exception": ("/websites/overrides", "Add exception", {"pattern": "except.example"}, "site-overrides",
                  {"pattern": "except.example", "action": "allow"}, {"pattern": "exceptional.example"}),
    "blocked domain": ("/websites/sni_block", "Add domain", {"domain": "worst.example"}, "sni-block",
                       {"domain": "worst.example"}, {"note": "reported twice"}),
    "profile": ("/firewall", "Add profile", {"name": "scanner"}, "profiles", {"name": "scanner", "rules": []}, {}),
    "list": ("/lists", "Add list", {"title": "Trackers", "source": "https://lists.example/t.txt"}, "list-sources",
             {"title": "Trackers", "source": "https://lists.example/t.txt", "default_on": True}, None),
}


def stored(world, api, wanted):
    items = world.owner.get("/api/v1/%s?limit=500" % api)[1]["items"]
    return [r for r in items if all(r.get(k) == v for k, v in wanted.items())]


def fill_in(page, fields):
    for name, value in fields.items():
        page.fill("dialog [name=%s]" % name, value)


@pytest.mark.parametrize("kind", KINDS)
def test_record_is_made_changed_removed_and_brought_back(world, page, kind):
    address, button, fields, api, made, other = KINDS[kind]
    page.goto(world.url + "/#" + address)
    page.click("main >> role=button[name='%s'] >> nth=0" % button)
    fill_in(page, fields)
    page.click("dialog >> role=button[name='Save']")
    page.waitForSelector("dialog", {"state": "detached"})
    assert len(stored(world, api, made)) == 1, stored(world, api, {})
    title = next(iter(fields.values()))
    page.waitForSelector("main >> role=row >> text=%s" % title)
    if other is None:
        return
    if other:
        page.click("main a.open:has-text('%s')" % title)
        page.waitForSelector("dialog form")
        page.evaluate("for (const d of document.querySelectorAll('dialog details')) d.open = true")
        fill_in(page, other)
        page.click("dialog >> role=button[name='Save']")
        page.waitForSelector("dialog", {"state": "detached"})
        assert len(stored(world, api, {**made, **other})) == 1
        title = other.get(next(iter(fields)), title)
    page.click("main >> role=row >> role=button[name=/^Remove %s/]" % title)
    if kind in ("user", "category"):
        page.click("dialog >> role=button[name='Remove']")
        page.see("was removed")
        assert not stored(world, api, {**made, **other})
        return
    page.see("%s was removed" % title)
    assert not stored(world, api, {**made, **other})
    page.click("role=button[name='Undo'] >> nth=-1")
    wait_until(lambda: len(stored(world, api, {**made, **other})) == 1, "it is back")


def test_wrong_value_is_told_at_its_field(world, open_page):
    page = open_page("/devices")
    page.click("main >> role=button[name='Add device']")
    page.evaluate("document.querySelector('dialog details').open = true")
    fill_in(page, {"name": "Good", "id": "not good!"})
    page.evaluate("document.querySelector('dialog details').open = false")
    open_page.expected.append("400")
    page.click("dialog >> role=button[name='Add']")
    page.waitForSelector("dialog .wrong:visible")
    assert page.evaluate("document.activeElement.name") == "id"
    assert page.getAttribute("dialog [name=id]", "aria-invalid") == "true"


def test_settings_store_what_was_changed_alone(world, open_page):
    before = {s["id"] for s in world.owner.get("/api/v1/settings?limit=500")[1]["items"]}
    page = open_page("/settings/access")
    page.fill("[name=expired_grace_days]", "12")
    page.click("main >> role=button[name='Save']")
    page.see("Saved")
    after = {s["id"]: s["value"] for s in world.owner.get("/api/v1/settings?limit=500")[1]["items"]}
    assert set(after) - before == {"expired_grace_days"} and after["expired_grace_days"] == 12
    page.fill("[name=expired_grace_days]", "")
    page.click("main >> role=button[name='Save']")
    wait_until(lambda: {s["id"] for s in world.owner.get("/api/v1/settings?limit=500")[1]["items"]} == before, "it is taken back")


def test_who_only_looks_is_offered_no_changes(full, open_page):
    full.account("vera", "viewer")
    page = open_page("/overview", user="vera")
    for address in ("/devices", "/devices/annas-phone", "/websites", "/appeals", "/settings", "/groups/kids"):
        page.goto(full.url + "/#" + address)
        page.waitForSelector("h1")
        page.call("waitForLoadState", "networkidle")
        offered = page.evaluate("""[...document.querySelectorAll("main button, main input:not([type=search]), main select")]
            .filter(e => !e.disabled && !e.hidden && !e.closest('.table-tools') && /\\bAdd\\b|Remove|Save|Suspend|Approve|Reject|Edit|Rename/.test(e.textContent + e.ariaLabel)).map(e => e.outerHTML)""")
        assert offered == [], address


def test_pages_of_others_are_not_in_the_navigation(full, open_page):
    page = open_page("/overview", user="hana")
    shown = page.evaluate("[...document.querySelectorAll('.nav [data-page]')].map(a => a.dataset.page)")
    assert "appeals" in shown and "accounts" not in shown and "audit" not in shown


def test_token_is_shown_once(full, open_page):
    page = open_page("/keys/tokens")
    page.click("main >> role=button[name='Make token'] >> nth=0")
    page.fill("dialog [name=name]", "exporter")
    page.check("dialog input[value='devices:read']")
    page.click("dialog >> role=button[name='Save']")
    page.waitForSelector("dialog .secret")
    token = page.text("dialog .secret")
    assert full.apid.client(token=token).get("/api/v1/devices")[0] == 200
    page.click("dialog >> role=button[name='I have kept it']")
    page.waitForSelector("dialog", {"state": "detached"})
    assert token not in page.text("body")


# All that the mark has said, also what it said for a moment.
FORCE = """globalThis.told = []; new MutationObserver(() => { const mark = document.querySelector(".force");
    told.push([mark.dataset.force, mark.innerText.trim()]); }).observe(document.querySelector(".force"),
    {attributes: true, childList: true, subtree: true})"""


def test_change_shows_when_it_is_in_force(world, open_page):
    """Nobody but apid reports here: it is in force when apid says so."""
    page = open_page("/words")
    page.click("main >> role=button[name='Add word'] >> nth=0")
    fill_in(page, {"term": "forceful"})
    page.evaluate(FORCE)
    page.click("dialog >> role=button[name='Save']")
    page.wait("told.some(([state, text]) => state === 'done' && text === 'In force')")
    assert page.evaluate("told[0][0]") == "waiting"


@pytest.mark.parametrize("address, api, user, told", [
    ("/websites/categories", ("categories", "Held", {"name": "Held"}),
     ("websites/w-held", {"pattern": "held.example", "match": "exact", "category": "Held"}), "It is used by website w-held"),
    ("/firewall", ("profiles", "Held", {"rules": []}), ("groups/g-held", {"profile": "Held"}), "It is used by group g-held"),
], ids=["category", "profile"])
def test_what_uses_a_record_is_told_where_it_is_not_removed(world, open_page, address, api, user, told):
    resource, name, record = api
    assert world.owner.put("/api/v1/%s/%s" % (resource, name), record)[0] == 201
    assert world.owner.put("/api/v1/%s" % user[0], user[1])[0] == 201
    page = open_page(address)
    open_page.expected.append("status of 409")
    page.click("main >> role=row >> role=button[name=/^Remove %s/]" % name)
    if resource == "categories":
        page.click("dialog >> role=button[name='Remove']")
    page.see(told)
    assert world.owner.get("/api/v1/%s/%s" % (resource, name))[0] == 200
    assert world.owner.delete("/api/v1/%s" % user[0])[0] == 204
    assert world.owner.delete("/api/v1/%s/%s" % (resource, name))[0] == 204
