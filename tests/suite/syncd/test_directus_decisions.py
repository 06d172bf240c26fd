# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of appeals, between Directus and apid (SPEC S1, S5)."""
import pytest

from support.wait import wait_until

UUID = "00000000-0000-4000-8000-000000000001"


class Decisions:
    """apid is a probe: it answers what it is told to."""

    def __init__(self, policy):
        self.policy, self.directus, self.apid = policy, policy.directus, policy.gateway.apid
        self.directus.make_collection("vpn_appeals")
        self.directus.make_collection("website_appeals")

    def serve(self, status="approved", decided=True):
        self.apid.do("serve", op="apid.appeal_status", result={"status": status, "decided": decided})

    def call(self):
        return self.apid.wait("call")["args"]

    def calls(self):
        self.apid.drain()
        return [e["args"] for e in self.apid.seen if e["ev"] == "call"]

    def answer(self, status, uuid=UUID):
        """apid has decided."""
        self.apid.set("appeal_answers", uuid, {"uuid": uuid, "device": "dev-1", "host": "a.example", "status": status})

    def row(self, n, collection="vpn_appeals"):
        with self.directus.lock:
            return self.directus.rows[collection][n]["status"]


@pytest.fixture
def decisions(policy):
    return Decisions(policy)


def test_what_directus_approves_is_told_once(decisions, directus, policy):
    n, = directus.add("website_appeals", {"uuid": UUID, "status": "pending", "category_id": 7, "mode": "review"})
    decisions.serve()
    policy.start()
    policy.known()
    directus.update("website_appeals", n, status="approved", category_id=9)
    assert decisions.call() == {"uuid": UUID, "status": "approved", "category_id": "9"}
    # Neither another change of the row nor a whole reading tells it again.
    directus.update("website_appeals", n, note="thanks")
    policy.gateway.request("syncd.sync_now")
    m, = directus.add("vpn_appeals", {"uuid": UUID[:-1] + "2", "status": "rejected"})
    assert decisions.call()["uuid"] == UUID[:-1] + "2"
    assert len(decisions.calls()) == 2


def test_what_directus_approves_is_told_at_once(decisions, directus, policy):
    n, = directus.add("vpn_appeals", {"uuid": UUID, "status": "pending"})
    decisions.serve()
    policy.start("directus_poll_s = 3600\n")
    policy.known()
    directus.wait_subscribed("vpn_appeals")
    directus.update("vpn_appeals", n, status="approved")
    assert decisions.call() == {"uuid": UUID, "status": "approved"}


def test_what_apid_decides_is_written_to_directus(decisions, directus, policy):
    n, = directus.add("vpn_appeals", {"uuid": UUID, "status": "pending"})
    other, = directus.add("vpn_appeals", {"uuid": UUID[:-1] + "2", "status": "pending"})
    decisions.serve()
    policy.start()
    decisions.answer("pending")
    decisions.answer("approved")
    wait_until(lambda: decisions.row(n) == "approved", "written")
    assert decisions.row(other) == "pending"
    # That came from apid: it is not told to it.
    rounds = len(directus.asked("/items/vpn_appeals?aggregate"))
    wait_until(lambda: len(directus.asked("/items/vpn_appeals?aggregate")) > rounds + 1, "two rounds more")
    assert decisions.calls() == []


def test_whoever_decided_first_wins_in_both(decisions, directus, policy):
    """apid rejected it before it heard that Directus approved."""
    n, = directus.add("vpn_appeals", {"uuid": UUID, "status": "approved"})
    decisions.serve("rejected", False)
    policy.start()
    assert decisions.call()["status"] == "approved"
    wait_until(lambda: decisions.row(n) == "rejected", "written")


def test_apid_is_asked_until_it_answers(decisions, directus, policy):
    directus.add("vpn_appeals", {"uuid": UUID, "status": "approved"})
    policy.start()
    wait_until(lambda: "appeal decided in Directus" in policy.gateway.syncd.log(), "asked in vain")
    decisions.serve()
    assert decisions.call()["uuid"] == UUID


def test_decision_that_apid_made_while_directus_was_away_is_written(decisions, directus, policy):
    n, = directus.add("vpn_appeals", {"uuid": UUID, "status": "pending"})
    decisions.serve()
    policy.start()
    policy.known()
    with directus.lock:
        directus.failing += ["INTERNAL_SERVER_ERROR"] * 4
    decisions.answer("rejected")
    wait_until(lambda: decisions.row(n) == "rejected", "written")


def test_rows_that_say_nothing_useful_are_left_alone(decisions, directus, policy):
    directus.add("vpn_appeals", {"uuid": None, "status": "approved"}, {"uuid": "x" * 99, "status": "approved"},
                 {"uuid": 7, "status": "approved"}, {"status": "rejected"})
    decisions.serve()
    policy.start()
    assert decisions.call()["uuid"] == "7"
    assert len(decisions.calls()) == 1


def test_collection_that_refuses_holds_up_no_other_decision(decisions, directus, policy):
    """The token may change vpn_appeals alone: each decision is refused by the other collection."""
    uuids = [UUID[:-1] + str(n) for n in range(1, 5)]
    rows = directus.add("vpn_appeals", *({"uuid": u, "status": "pending"} for u in uuids))
    directus.forbidden.add("website_appeals")
    policy.start()
    policy.known()
    for uuid in uuids:
        decisions.answer("approved", uuid)
    wait_until(lambda: [decisions.row(n) for n in rows] == ["approved"] * 4, "rows")
