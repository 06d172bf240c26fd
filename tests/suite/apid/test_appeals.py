# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC S5, P8, A6: appeals come into MariaDB once, are decided once, and the device is told."""
import errno
import itertools
import json
import signal

import pytest
from apidlib import started

from support.bus import Probe
from support.wait import wait_until

SECOND = "another long password"
NUMBERS = itertools.count()
# What is old is looked for as often as what is to be queued again.
OFTEN = "appeals_requeue_s = 1\n"


def number(n):
    return f"00000000-0000-4000-8000-{n:012d}"


def appeal(n, mode="appeal", **more):
    return {"uuid": number(n), "url": f"http://a{n}.example/x", "host": f"a{n}.example", "mode": mode,
            "device_id": "phone", "reason": "pl\u00e9ase", "time": 1790000000000 + n, **more}


@pytest.fixture
def proxyd(redis, place):
    one = Probe("proxyd", f"unix:{redis.socket}", place)
    yield one
    one.quit()


@pytest.fixture
def syncd(redis, place):
    one = Probe("syncd", f"unix:{redis.socket}", place)
    yield one
    one.quit()


def post(proxyd, *appeals):
    for one in appeals:
        proxyd.do("queue_add", record=one, tag=one["uuid"])
        assert proxyd.wait("queued", tag=one["uuid"])["status"] == 0


def spooled(proxyd):
    return proxyd.ask("spooled", "spooled")["n"]


def stored(apid):
    return [row[0] for row in apid.database.sql("SELECT uuid FROM appeals ORDER BY n", "culvert")]


def posted(apid, proxyd, *appeals):
    """They are in MariaDB, in this order (the queue has none), and proxyd may forget them."""
    for one in appeals:
        post(proxyd, one)
        wait_until(lambda: spooled(proxyd) == 0, "confirmed")
        assert one["uuid"] in stored(apid)


def published(apid, topic, records):
    """Redis has these, by id."""
    wait_until(lambda: apid.state(topic) == records, topic)


def tell_directus(redis):
    """syncd's status says that it has a Directus."""
    redis("PUBLISH", "culvert:status:syncd:1",
          json.dumps({"v": 1, "daemon": "syncd", "instance": "1", "version": "0", "at": 1, "applied": {},
                      "directus_appeals": {"waiting": 0}}))


def ask(syncd, op, **args):
    """Its answer; a probe that has just begun is not on the bus yet."""
    def answer():
        tag = f"s{next(NUMBERS)}"
        syncd.do("request", op=op, args=args, tag=tag)
        reply = syncd.wait("reply", tag=tag)
        return reply["status"] != -errno.ENOTCONN and reply
    return wait_until(answer, "the bus")


def ask_status(syncd, n, status, **more):
    return ask(syncd, "apid.appeal_status", uuid=number(n), status=status, **more)


def test_appeal_is_stored_shown_and_pending_on_the_portal(apid, proxyd):
    owner = apid.owner()
    posted(apid, proxyd, appeal(1), appeal(2, "review", category_id="games"))
    status, page = owner.get("/api/v1/appeals")
    assert status == 200 and page["next"] is None
    assert [a["uuid"] for a in page["items"]] == [number(2), number(1)]
    one = page["items"][1]
    assert {k: one[k] for k in ("url", "host", "mode", "device", "reason", "time", "status", "answer")} == {
        "url": "http://a1.example/x", "host": "a1.example", "mode": "appeal", "device": "phone",
        "reason": "pl\u00e9ase", "time": 1790000000001, "status": "pending", "answer": None}
    assert owner.get(f"/api/v1/appeals/{number(1)}")[1] == one
    pending = {"device": "phone", "status": "pending"}
    published(apid, "appeal_answers", {number(n): {"uuid": number(n), "host": f"a{n}.example", **pending}
                                       for n in (1, 2)})
    assert owner.get("/api/v1/appeal-counts")[1] == {"pending": 2, "approved": 0, "rejected": 0}


def test_appeal_that_comes_twice_is_stored_once_and_confirmed_both_times(apid, proxyd):
    posted(apid, proxyd, appeal(1))
    posted(apid, proxyd, appeal(1))
    assert stored(apid) == [number(1)]


def test_pages_and_filters(apid, proxyd):
    owner = apid.owner()
    posted(apid, proxyd, *(appeal(n, device_id="phone" if n % 2 else "other") for n in range(5)))
    status, first = owner.get("/api/v1/appeals?limit=2")
    second = owner.get(f"/api/v1/appeals?limit=4&cursor={first['next']}")[1]
    assert [a["uuid"] for a in first["items"] + second["items"]] == [number(n) for n in (4, 3, 2, 1, 0)]
    assert second["next"] is None
    assert {a["device"] for a in owner.get("/api/v1/appeals?device=other")[1]["items"]} == {"other"}
    assert [a["uuid"] for a in owner.get("/api/v1/appeals?host=a3.example")[1]["items"]] == [number(3)]
    assert owner.get("/api/v1/appeals?status=approved")[1]["items"] == []
    assert owner.get("/api/v1/appeals?mode=report")[1]["items"] == []
    assert owner.get("/api/v1/appeals?status=bad")[0] == owner.get("/api/v1/appeals?mode=bad")[0] == 400


def test_approval_makes_one_override_and_tells_the_device(apid, proxyd):
    owner = apid.owner()
    posted(apid, proxyd, appeal(1))
    status, one = owner.post(f"/api/v1/appeals/{number(1)}/approve", {"answer": "Fine.", "until": 1999999999999})
    assert status == 200 and one["status"] == "approved" and one["decided_by"] == "admin:olga", one
    record = {"id": f"appeal-{number(1)}", "device": "phone", "pattern": "a1.example", "match": "endswith",
              "action": "allow", "until": 1999999999999}
    assert one["effect"] == {"kind": "override", "id": record["id"], "record": record}
    published(apid, "site_overrides", {record["id"]: record})
    published(apid, "appeal_answers", {number(1): {
        "uuid": number(1), "device": "phone", "host": "a1.example", "status": "approved", "answer": "Fine."}})
    # Once more, and with other words: nothing happens.
    assert owner.delete(f"/api/v1/site-overrides/{record['id']}")[0] == 204
    status, again = owner.post(f"/api/v1/appeals/{number(1)}/approve", {"answer": "Twice."})
    assert status == 200 and again == one
    published(apid, "site_overrides", {})
    assert owner.post(f"/api/v1/appeals/{number(1)}/reject", {})[0] == 409
    rows = [r["action"] for r in owner.get(f"/api/v1/audit?subject={number(1)}")[1]["items"]]
    assert rows == ["appeal_approve"]


def test_approval_of_a_public_suffix_is_not_for_all_below_it(apid, proxyd):
    """What is asked for is the device's choice: one keystroke opens no top-level domain."""
    owner = apid.owner()
    owner.put("/api/v1/categories/news", {"name": "News", "default": "allow"})
    wanted = {"com": "exact", "co.uk": "exact", "github.io": "exact", "a.github.io": "endswith"}
    asked = [appeal(2 * n + i, mode, host=host, url=f"https://{host}/", category_id="news")
             for n, host in enumerate(wanted) for i, mode in enumerate(("appeal", "review"))]
    posted(apid, proxyd, *asked)
    for one in asked:
        status, done = owner.post(f"/api/v1/appeals/{one['uuid']}/approve", {})
        assert status == 200, done
        record = done["effect"]["record"]
        assert (record["pattern"], record["match"]) == (one["host"], wanted[one["host"]])


def test_approved_review_is_a_website_in_the_category_that_was_chosen(apid, proxyd):
    owner = apid.owner()
    owner.put("/api/v1/categories/news", {"name": "News", "default": "allow"})
    posted(apid, proxyd, appeal(1, "review", category_id="games"), appeal(2, "report"))
    status, one = owner.post(f"/api/v1/appeals/{number(1)}/approve", {"category": "news"})
    assert status == 200, one
    published(apid, "websites", {f"appeal-{number(1)}": {
        "id": f"appeal-{number(1)}", "pattern": "a1.example", "match": "endswith", "category": "news",
        "status": "approved"}})
    status, wrong = owner.post(f"/api/v1/appeals/{number(2)}/approve", {})
    assert status == 400 and wrong["errors"] == [{"pointer": "/category", "reason": "is missing"}]
    status, wrong = owner.post(f"/api/v1/appeals/{number(2)}/approve", {"category": "none"})
    assert status == 400 and wrong["errors"] == [{"pointer": "/category", "reason": "is no category"}]


def test_an_approval_does_not_name_what_another_apid_removed_a_moment_ago(apid, proxyd, database):
    owner = apid.owner()
    posted(apid, proxyd, appeal(1, "review", category_id="games"), appeal(2))
    database.sql("DELETE FROM records WHERE topic = 'categories'; DELETE FROM devices WHERE id = 'phone'", "culvert")
    for n in (1, 2):
        assert owner.post(f"/api/v1/appeals/{number(n)}/approve", {})[0] == 412
        assert owner.get(f"/api/v1/appeals/{number(n)}")[1]["status"] == "pending"
    assert database.sql("SELECT * FROM records WHERE topic IN ('websites', 'site_overrides')", "culvert") == []
    assert owner.get(f"/api/v1/appeals/{number(2)}")[1]["status"] == "pending"


def test_website_that_has_the_pattern_is_changed_rather_than_doubled(apid, proxyd):
    owner = apid.owner()
    owner.put("/api/v1/categories/news", {"name": "News", "default": "allow"})
    owner.put("/api/v1/websites/w1", {"pattern": "a1.example", "match": "endswith", "category": "games",
                                      "status": "approved", "images": "hide"})
    posted(apid, proxyd, appeal(1))
    assert owner.post(f"/api/v1/appeals/{number(1)}/approve", {"effect": "website", "category": "news"})[0] == 200
    published(apid, "websites", {"w1": {"id": "w1", "pattern": "a1.example", "match": "endswith", "category": "news",
                                        "status": "approved", "images": "hide"}})


def test_rejection_has_no_effect_but_its_word(apid, proxyd):
    owner = apid.owner()
    posted(apid, proxyd, appeal(1))
    assert owner.post(f"/api/v1/appeals/{number(1)}/reject", {"answer": "No."})[1]["status"] == "rejected"
    apid.await_state("appeal_answers", lambda told: told.get(number(1), {}).get("answer") == "No.")
    assert apid.state("site_overrides") == {} and apid.state("websites") == {}
    assert owner.post(f"/api/v1/appeals/{number(9)}/reject", {})[0] == 404


def test_override_for_a_device_that_is_gone_is_refused(apid, proxyd):
    owner = apid.owner()
    posted(apid, proxyd, appeal(1, device_id="gone"))
    status, wrong = owner.post(f"/api/v1/appeals/{number(1)}/approve", {})
    assert status == 400 and wrong["errors"][0]["pointer"] == "/effect"
    assert owner.post(f"/api/v1/appeals/{number(1)}/approve", {"effect": "none", "answer": "Gone."})[0] == 200


def test_helper_of_a_group_decides_for_its_devices_alone(apid, proxyd):
    owner = apid.owner()
    owner.put("/api/v1/groups/kids", {})
    assert owner.patch("/api/v1/devices/phone", {"group": "kids"})[0] == 200
    owner.post("/api/v1/admins", {"name": "hal", "password": SECOND, "role": "helper", "groups": ["kids"]})
    owner.post("/api/v1/admins", {"name": "vic", "password": SECOND, "role": "viewer"})
    posted(apid, proxyd, appeal(1), appeal(2, device_id="other"), appeal(3, "review", category_id="games"))
    hal, vic = apid.client("hal", SECOND), apid.client("vic", SECOND)
    assert {a["uuid"] for a in hal.get("/api/v1/appeals")[1]["items"]} == {number(1), number(3)}
    assert hal.get("/api/v1/appeal-counts")[1]["pending"] == 2
    assert hal.get(f"/api/v1/appeals/{number(2)}")[0] == 404
    assert hal.post(f"/api/v1/appeals/{number(2)}/approve", {})[0] == 404
    assert hal.post(f"/api/v1/appeals/{number(3)}/approve", {})[0] == 403
    assert hal.post(f"/api/v1/appeals/{number(3)}/approve", {"effect": "override"})[0] == 200
    assert hal.post(f"/api/v1/appeals/{number(1)}/approve", {})[0] == 200
    assert vic.post(f"/api/v1/appeals/{number(2)}/reject", {})[0] == 403
    assert len(vic.get("/api/v1/appeals")[1]["items"]) == 3


def test_appeals_wait_for_the_database(apid, proxyd, database):
    database.kill()
    post(proxyd, appeal(1), appeal(2))
    assert spooled(proxyd) == 2
    database.start()
    wait_until(lambda: spooled(proxyd) == 0, "confirmed")
    assert set(stored(apid)) == {number(1), number(2)}


def test_appeal_read_by_an_apid_that_was_killed_is_stored_by_the_next(apid, proxyd, database):
    database.pause()
    post(proxyd, appeal(1))
    wait_until(lambda: apid.redis("XPENDING", "culvert:queue:appeals", "apid")[0] == 1, "read")
    apid.kill()
    database.resume()
    apid.start()
    wait_until(lambda: spooled(proxyd) == 0, "confirmed")
    assert stored(apid) == [number(1)]


def test_appeal_goes_to_directus_again_until_it_has_confirmed(make_apid, wgd, proxyd, syncd, redis):
    apid = started(make_apid, OFTEN)
    owner = apid.owner()
    syncd.do("queue_consume")
    posted(apid, proxyd, appeal(1))
    syncd.do("queue_ack", entry=syncd.wait("message")["entry"])  # received, and then forgotten
    tell_directus(redis)
    again = syncd.wait("message")
    assert again["rec"] == appeal(1)
    syncd.do("event", event="syncd.appeal_stored", record={"uuid": number(1)})
    wait_until(lambda: owner.get(f"/api/v1/appeals/{number(1)}")[1]["directus_at"], "confirmed by Directus")
    count = apid.database.sql("SELECT queued FROM appeals", "culvert")
    assert int(count[0][0]) >= 1 and stored(apid) == [number(1)]


def test_without_directus_nothing_is_queued_again(make_apid, wgd, proxyd, redis):
    apid = started(make_apid, OFTEN)
    posted(apid, proxyd, appeal(1))
    apid.database.sql("UPDATE appeals SET queued_at = 0", "culvert")
    posted(apid, proxyd, appeal(2))
    assert [r[0] for r in apid.database.sql("SELECT queued FROM appeals", "culvert")] == ["0", "0"]


def test_decision_of_directus_has_its_effect_once(apid, proxyd, syncd):
    owner = apid.owner()
    posted(apid, proxyd, appeal(1), appeal(2, "review", category_id="games"), appeal(3))
    assert ask_status(syncd, 1, "approved", answer="Ok")["result"] == {"status": "approved", "decided": True}
    assert ask_status(syncd, 1, "approved")["result"] == {"status": "approved", "decided": False}
    wait_until(lambda: set(apid.state("site_overrides")) == {f"appeal-{number(1)}"}, "override")
    assert owner.get(f"/api/v1/appeals/{number(1)}")[1]["decided_by"] == "directus"
    # In the other place first: that holds.
    assert owner.post(f"/api/v1/appeals/{number(3)}/reject", {})[0] == 200
    assert ask_status(syncd, 3, "approved")["result"] == {"status": "rejected", "decided": False}
    assert ask_status(syncd, 2, "approved", category_id="none")["result"]["code"] == "invalid"
    assert ask_status(syncd, 2, "approved")["result"]["decided"]
    apid.await_state("websites", lambda sites: sites.get(f"appeal-{number(2)}", {}).get("category") == "games")
    assert ask_status(syncd, 9, "rejected")["result"]["code"] == "not_found"
    assert ask_status(syncd, 2, "pending")["result"]["code"] == "invalid"


def test_category_of_directus_is_a_category_too(apid, proxyd, syncd):
    owner = apid.owner()
    syncd.replace("categories", {"7": {"id": "7", "name": "From Directus"}})
    posted(apid, proxyd, appeal(1, "review", category_id="7"))
    wait_until(lambda: owner.post(f"/api/v1/appeals/{number(1)}/approve", {})[0] == 200, "approved")
    apid.await_state("websites", lambda sites: sites.get(f"appeal-{number(1)}", {}).get("category") == "7")


def test_old_decisions_go_with_their_answers(make_apid, wgd, proxyd):
    apid = started(make_apid, OFTEN)
    owner = apid.owner()
    posted(apid, proxyd, appeal(1), appeal(2))
    owner.post(f"/api/v1/appeals/{number(1)}/reject", {})
    apid.database.sql("UPDATE appeals SET decided_at = 1, queued_at = 1 WHERE status <> 'pending'", "culvert")
    apid.stop()
    apid.start()
    wait_until(lambda: stored(apid) == [number(2)], "removed")
    wait_until(lambda: set(apid.state("appeal_answers")) == {number(2)}, "answer removed")


def test_device_is_told_of_its_newest_alone(apid, proxyd):
    posted(apid, proxyd, *(appeal(n) for n in range(53)))
    wait_until(lambda: set(apid.state("appeal_answers")) == {number(n) for n in range(3, 53)}, "the newest 50")


def test_what_is_no_appeal_is_passed_over(apid, proxyd, redis):
    redis("XADD", "culvert:queue:appeals", "*", "record", json.dumps({"uuid": "x"}))
    redis("XADD", "culvert:queue:appeals", "*", "record", json.dumps({**appeal(1), "mode": "other"}))
    posted(apid, proxyd, appeal(2))
    assert stored(apid) == [number(2)]
    wait_until(lambda: redis("XPENDING", "culvert:queue:appeals", "apid")[0] == 0, "acknowledged")


def test_decision_and_effect_are_one_change_that_other_apid_follow(apid, proxyd, database):
    owner = apid.owner()
    posted(apid, proxyd, appeal(1))
    assert owner.post(f"/api/v1/appeals/{number(1)}/approve", {})[0] == 200
    seq = database.sql("SELECT topic, id FROM changes WHERE topic IN ('appeals', 'site_overrides') AND seq = "
                       "(SELECT MAX(seq) FROM changes)", "culvert")
    assert sorted(seq) == [["appeals", number(1)], ["site_overrides", f"appeal-{number(1)}"]], seq


def test_what_is_gone_in_directus_goes_here_too(apid, syncd):
    """S1: a record that had been written there and was removed there; other topics are no business of its."""
    apid.seed({"words": [{"id": "x1", "term": "darn"}, {"id": "x2", "term": "drat"}]})
    apid.send(signal.SIGHUP)
    published(apid, "words", {"x1": {"id": "x1", "term": "darn"}, "x2": {"id": "x2", "term": "drat"}})
    assert ask(syncd, "apid.policy_drop", topic="words", id="x1")["status"] == 0
    published(apid, "words", {"x2": {"id": "x2", "term": "drat"}})
    for topic in ("devices", "settings", "nothing"):
        assert ask(syncd, "apid.policy_drop", topic=topic, id="phone")["result"]["code"] == "invalid"
    assert ask(syncd, "apid.policy_drop", topic="words", id="x1")["status"] == 0
