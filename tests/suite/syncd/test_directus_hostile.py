# SPDX-License-Identifier: GPL-3.0-or-later
"""A Directus that answers wrongly opens nothing that was blocked (SPEC S1, S3, S6)."""
import time

from directuslib import COLUMNS, Refusal

from support import DEADLINE_S
from support.wait import wait_until

SIX = {str(n): {"id": str(n), "term": f"word{n}"} for n in range(1, 7)}


def words(policy):
    return sorted(policy.records("words"))


def give_words(policy, directus, more=""):
    directus.add("bad_words", *({"word": f"word{n}"} for n in range(1, 7)))
    policy.start(more)
    wait_until(lambda: words(policy) == sorted(SIX), "words")


def is_rows(path, collection):
    return path.startswith(f"/items/{collection}?") and "aggregate" not in path


def test_a_page_that_is_lost_removes_nothing(policy, directus, gateway):
    """A proxy's cache, or a Directus about to go, gives an empty page: what it held would be free."""
    give_words(policy, directus)
    directus.instead = lambda method, path, body: {"data": []} if is_rows(path, "bad_words") else None
    directus.update("bad_words", 1, word="worse")
    wait_until(lambda: "bad_words: fewer rows come than are counted" in gateway.alarm()["detail"], "alarm")
    assert words(policy) == sorted(SIX)
    directus.instead = None
    wait_until(lambda: policy.records("words")["1"]["term"] == "worse", "the change")


def test_a_page_that_ends_early_removes_nothing(policy, directus, gateway):
    def instead(method, path, body):
        return {"data": []} if is_rows(path, "bad_words") and "_gt" in path else None
    give_words(policy, directus, "directus_page = 100\n")
    directus.limit_max, directus.instead = 3, instead  # the limit changes and halves the page
    directus.update("bad_words", 1, word="worse")
    wait_until(lambda: "bad_words: fewer rows come than are counted" in gateway.alarm()["detail"], "alarm")
    assert words(policy) == sorted(SIX)


def test_a_row_removed_between_count_and_pages_is_no_fault(policy, directus, gateway):
    give_words(policy, directus, "directus_poll_s = 3600\n")

    def on_read(collection, query):
        if collection == "bad_words" and 2 in directus.rows["bad_words"]:
            directus.remove("bad_words", 2)
    directus.on_read = on_read
    directus.wait_subscribed("bad_words")
    directus.update("bad_words", 1, word="worse")
    wait_until(lambda: words(policy) == ["1", "3", "4", "5", "6"], "the rest")
    assert "fewer rows" not in gateway.syncd.log()


def test_a_page_that_is_too_large_is_read_in_smaller_ones(policy, directus):
    """64 MiB at once are refused: the collection would never be read again."""
    huge = {"data": [{"id": 1, "word": "x" * (65 << 20)}]}

    def instead(method, path, body):
        return huge if is_rows(path, "bad_words") and "limit=100&" in path + "&" else None
    directus.instead = instead
    give_words(policy, directus, "directus_page = 100\n")


def test_hints_of_unknown_collections_do_not_break_the_back_off(policy, directus, gateway):
    """A flood of them would ask a Directus that fails without a pause."""
    def fail(method, path, body):
        raise Refusal("INTERNAL_SERVER_ERROR")
    give_words(policy, directus, "directus_poll_s = 3600\n")
    directus.wait_subscribed("bad_words")
    directus.instead = fail
    began = time.monotonic()
    directus.update("bad_words", 1, word="worse")
    wait_until(lambda: "INTERNAL_SERVER_ERROR" in gateway.alarm()["detail"], "alarm")
    before = len(directus.requests)
    for n in range(500):
        gateway.request("syncd.directus_changed", collection=f"nothing{n}")
    assert len(directus.requests) - before < 12
    directus.instead = None
    # Each pause is as long as those before it together.
    wait_until(lambda: policy.records("words")["1"]["term"] == "worse", "the change",
               DEADLINE_S + 2 * (time.monotonic() - began))


HOSTILE = [None, "", "7", 7, -1, 1e300, True, False, [], {}, ["a.example", {"x": 1}], {"id": {"id": 1}}, "x" * 70000,
           "\udcff".encode("utf-8", "replace").decode(), "\u0000", "a\nb", [[[[[[]]]]]], 9007199254740993]


def test_rows_of_hostile_types_spoil_no_other(policy, directus, gateway):
    """Whatever is in a column: the good rows are in force, and those that were keep it."""
    for collection, columns in COLUMNS.items():
        for column in columns:
            for value in HOSTILE:
                directus.add(collection, {**dict.fromkeys(columns, "games"), column: value})
    directus.add("mitm_block_domains", {"domain": "bad.example"})
    directus.add("bad_words", {"word": "worse"})
    device, = directus.add("vpn_master_controls", {"device_id": "dev-1", "chrome_offline": True,
                                                   "vpn_offline_non_chrome": False})
    policy.start()
    policy.known()
    wait_until(lambda: any(r["domain"] == "bad.example" for r in policy.records("sni_block").values()), "name")
    assert any(r["term"] == "worse" for r in policy.records("words").values())
    assert policy.records("device_prefs")["device:dev-1"]["offline_browser"]
    # What is no switch's value switches off line.
    directus.update("vpn_master_controls", device, chrome_offline={"no": 1}, vpn_offline_non_chrome=[])
    wait_until(lambda: policy.records("device_prefs")["device:dev-1"].get("offline_vpn"), "switch")
    assert policy.records("device_prefs")["device:dev-1"]["offline_browser"]


def test_rows_twice_or_backwards_remove_nothing(policy, directus, gateway):
    give_words(policy, directus)
    rows = [{"id": n, "word": "other"} for n in (1, 2, 2, 3, 4, 5, 6)]
    for wrong in (rows, rows[::-1]):
        directus.instead = lambda method, path, body, give=wrong: {
            "data": give} if is_rows(path, "bad_words") else None
        asked = len(directus.asked("/items/bad_words?fields"))
        directus.update("bad_words", 1, word="worse")
        wait_until(lambda n=asked: len(directus.asked("/items/bad_words?fields")) > n + 1, "read again")
        assert "without an ascending key" in gateway.syncd.log()
        assert words(policy) == sorted(SIX)
        assert policy.records("words")["3"]["term"] == "word3"
