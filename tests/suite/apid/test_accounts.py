# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A4, A9: second factor, roles and groups, tokens, keys, audit."""
import base64

import pytest

from apidlib import OWNER, PASSWORD, totp

SECOND = "another long password"


@pytest.fixture
def owner(apid):
    return apid.owner()


def test_totp_is_asked_for_once_it_is_confirmed_and_no_code_is_good_twice(owner, apid, database):
    status, seed = owner.post("/auth/totp/begin")
    assert status == 200 and seed["qr"].startswith("<svg") and seed["secret"] in seed["uri"]
    assert apid.client().login()[0] == 200, "not asked for before it is confirmed"
    assert owner.post("/auth/totp/confirm", {"totp": "000000"})[0] == 403
    used = totp(seed["secret"])
    status, body = owner.post("/auth/totp/confirm", {"totp": used})
    assert status == 200 and len(set(body["recovery_codes"])) == 10
    one = apid.client()
    status, problem = one.login()
    assert status == 401 and problem["code"] == "totp_required"
    assert one.login(totp=used)[0] == 401, "the code of the confirmation was used"
    good = totp(seed["secret"], 1)
    assert one.login(totp=good)[0] == 200
    assert apid.client().login(totp=good)[0] == 401
    code = body["recovery_codes"][3]
    assert apid.client().login(totp=code)[0] == 200
    assert apid.client().login(totp=code)[0] == 401
    stored = str(database.sql("SELECT HEX(totp_seed), recovery FROM admins", "culvert"))
    assert base64.b32decode(seed["secret"]).hex().upper() not in stored and code not in stored
    assert owner.post("/auth/totp/disable", {"password": "wrong password"})[0] == 403
    assert owner.post("/auth/totp/disable", {"password": PASSWORD})[0] == 204
    assert apid.client().login()[0] == 200


def test_another_password_ends_the_other_sessions(owner, apid):
    other = apid.client(OWNER, PASSWORD)
    assert owner.post("/auth/password", {"password": "wrong password", "new": SECOND})[0] == 403
    assert owner.post("/auth/password", {"password": PASSWORD, "new": "short"})[0] == 400
    assert owner.post("/auth/password", {"password": PASSWORD, "new": SECOND})[0] == 204
    assert owner.get("/auth/me")[0] == 200 and other.get("/auth/me")[0] == 401
    assert apid.client().login()[0] == 401 and apid.client().login(password=SECOND)[0] == 200


def test_tokens_outlive_another_password_unless_they_are_revoked(owner, apid):
    def token():
        return apid.client(token=owner.post("/api/v1/tokens", {"name": "t", "role": "viewer",
                                                               "scopes": ["devices"]})[1]["token"])
    one, new = token(), "another long password"
    assert owner.post("/auth/password", {"password": PASSWORD, "new": new})[0] == 204
    assert one.get("/api/v1/devices")[0] == 200 and len(owner.get("/api/v1/tokens")[1]["items"]) == 1
    assert owner.post("/auth/password", {"password": new, "new": PASSWORD, "revoke_tokens": True})[0] == 204
    assert one.get("/api/v1/devices")[0] == 401 and owner.get("/api/v1/tokens")[1]["items"] == []
    two = token()
    assert owner.patch(f"/api/v1/admins/{OWNER}", {"revoke_tokens": True})[0] == 200
    assert two.get("/api/v1/devices")[0] == 401


def test_an_owner_takes_anothers_second_factor_away_in_the_audit_s_sight(owner, apid):
    name, secret = "helen", "a password of helen's"
    assert owner.post("/api/v1/admins", {"name": name, "password": secret, "role": "helper"})[0] == 201
    helen = apid.client(name, secret)
    code = totp(helen.post("/auth/totp/begin")[1]["secret"])
    assert helen.post("/auth/totp/confirm", {"totp": code})[0] == 200
    assert apid.client().login(name, secret)[0] == 401
    path = f"/api/v1/admins/{name}"
    assert helen.patch(path, {"totp": False})[0] == 403
    assert owner.patch(path, {"totp": True})[0] == 400
    assert owner.patch(f"/api/v1/admins/{OWNER}", {"totp": False})[0] == 409, "one's own needs the password"
    assert owner.patch(path, {"totp": False})[1]["totp"] is False
    assert helen.get("/auth/me")[0] == 401, "the sessions are over"
    assert apid.client().login(name, secret)[0] == 200
    rows = [r for r in owner.get("/api/v1/audit")[1]["items"] if r["action"] == "totp_reset"]
    assert [(r["actor"], r["subject"]) for r in rows] == [(f"admin:{OWNER}", name)]


def test_somebody_stays_who_may_do_everything(owner):
    assert owner.delete(f"/api/v1/admins/{OWNER}")[0] == 409
    assert owner.patch(f"/api/v1/admins/{OWNER}", {"role": "viewer"})[0] == 409
    assert owner.patch(f"/api/v1/admins/{OWNER}", {"groups": ["kids"]})[0] == 409
    assert owner.post("/api/v1/admins", {"name": "zoe", "password": SECOND, "role": "owner"})[0] == 201
    assert owner.post("/api/v1/admins", {"name": "zoe", "password": SECOND, "role": "owner"})[0] == 409
    assert owner.delete(f"/api/v1/admins/{OWNER}")[0] == 204
    assert owner.get("/auth/me")[0] == 401


def test_a_token_does_what_its_scope_says_and_no_more(owner, apid, database):
    def make(**more):
        status, body = owner.post("/api/v1/tokens", {"name": "t", "role": "owner", **more})
        assert status == 201, body
        return apid.client(token=body["token"]), body
    reader, body = make(scopes=["devices:read"])
    assert body["token"] not in str(database.sql("SELECT * FROM tokens", "culvert"))
    assert reader.get("/api/v1/devices")[0] == 200
    assert reader.put("/api/v1/devices/x", {})[0] == 403 and reader.get("/api/v1/websites")[0] == 403
    writer, _ = make(scopes=["devices"])
    assert writer.put("/api/v1/devices/x", {})[0] == 201
    for path in ("/api/v1/tokens", "/api/v1/admins", "/api/v1/sessions", "/auth/csrf", "/api/v1/provision-keys"):
        assert writer.get(path)[0] == 403, path
    assert writer.post("/api/v1/tokens", {"name": "t", "role": "owner", "scopes": ["system"]})[0] == 403
    viewer, _ = make(scopes=["devices"], role="viewer")
    assert viewer.put("/api/v1/devices/y", {})[0] == 403
    past, _ = make(scopes=["devices"], expires_at=5)
    assert past.get("/api/v1/devices")[0] == 401
    assert owner.post("/api/v1/tokens", {"name": "t", "role": "owner", "scopes": ["everything"]})[0] == 400
    assert {t["id"] for t in owner.get("/api/v1/tokens")[1]["items"]} >= {body["id"]}
    assert owner.delete(f"/api/v1/tokens/{body['id']}")[0] == 204
    assert reader.get("/api/v1/devices")[0] == 401


def test_a_token_never_has_more_than_its_account(owner, apid):
    owner.post("/api/v1/admins", {"name": "adam", "password": SECOND, "role": "admin"})
    adam = apid.client("adam", SECOND)
    assert adam.post("/api/v1/tokens", {"name": "t", "role": "owner", "scopes": ["devices"]})[0] == 403
    token = apid.client(token=adam.post("/api/v1/tokens", {"name": "t", "role": "admin", "scopes": ["devices"]})[1][
        "token"])
    assert token.put("/api/v1/devices/x", {})[0] == 201
    owner.patch("/api/v1/admins/adam", {"role": "viewer"})
    assert token.put("/api/v1/devices/y", {})[0] == 403 and token.get("/api/v1/devices")[0] == 200
    owner.delete("/api/v1/admins/adam")
    assert token.get("/api/v1/devices")[0] == 401


def test_an_account_of_a_group_sees_and_changes_only_that(owner, apid):
    for group in ("kids", "staff"):
        owner.put(f"/api/v1/groups/{group}", {})
        owner.put(f"/api/v1/devices/{group}-phone", {"group": group})
        owner.put(f"/api/v1/site-overrides/{group}-o", {"group": group, "pattern": "a.example", "action": "allow"})
    owner.put("/api/v1/site-overrides/all-o", {"pattern": "a.example", "action": "allow"})
    owner.post("/api/v1/admins", {"name": "kim", "password": SECOND, "role": "admin", "groups": ["kids"]})
    kim = apid.client("kim", SECOND)
    assert [d["id"] for d in kim.get("/api/v1/devices")[1]["items"]] == ["kids-phone"]
    assert [g["id"] for g in kim.get("/api/v1/groups")[1]["items"]] == ["kids"]
    assert [o["id"] for o in kim.get("/api/v1/site-overrides")[1]["items"]] == ["all-o", "kids-o"]
    assert kim.patch("/api/v1/devices/kids-phone", {"active": False})[0] == 200
    for answer in (kim.get("/api/v1/devices/staff-phone"), kim.patch("/api/v1/devices/staff-phone", {"active": False}),
                   kim.delete("/api/v1/devices/staff-phone"), kim.get("/api/v1/devices/phone"),
                   kim.post("/api/v1/devices/staff-phone/enrolment"), kim.post("/api/v1/devices/staff-phone/config"),
                   kim.get("/api/v1/site-overrides/staff-o"), kim.delete("/api/v1/site-overrides/staff-o"),
                   kim.get("/api/v1/groups/staff")):
        assert answer[0] == 404, answer
    for answer in (kim.put("/api/v1/devices/staff-phone", {"group": "kids"}), kim.put("/api/v1/devices/new", {}),
                   kim.patch("/api/v1/devices/kids-phone", {"group": "staff"}),
                   kim.patch("/api/v1/devices/kids-phone", {"group": None}),
                   kim.put("/api/v1/site-overrides/n", {"group": "staff", "pattern": "b.example", "action": "allow"}),
                   kim.put("/api/v1/site-overrides/n", {"pattern": "b.example", "action": "allow"}),
                   kim.delete("/api/v1/site-overrides/all-o"), kim.put("/api/v1/users/u", {}),
                   kim.put("/api/v1/settings/endpoint", {"value": "x"}), kim.put("/api/v1/groups/other", {})):
        assert answer[0] == 403, answer
    assert kim.put("/api/v1/site-overrides/n", {"group": "kids", "pattern": "b.example", "action": "allow"})[0] == 201


def test_keys_of_the_provisioning_api_are_named_and_replaced(owner, apid, database):
    status, body = owner.post("/api/v1/provision-keys", {"name": "app"})
    assert status == 201
    remove = {"task": "wg_remove", "id": "x"}
    assert apid.request(body=remove, key=body["key"])[0] == 200
    assert owner.post("/api/v1/provision-keys", {"name": "app"})[0] == 409
    status, new = owner.post("/api/v1/provision-keys/app/rotate")
    assert status == 200 and new["key"] != body["key"]
    assert apid.request(body=remove, key=body["key"])[0] == 401
    assert apid.request(body=remove, key=new["key"])[0] == 200
    assert [k["name"] for k in owner.get("/api/v1/provision-keys")[1]["items"]] == ["app", "file"]
    apid.request(body={"task": "wg_upsert", "id": "x", "publicKey": "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=",
                       "address": "10.9.0.9"}, key=new["key"])
    assert owner.get("/api/v1/audit?subject=x")[1]["items"][0]["actor"] == "key:app"
    assert owner.delete("/api/v1/provision-keys/app")[0] == 204
    assert apid.request(body=remove, key=new["key"])[0] == 401
    assert new["key"] not in str(database.sql("SELECT name, HEX(hash) FROM api_keys", "culvert"))


def test_the_audit_says_who_changed_what_from_what_to_what(owner):
    owner.put("/api/v1/groups/kids", {"name": "Kids"})
    owner.patch("/api/v1/groups/kids", {"name": "Children"})
    status, page = owner.get("/api/v1/audit?subject=kids&limit=1")
    row = page["items"][0]
    assert status == 200 and page["next"]
    assert (row["actor"], row["address"], row["action"]) == (f"admin:{OWNER}", "127.0.0.1", "groups_change")
    assert row["old"] == {"name": "Kids", "id": "kids"} and row["new"] == {"name": "Children", "id": "kids"}
    older = owner.get(f"/api/v1/audit?subject=kids&cursor={page['next']}")[1]
    assert [r["action"] for r in older["items"]] == ["groups_add"] and older["next"] is None
    for method in ("PUT", "DELETE", "PATCH", "POST"):
        assert owner.request(method, "/api/v1/audit")[0] == 405


def test_one_sees_and_ends_ones_sessions(owner, apid):
    first, = owner.get("/api/v1/sessions")[1]["items"]
    other = apid.client()
    other.login()
    sessions = owner.get("/api/v1/sessions")[1]["items"]
    assert len(sessions) == 2 and {s["admin"] for s in sessions} == {OWNER}
    newer, = {s["id"] for s in sessions} - {first["id"]}
    assert owner.delete(f"/api/v1/sessions/{newer}")[0] == 204
    assert other.get("/auth/me")[0] == 401 and owner.get("/auth/me")[0] == 200


def test_an_account_is_changed_only_as_it_was_seen(owner):
    owner.put("/api/v1/groups/kids", {})
    assert owner.post("/api/v1/admins", {"name": "hal", "password": SECOND, "role": "helper", "groups": ["kids"]})[0] == 201
    status, seen = owner.get("/api/v1/admins/hal")
    etag = owner.headers["ETag"]
    assert status == 200 and seen == {"name": "hal", "role": "helper", "groups": ["kids"], "totp": False}
    assert owner.get("/api/v1/admins/hal", headers={"If-None-Match": etag}) == (304, "")
    assert owner.patch("/api/v1/admins/hal", {"role": "viewer"}, headers={"If-Match": '"0000000000000000"'})[0] == 412
    assert owner.patch("/api/v1/admins/hal", {"role": "viewer"}, headers={"If-Match": etag})[0] == 200
    newer = owner.headers["ETag"]
    assert newer != etag
    assert owner.patch("/api/v1/admins/hal", {"groups": None}, headers={"If-Match": etag})[0] == 412
    assert owner.delete("/api/v1/admins/hal", headers={"If-Match": etag})[0] == 412
    assert owner.get("/api/v1/admins/hal")[1]["role"] == "viewer"
    assert owner.delete("/api/v1/admins/hal", headers={"If-Match": newer})[0] == 204
    assert owner.get("/api/v1/admins/hal")[0] == 404 and owner.delete("/api/v1/admins/hal", headers={"If-Match": "*"})[
        0] == 404


def test_if_match_star_is_whatever_there_is(owner):
    assert owner.patch(f"/api/v1/admins/{OWNER}", {"role": "owner"}, headers={"If-Match": "*"})[0] == 200
    assert owner.put("/api/v1/words/w", {"term": "x", "match": "exact"}, headers={"If-Match": "*"})[0] == 412
    assert owner.put("/api/v1/words/w", {"term": "x", "match": "exact"})[0] == 201
    assert owner.put("/api/v1/words/w", {"term": "y", "match": "exact"}, headers={"If-Match": "*"})[0] == 200


def test_one_token_and_one_session_are_read_and_ended_as_they_were_seen(owner, apid):
    made = owner.post("/api/v1/tokens", {"name": "t", "role": "viewer", "scopes": ["devices"]})[1]
    for path, one in (("tokens", made["id"]), ("sessions", owner.get("/api/v1/sessions")[1]["items"][0]["id"])):
        status, seen = owner.get(f"/api/v1/{path}/{one}")
        etag = owner.headers["ETag"]
        assert status == 200 and seen == owner.get(f"/api/v1/{path}")[1]["items"][0] and "token" not in seen
        assert owner.delete(f"/api/v1/{path}/{one}", headers={"If-Match": '"0000000000000000"'})[0] == 412
        assert owner.get(f"/api/v1/{path}/{one}")[0] == 200, "it is there"
        assert owner.get(f"/api/v1/{path}/none")[0] == 404
        assert owner.delete(f"/api/v1/{path}/{one}", headers={"If-Match": etag})[0] == 204
    assert owner.get("/auth/me")[0] == 401


def test_others_tokens_and_sessions_are_an_owner_s_to_see(owner, apid):
    owner.post("/api/v1/admins", {"name": "hal", "password": SECOND, "role": "viewer"})
    hal = apid.client("hal", SECOND)
    token = owner.post("/api/v1/tokens", {"name": "t", "role": "viewer", "scopes": ["devices"]})[1]["id"]
    session = owner.get("/api/v1/sessions")[1]["items"]
    mine = next(s["id"] for s in session if s["admin"] == "hal")
    other = next(s["id"] for s in session if s["admin"] == OWNER)
    assert hal.get(f"/api/v1/tokens/{token}")[0] == hal.get(f"/api/v1/sessions/{other}")[0] == 404
    assert hal.get(f"/api/v1/sessions/{mine}")[0] == owner.get(f"/api/v1/sessions/{mine}")[0] == 200
    assert hal.get("/api/v1/admins/hal")[0] == 403
