# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A6, S2, S3: lists as syncd has them, sync now, the CA, a website for a while, the hint of Directus."""
import time

import pytest
from apidlib import SEED, own, started

from support.bus import Probe
from support.wait import wait_until

SECOND = "another long password"
# What is old is looked for as often as what is to be queued again.
OFTEN = "appeals_requeue_s = 1\n"
SECRET = "a-shared-secret-of-directus"


@pytest.fixture
def syncd(redis, place):
    one = Probe("syncd", f"unix:{redis.socket}", place)
    yield one
    one.quit()


def test_lists_are_shown_as_syncd_has_them(apid, syncd):
    owner = apid.owner()
    record = {"id": "adblock", "title": "Advertising", "count": 3, "fetched_at": 1790000000000, "error": "HTTP 500"}
    syncd.replace("lists", {"adblock": record, "maps": {"id": "maps"}})
    wait_until(lambda: len(owner.get("/api/v1/lists")[1]["items"]) == 2, "shown")
    assert owner.get("/api/v1/lists/adblock")[1] == record
    syncd.do("del", topic="lists", id="maps")
    wait_until(lambda: [r["id"] for r in owner.get("/api/v1/lists")[1]["items"]] == ["adblock"], "gone")
    assert owner.get("/api/v1/lists/maps")[0] == 404


def test_sync_now_is_syncds_to_do(apid, answer):
    owner = apid.owner()
    assert owner.post("/api/v1/sync", {})[0] == 503
    syncd = answer("syncd", {"lists": 2})
    assert owner.post("/api/v1/sync", {}) == (202, {"lists": 2})
    assert owner.post("/api/v1/sync", {"list": "maps"})[0] == 202
    assert syncd.calls == [("sync_now", {}), ("sync_now", {"list": "maps"})]
    syncd.result = "not_found"
    assert owner.post("/api/v1/sync", {"list": "none"})[0] == 404


def test_what_is_missing_of_directus_is_confirmed_by_admins(apid, answer):
    owner = apid.owner()
    syncd = answer("syncd", {"lists": 0})
    assert owner.post("/api/v1/sync", {"confirm": "words"}) == (202, {"lists": 0})
    assert syncd.calls == [("sync_now", {"confirm": "words"})]
    syncd.result = "not_held"
    assert owner.post("/api/v1/sync", {"confirm": "words"})[0] == 409


def test_ca_comes_from_proxyd(apid, answer):
    owner = apid.owner()
    assert owner.get("/api/v1/ca")[0] == 503
    answer("proxyd", {"pem": "-----BEGIN CERTIFICATE-----\n", "sha256": "00" * 32})
    assert owner.get("/api/v1/ca")[1]["sha256"] == "00" * 32
    status, text = owner.get("/api/v1/ca.pem")
    assert status == 200 and text.startswith("-----BEGIN") and "attachment" in owner.headers["Content-Disposition"]


def test_unblocking_is_an_override_with_an_end(apid):
    owner = apid.owner()
    before = time.time() * 1000
    status, made = owner.post("/api/v1/devices/phone/unblock", {"pattern": "a.example", "minutes": 30})
    assert status == 201 and made["id"].startswith("unblock-"), made
    assert before + 29 * 60000 < made["until"] < before + 40 * 60000
    wait_until(lambda: apid.state("site_overrides") == {made["id"]: made}, "published")
    assert (made["device"], made["action"], made["match"]) == ("phone", "allow", "endswith")
    assert owner.post("/api/v1/devices/none/unblock", {"pattern": "a.example", "minutes": 1})[0] == 404
    for wrong in ({"pattern": "a"}, {"minutes": 1}, {"pattern": "a", "minutes": 0},
                  {"pattern": "a", "minutes": 100000}):
        assert owner.post("/api/v1/devices/phone/unblock", wrong)[0] == 400


def test_helper_unblocks_for_devices_of_their_groups(apid):
    owner = apid.owner()
    owner.put("/api/v1/groups/kids", {})
    owner.post("/api/v1/admins", {"name": "hal", "password": SECOND, "role": "helper", "groups": ["kids"]})
    hal = apid.client("hal", SECOND)
    assert hal.post("/api/v1/devices/phone/unblock", {"pattern": "a.example", "minutes": 1})[0] == 404
    assert owner.patch("/api/v1/devices/phone", {"group": "kids"})[0] == 200
    assert hal.post("/api/v1/devices/phone/unblock", {"pattern": "a.example", "minutes": 1})[0] == 201


def test_ended_unblocking_is_taken_away(make_apid, wgd):
    apid = started(make_apid, OFTEN)
    owner = apid.owner()
    made = owner.post("/api/v1/devices/phone/unblock", {"pattern": "a.example", "minutes": 1})[1]
    owner.put("/api/v1/site-overrides/mine", {"device": "phone", "pattern": "a.example", "until": 1})
    assert owner.patch(f"/api/v1/site-overrides/{made['id']}", {"until": 1})[0] == 200
    apid.stop()
    apid.start()
    wait_until(lambda: set(apid.state("site_overrides")) == {"mine"}, "removed")


@pytest.fixture
def hinted(make_apid, wgd, place):
    (place / "webhook").write_text(SECRET + "\n")
    own(place / "webhook", 0o400)
    return started(make_apid, f"directus_secret_file = {place}/webhook\n")


def hint(apid, body=None, secret=SECRET):
    return apid.client().post("/api/directus/changed", {} if body is None else body,
                              headers={"x-culvert-directus": secret})


def test_directus_tells_of_a_change_with_its_secret(hinted, answer):
    syncd = answer("syncd", {})
    assert hint(hinted, {"event": "items.update", "collection": "websites", "payload": {"a": [1]}})[0] == 204
    assert hint(hinted)[0] == 204
    assert syncd.calls == [("directus_changed", {"collection": "websites"}), ("directus_changed", {})]


def test_wrong_secret_is_refused_and_soon_not_listened_to(hinted, answer):
    syncd = answer("syncd", {})
    said = [hint(hinted, secret=wrong)[0] for wrong in [None, "", SECRET + "x", SECRET[:-1], "x", "y", "z"]]
    assert said[:5] == [401] * 5 and said[-1] == 429, said
    assert hint(hinted)[0] == 429  # its address is locked
    assert syncd.calls == []


def test_another_secret_counts_from_a_reload_on_and_the_old_one_no_more(hinted, answer, place):
    """Without a restart, which would cut off administrators."""
    syncd = answer("syncd", {})
    assert hint(hinted)[0] == 204
    (place / "webhook").write_text("another-secret-of-the-webhook\n")
    hinted.reload()
    assert hint(hinted, secret="another-secret-of-the-webhook")[0] == 204
    assert hint(hinted)[0] == 401
    assert len(syncd.calls) == 2


def test_without_a_secret_there_is_no_hint(apid, answer):
    syncd = answer("syncd", {})
    assert hint(apid, secret="")[0] == hint(apid)[0] == 404
    assert syncd.calls == []


def test_hint_that_nobody_hears_is_to_be_sent_again(hinted):
    assert hint(hinted)[0] == 503


PAST = ["a" * 64, "b" * 64]


@pytest.fixture
def kept(apid, syncd):
    """An owner, and a list of syncd's with two versions."""
    owner = apid.owner()
    syncd.replace("lists", {"ads": {"id": "ads", "version": PAST[0], "versions": [
        {"version": v, "since": 1790000000000, "count": 3} for v in PAST]}})
    wait_until(lambda: owner.get("/api/v1/lists/ads")[0] == 200, "shown")
    return owner


def test_list_is_rolled_back_by_syncd_and_audited(kept, syncd, answer):
    syncd.quit()
    one = answer("syncd", {"version": PAST[1], "pinned_at": 1790000000001})
    assert kept.post("/api/v1/lists/ads/rollback", {}) == (202, one.result)
    assert kept.post("/api/v1/lists/ads/rollback", {"version": PAST[1]})[0] == 202
    assert kept.delete("/api/v1/lists/ads/rollback")[0] == 204
    assert one.calls == [("list_rollback", {"list": "ads"}), ("list_rollback", {"list": "ads", "version": PAST[1]}),
                         ("list_release", {"list": "ads"})]
    noted = [(r["action"], r["subject"]) for r in kept.get("/api/v1/audit?limit=3")[1]["items"]]
    assert noted == [("list_release", "ads"), ("list_rollback", "ads"), ("list_rollback", "ads")]


@pytest.mark.parametrize("code, status", [("no_version", 404), ("not_found", 404), ("not_saved", 503),
                                          ("starting", 503), ("odd", 503)])
def test_refused_rollback_is_told(kept, syncd, answer, code, status):
    syncd.quit()
    answer("syncd", code)
    got, said = kept.post("/api/v1/lists/ads/rollback", {})[:2]
    assert got == status
    assert ("cannot write it down" in said["detail"]) == (code == "not_saved")


def test_list_is_not_said_to_be_none_before_it_is_known_which_lists_there_are(make_apid, wgd, redis):
    apid = make_apid(SEED)
    apid.add_owner()
    redis.kill()
    owner = apid.start().owner()
    for status, said in (owner.post("/api/v1/lists/ads/rollback", {}), owner.get("/api/v1/lists/ads")):
        assert status == 503 and "not known yet" in said["detail"]
    redis.start()
    wait_until(lambda: owner.get("/api/v1/lists/ads")[0] == 404, "known")
    assert owner.post("/api/v1/lists/ads/rollback", {})[0] == 404


def test_what_is_held_is_neither_synced_nor_released_twice(kept, syncd, answer):
    syncd.quit()
    one = answer("syncd", "pinned")
    assert kept.post("/api/v1/sync", {"list": "ads"})[0] == 409
    one.result = "not_pinned"
    assert kept.delete("/api/v1/lists/ads/rollback")[0] == 409


def test_rollback_is_for_admins_of_what_is_there(apid, kept, syncd):
    for wrong in ({"version": "x"}, {"version": PAST[0] + "a"}, {"version": 1}, {"to": PAST[1]}):
        assert kept.post("/api/v1/lists/ads/rollback", wrong)[0] == 400, wrong
    assert kept.post("/api/v1/lists/none/rollback", {})[0] == 404
    kept.post("/api/v1/admins", {"name": "hal", "password": SECOND, "role": "helper"})
    hal = apid.client("hal", SECOND)
    assert hal.get("/api/v1/lists/ads")[1]["versions"]
    assert hal.post("/api/v1/lists/ads/rollback", {})[0] == hal.delete("/api/v1/lists/ads/rollback")[0] == 403
