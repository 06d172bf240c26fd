# SPDX-License-Identifier: GPL-3.0-or-later
"""Time series of what devices do (SPEC A10, D10)."""
import time

import pytest

from livelib import SECOND, access, live_world, query, tell
from support.wait import wait_until

DAY = 86400
SUMS = ("dns_allowed, dns_blocked, dns_failed, web_allowed, web_blocked, web_unknown, web_failed, web_bytes, "
        "refused_packets, refused_bytes")


@pytest.fixture(scope="module")
def world(mariadb):
    """(apid, owner, redis)"""
    with live_world(mariadb, "statistics_rows = 1000\nstatistics_write_s = 1") as made:
        yield made


@pytest.fixture(autouse=True)
def empty(world):
    """A write that is under way may make a deadlock of it."""
    wait_until(lambda: world[0].database.sql("DELETE FROM statistics; DELETE FROM statistics_lists; "
                                             "DELETE FROM statistics_domains", "culvert", check=False) is not None, "empty")


def sql(world, statement):
    return world[0].database.sql(statement, "culvert")


def put(world, step, at, device, *sums):
    values = list(sums) + [0] * (10 - len(sums))
    sql(world, f"INSERT INTO statistics (step, at, device, {SUMS}) VALUES "
               f"({step}, {at}, '{device}', {', '.join(map(str, values))})")


def get(client, what, **params):
    query_of = "&".join(f"{k.rstrip('_')}={v}" for k, v in params.items())
    status, body = client.get(f"/api/v1/statistics/{what}?{query_of}")
    assert status == 200, body
    return body["items"]


def test_a_minute_of_everything_is_written_in_three_steps(world):
    redis = world[2]
    world[1].put("/api/v1/devices/quiet", {"name": "Quiet", "active": True, "tunnel": "mitm", "privacy": "none",
                                           "addresses": ["10.9.0.9"]})
    tell(redis, "dnsd", "count", {"device": "phone", "allowed": 5, "blocked": 2, "failed": 1},
         {"device": "laptop", "allowed": 1}, {"device": "ghost", "allowed": 9})
    tell(redis, "dnsd", "count", {"device": "phone", "list": "ads", "blocked": 2})
    tell(redis, "proxyd", "count", {"device": "phone", "allowed": 7, "blocked": 1, "unknown": 3, "failed": 1,
                                    "bytes": "9000000000"}, {"device": "phone", "list": "ads", "blocked": 1})
    tell(redis, "fwd", "count", {"device": "phone", "reason": "lan", "packets": "4", "bytes": "240"},
         {"device": "quiet", "reason": "lan", "packets": "4", "bytes": "240"})
    query(redis, "a.b.example.co.uk", verdict="blocked", rule="list ads")
    query(redis, "example.co.uk", verdict="blocked")
    access(redis, "www.example.org", bytes=700)
    access(redis, "10.0.0.1")
    phone = "5 2 1 7 1 3 1 9000000000 4 240".split()
    laptop = ["1"] + ["0"] * 9
    wanted = [[step, device, *sums] for step in "012" for device, sums in (("laptop", laptop), ("phone", phone))]
    # Summed up, should the minute or the hour just have changed.
    sums = ", ".join(f"SUM({name})" for name in SUMS.split(", "))
    wait_until(lambda: sql(world, f"SELECT step, device, {sums} FROM statistics GROUP BY step, device "
                                  "ORDER BY step, device") == wanted, "all is written")
    for step, length in enumerate((60, 3600, DAY)):
        assert sql(world, f"SELECT COUNT(*) FROM statistics WHERE step = {step} AND at MOD {length} <> 0") == [["0"]]
    wait_until(lambda: sql(world, "SELECT step, device, list, SUM(hits) FROM statistics_lists GROUP BY step, device, "
                                  "list ORDER BY step") == [[step, "phone", "ads", "3"] for step in "012"], "lists")
    domains = (["10.0.0.1", "0", "1", "10"], ["example.co.uk", "1", "2", "0"], ["example.org", "0", "1", "700"])
    wait_until(lambda: sql(world, "SELECT step, domain, verdict, SUM(hits), SUM(bytes) FROM statistics_domains "
                                  "GROUP BY step, domain, verdict ORDER BY step, domain") == [
                                      [step, *rest] for step in "12" for rest in domains], "domains")
    assert get(world[1], "lists", step="minute") == [{"list": "ads", "title": "ads", "hits": 3}]
    assert [d["domain"] for d in get(world[1], "domains")] == ["example.co.uk", "10.0.0.1", "example.org"]


def test_verdicts_over_time(world):
    at = int(time.time()) // 3600 * 3600 - 7200
    put(world, 1, at, "phone", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    put(world, 1, at, "laptop", 10)
    put(world, 1, at + 3600, "phone", 1)
    put(world, 1, at - 3600, "phone", 100)
    put(world, 0, at, "phone", 1000)
    items = get(world[1], "verdicts", step="hour", from_=at * 1000, to=(at + 7200) * 1000)
    assert [(i["at"], i["dns"]["allowed"]) for i in items] == [(at * 1000, 11), ((at + 3600) * 1000, 1)]
    assert items[0] == {"at": at * 1000, "dns": {"allowed": 11, "blocked": 2, "failed": 3},
                        "web": {"allowed": 4, "blocked": 5, "unknown": 6, "failed": 7, "bytes": 8},
                        "refused": {"packets": 9, "bytes": 10}}
    assert [i["dns"]["allowed"] for i in get(world[1], "verdicts", step="hour", from_=at * 1000, device="laptop")] == [10]
    assert [i["dns"]["allowed"] for i in get(world[1], "verdicts", step="hour", from_=at * 1000, group="kids")] == [1, 1]
    assert get(world[1], "verdicts", step="hour", from_=at * 1000, group="none-such") == []


def test_devices_most_first(world):
    at = int(time.time()) // 3600 * 3600
    put(world, 1, at, "phone", 1)
    put(world, 1, at, "laptop", 10)
    put(world, 1, at, "gone", 5)
    items = get(world[1], "devices", step="hour")
    assert [(i["device"], i["name"]) for i in items] == [("laptop", "Laptop"), ("gone", "gone"), ("phone", "Phone")]
    assert [i["device"] for i in get(world[1], "devices", step="hour", limit=1)] == ["laptop"]


def test_a_list_over_time(world):
    at = int(time.time()) // DAY * DAY
    sql(world, f"INSERT INTO statistics_lists VALUES (2, {at}, 'phone', 'ads', 3), (2, {at}, 'laptop', 'ads', 4), "
               f"(2, {at - DAY}, 'phone', 'ads', 5), (2, {at}, 'phone', 'malware', 6)")
    since = (at - DAY) * 1000
    assert get(world[1], "lists/ads", step="day", from_=since) == [{"at": since, "hits": 5}, {"at": at * 1000, "hits": 7}]
    assert [(i["list"], i["hits"]) for i in get(world[1], "lists", step="day", from_=since)] == [
        ("ads", 12), ("malware", 6)]


def test_domains_by_verdict_and_device(world):
    at = int(time.time()) // 3600 * 3600
    sql(world, f"INSERT INTO statistics_domains VALUES (1, {at}, 'phone', 'a.example', 0, 3, 30), "
               f"(1, {at}, 'laptop', 'a.example', 0, 4, 40), (1, {at}, 'phone', 'b.example', 1, 9, 0)")
    assert get(world[1], "domains") == [{"domain": "b.example", "hits": 9, "bytes": 0},
                                        {"domain": "a.example", "hits": 7, "bytes": 70}]
    assert [i["hits"] for i in get(world[1], "domains", verdict="allow", device="phone")] == [3]


def test_somebody_limited_to_groups_has_their_devices_sums(world):
    helen = world[0].client("helen", SECOND)
    at = int(time.time()) // 3600 * 3600
    put(world, 1, at, "phone", 1)
    put(world, 1, at, "laptop", 10)
    assert [i["dns"]["allowed"] for i in get(helen, "verdicts", step="hour")] == [1]
    assert [i["device"] for i in get(helen, "devices", step="hour")] == ["phone"]
    for device in ("laptop", "ghost"):
        assert helen.get(f"/api/v1/statistics/verdicts?device={device}")[0] == 403


@pytest.mark.parametrize("params, pointer", [
    ("step=week", "step"), ("from=-1", "from"), ("from=5&to=5", "to"), ("from=0&step=minute", "step"),
    ("to=x", "to"), ("more=1", "more")])
def test_wrong_questions(world, params, pointer):
    status, body = world[1].get(f"/api/v1/statistics/verdicts?{params}")
    assert status == 400 and body["errors"][0]["pointer"] == pointer
    assert world[1].get("/api/v1/statistics/domains?verdict=maybe")[0] == 400


def test_what_is_old_or_too_much_goes_oldest_and_finest_first(world):
    now = int(time.time())
    for step, kept in enumerate((48 * 3600, 60 * DAY, 730 * DAY)):
        put(world, step, now - kept - 2 * DAY, "old", 1)
    put(world, 1, now // 3600 * 3600, "hour", 1)
    put(world, 0, now // 60 * 60, "minute-now", 1)
    sql(world, "INSERT INTO statistics SELECT 0, " + str(now - 7200) + " + seq, 'many', 0,0,0,0,0,0,0,0,0,0 "
               "FROM seq_1_to_3000; ANALYZE TABLE statistics")

    def left():
        tell(world[2], "dnsd", "count", {"device": "phone", "allowed": 1})
        return {r[0]: int(r[1]) for r in sql(world, "SELECT device, COUNT(*) FROM statistics GROUP BY device")}
    rows = wait_until(lambda: (r := left()).get("many", 0) < 2500 and "old" not in r and r, "they go")
    assert "old" not in rows and rows["hour"] == 1 and rows["minute-now"] == 1
    assert 500 <= rows["many"] <= 1500


def test_without_the_database_it_is_gathered_on(world):
    database = world[0].database
    failed = world[0].log().count("statistics were not written")
    database.pause()
    tell(world[2], "dnsd", "count", {"device": "laptop", "allowed": 5})
    wait_until(lambda: world[0].log().count("statistics were not written") > failed, "a write fails")
    tell(world[2], "dnsd", "count", {"device": "laptop", "allowed": 2})
    database.resume()
    wait_until(lambda: sql(world, "SELECT SUM(dns_allowed) FROM statistics WHERE step = 2 AND "
                                  "device = 'laptop'") == [["7"]], "all is there")
