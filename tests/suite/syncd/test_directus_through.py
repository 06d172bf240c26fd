# SPDX-License-Identifier: GPL-3.0-or-later
"""What is changed in apid is written to Directus: switches always, the rest by policy_source (SPEC S1)."""
import threading
import time

import pytest
from directuslib import Refusal

from support.wait import wait_until

CATEGORY = {"id": "games", "name": "Games", "visibility": "public", "default": "block"}
SITE = {"id": "w1", "pattern": "chess.example", "match": "endswith", "category": "games", "status": "approved"}
LOCAL_TOPICS = ("device_prefs", "categories", "websites", "words", "search_words", "category_prefs", "site_overrides",
                "sni_block", "mitm_ignore", "image_ignore")


class Through:
    """apid is a probe that owns its topics; they begin empty."""

    def __init__(self, policy):
        self.policy, self.directus, self.apid = policy, policy.directus, policy.gateway.apid
        for topic in LOCAL_TOPICS:
            self.apid.replace(topic, {})

    def source(self, word):
        self.apid.replace("settings", {"policy_source": {"id": "policy_source", "value": word}})

    def start(self, word="directus", more=""):
        self.source(word)
        self.policy.start(more)
        self.policy.known()
        self.settle()
        topics = [f"{topic}:apid" for topic in LOCAL_TOPICS]

        def look():
            seen = self.policy.gateway.redis.status("syncd").get("topics", {})
            return all(seen.get(t, {}).get("current") for t in topics)
        wait_until(look, "what there is in apid is known: from now on all is a change")

    def settle(self):
        """What apid has published until now was looked at."""
        self.set("image_ignore", {"id": "mark", "domain": f"m{time.monotonic_ns()}.example"})
        self.policy.gateway.request("syncd.sync_now")
        gen = self.apid.flush("settings")
        wait_until(lambda: self.policy.gateway.redis.applied("syncd", "settings") >= gen, "whose word counts is known")

    def set(self, topic, record):
        self.apid.set(topic, record["id"], record)

    def remove(self, topic, name):
        self.apid.do("del", topic=topic, id=name)
        self.apid.flush(topic)

    def rows(self, collection):
        with self.directus.lock:
            return [{k: v for k, v in r.items() if not k.startswith("date_") and v is not None}
                    for r in self.directus.rows[collection].values()]

    def wait_rows(self, collection, *want):
        def bare(rows):
            return sorted((sorted((k, v) for k, v in r.items() if k != "id") for r in rows), key=str)
        try:
            wait_until(lambda: bare(self.rows(collection)) == bare(want), collection)
        except AssertionError:
            assert bare(self.rows(collection)) == bare(want), self.policy.gateway.syncd.log()[-4000:]


@pytest.fixture
def through(policy):
    return Through(policy)


@pytest.mark.parametrize("source", ["local", "directus"])
def test_switches_are_always_written(through, source):
    through.start(source)
    through.set("device_prefs", {"id": "device:dev-1", "offline_vpn": True})
    through.wait_rows("vpn_master_controls",
                      {"device_id": "dev-1", "chrome_offline": False, "vpn_offline_non_chrome": True})
    through.set("device_prefs", {"id": "device:dev-1", "offline_vpn": False, "offline_browser": True})
    through.wait_rows("vpn_master_controls",
                      {"device_id": "dev-1", "chrome_offline": True, "vpn_offline_non_chrome": False})
    through.remove("device_prefs", "device:dev-1")
    through.wait_rows("vpn_master_controls",
                      {"device_id": "dev-1", "chrome_offline": False, "vpn_offline_non_chrome": False})


def test_switch_goes_into_the_row_that_is_there(through, directus):
    directus.add("vpn_master_controls", {"device_id": "dev-1", "chrome_offline": True, "vpn_offline_non_chrome": False})
    through.start("local")
    through.set("device_prefs", {"id": "device:dev-1", "offline_vpn": True, "offline_browser": True})
    through.wait_rows("vpn_master_controls",
                      {"device_id": "dev-1", "chrome_offline": True, "vpn_offline_non_chrome": True})


def test_every_kind_of_record_is_written(through):
    through.start()
    through.set("categories", {**CATEGORY, "sort_order": 4})
    through.set("websites", {**SITE, "images": "hide"})
    through.set("words", {"id": "x1", "term": "darn", "match": "exact"})
    through.set("category_prefs", {"id": "p1", "device": "dev-1", "category": "games", "blocked": True})
    through.set("site_overrides", {"id": "o1", "device": "dev-1", "pattern": "a.example", "match": "exact",
                                   "action": "allow"})
    through.set("sni_block", {"id": "s1", "domain": "sni.example"})
    through.set("mitm_ignore", {"id": "m1", "domain": "bank.example"})
    through.set("device_prefs", {"id": "device:dev-1", "lists_off": ["gifs", "maps"]})
    through.wait_rows("website_categories", {"name": "Games", "visibility": "public", "default_blocked": True,
                                             "sort_order": 4})
    key = through.rows("website_categories")[0]["id"]
    through.wait_rows("websites", {"url": "chess.example", "match_type": "endswith", "category_id": key,
                                   "status": "approved", "image_policy": "hide"})
    through.wait_rows("bad_words", {"word": "darn", "match_type": "exact"})
    through.wait_rows("vpn_category_prefs", {"device_id": "dev-1", "category_id": key, "blocked": True})
    through.wait_rows("vpn_site_overrides", {"device_id": "dev-1", "url": "a.example", "match_type": "exact",
                                             "action": "allow"})
    through.wait_rows("mitm_block_domains", {"domain": "sni.example"})
    through.wait_rows("mitm_ignore_domains", {"domain": "bank.example"})
    through.wait_rows("vpn_squid_prefs", {"device_id": "dev-1", "list": "gifs", "enabled": False},
                      {"device_id": "dev-1", "list": "maps", "enabled": False})
    through.set("device_prefs", {"id": "device:dev-1", "lists_off": ["maps"]})
    through.wait_rows("vpn_squid_prefs", {"device_id": "dev-1", "list": "gifs", "enabled": True},
                      {"device_id": "dev-1", "list": "maps", "enabled": False})


def test_a_row_is_published_as_the_record_that_it_stands_for(through, policy):
    """One of the two is in force, and Directus' word counts; what rows have no field for stays."""
    through.start()
    through.set("categories", CATEGORY)
    through.set("websites", {**SITE, "needs": ["cdn.example"]})
    policy.wait("categories", {"games": CATEGORY})
    policy.wait("websites", {"w1": {**SITE, "needs": ["cdn.example"]}})


def test_changed_in_directus_afterwards_stays(through, directus, policy):
    through.start()
    through.set("words", {"id": "x1", "term": "darn", "match": "exact"})
    policy.wait("words", {"x1": {"id": "x1", "term": "darn", "match": "exact"}})
    n, = directus.rows["bad_words"]
    directus.update("bad_words", n, word="drat")
    policy.wait("words", {"x1": {"id": "x1", "term": "drat", "match": "exact"}})
    through.settle()
    # Another change in apid is the later one.
    through.set("words", {"id": "x1", "term": "damn", "match": "exact"})
    policy.wait("words", {"x1": {"id": "x1", "term": "damn", "match": "exact"}})
    through.wait_rows("bad_words", {"word": "damn", "match_type": "exact"})


def test_removed_in_apid_is_removed_in_directus(through, policy):
    through.start()
    through.set("words", {"id": "x1", "term": "darn"})
    through.wait_rows("bad_words", {"word": "darn"})
    through.remove("words", "x1")
    through.wait_rows("bad_words")
    policy.wait("words", {})


def test_removed_in_directus_is_removed_in_apid(through, directus):
    through.start()
    through.apid.do("serve", op="apid.policy_drop", result={})
    through.set("words", {"id": "x1", "term": "darn"})
    through.set("words", {"id": "x2", "term": "drat"})
    through.wait_rows("bad_words", {"word": "darn"}, {"word": "drat"})
    n, = (k for k, r in directus.rows["bad_words"].items() if r["word"] == "darn")
    directus.remove("bad_words", n)
    assert through.apid.wait("call")["args"] == {"topic": "words", "id": "x1"}
    through.remove("words", "x1")
    through.settle()
    assert through.rows("bad_words")[0]["word"] == "drat"


def test_where_apids_word_counts_nothing_but_switches_is_written(through):
    through.start("local")
    through.set("words", {"id": "x1", "term": "darn"})
    through.set("device_prefs", {"id": "device:dev-1", "lists_off": ["gifs"], "offline_vpn": True})
    through.wait_rows("vpn_master_controls",
                      {"device_id": "dev-1", "chrome_offline": False, "vpn_offline_non_chrome": True})
    assert not through.rows("bad_words") and not through.rows("vpn_squid_prefs")
    # What was there when it became Directus' does not move over, what is changed from then on does.
    through.source("directus")
    through.settle()
    through.set("words", {"id": "x2", "term": "drat"})
    through.wait_rows("bad_words", {"word": "drat"})


def test_changed_while_directus_or_syncd_was_away_is_written_later(through, directus):
    through.start()
    directus.failing += ["INTERNAL_SERVER_ERROR"] * 8
    through.set("words", {"id": "x1", "term": "darn"})
    through.wait_rows("bad_words", {"word": "darn"})
    wait_until(lambda: through.policy.gateway.redis.status_now("syncd")["directus_writes"]["waiting"] == 0, "noted")
    through.policy.gateway.syncd.stop()
    through.set("words", {"id": "x1", "term": "drat"})
    through.set("words", {"id": "x2", "term": "damn"})
    through.policy.gateway.syncd.start()
    through.wait_rows("bad_words", {"word": "drat"}, {"word": "damn"})


def test_no_row_is_made_twice_when_syncd_is_killed(through, directus):
    through.start()
    for i in range(4):
        through.set("words", {"id": f"x{i}", "term": f"darn{i}"})
        through.policy.gateway.syncd.kill()
        through.policy.gateway.syncd.start()
    through.wait_rows("bad_words", *({"word": f"darn{i}"} for i in range(4)))
    through.settle()
    through.wait_rows("bad_words", *({"word": f"darn{i}"} for i in range(4)))


def kill_at_addition(through, directus, collection):
    """From now on: syncd is killed when the row is there and it has not been told."""
    killed = threading.Event()

    def on_answer(path, status):
        if path == f"/items/{collection}" and status == 200 and not killed.is_set():
            through.policy.gateway.syncd.kill()
            killed.set()
    directus.on_answer = on_answer
    return killed


WORD = {"id": "x1", "term": "darn", "match": "word"}


@pytest.mark.parametrize("after", ["changed", "removed", "moved"])
def test_row_that_was_being_added_is_found_again_whatever_became_of_the_record(through, directus, after):
    through.start()
    killed = kill_at_addition(through, directus, "bad_words")
    through.set("words", WORD)
    assert killed.wait(30) and [r["word"] for r in through.rows("bad_words")] == ["darn"]
    want = []
    if after == "removed":
        through.remove("words", "x1")
    else:
        through.set("words", {**WORD, "term": "drat"})
        want.append({"word": "drat", "match_type": "word"})
    if after == "moved":  # what it said is said by another one now
        through.set("words", {**WORD, "id": "x0"})
        want.append({"word": "darn", "match_type": "word"})
    through.policy.gateway.syncd.start()
    through.wait_rows("bad_words", *want)
    through.settle()
    through.wait_rows("bad_words", *want)


def test_list_that_was_being_switched_off_and_is_on_again_is_on_in_directus(through, directus):
    through.start()
    killed = kill_at_addition(through, directus, "vpn_squid_prefs")
    through.set("device_prefs", {"id": "device:dev-1", "lists_off": ["gifs"]})
    assert killed.wait(30) and [r["enabled"] for r in through.rows("vpn_squid_prefs")] == [False]
    through.set("device_prefs", {"id": "device:dev-1", "lists_off": []})
    through.policy.gateway.syncd.start()
    through.wait_rows("vpn_squid_prefs", {"device_id": "dev-1", "list": "gifs", "enabled": True})


def test_addition_that_was_refused_is_not_looked_for_later(through, directus, gateway):
    """By then it would be a row that an admin has made."""
    def instead(method, path, body):
        if method == "POST" and path == "/items/bad_words":
            raise Refusal("FORBIDDEN")
    through.start()
    directus.instead = instead
    through.set("words", WORD)
    wait_until(lambda: gateway.alarm()["detail"].startswith("bad_words: FORBIDDEN"), "alarm")
    gateway.syncd.stop()
    assert "x1" not in (gateway.syncd.dir / "state/syncd/directus-adds.json").read_text()


def test_what_rows_cannot_say_stays_in_apid(through):
    """For a group, for a while, by the clock: in Directus it would be for everybody and for good."""
    through.start()
    through.set("site_overrides", {"id": "o1", "group": "kids", "pattern": "a.example", "action": "allow"})
    through.set("site_overrides", {"id": "o2", "device": "dev-1", "pattern": "b.example", "action": "allow",
                                   "until": 1900000000000})
    through.set("category_prefs", {"id": "p1", "device": "dev-1", "category": "7", "blocked": True,
                                   "schedule": {"what": "category:7"}})
    through.set("device_prefs", {"id": "group:kids", "offline_vpn": True, "lists_off": ["gifs"]})
    through.set("site_overrides", {"id": "o3", "device": "dev-1", "pattern": "c.example", "action": "block"})
    through.wait_rows("vpn_site_overrides", {"device_id": "dev-1", "url": "c.example", "action": "block"})
    assert not through.rows("vpn_category_prefs") and not through.rows("vpn_master_controls")
    assert not through.rows("vpn_squid_prefs")


def test_refused_change_is_told_and_holds_up_no_other(through, directus):
    through.start()
    directus.forbidden.add("bad_words")
    through.set("words", {"id": "x1", "term": "darn"})
    through.set("sni_block", {"id": "s1", "domain": "sni.example"})
    through.wait_rows("mitm_block_domains", {"domain": "sni.example"})
    wait_until(lambda: through.policy.gateway.alarm()["detail"].startswith("bad_words: FORBIDDEN"), "alarm")


def test_row_that_may_not_be_removed_is_told_and_not_taken_for_gone(through, directus, policy):
    """403 is said of both. Here it is an override that goes on allowing."""
    through.start()
    through.set("site_overrides", {"id": "o1", "device": "dev-1", "pattern": "a.example", "match": "exact",
                                   "action": "allow"})
    wait_until(lambda: through.rows("vpn_site_overrides"), "row")
    directus.undeletable.add("vpn_site_overrides")
    through.remove("site_overrides", "o1")
    wait_until(lambda: "vpn_site_overrides: FORBIDDEN: a row may not be removed" in policy.gateway.alarm()["detail"],
               "alarm")
    assert through.rows("vpn_site_overrides")
    # It is not forgotten over a restart.
    directus.undeletable.clear()
    policy.gateway.syncd.stop()
    policy.gateway.syncd.start()
    through.wait_rows("vpn_site_overrides")


def test_record_that_directus_fails_at_holds_up_no_other(through, directus):
    def instead(method, path, body):
        if method == "POST" and (body or {}).get("word") == "bad":
            raise Refusal("INTERNAL_SERVER_ERROR")
    through.start()
    directus.instead = instead
    through.set("words", {"id": "x1", "term": "bad", "match": "word"})
    through.set("words", {"id": "x2", "term": "good", "match": "word"})
    wait_until(lambda: [r["word"] for r in through.rows("bad_words")] == ["good"], "the other")


def give_ten(through, directus):
    """Ten words of apid's that are rows of Directus'; a rule may hide some of the collection."""
    through.start()
    through.apid.do("serve", op="apid.policy_drop", result={})
    for n in range(10):
        through.set("words", {"id": f"x{n}", "term": f"word{n}"})
    wait_until(lambda: len(through.rows("bad_words")) == 10, "rows")
    wait_until(lambda: len(through.policy.records("words")) == 10, "words")
    with directus.lock:
        directus.hidden["bad_words"] = lambda row: True


def test_hidden_rows_remove_nothing_in_apid(through, directus, gateway):
    give_ten(through, directus)
    with directus.lock:
        directus.hidden["bad_words"] = lambda row: False
    wait_until(lambda: "10 of 10 rows are gone, or hidden" in gateway.alarm()["detail"], "alarm")
    assert "apid's record goes too" not in gateway.syncd.log()
    assert len(through.policy.records("words")) == 10


def test_rows_that_were_removed_by_apid_are_not_missed(through, directus, gateway):
    give_ten(through, directus)
    for n in range(9):
        through.remove("words", f"x{n}")
    wait_until(lambda: len(through.rows("bad_words")) == 1, "row")
    wait_until(lambda: len(through.policy.records("words")) == 1, "word")
    assert "hidden" not in gateway.syncd.log()
