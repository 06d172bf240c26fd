# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tabs, two administrators, a session that ends, slow answers: nothing is lost, and nothing is done unseen."""
import json
import os
import time

import apidlib
import pytest
from support.wait import wait_until
from uilib import SECOND, appeal

# Changes are held until let_go() is called.
HOLD = """globalThis.whole = fetch; globalThis.gate = new Promise(done => { globalThis.let_go = done; });
    globalThis.fetch = async (...a) => { if ((a[1]?.method ?? "GET") !== "GET") await gate; return whole(...a); }"""

# Answers of requests whose method and path begin so (a regular expression) are held until let_go() is called; held tells how many are.
HOLD_ANSWERS = """globalThis.held = 0; globalThis.whole = fetch; globalThis.gate = new Promise(done => { globalThis.let_go = done; });
    globalThis.fetch = async (...a) => { const answer = await whole(...a);
        if (/^%s/.test((a[1]?.method ?? "GET") + " " + a[0])) { held++; await gate; } return answer; }"""


@pytest.fixture
def adam(full):
    """end(): his sessions end; again(): a new one, as of another tab."""
    class Adam:
        def again(self):
            full.account("adam", "admin")
            full.clients["adam"] = full.apid.client("adam", SECOND)
            return full.cookie("adam")

        def end(self):
            for session in full.owner.get("/api/v1/sessions")[1]["items"]:
                if session["admin"] == "adam":
                    assert full.owner.delete("/api/v1/sessions/" + session["id"])[0] == 204
    one = Adam()
    one.again()
    return one


def begin_word(page, term):
    page.see("forbiddenword")
    page.click("main >> role=button[name='Add word'] >> nth=0")
    page.fill("dialog [name=term]", term)


def store(page):
    page.click("dialog [data-submit]")
    page.waitForSelector("dialog", {"state": "detached"})


def test_logging_out_of_a_session_that_has_ended_leads_to_the_login(open_page, adam):
    page = open_page("/devices/annas-phone", user="adam")
    open_page.expected.append("401")
    adam.end()
    page.click("role=button[name='Log out']")
    page.waitForSelector("h1 >> text=Log in")
    page.wait("location.hash === ''")


def test_form_outlives_its_session(open_page, adam):
    page = open_page("/words", user="adam")
    open_page.expected.append("401")
    begin_word(page, "outlived")
    adam.end()
    page.click("dialog [data-submit]")
    page.waitForSelector("dialog [name=password]")
    assert page.inputValue("dialog [name=user]") == "adam"
    page.keyboard_press("Escape")
    page.waitForSelector("dialog [name=password]", {"state": "detached"})
    assert page.inputValue("dialog [name=term]") == "outlived", "also who does not log in at once loses nothing"
    page.click("dialog [data-submit]")
    page.fill("dialog [name=password]", SECOND)
    page.keyboard_press("Enter")
    page.waitForSelector("dialog [name=password]", {"state": "detached"})
    store(page)
    page.see("outlived")


def test_tab_goes_on_with_the_session_that_another_one_began(open_page, adam):
    page = open_page("/words", user="adam")
    open_page.expected.append("403")
    begin_word(page, "tabbed")
    page.context_addCookies([adam.again()])
    store(page)
    page.see("tabbed")


def test_tab_changes_nothing_as_another_account(full, open_page, adam):
    page = open_page("/words", user="adam")
    open_page.expected.append("403")
    begin_word(page, "usurped")
    page.context_addCookies([full.cookie(apidlib.OWNER)])
    page.click("dialog [data-submit]")
    page.see("has logged in from another tab")
    assert not full.owner.get("/api/v1/words?q=usurped")[1]["items"]


def test_dialog_left_while_it_stores_is_no_secret_to_the_page(open_page, full):
    assert full
    page = open_page("/words")
    begin_word(page, "leftbehind")
    page.evaluate(HOLD)
    page.click("dialog [data-submit]")
    page.keyboard_press("Escape")
    page.waitForSelector("dialog", {"state": "detached"})
    page.evaluate("let_go()")
    page.see("leftbehind")


def test_undo_does_not_take_away_what_another_has_made(full, open_page):
    full.have("words", {"id": "undone", "term": "undoneword"})
    page = open_page("/words")
    open_page.expected.append("412")
    page.click("main >> role=button[name='Remove undoneword']")
    page.see("undoneword was removed")
    full.have("words", {"id": "undone", "term": "of another"})
    page.click("role=button[name='Undo']")
    page.see("It has changed meanwhile.")
    assert full.owner.get("/api/v1/words/undone")[1]["term"] == "of another"


def test_undo_brings_back_what_another_has_changed_since_it_was_shown(full, open_page):
    full.have("words", {"id": "stale", "term": "staleword"})
    page = open_page("/words")
    page.see("staleword")
    full.have("words", {"id": "stale", "term": "freshword"})
    page.click("main >> role=button[name='Remove staleword']")
    page.click("role=button[name='Undo']")
    page.see("Undone")
    assert full.owner.get("/api/v1/words/stale")[1]["term"] == "freshword"


def test_what_another_has_removed_goes_when_it_is_removed(full, open_page):
    full.have("words", {"id": "gone", "term": "goneword"})
    page = open_page("/words")
    open_page.expected.append("404")
    page.see("goneword")
    full.owner.delete("/api/v1/words/gone")
    page.click("main >> role=button[name='Remove goneword']")
    page.see("goneword was removed by somebody else already")
    page.waitForSelector("main .t-row >> text=goneword", {"state": "detached"})


def test_switches_pressed_one_after_the_other_all_hold(full, open_page):
    page = open_page("/devices/bens-laptop/policy")
    box = "main section:has(h2:text-is('Lists')) .switch:has-text('%s') input"
    page.waitForSelector(box % "Malware")
    page.evaluate(HOLD)
    for title in ("Malware", "Ads"):
        page.click(box % title)
    page.evaluate("let_go()")
    wait_until(lambda: [sorted(p.get("lists_off", [])) for p in full.owner.get(
        "/api/v1/device-prefs?q=device:bens-laptop")[1]["items"]] == [["ads", "malware"]], "both are off")


def test_policy_of_all_devices_is_stored_only_as_it_was_seen(full, open_page):
    path = "/api/v1/settings/device_defaults"
    full.owner.put(path, {"id": "device_defaults", "value": {"images": "hide"}})
    page = open_page("/settings/defaults")
    open_page.expected.append("412")
    page.selectOption("main [name=words]", "hide")
    page.click("main >> role=button[name='Save']")
    wait_until(lambda: full.owner.get(path)[1]["value"] == {"images": "hide", "words": "hide"}, "it is stored")
    page.see("Saved")
    full.owner.put(path, {"id": "device_defaults", "value": {"images": "show"}})
    page.selectOption("main [name=quic]", "reject")
    page.click("main >> role=button[name='Save']")
    page.see("Somebody else has changed it meanwhile.")
    assert full.owner.get(path)[1]["value"] == {"images": "show"}
    full.owner.delete(path)


DEFAULTS = "/api/v1/settings/device_defaults"


@pytest.fixture(name="defaults")
def _defaults(full):
    """defaults(**value): another administrator stores the policy of all devices."""
    def put(**value):
        assert full.owner.put(DEFAULTS, {"id": "device_defaults", "value": value})[0] in (200, 201)
    put(images="hide")
    yield put
    full.owner.delete(DEFAULTS)


def test_what_another_stores_while_it_is_stored_is_not_overwritten_next(full, open_page, defaults):
    page = open_page("/settings/defaults")
    open_page.expected.append("412")
    page.selectOption("main [name=words]", "hide")
    page.evaluate(HOLD_ANSWERS % "PUT ")
    page.click("main >> role=button[name='Save']")
    wait_until(lambda: page.evaluate("held"), "it is stored, and the page does not know")
    defaults(images="show")
    page.evaluate("let_go()")
    page.see("Saved")
    page.selectOption("main [name=quic]", "reject")
    page.click("main >> role=button[name='Save']")
    page.see("Somebody else has changed it meanwhile.")
    assert full.owner.get(DEFAULTS)[1]["value"] == {"images": "show"}


def test_policy_of_all_devices_is_shown_as_it_is_when_it_may_be_stored(open_page, defaults):
    """Also where another has stored it after all settings were read."""
    page = open_page("/settings")
    page.waitForSelector("main [name=endpoint]")
    page.evaluate(HOLD_ANSWERS % "GET .*settings\\?")
    page.click("main >> role=link[name='Policy of all devices']")
    wait_until(lambda: page.evaluate("held"), "all settings are read")
    defaults(images="show")
    page.evaluate("let_go()")
    page.waitForSelector("main [name=images]")
    assert page.inputValue("main [name=images]") == "show"


def test_setting_that_is_wrong_is_told_at_its_field(full, open_page):
    assert full
    page = open_page("/settings/network")
    open_page.expected.append("400")
    page.fill("main [name=lan_prefixes]", "10.0.0.0/99")
    page.click("main >> role=button[name='Save']")
    page.see("Local networks is not what this setting takes.")
    assert page.evaluate("document.activeElement.name") == "lan_prefixes"


def test_appeal_that_another_has_answered_waits_no_more(full, open_page):
    one = appeal(700)
    full.post_appeal(one)
    page = open_page("/appeals")
    open_page.expected.append("409")
    card = "main [data-uuid='%s']" % one["uuid"]
    page.waitForSelector(card)
    full.owner.post("/api/v1/appeals/%s/reject" % one["uuid"], {})
    page.click(card + " >> role=button[name='Approve']")
    page.see("was answered by somebody else already")
    page.waitForSelector(card, {"state": "detached"})


def test_a_key_that_is_held_down_approves_one_appeal(full, open_page):
    for n in (710, 711, 712):
        full.post_appeal(appeal(n))
    pending = full.owner.get("/api/v1/appeal-counts")[1]["pending"]
    page = open_page("/appeals")
    page.waitForSelector("main .appeal")
    page.keyboard_down("a")
    page.see("is approved")
    for _ in range(3):
        page.keyboard_down("a")  # as it repeats
    page.keyboard_up("a")
    page.goto(full.url + "/#/health")
    page.waitForSelector("h1 >> text=Health")
    assert full.owner.get("/api/v1/appeal-counts")[1]["pending"] == pending - 1


def test_import_does_what_was_looked_at(full, open_page, tmp_path):
    """Also when what shall be removed is switched on while the look at it is on its way."""
    full.have("mitm-ignore", {"id": "keep", "domain": "keep.example"})
    file = tmp_path / "a.csv"
    file.write_text("id,domain\nnew,new.example\n")
    page = open_page("/websites/mitm_ignore")
    page.click("main >> role=button[name='Import, export']")
    page.click("dialog >> role=button[name='Import']")
    page.evaluate(HOLD)
    page.setInputFiles("dialog input[type=file]", str(file))
    page.check("dialog [role=switch]")
    page.evaluate("let_go()")
    page.see("1 new, 0 changed, 0 as they are, 1 removed.")
    page.uncheck("dialog [role=switch]")
    page.see("1 new, 0 changed, 0 as they are, 0 removed.")
    page.click("dialog [data-apply]")
    page.see("1 record was taken")
    assert {r["id"] for r in full.owner.get("/api/v1/mitm-ignore")[1]["items"]} == {"keep", "new"}


# ---- backups ----

@pytest.fixture
def told(world):
    """told(state, …): as culvert-backup tells."""
    folder = world.apid.dir / "state/backup"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    request = world.apid.dir / "state/apid/backup-request"

    def tell(state, error="", ages_h=()):
        now = int(time.time() * 1000)
        items = [{"name": "culvert-%d.backup" % h, "bytes": 184320, "at": now - h * 3600000} for h in ages_h]
        part = folder / "part"
        part.write_text(json.dumps({"state": state, "started_at": now, "ended_at": now, "error": error, "items": items}))
        part.chmod(0o644)
        os.replace(part, folder / "status.json")
    yield tell, request
    for path in (request, folder / "status.json"):
        path.unlink(missing_ok=True)


def test_backup_is_asked_for_and_seen(open_page, told):
    tell, request = told
    page = open_page("/settings/backup")
    page.see("There is no backup.")
    page.click("main >> role=button[name='Back up now']")
    page.see("Asked for")
    assert request.exists() and page.getAttribute("main .button.main", "aria-disabled") == "true"
    request.unlink()
    tell("failed", "no passphrase lies there")
    page.see("It said: no passphrase lies there.")
    tell("done", ages_h=(1, 25))
    page.goto(page.url().replace("/settings/backup", "/settings"))
    page.click("main >> role=link[name='Backup']")
    page.see("culvert-25.backup")
    assert page.text("main [role=status]") == "Made" and not page.evaluate("document.querySelector('main .note')")
    tell("done", ages_h=(60,))
    page.goto(page.url().replace("/settings/backup", "/settings"))
    page.click("main >> role=link[name='Backup']")
    page.see("more than two days old")


def test_backups_are_shown_to_owners_alone(open_page, adam):
    assert adam
    page = open_page("/settings/backup", user="adam")
    page.waitForSelector("main [name=endpoint]")
    assert "Backup" not in page.text("main .tabs")
