# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A10: notifications by webhook and mail, signed, encrypted, tried again, never to where they may not."""
import hashlib
import hmac
import json
import time

import pytest
from apidlib import own, started
from postlib import PASSWORD, USER, Mail, Script, Web, authenticator, make_certificate

from support.bus import Probe
from support.wait import wait_until

SECRET = "a webhook's secret"
FROM, TO = "culvert@gateway.example", ["olga@mail.example", "otto@mail.example"]


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificate")
    one = make_certificate(directory)
    one.ca = directory / "ca.pem"
    return one


@pytest.fixture
def closing():
    """closing(x) closes it after the test."""
    made = []

    def add(one):
        made.append(one)
        return one
    yield add
    for one in made:
        one.close()


@pytest.fixture
def notified(make_apid, wgd, place, context):
    """An apid that may notify this host; with its owner."""
    for name, text in (("webhook", SECRET), ("smtp", PASSWORD)):
        (place / name).write_text(text + "\n")
        own(place / name, 0o400)
    (place / "ca.pem").write_bytes(context.ca.read_bytes())
    own(place / "ca.pem", 0o444)
    apid = started(make_apid, f"notify_webhook_secret_file = {place}/webhook\nnotify_smtp_password_file = {place}/smtp\n"
                              f"notify_ca_file = {place}/ca.pem\nnotify_private = yes\n")
    return apid, apid.owner()


def put(owner, **value):
    status, body = owner.put("/api/v1/settings/notifications", {"value": value})
    assert status in (200, 201), body


def mail(server, security="starttls", **more):
    return {"host": "127.0.0.1", "port": server.port, "security": security, "from": FROM, "to": TO, **more}


def test(owner, way):
    status, body = owner.post("/api/v1/notifications/test", {"way": way})
    return None if status == 204 else (status, body["detail"])


test.__test__ = False


@pytest.fixture
def proxyd(redis, place):
    one = Probe("proxyd", f"unix:{redis.socket}", place)
    yield one
    one.quit()


def post_appeal(proxyd, n, reason="please"):
    record = {"uuid": f"00000000-0000-4000-8000-{n:012d}", "url": f"http://a{n}.example/", "host": f"a{n}.example",
              "mode": "appeal", "device_id": "phone", "reason": reason}

    def is_added():  # not while the same is still on its way
        proxyd.do("queue_add", record=record, tag=str(n))
        return proxyd.wait("queued", tag=str(n))["status"] == 0
    wait_until(is_added, "added")


def signature(headers, body):
    signed = headers["x-culvert-timestamp"].encode() + b"." + body
    return "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


def test_webhook_is_told_of_a_new_appeal_signed(notified, proxyd, closing):
    _, owner = notified
    web = closing(Web())
    put(owner, webhook={"url": f"http://127.0.0.1:{web.port}/hook?x=1"})
    post_appeal(proxyd, 1, "pl\u00e9ase")
    wait_until(lambda: web.posts, "a post")
    (headers, body), = web.posts
    said = json.loads(body)
    assert (said["event"], said["data"]["host"], said["data"]["reason"]) == ("appeal", "a1.example", "pl\u00e9ase")
    assert abs(int(headers["x-culvert-timestamp"]) - time.time()) < 600
    assert headers["x-culvert-signature"] == signature(headers, body)
    post_appeal(proxyd, 1)  # the same once more is nothing new
    post_appeal(proxyd, 2)
    wait_until(lambda: len(web.posts) == 2, "the second")
    assert json.loads(web.posts[1][1])["data"]["host"] == "a2.example"
    wait_until(lambda: owner.get("/api/v1/notifications")[1]["webhook"]["sent"] == 2, "both were answered")


def test_webhook_that_fails_is_tried_again_and_redirects_are_not_followed(notified, proxyd, closing):
    _, owner = notified
    web = closing(Web())
    web.statuses = [302]
    put(owner, webhook={"url": f"http://127.0.0.1:{web.port}/hook"})
    post_appeal(proxyd, 1)
    told = wait_until(lambda: "error" in (w := owner.get("/api/v1/notifications")[1]["webhook"]) and w, "it failed")
    assert (told["error"], told["waiting"]) == ("status 302", 1)
    wait_until(lambda: len(web.posts) == 2, "once more")
    assert web.posts[0][1] == web.posts[1][1]
    wait_until(lambda: owner.get("/api/v1/notifications")[1]["webhook"]["waiting"] == 0, "taken")
    assert "error" not in owner.get("/api/v1/notifications")[1]["webhook"]


def test_webhook_over_tls_is_checked(notified, closing, context):
    apid, owner = notified
    web = closing(Web(context))
    put(owner, webhook={"url": f"https://127.0.0.1:{web.port}/"})
    assert test(owner, "webhook") is None and json.loads(web.posts[0][1])["event"] == "test"
    put(owner, webhook={"url": f"https://localhost:{web.port}/"})
    assert test(owner, "webhook")[0] == 422  # no dnsd here: the name has no address
    assert len(web.posts) == 1


def test_mail_by_starttls_with_a_password(notified, proxyd, closing, context):
    _, owner = notified
    server = closing(Mail(context, authenticator=authenticator, auth_required=True))
    put(owner, mail=mail(server, user=USER))
    assert test(owner, "mail") is None
    sender, to, letter = server.letters[0]
    assert (sender, to, letter["Subject"]) == (FROM, TO, "Culvert: a test")
    assert letter["Auto-Submitted"] == "auto-generated" and letter.get_content() == "This is a test of Culvert.\n"


def test_mail_names_the_appeal_and_gathers_what_waits(notified, proxyd, closing, context):
    _, owner = notified
    server = closing(Mail(context, implicit=True))
    put(owner, mail=mail(server, "tls"))
    post_appeal(proxyd, 1, "Ah " + "d\u00e9sol\u00e9 \u2026 \U0001f600 " * 9 + "\n.\nBcc: x@y.example")
    wait_until(lambda: server.letters, "a letter")
    letter = server.letters[0][2]
    subject = letter["Subject"]
    assert subject.startswith("Culvert: New appeal of phone: a1.example: Ah d\u00e9sol\u00e9")
    assert subject.rstrip().endswith("\U0001f600 d\u00e9sol\u00e9"), "cut between characters"
    assert letter["Bcc"] is None and "\U0001f600" in letter.get_content()
    for n in range(2, 5):
        post_appeal(proxyd, n)
    wait_until(lambda: owner.get("/api/v1/notifications")[1]["mail"]["waiting"] == 3, "they wait")
    assert len(server.letters) == 1


@pytest.mark.parametrize("before, whole", [(296, True), (297, False), (298, False), (299, False)])
def test_an_appeals_reason_is_cut_in_mail_between_characters(notified, proxyd, closing, context, before, whole):
    """300 bytes of it are told; a character of four that does not fit goes."""
    _, owner = notified
    server = closing(Mail(context, implicit=True))
    put(owner, mail=mail(server, "tls"))
    post_appeal(proxyd, 1, "x" * before + "\U0001f600 and more")
    wait_until(lambda: server.letters, "a letter")
    want = "New appeal of phone: a1.example: " + "x" * before + "\U0001f600" * whole
    assert want in server.letters[0][2].get_content().splitlines()


def test_alarm_is_told_and_what_is_switched_off_is_not(notified, redis, place, proxyd, closing):
    _, owner = notified
    web = closing(Web())
    put(owner, webhook={"url": f"http://127.0.0.1:{web.port}/"}, appeals=False)
    dnsd = Probe("dnsd", f"unix:{redis.socket}", place)
    try:
        post_appeal(proxyd, 1)
        wait_until(lambda: owner.get("/api/v1/appeals")[1]["items"], "stored")
        wait_until(lambda: dnsd.ask("stats", "stats")["connected"], "dnsd can tell")
        for _ in range(3):
            dnsd.do("event", event="dnsd.alarm", record={"what": "upstream", "detail": "all are down"})
        wait_until(lambda: web.posts, "a post")
        said = json.loads(web.posts[0][1])
        assert said["event"] == "alarm" and said["data"] == {
            "daemon": "dnsd", "what": "upstream", "detail": "all are down"}
        dnsd.do("event", event="dnsd.alarm", record={"what": "other", "detail": ""})
        wait_until(lambda: len(web.posts) == 2, "the other one")  # the same again was told once
        assert json.loads(web.posts[1][1])["data"]["what"] == "other"
    finally:
        dnsd.quit()


REFUSED = {
    "no STARTTLS": (("220 hi\r\n", "250-me\r\n250 AUTH PLAIN\r\n"), {}, "the server offers no STARTTLS"),
    "said within": (("220 hi\r\n", "250 STARTTLS\r\n", "220 go\r\n250 AUTH PLAIN\r\n"), {},
                    "the server said more than its answer to STARTTLS"),
    "no mail": (("554 go away\r\n",), {}, "greeting: 554 go away"),
    "garbage": (("HTTP/1.1 400\r\n",), {}, "what the server says is no answer"),
    "endless": (("220-" + "a" * 20000,), {}, "the server says too much"),
    "refused": (("220 hi\r\n", "250 me\r\n", "250 ok\r\n", "550 unknown\r\n"), {"security": "none"},
                "RCPT: 550 unknown"),
    "hangs up": (("220 hi\r\n", "250 me\r\n", "421 busy\r\n"), {"security": "none"}, "MAIL: 421 busy"),
}


def test_a_second_factor_that_is_taken_away_is_told(notified, closing):
    _, owner = notified
    web = closing(Web())
    put(owner, webhook={"url": f"http://127.0.0.1:{web.port}/"})
    assert owner.post("/api/v1/admins", {"name": "helen", "password": "a password of hers", "role": "helper"})[0] == 201
    assert owner.patch("/api/v1/admins/helen", {"totp": False})[0] == 200
    wait_until(lambda: web.posts, "a post")
    said = json.loads(web.posts[0][1])
    assert (said["event"], said["data"]) == ("account", {"what": "totp_reset", "account": "helen", "by": "admin:olga"})


def test_mail_server_that_does_not_do_as_it_should_gets_no_mail(notified, closing):
    _, owner = notified
    for name, (answers, more, why) in REFUSED.items():
        server = closing(Script(*answers))
        put(owner, mail=mail(server, **{"user": USER} if not more else {}, **more))
        said = test(owner, "mail")
        assert said == (422, why), (name, said)
        assert not any(PASSWORD.encode() in line or b"AUTH" in line for line in server.heard), name


def test_certificate_that_nobody_vouches_for_gets_no_password(notified, closing, tmp_path):
    _, owner = notified
    server = closing(Mail(make_certificate(tmp_path), authenticator=authenticator))
    put(owner, mail=mail(server, user=USER))
    status, why = test(owner, "mail")
    assert status == 422 and why.startswith("tls: "), why
    assert server.letters == []


def test_this_host_is_out_of_reach_unless_allowed(apid, closing, context):
    owner = apid.owner()
    web = closing(Web(context))
    server = closing(Mail(context, implicit=True))
    put(owner, webhook={"url": f"https://127.0.0.1:{web.port}/"}, mail=mail(server, "tls"))
    assert test(owner, "webhook") == (422, "its address is private, which is not allowed")
    assert test(owner, "mail") == (422, "127.0.0.1: its address is private, which is not allowed")
    for url in ("https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/", "https://[fd00::1]/",
                "https://0.0.0.0/", "https://[::ffff:127.0.0.1]/"):
        put(owner, webhook={"url": url})
        assert test(owner, "webhook") == (422, "its address is private, which is not allowed"), url
    assert web.posts == [] and server.letters == []


def test_setting_that_is_none_is_refused(apid):
    owner = apid.owner()
    good = {"host": "mail.example", "from": FROM, "to": TO}
    for value in ([], {"x": 1}, {"webhook": {}}, {"webhook": {"url": "ftp://a.example/"}},
                  {"webhook": {"url": "http://a.example/"}},  # without TLS
                  {"webhook": {"url": "https://u:p@a.example/"}}, {"mail": {**good, "from": "nobody"}},
                  {"mail": {**good, "to": ["a@b.example\r\nBcc: c@d.example"]}}, {"mail": {**good, "to": []}},
                  {"mail": {**good, "host": "a b"}}, {"mail": {**good, "security": "none"}},
                  {"mail": {**good, "security": "none", "user": "x"}}, {"mail": {**good, "port": 0}}):
        assert owner.put("/api/v1/settings/notifications", {"value": value})[0] == 400, value
    assert owner.put("/api/v1/settings/notifications", {"value": {"mail": good}})[0] == 201
    assert owner.post("/api/v1/notifications/test", {"way": "webhook"})[0] == 409
    assert owner.post("/api/v1/notifications/test", {"way": "pigeon"})[0] == 400
