# SPDX-License-Identifier: GPL-3.0-or-later
"""What others name by its id is not removed under them, so that the next one of that id inherits nothing (A6)."""
import threading

import pytest
from apidlib import SEED, Apid, own_dir

from support.bus import Probe
from support.wait import wait_until


def schedule(what):
    return [{"what": what, "from": "20:00", "to": "06:00"}]


# What is removed, what uses it, and how the answer says so.
USES = {
    "website of a category": ("categories/c", "websites/w", {"pattern": "a.example", "match": "exact", "category": "c"},
                              "website w"),
    "preference for a category": ("categories/c", "category-prefs/p", {"device": "phone", "category": "c", "blocked": False},
                                  "preference p"),
    "device's schedule of a category": ("categories/c", "devices/tab", {"schedules": schedule("category:c")},
                                        "a schedule of device tab"),
    "group's schedule of a category": ("categories/c", "groups/kids", {"schedules": schedule("category:c")},
                                       "a schedule of group kids"),
    "everybody's schedule of a category": ("categories/c", "settings/device_defaults",
                                           {"value": {"schedules": schedule("category:c")}},
                                           "a schedule of setting device_defaults"),
    "device of a profile": ("profiles/c", "devices/tab", {"profile": "c"}, "device tab"),
    "group of a profile": ("profiles/c", "groups/kids", {"profile": "c"}, "group kids"),
    "everybody's profile": ("profiles/c", "settings/device_defaults", {"value": {"profile": "c"}}, "setting device_defaults"),
    "list that is off": ("list-sources/c", "device-prefs/device:phone", {"lists_off": ["x", "c"]}, "the switches of device:phone"),
    "device's schedule of a list": ("list-sources/c", "devices/tab", {"schedules": schedule("list:c")},
                                    "a schedule of device tab"),
    "group's schedule of a list": ("list-sources/c", "groups/kids", {"schedules": schedule("list:c")},
                                   "a schedule of group kids"),
    "everybody's schedule of a list": ("list-sources/c", "settings/device_defaults",
                                       {"value": {"schedules": schedule("list:c")}}, "a schedule of setting device_defaults"),
    "device of a group": ("groups/c", "devices/tab", {"group": "c"}, "device tab"),
    "account of a group": ("groups/c", "admins", {"name": "ann", "password": "correct horse battery", "role": "helper",
                                                  "groups": ["c"]}, "account ann"),
    "token of a group": ("groups/c", "tokens", {"name": "script", "role": "viewer", "scopes": ["devices:read"],
                                                "groups": ["c"]}, "token script"),
    "device of a user": ("users/c", "devices/tab", {"user": "c"}, "device tab"),
}
BODIES = {"categories": {"name": "C", "default": "allow"}, "profiles": {"rules": []}, "groups": {}, "users": {},
          "list-sources": {"source": "file:c.txt", "default_on": True}}


@pytest.fixture
def owner(apid):
    return apid.owner()


@pytest.fixture
def second(apid, place, redis, database):
    own_dir(place / "two")
    one = Apid(place / "two", redis, database).start()
    yield one.client("olga", "correct horse battery")
    one.stop()


def put(owner, path, body):
    status, said = owner.put(f"/api/v1/{path}", body)
    assert status in (200, 201), said


def load(owner, resource, query="", **body):
    status, said = owner.post(f"/api/v1/import/{resource}{query}", body)
    assert status == 200, said
    return said


def test_what_is_used_is_not_removed(owner):
    for use, (path, user, body, told) in USES.items():
        put(owner, path, BODIES[path.split("/")[0]])
        if user in ("admins", "tokens"):
            status, made = owner.post(f"/api/v1/{user}", body)
            assert status == 201, (use, made)
            user += "/" + made.get("id", "ann")
        else:
            put(owner, user, body)
        status, said = owner.delete(f"/api/v1/{path}")
        assert (status, said["detail"]) == (409, f"it is used by {told}: change that first"), use
        assert owner.get(f"/api/v1/{path}")[0] == 200, use
        assert owner.delete(f"/api/v1/{user}")[0] == 204, use
        assert owner.delete(f"/api/v1/{path}")[0] == 204, use


def test_the_answer_names_a_few_and_says_how_many(owner):
    load(owner, "websites", records=[{"id": f"w{n}", "pattern": f"{n}.example", "match": "exact", "category": "games"}
                                     for n in range(12)])
    for one in ("a", "b"):
        put(owner, f"category-prefs/{one}", {"device": "phone", "category": "games", "blocked": True})
    assert owner.delete("/api/v1/categories/games")[1]["detail"] == (
        "it is used by websites w0, w1, w10 and 9 more; preferences a and b: change that first")


def test_ids_are_no_patterns(owner):
    put(owner, "list-sources/a_c", BODIES["list-sources"])
    put(owner, "profiles/a_c", BODIES["profiles"])
    put(owner, "device-prefs/device:phone", {"lists_off": ["abc", "A_C", "a_cd"]})
    put(owner, "devices/tab", {"profile": "abc"})
    put(owner, "groups/kids", {"schedules": schedule("list:abc"), "profile": "A_C"})
    assert owner.delete("/api/v1/list-sources/a_c")[0] == 204
    assert owner.delete("/api/v1/profiles/a_c")[0] == 204


def test_what_is_about_a_group_alone_goes_with_it_audited(apid, owner, second):
    for group in ("kids", "staff"):
        put(owner, f"groups/{group}", {})
        put(owner, f"site-overrides/{group}", {"group": group, "pattern": "a.example", "match": "exact", "action": "allow"})
        put(owner, f"category-prefs/{group}", {"group": group, "category": "games", "blocked": False})
        put(owner, f"dns-rules/{group}", {"scope": f"group:{group}", "pattern": "b.example", "match": "exact",
                                          "action": "allow"})
        put(owner, f"device-prefs/group:{group}", {"lists_off": ["ads"]})
    places = {"site-overrides": "staff", "category-prefs": "staff", "dns-rules": "staff", "device-prefs": "group:staff"}
    wait_until(lambda: second.get("/api/v1/device-prefs/group:staff")[0] == 200, "the other has read it")
    assert owner.delete("/api/v1/groups/kids")[0] == 204
    for path, left in places.items():
        apid.await_state(path.replace("-", "_"), lambda records, left=left: set(records) == {left})
        for one in (owner, second):
            wait_until(lambda one=one, path=path: [r["id"] for r in one.get(f"/api/v1/{path}")[1]["items"]] == [places[path]],
                       path)
    noted = {(r["action"], r["subject"]) for r in owner.get("/api/v1/audit?limit=50")[1]["items"]}
    assert {("site_overrides_remove", "kids"), ("category_prefs_remove", "kids"), ("dns_rules_remove", "kids"),
            ("device_prefs_remove", "group:kids"), ("groups_remove", "kids")} <= noted


def test_an_import_that_replaces_leaves_what_is_used(apid, owner):
    put(owner, "categories/news", {})
    put(owner, "websites/w", {"pattern": "a.example", "match": "exact", "category": "games"})
    for dry in ("", "&dry_run=true"):
        said = load(owner, "categories", f"?replace=true{dry}", records=[{"id": "other", "name": "Other"}])
        assert not said["applied"] and said["errors"] == [
            {"row": 0, "id": "games", "pointer": "", "reason": "it is used by website w: change that first"}]
    assert {c["id"] for c in owner.get("/api/v1/categories")[1]["items"]} == {"games", "news"}
    assert load(owner, "categories", "?replace=true", records=[{"id": "games", "name": "Games"}])["applied"]
    apid.await_state("categories", lambda records: set(records) == {"games"})


def test_a_group_that_an_import_replaces_takes_what_is_about_it_along(apid, owner):
    put(owner, "groups/kids", {})
    put(owner, "device-prefs/group:kids", {"lists_off": ["ads"]})
    assert load(owner, "groups", "?replace=true", records=[{"id": "staff"}])["applied"]
    apid.await_state("device_prefs", {})
    assert owner.get("/api/v1/device-prefs/group:kids")[0] == 404


def test_what_another_apid_named_a_moment_ago_is_not_removed(owner, second, database):
    """The change is in the database, and this apid has not read it: as between two reads."""
    put(owner, "categories/c", {})
    wait_until(lambda: second.get("/api/v1/categories/c")[0] == 200)
    database.sql("INSERT INTO records (topic, id, record) VALUES ('websites', 'w', "
                 "'{\"id\":\"w\",\"pattern\":\"a.example\",\"match\":\"exact\",\"category\":\"c\"}')", "culvert")
    assert second.get("/api/v1/websites/w")[0] == 404
    assert second.delete("/api/v1/categories/c")[0] == 409


NAMING = {"categories": ("websites/w", {"pattern": "a.example", "match": "exact", "category": "c"}, "category: is no category"),
          "profiles": ("groups/kids", {"profile": "c"}, "profile: is no profile"),
          "groups": ("site-overrides/o", {"group": "c", "pattern": "a.example", "match": "exact", "action": "allow"},
                     "group: is no group"),
          "list-sources": ("device-prefs/device:phone", {"lists_off": ["c"]}, "list: is no list"),
          "users": ("devices/phone", {"user": "c"}, "user: is no user")}


def test_what_another_apid_removed_a_moment_ago_is_not_named(owner, database):
    for resource, (path, body, told) in NAMING.items():
        put(owner, f"{resource}/c", BODIES[resource])
        database.sql(f"DELETE FROM records WHERE topic = '{resource.replace('-', '_')}' AND id = 'c'", "culvert")
        status, said = owner.put(f"/api/v1/{path}", body)
        assert (status, said["detail"]) == (400, told)


def test_nothing_is_left_for_the_next_device_by_whom_another_apid_removed_a_moment_ago(owner, database):
    database.sql("DELETE FROM devices WHERE id = 'phone'", "culvert")
    for path, body in (("site-overrides/o", {"device": "phone", "pattern": "a.example", "match": "exact", "action": "allow"}),
                       ("dns-rules/r", {"scope": "device:phone", "pattern": "a.example", "match": "exact", "action": "allow"}),
                       ("device-prefs/device:phone", {"lists_off": ["ads"]})):
        status, said = owner.put(f"/api/v1/{path}", body)
        assert (status, said["detail"]) == (400, "device: is no device")


def test_an_import_does_not_name_what_another_apid_removed_a_moment_ago(owner, database):
    put(owner, "groups/kids", {})
    database.sql("DELETE FROM records WHERE topic IN ('categories', 'groups')", "culvert")
    for resource, record in (("websites", {"id": "w", "pattern": "a.example", "match": "exact", "category": "games"}),
                             ("devices", {"id": "d", "group": "kids"})):
        assert owner.post(f"/api/v1/import/{resource}", {"records": [record]})[0] == 412
    assert database.sql("SELECT id FROM records WHERE topic = 'websites' UNION SELECT id FROM devices WHERE id = 'd'",
                        "culvert") == []


def test_of_a_removal_and_a_use_at_once_by_two_apids_one_is_made(owner, second):
    """Twenty times; whichever is first, no website is left without its category."""
    for n in range(20):
        put(owner, f"categories/c{n}", {})
        wait_until(lambda n=n: second.get(f"/api/v1/categories/c{n}")[0] == 200)
        said = {}
        use = threading.Thread(target=lambda n=n, said=said: said.update(
            put=second.put(f"/api/v1/websites/w{n}", {"pattern": f"{n}.example", "match": "exact", "category": f"c{n}"})[0]))
        use.start()
        said["delete"] = owner.delete(f"/api/v1/categories/c{n}")[0]
        use.join()
        assert (said["put"], said["delete"]) in ((201, 409), (400, 204)), said


# ---- what is taken away by others: it stays closed ----

def test_a_category_whose_row_is_gone_in_directus_goes_and_none_takes_its_place_while_websites_name_it(apid, owner, redis,
                                                                                                        place):
    put(owner, "websites/w", {"pattern": "a.example", "match": "exact", "category": "games"})
    put(owner, "category-prefs/p", {"device": "phone", "category": "games", "blocked": False})
    syncd = Probe("syncd", f"unix:{redis.socket}", place)
    try:
        wait_until(lambda: syncd.ask("stats", "stats")["connected"])
        syncd.do("request", op="apid.policy_drop", args={"topic": "categories", "id": "games"}, tag="gone")
        assert syncd.wait("reply", tag="gone")["status"] == 0
    finally:
        syncd.quit()
    apid.await_state("categories", {})
    assert set(apid.state("websites")) == {"w"}, "which is blocked without it"
    told = "one of this id was removed and is still used by website w; preference p: change that first, or take another id"
    status, said = owner.put("/api/v1/categories/games", {"name": "Others"})
    assert (status, said["detail"]) == (409, told)
    assert owner.post("/api/v1/categories", {"id": "games"})[0] == 409
    for dry in ("", "?dry_run=true"):
        said = load(owner, "categories", dry, records=[{"id": "games", "name": "Others"}])
        assert not said["applied"] and [(e["id"], e["reason"]) for e in said["errors"]] == [("games", told)]
    assert owner.delete("/api/v1/websites/w")[0] == 204 and owner.delete("/api/v1/category-prefs/p")[0] == 204
    assert owner.put("/api/v1/categories/games", {"name": "Others"})[0] == 201


def test_a_group_that_leaves_the_seed_takes_along_what_is_about_it_and_none_takes_its_place_at_its_devices(apid, owner):
    apid.seed({**SEED, "groups": [{"id": "kids"}]})
    apid.reload()
    wait_until(lambda: owner.get("/api/v1/groups/kids")[0] == 200, "read")
    put(owner, "device-prefs/group:kids", {"lists_off": ["ads"]})
    put(owner, "devices/tab", {"group": "kids"})
    apid.seed({**SEED, "groups": []})
    apid.reload()
    apid.await_state("groups", {})
    apid.await_state("device_prefs", {})
    state = owner.get("/api/v1/devices/tab/status")[1]
    assert (state["entitled"], state["reason"]) == (False, "record is invalid"), "as wgd and fwd see it"
    status, said = owner.put("/api/v1/groups/kids", {})
    assert (status, said["detail"]) == (409, "one of this id was removed and is still used by device tab: change that first, "
                                             "or take another id")
    owner.patch("/api/v1/devices/tab", {"group": None})
    assert owner.put("/api/v1/groups/kids", {})[0] == 201
