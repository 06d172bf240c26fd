# SPDX-License-Identifier: GPL-3.0-or-later
"""The appeal portal: forms, what is stored, who may send (SPEC P7, P8, S5)."""
import itertools
import json
import time
import urllib.parse
import uuid

import pytest
from portallib import FORM_TYPE, GATEWAY, PATH, Page, address, fetch, origin, post, spooled, stored, submit
from support.disk import FullDisk
from support.process import Daemon
from support.wait import wait_until

MODES = {"appeal": ("Appeal Access", "Request access to this website."),
         "review": ("Request Review", "Suggest a category for this website."),
         "report": ("Report Website", "Report a website you believe should be blocked.")}
BLOCKED = "https://blocked.example/a?b=c"
_numbers = itertools.count(1)


def site():
    """A host that no test asked about."""
    return "n%d.unknown.example" % next(_numbers)


def form(world, who="internet", **fields):
    page = fetch(world, address(**fields), who)
    assert page.status == 200, page.response
    return page


# ---- the way there ----

@pytest.mark.parametrize("url, title, button, mode", [
    (BLOCKED, "Site Blocked", "Appeal Access", "appeal"),
    ("http://blocked.example/", "Site Blocked", "Appeal Access", "appeal"),
    ("https://unknown.example/x", "Site Not Reviewed", "Request Review", "review"),
    ("https://ads.listed.example/", "Site Blocked", "Appeal Access", "appeal")])
def test_block_page_leads_to_the_form(world, url, title, button, mode):
    """P7 → P8, under the site's own name, and through to the stored record."""
    page = fetch(world, url)
    assert (page.status, page.title) == (451, title)
    there = urllib.parse.urljoin(url, page.links[button])
    assert origin(there) == origin(url)
    asked = fetch(world, there)
    assert (asked.status, asked.title) == (200, MODES[mode][0])
    assert MODES[mode][1] in asked.text and url in asked.text
    reason = "From %s" % url
    done = submit(world, asked, there, reason=reason,
                  category_id="education" if mode == "review" else asked.fields.get("category_id"))
    assert (done.status, done.title) == (200, "Submitted")
    record, = wait_until(lambda: stored(world, reason=reason))
    assert record["url"] == url and record["host"] == urllib.parse.urlsplit(url).hostname
    assert record["mode"] == mode and record["device_id"] == "internet"


def test_block_page_hands_the_category_on(world):
    page = fetch(world, BLOCKED)
    asked = fetch(world, urllib.parse.urljoin(BLOCKED, page.links["Appeal Access"]))
    assert asked.fields["category_id"] == "gambling"


def test_portals_name_stands_in_links_where_there_is_one(new_world):
    w = new_world
    w.change("settings", {"id": "portal_host", "value": "portal.test"})
    for scheme in ("http", "https"):
        page = fetch(w, scheme + "://blocked.example/")
        there = page.links["Appeal Access"]
        assert there.startswith(scheme + "://portal.test" + PATH + "?")
        asked = fetch(w, there)
        assert submit(w, asked, there).title == "Submitted"


@pytest.mark.parametrize("base", [GATEWAY, "https://10.9.0.1", "http://[fd09::1]", "http://allowed.example",
                                  "https://allowed.example", "http://unknown.example", "https://blocked.example"])
def test_portal_is_on_every_host(world, base):
    host = urllib.parse.urlsplit(base).hostname
    on_gateway = host in ("10.9.0.1", "fd09::1")
    url = address(base, host=site() if on_gateway else host, mode="report")
    page = fetch(world, url)
    assert (page.status, page.title) == (200, "Report Website")
    assert submit(world, page, url, category_id=page.options[1][0]).title == "Submitted"


def test_allowed_sites_own_path_is_not_reached(world):
    before = len(world.site.requests)
    assert fetch(world, address("http://allowed.example")).status == 200
    assert len(world.site.requests) == before
    assert fetch(world, address("http://allowed.example", PATH + "x")).status != 200 or \
        len(world.site.requests) == before + 1


# ---- the form ----

@pytest.mark.parametrize("mode", MODES)
def test_form_of_each_mode(world, mode):
    host = site()
    page = form(world, mode=mode, host=host, url="http://%s/p?q=1" % host)
    assert page.title == MODES[mode][0] and MODES[mode][1] in page.text
    assert page.labels["reason"] == "Reason (optional)"
    assert page.fields["url"] == "http://%s/p?q=1" % host and page.fields["host"] == host
    assert page.fields["mode"] == mode
    assert ("category_id" in page.labels) == (mode != "appeal")
    if mode != "appeal":
        assert page.labels["category_id"] == "Select a category"


def test_appeal_is_the_default_mode(world):
    assert form(world, host=site()).title == "Appeal Access"


def test_form_speaks_of_its_host_where_nothing_is_said(world):
    page = fetch(world, address("https://blocked.example"))
    assert page.fields["host"] == "blocked.example" and page.fields["url"] == "https://blocked.example/"


def test_gateways_form_asks_for_the_address_where_none_is_said(world):
    page = form(world, mode="report")
    assert page.labels["url"] == "Address of the website" and "host" not in page.fields
    host = site()
    done = submit(world, page, GATEWAY + PATH, url=host + "/page", category_id=page.options[1][0])
    assert done.title == "Submitted"
    record, = wait_until(lambda: stored(world, host=host))
    assert record["url"] == "https://%s/page" % host
    assert submit(world, page, GATEWAY + PATH, url="", category_id=page.options[1][0]).status == 400


def test_form_is_of_its_host_alone(world):
    """Under a website's name others are not spoken of: the gateway's own portal is shown the way to."""
    with world.secure_to("allowed.example") as c:
        r = c.ask("GET", PATH + "?host=blocked.example&mode=report", "allowed.example")
    assert r.status == 302
    assert r.get("Location") == "https://10.9.0.1" + PATH + "?host=blocked.example&mode=report"
    assert fetch(world, r.get("Location")).fields["host"] == "blocked.example"


BUILT_IN = ["Education", "News", "Shopping", "Social", "Video", "Games", "Business", "Health", "Other"]


def test_categories_are_offered_by_visibility_in_their_order(new_world):
    w = new_world

    def offered(mode):
        return form(w, mode=mode, host="x.example").options[1:]
    assert [n for _, n in offered("report")] == BUILT_IN
    categories = [("a", "Zebra", "public", 1), ("b", "Cards", "more", 3), ("c", "Apes", "public", 3),
                  ("d", "Malware", "security", 0), ("e", "Gore", "report", 2), ("f", "Drugs", "report", 1),
                  ("g", "Worst", "extreme", 0)]
    w.wait_applied("categories", w.publish("categories", [
        {"id": i, "name": n, "visibility": v, "sort_order": o, "default": "allow"} for i, n, v, o in categories]))
    assert offered("review") == [("a", "Zebra"), ("c", "Apes"), ("b", "Cards")]
    assert offered("report") == [("f", "Drugs"), ("e", "Gore")]
    assert form(w, mode="appeal", host="x.example").options == []
    w.wait_applied("categories", w.publish("categories", []))
    assert [n for _, n in offered("review")] == BUILT_IN


def test_pages_have_strict_headers(world):
    for page in (form(world, host=site()), fetch(world, address(mode="what")), fetch(world, BLOCKED)):
        r = page.response
        assert r.get("Cache-Control") == "no-store" and r.get("X-Content-Type-Options") == "nosniff"
        csp = r.get("Content-Security-Policy")
        assert csp.startswith("default-src 'none'; style-src 'nonce-") and "unsafe" not in csp
        assert "script-src" not in csp and "<script" not in r.text and " on" + "click" not in r.text
    r = form(world, host=site()).response
    assert "frame-ancestors 'none'" in r.get("Content-Security-Policy") and r.get("X-Frame-Options") == "DENY"
    assert "form-action 'self'" in r.get("Content-Security-Policy")


# ---- what is stored ----

def test_record_has_all_that_was_said(world):
    host, before = site(), int(time.time() * 1000)
    page = form(world, mode="review", host=host, url="https://%s/ö?x=%%20" % host)
    done = submit(world, page, GATEWAY + PATH, category_id="education", reason="Line 1\r\nLine „2“ <b>")
    assert (done.status, done.title) == (200, "Submitted")
    record, = wait_until(lambda: stored(world, host=host))
    assert set(record) == {"uuid", "url", "host", "mode", "category_id", "reason", "device_id", "time"}
    assert record["mode"] == "review" and record["category_id"] == "education"
    assert record["reason"] == "Line 1\r\nLine „2“ <b>" and record["device_id"] == "internet"
    assert before <= record["time"] <= int(time.time() * 1000)
    assert str(uuid.UUID(record["uuid"])) == record["uuid"]


def test_same_form_sent_again_is_the_same_appeal(world):
    """Reload, or a finger that shakes."""
    host = site()
    page = form(world, host=host)
    for _ in range(3):
        assert submit(world, page, GATEWAY + PATH, reason="once").title == "Submitted"
    assert submit(world, page, GATEWAY + PATH, reason="said better").title == "Submitted"
    wait_until(lambda: len(stored(world, host=host)) == 2)
    assert sorted(r["reason"] for r in spooled(world) if r["host"] == host) == ["once", "said better"]


def test_appeal_is_on_disk_before_it_is_submitted_and_survives_a_kill(new_world):
    """S5: Redis is gone, proxyd is killed at once after its answer; all comes through, once each."""
    w = new_world
    w.proxyd.stop()  # the policy is on its disk
    w.start_proxyd()
    w.redis.stop()
    for n in range(3):
        page = form(w, host="n%d.example" % n)
        assert submit(w, page, GATEWAY + PATH).title == "Submitted"
    w.proxyd.kill()
    assert len(spooled(w)) == 3
    w.start_proxyd(wait=False)
    wait_until(lambda: _is_up(w), "proxyd without Redis")
    assert len(spooled(w)) == 3
    w.redis.start()
    wait_until(lambda: len({r["uuid"] for r in stored(w)}) == 3)
    w.proxyd.kill()
    w.start_proxyd()
    # Kept until the final storer confirms.
    assert len(spooled(w)) == 3
    for r in stored(w):
        w.apid.do("queue_confirm", uuid=r["uuid"])
    wait_until(lambda: not spooled(w))
    assert {r["host"] for r in stored(w)} == {"n0.example", "n1.example", "n2.example"}


def _is_up(w):
    try:
        return fetch(w, address(host="x.example")).status == 200
    except (OSError, EOFError):
        assert w.proxyd.is_running(), w.proxyd.log()
        return False


def test_full_or_broken_disk_is_told(new_world):
    w = new_world
    page = form(w, host="x.example")
    queue = w.dir / "state/proxyd/queue-appeals"
    queue.rename(queue.with_name("moved"))
    done = submit(w, page, GATEWAY + PATH)
    assert (done.status, done.title) == (503, "Error")
    queue.with_name("moved").rename(queue)
    assert submit(w, page, GATEWAY + PATH).title == "Submitted"


def test_full_disk_loses_no_appeal_and_takes_them_again(new_world):
    """What was taken stays while nothing fits any more; it is told to who asks and in the log; a sent form goes
    through as soon as there is room."""
    w = new_world
    state = w.dir / "state/proxyd"
    w.proxyd.stop()
    with FullDisk(state) as disk:
        w.start_proxyd()
        first = form(w, host="first.example")
        assert submit(w, first, GATEWAY + PATH).title == "Submitted"
        disk.fill()
        page = form(w, host="second.example")
        for _ in range(2):
            done = submit(w, page, GATEWAY + PATH, reason="x" * 900)
            assert (done.status, done.title) == (503, "Error")
        assert "No space left" in w.proxyd.log()
        assert [r["host"] for r in spooled(w)] == ["first.example"]
        w.proxyd.kill()
        w.start_proxyd()
        assert [r["host"] for r in spooled(w)] == ["first.example"]
        assert submit(w, page, GATEWAY + PATH, reason="x" * 900).status in (403, 503)
        disk.free()
        page = form(w, host="second.example")
        assert submit(w, page, GATEWAY + PATH, reason="x" * 900).title == "Submitted"
        wait_until(lambda: len({r["uuid"] for r in stored(w)}) == 2, "both")
        for r in stored(w):
            w.apid.do("queue_confirm", uuid=r["uuid"])
        wait_until(lambda: not spooled(w))
        w.proxyd.stop()


# ---- what is refused ----

@pytest.mark.parametrize("mode", ["review", "report"])
def test_missing_category_comes_before_the_token(world, mode):
    """P8: 400, checked before the token's 403."""
    host = site()
    page = form(world, mode=mode, host=host)
    for fields in ({}, {"category_id": "no-such"}, {"token": "wrong"}, {"token": None}):
        done = submit(world, page, GATEWAY + PATH, **fields)
        assert (done.status, done.title) == (400, "Error") and "Please select a category." in done.text
    assert fetch(world, urllib.parse.urljoin(GATEWAY, done.links["Back"])).title == MODES[mode][0]
    bare = post(world, GATEWAY + PATH, fields={"mode": mode, "host": host, "url": "http://%s/" % host})
    assert bare.status == 400
    assert not stored(world, host=host)


def test_token_is_needed_and_right(world):
    host = site()
    page = form(world, host=host)
    token = page.fields["token"]
    flipped = token[:-1] + ("0" if token[-1] != "0" else "1")
    later = "%016x" % (int(token[:16], 16) + 1) + token[16:]
    for wrong in (None, "", "x", token[:-1], token + "0", flipped, later, "0" * 96, token.upper()):
        done = submit(world, page, GATEWAY + PATH, token=wrong)
        assert (done.status, done.title) == (403, "Error"), wrong
    assert not stored(world, host=host) and not [r for r in spooled(world) if r["host"] == host]


def test_token_is_of_one_device_and_one_host(world):
    host, other = site(), site()
    page = form(world, host=host)
    assert submit(world, page, GATEWAY + PATH, who="full").status == 403
    assert submit(world, page, GATEWAY + PATH, host=other, url="https://%s/" % other).status == 403
    assert submit(world, page, GATEWAY + PATH, host="", url="https://%s/" % other).status == 403
    assert not stored(world, host=host) and not stored(world, host=other)


@pytest.mark.parametrize("headers", [
    [("Origin", "https://evil.example")], [("Origin", "null")], [("Referer", "https://evil.example/x")],
    [("Origin", "https://10.9.0.1")], [("Origin", "http://10.9.0.1:81")], [("Origin", "http://10.9.0.1.evil.example")],
    [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")],
    [("Origin", "http://10.9.0.1"), ("Sec-Fetch-Mode", "cors")],
    [("Origin", "http://10.9.0.1"), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Dest", "iframe")]])
def test_form_of_another_site_is_refused(world, headers):
    """Even with the right token."""
    host = site()
    page = form(world, host=host)
    done = submit(world, page, GATEWAY + PATH, headers=headers)
    assert (done.status, done.title) == (403, "Error")
    assert not [r for r in spooled(world) if r["host"] == host]


def test_form_without_a_browsers_word_has_its_token(world):
    page = form(world, host=site())
    assert submit(world, page, GATEWAY + PATH, headers=[]).title == "Submitted"


def test_website_cannot_read_the_form_by_script(world):
    for headers in ([("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")], [("Sec-Fetch-Dest", "iframe")],
                    [("Sec-Fetch-Mode", "no-cors")]):
        page = fetch(world, address("https://allowed.example"), headers=headers)
        assert page.status == 403 and "token" not in page.fields


def test_website_sends_appeals_for_itself_only(world):
    token = form(world, host="blocked.example").fields["token"]
    own = fetch(world, address("https://allowed.example")).fields["token"]
    for t in (token, own):
        done = post(world, address("https://allowed.example"), fields={
            "token": t, "host": "blocked.example", "url": "https://blocked.example/", "mode": "appeal"},
            headers=[("Origin", "https://allowed.example")])
        assert done.status == 403


BAD = ["javascript:alert(1)", "file:///etc/passwd", "http://", "https:///x", "http://a b/", "http://user@x.example/",
       "data:text/html,x", "http://x.example:99999/", "x" * 3000, "//", "http://[::1/", "\u202e"]


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_address_is_refused(world, url):
    assert fetch(world, address(url=url)).status == 400
    page = form(world, mode="appeal")
    assert submit(world, page, GATEWAY + PATH, url=url).status == 400
    assert not [r for r in spooled(world) if r["url"] == url]


def test_url_and_host_must_agree(world):
    assert fetch(world, address(url="https://a.example/", host="b.example")).status == 400
    assert fetch(world, address(url="https://A.example:8443/x", host="a.EXAMPLE")).fields["host"] == "a.example"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='x",
                                  "&amp;&lt;", "\u202eevil\u2066", "{}{}", "%00%0d%0a", "${7*7}{{7*7}}"])
def test_hostile_text_stays_text(world, text):
    """Shown as it is, stored as it is."""
    host = site()
    url = "https://%s/?q=%s" % (host, text)
    page = form(world, host=host, url=url, mode="review")
    assert page.fields["url"] == url and url in page.text.replace("… ", "")
    done = submit(world, page, GATEWAY + PATH, category_id="education", reason=text)
    assert done.title == "Submitted" and "<script" not in done.response.text and "<img" not in done.response.text
    record, = wait_until(lambda: stored(world, host=host))
    assert record["url"] == url and record["reason"] == text


@pytest.mark.parametrize("body", [b"reason=%00&", b"reason=%ff&", b"reason=%c0%80&", b"reason=a&reason=b&",
                                  b"mode=x&", b"mode=appeal%00&", b"reason=%1b[2J&", b"reason=%ed%a0%80&",
                                  b"token=%0&token=", b"\0" * 50 + b"&reason=\0&", b"mode=" + b"a" * 99 + b"&"])
def test_fields_that_cannot_be_read_are_refused(world, body):
    done = post(world, GATEWAY + PATH, body=body + b"host=z.example")
    assert (done.status, done.title) == (400, "Error")
    query = Page(world.get(GATEWAY + PATH + "?" + body.replace(b"\0", b"%00").decode("latin-1")))
    assert query.status == 400


def test_long_input_is_bounded(world):
    host = site()
    page = form(world, host=host)
    assert submit(world, page, GATEWAY + PATH, reason="ö" * 4000).title == "Submitted"
    done = submit(world, page, GATEWAY + PATH, reason="x" * 8193)
    assert done.status == 400 and "too long" in done.text
    assert submit(world, page, GATEWAY + PATH, reason="x" * 60000).status == 413
    # Without a length that is told beforehand.
    with world.connect() as c:
        c.send("POST %s%s HTTP/1.1\r\nHost: 10.9.0.1\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
               % (GATEWAY, PATH, FORM_TYPE))
        for _ in range(60):
            try:
                c.send("400\r\n" + "x" * 1024 + "\r\n")
            except OSError:
                break
        assert c.read().status == 413


def test_form_in_chunks_is_taken(world):
    host = site()
    page = form(world, host=host)
    body = urllib.parse.urlencode({**page.fields, "reason": "slowly"}).encode()
    with world.connect() as c:
        c.send("POST %s%s HTTP/1.1\r\nHost: 10.9.0.1\r\nContent-Type: %s; charset=UTF-8\r\n"
               "Transfer-Encoding: chunked\r\n\r\n" % (GATEWAY, PATH, FORM_TYPE))
        for byte in body:
            c.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        c.send("0\r\n\r\n")
        assert Page(c.read()).title == "Submitted"
        # The connection goes on.
        assert c.ask("GET", GATEWAY + "/culvert-ca.pem", "10.9.0.1").status == 200


@pytest.mark.parametrize("kind, status", [("multipart/form-data; boundary=x", 415), ("text/plain", 415),
                                          ("application/json", 415), (None, 415)])
def test_other_bodies_are_refused(world, kind, status):
    headers = [("Content-Type", kind)] if kind else []
    page = fetch(world, GATEWAY + PATH, method="POST", headers=headers, body=b"mode=appeal")
    assert page.status == status


def test_other_methods_are_refused(world):
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert fetch(world, GATEWAY + PATH, method=method).status == 405


def test_device_is_limited_and_others_are_not(new_world):
    w = new_world
    w.conf.write_text(w.conf.read_text().replace("appeals_per_hour = 1000", ""))
    w.proxyd.stop()
    w.start_proxyd()
    page = form(w, host="x.example")
    results = [submit(w, page, GATEWAY + PATH, reason=str(n)).status for n in range(32)]
    assert results == [200] * 30 + [429] * 2
    done = submit(w, page, GATEWAY + PATH, reason="again")
    assert done.response.get("Retry-After") == "3600" and "Too many requests" in done.text
    other = form(w, "full", host="x.example")
    assert submit(w, other, GATEWAY + PATH, "full").title == "Submitted"
    assert len(spooled(w)) == 31


def test_appeals_of_all_processes_count_together(new_world):
    w = new_world
    w.conf.write_text(w.conf.read_text().replace("appeals_per_hour = 1000", "appeals_per_hour = 5"))
    w.proxyd.stop()
    w.start_proxyd()
    page = form(w, host="x.example")
    channel = "culvert:event:proxyd:appealed"
    ear = w.redis.connect()
    ear("SUBSCRIBE", channel)
    wait_until(lambda: w.redis("PUBSUB", "NUMSUB", channel)[1] == 2, "proxyd on the bus")
    assert submit(w, page, GATEWAY + PATH, reason="0").status == 200
    told, = json.loads(ear.read()[2])["batch"]
    assert told["device"] == "internet"
    # What it told itself counts once; another process took three.
    w.redis("PUBLISH", channel,
            json.dumps({"v": 1, "batch": [{"device": "internet", "process": "another"}] * 3}))
    wait_until(lambda: "device=internet in_hour=4" in w.proxyd.log(), "counted")
    results = [submit(w, page, GATEWAY + PATH, reason=str(n)).status for n in range(1, 4)]
    assert results == [200, 429, 429]


def test_stranger_gets_no_form(world):
    with world.connect("stranger", ("10.9.0.1", 80)) as c:
        try:
            c.send("GET %s HTTP/1.1\r\nHost: 10.9.0.1\r\n\r\n" % PATH)
        except OSError:
            pass
        assert c.is_closed()


def test_rebound_name_is_refused_by_the_proxy_itself(world):
    """A website's name that leads to the gateway's address is no name of the gateway's."""
    for port in (8080, 80):
        with world.connect(to=("10.9.0.1", port)) as c:
            assert c.ask("GET", PATH, "evil.example:%d" % port).status == 421


# ---- answers ----

def test_device_sees_its_own_appeals_and_answers(new_world):
    w = new_world
    for who, host in (("internet", "one.example"), ("internet", "two.example"), ("full", "three.example")):
        page = form(w, who, host=host)
        done = submit(w, page, GATEWAY + PATH, who)
        assert done.items[0] == "%s: Waiting for an answer" % host
    ids = {r["host"]: r["uuid"] for r in wait_until(lambda: len(stored(w)) == 3 and stored(w))}

    def answer(host, device, status, text, number=None):
        number = number or ids[host]
        w.wait_applied("appeal_answers", w.apid.set("appeal_answers", number, {
            "uuid": number, "device": device, "host": host, "status": status, "answer": text}))
    w.publish("appeal_answers", [])
    answer("one.example", "internet", "approved", "Have <fun>")
    answer("two.example", "internet", "rejected", "")
    answer("four.example", "internet", "pending", "", str(uuid.uuid4()))
    seen = form(w).items
    assert sorted(seen) == ["four.example: Waiting for an answer", "one.example: ApprovedHave <fun>",
                            "two.example: Declined"]
    assert form(w, "full").items == ["three.example: Waiting for an answer"]
    # Under a website's name only what is about it.
    page = fetch(w, address("http://allowed.example"))
    assert page.items == []
    w.proxyd.kill()
    w.start_proxyd()
    # Answers that are not on its disk yet come by the bus, a moment after the policy that is.
    wait_until(lambda: sorted(form(w).items) == sorted(seen), "the answers again")
    assert form(w, "full").items == ["three.example: Waiting for an answer"]
    w.apid.do("del", topic="appeal_answers", id=ids["one.example"])
    w.wait_applied("appeal_answers", w.apid.flush("appeal_answers"))
    assert len(form(w).items) == 2


def test_forms_stay_good_over_a_restart_and_between_processes(new_world):
    w = new_world
    page = form(w, host="x.example")
    w.proxyd.kill()
    w.start_proxyd()
    assert submit(w, page, GATEWAY + PATH).title == "Submitted"
    key = w.dir / "state/proxyd/appeal.key"
    assert key.stat().st_mode & 0o777 == 0o400 and len(key.read_bytes()) == 32


def test_several_processes_take_forms_of_each_other(new_world):
    """C3: one port, one key, one spool; nothing is lost when all are killed."""
    w = new_world
    conf = w.dir / "second.conf"
    conf.write_text(w.conf.read_text() + "instance = 2\n")
    second = Daemon("proxyd", conf, w.dir / "second.log", w.gw)
    second.start()
    try:
        wait_until(lambda: w.redis("GET", "culvert:status:proxyd:2"), "the second process")
        wait_until(lambda: all(_is_up(w) for _ in range(20)), "both answer")
        for n in range(40):
            page = form(w, host="n%d.example" % n)
            assert submit(w, page, GATEWAY + PATH).title == "Submitted"
        both = [json.loads(w.redis("GET", "culvert:status:proxyd:%d" % i))["requests"] for i in (1, 2)]
        wait_until(lambda: all(json.loads(w.redis("GET", "culvert:status:proxyd:%d" % i))["requests"] > 10
                               for i in (1, 2)), "both had requests: %r" % both)
        w.proxyd.kill()
    finally:
        second.kill()
    assert len(spooled(w)) == 40
    w.start_proxyd()
    wait_until(lambda: {r["host"] for r in stored(w)} == {"n%d.example" % n for n in range(40)})
    assert len({r["uuid"] for r in stored(w)}) == 40
