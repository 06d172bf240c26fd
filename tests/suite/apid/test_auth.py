# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A4, A12: who gets in, and who does not."""
import pytest

from apidlib import COOKIE, OWNER, PASSWORD, wait_until


def is_problem(client, answer, status):
    got, body = answer
    assert got == status, answer
    assert client.headers["Content-Type"] == "application/problem+json" and body["status"] == status
    return True


@pytest.fixture
def owner(apid):
    return apid.owner()


def test_the_setup_link_makes_one_owner_and_is_gone(new_apid):
    apid = new_apid
    token = apid.setup_token()
    one = apid.client()
    assert is_problem(one, one.post("/auth/setup", {"token": token + "x", "user": "eve", "password": PASSWORD}), 403)
    status, body = one.post("/auth/setup", {"token": token, "user": OWNER, "password": PASSWORD})
    assert status == 200 and body["role"] == "owner" and body["groups"] is None
    assert one.get("/auth/me")[1]["name"] == OWNER
    assert not (apid.dir / "state/apid/setup-link").exists()
    again = apid.client()
    assert is_problem(again, again.post("/auth/setup", {"token": token, "user": "eve", "password": PASSWORD}), 410)


def test_passwords_that_are_refused(new_apid):
    one = new_apid.client()
    for password in ("short", "x" * 11, "x" * 73, "ä" * 37):
        body = {"token": new_apid.setup_token(), "user": OWNER, "password": password}
        status, problem = one.post("/auth/setup", body)
        assert status == 400 and problem["errors"][0]["pointer"] == "/password"
    assert one.post("/auth/setup", '{"token":"a","user":"b","password":"long enough it is\\u0000"}')[0] == 400


def test_the_cookie_is_for_this_host_and_no_script(owner, apid):
    one = apid.client()
    assert one.login()[0] == 200
    line = one.headers["Set-Cookie"]
    assert line.startswith(COOKIE + "=")
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= {p.strip() for p in line.split(";")[1:]}
    assert "Domain" not in line


def test_answers_forbid_caching_and_framing(owner):
    owner.get("/auth/me")
    assert owner.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in owner.headers["Content-Security-Policy"]
    assert owner.headers["X-Content-Type-Options"] == "nosniff"


def test_wrong_name_and_wrong_password_look_the_same(owner, apid):
    one = apid.client()
    wrong = one.login(OWNER, "not the password")
    unknown = one.login("nobody", "not the password")
    assert wrong == unknown and wrong[0] == 401
    assert one.login(OWNER, PASSWORD + "x" * 72)[0] == 401


def test_without_a_session_nothing_is_told(owner, apid):
    one = apid.client()
    for path in ("/auth/me", "/auth/csrf", "/api/v1/groups", "/api/v1/settings/endpoint"):
        assert is_problem(one, one.get(path), 401)


def test_a_session_that_was_logged_out_is_over(owner, apid):
    stolen = apid.client()
    stolen.cookie, stolen.csrf = owner.cookie, owner.csrf
    assert stolen.get("/auth/me")[0] == 200
    assert owner.post("/auth/logout")[0] == 204
    assert owner.cookie is None
    assert stolen.get("/auth/me")[0] == 401


def test_a_session_that_was_not_signed_is_none(owner, apid):
    one = apid.client()
    raw, sign = owner.cookie.split(".")
    for value in (raw, raw + ".", raw + "." + "A" * len(sign), raw[::-1] + "." + sign, "", "." * 87, "x" * 5000):
        one.cookie = value
        assert one.get("/auth/me")[0] == 401, value


def test_login_gives_a_session_that_was_not_there_before(owner, apid):
    """No fixation: what the client brought is not taken, and ends."""
    one = apid.client()
    one.cookie = before = owner.cookie
    assert one.login()[0] == 200
    assert one.cookie != before
    old = apid.client()
    old.cookie = "A" * 43 + "." + "A" * 43
    assert old.login()[0] == 200 and not old.cookie.startswith("AAAA")


def test_a_login_ends_the_session_that_the_browser_had(owner, apid):
    """Its cookie is replaced: nobody could log out of it. Another account's goes as well, other browsers' stay."""
    assert owner.post("/api/v1/admins", {"name": "otto", "password": PASSWORD, "role": "viewer"})[0] == 201
    elsewhere, browser, old = apid.client(OWNER, PASSWORD), apid.client(OWNER, PASSWORD), apid.client()
    assert browser.login(OWNER, "a wrong one")[0] == 401
    for user in (OWNER, "otto"):
        old.cookie = browser.cookie
        assert old.get("/auth/me")[0] == 200
        assert browser.login(user)[0] == 200 and browser.get("/auth/me")[1]["name"] == user
        assert old.get("/auth/me")[0] == 401
    assert elsewhere.get("/auth/me")[0] == owner.get("/auth/me")[0] == 200


def test_a_change_needs_the_token_of_this_session(owner, apid):
    other = apid.client(OWNER, PASSWORD)
    body = {"name": "Kids"}
    for csrf in (None, "", "x" * 43, other.csrf, owner.csrf[:-1]):
        assert is_problem(owner, owner.put("/api/v1/groups/kids", body, headers={"X-CSRF-Token": csrf}), 403), csrf
    assert owner.put("/api/v1/groups/kids", body)[0] == 201
    assert owner.get("/auth/csrf")[1]["csrf"] == owner.csrf


def test_another_origin_can_neither_change_nor_log_in(owner, apid):
    one = apid.client()
    body = {"user": OWNER, "password": PASSWORD}
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site"}, {"Origin": f"http://127.0.0.1:{apid.admin_port}"}):
        assert is_problem(owner, owner.put("/api/v1/groups/kids", {}, headers=headers), 403), headers
        assert is_problem(one, one.post("/auth/login", body, headers=headers), 403), headers
    own = {"Origin": f"https://127.0.0.1:{apid.admin_port}", "Sec-Fetch-Site": "same-origin"}
    assert one.post("/auth/login", body, headers=own)[0] == 200


def test_guessing_locks_the_account_whether_it_exists_or_not(owner, apid):
    for user in (OWNER.upper(), "nobody"):
        one = apid.client()
        statuses = [one.login(user, f"guess number {n}")[0] for n in range(6)]
        assert 429 in statuses and set(statuses) <= {401, 429}
        assert is_problem(one, one.login(OWNER, PASSWORD), 429)
        assert int(one.headers["Retry-After"]) > 0


def test_logins_and_failures_are_audited(owner, apid, database):
    apid.client().login("nobody", "not the password")
    apid.client(OWNER, PASSWORD)
    wait_until(lambda: {"login", "login_failed"} <= {r[0] for r in database.sql("SELECT action FROM audit", "culvert")},
               "audit rows")
    assert database.sql("SELECT subject, address FROM audit WHERE action = 'login_failed'", "culvert") == [
        ["nobody", "127.0.0.1"]]


def test_nothing_secret_is_stored_in_the_clear(new_apid, database):
    apid, owner = new_apid, new_apid.set_up()
    hashes = database.sql("SELECT password FROM admins", "culvert")
    assert hashes[0][0].startswith("$2b$12$")
    stored = database.sql("SELECT * FROM sessions", "culvert")
    assert owner.cookie.split(".")[0] not in str(stored) and PASSWORD not in apid.log()
    secret = apid.dir / "state/apid/secret"
    assert secret.stat().st_mode & 0o777 == 0o400
    assert (apid.dir / "state/apid/admin-ca.key").stat().st_mode & 0o777 == 0o400
