# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A4: the setup link in a browser, and the same address for programs."""
import urllib.parse

import pytest

from apidlib import COOKIE, OWNER, PASSWORD, wait_until

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def apid(new_apid):
    """As nobody has set it up."""
    return new_apid


@pytest.fixture
def path(apid):
    return "/setup/" + apid.setup_token()


def send(one, path, user=OWNER, password=PASSWORD, again=None, **headers):
    """What a browser sends from the form."""
    headers = {"Content-Type": FORM, "Origin": f"https://127.0.0.1:{one.port}", **BROWSER,
               **{name.replace("_", "-"): value for name, value in headers.items()}}
    fields = {"user": user, "password": password, "again": password if again is None else again}
    return one.post(path, urllib.parse.urlencode(fields), headers=headers)


def owners(database):
    return [name for name, in database.sql("SELECT name FROM admins WHERE role = 'owner'", "culvert")]


def test_a_browser_gets_a_form_which_does_not_use_the_link_up(apid, database, path):
    one = apid.client()
    assert path in apid.setup_link()
    for _ in range(8):
        status, page = one.get(path, headers=BROWSER)
        assert status == 200 and one.headers["Content-Type"] == "text/html; charset=utf-8"
    for name in ("user", "password", "again"):
        assert f'<label for="{name}">' in page and f'<input id="{name}" name="{name}"' in page
    assert '<form method="post">' in page and page.count('type="password"') == 2
    assert page.count("maxlength") == 1  # not of a password: browsers cut what is pasted, unseen
    assert '<html lang="en">' in page and page.count("<h1>") == 1 and "<script" not in page
    assert one.get(path)[1] == {"role": "owner"}
    assert owners(database) == [] and send(one, path)[0] == 200


def test_the_page_is_kept_nowhere_runs_nothing_and_sends_only_here(apid, path):
    one = apid.client()
    one.get(path, headers=BROWSER)
    assert one.headers["Content-Security-Policy"] == ("default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
                                                      "frame-ancestors 'none'")
    assert one.headers["Cache-Control"] == "no-store" and one.headers["Referrer-Policy"] == "no-referrer"


def test_the_form_makes_the_first_owner_once(apid, database, path):
    one = apid.client()
    status, page = send(one, path)
    assert status == 200 and f"<strong>{OWNER}</strong>" in page and 'href="/#/welcome"' in page and "README" in page
    assert one.headers["Set-Cookie"].startswith(COOKIE) and one.get("/auth/me")[1]["role"] == "owner"
    assert apid.client().login()[0] == 200
    assert not (apid.dir / "state/apid/setup-link").exists()
    again = apid.client()
    status, page = send(again, path, user="eve")
    assert status == 410 and "This link was used" in page
    status, page = again.get(path, headers=BROWSER)
    assert status == 410 and "<form" not in page
    assert owners(database) == [OWNER]


def test_programs_use_the_same_address(apid, path):
    one = apid.client()
    assert one.post(path, {"user": OWNER, "password": "short"})[1]["errors"][0]["pointer"] == "/password"
    status, body = one.post(path, {"user": OWNER, "password": PASSWORD})
    assert status == 200 and body["role"] == "owner" and body["csrf"]
    assert one.post(path, {"user": "eve", "password": PASSWORD})[1]["status"] == 410
    assert one.get(path)[1]["status"] == 410


def test_the_document_describes_both_bodies(apid):
    content = apid.owner().get("/api/openapi.json")[1]["paths"]["/setup/{link}"]["post"]["requestBody"]["content"]
    assert sorted(content) == ["application/json", FORM]
    form = content[FORM]["schema"]
    assert sorted(form["properties"]) == sorted(form["required"]) == ["again", "password", "user"]


def test_a_wrong_link_is_404_and_makes_nothing(apid, database, path):
    one = apid.client()
    wrong = path[:-1] + ("A" if path[-1] != "A" else "B")
    status, page = one.get(wrong, headers=BROWSER)
    assert status == 404 and "This link is not good" in page and "<form" not in page
    status, page = send(one, wrong)
    assert status == 404 and "This link is not good" in page
    assert one.post(wrong, {"user": OWNER, "password": PASSWORD})[1]["status"] == 404
    assert owners(database) == [] and send(one, path)[0] == 200


def test_who_guesses_links_has_to_wait(apid, path):
    one = apid.client()
    assert [one.get("/setup/cvs_guess")[0] for _ in range(7)][-1] == 429
    assert one.get(path)[0] == 429 and int(one.headers["Retry-After"]) > 0


@pytest.mark.parametrize("fields, said", [
    ({"password": "short"}, "Password has fewer than 12 characters."),
    ({"password": "x" * 73}, "Password has more than 72 bytes."),
    ({"password": "ä" * 37}, "Password has more than 72 bytes."),
    ({"password": "x" * 2000}, "Password has more than 72 bytes."),
    ({"again": "something else"}, "Password, again is not the same as the password above."),
    ({"again": ""}, "Password, again is not the same as the password above."),
    ({"password": "long enough\0"}, "Password holds characters that are none of text."),
    ({"user": ""}, "User name is missing."),
    ({"user": "x" * 65}, "User name has more than 64 characters."),
    ({"user": "olga smith"}, "User name holds others than A-Z a-z 0-9 . _ @ + -."),
], ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_the_form_says_what_is_wrong_and_the_link_stays_good(apid, database, path, fields, said):
    one = apid.client()
    status, page = send(one, path, **fields)
    assert status == 400 and f">{said}</strong>" in page and '<p role="alert">' in page
    assert page.count("aria-invalid") == 1 and page.count("-wrong\"") == 2
    assert fields.get("password", PASSWORD) not in page
    assert owners(database) == [] and one.get(path)[0] == 200


def test_a_hostile_name_is_shown_as_text(apid, path):
    name = "\"><script>alert('&')</script>"
    status, page = send(apid.client(), path, user=name)
    assert status == 400 and "<script" not in page
    assert 'value="&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"' in page


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
    {"Origin": "http://127.0.0.1"},
    {"Sec_Fetch_Site": "same-site"},
], ids=str)
def test_another_sites_form_is_refused(apid, database, path, headers):
    assert send(apid.client(), path, **headers)[0] == 403
    assert owners(database) == []


def test_the_form_of_a_page_without_referrer_is_taken(apid, path):
    """What browsers send from it: no origin, but that it is the same one."""
    assert send(apid.client(), path, Origin="null", Sec_Fetch_Site="same-origin")[0] == 200


def test_other_bodies_are_refused(apid, database, path):
    one = apid.client()
    assert one.post(path, "user=a", headers={"Content-Type": "text/plain"})[0] == 415
    assert one.post("/auth/setup", "user=a", headers={"Content-Type": FORM})[0] == 415
    assert owners(database) == []


def test_the_links_token_and_the_password_are_not_logged(apid, path):
    one = apid.client()
    one.get(path, headers=BROWSER)
    send(one, path, password="short")
    assert send(one, path)[0] == 200
    token = path.rsplit("/", 1)[1]
    assert "cvs_" not in apid.log() and token[4:] not in apid.log() and PASSWORD not in apid.log()


def test_a_link_of_an_earlier_form_is_made_anew(apid):
    """`/setup#TOKEN`, which no browser could open."""
    link, token = apid.setup_link(), apid.setup_token()
    apid.stop()
    file = apid.dir / "state/apid/setup-link"
    file.write_text(link.replace("/" + token, "#" + token) + "\n")
    apid.start()
    wait_until(lambda: apid.log().count("a setup link lies in") == 2, "another one")
    assert "/setup/cvs_" in apid.setup_link() and apid.setup_token() != token
    assert apid.client().get("/setup/" + apid.setup_token())[0] == 200
