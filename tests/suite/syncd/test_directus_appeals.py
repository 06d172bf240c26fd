# SPDX-License-Identifier: GPL-3.0-or-later
"""Appeals reach Directus, each once, whatever is killed or refuses (SPEC S1, S5)."""
import random

import pytest
from directuslib import Directus, Refusal

from support.bus import Probe
from support.wait import wait_until

COLLECTIONS = ("vpn_appeals", "website_appeals")


def appeal(n, mode="appeal", **more):
    return {"uuid": f"00000000-0000-4000-8000-{n:012d}", "url": f"http://a{n}.example/", "host": f"a{n}.example",
            "mode": mode, "device_id": "dev-1", "time": 1790000000000, **more}


class Appeals:
    def __init__(self, policy, redis, place):
        self.policy, self.directus, self.gateway = policy, policy.directus, policy.gateway
        self.redis = redis
        self.proxyd = Probe("proxyd", f"unix:{redis.socket}", place)
        for name in COLLECTIONS:
            self.directus.make_collection(name)
        self.gateway.apid.do("listen", event="syncd.appeal_stored")
        wait_until(lambda: redis("PUBSUB", "NUMSUB", "culvert:event:syncd:appeal_stored")[1], "apid hears of them")

    def post(self, *appeals):
        for one in appeals:
            self.proxyd.do("queue_add", record=one, tag=one["uuid"])
            assert self.proxyd.wait("queued", tag=one["uuid"])["status"] == 0

    def stored(self, collection="vpn_appeals"):
        with self.directus.lock:
            return [r["uuid"] for r in self.directus.rows[collection].values()]

    def wait_stored(self, *appeals, collection="vpn_appeals"):
        want = sorted(a["uuid"] for a in appeals)
        wait_until(lambda: set(self.stored(collection)) >= set(want), "appeals")
        assert sorted(self.stored(collection)) == want

    def pending(self):
        return self.redis("XPENDING", "culvert:queue:appeals", "syncd")[0]


@pytest.fixture
def appeals(policy, redis, place):
    one = Appeals(policy, redis, place)
    yield one
    one.proxyd.quit()


def test_appeal_is_written_where_its_mode_says_and_told(appeals, directus, gateway):
    """S1: appeal to vpn_appeals, review and report to website_appeals."""
    appeals.policy.start()
    appeals.post(appeal(1, reason="pl\u00e9ase"), appeal(2, "review", category_id="7"),
                 appeal(3, "report", category_id="adult"))
    told = {gateway.apid.wait("event", event="syncd.appeal_stored")["rec"]["uuid"] for _ in range(3)}
    assert told == {appeal(n)["uuid"] for n in (1, 2, 3)}
    row, = directus.rows["vpn_appeals"].values()
    assert {k: row[k] for k in row if k not in ("id", "date_created", "date_updated")} == {
        "uuid": appeal(1)["uuid"], "url": "http://a1.example/", "host": "a1.example", "reason": "pl\u00e9ase",
        "device_id": "dev-1", "status": "pending"}
    review, report = sorted(directus.rows["website_appeals"].values(), key=lambda r: r["uuid"])
    assert (review["mode"], review["category_id"]) == ("review", 7)
    assert (report["mode"], report["category_id"]) == ("report", "adult")
    wait_until(lambda: appeals.pending() == 0, "acknowledged")


def test_appeal_that_is_there_already_was_delivered(appeals, directus, gateway):
    """400 RECORD_NOT_UNIQUE is a success, also where Directus names the column by a cut index."""
    directus.add("vpn_appeals", {"uuid": appeal(1)["uuid"]})
    appeals.policy.start()
    appeals.post(appeal(1))
    gateway.apid.wait("event", event="syncd.appeal_stored", rec={"uuid": appeal(1)["uuid"]})
    appeals.wait_stored(appeal(1))
    wait_until(lambda: appeals.pending() == 0, "acknowledged")


def test_appeals_wait_while_directus_is_away(appeals, directus, gateway):
    appeals.policy.start()
    appeals.policy.known()
    directus.close()
    appeals.post(*(appeal(n) for n in range(5)))
    wait_until(lambda: gateway.alarm()["detail"].startswith("appeal "), "alarm")
    wait_until(lambda: appeals.pending() == 5, "all are taken, and none is acknowledged")
    # A restart forgets nothing either.
    gateway.syncd.stop()
    gateway.syncd.start()
    back = Directus(directus.port)
    try:
        appeals.directus = back
        appeals.wait_stored(*(appeal(n) for n in range(5)))
        wait_until(lambda: appeals.pending() == 0, "acknowledged")
    finally:
        back.close()


def test_refused_appeal_is_told_and_holds_up_no_other(appeals, directus, gateway):
    directus.forbidden.add("vpn_appeals")
    appeals.policy.start()
    appeals.post(appeal(1), appeal(2, "review", category_id="1"))
    appeals.wait_stored(appeal(2), collection="website_appeals")
    wait_until(lambda: gateway.alarm()["detail"].startswith(f"appeal {appeal(1)['uuid']} waits: FORBIDDEN"), "alarm")
    wait_until(lambda: appeals.pending() == 1, "the other acknowledged")
    directus.forbidden.clear()
    gateway.syncd.stop()  # at once after a restart; without one in 5 minutes
    gateway.syncd.start()
    appeals.wait_stored(appeal(1))


def test_each_arrives_once_through_kills_in_random_order(appeals, directus, gateway, redis):
    """S5, seeded: syncd and Redis are killed, Directus answers too late or not at all."""
    rng = random.Random(20261129)
    appeals.policy.start()
    sent = []
    for n in range(20):
        sent.append(appeal(n))
        appeals.post(sent[-1])
        what = rng.choice(("syncd", "redis", "error", "busy", "none"))
        if what == "syncd":
            gateway.syncd.kill()
            gateway.syncd.start()
        elif what == "redis":
            redis.kill()
            redis.start()
        elif what != "none":
            with directus.lock:
                directus.failing += ["INTERNAL_SERVER_ERROR" if what == "error" else "SERVICE_UNAVAILABLE"]
    appeals.wait_stored(*sent)


def answer_posts(directus, answer):
    """In the place of storing what is posted."""
    def instead(method, path, body):
        return answer(body) if method == "POST" and "/items/" in path else None
    directus.instead = instead


def test_a_good_status_without_directus_answer_is_no_delivery(appeals, directus, gateway):
    """200 and JSON of whatever stands before Directus: the appeal would be lost."""
    answer_posts(directus, lambda body: {"ok": True})
    appeals.policy.start()
    appeals.post(appeal(1))
    wait_until(lambda: "the answer is not Directus'" in gateway.alarm()["detail"], "alarm")
    assert appeals.pending() == 1
    directus.instead = None
    appeals.wait_stored(appeal(1))


def test_another_appeal_in_the_answer_is_no_delivery(appeals, directus, gateway):
    answer_posts(directus, lambda body: {"data": {"id": 7, "uuid": appeal(9)["uuid"]}})
    appeals.policy.start()
    appeals.post(appeal(1))
    wait_until(lambda: "the answer is not this appeal's" in gateway.alarm()["detail"], "alarm")
    assert appeals.pending() == 1


def test_another_column_that_is_not_unique_is_no_delivery(appeals, directus, gateway):
    """An admin has made the column url unique, too."""
    def answer(body):
        if body["uuid"] == appeal(1)["uuid"]:
            raise Refusal("RECORD_NOT_UNIQUE", collection="vpn_appeals", field="url")
    answer_posts(directus, answer)
    appeals.policy.start()
    appeals.post(appeal(1), appeal(2))
    wait_until(lambda: f"appeal {appeal(1)['uuid']} waits: RECORD_NOT_UNIQUE" in gateway.alarm()["detail"], "alarm")
    appeals.wait_stored(appeal(2))
    wait_until(lambda: appeals.pending() == 1, "the other acknowledged")


def test_the_uuid_that_is_not_unique_by_name_was_delivered(appeals, directus, gateway):
    def answer(body):
        raise Refusal("RECORD_NOT_UNIQUE", collection="vpn_appeals", field="uuid")
    answer_posts(directus, answer)
    appeals.policy.start()
    appeals.post(appeal(1))
    gateway.apid.wait("event", event="syncd.appeal_stored", rec={"uuid": appeal(1)["uuid"]})


def test_appeal_that_directus_fails_at_holds_up_no_other(appeals, directus, gateway):
    """500 for one row, each time: those behind it would wait for ever."""
    def answer(body):
        if body["uuid"] == appeal(1)["uuid"]:
            raise Refusal("INTERNAL_SERVER_ERROR")
    answer_posts(directus, answer)
    appeals.policy.start()
    appeals.post(appeal(1), appeal(2), appeal(3))
    appeals.wait_stored(appeal(2), appeal(3))
    wait_until(lambda: appeals.pending() == 1, "the others acknowledged")
    directus.instead = None
    appeals.wait_stored(appeal(1), appeal(2), appeal(3))
