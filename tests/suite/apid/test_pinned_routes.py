# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC P14: pass-throughs of pinned apps are seen and taken back; somebody answers in proxyd's place."""
import json
import threading

import pytest

from apidlib import wait_until

PINNED = "/api/v1/pinned"
RECORD = {"id": "x.example@phone", "device": "phone", "name": "x.example", "until": 9000000000000, "count": 3}


def _publish(redis, records, gen):
    previous = {"gen": gen - 1, "wid": "w%d" % (gen - 1), "full": 1} if gen > 1 else None
    now = {"gen": gen, "wid": "w%d" % gen, "full": gen}
    key = "culvert:state:pinned:proxyd"
    redis("SET", "culvert:epoch:proxyd", "e" * 32)
    redis("DEL", key)
    for record in records:
        redis("HSET", key, record["id"], json.dumps(record))
    redis("HSET", "culvert:gens:proxyd", "pinned", json.dumps(now))
    redis("PUBLISH", key, json.dumps({"v": 1, "epoch": "e" * 32, "prev": previous, **now}))


class Proxyd:
    """Answers unpin."""

    def __init__(self, redis, answer):
        self.calls, self.redis = [], redis
        self.listener = redis.connect()
        self.listener("SUBSCRIBE", "culvert:req:proxyd:apid")
        self.thread = threading.Thread(target=self._run, args=(answer,), daemon=True)
        self.thread.start()

    def _run(self, answer):
        call = json.loads(self.listener.read()[2])
        self.calls.append(call)
        self.redis("PUBLISH", call["reply"], json.dumps({"v": 1, "id": call["id"], **answer}))


@pytest.fixture
def owner(apid):
    _publish(apid.redis, [RECORD, {**RECORD, "id": "y.example@phone", "name": "y.example", "revoked": True}], 1)
    one = apid.owner()
    wait_until(lambda: one.get(PINNED)[1]["items"], "pass-throughs known")
    return one


def test_pass_throughs_are_listed(owner):
    """But for those that were taken back."""
    assert owner.get(PINNED) == (200, {"items": [RECORD], "next": None})
    assert owner.get(f"{PINNED}/x.example@phone") == (200, RECORD)
    assert owner.get(f"{PINNED}/y.example@phone")[0] == 404
    assert owner.get(f"{PINNED}?device=other")[1]["items"] == []


def test_a_pass_through_is_taken_back_by_proxyd(owner, apid, database):
    proxyd = Proxyd(apid.redis, {"ok": True, "result": {}})
    assert owner.delete(f"{PINNED}/x.example@phone") == (204, "")
    assert [(c["op"], c["args"]) for c in proxyd.calls] == [("unpin", {"id": "x.example@phone"})]
    rows = database.sql("SELECT action, subject FROM audit WHERE action = 'pinned_revoke'", "culvert")
    assert rows == [["pinned_revoke", "x.example@phone"]]
    _publish(apid.redis, [], 2)
    wait_until(lambda: not owner.get(PINNED)[1]["items"], "gone")
    assert owner.delete(f"{PINNED}/x.example@phone")[0] == 404


def test_what_proxyd_does_not_know_is_not_found(owner, apid):
    Proxyd(apid.redis, {"ok": False, "error": {"code": "unknown", "detail": ""}})
    assert owner.delete(f"{PINNED}/x.example@phone")[0] == 404


def test_without_proxyd_nothing_is_taken_back(owner):
    assert owner.delete(f"{PINNED}/x.example@phone")[0] == 503
    assert owner.get(PINNED)[1]["items"] == [RECORD]


def test_who_is_limited_to_groups_sees_those_of_their_devices(owner, apid):
    assert owner.put("/api/v1/groups/kids", {"name": "Kids"})[0] == 201
    token = owner.post("/api/v1/tokens", {"name": "t", "role": "helper", "scopes": ["policy"],
                                          "groups": ["kids"]})
    assert token[0] == 201, token
    limited = apid.client(token=token[1]["token"])
    assert limited.get(PINNED)[1]["items"] == [] and limited.delete(f"{PINNED}/x.example@phone")[0] == 404
    assert owner.patch("/api/v1/devices/phone", {"group": "kids"})[0] == 200
    assert limited.get(PINNED)[1]["items"] == [RECORD]
