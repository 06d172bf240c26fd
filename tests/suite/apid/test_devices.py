# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A2, A3: devices over the API, and what a device does itself."""
import base64
import hashlib
import hmac
import json
import threading
import time

import pytest

from apidlib import KEYS, PASSWORD, Apid, wait_until

DEVICES = "/api/v1/devices"
UNHEARD = dict.fromkeys(("online", "handshake_at", "handshake_age_s", "endpoint", "rx_bytes", "tx_bytes", "gateway"))


@pytest.fixture
def owner(apid):
    apid.redis("HSET", "culvert:state:tunnels:wgd", "mitm", '{"name":"mitm","public_key":"%s","port":51820,'
               '"addresses":["10.9.0.1"]}' % KEYS[2])
    apid.redis("SET", "culvert:epoch:wgd", "e" * 32)
    apid.redis("SET", "culvert:gen:wgd", "1")
    apid.redis("HSET", "culvert:gens:wgd", "tunnels", '{"gen":1,"wid":"w","full":1}')
    apid.stop()
    one = apid.start().owner()
    wait_until(lambda: one.get(f"{DEVICES}/phone/config")[0] == 200, "the tunnel is known")
    return one


def test_a_new_device_gets_free_addresses_of_both_families(owner, apid):
    status, one = owner.post(DEVICES, {"name": "First"})
    assert status == 201 and owner.headers["Location"] == f"{DEVICES}/{one['id']}"
    _, two = owner.put(f"{DEVICES}/second", {})
    assert owner.headers["ETag"]
    taken = {"10.9.0.1", "10.9.0.2", "fd09::1", "fd09::2"}
    for device in (one, two):
        v4, v6 = device["addresses"]
        assert v4.startswith("10.9.0.") and v6.startswith("fd09::") and not {v4, v6} & taken
        taken |= {v4, v6}
    wait_until(lambda: apid.state("devices").get("second"), "published")
    assert apid.state("devices")["second"] == {k: v for k, v in two.items() if k != "public_key"}


def test_put_get_patch_delete(owner, apid):
    body = {"name": "Tablet", "addresses": ["10.9.0.9"], "public_key": KEYS[0], "unknown_sites": "block"}
    assert owner.put(f"{DEVICES}/tablet", body)[0] == 201
    etag = owner.headers["ETag"]
    status, got = owner.get(f"{DEVICES}/tablet")
    assert status == 200 and got == {"id": "tablet", "tunnel": "mitm", **body} and owner.headers["ETag"] == etag
    assert owner.get(f"{DEVICES}/tablet", headers={"If-None-Match": etag}) == (304, "")
    status, got = owner.patch(f"{DEVICES}/tablet", {"name": None, "active": False})
    assert status == 200 and "name" not in got and got["active"] is False and got["public_key"] == KEYS[0]
    wait_until(lambda: apid.state("devices").get("tablet", {}).get("active") is False, "published")
    assert owner.get(f"{DEVICES}/tablet/status")[1] == {"id": "tablet", "entitled": False, "reason": "inactive",
                                                        **UNHEARD}
    assert owner.delete(f"{DEVICES}/tablet") == (204, "")
    assert owner.get(f"{DEVICES}/tablet")[0] == 404 and owner.delete(f"{DEVICES}/tablet")[0] == 404
    wait_until(lambda: "tablet" not in apid.state("devices") and "tablet" not in apid.state("device_keys"), "gone")


def test_put_is_idempotent(owner, database):
    body = {"name": "Tablet", "addresses": ["10.9.0.9"]}
    assert owner.put(f"{DEVICES}/t", body)[0] == 201
    rows = database.sql("SELECT COUNT(*) FROM audit", "culvert")
    assert owner.put(f"{DEVICES}/t", body)[0] == 200
    assert database.sql("SELECT COUNT(*) FROM audit", "culvert") == rows


def test_a_stale_etag_changes_nothing(owner):
    owner.put(f"{DEVICES}/t", {"name": "a"})
    etag = owner.headers["ETag"]
    assert owner.patch(f"{DEVICES}/t", {"name": "b"}, headers={"If-Match": etag})[0] == 200
    assert owner.patch(f"{DEVICES}/t", {"name": "c"}, headers={"If-Match": etag})[0] == 412
    assert owner.put(f"{DEVICES}/t", {"name": "c"}, headers={"If-None-Match": "*"})[0] == 412
    assert owner.get(f"{DEVICES}/t")[1]["name"] == "b"


WRONG = [
    ({"addresses": ["192.0.2.1"]}, "/addresses"), ({"addresses": ["10.9.0.1"]}, "/addresses"),
    ({"addresses": ["10.9.0.8", "10.9.0.9"]}, "/addresses"), ({"addresses": "10.9.0.8"}, "/addresses"),
    ({"public_key": "x"}, "/public_key"), ({"tunnel": "none"}, "/tunnel"), ({"group": "none"}, "/group"),
    ({"user": "none"}, "/user"), ({"active": "yes"}, "/active"), ({"egress": "all"}, "/egress"),
    ({"colour": "red"}, "/colour"), ({"id": "other"}, "/id"), ({"expires_at": 1.5}, "/expires_at")]


def test_wrong_fields_are_named(owner):
    for body, pointer in WRONG:
        status, problem = owner.put(f"{DEVICES}/t", body)
        assert status == 400 and problem["errors"][0]["pointer"] == pointer, (body, problem)
        assert owner.get(f"{DEVICES}/t")[0] == 404


def test_what_is_taken_is_a_conflict(owner):
    owner.put(f"{DEVICES}/a", {"addresses": ["10.9.0.9"], "public_key": KEYS[0]})
    assert owner.put(f"{DEVICES}/b", {"addresses": ["10.9.0.9"]})[0] == 409
    assert owner.put(f"{DEVICES}/b", {"public_key": KEYS[0]})[0] == 409
    assert owner.post(DEVICES, {"id": "a"})[0] == 409


HOSTILE = ["<script>alert(1)</script>", "'; DROP TABLE devices; --", "\"\\\n\t\u0001", "‮rtl‬",
           "\U0001f600 é e\u0301", " blanks ", "%00%s%n", "x" * 256, "${jndi:ldap://x}", "﻿bom"]


def test_hostile_strings_come_back_as_they_were(owner, apid, database):
    for n, text in enumerate(HOSTILE):
        assert owner.put(f"{DEVICES}/h{n}", {"name": text})[0] == 201, text
    apid.stop()
    apid.start()
    again = apid.client("olga", PASSWORD)
    wait_until(lambda: len(apid.state("devices")) == len(HOSTILE) + 1, "published")
    for n, text in enumerate(HOSTILE):
        assert again.get(f"{DEVICES}/h{n}")[1]["name"] == text
        assert apid.state("devices")[f"h{n}"]["name"] == text


def test_pages_follow_each_other_without_loss(owner, database, apid):
    for n in range(23):
        assert owner.put(f"{DEVICES}/d{n:02}", {"name": f"Device {n}"})[0] == 201
    seen, cursor = [], ""
    while cursor is not None:
        status, page = owner.get(f"{DEVICES}?limit=5" + (f"&cursor={cursor}" if cursor else ""))
        assert status == 200 and len(page["items"]) <= 5
        seen += [d["id"] for d in page["items"]]
        cursor = page["next"]
    assert seen == sorted([f"d{n:02}" for n in range(23)] + ["phone"])
    assert [d["id"] for d in owner.get(f"{DEVICES}?q=device%2012")[1]["items"]] == ["d12"]
    assert owner.get(f"{DEVICES}?limit=0")[0] == 400 and owner.get(f"{DEVICES}?colour=red")[0] == 400


def test_a_suspended_user_takes_the_devices_along(owner, apid):
    assert owner.put("/api/v1/users/anna", {"name": "Anna"})[0] == 201
    owner.put(f"{DEVICES}/t", {"user": "anna", "active": True})
    owner.patch("/api/v1/users/anna", {"active": False})
    wait_until(lambda: apid.state("devices").get("t", {}).get("active") is False, "published")
    assert owner.get(f"{DEVICES}/t")[1]["active"] is True
    assert owner.get(f"{DEVICES}/t/status")[1]["reason"] == "inactive"
    owner.patch("/api/v1/users/anna", {"active": True, "expires_at": 5})
    wait_until(lambda: apid.state("devices").get("t", {}).get("expires_at") == 5, "published")
    assert owner.get(f"{DEVICES}/t/status")[1]["reason"] == "expired"


def test_keys_made_here_leave_once(owner, database, apid):
    owner.put(f"{DEVICES}/t", {"addresses": ["10.9.0.9"]})
    status, body = owner.post(f"{DEVICES}/t/config")
    assert status == 200 and body["qr"].startswith("<svg ")
    rows = dict(line.split(" = ") for line in body["config"].splitlines() if " = " in line)
    assert rows["Address"] == "10.9.0.9/32" and rows["Endpoint"] == "gw.example:51820" and rows["PublicKey"] == KEYS[2]
    private = rows["PrivateKey"]
    assert owner.get(f"{DEVICES}/t")[1]["public_key"] != private
    assert private not in str(database.sql("SELECT * FROM device_keys", "culvert")) and private not in apid.log()
    assert database.sql("SELECT preshared_key FROM device_keys WHERE device = 't'", "culvert") == [
        [rows["PresharedKey"]]]
    assert "PrivateKey =" in owner.get(f"{DEVICES}/t/config")[1] and private not in owner.get(f"{DEVICES}/t/config")[1]
    assert rows["PresharedKey"] not in str(database.sql("SELECT old, new FROM audit", "culvert"))


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_an_enrolment_link_in_a_browser_is_a_page_and_stays_good(owner, apid):
    owner.put(f"{DEVICES}/t", {"addresses": ["10.9.0.9"]})
    link = owner.post(f"{DEVICES}/t/enrolment")[1]["url"]
    path = "/enrol/" + link.split("/enrol/")[1]
    one = apid.client()
    status, page = one.get(path, headers=BROWSER)
    assert status == 200 and one.headers["Content-Type"] == "text/html; charset=utf-8"
    assert one.headers["Cache-Control"] == "no-store" and "default-src 'none'" in one.headers["Content-Security-Policy"]
    assert f">culvert-enrol {link}</textarea></label>" in page and "<strong>t</strong>" in page
    assert '<html lang="en">' in page and page.count("<h1>") == 1 and "viewport" in page
    assert one.get(path, headers={"Accept": "application/json, text/html;q=0.5"})[1]["device"] == "t"
    assert one.post(path, {"public_key": KEYS[0]})[0] == 200
    status, page = one.get(path, headers=BROWSER)
    assert status == 404 and "Ask for a new one" in page


def test_an_enrolment_link_stays_good_when_its_key_cannot_be_set(owner, apid):
    assert owner.put(f"{DEVICES}/a", {"name": "A", "public_key": KEYS[1]})[0] == 201
    assert owner.put(f"{DEVICES}/t", {"name": "T"})[0] == 201
    token = owner.post(f"{DEVICES}/t/token")[1]["token"]
    path = "/enrol/" + owner.post(f"{DEVICES}/t/enrolment")[1]["url"].split("/enrol/")[1]
    device = apid.client()
    before = device.get(path)[1]
    assert device.post(path, {"public_key": KEYS[1]})[0] == 409
    assert device.get(path)[1] == before
    assert apid.client(token=token).get("/device")[0] == 200  # what the device had is not ended either
    assert device.post(path, {"public_key": KEYS[2]})[0] == 200
    assert device.get(path)[0] == 404


def test_a_device_enrols_while_wgd_does_not_answer(owner, apid, wgd):
    wgd.answer = None
    owner.put(f"{DEVICES}/t", {"name": "T"})
    path = "/enrol/" + owner.post(f"{DEVICES}/t/enrolment")[1]["url"].split("/enrol/")[1]
    status, doc = apid.client().post(path, {"public_key": KEYS[2]})
    assert status == 200 and doc["wgPublicKey"] == KEYS[2] and not wgd.calls
    assert apid.client(token=doc["token"]).get("/device")[0] == 200


def test_an_enrolment_link_is_shown_often_and_used_once(owner, apid):
    owner.put(f"{DEVICES}/t", {"addresses": ["10.9.0.9"]})
    status, link = owner.post(f"{DEVICES}/t/enrolment")
    assert status == 201 and link["expires_at"] > (time.time() + 23 * 3600) * 1000
    path = "/enrol/" + link["url"].split("/enrol/")[1]
    device = apid.client()
    for _ in range(2):
        assert device.get(path)[1] == {"device": "t", "expires_at": link["expires_at"]}
    status, doc = device.post(path, {"public_key": KEYS[0]})
    assert status == 200 and doc["wgPublicKey"] == KEYS[0] and doc["wgServerPublicKey"] == KEYS[2]
    assert device.post(path, {"public_key": KEYS[1]})[0] == 404 and device.get(path)[0] == 404
    device.token = doc.pop("token")
    assert device.get("/device") == (200, doc)
    assert doc == {"id": "t", "active": True, "expiresAtMs": None, "stripeSubscriptionId": None,
                   "wgAddress": "10.9.0.9", "wgAddresses": ["10.9.0.9"], "wgPort": 51820,
                   "wgServerPublicKey": KEYS[2], "wgEndpoint": "gw.example", "wgDns": "10.9.0.1",
                   "wgPublicKey": KEYS[0], "entitled": True, "reason": "entitled"}
    assert device.put("/device/key", {"public_key": KEYS[1]})[1]["wgPublicKey"] == KEYS[1]
    assert device.get(DEVICES)[0] == 401, "a device's token is none of an account"


def test_a_waiting_device_hears_of_a_change_at_once(owner, apid):
    owner.put(f"{DEVICES}/t", {"addresses": ["10.9.0.9"]})
    device = apid.client(token=owner.post(f"{DEVICES}/t/token")[1]["token"])
    assert device.get("/device")[0] == 200
    etag, answers = device.headers["ETag"], []
    assert device.get("/device", headers={"If-None-Match": etag})[0] == 304
    assert device.get("/device?wait=1", headers={"If-None-Match": etag})[0] == 304
    thread = threading.Thread(target=lambda: answers.append(
        device.get("/device?wait=60", headers={"If-None-Match": etag})))
    thread.start()
    owner.put(f"{DEVICES}/other", {})
    owner.patch(f"{DEVICES}/t", {"active": False})
    thread.join(20)
    assert answers and answers[0][0] == 200 and answers[0][1]["reason"] == "inactive"


def test_turn_credentials_are_what_coturn_expects(make_apid, wgd):
    from apidlib import SEED, owned_file
    apid = make_apid(SEED)
    owned_file(apid.dir / "turn", "north\n")
    apid.write_conf(f"seed_file = {apid.seed_file}\nturn_secret_file = {apid.dir}/turn\nturn_uris = turn:a.example\n")
    owner = apid.start().owner()
    device = apid.client(token=owner.post(f"{DEVICES}/phone/token")[1]["token"])
    turn = device.get("/device")[1]["turn"]
    good = base64.b64encode(hmac.new(b"north", turn["username"].encode(), hashlib.sha1).digest()).decode()
    assert turn["credential"] == good and turn["uris"] == ["turn:a.example"]
    expiry, name = turn["username"].split(":")
    assert name == "phone" and time.time() < int(expiry) <= time.time() + turn["ttl"]


def test_a_change_through_either_apid_is_in_force(owner, apid, place, redis, database):
    """C3: two apid on one database; the one that does not publish is followed."""
    directory = place / "second"
    directory.mkdir()
    other = Apid(directory, redis, database)
    (directory / "state").joinpath("apid").mkdir(mode=0o700)
    text = (apid.dir / "state/apid/secret").read_text()
    from apidlib import own, owned_file
    own(directory / "state/apid", 0o700)
    owned_file(directory / "state/apid/secret", text)
    other.write_conf("instance = 2")
    wait_until(lambda: "this process publishes" in apid.log().rsplit("stopping", 1)[1], "the first publishes after its restart")
    other.start()
    try:
        assert "this process publishes" not in other.log()
        second = other.client(ca=directory / "state/apid/admin-ca.pem")
        second.cookie, second.csrf = owner.cookie, owner.csrf
        assert second.put(f"{DEVICES}/two", {"name": "through the second"})[0] == 201
        wait_until(lambda: "two" in apid.state("devices"), "published by the first")
        wait_until(lambda: owner.get(f"{DEVICES}/two")[0] == 200, "the first knows")
        assert other.upsert("three", KEYS[0], "10.9.0.77") == (200, {"status": "success"})
        gens = apid.gens()
        owner.put(f"{DEVICES}/one", {"name": "through the first"})
        wait_until(lambda: second.get(f"{DEVICES}/one")[0] == 200, "the second knows")
        owner.post("/auth/logout")
        wait_until(lambda: second.get("/auth/me")[0] == 401, "a revoked session ends everywhere")
        wait_until(lambda: gens != apid.gens(), "the first has published")
        apid.kill()
        wait_until(lambda: "this process publishes" in other.log(), "the other takes over")
        assert other.upsert("four", KEYS[1], "10.9.0.78") == (200, {"status": "success"})
        wait_until(lambda: {"one", "two", "three", "four", "phone"} <= set(other.state("devices")), "all is published")
    finally:
        other.stop()


def tell(redis, kind, **event):
    """As wgd does."""
    redis("PUBLISH", f"culvert:event:wgd:{kind}", json.dumps({"v": 1, "batch": [event]}))


def test_the_status_has_what_wgd_tells_of_the_session(owner, redis):
    def status(device="phone"):
        return owner.get(f"{DEVICES}/{device}/status")[1]
    now = int(time.time() * 1000)
    assert {k: status()[k] for k in UNHEARD} == UNHEARD
    tell(redis, "stats", device="nobody", handshake_at=now)
    tell(redis, "stats", device="phone", handshake_at=now - 100000, rx_bytes="9007199254740993", tx_bytes="5",
         endpoint="192.0.2.9:7000")
    wait_until(lambda: status()["online"] is not None, "it is heard")
    got = status()
    age = got.pop("handshake_age_s")
    assert 100 <= age < 170
    assert got == {"id": "phone", "entitled": True, "reason": "entitled", "online": True, "handshake_at": now - 100000,
                   "endpoint": "192.0.2.9:7000", "rx_bytes": "9007199254740993", "tx_bytes": "5", "gateway": None}
    tell(redis, "peer", device="phone", edge="offline")
    wait_until(lambda: status()["online"] is False, "the end of the session")
    tell(redis, "stats", device="phone", handshake_at=now - 50, rx_bytes="7", tx_bytes="5", endpoint="[2001:db8::1]:9")
    wait_until(lambda: status()["online"] is True, "a new session")
    assert status()["endpoint"] == "[2001:db8::1]:9"
    tell(redis, "stats", device="phone", handshake_at=now + 1, rx_bytes="x" * 500)
    tell(redis, "stats", device="phone", handshake_at=now + 2, rx_bytes="8")
    wait_until(lambda: status()["rx_bytes"] == "8", "what is wrong is passed over")
    owner.delete(f"{DEVICES}/phone")
    owner.put(f"{DEVICES}/phone", {})
    assert {k: status()[k] for k in UNHEARD} == UNHEARD


def test_a_session_whose_handshake_is_old_is_none(owner, redis):
    tell(redis, "stats", device="phone", handshake_at=int(time.time() * 1000) - 200000, rx_bytes="1", tx_bytes="1")
    wait_until(lambda: owner.get(f"{DEVICES}/phone/status")[1]["online"] is False, "it is heard")
