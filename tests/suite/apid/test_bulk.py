# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A6: import and export of whole resources: all or nothing, each fault with its row and reason."""
import csv
import io
import json

import pytest
from apidlib import KEYS

from support.wait import wait_until

SECOND = "another long password"


@pytest.fixture
def owner(apid):
    return apid.owner()


def load(owner, resource, query="", **body):
    status, said = owner.post(f"/api/v1/import/{resource}{query}", body)
    assert status == 200, said
    return said


def counts(said):
    return {k: said[k] for k in ("applied", "added", "changed", "unchanged", "removed", "error_count")}


def expect(applied=True, added=0, changed=0, unchanged=0, removed=0, error_count=0):
    return {"applied": applied, "added": added, "changed": changed, "unchanged": unchanged, "removed": removed,
            "error_count": error_count}


def test_records_come_in_at_once_and_the_same_again_is_no_change(apid, owner):
    words = [{"term": f"word{n}", "match": "exact"} for n in range(300)]
    assert counts(load(owner, "words", records=words)) == expect(added=300)
    wait_until(lambda: len(apid.state("words")) == 300, "published")
    assert counts(load(owner, "words", records=words)) == expect(unchanged=300)
    assert len(owner.get("/api/v1/words?limit=500")[1]["items"]) == 300
    rows = apid.database.sql("SELECT COUNT(*), COUNT(DISTINCT subject) FROM audit WHERE action = 'words_add'",
                             "culvert")
    assert rows == [["300", "300"]]


def test_one_fault_and_nothing_is_written(apid, owner):
    said = load(owner, "websites", records=[
        {"id": "w1", "pattern": "a.example", "match": "exact", "category": "games"},
        {"id": "w2", "pattern": "b.example", "match": "never", "category": "games"},
        {"id": "w3", "pattern": "c.example", "category": "none"}, {"id": "a b", "pattern": "d", "category": "games"},
        {"id": "w1", "pattern": "e.example", "category": "games"}, {"pattern": "f.example"}, "text"])
    assert counts(said)["applied"] is False and said["error_count"] == 6
    assert [(e["row"], e["pointer"]) for e in said["errors"][:4]] == [
        (2, "/match"), (3, "/category"), (4, "/id"), (5, "/id")]
    assert said["errors"][1]["reason"] == "is no category" and said["errors"][3]["reason"] == "stands there twice"
    assert owner.get("/api/v1/websites")[1]["items"] == []


def test_dry_run_says_what_it_would_do(apid, owner):
    load(owner, "words", records=[{"id": "a", "term": "one"}, {"id": "b", "term": "two"}])
    said = load(owner, "words", "?dry_run=true&replace=true", records=[{"id": "a", "term": "other"}, {"term": "new"}])
    assert counts(said) == expect(applied=False, added=1, changed=1, removed=1)
    assert {w["id"] for w in owner.get("/api/v1/words")[1]["items"]} == {"a", "b"}


def test_replacing_takes_away_what_is_not_there(apid, owner):
    load(owner, "search-words", records=[{"id": "a", "term": "one"}, {"id": "b", "term": "two"}])
    assert counts(load(owner, "search-words", "?replace=true", records=[{"id": "b", "term": "two"}])) == expect(
        unchanged=1, removed=1)
    wait_until(lambda: set(apid.state("search_words")) == {"b"}, "removed")


def test_what_is_needed_is_not_replaced_away(apid, owner):
    owner.put("/api/v1/groups/kids", {})
    owner.patch("/api/v1/devices/phone", {"group": "kids"})
    said = load(owner, "groups", "?replace=true", records=[{"id": "staff"}])
    assert not said["applied"] and said["errors"][0]["id"] == "kids"
    assert [g["id"] for g in owner.get("/api/v1/groups")[1]["items"]] == ["kids"]


def test_csv_comes_in_and_goes_out_the_same(apid, owner):
    text = ('id,pattern,match,category,images,needs\r\n'
            'w1,"a,b.example",contains,games,hide,cdn.example;static.example\r\n'
            'w2,"say ""x""",contains,games,,\r\n'
            'w3,"\'=1+1",contains,games,,\r\n')
    assert counts(load(owner, "websites", csv=text)) == expect(added=3)
    first = owner.get("/api/v1/websites/w1")[1]
    assert (first["pattern"], first["images"], first["needs"]) == ("a,b.example", "hide",
                                                                  ["cdn.example", "static.example"])
    assert owner.get("/api/v1/websites/w3")[1]["pattern"] == "=1+1"
    status, out = owner.get("/api/v1/export/websites?format=csv")
    assert status == 200 and 'filename="websites.csv"' in owner.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [r["pattern"] for r in rows] == ["a,b.example", 'say "x"', "'=1+1"]  # no formula for a spreadsheet
    assert counts(load(owner, "websites", "?replace=true", csv=out)) == expect(unchanged=3)


def test_every_resource_survives_its_export(apid, owner):
    owner.put("/api/v1/groups/kids", {"name": "Kids", "unknown_sites": "block", "safe_search": {"google": True},
                                      "schedules": [{"what": "all", "days": ["mon"], "from": "20:00"}]})
    owner.put("/api/v1/users/anna", {"name": "Anna", "active": True})
    owner.put("/api/v1/profiles/printer", {"rules": [{"action": "allow", "prefixes": ["10.77.0.5/32"]}]})
    owner.put("/api/v1/dns-rules/r1", {"pattern": "a.example", "match": "exact", "action": "block", "until": 5})
    owner.put("/api/v1/device-prefs/device:phone", {"lists_off": ["a", "b"], "offline_vpn": False})
    for resource in ("groups", "users", "profiles", "dns-rules", "device-prefs", "categories"):
        for form in ("json", "csv"):
            status, out = owner.get(f"/api/v1/export/{resource}?format={form}")
            assert status == 200
            body = {"csv": out} if form == "csv" else {"records": out["records"]}
            said = load(owner, resource, "?replace=true", **body)
            assert counts(said) == expect(unchanged=1), (resource, form, said, out)


def test_file_that_is_none_is_refused_by_line(apid, owner):
    for text, row, reason in (
            ("term,match\nword\n", 2, "has another number of cells than the first row"),
            ("term,colour\nword,red\n", 1, "is no column of this resource"),
            ('term\n"word\n', 3, "a quote is not closed"), ('term\nwo"rd\n', 2, "a quote within"),
            ("term,match\r\none,exact\r\ntwo,never\r\n", 3, "")):
        said = load(owner, "words", csv=text)
        assert not said["applied"] and said["errors"][0]["row"] == row, (text, said)
        assert said["errors"][0]["reason"].startswith(reason), said
    assert owner.get("/api/v1/words")[1]["items"] == []


def test_bounds_and_wrong_questions(apid, owner):
    said = load(owner, "words", records=[{"term": f"w{n}"} for n in range(10001)])
    assert not said["applied"] and said["errors"][0]["reason"] == "there are more than 10000 records"
    said = load(owner, "words", records=[{"term": ""}] * 1500)
    assert said["error_count"] >= 1500 and len(said["errors"]) == 1000
    for resource, body in (("words", {}), ("words", {"records": [], "csv": ""}), ("words", {"records": {}})):
        assert owner.post(f"/api/v1/import/{resource}", body)[0] == 400, body
    assert owner.post("/api/v1/import/none", {"records": []})[0] == 404
    assert owner.get("/api/v1/export/none")[0] == 404
    assert owner.get("/api/v1/export/words?format=xml")[0] == 400
    assert owner.post("/api/v1/import/words?dry_run=maybe", {"records": []})[0] == 400


def test_ten_thousand_at_once(apid, owner):
    words = [{"id": f"w{n}", "term": f"word {n}"} for n in range(10000)]
    assert counts(load(owner.be_patient(), "words", records=words)) == expect(added=10000)
    wait_until(lambda: len(apid.state("words")) == 10000, "published", owner.patience_s)
    assert owner.get("/api/v1/words/w9999")[1]["term"] == "word 9999"
    assert json.loads(json.dumps(counts(load(owner, "words", "?replace=true", records=words[:1]))))["removed"] == 9999


def test_only_an_admin_without_limits(apid, owner):
    owner.put("/api/v1/groups/kids", {})
    owner.post("/api/v1/admins", {"name": "kim", "password": SECOND, "role": "admin", "groups": ["kids"]})
    owner.post("/api/v1/admins", {"name": "hal", "password": SECOND, "role": "helper"})
    for name in ("kim", "hal"):
        client = apid.client(name, SECOND)
        assert client.post("/api/v1/import/words", {"records": []})[0] == 403
        assert client.get("/api/v1/export/users")[0] == 403


def test_devices_come_in_with_free_addresses(apid, owner):
    owner.put("/api/v1/groups/kids", {})
    text = ("id,name,group,addresses,public_key\r\n"
            f"a,Anna,kids,10.9.0.4;fd09::4,{KEYS[0]}\r\n"
            "b,Ben,,,\r\n"
            f"c,Cem,,10.9.0.3,{KEYS[1]}\r\n"
            "d,Dora,,,\r\n")
    assert counts(load(owner, "devices", "?dry_run=true", csv=text)) == expect(applied=False, added=4)
    assert {d["id"] for d in owner.get("/api/v1/devices")[1]["items"]} == {"phone"}
    assert counts(load(owner, "devices", csv=text)) == expect(added=4)
    have = {d["id"]: d for d in owner.get("/api/v1/devices")[1]["items"]}
    assert have["a"]["addresses"] == ["10.9.0.4", "fd09::4"] and have["a"]["public_key"] == KEYS[0]
    given = [d["addresses"][0] for d in have.values()]
    assert len(set(given)) == 5 and all(have[i]["addresses"] for i in "bd")
    wait_until(lambda: set(apid.state("devices")) == {"phone", *"abcd"}, "published")
    wait_until(lambda: set(apid.state("device_keys")) == {"a", "c"}, "keys published")
    # The same again changes nothing; a field that is not named is gone, addresses and keys stay.
    assert counts(load(owner, "devices", csv=text)) == expect(unchanged=4)
    assert counts(load(owner, "devices", records=[{"id": "a", "name": "Ann"}])) == expect(changed=1)
    ann = owner.get("/api/v1/devices/a")[1]
    assert (ann["name"], ann.get("group"), ann["public_key"], ann["addresses"]) == (
        "Ann", None, KEYS[0], ["10.9.0.4", "fd09::4"])
    actions = apid.database.sql("SELECT action FROM audit WHERE subject = 'a' ORDER BY id", "culvert")
    assert actions == [["device_add"], ["device_change"]]


def test_one_bad_device_and_none_comes_in(apid, owner):
    owner.put("/api/v1/devices/held", {"addresses": ["10.9.0.9"], "public_key": KEYS[2]})
    said = load(owner, "devices", records=[
        {"id": "a", "addresses": ["10.9.0.4"], "public_key": KEYS[0]}, {"id": "b", "addresses": ["10.8.0.4"]},
        {"id": "c", "addresses": ["10.9.0.4"]}, {"id": "d", "public_key": KEYS[0]}, {"id": "e", "group": "none"},
        {"id": "f", "addresses": ["10.9.0.9"]}, {"id": "g", "public_key": KEYS[2]}, {"id": "h", "tunnel": "none"}])
    assert not said["applied"]
    assert [(e["row"], e["pointer"]) for e in sorted(said["errors"], key=lambda e: e["row"])] == [
        (2, "/addresses"), (3, "/addresses"), (4, "/public_key"), (5, "/group"), (6, "/addresses"),
        (7, "/public_key"), (8, "/tunnel")], said
    assert {d["id"] for d in owner.get("/api/v1/devices")[1]["items"]} == {"phone", "held"}
    assert owner.post("/api/v1/import/devices?replace=true", {"records": []})[0] == 400


def test_devices_survive_their_export(apid, owner):
    owner.put("/api/v1/devices/a", {"name": "=cmd", "public_key": KEYS[0], "schedules": [{"what": "all"}]})
    for form in ("json", "csv"):
        out = owner.get(f"/api/v1/export/devices?format={form}")[1]
        body = {"csv": out} if form == "csv" else {"records": out["records"]}
        assert counts(load(owner, "devices", **body)) == expect(unchanged=2), out
