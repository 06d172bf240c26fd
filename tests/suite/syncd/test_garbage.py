# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources that send anything else than a list: the last good one stays in force, the alarm says why and
how old it is, the record shows its age (SPEC S2, S4)."""
import contextlib
import gzip
import os
import pathlib
import subprocess
import time

import pytest

import synclib
import test_urls
from support.wait import wait_until

GOOD = "".join(f"||n{i}.example^\n" for i in range(3000))


@pytest.fixture
def good(gateway, web, dns):
    """List a is in force from https://lists.test/a.txt."""
    gateway.syncd.more = "list_max_mib = 16\nlist_timeout_s = 60\n"
    web.page("/a.txt", GOOD, ETag='"good"')
    test_urls.start(gateway, web, dns)
    gateway.wait_list("a", error=None, count=3000)
    gateway.expect([{"a"}], "n2999.example")
    return gateway


def expect_refused(gateway, *whys, seconds=60):
    """A sync is refused for one of these reasons, and nothing else changes."""
    before = gateway.lists()["a"]
    gateway.request("syncd.sync_now")
    error = wait_until(lambda: gateway.lists()["a"].get("error"), "refusal", seconds)
    assert any(why in error for why in whys), error
    detail = gateway.alarm()["detail"]
    assert detail.startswith(f"a: {error}; the last good version, ") and detail.endswith(" old, stays"), detail
    after = gateway.lists()["a"]
    assert after["count"] == 3000 and after["tried_at"] > after["fetched_at"]
    assert (after["fetched_at"], after["changed_at"]) == (before["fetched_at"], before["changed_at"])
    gateway.expect([{"a"}, set()], "n2999.example", "evil.example")


class Raw(synclib.Handler):
    """Sends what the server's attribute says, a generator of bytes, and hangs up, properly in TLS if told."""

    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        self.close_connection = True
        for chunk in self.server.raw():
            self.wfile.write(chunk)
        if getattr(self.server, "ends_tls", False):
            self.connection.settimeout(1)
            with contextlib.suppress(OSError):
                self.connection.unwrap()


def head(*lines, status="200 OK"):
    return "\r\n".join((f"HTTP/1.1 {status}",) + lines + ("", "")).encode()


def text(body, **headers):
    return lambda web: web.page("/a.txt", body, **headers)


def raw(*chunks, ends_tls=True):
    def set_raw(web):
        web.raw = lambda: iter(chunks)
        web.ends_tls = ends_tls
        web.RequestHandlerClass = Raw
    return set_raw


EVIL = b"||evil.example^\n" + GOOD.encode()

CASES = {
    "html": (text("<!DOCTYPE html>\n<html><body>evil.example</body></html>"), "not a list"),
    "json": (text('{"error": "evil.example"}'), "not a list"),
    "status": (text("evil.example\n", status=500), "http status 500"),
    "partial": (text("evil.example\n", status=206), "http status 206"),
    "unasked-304": (raw(head("Content-Length: 0", status="304 Not Modified")), None),
    "binary": (text(b"evil.example\n" + bytes(range(256)) * 40), "not a list"),
    "prose": (text("This page, (evil.example) has moved!\nSorry...\n" * 3000), "not a list"),
    "empty": (text(""), "shrank from 3000 to 0"),
    "ten-times-smaller": (text("evil.example\n" + GOOD[:len(GOOD) // 10]), "shrank from 3000 to"),
    "cut-short": (raw(head(f"Content-Length: {len(EVIL)}"), EVIL[:30000]), "http: "),
    "cut-in-a-chunk": (raw(head("Transfer-Encoding: chunked"), b"%x\r\n" % len(EVIL), EVIL[:30000]), "http: "),
    "cut-between-chunks": (raw(head("Transfer-Encoding: chunked"), b"%x\r\n%s\r\n" % (len(EVIL), EVIL)),
                           "http: "),
    "no-length-no-tls-end": (raw(head("Connection: close"), EVIL, ends_tls=False), "close_notify"),
    "too-long-by-its-head": (raw(head("Content-Length: 2147483648")), "too large"),
    "not-http": (raw(b"220 mail.example ESMTP\r\n"), "http: "),
    "gzip-cut": (text(gzip.compress(EVIL)[:-9], Content_Encoding="gzip"), "truncated or corrupt"),
    "gzip-bomb": (text(gzip.compress(b"||evil.example^\n" * (2 << 20)), Content_Encoding="gzip"),
                  "larger than 16 MiB"),
    "gzip-that-is-none": (text(EVIL, Content_Encoding="gzip"), "truncated or corrupt"),
    "other-coding": (text(EVIL, Content_Encoding="br"), "content coding that was not asked for"),
    "redirect-loop": (text("", status=302, Location="/a.txt"), "more than 5 redirects"),
}


@pytest.mark.parametrize("name", CASES)
def test_garbage_leaves_the_last_good_in_force(good, web, name):
    set_page, why = CASES[name]
    set_page(web)
    if why:
        expect_refused(good, why)
        return
    good.request("syncd.sync_now")  # a 304 is right here: it was asked for
    wait_until(lambda: len(web.requests) > 1, "request")
    good.wait_list("a", error=None, count=3000)


def test_first_version_that_is_garbage_is_no_list(gateway, web, dns):
    web.page("/a.txt", "<html>evil.example</html>")
    test_urls.start(gateway, web, dns)
    error = wait_until(lambda: gateway.lists().get("a", {}).get("error"), "refusal")
    assert gateway.alarm()["detail"] == f"a: {error}; there is no good version"
    assert "count" not in gateway.lists()["a"] and "fetched_at" not in gateway.lists()["a"]


def peak_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(next(l for l in status.splitlines() if l.startswith("VmHWM")).split()[1]) / 1024


def test_endless_body_is_cut_at_the_bound(good, web):
    """2 GB without a length: little more than the bound is ever read or held."""
    sent = [0]

    def endless():
        yield head("Transfer-Encoding: chunked")
        block = b"||evil.example^\n" * 4096
        while sent[0] < 2 << 30:
            yield b"%x\r\n%s\r\n" % (len(block), block)
            sent[0] += len(block)
    before = peak_mib(good.syncd.process)
    web.raw = endless
    web.RequestHandlerClass = Raw
    expect_refused(good, "too large")
    print(f"read {sent[0] >> 20} MiB; peak {before:.0f} MiB before, {peak_mib(good.syncd.process):.0f} after")
    assert sent[0] < 64 << 20
    if "asan" not in os.environ.get("B", ""):
        assert peak_mib(good.syncd.process) < before + 64


def test_slow_server_is_given_up(good, web):
    """Below 1 KiB/s over 10 s."""
    def dribble():
        yield head(f"Content-Length: {len(EVIL)}")
        for i in range(600):
            yield EVIL[i:i + 1]
            time.sleep(0.1)
    web.raw = dribble
    web.RequestHandlerClass = Raw
    expect_refused(good, "too slow")


def test_expired_certificate_is_refused(gateway, place, dns, web):
    expired = synclib.Web(synclib.make_certificate(place, "ca", "expired.test", days=-1))
    expired.page("/a.txt", "a.example\n")
    dns.names["expired.test"] = "127.0.0.1"
    gateway.sources(a=f"https://expired.test:{expired.port}/a.txt")
    gateway.syncd.start()
    error = wait_until(lambda: gateway.lists().get("a", {}).get("error"), "refusal")
    assert error.startswith("tls: ") and "expired" in error
    assert not expired.requests
    expired.shutdown()
    expired.server_close()


def test_overdue_lists_are_fetched_spread_and_future_ones_wait(gateway, web, dns, place):
    """A clock that jumped between two runs makes no storm, and does not put lists to sleep."""
    import json
    dns.names["lists.test"] = "127.0.0.1"
    sources = {}
    for i in range(20):
        web.page(f"/{i}", f"n{i}.example\n")
        sources[f"l{i}"] = f"https://lists.test:{web.port}/{i}"
    gateway.sources(**sources)
    gateway.syncd.start()
    for name in sources:
        gateway.wait_list(name, error=None, count=1)
    gateway.syncd.stop()
    state = gateway.syncd.dir / "state/syncd/lists.json"
    kept = json.loads(state.read_text())
    year = 365 * 86400000
    for i, one in enumerate(kept["lists"].values()):
        one["fetched_at"] += year if i % 2 else -year
    state.write_text(json.dumps(kept))
    del web.requests[:]
    gateway.syncd.start()
    wait_until(lambda: gateway.syncd.log().count("list in use") >= 40, "all from the cache")
    gateway.wait_blocked("n7.example", {"l7"})
    time.sleep(1)  # nothing to wait for: few may come
    assert len(web.requests) <= 3


# ---- full disks, Redis gone ----

@contextlib.contextmanager
def small_disk(path, mib=1):
    """A file system of its own of that size, owned by syncd."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700,uid={synclib.UID},gid={synclib.UID}",
                    "culvert-test", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(path):
    """Nothing more fits; gives the file that takes the room."""
    big = path / "filler"
    with big.open("wb", buffering=0) as f:
        with contextlib.suppress(OSError):
            while True:
                f.write(bytes(4096))
    return big


def test_full_cache_keeps_the_last_good_and_recovers(gateway, redis):
    s = gateway.syncd
    cache = s.dir / "cache/syncd"
    with small_disk(cache):
        s.write("a.txt", "a.example\n")
        gateway.sources(a="file:a.txt")
        s.start()
        gateway.wait_blocked("a.example", {"a"})
        filler = fill(cache)
        s.write("a.txt", "a.example\nb.example\n" + "# long\n" * 2000)
        gateway.wait_list("a", error="cannot keep a copy: No space left on device", count=1)
        assert "No space left" in gateway.alarm()["detail"]
        gateway.expect([{"a"}, set()], "a.example", "b.example")
        filler.unlink()
        gateway.request("syncd.sync_now")
        gateway.wait_list("a", error=None, count=2)
        gateway.expect([{"a"}, {"a"}], "a.example", "b.example")
        s.stop()


def test_start_on_a_full_disk_goes_on_says_so_and_recovers(gateway, redis):
    """What is published stays; a first start, too, waits for room."""
    s = gateway.syncd
    state, cache = s.dir / "state/syncd", s.dir / "cache/syncd"
    s.write("a.txt", "a.example\n")
    gateway.sources(a={"source": "file:a.txt", "refresh_s": 5})
    with small_disk(state), small_disk(cache):
        fillers = [fill(state), fill(cache)]
        s.start()
        detail = gateway.alarm()["detail"]
        assert "No space left on device" in detail
        wait_until(lambda: "state_error" in redis.status("syncd"), "status", 60)
        assert gateway.domainset() is None and s.is_running()
        for f in fillers:
            f.unlink()
        gateway.wait_blocked("a.example", {"a"}, 60)
        wait_until(lambda: "state_error" not in redis.status("syncd"), "status", 60)
        before = gateway.domainset()
        s.stop()
        fillers = [fill(state), fill(cache)]
        s.write("a.txt", "a.example\nb.example\n" + "# long\n" * 2000)
        refused = s.log().count("cannot keep a copy: No space left on device")
        s.start()
        wait_until(lambda: s.log().count("cannot keep a copy: No space left on device") > refused, "refusal")
        assert gateway.domainset() == before and s.is_running()
        for f in fillers:
            f.unlink()
        gateway.request("syncd.sync_now", list="a")
        gateway.wait_blocked("b.example", {"a"}, 60)
        s.stop()


def test_redis_gone_during_the_compile(gateway, redis):
    """C3: the set comes once it is back, at whatever moment it went."""
    s = gateway.syncd
    s.write("a.txt", "a.example\n")
    gateway.sources(a="file:a.txt")
    s.start()
    gateway.wait_blocked("a.example", {"a"})
    for i in range(3):
        count = 200000 + i
        s.write("a.txt", "".join(f"n{k}.example\n" for k in range(count)))
        wait_until(lambda: f"names={count} " in s.log(), "list parsed")
        time.sleep(0.03 * i)
        redis.kill()
        wait_until(lambda: f"compiled names={count} " in s.log(), "compiled")
        redis.start()
        wait_until(lambda: gateway.domainset()["count"] == count, "set")
        gateway.expect([{"a"}], f"n{count - 1}.example")
