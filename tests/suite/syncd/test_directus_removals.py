# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows that a rule of the token's permissions hides look as if they were removed: they stay (SPEC S1, S3)."""
import json

import pytest

from support.wait import wait_until

ALL = sorted(f"word{n}" for n in range(10))


def terms(policy):
    return sorted(r["term"] for r in policy.records("words").values())


def report(redis):
    key = (redis("KEYS", "culvert:status:syncd:*") or [None])[0]
    return json.loads(redis("GET", key))["directus"] if key else {}


def wait_held(redis, name, held=True):
    wait_until(lambda: report(redis).get("collections", {}).get(name, {}).get("held", False) == held, f"held: {held}")


@pytest.fixture
def full(policy, directus):
    """Ten words in force."""
    directus.add("bad_words", *({"word": f"word{n}"} for n in range(10)))
    policy.start()
    wait_until(lambda: terms(policy) == ALL, "words")
    return policy


def hide(directus, collection, seen=lambda row: False):
    with directus.lock:
        directus.hidden[collection] = seen


def show(directus, collection):
    with directus.lock:
        del directus.hidden[collection]


def wait_alarm(gateway, text):
    wait_until(lambda: text in gateway.alarm()["detail"], text)


@pytest.mark.parametrize("left, text", [(0, "10 of 10 rows"), (6, "4 of 10 rows")])
def test_hidden_rows_stay_in_force_until_they_are_seen_again(full, directus, gateway, redis, left, text):
    hide(directus, "bad_words", lambda row: row["id"] <= left)
    wait_alarm(gateway, f"bad_words: {text} are gone, or hidden")
    wait_held(redis, "words")
    asked = len(directus.asked("/permissions/me"))
    for more in (0, 1):
        full.look()
        wait_until(lambda: len(directus.asked("/permissions/me")) > asked + more, "asked once more")
    assert terms(full) == ALL
    show(directus, "bad_words")
    directus.add("bad_words", {"word": "new"})
    wait_until(lambda: terms(full) == ["new", *ALL], "goes on")
    wait_held(redis, "words", False)


def test_hidden_rows_stay_over_a_restart(full, directus, gateway, redis):
    gateway.syncd.stop()
    hide(directus, "bad_words")
    full.start()
    wait_held(redis, "words")
    assert terms(full) == ALL


def test_other_collections_go_on_beside_one_that_is_held(full, directus, redis):
    hide(directus, "bad_words")
    wait_held(redis, "words")
    n, = directus.add("mitm_block_domains", {"domain": "one.example"})
    full.wait("sni_block", {str(n): {"id": str(n), "domain": "one.example"}})


def test_confirmed_rows_go_and_no_others(full, directus, gateway, redis):
    hide(directus, "bad_words", lambda row: row["id"] <= 6)
    wait_held(redis, "words")
    assert gateway.request("syncd.sync_now", confirm="words")["status"] == 0
    wait_until(lambda: terms(full) == ALL[:6], "what was confirmed")
    wait_held(redis, "words", False)
    hide(directus, "bad_words")
    wait_held(redis, "words")
    assert terms(full) == ALL[:6]


def test_what_is_hidden_after_the_confirmed_reading_is_not_confirmed(policy, directus, gateway, redis):
    """Nothing is read but what the test asks for: a poll under way may have read the six, which is right."""
    directus.add("bad_words", *({"word": f"word{n}"} for n in range(10)))
    policy.start("directus_poll_s = 3600\ndirectus_push = no\n")
    wait_until(lambda: terms(policy) == ALL, "words")
    hide(directus, "bad_words", lambda row: row["id"] <= 6)
    policy.look()
    wait_held(redis, "words")
    with directus.lock:
        directus.hidden["bad_words"] = lambda row: False
        assert gateway.request("syncd.sync_now", confirm="words")["status"] == 0
    wait_alarm(gateway, "6 of 6 rows are gone, or hidden")
    assert terms(policy) == ALL


def test_nothing_to_confirm_is_told(full, gateway):
    for name in ("words", "nothing"):
        assert gateway.request("syncd.sync_now", confirm=name)["status"] != 0


def test_rows_removed_are_gone_at_once_where_the_token_sees_all(full, directus, gateway):
    directus.remove("bad_words", *range(1, 10))
    wait_until(lambda: terms(full) == ["word9"], "removed")
    assert "hidden" not in gateway.syncd.log()


def test_a_right_that_comes_after_the_rows_is_no_proof(full, directus, gateway):
    """Hidden while they are read, and shown when the right is asked for: they are read again."""
    asked = []

    def instead(method, path, body):
        if path == "/permissions/me":
            asked.append(path)
            directus.hidden.pop("bad_words", None)
    hide(directus, "bad_words")
    directus.instead = instead
    wait_until(lambda: asked, "asked")
    n, = directus.add("mitm_block_domains", {"domain": "one.example"})
    full.wait("sni_block", {str(n): {"id": str(n), "domain": "one.example"}})
    assert terms(full) == ALL
    assert "much of a collection" not in gateway.syncd.log()


def test_few_rows_may_go_though_some_are_hidden(full, directus):
    hide(directus, "bad_words", lambda row: row["id"] > 3)
    wait_until(lambda: terms(full) == ALL[3:], "three")


def test_without_a_word_about_rights_nothing_is_proved(full, directus, redis):
    directus.tells_rights = False
    directus.remove("bad_words", *range(1, 10))
    wait_held(redis, "words")
    assert terms(full) == ALL


def test_a_hidden_column_opens_nothing(policy, directus, gateway, redis):
    """Without it a switch would be off, a category allowed."""
    directus.add("vpn_master_controls", {"device_id": "dev-1", "chrome_offline": True, "vpn_offline_non_chrome": True})
    policy.start()
    want = {"device:dev-1": {"id": "device:dev-1", "offline_browser": True, "offline_vpn": True}}
    policy.wait("device_prefs", want)
    with directus.lock:
        directus.hidden_columns["vpn_master_controls"] = {"chrome_offline"}
    directus.update("vpn_master_controls", 1, vpn_offline_non_chrome=True)
    wait_alarm(gateway, "vpn_master_controls: the column chrome_offline is gone, or hidden")
    wait_held(redis, "device_prefs")
    assert policy.records("device_prefs") == want
    with directus.lock:
        del directus.hidden_columns["vpn_master_controls"]
    directus.update("vpn_master_controls", 1, chrome_offline=False)
    policy.wait("device_prefs", {"device:dev-1": {"id": "device:dev-1", "offline_vpn": True}})


def test_hidden_columns_that_make_rows_useless_open_nothing(full, directus, gateway, redis):
    """All rows may be seen, says Directus, and nothing of them."""
    with directus.lock:
        directus.hidden_columns["bad_words"] = {"word", "match_type"}
    directus.update("bad_words", 1, word="word0")
    wait_held(redis, "words")
    assert terms(full) == ALL
    with directus.lock:
        del directus.hidden_columns["bad_words"]
    wait_held(redis, "words", False)


def test_hidden_rows_of_a_list_stay_until_it_is_synced_by_hand(policy, directus, gateway, redis):
    directus.add("gifs", *({"url": f"g{n}.example"} for n in range(10)))
    policy.start()
    gateway.wait_blocked("g0.example", {"gifs"})
    hide(directus, "gifs", lambda row: row["id"] > 5)
    wait_held(redis, "gifs")
    assert gateway.blocked("g0.example") == [{"gifs"}]
    assert gateway.request("syncd.sync_now", list="gifs")["status"] == 0
    gateway.wait_blocked("g0.example", set())
    assert gateway.blocked("g9.example") == [{"gifs"}]


def test_the_brake_can_be_left_off(policy, directus, gateway):
    directus.add("bad_words", *({"word": f"word{n}"} for n in range(10)))
    policy.start("sync_removal_limit = 100\n")
    wait_until(lambda: terms(policy) == ALL, "words")
    hide(directus, "bad_words")
    wait_until(lambda: not terms(policy), "gone")


def test_a_single_source_has_its_own_field(policy, directus):
    directus.make_collection("more_domains")
    directus.add("more_domains", {"name": "more.example"})
    policy.start("sni_block_sources = more_domains:name\n")
    policy.wait("sni_block", {"1": {"id": "1", "domain": "more.example"}})
