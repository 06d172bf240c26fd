# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy from Directus: what is read, how often, and what happens when it cannot be (SPEC S1, S3, S6)."""
import signal
import threading

import pytest
from directuslib import TOKEN

from support import DEADLINE_S
from support.wait import wait_until


def test_every_collection_becomes_its_topic(policy, directus):
    """S1: K's collections and fields, as a real Directus gave them."""
    directus.add("website_categories",
                 {"name": "News", "visibility": "public", "default_blocked": False, "sort_order": 1},
                 {"name": "Malware", "visibility": "Security", "default_blocked": True, "sort_order": 3})
    directus.add("websites", {"url": " news.example\n", "match_type": "endswith", "category_id": 1,
                              "status": "approved"})
    directus.add("bad_words", {"word": "h\u00e9ck", "match_type": "contains"})
    directus.add("vpn_category_prefs", {"device_id": "dev-1", "category_id": 2, "blocked": True})
    directus.add("vpn_site_overrides", {"device_id": "dev-1", "url": "ok.social.example", "match_type": "exact",
                                        "action": "allow", "image_policy": "show", "word_policy": "off"})
    directus.add("vpn_squid_prefs", {"device_id": "dev-1", "list": "gifs", "enabled": False},
                 {"device_id": "dev-2", "list": "maps", "enabled": True})
    directus.add("vpn_master_controls",
                 {"device_id": "dev-1", "chrome_offline": False, "vpn_offline_non_chrome": False},
                 {"device_id": "dev-2", "chrome_offline": True, "vpn_offline_non_chrome": True})
    directus.add("mitm_block_domains", {"domain": "blocked-sni.example"})
    directus.add("mitm_ignore_domains", {"domain": "bank.example"})
    policy.start()
    policy.wait("categories", {
        "1": {"id": "1", "name": "News", "visibility": "public", "default": "allow", "sort_order": 1},
        "2": {"id": "2", "name": "Malware", "visibility": "security", "default": "block", "sort_order": 3}})
    policy.wait("websites", {"1": {"id": "1", "pattern": "news.example", "match": "endswith", "category": "1",
                                   "status": "approved"}})
    policy.wait("words", {"1": {"id": "1", "term": "h\u00e9ck", "match": "contains"}})
    policy.wait("category_prefs", {"1": {"id": "1", "device": "dev-1", "category": "2", "blocked": True}})
    policy.wait("site_overrides", {"1": {"id": "1", "device": "dev-1", "pattern": "ok.social.example",
                                         "match": "exact", "action": "allow", "images": "show",
                                         "words": "show"}})
    policy.wait("device_prefs", {
        "device:dev-1": {"id": "device:dev-1", "lists_off": ["gifs"]},
        "device:dev-2": {"id": "device:dev-2", "offline_browser": True, "offline_vpn": True}})
    policy.wait("sni_block", {"1": {"id": "1", "domain": "blocked-sni.example"}})
    policy.wait("mitm_ignore", {"1": {"id": "1", "domain": "bank.example"}})
    policy.known()  # search_words and image_ignore too, which have no collection: empty, not unknown


def test_changes_and_deletes_are_found_by_the_poll(policy, directus):
    """S3: deletes do not move the maximum, the count does; what has not changed is not read again."""
    ids = directus.add("mitm_block_domains", *({"domain": f"d{i}.example"} for i in range(30)))
    policy.start()
    wait_until(lambda: len(policy.records("sni_block")) == 30, "sni_block")
    reads = len(directus.asked("/items/websites?fields"))
    directus.remove("mitm_block_domains", ids[3])
    wait_until(lambda: len(policy.records("sni_block")) == 29, "a row less")
    directus.update("mitm_block_domains", ids[4], domain="other.example")
    wait_until(lambda: policy.records("sni_block")[str(ids[4])]["domain"] == "other.example", "changed row")
    # Most of it gone at one stroke: consumers believe it, since it is said to be the whole.
    directus.remove("mitm_block_domains", *ids[5:])
    wait_until(lambda: len(policy.records("sni_block")) == 4, "most rows gone")
    assert len(directus.asked("/items/websites?fields")) == reads


def test_collection_without_stamps_is_read_every_time(policy, directus):
    directus.unstamped.add("bad_words")
    n, = directus.add("bad_words", {"word": "darn", "match_type": "exact"})
    policy.start()
    wait_until(lambda: policy.records("words"), "words")
    directus.update("bad_words", n, word="drat")
    policy.wait("words", {"1": {"id": "1", "term": "drat", "match": "exact"}})


@pytest.mark.parametrize("limit_max", [None, 7, 1])
def test_no_row_is_lost_by_pages(policy, directus, limit_max):
    """S6: more than the 100 of the default and more than QUERY_LIMIT_MAX lets through."""
    directus.limit_max = limit_max
    count = 30 if limit_max else 250
    directus.add("mitm_block_domains", *({"domain": f"d{i}.example"} for i in range(count)))
    policy.start("directus_page = 100\n")
    wait_until(lambda: len(policy.records("sni_block")) == count, "rows")


def test_rows_that_vanish_between_pages_lose_no_other(policy, directus):
    ids = directus.add("mitm_block_domains", *({"domain": f"d{i}.example"} for i in range(40)))

    def shift(collection, query):
        """The first page was given: two of its rows go away."""
        if collection == "mitm_block_domains" and "filter[id][_gt]" in query:
            directus.on_read = None
            directus.remove(collection, ids[0], ids[1])
    directus.on_read = shift
    policy.start("directus_page = 10\n")
    wait_until(lambda: set(policy.records("sni_block")) == {str(i) for i in ids[2:]}, "all that stay")


def test_lists_are_compiled_and_those_of_the_group_come_and_go(policy, directus, gateway):
    """S1: every collection of the group `apps` is a list by itself."""
    directus.make_collection("apps_signal", "apps")
    directus.make_collection("other", None)
    directus.add("other", {"url": "other.example"})
    directus.add("apps_signal", {"urls": ["signal.org", "signal.art"]})
    directus.add("maps", {"url": "maps.example"}, {"url": "||osm.example^"}, {"url": None})
    directus.add("squid-general_block", {"url": "  spaces.example \n"}, {"url": "g.example/path"})
    directus.add("app_urls", {"urls": "a.app.example\nb.app.example\r\n# comment\nc.app.example"})
    policy.start()
    gateway.wait_list("apps_signal", count=2, source="directus:apps_signal", default_on=True, subtree=True)
    gateway.wait_list("app_urls", count=3)
    gateway.wait_list("gifs", count=0, error=None)
    gateway.wait_list("general", error=None)
    gateway.expect([{"apps_signal"}, {"maps"}, {"app_urls"}, {"general"}, set()],
                   "x.signal.org", "osm.example", "c.app.example", "spaces.example", "other.example")
    directus.make_collection("apps_tiktok", "apps")
    directus.add("apps_tiktok", {"url": "tiktok.example"})
    gateway.wait_blocked("tiktok.example", {"apps_tiktok"})
    directus.drop_collection("apps_signal")
    gateway.wait_blocked("signal.org", set())
    wait_until(lambda: "apps_signal" not in gateway.lists(), "list gone")
    # Emptied on purpose: the reading was whole, so no shrink guard.
    directus.remove("maps", *list(directus.rows["maps"]))
    gateway.wait_blocked("maps.example", set())


def test_lists_and_policy_hold_over_a_restart_without_directus(policy, directus, gateway):
    directus.make_collection("apps_x", "apps")
    directus.add("apps_x", {"url": "x.example"})
    directus.add("mitm_block_domains", {"domain": "blocked-sni.example"})
    policy.start()
    gateway.wait_blocked("x.example", {"apps_x"})
    policy.known()
    gateway.syncd.stop()
    directus.failing = ["INTERNAL_SERVER_ERROR"] * 1000
    gateway.sources(local="file:l.txt")
    gateway.syncd.write("l.txt", "l.example\n")
    gateway.syncd.start()
    gateway.wait_blocked("l.example", {"local"})
    assert gateway.blocked("x.example") == [{"apps_x"}]
    assert policy.records("sni_block")
    directus.failing = []
    directus.add("apps_x", {"url": "y.example"})
    gateway.wait_blocked("y.example", {"apps_x"})


def test_list_of_both_is_the_winners(policy, directus, gateway):
    """S1: policy_source says which side wins."""
    directus.add("maps", {"url": "theirs.example"})
    gateway.syncd.write("m.txt", "ours.example\n")
    gateway.apid.replace("settings", {"policy_source": {"id": "policy_source", "value": "local"}})
    gateway.sources(maps="file:m.txt")
    policy.start()
    policy.known()
    gateway.wait_blocked("ours.example", {"maps"})
    assert gateway.blocked("theirs.example") == [set()]
    gateway.apid.replace("settings", {"policy_source": {"id": "policy_source", "value": "directus"}})
    gateway.wait_blocked("theirs.example", {"maps"})
    gateway.wait_blocked("ours.example", set())
    gateway.apid.replace("settings", {"policy_source": {"id": "policy_source", "value": "local"}})
    gateway.wait_blocked("ours.example", {"maps"})


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "REQUESTS_EXCEEDED"])
def test_failure_keeps_the_last_good_state_and_is_told(policy, directus, gateway, code):
    directus.add("mitm_block_domains", {"domain": "blocked-sni.example"})
    policy.start()
    policy.known()
    with directus.lock:
        # Until it is told of: whoever reads appeals' decisions is failed too, and takes some of them.
        directus.failing = [code] * 1000
        directus.add("mitm_block_domains", {"domain": "second.example"})
    assert code in gateway.alarm()["detail"]
    with directus.lock:
        directus.failing = []
    wait_until(lambda: len(policy.records("sni_block")) == 2, "afterwards")


def test_revoked_token_is_told_and_restored_goes_on(policy, directus, gateway):
    directus.add("mitm_block_domains", {"domain": "blocked-sni.example"})
    policy.start()
    policy.known()
    directus.tokens.clear()
    assert "INVALID_CREDENTIALS" in gateway.alarm()["detail"]
    directus.remove("mitm_block_domains", 1)
    assert len(policy.records("sni_block")) == 1
    directus.tokens.add(TOKEN)
    policy.wait("sni_block", {})


def test_forbidden_collection_keeps_its_last_good_state_alone(policy, directus, gateway):
    directus.add("mitm_block_domains", {"domain": "blocked-sni.example"})
    policy.start()
    policy.known()
    directus.forbidden.add("mitm_block_domains")
    directus.add("bad_words", {"word": "darn"})
    assert gateway.alarm()["detail"].startswith("mitm_block_domains: FORBIDDEN")
    policy.wait("words", {"1": {"id": "1", "term": "darn"}})
    assert len(policy.records("sni_block")) == 1
    with directus.lock:
        directus.forbidden.clear()
        directus.remove("mitm_block_domains", 1)
    policy.wait("sni_block", {})


def test_login_is_refreshed_and_made_anew(policy, directus):
    directus.login, directus.expires_ms = ("sync@example.com", "secret-1"), 900_000
    directus.add("bad_words", {"word": "one"})
    policy.start(f"directus_email = sync@example.com\ndirectus_password_file = {policy.secret('pw', 'secret-1')}\n",
                 token=False)
    policy.wait("words", {"1": {"id": "1", "term": "one"}})
    assert len(directus.asked("/auth/login")) == 1
    # What was given does not hold any longer: the refresh token does …
    with directus.lock:
        directus.refreshes.clear()
        directus.add("bad_words", {"word": "two"})
    wait_until(lambda: len(policy.records("words")) == 2, "second")
    assert len(directus.asked("/auth/refresh")) == 1
    # … and neither: a new login.
    with directus.lock:
        directus.refreshes.clear()
        directus.refresh = None
        directus.add("bad_words", {"word": "three"})
    wait_until(lambda: len(policy.records("words")) == 3, "third")
    assert len(directus.asked("/auth/login")) == 2


def test_late_refusal_of_a_former_login_does_not_cost_the_new_one(policy, directus, gateway):
    """Two requests with a login that holds no longer: the second answer comes when the first has brought another."""
    directus.login = ("sync@example.com", "secret-1")
    policy.start(f"directus_email = sync@example.com\ndirectus_password_file = {policy.secret('pw', 'secret-1')}\n"
                 "directus_poll_s = 3600\ndirectus_push = no\n", token=False)
    policy.known()
    wait_until(lambda: directus.requests[-1][1].startswith("/items/website_appeals?fields"), "the first round")
    refused, late = threading.Event(), threading.Event()

    def on_answer(path, status):
        if status == 401 and path.startswith("/items/vpn_appeals"):
            refused.set()
            assert late.wait(DEADLINE_S)
    with directus.lock:
        directus.on_answer = on_answer
        directus.refreshes.clear()
        directus.add("bad_words", {"word": "one"})
    gateway.request("syncd.directus_changed", collection="vpn_appeals")
    assert refused.wait(DEADLINE_S)
    asked = len(directus.asked("/items/vpn_appeals"))
    gateway.request("syncd.directus_changed", collection="bad_words")
    policy.wait("words", {"1": {"id": "1", "term": "one"}})
    late.set()
    wait_until(lambda: len(directus.asked("/items/vpn_appeals")) > asked, "asked again, with the new login")
    assert len(directus.asked("/auth/refresh")) == 1 and len(directus.asked("/auth/login")) == 1


def test_names_are_changed_in_the_configuration(policy, directus):
    directus.make_collection("my_words")
    directus.add("my_words", {"text": "darn", "match_type": "exact"})
    policy.start("directus_map = words=my_words, words.term=text, gifs=\n")
    policy.wait("words", {"1": {"id": "1", "term": "darn", "match": "exact"}})
    assert not directus.asked("bad_words") and not directus.asked("/items/gifs")


def test_hostile_rows_are_left_out_or_closed_and_the_rest_goes_on(policy, directus):
    """Strings may hold anything; what restricts and is not understood closes the record."""
    directus.add("mitm_block_domains", *({"domain": d} for d in
                 ("", "nul\x00x.example", "x" * 300, "tab\tnl\ncr\r", "</script>", None, "good.example")))
    directus.add("websites", {"url": "a.example", "match_type": "like", "category_id": 1, "status": "approved"},
                 {"url": None, "category_id": 1}, {"url": "b.example", "category_id": None})
    directus.add("vpn_site_overrides", {"device_id": None, "url": "all.example", "action": "allow"})
    policy.start()
    wait_until(lambda: "good.example" in [r["domain"] for r in policy.records("sni_block").values()], "good row")
    assert all("\x00" not in r["domain"] for r in policy.records("sni_block").values())
    wait_until(lambda: list(policy.records("websites")) == ["1"], "websites")
    policy.known()
    assert not policy.records("site_overrides")


def test_sync_now_reads_at_once(policy, directus, gateway):
    """S2: manual \"sync now\"."""
    policy.start("directus_poll_s = 3600\ndirectus_push = no\n")
    policy.known()
    directus.add("bad_words", {"word": "darn"})
    gateway.request("syncd.sync_now")
    wait_until(lambda: policy.records("words"), "words")


def test_hint_is_followed_at_once_and_looks_where_it_says(policy, directus, gateway):
    """S3: a webhook by way of apid. Without a collection everything is asked for its stamp."""
    policy.start("directus_poll_s = 3600\ndirectus_push = no\n")
    policy.known()
    wait_until(lambda: directus.requests[-1][1].startswith("/items/website_appeals?fields"), "the first round")
    before = len(directus.requests)
    with directus.lock:
        directus.add("bad_words", {"word": "darn"})
        directus.add("mitm_block_domains", {"domain": "d.example"})
    gateway.request("syncd.directus_changed", collection="bad_words")
    policy.wait("words", {"1": {"id": "1", "term": "darn"}})
    assert {p.split("?")[0] for _, p in directus.requests[before:]} == {"/items/bad_words"}
    gateway.request("syncd.directus_changed")
    policy.wait("sni_block", {"1": {"id": "1", "domain": "d.example"}})
    asked = [path for _, path in directus.requests[before:]]
    assert "/collections" in asked
    assert {p.split("?")[0] for p in asked if "fields=" in p} == {"/items/bad_words",
                                                                 "/items/mitm_block_domains"}


def test_token_file_is_read_again_on_hangup(policy, directus, gateway):
    policy.start()
    policy.known()
    directus.tokens = {"another-token"}
    wait_until(lambda: "INVALID_CREDENTIALS" in gateway.alarm()["detail"], "alarm")
    directus.add("bad_words", {"word": "darn"})
    policy.secret("token", "another-token")
    gateway.syncd.send(signal.SIGHUP)
    wait_until(lambda: policy.records("words"), "words")


def test_policy_goes_with_the_directus_that_is_configured_no_more(policy, directus, gateway):
    directus.add("bad_words", {"word": "darn"})
    directus.add("maps", {"url": "maps.example"})
    policy.start()
    wait_until(lambda: policy.records("words"), "words")
    gateway.wait_blocked("maps.example", {"maps"})
    gateway.syncd.stop()
    gateway.syncd.more = ""
    gateway.syncd.start()
    policy.wait("words", {})
    gateway.wait_blocked("maps.example", set())
