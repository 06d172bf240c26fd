# SPDX-License-Identifier: GPL-3.0-or-later
"""Health of all daemons, and metrics for Prometheus (SPEC A10)."""
import json
import subprocess
import time

import pytest

from apidlib import owned_file
from livelib import SECOND, live_world, report, tell
from support.wait import wait_until

DAEMONS = ["wgd", "fwd", "dnsd", "proxyd", "apid", "syncd"]
TOKEN = "a-long-token-of-prometheus"


@pytest.fixture(scope="module")
def world(mariadb):
    """(apid, owner, redis)"""
    with live_world(mariadb, "") as made:
        apid, owner, redis = made
        owned_file(apid.dir / "metrics-token", TOKEN + "\n")
        apid.stop()
        apid.write_conf(f"metrics_token_file = {apid.dir}/metrics-token")
        apid.start()
        owner.conn = None
        yield made


def health(world):
    status, body = world[1].get("/api/v1/health")
    assert status == 200, body
    return body


def of(body, daemon):
    return next(d for d in body["daemons"] if d["daemon"] == daemon)


def test_daemons_that_never_reported_are_missing(world):
    body = wait_until(lambda: (b := health(world)) and of(b, "apid")["state"] == "running" and b, "apid reports")
    assert [d["daemon"] for d in body["daemons"]] == DAEMONS
    assert {d["state"] for d in body["daemons"] if d["daemon"] != "apid"} == {"missing"}
    assert body["status"] == "degraded" and body["database"] is True


def test_it_is_ok_when_all_report(world):
    def is_ok():
        for daemon in DAEMONS:
            if daemon != "apid":
                report(world[2], daemon)
        return health(world)["status"] == "ok"
    wait_until(is_ok, "all is well")
    dnsd = of(health(world), "dnsd")
    assert (dnsd["version"], dnsd["uptime_s"], dnsd["lag"]) == ("1.2", 7, [])


def test_what_a_daemon_is_behind_with_is_told(world):
    report(world[2], "fwd", applied={"devices:apid": 5}, topics={"devices:apid": {"gen": 5}})
    report(world[2], "dnsd", applied={"devices:apid": 7}, topics={"devices:apid": {"gen": 9}})
    wait_until(lambda: of(health(world), "fwd")["lag"] == [{"topic": "devices:apid", "gen": 9, "applied": 5}], "lag")
    assert of(health(world), "dnsd")["lag"] == [{"topic": "devices:apid", "gen": 9, "applied": 7}]
    report(world[2], "dnsd", applied={"devices:apid": 9}, topics={"devices:apid": {"gen": 9}})
    wait_until(lambda: of(health(world), "dnsd")["lag"] == [], "it has caught up")


def test_alarms_of_all_daemons_are_there_newest_first(world):
    for daemon in ("wgd", "fwd", "dnsd", "syncd"):
        tell(world[2], daemon, "alarm", {"what": "something", "detail": f"of {daemon}"})
        wait_until(lambda: daemon in [a["daemon"] for a in health(world)["alarms"]], "it is told")
    assert [a["daemon"] for a in health(world)["alarms"]][:4] == ["syncd", "dnsd", "fwd", "wgd"]
    for _ in range(150):
        tell(world[2], "wgd", "alarm", {"what": "same", "detail": "again"})
    for i in range(120):
        tell(world[2], "wgd", "alarm", {"what": "many", "detail": str(i)})
    alarms = wait_until(lambda: (a := health(world)["alarms"])[0]["detail"] == "119" and a, "the last one")
    assert len(alarms) == 100 and {a["count"] for a in alarms} == {1}


def test_who_is_limited_to_groups_is_told_no_details(world):
    status, body = world[0].client("helen", SECOND).get("/api/v1/health")
    assert status == 200 and "alarms" not in body and "reports" not in body and len(body["daemons"]) >= 6


# ---- metrics ----

def metrics(world, token=TOKEN, **more):
    client = world[0].client(token=token)
    status, body = client.get("/metrics", **more)
    return status, body, client.headers


def test_metrics_want_their_credential(world):
    assert metrics(world, None)[0] == 401
    assert metrics(world, TOKEN + "x")[0] == 401
    assert metrics(world, "cvt_" + "A" * 43)[0] == 401
    status, _, headers = metrics(world)
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert headers["Cache-Control"] == "no-store"


def test_the_metrics_token_is_good_for_nothing_else(world):
    client = world[0].client(token=TOKEN)
    for path in ("/api/v1/devices", "/api/v1/health", "/auth/me"):
        assert client.get(path)[0] == 401


def test_a_token_of_the_scope_reads_metrics_and_nothing_else(world):
    def make(*scopes):
        status, body = world[1].post("/api/v1/tokens", {"name": "p", "role": "viewer", "scopes": list(scopes)})
        assert status == 201, body
        return body["token"]
    token = make("metrics")
    assert metrics(world, token)[0] == 200
    assert world[0].client(token=token).get("/api/v1/devices")[0] == 403
    assert metrics(world, make("devices", "system"))[0] == 403


def test_promtool_finds_nothing(world):
    """A strict parser, and its rules for names and help."""
    report(world[2], "fwd", version='1"\\\n2', refused_packets={"lan": "7", "egress": "9"}, heals=1, failing=False)
    report(world[2], "dnsd", queries=12, blocked=3, cache_bytes=4096, applied={"devices:apid": 7})
    report(world[2], "wgd", peers=2, quota={"over": 1}, tunnels=[])
    tell(world[2], "dnsd", "count", {"device": "phone", "allowed": 5, "blocked": 2})
    text = wait_until(lambda: "culvert_dnsd_queries_total" in (t := metrics(world)[1]) and t, "dnsd reports")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_metrics_are_of_all_daemons(world):
    report(world[2], "fwd", refused_packets={"lan": "7"}, failing=True)
    report(world[2], "dnsd", queries=12, applied={"devices:apid": 7}, topics={"devices:apid": {"gen": 9}})
    def lines_of_both():
        text = metrics(world)[1]
        there = 'culvert_fwd_failing{instance="1"} 1' in text and 'culvert_lag_topics{daemon="dnsd",instance="1"} 1' in text
        return there and text.splitlines()
    lines = wait_until(lines_of_both, "fwd and dnsd")
    for line in ('culvert_up{daemon="fwd",instance="1"} 1', 'culvert_dnsd_queries_total{instance="1"} 12',
                 'culvert_version_info{daemon="dnsd",instance="1",version="1.2"} 1',
                 'culvert_lag_topics{daemon="dnsd",instance="1"} 1',
                 'culvert_applied_generation{daemon="dnsd",instance="1",topic="devices:apid"} 7',
                 'culvert_fwd_refused_packets_total{instance="1",reason="lan"} 7', 'culvert_devices 2',
                 'culvert_apid_database{instance="1"} 1'):
        assert line in lines, line


def test_requests_are_counted_and_timed(world):
    def number(text, name):
        return float(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])
    before = metrics(world)[1]
    for _ in range(3):
        world[1].get("/api/v1/no-such-thing")
    after = metrics(world)[1]
    kind = 'culvert_apid_requests_total{class="4xx"}'
    assert number(after, kind) - number(before, kind) == 3
    count = "culvert_apid_request_seconds_count"
    assert number(after, count) - number(before, count) == 4
    assert number(after, count) == number(after, 'culvert_apid_request_seconds_bucket{le="+Inf"}')


def test_no_series_is_of_a_device(world):
    tell(world[2], "dnsd", "count", {"device": "phone", "allowed": 5})
    text = metrics(world)[1]
    assert "phone" not in text and "laptop" not in text and len(text.splitlines()) < 400


def test_the_firewall_is_shown_as_fwd_reported_it_last(world):
    apid, owner, redis = world
    report(redis, "fwd", known=True, failing=False, rewrites=2, updates=9, heals=1,
           refused_packets={"profile": "310", "listed": "7"}, refused_bytes={"profile": "18600", "listed": "420"})
    wait_until(lambda: owner.get("/api/v1/firewall")[1].get("updates") == 9, "reported")
    body = owner.get("/api/v1/firewall")[1]
    assert body["running"] and body["known"] and not body["failing"]
    assert (body["rewrites"], body["heals"]) == (2, 1)
    assert body["refused"] == [{"reason": "profile", "packets": "310", "bytes": "18600"},
                               {"reason": "listed", "packets": "7", "bytes": "420"}]
    assert apid.client("helen", SECOND).get("/api/v1/firewall")[0] == 403


def test_before_fwd_reported_there_is_no_firewall_to_show(apid):
    assert apid.owner().get("/api/v1/firewall")[0] == 503
