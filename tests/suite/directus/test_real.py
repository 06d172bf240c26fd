# SPDX-License-Identifier: GPL-3.0-or-later
"""syncd beside a real Directus (SPEC S1, S3, S5, S6). Not part of `make check`."""
import json
import time

import directuslib
import pytest
import realdirectus

from support.wait import wait_until

SLOW = "directus_poll_s = 3600\n"  # what is seen was pushed
POLLED = "directus_push = no\n"    # … or was found by the poll, each second


def status(redis):
    key = (redis("KEYS", "culvert:status:syncd:*") or [None])[0]
    return json.loads(redis("GET", key)) if key else {}


def test_all_collections_are_read(policy, directus):
    news, bad = directus.add("website_categories",
                             {"name": "News", "visibility": "public", "default_blocked": False, "sort_order": 1},
                             {"name": "Malware", "visibility": "security", "default_blocked": True, "sort_order": 3})
    site, = directus.add("websites", {"url": " news.example\n", "match_type": "endswith", "category_id": news,
                                      "status": "approved"})
    word, = directus.add("bad_words", {"word": "h\u00e9ck", "match_type": "contains"})
    pref, = directus.add("vpn_category_prefs", {"device_id": "dev-1", "category_id": bad, "blocked": True})
    over, = directus.add("vpn_site_overrides", {"device_id": "dev-1", "url": "ok.example", "match_type": "exact",
                                                "action": "allow", "image_policy": "show", "word_policy": "off"})
    directus.add("vpn_squid_prefs", {"device_id": "dev-1", "list": "gifs", "enabled": False})
    directus.add("vpn_master_controls", {"device_id": "dev-2", "chrome_offline": True, "vpn_offline_non_chrome": True})
    sni, = directus.add("mitm_block_domains", {"domain": "sni.example"})
    ignored, = directus.add("mitm_ignore_domains", {"domain": "bank.example"})
    directus.add("maps", {"url": "maps.example"}, {"url": "||osm.example^"})
    directus.add("gifs", {"url": "0.0.0.0 gifs.example"})
    directus.add("squid-general_block", {"url": "general.example/path"}, {"url": "general2.example"})
    directus.add("app_urls", {"urls": "a.app.example\nb.app.example"})
    policy.start()
    policy.wait("categories", {
        str(news): {"id": str(news), "name": "News", "visibility": "public", "default": "allow", "sort_order": 1},
        str(bad): {"id": str(bad), "name": "Malware", "visibility": "security", "default": "block", "sort_order": 3}})
    policy.wait("websites", {str(site): {"id": str(site), "pattern": "news.example", "match": "endswith",
                                         "category": str(news), "status": "approved"}})
    policy.wait("words", {str(word): {"id": str(word), "term": "h\u00e9ck", "match": "contains"}})
    policy.wait("category_prefs", {str(pref): {"id": str(pref), "device": "dev-1", "category": str(bad),
                                               "blocked": True}})
    policy.wait("site_overrides", {str(over): {"id": str(over), "device": "dev-1", "pattern": "ok.example",
                                               "match": "exact", "action": "allow", "images": "show",
                                               "words": "show"}})
    policy.wait("device_prefs", {
        "device:dev-1": {"id": "device:dev-1", "lists_off": ["gifs"]},
        "device:dev-2": {"id": "device:dev-2", "offline_browser": True, "offline_vpn": True}})
    policy.wait("sni_block", {str(sni): {"id": str(sni), "domain": "sni.example"}})
    policy.wait("mitm_ignore", {str(ignored): {"id": str(ignored), "domain": "bank.example"}})
    policy.known()
    policy.gateway.wait_list("app_urls", count=2)
    policy.gateway.expect([{"maps"}, {"gifs"}, {"general"}, {"app_urls"}],
                          "x.osm.example", "gifs.example", "general2.example", "b.app.example")


@pytest.mark.parametrize("how", [SLOW, POLLED], ids=["push", "poll"])
def test_changes_and_deletes_are_seen(policy, directus, redis, how):
    keep, = directus.add("mitm_block_domains", {"domain": "keep.example"})
    policy.start(how)
    policy.known()
    if how == SLOW:
        wait_until(lambda: status(redis).get("directus_push", {}).get("open"), "subscribed")
    kept = {str(keep): {"id": str(keep), "domain": "keep.example"}}
    one, = directus.add("mitm_block_domains", {"domain": "one.example"})
    policy.wait("sni_block", {**kept, str(one): {"id": str(one), "domain": "one.example"}})
    # MariaDB keeps whole seconds: these have one stamp, however fast they follow each other.
    for i in range(8):
        directus.update("mitm_block_domains", one, domain=f"n{i}.example")
        time.sleep(0.05 * i)
    policy.wait("sni_block", {**kept, str(one): {"id": str(one), "domain": "n7.example"}})
    directus.remove("mitm_block_domains", one)
    policy.wait("sni_block", kept)


@pytest.mark.parametrize("limit_max", [None, 100, 7], ids=["none", "100", "7"])
def test_no_row_is_lost_by_pages(policy, directus, limit_max):
    """S6: 100 rows are the default, QUERY_LIMIT_MAX is below what is asked for."""
    count = 250
    directus.add_many("mitm_block_domains", ({"domain": f"d{i}.example"} for i in range(count)))
    if limit_max:
        directus.kill()
        directus.start(QUERY_LIMIT_MAX=str(limit_max))
    policy.start()
    wait_until(lambda: len(policy.records("sni_block")) == count, "rows")


def test_a_collection_added_to_the_group_is_a_list(policy, directus):
    policy.start()
    policy.known()
    directus.make_collection("apps_signal", {"url": "text", "urls": "json"}, "apps")
    directus.permit("apps_signal")
    directus.add("apps_signal", {"urls": ["signal.org", "signal.art"]}, {"url": "||whisper.example^"})
    policy.gateway.wait_blocked("chat.signal.org", {"apps_signal"})
    policy.gateway.wait_blocked("whisper.example", {"apps_signal"})
    # No longer allowed to read it: it stays until somebody says that it is gone.
    directus.forbid("apps_signal")
    assert policy.gateway.alarm()["detail"].startswith("apps_signal: ")
    time.sleep(3)
    assert policy.gateway.blocked("chat.signal.org") == [{"apps_signal"}]
    directus.permit("apps_signal")
    directus.add("apps_signal", {"url": "more.example"})
    policy.gateway.wait_blocked("more.example", {"apps_signal"})
    directus.api("DELETE", "/collections/apps_signal")
    wait_until(lambda: "gone, or forbidden" in policy.gateway.alarm()["detail"], "alarm")
    policy.gateway.request("syncd.sync_now", list="apps_signal")
    policy.gateway.wait_blocked("chat.signal.org", set())


def test_an_administrators_token_sees_that_a_list_is_gone(policy, directus):
    directus.make_collection("apps_gone", {"url": "text"}, "apps")
    directus.add("apps_gone", {"url": "gone.example"})
    policy.token = realdirectus.ADMIN_TOKEN
    policy.start()
    policy.gateway.wait_blocked("gone.example", {"apps_gone"})
    directus.api("DELETE", "/collections/apps_gone")
    policy.gateway.wait_blocked("gone.example", set())


def words(policy):
    return sorted(r["term"] for r in policy.records("words").values())


@pytest.mark.parametrize("limits", [{"rule": {"id": {"_lt": 0}}}, {"rule": {"word": {"_contains": "9"}}},
                                    {"fields": ("id", "date_created", "date_updated")}],
                         ids=["no row", "one row", "no column"])
def test_what_a_permission_hides_stays_until_it_is_confirmed(policy, directus, limits):
    all_words = [f"word{n}" for n in range(10)]
    directus.add("bad_words", *({"word": w} for w in all_words))
    policy.start(POLLED)
    wait_until(lambda: words(policy) == all_words, "words")
    directus.forbid("bad_words")
    directus.permit("bad_words", **limits)
    directus.update("bad_words", 1 + min(r["id"] for r in directus.rows("bad_words")), word="word1")
    wait_until(lambda: "gone, or hidden from the token" in policy.gateway.alarm()["detail"], "alarm")
    domain, = directus.add("mitm_block_domains", {"domain": "one.example"})
    policy.wait("sni_block", {str(domain): {"id": str(domain), "domain": "one.example"}})
    assert words(policy) == all_words
    assert policy.gateway.request("syncd.sync_now", confirm="words")["status"] == 0
    left = ["word9"] if "word" in limits.get("rule", {}) else []
    wait_until(lambda: words(policy) == left, "confirmed")
    directus.forbid("bad_words")
    directus.permit("bad_words")
    assert policy.gateway.request("syncd.sync_now")["status"] == 0  # a right to columns moves neither count nor date
    wait_until(lambda: words(policy) == all_words, "seen again")


def test_many_rows_removed_are_gone_at_once_where_all_may_be_seen(policy, directus):
    keys = directus.add("bad_words", *({"word": f"word{n}"} for n in range(10)))
    policy.start(POLLED)
    wait_until(lambda: len(words(policy)) == 10, "words")
    directus.remove("bad_words", *keys)
    wait_until(lambda: not words(policy), "gone")
    assert "hidden" not in policy.gateway.syncd.log()


def test_token_revoked_and_restored(policy, directus):
    one, = directus.add("mitm_block_domains", {"domain": "one.example"})
    policy.start()
    want = {str(one): {"id": str(one), "domain": "one.example"}}
    policy.wait("sni_block", want)
    directus.set_token(None)
    assert "INVALID_CREDENTIALS" in policy.gateway.alarm()["detail"]
    two, = directus.add("mitm_block_domains", {"domain": "two.example"})
    time.sleep(3)
    policy.wait("sni_block", want)
    directus.set_token(directuslib.TOKEN)
    policy.wait("sni_block", {**want, str(two): {"id": str(two), "domain": "two.example"}})


def test_killed_for_a_minute(policy, directus):
    one, = directus.add("mitm_block_domains", {"domain": "one.example"})
    policy.start()
    want = {str(one): {"id": str(one), "domain": "one.example"}}
    policy.wait("sni_block", want)
    directus.kill()
    assert policy.gateway.alarm()
    time.sleep(60)
    policy.wait("sni_block", want)
    directus.start()
    two, = directus.add("mitm_block_domains", {"domain": "two.example"})
    policy.wait("sni_block", {**want, str(two): {"id": str(two), "domain": "two.example"}})


def test_its_database_is_down(policy, directus):
    """Every answer is a 500; nothing is taken for empty."""
    one, = directus.add("mitm_block_domains", {"domain": "one.example"})
    directus.add("maps", {"url": "maps.example"})
    policy.start()
    want = {str(one): {"id": str(one), "domain": "one.example"}}
    policy.wait("sni_block", want)
    policy.gateway.wait_blocked("maps.example", {"maps"})
    directus.database.kill()
    try:
        assert policy.gateway.alarm()
        time.sleep(5)
        policy.wait("sni_block", want)
        assert policy.gateway.blocked("maps.example") == [{"maps"}]
    finally:
        directus.database.start()
    two, = directus.add("mitm_block_domains", {"domain": "two.example"})
    policy.wait("sni_block", {**want, str(two): {"id": str(two), "domain": "two.example"}})


def test_login_instead_of_a_token(policy, directus, redis):
    """The access token is short-lived: it is refreshed while we look."""
    directus.kill()
    directus.start(ACCESS_TOKEN_TTL="12s")
    password = policy.secret("password", "a-password-0001")
    policy.start(f"directus_email = admin@example.com\ndirectus_password_file = {password}\n", token=False)
    policy.known()
    for i in range(20):
        one, = directus.add("mitm_block_domains", {"domain": f"one{i}.example"})
        wait_until(lambda: str(one) in policy.records("sni_block"), "row")
        time.sleep(1)
    assert not status(redis)["directus"].get("error")


def test_an_appeal_is_written(policy, directus, redis, place):
    from support.bus import Probe
    proxyd = Probe("proxyd", f"unix:{redis.socket}", place)
    uuid = "00000000-0000-4000-8000-000000000001"
    record = {"uuid": uuid, "url": "http://a.example/", "host": "a.example", "mode": "review", "category_id": "7",
              "device_id": "dev-1", "time": 1790000000000, "reason": "pl\u00e9ase"}
    policy.gateway.apid.do("listen", event="syncd.appeal_stored")
    policy.start()
    try:
        proxyd.do("queue_add", record=record, tag="one")
        assert proxyd.wait("queued", tag="one")["status"] == 0
        policy.gateway.apid.wait("event", event="syncd.appeal_stored", rec={"uuid": uuid})
        row, = directus.rows("website_appeals")
        assert (row["uuid"], row["status"], row["mode"], row["category_id"], row["reason"]) == (
            uuid, "pending", "review", "7", "pl\u00e9ase")
    finally:
        proxyd.quit()


def test_decisions_go_both_ways(policy, directus):
    """What is approved in Directus is told to apid, what apid decides stands in the row."""
    ids = [f"00000000-0000-4000-8000-{n:012d}" for n in (1, 2, 3)]
    keys = directus.add("website_appeals", *({"uuid": u, "url": "http://a.example/", "host": "a.example",
                                              "mode": "review", "status": "pending"} for u in ids))
    apid = policy.gateway.apid
    apid.do("serve", op="apid.appeal_status", result={"status": "approved", "decided": True})
    policy.start(SLOW)
    policy.known()
    directus.update("website_appeals", keys[0], status="approved", category_id="7")
    assert apid.wait("call")["args"] == {"uuid": ids[0], "status": "approved", "category_id": "7"}
    apid.set("appeal_answers", ids[1], {"uuid": ids[1], "device": "d", "host": "a.example", "status": "rejected"})
    wait_until(lambda: [r["status"] for r in directus.rows("website_appeals")] == ["approved", "rejected", "pending"],
               "the row says so")


def test_changes_in_apid_are_written_through(policy, directus):
    apid = policy.gateway.apid
    for topic in ("device_prefs", "categories", "websites", "words"):
        apid.replace(topic, {})
    apid.replace("settings", {"policy_source": {"id": "policy_source", "value": "directus"}})
    policy.start()
    policy.known()
    time.sleep(2)
    apid.set("categories", "games", {"id": "games", "name": "Games", "visibility": "public", "default": "block"})
    site = {"id": "w1", "pattern": "chess.example", "match": "endswith", "category": "games", "status": "approved"}
    apid.set("websites", "w1", site)
    apid.set("device_prefs", "device:dev-1", {"id": "device:dev-1", "offline_vpn": True, "lists_off": ["gifs"]})
    policy.wait("websites", {"w1": site})
    policy.wait("device_prefs", {"device:dev-1": {"id": "device:dev-1", "offline_vpn": True, "lists_off": ["gifs"]}})
    category, = directus.rows("website_categories")
    assert (category["name"], category["default_blocked"]) == ("Games", True)
    row, = directus.rows("websites")
    assert row["category_id"] == category["id"]
    apid.set("websites", "w1", {**site, "pattern": "go.example"})
    policy.wait("websites", {"w1": {**site, "pattern": "go.example"}})
    assert [r["url"] for r in directus.rows("websites")] == ["go.example"]
    apid.do("del", topic="websites", id="w1")
    wait_until(lambda: not directus.rows("websites"), "removed")
    policy.wait("websites", {})
