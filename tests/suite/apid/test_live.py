# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view and the totals over WebSocket (SPEC A5)."""
import json
import subprocess
import time

import pytest

from livelib import SECOND, Refused, Socket, access, live_world, query, report, tell, tell_much
from support import npm
from support.bus import Owner
from support.wait import wait_until


@pytest.fixture(scope="module")
def world(mariadb):
    """(apid, owner, redis); pings every second."""
    with live_world(mariadb, "live_ping_s = 1\nlive_readers_per_session = 4") as made:
        yield made


@pytest.fixture
def live(world):
    """live(path="/ws/live", client=owner, headers=None) → Socket behind its hello."""
    apid, owner, _ = world
    made = []

    def make(path="/ws/live", client=None, **more):
        made.append(Socket(client or owner, path, **more))
        hello = made[-1].read()
        assert hello["type"] == "hello" and hello["version"] == 1 and hello["stream"] == path[4:]
        return made[-1]
    yield make
    for one in made:
        one.close()
    wait_until(lambda: not watches(world), "nobody watches any more")


def watches(world):
    flat = world[2]("HGETALL", "culvert:state:watch:apid")
    return {k: json.loads(v) for k, v in zip(flat[::2], flat[1::2])}


def watched(world):
    """Which devices are told of now."""
    return sorted(d for w in watches(world).values() for d in w["devices"])


def test_rows_of_queries_and_requests(world, live):
    one = live()
    query(world[2], "www.example.org", rule="list Ads", verdict="blocked")
    access(world[2], "example.org", rule="not reviewed", verdict="unknown", url="https://example.org/a?b")
    access(world[2], "example.net", plain=True)
    access(world[2], "example.com", method="CONNECT", verdict="deny", rule="list ads,example.com")
    rows = one.rows(4)
    assert [r["path"] for r in rows] == ["dns", "https", "http", "proxy"]
    assert [r["verdict"] for r in rows] == ["deny", "unknown", "allow", "deny"]
    assert [r["host"] for r in rows] == ["www.example.org", "example.org", "example.net", "example.com"]
    assert [r.get("list") for r in rows] == ["Ads", None, None, "ads"]
    assert {r["device"] for r in rows} == {"phone"} and {r["name"] for r in rows} == {"Phone"}
    assert rows[1]["url"] == "https://example.org/a?b" and (rows[1]["bytes"], rows[1]["ms"]) == (10, 3)
    assert abs(rows[0]["at"] / 1000 - time.time()) < 60
    ids = [r["id"] for r in rows]
    assert ids == sorted(set(ids))


def test_a_list_is_named_by_its_id_whoever_tells(world, live):
    Owner(world[2], ["lists"], "syncd").replace("lists", {"ads": {"id": "ads", "title": "Advertising"}})
    one = live()
    wait_until(lambda: query(world[2], "x.example", verdict="blocked", rule="list Advertising, reached by y.example")
               or one.rows(1)[0]["list"] == "ads", "the title is known")


def test_devices_that_there_are_not_have_no_rows(world, live):
    one = live()
    query(world[2], "ghost.example", device="ghost")
    query(world[2], "phone.example")
    assert one.rows(1)[0]["host"] == "phone.example"


def test_filters_by_device_verdict_and_host(world, live):
    one = live()
    assert one.filter(devices=["phone"], verdicts=["deny", "unknown"], host="EXAMPLE.org") == {"type": "filter"}
    query(world[2], "a.example.org")
    query(world[2], "b.example.net", verdict="blocked")
    query(world[2], "c.example.org", verdict="blocked", device="laptop")
    query(world[2], "d.Example.org", verdict="blocked")
    assert one.rows(1)[0]["host"] == "d.Example.org"
    assert one.filter() == {"type": "filter"}
    query(world[2], "e.example.net", device="laptop")
    assert one.rows(1)[0]["host"] == "e.example.net"


@pytest.mark.parametrize("message, pointer", [
    ("[]", ""), ("{", ""), ('{"type":"filter","type":"filter"}', ""), ({"type": "no"}, "/type"), ({}, "/type"),
    ({"type": "filter", "verdicts": ["maybe"]}, "/verdicts"), ({"type": "filter", "devices": "phone"}, "/devices"),
    ({"type": "filter", "host": "x" * 300}, "/host"), ({"type": "filter", "more": 1}, "/more")])
def test_a_wrong_filter_is_told_and_changes_nothing(live, world, message, pointer):
    one = live()
    one.filter(host="keep")
    one.send(message)
    answer = one.read()
    assert answer["type"] == "error" and answer["pointer"] == pointer and answer["reason"]
    query(world[2], "other.example")
    query(world[2], "keep.example")
    assert one.rows(1)[0]["host"] == "keep.example"


def test_somebody_limited_to_groups_sees_their_devices_only(world, live):
    helen = world[0].client("helen", SECOND)
    one = live(client=helen)
    query(world[2], "laptop.example", device="laptop")
    query(world[2], "phone.example")
    assert one.rows(1)[0]["host"] == "phone.example"
    wait_until(lambda: watched(world) == ["phone"], "what one may see is watched")
    assert one.filter(devices=["laptop"]) == {"type": "filter"}
    wait_until(lambda: watched(world) == [], "what one may not see is not watched")
    query(world[2], "laptop.example", device="laptop")
    one.filter()
    query(world[2], "phone.example")
    assert one.rows(1)[0]["host"] == "phone.example"


def test_devices_are_watched_while_somebody_reads(world, live):
    assert watched(world) == []
    one = live()
    wait_until(lambda: watched(world) == ["*"], "all are watched")
    until = next(iter(watches(world).values()))["until"]
    assert 0 < until / 1000 - time.time() <= 60
    one.filter(devices=["phone", "ghost"])
    wait_until(lambda: watched(world) == ["phone"], "the chosen one is")
    two = live()
    two.filter(devices=["laptop"])
    wait_until(lambda: watched(world) == ["laptop", "phone"], "what both want is")
    one.close()
    wait_until(lambda: watched(world) == ["laptop"], "what is left is")


def test_a_reader_of_totals_makes_nobody_watched(world, live):
    live("/ws/stats").until("stats")
    assert watched(world) == []


def test_stats_are_told_every_second_and_count_on(world, live):
    one = live("/ws/stats")
    first = one.until("stats")
    tell(world[2], "dnsd", "count", {"device": "phone", "allowed": 5, "blocked": 2, "failed": 1})
    tell(world[2], "proxyd", "count", {"device": "phone", "allowed": 7, "blocked": 1, "unknown": 3, "failed": 1,
                                       "bytes": "9000000000"})
    tell(world[2], "fwd", "count", {"device": "laptop", "reason": "lan", "packets": "4", "bytes": "240"})
    tell(world[2], "dnsd", "count", {"device": "ghost", "allowed": 1000})

    def more(s):
        return {part: {k: s[part][k] - first[part][k] for k in s[part]} for part in ("dns", "web", "refused")}
    wanted = {"dns": {"allowed": 5, "blocked": 2, "failed": 1},
              "web": {"allowed": 7, "blocked": 1, "unknown": 3, "failed": 1, "bytes": 9000000000},
              "refused": {"packets": 4, "bytes": 240}}
    wait_until(lambda: more(one.until("stats")) == wanted, "all is counted")


def test_stats_know_who_is_online(world, live):
    one = live("/ws/stats")
    tell(world[2], "wgd", "peer", {"device": "phone", "edge": "online"})
    tell(world[2], "wgd", "stats", {"device": "phone", "handshake_at": int(time.time() * 1000), "rx_bytes": "100",
                                    "tx_bytes": "200"})
    wait_until(lambda: one.until("stats")["devices"] == {"total": 2, "online": 1}, "the phone is online")
    assert one.until("stats")["tunnel"] == {"rx_bytes": 100, "tx_bytes": 200}
    tell(world[2], "wgd", "peer", {"device": "phone", "edge": "offline"})
    wait_until(lambda: one.until("stats")["devices"]["online"] == 0, "it is not any more")


def test_stats_of_somebody_limited_to_groups_are_of_their_devices(world, live):
    helen = live("/ws/stats", client=world[0].client("helen", SECOND))
    before = helen.until("stats")
    assert before["devices"]["total"] == 1 and "alarms" not in before
    tell(world[2], "dnsd", "count", {"device": "laptop", "allowed": 50})
    tell(world[2], "dnsd", "count", {"device": "phone", "allowed": 3})
    wait_until(lambda: helen.until("stats")["dns"]["allowed"] == before["dns"]["allowed"] + 3, "the phone's are")


def test_stats_tell_of_daemons_and_alarms(world, live):
    one = live("/ws/stats")
    tell(world[2], "fwd", "alarm", {"what": "rules_changed", "detail": "by nft"})
    tell(world[2], "fwd", "alarm", {"what": "rules_changed", "detail": "by nft"})
    wanted = ("fwd", "rules_changed", "by nft", 2)
    wait_until(lambda: [tuple(a[k] for k in ("daemon", "what", "detail", "count"))
                        for a in one.until("stats")["alarms"]] == [wanted], "the alarm, which came twice")
    wanted = {d: "running" if d == "apid" else "missing" for d in ("wgd", "fwd", "dnsd", "proxyd", "apid", "syncd")}
    wait_until(lambda: {d["daemon"]: d["state"] for d in one.until("stats")["daemons"]} == wanted, "apid reports")


def test_the_message_ws_stats_takes_none(live):
    one = live("/ws/stats")
    one.send({"type": "filter"})
    assert one.closed() == 1008


# ---- who may ----

def refused(client, path="/ws/live", **headers):
    with pytest.raises(Refused) as refusal:
        Socket(client, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    return refusal.value


def test_nobody_reads_without_a_session(world):
    assert refused(world[0].client()).status == 401
    assert refused(world[0].client(token="cvt_" + "A" * 43)).status == 401


def test_a_token_in_the_address_is_none(world):
    assert refused(world[0].client(), "/ws/live?token=cvt_" + "A" * 43).status == 401
    assert refused(world[1], "/ws/live?token=x").status == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:{port}", "https://127.0.0.1",
                                    "https://127.0.0.1:{port}.evil.example", "https://127.0.0.1:{port}/", "", None])
def test_another_origin_is_refused(world, origin):
    origin = origin and origin.format(port=world[0].admin_port)
    assert refused(world[1], Origin=origin).status == 403


def test_what_another_sites_page_sends_is_refused(world):
    assert refused(world[1], Sec_Fetch_Site="cross-site").status == 403
    assert refused(world[1], Sec_Fetch_Site="same-site").status == 403


def make_token(owner, **more):
    status, body = owner.post("/api/v1/tokens", {"name": "test", "role": "helper", "scopes": ["devices:read"], **more})
    assert status == 201, body
    return body


def test_a_token_needs_no_origin_but_its_scope(world, live):
    good = make_token(world[1])
    one = live(client=world[0].client(token=good["token"]), headers={"Origin": None})
    query(world[2], "x.example")
    assert one.rows(1)[0]["host"] == "x.example"
    other = make_token(world[1], scopes=["appeals"])
    assert refused(world[0].client(token=other["token"]), Origin=None).status == 403
    assert refused(world[0].client(token=good["token"]), Origin="https://evil.example").status == 403


@pytest.mark.parametrize("headers, status", [
    ({"Upgrade": None}, 426), ({"Upgrade": "h2c"}, 426), ({"Connection": "keep-alive"}, 426),
    ({"Sec_WebSocket_Version": "8"}, 426), ({"Sec_WebSocket_Version": None}, 426), ({"Sec_WebSocket_Key": None}, 400),
    ({"Sec_WebSocket_Key": "short"}, 400), ({"Sec_WebSocket_Key": "!" * 24}, 400),
    ({"Sec_WebSocket_Protocol": "chat, superchat"}, 400)])
def test_what_is_no_handshake_is_refused(world, headers, status):
    refusal = refused(world[1], **headers)
    assert refusal.status == status
    if status == 426:
        assert refusal.headers["sec-websocket-version"] == "13"


def test_the_protocol_is_agreed_and_compression_is_not(world, live):
    one = live(headers={"Sec-WebSocket-Protocol": "chat, culvert.v1", "Sec-WebSocket-Extensions": "permessage-deflate"})
    assert one.headers["sec-websocket-protocol"] == "culvert.v1"
    assert "sec-websocket-extensions" not in one.headers
    assert "sec-websocket-protocol" not in live().headers


def test_one_session_has_so_many_readers_and_no_more(world, live):
    client = world[0].client("helen", SECOND)
    readers = [live(client=client) for _ in range(4)]
    assert refused(client).status == 429
    readers[0].close()
    wait_until(lambda: can_open(client), "one may come again")


def can_open(client):
    try:
        Socket(client, "/ws/live").close()
        return True
    except Refused:
        return False


# ---- the end of it ----

def test_a_session_that_logs_out_is_cut(world, live):
    client = world[0].client("helen", SECOND)
    one = live(client=client)
    assert client.post("/auth/logout")[0] == 204
    assert one.closed() == 4401


def test_a_token_that_is_revoked_is_cut(world, live):
    token = make_token(world[1])
    one = live("/ws/stats", client=world[0].client(token=token["token"]))
    assert world[1].delete(f"/api/v1/tokens/{token['id']}")[0] == 204
    assert one.closed() == 4401


def test_whose_groups_change_is_cut(world, live):
    world[1].post("/api/v1/admins", {"name": "gina", "password": SECOND, "role": "helper", "groups": ["kids"]})
    one = live(client=world[0].client("gina", SECOND))
    assert world[1].patch("/api/v1/admins/gina", {"groups": []})[0] == 200
    assert one.closed() == 4401
    assert world[1].delete("/api/v1/admins/gina")[0] == 204


def test_pings_are_answered_and_who_answers_none_is_gone(world, live):
    good, silent = live(), live()
    wait_until(lambda: query(world[2], "a.example") or (good.read() and good.pings >= 3), "three pings")
    silent.sock.settimeout(10)
    data = b""
    while more := silent.sock.recv(65536):
        data += more
    assert data.count(b"\x89\x00") >= 2  # pings


def test_a_reader_that_takes_nothing_is_gone_in_the_end(world, live):
    """Its answers to pings come, but what is sent to it waits."""
    one, stopped = live(), Socket(world[1], "/ws/live", receive=4096)

    def is_gone():
        tell_much(world[2], one)
        try:
            stopped.ping()
        except OSError:
            return True
        return False
    wait_until(is_gone, "it is cut")
    stopped.close()
    query(world[2], "others.example")
    assert one.rows(1)[0]["host"] == "others.example"


def test_a_client_closes(live):
    one = live()
    one.raw(bytes([0x88, 0x82, 0, 0, 0, 0]) + (1000).to_bytes(2, "big"))
    assert one.closed() == 1000


def test_npm_ws_reads(world, live):
    """The client that most programs use."""
    ws = npm.install("ws") / "node_modules"
    token = make_token(world[1])["token"]
    script = f"""
const WebSocket = require({json.dumps(str(ws / 'ws'))}), fs = require('fs');
const s = new WebSocket('wss://127.0.0.1:{world[0].admin_port}/ws/live', ['culvert.v1'], {{
  headers: {{ Authorization: 'Bearer {token}' }}, ca: fs.readFileSync({json.dumps(str(world[1].ca))}) }});
let pings = 0;
s.on('error', e => {{ console.log(e.message); process.exit(1); }});
s.on('ping', () => pings++);
s.on('message', d => {{
  const m = JSON.parse(d);
  if (m.type === 'hello') s.send(JSON.stringify({{ type: 'filter', host: 'npm' }}));
  else console.log(m.type);
  if (m.type === 'rows') {{ console.log(m.rows[0].host, s.protocol, s.extensions); s.close(1000); }}
}});
s.on('close', code => console.log('closed', code));
"""
    with subprocess.Popen(["node", "-e", script], stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout.readline() == "filter\n"
        query(world[2], "other.example")
        query(world[2], "npm.example")
        assert node.stdout.read() == "rows\nnpm.example culvert.v1 \nclosed 1000\n"


def test_stats_tell_of_the_connections_of_all_proxyd(world, live):
    one, helen = live("/ws/stats"), live("/ws/stats", client=world[0].client("helen", SECOND))
    for instance, more in (("1", {"connections": 12, "spliced_now": 7}), ("2", {"connections": 3, "spliced_now": 1}),
                           ("path", {"flows": 40})):
        report(world[2], "proxyd", instance, **more)
    wanted = {"open": 15, "undecrypted": 8, "in_path": 40}
    wait_until(lambda: one.until("stats")["connections"] == wanted, "all are counted")
    assert "connections" not in helen.until("stats")
