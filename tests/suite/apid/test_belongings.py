# SPDX-License-Identifier: GPL-3.0-or-later
"""What is about a removed device alone goes with it: the next one of that id inherits nothing (A2)."""
import pytest
from apidlib import KEYS, SEED, Apid, own_dir

from support.bus import Probe
from support.wait import wait_until

OF_PHONE = {
    "site-overrides": {"device": "phone", "pattern": "a.example", "match": "endswith", "action": "allow"},
    "category-prefs": {"device": "phone", "category": "games", "blocked": False},
    "dns-rules": {"scope": "device:phone", "pattern": "b.example", "match": "endswith", "action": "allow"},
}
TOPICS = {"site-overrides": "site_overrides", "category-prefs": "category_prefs", "dns-rules": "dns_rules",
          "device-prefs": "device_prefs"}


@pytest.fixture
def owner(apid):
    """phone and tab have one of each kind."""
    one = apid.owner()
    assert one.put("/api/v1/devices/tab", {"name": "Tab"})[0] == 201
    for path, record in OF_PHONE.items():
        other = {k: v.replace("phone", "tab") if isinstance(v, str) else v for k, v in record.items()}
        for key, body in (("p", record), ("t", other)):
            status, said = one.put(f"/api/v1/{path}/{key}", body)
            assert status == 201, said
    for device in ("phone", "tab"):
        assert one.put(f"/api/v1/device-prefs/device:{device}", {"lists_off": ["ads"]})[0] == 201
    return one


def left(apid):
    """path → ids of what Redis has."""
    return {path: set(apid.state(topic)) for path, topic in TOPICS.items()}


ALL = {**{path: {"p", "t"} for path in OF_PHONE}, "device-prefs": {"device:phone", "device:tab"}}
REST = {**{path: {"t"} for path in OF_PHONE}, "device-prefs": {"device:tab"}}


def test_all_that_is_about_a_device_goes_with_it_audited(apid, owner):
    wait_until(lambda: left(apid) == ALL, "there")
    assert owner.delete("/api/v1/devices/phone")[0] == 204
    wait_until(lambda: left(apid) == REST, "gone on the bus")
    for path in TOPICS:
        ids = {r["id"] for r in owner.get(f"/api/v1/{path}")[1]["items"]}
        assert ids == REST[path], path
    noted = {(r["action"], r["subject"]): r["old"] for r in owner.get("/api/v1/audit?limit=50")[1]["items"]}
    assert noted["site_overrides_remove", "p"]["pattern"] == "a.example"
    assert ("device_prefs_remove", "device:phone") in noted and ("dns_rules_remove", "p") in noted
    assert apid.database.sql("SELECT COUNT(*) FROM records WHERE device = 'phone'", "culvert") == [["0"]]
    # The next one of that id, and a restart, which reads the database.
    assert owner.put("/api/v1/devices/phone", {"name": "Another"})[0] == 201
    apid.stop()
    apid.start()
    wait_until(lambda: left(apid) == REST and "phone" in apid.state("devices"), "nothing inherited")


def test_the_other_apid_removes_it_too(apid, owner, wgd, place, redis, database):
    own_dir(place / "two")
    second = Apid(place / "two", redis, database).start()
    other = second.client("olga", "correct horse battery")
    try:
        assert other.get("/api/v1/site-overrides/p")[0] == 200
        assert owner.delete("/api/v1/devices/phone")[0] == 204
        for path, one in (("site-overrides", "p"), ("dns-rules", "p"), ("device-prefs", "device:phone")):
            wait_until(lambda: other.get(f"/api/v1/{path}/{one}")[0] == 404, path)
        assert other.get("/api/v1/site-overrides/t")[0] == 200
    finally:
        second.stop()


def test_removal_by_provisioning_and_by_import_takes_it_along(apid, owner):
    assert apid.upsert("tab", KEYS[0], "10.9.0.7")[0] == 200
    assert apid.remove("tab")[0] == 200
    wait_until(lambda: all("t" not in v and "device:tab" not in v for v in left(apid).values()), "gone")
    wait_until(lambda: "p" in left(apid)["site-overrides"], "the phone's stay")


def test_device_that_leaves_the_seed_takes_it_along(apid, owner):
    wait_until(lambda: left(apid) == ALL, "there")
    apid.seed({**SEED, "devices": []})
    apid.reload()
    wait_until(lambda: left(apid) == REST and "phone" not in apid.state("devices"), "gone")


def test_pending_appeal_of_a_removed_device_is_none_of_the_next_one_s(apid, owner, redis, place):
    uuid = "00000000-0000-4000-8000-000000000001"
    proxyd = Probe("proxyd", f"unix:{redis.socket}", place)
    try:
        proxyd.do("queue_add", record={"uuid": uuid, "url": "http://a.example/", "host": "a.example", "mode": "appeal",
                                       "device_id": "phone"}, tag="1")
        wait_until(lambda: uuid in apid.state("appeal_answers"), "stored")
        assert owner.delete("/api/v1/devices/phone")[0] == 204
        wait_until(lambda: uuid not in apid.state("appeal_answers"), "no answer for the next one")
        assert owner.put("/api/v1/devices/phone", {})[0] == 201
        approval = {"effect": "override"}
        assert owner.post(f"/api/v1/appeals/{uuid}/approve", approval)[0] == 400
        assert owner.get(f"/api/v1/appeals/{uuid}")[1]["status"] == "pending"
        apid.await_state("site_overrides", lambda records: set(records) == {"t"})
    finally:
        proxyd.quit()
