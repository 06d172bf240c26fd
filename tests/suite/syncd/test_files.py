# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists from files: compiled, published, renewed, guarded, kept (SPEC S2, S4, P6, D3)."""
import time

import synclib

from preload import Preload
from support.wait import wait_until


def many(count, word="n"):
    return "".join(f"||{word}{i}.example^\n" for i in range(count))


def test_lists_become_one_set_with_a_bit_each(gateway):
    """S4, P6."""
    s = gateway.syncd
    s.write("a.txt", "! ads\n||ads.example^\n@@||good.ads.example^\n0.0.0.0 host.example\nhttp://u.example/p\n"
                     "ads.example##.x\n")
    s.write("b.txt", "ads.example\n*.below.example\nhttps://shop.example/p\n")
    gateway.sources(a="file:a.txt", b="file:b.txt")
    s.start()
    a = gateway.wait_list("a", error=None, count=3, url_count=1, skipped=1)
    gateway.wait_list("b", error=None, count=3, url_count=1, skipped=0)
    assert gateway.bit("a") != gateway.bit("b") and a["fetched_at"] and a["changed_at"]
    gateway.expect([
        {"a", "b"}, {"a", "b"}, {"b"}, {"a"}, set(), set(), {"b"}, {"b"}, set()], "ads.example", "x.ads.example", "good.ads.example", "host.example", "x.host.example",
                           "below.example", "x.below.example", "shop.example", "u.example")


def test_subtree_option_makes_hosts_lines_cover_below(gateway):
    """P6: as K's lists do."""
    s = gateway.syncd
    s.write("a.txt", "0.0.0.0 host.example\n")
    gateway.sources(a={"source": "file:a.txt", "subtree": True})
    s.start()
    gateway.wait_blocked("x.host.example", {"a"})
    gateway.sources(a={"source": "file:a.txt", "subtree": False})
    gateway.wait_blocked("x.host.example", set())
    gateway.expect([{"a"}], "host.example")


def test_flags_of_the_source_are_the_list_s(gateway):
    """F6: by address, strictly or not."""
    s = gateway.syncd
    s.write("a.txt", "a.example\n")
    more = {"title": "A", "kind": "general", "default_on": False, "by_address": True, "strict_address": True}
    gateway.sources(a={"source": "file:a.txt", **more}, b="file:a.txt")
    s.start()
    gateway.wait_list("a", error=None, count=1, **more)
    gateway.wait_list("b", by_address=None, strict_address=None, default_on=True)


def test_changed_file_is_in_force_within_a_second(gateway):
    """S2, S3: the time limit of the test is ten times the promise."""
    s = gateway.syncd
    s.write("a.txt", many(50000))
    gateway.sources(a="file:a.txt")
    s.start()
    gateway.wait_blocked("n7.example", {"a"})
    start = time.monotonic()
    s.write("a.txt", many(50000) + "new.example\n")
    gateway.wait_list("a", 10, count=50001)
    print(f"replaced file in force after {time.monotonic() - start:.2f} s")
    gateway.expect([{"a"}], "new.example")
    with open(s.lists / "a.txt", "a", encoding="utf-8") as f:  # written in place
        f.write("newer.example\n")
    gateway.wait_list("a", 10, count=50002)
    gateway.expect([{"a"}], "newer.example")


def test_file_changed_while_it_is_taken_in_is_read_again_a_moment_later(gateway):
    """S2; what it was when it was found: the change was in force after the next refresh, as were those that came
    before that."""
    s = gateway.syncd
    s.write("a.txt", "a0.example\n")
    gateway.sources(a={"source": "file:a.txt", "refresh_s": 86400})
    preload = Preload("slow_disk", SLOW_DISK_MS=20)
    s.start(env=preload.env)
    gateway.wait_blocked("a0.example", {"a"})
    texts = s.dir / "cache/syncd/lists"
    before = set(texts.iterdir())
    s.write("a.txt", "a1.example\n")
    wait_until(lambda: set(texts.iterdir()) - before, "a copy that is being written")
    for i in (2, 3):
        s.write("a.txt", "a%d.example\n" % i)
        gateway.wait_blocked("a%d.example" % i, {"a"})
    s.stop()
    preload.close()


def test_file_that_appears_later_is_taken(gateway):
    s = gateway.syncd
    gateway.sources(a="file:sub/a.txt")
    s.start()
    gateway.wait_list("a", error="file not found")
    (s.lists / "sub").mkdir()
    s.write("sub/a.txt", "a.example\n")
    assert gateway.request("syncd.sync_now", list="a")["result"] == {"lists": 1}
    gateway.wait_list("a", error=None, count=1)
    s.write("sub/a.txt", "a.example\nb.example\n")  # and watched from now on
    gateway.wait_list("a", 10, count=2)
    (s.lists / "sub/a.txt").unlink()
    (s.lists / "sub").rmdir()
    gateway.wait_list("a", 10, error="file not found", count=2)


def test_nothing_outside_the_directory_is_read(gateway, place):
    """S2: files below one directory."""
    s = gateway.syncd
    (place / "secret.txt").write_text("secret.example\n")
    (s.lists / "link.txt").symlink_to(place / "secret.txt")
    (s.lists / "up").symlink_to("..")
    (s.lists / "dir.txt").mkdir()
    import os
    os.mkfifo(s.lists / "fifo.txt")
    s.write("in.txt", "in.example\n")
    (s.lists / "fine.txt").symlink_to("in.txt")
    gateway.sources(dots="file:../secret.txt", link="file:link.txt", up="file:up/secret.txt",
                    absolute=f"file:{place}/secret.txt", dir="file:dir.txt", fifo="file:fifo.txt",
                    fine="file:fine.txt", none="file:", http="http://lists.test/x", odd="ftp:x")
    s.start()
    out = "leads out of lists_dir"
    for name in ("dots", "link", "up", "absolute"):
        gateway.wait_list(name, error=out)
    gateway.wait_list("dir", error="not a regular file")
    gateway.wait_list("fifo", error="not a regular file")
    gateway.wait_list("none", error="file not found")
    gateway.wait_list("http", error="source is neither file:NAME nor an https URL")
    gateway.wait_list("odd", error="source is neither file:NAME nor an https URL")
    gateway.wait_list("fine", error=None, count=1)
    gateway.expect([set(), {"fine"}], "secret.example", "in.example")


def test_last_good_stays_when_the_source_goes_or_is_garbage(gateway):
    """S4."""
    s = gateway.syncd
    s.write("a.txt", "a.example\n")
    gateway.sources(a="file:a.txt")
    s.start()
    gateway.wait_blocked("a.example", {"a"})
    (s.lists / "a.txt").unlink()
    gateway.wait_list("a", 10, error="file not found", count=1)
    assert gateway.alarm()["detail"].startswith("a: file not found; the last good version, ")
    for bad in ("<!DOCTYPE html><title>503</title>", "a\0b\n", "bad(name\n" * 50, "com\nnet\n"):
        s.write("a.txt", bad)
        wait_until(lambda: "not a list" in (gateway.lists()["a"].get("error") or ""), "refusal")
        gateway.expect([{"a"}], "a.example")
        (s.lists / "a.txt").unlink()
        gateway.wait_list("a", 10, error="file not found")
    s.write("a.txt", "b.example\n")
    gateway.wait_list("a", error=None)
    gateway.expect([set(), {"a"}], "a.example", "b.example")


def test_list_that_shrinks_by_half_keeps_the_last_good(gateway):
    """S4: shrink guard; a sync of that list by the admin accepts it."""
    s = gateway.syncd
    s.write("a.txt", many(3000))
    gateway.sources(a="file:a.txt")
    s.start()
    gateway.wait_list("a", count=3000)
    s.write("a.txt", many(1400))
    gateway.wait_list("a", 10, error="shrank from 3000 to 1400 entries; the old ones stay")
    assert "shrank" in gateway.alarm()["detail"]
    gateway.expect([{"a"}], "n2999.example")
    gateway.request("syncd.sync_now")
    gateway.expect([{"a"}], "n2999.example")
    gateway.request("syncd.sync_now", list="a")
    gateway.wait_list("a", error=None, count=1400)
    gateway.expect([set()], "n2999.example")
    s.write("a.txt", many(600))  # fewer than a thousand lost
    gateway.wait_list("a", 10, error=None, count=600)


def test_restart_without_sources_gives_the_same_set(gateway):
    """S4: last good raw lists in the cache; the same digest, bits and key."""
    s = gateway.syncd
    s.write("a.txt", "a.example\n")
    s.write("b.txt", "b.example\n")
    gateway.sources(a="file:a.txt", b="file:b.txt")
    s.start()
    gateway.wait_list("a", count=1, error=None)
    gateway.wait_list("b", count=1, error=None)
    before = gateway.image()[0]
    s.stop()
    for f in ("a.txt", "b.txt"):
        (s.lists / f).unlink()
    s.start()
    gateway.wait_list("a", error="file not found", count=1)
    gateway.wait_list("b", error="file not found", count=1)
    assert gateway.image()[0] == before
    gateway.expect([{"a"}, {"b"}], "a.example", "b.example")


def test_kill_at_any_time_leaves_a_state_that_starts(gateway):
    """C3."""
    s = gateway.syncd
    gateway.sources(a="file:a.txt")
    for i in range(6):
        s.write("a.txt", many(1000 + 500 * i))
        s.start()
        time.sleep(0.02 * i)
        s.kill()
    started = s.log().count("started version")
    s.start()
    wait_until(lambda: s.log().count("started version") > started, "start")
    gateway.wait_list("a", error=None, count=3500)
    wait_until(lambda: (gateway.domainset() or {}).get("count") == 3500, "set")
    gateway.expect([{"a"}], "n3499.example")


def test_corrupt_cache_is_not_used(gateway):
    s = gateway.syncd
    s.write("a.txt", "a.example\n")
    gateway.sources(a="file:a.txt")
    s.start()
    gateway.wait_blocked("a.example", {"a"})
    s.stop()
    for f in (s.dir / "cache/syncd/lists").iterdir():
        f.write_text("evil.example\n")
    s.start()
    wait_until(lambda: "cannot be used" in s.log(), "refusal")
    wait_until(lambda: s.log().count("list in use") == 2, "the file itself")
    gateway.expect([{"a"}, set()], "a.example", "evil.example")


def test_bits_stay_when_lists_come_and_go(gateway):
    """DESIGN 5: bits stable per list."""
    s = gateway.syncd
    for n in "abc":
        s.write(n, f"{n}.example\n")
    gateway.sources(a="file:a", b="file:b")
    s.start()
    gateway.wait_list("a", error=None, count=1)
    a, b = gateway.bit("a"), gateway.bit("b")
    gateway.sources(b="file:b", c="file:c")
    c = gateway.bit("c")
    wait_until(lambda: "a" not in gateway.lists(), "a gone")
    assert gateway.bit("b") == b and c not in (a, b)
    gateway.expect([set(), {"b"}, {"c"}], "a.example", "b.example", "c.example")
    s.stop()
    s.start()
    gateway.sources(a="file:a", b="file:b", c="file:c")
    wait_until(lambda: [gateway.lists().get(n, {}).get("bit") for n in "abc"] == [a, b, c], "bits")


def test_no_lists_is_an_empty_set_and_unknown_is_none(gateway):
    """DESIGN 4: an empty topic exists, an unknown one keeps last good."""
    s = gateway.syncd.start()
    wait_until(lambda: "started" in s.log(), "running")
    time.sleep(0.3)  # nothing to wait for: nothing may come
    assert gateway.domainset() is None
    gateway.sources()
    assert wait_until(gateway.domainset, "empty set")["count"] == 0


def test_sixty_five_lists_leave_one_out_with_an_alarm(gateway):
    s = gateway.syncd
    for i in range(65):
        s.write(f"l{i}", f"l{i}.example\n")
    gateway.sources(**{f"l{i}": f"file:l{i}" for i in range(65)})
    s.start()
    assert "more than 64" in gateway.alarm()["detail"]
    wait_until(lambda: sum("bit" in r for r in gateway.lists().values()) == 64, "records")
    names = [f"l{i}.example" for i in range(65)]
    wait_until(lambda: sum(r == {n.split(".")[0]} for r, n in zip(gateway.blocked(*names), names)) == 64, "set")


def test_set_is_published_once_redis_is_there(gateway, redis):
    """DESIGN 4, C3: any order of starts."""
    s = gateway.syncd
    s.write("a.txt", "a.example\n")
    gateway.sources(a="file:a.txt")
    s.start()
    gateway.wait_blocked("a.example", {"a"})
    redis.kill()
    s.write("a.txt", "a.example\nb.example\n")
    wait_until(lambda: "names=2" in s.log(), "renewed")
    redis.start()
    gateway.wait_list("a", count=2)
    gateway.expect([{"a"}], "b.example")


def test_unknown_list_is_refused_by_sync_now(gateway):
    s = gateway.syncd
    gateway.sources()
    s.start()
    wait_until(gateway.domainset, "empty set")
    assert gateway.request("syncd.sync_now", list="nope")["status"] != 0
    assert gateway.request("syncd.sync_now")["result"] == {"lists": 0}


def test_applied_is_reported_after_the_set_is_out(gateway):
    """C4: applied means in force."""
    s = gateway.syncd
    s.write("a.txt", "a.example\n")
    gateway.sources(a="file:a.txt")
    gateway.apid.do("watch")
    s.start()

    def applied():
        status = gateway.apid.wait("status")
        return "list_sources:apid" in synclib.json.dumps(status)
    wait_until(applied, "applied")
    gateway.expect([{"a"}], "a.example")
