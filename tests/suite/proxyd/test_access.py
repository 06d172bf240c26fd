# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of devices' requests and connections: events, counters and the access log (P16, D10)."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time

import pytest

import h2lib
from interceptlib import SITE, connect, get, hello, is_refused, is_reset, redirect
from proxylib import UID, World
from support.events import Events
from support.wait import wait_until

# Device → its privacy.
LEVELS = {"internet": "full", "full": "domains", "intranet": "counts", "passing": "none"}
PAGE = "www.allowed.example"


@pytest.fixture(scope="module")
def world():
    w = World()
    try:
        w.up()
        redirect(w)
        w.wait_applied("devices", w.publish("devices", [
            w.device(name, profile="internet", unknown_sites="block", privacy=privacy)
            for name, privacy in LEVELS.items()]))
        w.log = w.dir / "log/access.log"
        w.log.parent.mkdir()
        os.chown(w.log.parent, UID, UID)
        w.proxyd.stop()
        w.conf.write_text(w.conf.read_text() + "access_log = %s\n" % w.log)
        w.start_proxyd()
        yield w
    finally:
        w.down()


@pytest.fixture
def events(world):
    with contextlib.closing(Events(world.redis, "proxyd", "access")) as e:
        yield e


def watch(world, *devices):
    until = int(time.time() * 1000) + 600000
    world.wait_applied("watch", world.publish("watch", [
        {"id": "admin", "devices": list(devices), "until": until}] if devices else []))


def all_told(world, events):
    """What was before is told."""
    url = "http://allowed.example/marker/%d" % time.monotonic_ns()
    world.get(url)
    events.wait(lambda e: e.get("url") == url)


@pytest.fixture
def watched(world, events):
    watch(world, *LEVELS)
    all_told(world, events)
    events.seen.clear()
    yield events
    all_told(world, events)
    watch(world)


def log_of(file):
    """What was written whole: the last line may be under way."""
    return file.read_text().rpartition("\n")[0]


def lines(world, text):
    """Lines of the log with that text, once there is one."""
    def found():
        return [line for line in log_of(world.log).splitlines() if text in line]
    return wait_until(found, "%s in the access log" % text)


# ---- events ----

def test_who_is_not_watched_is_told_of_by_counters_alone(world, events):
    """And of a device with privacy none not even that."""
    with contextlib.closing(Events(world.redis, "proxyd", "count")) as counts:
        for who in LEVELS:
            assert len(world.get("http://allowed.example/", who).body) > 0
            assert world.get("http://blocked.example/", who).status == 451
            assert world.get("http://unknown.example/", who).status == 451
            assert world.get("http://empty.test.example/", who).status == 502

        def told(who, *kinds):
            """Its sums: a report may come in the midst of the requests, and another after them."""
            return [sum(int(e[k]) for e in list(counts.seen) if e["device"] == who) for k in kinds]
        for who in ("full", "intranet"):
            wait_until(lambda who=who: sum(told(who, "allowed", "blocked", "unknown", "failed")) >= 4, "counters")
            assert told(who, "allowed", "blocked", "unknown", "failed") == [1, 1, 1, 1]
            assert told(who, "bytes")[0] > 100
        assert not [e for e in counts.seen if e["device"] == "passing"]
    assert not events.seen


def every_kind(world, who):
    """A request or a connection of every kind."""
    size = len(world.get("http://allowed.example/a?q=secret", who).body)
    world.get_secure("https://%s/b?q=secret" % PAGE, who)
    world.get("http://blocked.example/c", who)
    world.get_secure("https://unknown.example/d", who)
    world.get("http://ads.listed.example/e", who)
    with connect(world, who, port=80) as c:
        assert c.ask("GET", "/f?q=secret", "allowed.example").status == 200
    assert get(world, PAGE, who).status == 200
    assert is_refused(world, "ads.listed.example", who)
    with world.secure_to("bank.example", who, ca=world.dir / "internet.pem") as c:
        assert c.ask("GET", "/g", "bank.example").status == 200
    world.get("http://empty.test.example/h", who)
    world.get("http://allowed.example:25/i", who)
    return size


def wait_every_kind(world, events, who):
    """What is told of them once it is all told, and no more: a connection is told of when both of its sides are
    over, whatever was asked for meanwhile."""
    def told():
        return [e for e in list(events.seen) if e["device"] == who and "/marker/" not in e.get("url", "")]
    wait_until(lambda: len(told()) >= 11, "eleven events")
    all_told(world, events)
    assert len(told()) == 11, told()
    return told()


def test_everything_is_told_at_its_end_with_privacy_full(world, watched):
    size = every_kind(world, "internet")
    told = wait_every_kind(world, watched, "internet")

    def one(**fields):
        found = [e for e in told if fields.items() <= e.items()]
        assert len(found) == 1, (fields, told)
        return found[0]
    first = one(url="http://allowed.example/a?q=secret", host="allowed.example", method="GET", verdict="allow",
                status=200, bytes=size)
    assert first["rule"].endswith(" education,allowed.example") and first["ms"] >= 0
    one(url="https://%s/b?q=secret" % PAGE, host=PAGE, verdict="allow", status=200)
    assert one(url="http://blocked.example/c", verdict="deny", status=451)["bytes"] > 0
    one(url="https://unknown.example/d", verdict="unknown", status=451)
    assert " adblock,listed.example" in one(url="http://ads.listed.example/e", verdict="deny", status=451)["rule"]
    one(url="http://allowed.example/f?q=secret", verdict="allow", status=200)
    spliced = one(host=PAGE, method="CONNECT", verdict="allow", status=200)
    assert spliced["bytes"] > 500 and "url" not in spliced
    one(host="ads.listed.example", method="CONNECT", verdict="deny", status=403, bytes=0)
    assert one(host="bank.example", method="CONNECT", verdict="allow", status=200)["bytes"] > 500
    one(url="http://empty.test.example/h", verdict="allow", status=502)
    one(url="http://allowed.example:25/i", verdict="deny", status=403, rule="Port Refused")


def test_domains_alone_are_told_where_privacy_says_so(world, watched):
    """Neither host names below them, nor paths and queries, nor what a rule says of them; of counts and none nothing."""
    for who in ("full", "intranet", "passing"):
        every_kind(world, who)
    told = wait_every_kind(world, watched, "full")
    assert {e["device"] for e in watched.seen} == {"full", "internet"}
    assert {e["host"] for e in told} == {"allowed.example", "blocked.example", "unknown.example", "listed.example",
                                         "bank.example", "test.example"}
    assert not [e for e in told if "url" in e or "," in e.get("rule", "")]
    assert not re.search(r"www|ads\.|secret|empty\.test|/[a-i]\b", json.dumps(told))


def test_query_log_is_for_all_and_obeys_privacy(world, events):
    world.wait_applied("settings", world.set("settings", {"id": "query_log", "value": True}))
    try:
        for who in ("passing", "intranet", "full", "internet"):
            world.get("http://s7.test.example/", who)
        events.wait(lambda e: e["device"] == "internet")
        assert [(e["device"], e["host"]) for e in events.seen] == [
            ("full", "test.example"), ("internet", "s7.test.example")]
        all_told(world, events)
    finally:
        world.wait_applied("settings", world.set("settings", {"id": "query_log", "value": False}))


def test_a_client_that_trusts_its_own_cas_alone_is_told_of(world, watched):
    """No request ever comes, but that it wanted to go there is known."""
    for host in ("allowed.example", "blocked.example"):
        c, r = world.tunnel(host + ":443")
        assert r.status == 200
        c.close()
        watched.wait(lambda e, host=host: e["host"] == host and e["method"] == "CONNECT")
    assert [e["verdict"] for e in watched.seen] == ["allow", "deny"]


def test_a_flow_that_policy_ends_is_told_as_denied(world, watched):
    from interceptlib import Raw, open_raw
    with Raw(world) as raw:
        c, server = open_raw(world, raw)
        with c, server:
            world.change("sni_block", {"id": "1", "domain": "raw.test.example"})
            assert is_reset(c)
    told = watched.wait(lambda e: e["host"] == "raw.test.example")
    assert (told["verdict"], told["method"], told["rule"]) == ("deny", "CONNECT", "policy changed")
    world.wait_applied("sni_block", world.publish("sni_block", []))


def test_what_is_no_tls_is_told_by_its_address(world, watched):
    with connect(world) as c:
        c.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        assert is_reset(c)
    told = watched.wait(lambda e: e["host"] == SITE)
    assert (told["verdict"], told["rule"]) == ("deny", "no tls hello")


def test_a_websocket_is_told_of_when_it_is_over(world, watched):
    """As the request that it began as, with what came by it."""
    def route(r):
        r.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        r.send(b"\x82\x7e\x03\xe8" + bytes(1000))
        return r.file.read(1) == b"never"
    world.site.routes["/talk"] = route
    with world.connect("internet") as c:
        c.send("GET http://allowed.example/talk HTTP/1.1\r\nHost: allowed.example\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert c.read_head().status == 101
        assert len(c.file.read(1004)) == 1004
        all_told(world, watched)
        assert not [e for e in watched.seen if "/talk" in e.get("url", "")]
    told = watched.wait(lambda e: "/talk" in e.get("url", ""))
    assert (told["verdict"], told["method"], told["status"]) == ("allow", "GET", 101)
    assert 1004 <= told["bytes"] < 1200


# ---- the log ----

def test_version_is_the_one_that_was_spoken(world, watched):
    with h2lib.Client(world, "www.allowed.example") as c:
        assert c.get("/by-two").status == 200
    world.get_secure("https://www.allowed.example/by-one")
    with world.connect() as c:
        c.send("GET http://allowed.example/by-zero HTTP/1.0\r\nHost: allowed.example\r\n\r\n")
        assert c.read().status == 200
    for path, version in {"/by-two": "2.0", "/by-one": "1.1", "/by-zero": "1.0"}.items():
        assert all(f'"GET {path} HTTP/{version}"' in line for line in lines(world, path))
        assert watched.wait(lambda e, path=path: path in e.get("url", ""))["version"] == version


def test_goaccess_reads_the_log(world):
    """As VCOMBINED, every line, with devices as users; privacy holds in it, too."""
    for who in LEVELS:
        every_kind(world, who)
    world.get("http://allowed.example/\"quoted\"\\back?%22&x='y'", "internet")
    world.get("http://allowed.example/last-of-all", "internet")
    lines(world, "/last-of-all")
    # As it is now: what is told of later goes on being written.
    text = log_of(world.log) + "\n"
    log, report = world.dir / "whole.log", world.dir / "report.json"
    log.write_text(text)
    subprocess.run(["goaccess", str(log), "--log-format=VCOMBINED", "-o", str(report), "--no-global-config",
                    "--no-progress"], check=True, capture_output=True, timeout=60)
    shown = json.loads(report.read_text())
    general = shown["general"]
    assert general["failed_requests"] == 0
    assert general["valid_requests"] == general["total_requests"] == len(text.splitlines()) >= 24
    assert {h["data"] for h in shown["hosts"]["data"]} == {"10.9.0.3", "10.9.0.2"}
    assert {"allowed.example:80", "allowed.example", "bank.example"} & {v["data"] for v in shown["vhosts"]["data"]}
    assert {"200", "451"} <= {i["data"].split()[0] for s in shown["status_codes"]["data"] for i in s["items"]}
    assert re.search(r'^www\.allowed\.example:443 10\.9\.0\.3 - internet \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d '
                     r'\+0000\] "GET /b\?q=secret HTTP/1\.1" 200 \d+ "-" "-" allow "[^"]* education,allowed\.example"'
                     r' \d+$', text, re.M)
    coarse = [line for line in text.splitlines() if " - full [" in line]
    assert coarse and not [line for line in coarse if re.search(r"www|secret|/[a-i]\b", line)]
    assert not [line for line in text.splitlines() if " - intranet [" in line or " - passing [" in line]


def test_log_is_opened_again_on_sighup(world):
    world.get("http://allowed.example/before-move")
    lines(world, "/before-move")
    moved = world.log.with_name("moved.log")
    world.log.rename(moved)
    world.get("http://allowed.example/old-file")
    world.proxyd.send(signal.SIGHUP)
    wait_until(world.log.exists, "a new file")
    world.get("http://allowed.example/new-file")
    lines(world, "/new-file")
    assert "/new-file" not in moved.read_text()
    assert moved.read_text().count("/old-file") + world.log.read_text().count("/old-file") == 1
    assert world.log.stat().st_mode & 0o777 == 0o640


def test_lines_are_kept_while_the_file_cannot_be_opened(world):
    away = world.log.parent.with_name("away")
    world.log.parent.rename(away)
    world.proxyd.send(signal.SIGHUP)
    wait_until(lambda: world.status().get("access_log_error"), "an error in the status")
    assert world.get("http://allowed.example/kept").status == 200
    away.rename(world.log.parent)
    assert len(lines(world, "/kept")) == 1
    wait_until(lambda: "access_log_error" not in world.status(), "no error in the status")


def test_full_disk_holds_nobody_up_and_loses_no_line_below_the_bound(world):
    """Nor is a line torn."""
    disk = world.dir / "disk"
    disk.mkdir()
    before = world.conf.read_text()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,uid=%d" % UID, "culvert-test", disk], check=True)
    try:
        world.proxyd.stop()
        world.conf.write_text(before.replace(str(world.log), str(disk / "access.log")))
        world.start_proxyd()
        with world.connect() as c:
            for i in range(200):
                assert c.ask("GET", "http://allowed.example/full/%03d/%s" % (i, "x" * 400), "allowed.example").status == 200
        wait_until(lambda: world.status().get("access_log_error"), "an error in the status")
        assert "No space left" in world.status()["access_log_error"]
        assert world.get("http://allowed.example/").status == 200
        # Remounting would not reach proxyd's mount namespace: the beginning of the log goes instead.
        taken = (disk / "access.log").read_text()
        os.truncate(disk / "access.log", 0)

        def rest():
            text = taken + (disk / "access.log").read_text()
            return text if "/full/199/" in text and text.endswith("\n") else None
        text = wait_until(rest, "the last line")
        assert [int(n) for n in re.findall(r"/full/(\d{3})/x{400} HTTP/1\.1\" 200 ", text)] == list(range(200))
        wait_until(lambda: "access_log_error" not in world.status(), "no error in the status")
        assert world.status()["access_log_dropped"] == 0
    finally:
        world.proxyd.stop()
        subprocess.run(["umount", "-l", disk], check=True)
        world.conf.write_text(before)
        world.start_proxyd()


def test_lines_beyond_the_bound_are_dropped_and_counted(world):
    """A mebibyte waits for the file; what does not fit is counted, and no line is torn."""
    away, sent, pad = world.log.parent.with_name("away"), 400, "x" * 4000
    world.log.parent.rename(away)
    world.proxyd.send(signal.SIGHUP)
    wait_until(lambda: world.status().get("access_log_error"), "an error in the status")
    before = world.status()["access_log_dropped"]
    with world.connect() as c:
        for i in range(sent):
            assert c.ask("GET", "http://blocked.example/much/%03d/%s" % (i, pad), "blocked.example").status == 451
    away.rename(world.log.parent)
    wait_until(lambda: "access_log_error" not in world.status(), "no error in the status")
    world.get("http://allowed.example/after-much")
    lines(world, "/after-much")
    kept = [int(n) for n in re.findall(r"/much/(\d{3})/x{4000} HTTP/1\.1\" 451 ", world.log.read_text())]
    assert kept == list(range(len(kept)))
    assert len(kept) + world.status()["access_log_dropped"] - before == sent
    assert (1 << 20) - 2 * 4200 < len(kept) * 4200 < (1 << 20) + 65536 + 4200 * 2


def test_last_lines_are_written_at_the_end(world):
    with world.connect() as c:
        assert c.ask("GET", "http://allowed.example/at-the-end", "allowed.example").status == 200
    world.proxyd.stop()
    assert "/at-the-end" in world.log.read_text()
    world.start_proxyd()
