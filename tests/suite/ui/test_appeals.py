# SPDX-License-Identifier: GPL-3.0-or-later
"""Appeals by one keystroke, and explain drawn (SPEC A6, A8, A11)."""
import itertools

import pytest
from answerer import Answerer
from uilib import appeal, key

NUMBERS = itertools.count(100)


def posted(world, **more):
    world.have("devices", {"id": "annas-phone", "name": "Anna\u2019s phone", "public_key": key(1)})
    one = appeal(next(NUMBERS), **more)
    world.post_appeal(one)
    return one


def of(world, one):
    return world.owner.get("/api/v1/appeals/" + one["uuid"])[1]


def test_key_approves_the_appeal_that_is_chosen(world, open_page):
    older, newer = posted(world), posted(world)
    page = open_page("/appeals")
    page.waitForSelector("[data-uuid='%s']" % older["uuid"])
    page.evaluate("document.querySelector(\"[data-uuid='%s']\").focus()" % older["uuid"])
    page.keyboard_press("a")
    page.see("%s is approved" % older["host"])
    assert of(world, older)["status"] == "approved" and of(world, newer)["status"] == "pending"
    overrides = world.owner.get("/api/v1/site-overrides?device=annas-phone&limit=500")[1]["items"]
    assert [o["action"] for o in overrides if o["pattern"] == older["host"]] == ["allow"]
    page.waitForSelector("[data-uuid='%s']" % older["uuid"], {"state": "detached"})


def test_key_rejects_and_the_next_one_is_chosen(world, open_page):
    posted(world)
    one = posted(world)
    page = open_page("/appeals")
    page.waitForSelector("[data-uuid='%s']" % one["uuid"])
    page.keyboard_press("r")
    page.see("%s is rejected" % one["host"])
    assert of(world, one)["status"] == "rejected"
    page.wait("(document.activeElement.dataset.uuid ?? '%s') !== '%s'" % (one["uuid"], one["uuid"]))


def test_review_is_approved_into_a_category_with_a_word(world, open_page):
    one = posted(world, mode="review", category_id="games")
    page = open_page("/appeals")
    page.click("[data-uuid='%s'] >> role=button[name='Approve with …']" % one["uuid"])
    page.fill("dialog [name=answer]", "Have fun.")
    page.click("dialog >> role=button[name='Approve']")
    page.see("%s is approved" % one["host"])
    assert of(world, one)["answer"] == "Have fun."
    sites = world.owner.get("/api/v1/websites?limit=500")[1]["items"]
    assert [(s["category"], s["status"]) for s in sites if s["pattern"] == one["host"]] == [("games", "approved")]


def test_keys_do_nothing_while_somebody_writes(world, open_page):
    one = posted(world)
    page = open_page("/appeals")
    page.click("[data-uuid='%s'] >> role=button[name='Reject with a word']" % one["uuid"])
    page.keyboard_press("a")
    page.fill("dialog [name=answer]", "a")
    page.keyboard_press("Escape")
    assert of(world, one)["status"] == "pending"


def path(verdict, by, **more):
    return {"acts": True, "verdict": verdict, "by": by, "decrypted": True, "steps": [
        {"step": "switches", "decided": False}, {"step": by, "decided": True, "verdict": verdict, "reason": "category",
                                                 "category": "Games", "generation": 12}], **more}


@pytest.fixture
def daemons(world):
    said = {"dnsd": {"outcome": "forward", "steps": []},
            "proxyd": {"host": "play.example", "port": 443, "https": True,
                       "addresses": [{"address": "93.184.216.10", "allowed": True}],
                       "intercept": path("allow", "default"), "proxy": path("block", "blocked category")}}
    made = [Answerer(world.redis, name, said[name]) for name in said]
    yield made
    for one in made:
        one.close()


def test_way_of_a_request_is_drawn_to_where_it_ends(world, open_page, daemons):
    world.have("devices", {"id": "annas-phone", "name": "Anna\u2019s phone", "public_key": key(1)})
    page = open_page("/explain")
    page.fill("#explain-device", "annas-phone")
    page.fill("#explain-url", "https://play.example/now")
    page.keyboard_press("Enter")
    page.waitForSelector(".way")
    browser, apps = page.evaluate("""[...document.querySelectorAll(".way")].map(w => [...w.children].map(s => s.dataset.tone))""")
    assert browser == ["good", "bad", "past"]
    assert apps == ["good", "good", "good", "good", "good"]
    assert "Games" in page.text("main") and "generation 12" in page.text("main")
    page.click("main >> role=button[name='Unblock a website']")
    assert page.inputValue("dialog [name=pattern]") == "play.example"


def test_daemon_that_does_not_answer_is_named(world, open_page):
    world.have("devices", {"id": "annas-phone", "name": "Anna\u2019s phone", "public_key": key(1)})
    page = open_page("/explain?device=annas-phone&url=a.example")
    page.waitForSelector(".way")
    assert "Not known" in page.text("main") and "dnsd did not say" in page.text("main")
