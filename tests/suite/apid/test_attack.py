# SPDX-License-Identifier: GPL-3.0-or-later
"""What an outsider, an account with little and a device tried, and must not get (SPEC A2-A4, A9, A12)."""
import os
import pathlib
import select
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from apidlib import KEYS, OWNER, PASSWORD, Apid, own_dir, owned_file, started, totp, wait_until

DEVICES = "/api/v1/devices"
ENROL = pathlib.Path(__file__).parents[3] / "deploy/client/culvert-enrol"


@pytest.fixture
def owner(apid):
    return apid.owner()


@pytest.fixture
def second(owner, apid, place, redis, database):
    """A second apid on the same database with the same secret, and the owner's client of it."""
    directory = place / "second"
    directory.mkdir()
    other = Apid(directory, redis, database)
    own_dir(directory / "state" / "apid")
    owned_file(directory / "state/apid/secret", (apid.dir / "state/apid/secret").read_text())
    other.write_conf("instance = 2")
    client = other.start().client()
    client.cookie, client.csrf = owner.cookie, owner.csrf
    yield client
    other.stop()


def test_a_removed_device_s_token_is_none_of_the_next_device_s_of_that_id(owner, apid):
    owner.put(f"{DEVICES}/d1", {"name": "Before"})
    device = apid.client(token=owner.post(f"{DEVICES}/d1/token")[1]["token"])
    url = owner.post(f"{DEVICES}/d1/enrolment")[1]["url"]
    assert device.get("/device")[0] == 200
    assert owner.delete(f"{DEVICES}/d1")[0] == 204
    assert owner.put(f"{DEVICES}/d1", {"name": "After"})[0] == 201
    assert device.get("/device")[0] == 401
    assert device.put("/device/key", {"public_key": KEYS[0]})[0] == 401
    assert apid.client().get(url[url.index("/enrol/"):])[0] == 404
    assert "public_key" not in owner.get(f"{DEVICES}/d1")[1]


def test_the_other_apid_too_forgets_a_removed_device_s_token(owner, second):
    owner.put(f"{DEVICES}/d1", {})
    token = owner.post(f"{DEVICES}/d1/token")[1]["token"]
    device = second.apid.client(token=token)
    wait_until(lambda: device.get("/device")[0] == 200, "the second knows the token")
    owner.delete(f"{DEVICES}/d1")
    owner.put(f"{DEVICES}/d1", {"name": "After"})
    wait_until(lambda: second.get(f"{DEVICES}/d1")[1].get("name") == "After", "the second knows the new device")
    assert device.get("/device")[0] == 401


def test_a_new_enrolment_ends_what_the_device_before_it_had(owner, apid):
    owner.put(f"{DEVICES}/d1", {})
    stolen = apid.client(token=owner.post(f"{DEVICES}/d1/token")[1]["token"])
    links = [owner.post(f"{DEVICES}/d1/enrolment")[1]["url"] for _ in range(2)]
    first, other = [url[url.index("/enrol/"):] for url in links]
    status, document = apid.client().post(first, {"public_key": KEYS[0]})
    assert status == 200 and apid.client(token=document["token"]).get("/device")[0] == 200
    assert stolen.put("/device/key", {"public_key": KEYS[1]})[0] == 401
    assert apid.client().post(other, {"public_key": KEYS[1]})[0] == 404
    assert owner.get(f"{DEVICES}/d1")[1]["public_key"] == KEYS[0]


def test_a_device_s_tokens_and_links_can_be_ended(owner, apid):
    owner.put(f"{DEVICES}/d1", {})
    device = apid.client(token=owner.post(f"{DEVICES}/d1/token")[1]["token"])
    url = owner.post(f"{DEVICES}/d1/enrolment")[1]["url"]
    assert device.get("/device")[0] == 200
    assert owner.delete(f"{DEVICES}/d1/token")[0] == 204
    assert device.get("/device")[0] == 401
    assert apid.client().post(url[url.index("/enrol/"):], {"public_key": KEYS[0]})[0] == 404


def test_an_endpoint_cannot_bring_lines_into_a_device_s_configuration(owner):
    before = owner.get("/api/v1/settings/endpoint")[1]
    for value in ("gw.example\nPostUp = id", "gw.example:1", "gw example", "-x", "", 5, None):
        status, body = owner.put("/api/v1/settings/endpoint", {"value": value})
        assert status == 400 and body["errors"][0]["pointer"] == "/value", value
    assert owner.get("/api/v1/settings/endpoint")[1] == before


def test_a_setting_that_no_daemon_can_read_is_refused(owner):
    for key, value in (("policy_source", "everybody"), ("lan_prefixes", ["x"]), ("offline_vpn", "no"),
                       ("egress_web_ports", ["tcp:0"]), ("portal_host", "a\nb")):
        assert owner.put(f"/api/v1/settings/{key}", {"value": value})[0] == 400, key


def test_a_suspended_user_cannot_be_removed_so_that_the_devices_work_again(owner):
    owner.put("/api/v1/users/u", {"active": False})
    owner.put(f"{DEVICES}/d1", {"user": "u"})
    assert owner.get(f"{DEVICES}/d1/status")[1]["entitled"] is False
    assert owner.delete("/api/v1/users/u")[0] == 409
    assert owner.get(f"{DEVICES}/d1/status")[1]["entitled"] is False
    owner.delete(f"{DEVICES}/d1")
    assert owner.delete("/api/v1/users/u")[0] == 204


def test_a_group_with_devices_cannot_be_removed_so_that_they_lose_its_limits(owner):
    owner.put("/api/v1/groups/kids", {"unknown_sites": "block"})
    owner.put(f"{DEVICES}/d1", {"group": "kids"})
    assert owner.delete("/api/v1/groups/kids")[0] == 409
    owner.patch(f"{DEVICES}/d1", {"group": None})
    assert owner.delete("/api/v1/groups/kids")[0] == 204


def test_a_viewer_cannot_fill_memory_with_tokens(owner, apid):
    owner.post("/api/v1/admins", {"name": "vic", "password": PASSWORD, "role": "viewer"})
    vic = apid.client("vic", PASSWORD)
    body = {"name": "t", "role": "viewer", "scopes": ["devices:read"]}
    statuses = [vic.post("/api/v1/tokens", body)[0] for _ in range(103)]
    assert statuses == [201] * 100 + [409] * 3
    assert owner.post("/api/v1/tokens", body)[0] == 201


def test_an_account_has_so_many_sessions_and_no_more(owner, database):
    database.sql("INSERT INTO sessions SELECT SHA2(seq, 256), 'olga', UNIX_TIMESTAMP() * 1000, "
                 "UNIX_TIMESTAMP() * 1000 - seq, '', '' FROM seq_60000_to_60200", "culvert")  # all before the owner's
    assert owner.apid.client().login()[0] == 200
    assert database.sql("SELECT COUNT(*) FROM sessions", "culvert") == [["100"]]
    assert owner.get("/auth/me")[0] == 200


def test_a_device_has_so_many_tokens_and_no_more(owner):
    owner.put(f"{DEVICES}/d1", {})
    assert [owner.post(f"{DEVICES}/d1/{kind}")[0] for kind in ("token", "enrolment") * 17] == [201] * 32 + [409] * 2


def test_what_only_answers_have_is_neither_kept_nor_audited(owner, database):
    body = {"name": "t", "role": "viewer", "scopes": ["devices"], "token": "cvt_forged", "admin": "eve", "id": "mine"}
    status, made = owner.post("/api/v1/tokens", body)
    assert status == 201 and made["token"] != "cvt_forged" and made["admin"] == "olga" and made["id"] != "mine"
    assert "forged" not in str(database.sql("SELECT new FROM audit", "culvert"))


def test_a_device_that_waits_often_takes_no_place_of_others(owner, apid):
    owner.put(f"{DEVICES}/d1", {})
    device = apid.client(token=owner.post(f"{DEVICES}/d1/token")[1]["token"])
    device.get("/device")
    headers = {"Authorization": f"Bearer {device.token}", "If-None-Match": device.headers["ETag"]}
    waiting = []
    for _ in range(7):
        waiting.append(device.connect())
        waiting[-1].request("GET", "/device?wait=60", headers=headers)
    wait_until(lambda: len(select.select([c.sock for c in waiting], [], [], 0)[0]) >= 3, "the oldest are answered")
    assert len(select.select([c.sock for c in waiting], [], [], 0)[0]) == 3
    for one in waiting:
        one.close()


def test_a_device_named_like_an_account_does_not_use_up_its_requests(make_apid, wgd):
    apid = started(make_apid, "rate_account = 2\n")
    owner = apid.owner()
    assert owner.put(f"{DEVICES}/olga", {})[0] == 201
    device = apid.client(token=owner.post(f"{DEVICES}/olga/token")[1]["token"])
    wait_until(lambda: device.get("/device")[0] == 429, "the device has asked too often")
    assert owner.get("/auth/me")[0] == 200


def test_guessing_does_not_lock_out_the_browser_in_which_one_logged_in(owner, apid):
    eve, other = apid.client(), apid.client()
    while eve.login(OWNER, "a guess")[0] != 429:
        pass
    assert other.login()[0] == 429
    other.known = owner.known
    assert other.login()[0] == 200
    other.known = owner.known[:-1] + ("A" if owner.known[-1] != "A" else "B")
    assert other.login()[0] == 429


def test_a_known_browser_is_locked_by_its_own_failures_and_known_for_one_account_only(owner, apid):
    owner.post("/api/v1/admins", {"name": "adam", "password": PASSWORD, "role": "admin"})
    one = apid.client()
    one.known = owner.known
    while one.login(OWNER, "a guess")[0] != 429:
        pass
    assert one.login()[0] == 429
    assert apid.client().login()[0] == 200  # what it failed at is its own
    eve = apid.client()
    while eve.login("adam", "a guess")[0] != 429:
        pass
    eve.known = owner.known
    assert eve.login("adam")[0] == 429


def test_an_account_of_ones_own_is_no_way_to_guess_others_for_ever(owner, apid):
    owner.post("/api/v1/admins", {"name": "eve", "password": PASSWORD, "role": "viewer"})
    eve = apid.client()

    def guess(number):
        status = eve.login(f"victim{number}", "a guess")[0]
        eve.login("eve")
        eve.known = None
        return status
    assert 429 in [guess(n) for n in range(8)]


def test_logins_that_the_database_does_not_answer_are_no_failures(owner, apid, database):
    one = apid.client()
    database.kill()
    with ThreadPoolExecutor(4) as pool:  # more than lock the account, but never so many at once; each waits 2 s
        assert {status for status, _ in pool.map(lambda _: apid.client().login(), range(8))} == {503}
    database.start()
    wait_until(lambda: one.login()[0] == 200, "the database is back")


def test_who_logs_in_with_a_second_factor_in_new_windows_is_not_locked_out(owner, apid):
    """The page asks for the code once the password was right: that is no failure of this address."""
    secret = owner.post("/auth/totp/begin")[1]["secret"]
    codes = owner.post("/auth/totp/confirm", {"totp": totp(secret)})[1]["recovery_codes"]
    for code in codes[:7]:
        window = apid.client()
        assert window.login()[1]["code"] == "totp_required"
        assert window.login(totp=code)[0] == 200
    eve = apid.client()
    assert 429 in [eve.login(totp="000000")[0] for _ in range(8)]


def test_many_addresses_of_one_ipv6_host_count_as_one(make_apid, wgd):
    apid = started(make_apid, "trusted_proxies = 127.0.0.1\n")
    apid.owner()

    def login(number, address):
        return apid.client().request("POST", "/auth/login", {"user": f"n{number}", "password": "a guess"},
                                     headers={"X-Forwarded-For": address})[0]
    assert [login(n, f"2001:db8::{n + 1:x}") for n in range(6)][-1] == 429
    assert login(9, "2001:db8:0:1::1") == 401


def test_keys_are_not_replaced_when_their_configuration_cannot_be_told(owner):
    owner.put(f"{DEVICES}/d1", {"public_key": KEYS[0]})
    assert owner.post(f"{DEVICES}/d1/config")[0] == 503
    assert owner.get(f"{DEVICES}/d1")[1]["public_key"] == KEYS[0]


def test_two_apids_that_give_addresses_at_once_neither_end_nor_refuse_nor_give_one_twice(owner, second):
    def make(number):
        one = (owner if number % 2 else second).apid.client()
        one.cookie, one.csrf = owner.cookie, owner.csrf
        return [one.post(DEVICES, {"name": "x"}) for _ in range(12)]
    with ThreadPoolExecutor(8) as pool:
        answers = [answer for some in pool.map(make, range(8)) for answer in some]
    assert [body for status, body in answers if status != 201] == []
    given = [address for _, device in answers for address in device["addresses"]]
    assert len(given) == len(set(given)) == 2 * 8 * 12


def test_an_account_of_a_group_does_not_read_other_groups_people(owner, apid):
    for group, user in (("a", "ann"), ("b", "bob")):
        owner.put(f"/api/v1/groups/{group}", {})
        owner.put(f"/api/v1/users/{user}", {"email": f"{user}@home.example", "note": "private"})
        owner.put(f"{DEVICES}/of-{user}", {"group": group, "user": user})
    owner.post("/api/v1/admins", {"name": "vic", "password": PASSWORD, "role": "viewer", "groups": ["a"]})
    vic = apid.client("vic", PASSWORD)
    assert [user["id"] for user in vic.get("/api/v1/users")[1]["items"]] == ["ann"]
    assert vic.get("/api/v1/users/ann")[0] == 200 and vic.get("/api/v1/users/bob")[0] == 404
    owner.post("/api/v1/admins", {"name": "adam", "password": PASSWORD, "role": "admin", "groups": ["a"]})
    adam = apid.client("adam", PASSWORD)
    assert adam.patch("/api/v1/users/ann", {"active": True})[0] == 403
    assert adam.put(f"{DEVICES}/mine", {"group": "a", "user": "bob"})[0] == 400
    assert adam.patch(f"{DEVICES}/of-ann", {"name": "Ann's"})[0] == 200
    assert adam.get("/api/v1/users/bob")[0] == 404


def all_at_once(work, number=6):
    with ThreadPoolExecutor(number) as pool:
        return sorted(pool.map(work, range(number)))


def test_one_enrolment_link_used_by_many_at_once_is_used_once(owner, apid):
    owner.put(f"{DEVICES}/d1", {})
    url = owner.post(f"{DEVICES}/d1/enrolment")[1]["url"]
    path = url[url.index("/enrol/"):]
    assert all_at_once(lambda n: apid.client().post(path, {"public_key": KEYS[n % 3]})[0]) == [200] + [404] * 5


def test_one_setup_link_used_by_many_at_once_makes_one_account(new_apid, database):
    token = new_apid.setup_token()
    all_at_once(lambda n: new_apid.client().post("/auth/setup", {"token": token, "user": f"u{n}", "password": PASSWORD})[0], 4)
    assert database.sql("SELECT COUNT(*) FROM admins", "culvert") == [["1"]]


def test_of_many_changes_of_one_etag_one_is_made(owner, apid):
    owner.put(f"{DEVICES}/d1", {})
    match = {"If-Match": owner.headers["ETag"]}

    def change(number):
        one = apid.client()
        one.cookie, one.csrf = owner.cookie, owner.csrf
        return one.patch(f"{DEVICES}/d1", {"name": f"n{number}"}, headers=match)[0]
    assert all_at_once(change) == [200] + [412] * 5


def test_an_if_match_that_is_empty_fits_nothing(owner):
    """As of a program that has lost the ETag: it must not write over others' changes."""
    owner.put("/api/v1/groups/kids", {"name": "Kids"})
    owner.put(f"{DEVICES}/d1", {})
    for path in ("/api/v1/groups/kids", f"{DEVICES}/d1"):
        for empty in ("", ","):
            assert owner.patch(path, {"name": "x"}, headers={"If-Match": empty})[0] == 412, path


@pytest.mark.parametrize("what, field", [("groups", "group"), ("users", "user")])
def test_what_a_device_is_given_at_one_apid_while_the_other_removes_it_is_kept_or_refused(owner, second, what, field):
    """Else the device would be of none: less restricted, and suspended no more."""
    for n in range(8):
        path = f"/api/v1/{what}/x{n}"
        owner.put(path, {})
        owner.put(f"{DEVICES}/d{n}", {})
        wait_until(lambda: {second.get(p)[0] for p in (path, f"{DEVICES}/d{n}")} == {200}, "the second knows them")
        with ThreadPoolExecutor(2) as pool:
            given = pool.submit(second.patch, f"{DEVICES}/d{n}", {field: f"x{n}"})
            removed = pool.submit(owner.delete, path)
        assert (given.result()[0], removed.result()[0]) in ((200, 409), (400, 204)), (given.result(), removed.result())


def test_an_import_that_replaces_groups_leaves_those_that_another_apid_gave_a_device(owner, second, database):
    owner.put("/api/v1/groups/kids", {})
    owner.put(f"{DEVICES}/d1", {})
    wait_until(lambda: second.get("/api/v1/groups/kids")[0] == 200 and second.get(f"{DEVICES}/d1")[0] == 200)
    database.sql("UPDATE devices SET record = JSON_SET(record, '$.group', 'kids') WHERE id = 'd1'", "culvert")
    status, said = second.post("/api/v1/import/groups?replace=true", {"records": []})
    assert (status, said["applied"], [e["id"] for e in said["errors"]]) == (200, False, ["kids"])
    assert database.sql("SELECT id FROM records WHERE topic = 'groups'", "culvert") == [["kids"]]


def test_the_webhook_s_address_is_told_only_to_whom_may_set_it(owner, apid):
    owner.put("/api/v1/settings/notifications", {"value": {"webhook": {"url": "https://hooks.example/secret-path"}}})
    owner.put("/api/v1/groups/kids", {})
    for name, role, groups in (("vic", "viewer", None), ("helen", "helper", None), ("kim", "admin", ["kids"])):
        owner.post("/api/v1/admins", {"name": name, "password": PASSWORD, "role": role, "groups": groups})
        one = apid.client(name, PASSWORD)
        assert one.get("/api/v1/settings/notifications")[0] == 404
        assert "endpoint" in str(one.get("/api/v1/settings")) and "secret-path" not in str(one.get("/api/v1/settings"))
    owner.post("/api/v1/admins", {"name": "adam", "password": PASSWORD, "role": "admin"})
    assert "secret-path" in str(apid.client("adam", PASSWORD).get("/api/v1/settings"))


def enrol(place, out):
    """Runs culvert-enrol with programs that stand for wg and curl; curl notes that it was called."""
    tools = place / "tools"
    tools.mkdir()
    answer = '{"wgAddresses":["10.9.0.2"],"wgPort":51820,"wgServerPublicKey":"S","wgEndpoint":"gw","token":"cvd_t"}'
    for name, text in (("wg", "echo key"), ("curl", f"touch {place}/called; cat >/dev/null; echo '{answer}'")):
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    return subprocess.run([ENROL, "-o", out, "https://gw.example/enrol/cve_x"], capture_output=True, text=True,
                          check=False, env={"PATH": f"{tools}:{os.environ['PATH']}"})


def test_a_link_is_not_used_up_for_a_configuration_that_cannot_be_written(place):
    assert enrol(place, place / "nowhere" / "wg.conf").returncode != 0
    assert not (place / "called").exists()


def test_a_private_key_is_not_written_into_a_file_that_others_may_read(place):
    out = place / "wg.conf"
    out.write_text("old")
    out.chmod(0o644)
    done = enrol(place, out)
    assert done.returncode == 0, done.stderr
    assert "PrivateKey = key" in out.read_text() and out.stat().st_mode & 0o777 == 0o600
    assert (place / "wg.token").stat().st_mode & 0o777 == 0o600
    assert {p.name for p in place.iterdir()} >= {"wg.conf", "wg.token"} and not list(place.glob("wg.*.*"))
