# SPDX-License-Identifier: GPL-3.0-or-later
"""A list goes back to a version that is kept, and stays there until it is released (SPEC S4, A6)."""
import contextlib
import json
import os

from support.wait import wait_until


def versions(gateway, name="a"):
    return [v["version"] for v in gateway.lists()[name]["versions"]]


def give(gateway, *texts):
    """The list a in these versions, one after the other."""
    s = gateway.syncd
    for i, text in enumerate(texts):
        s.write("a.txt", text)
        if not i:
            gateway.sources(a="file:a.txt")
            s.start()
        wait_until(lambda: len(gateway.lists().get("a", {}).get("versions", [])) == i + 1, f"version {i}")


def test_last_three_versions_are_kept_and_told(gateway):
    give(gateway, "a.example\n", "a.example\nb.example\n", "c.example\n")
    gateway.syncd.write("a.txt", "d.example\ne.example\n")
    gateway.wait_list("a", 10, count=2)
    one = gateway.lists()["a"]
    assert [v["count"] for v in one["versions"]] == [2, 1, 2]
    assert one["version"] == one["versions"][0]["version"] and "pinned_at" not in one
    since = [v["since"] for v in one["versions"]]
    assert since == sorted(since, reverse=True) and since[0] == one["changed_at"]


def test_rollback_is_in_force_and_stays_until_released(gateway):
    give(gateway, "a.example\n", "b.example\nc.example\n")
    newest, before = versions(gateway)
    answer = gateway.request("syncd.list_rollback", list="a")["result"]
    assert answer["version"] == before and answer["pinned_at"]
    gateway.wait_list("a", version=before, pinned_at=answer["pinned_at"], count=1)
    gateway.expect([{"a"}, set()], "a.example", "b.example")
    wait_until(lambda: gateway.lists()["a"].get("in_force_at", 0) >= answer["pinned_at"], "in force")
    # Neither a change of the source nor sync moves it.
    gateway.syncd.write("a.txt", "d.example\n")
    assert gateway.request("syncd.sync_now", list="a")["result"]["code"] == "pinned"
    assert gateway.request("syncd.sync_now")["result"] == {"lists": 0}
    gateway.sources(a={"source": "file:a.txt", "title": "A"}, b="file:a.txt")
    gateway.wait_list("b", error=None, count=1)
    gateway.wait_list("a", title="A", version=before, error=None)
    gateway.expect([{"a"}, {"b"}], "a.example", "d.example")
    assert versions(gateway) == [newest, before]
    gateway.request("syncd.list_release", list="a")
    gateway.wait_list("a", pinned_at=None)
    gateway.expect([set(), {"a", "b"}], "a.example", "d.example")
    wait_until(lambda: len(versions(gateway)) == 3 and versions(gateway)[1:] == [newest, before], "versions")


def test_rollback_survives_a_restart(gateway):
    give(gateway, "a.example\n", "b.example\nc.example\n")
    before = versions(gateway)[1]
    at = gateway.request("syncd.list_rollback", list="a")["result"]["pinned_at"]
    gateway.wait_list("a", version=before)
    gateway.expect([{"a"}], "a.example")
    gateway.syncd.stop()
    gateway.syncd.start()
    wait_until(lambda: gateway.syncd.log().count("list in use") == 4, "read again")
    gateway.wait_list("a", version=before, pinned_at=at, count=1)
    gateway.expect([{"a"}, set()], "a.example", "b.example")
    gateway.request("syncd.list_release", list="a")
    gateway.expect([set(), {"a"}], "a.example", "b.example")


@contextlib.contextmanager
def unwritable(state):
    """syncd cannot write its state meanwhile."""
    owner = state.stat()
    os.chown(state, 0, 0)
    state.chmod(0o555)
    try:
        yield
    finally:
        state.chmod(0o755)
        os.chown(state, owner.st_uid, owner.st_gid)


def kept(gateway):
    """What is on the disk of the list a."""
    return json.loads((gateway.syncd.dir / "state/syncd/lists.json").read_text())["lists"]["a"]


def test_rollback_and_release_that_were_answered_are_kept_though_syncd_is_killed_at_once(gateway):
    give(gateway, "a.example\n", "b.example\nc.example\n")
    newest, before = versions(gateway)
    for _ in range(3):
        # By its name: a life that has not read its source yet has the one before in use.
        answer = gateway.request("syncd.list_rollback", list="a", version=before)["result"]
        gateway.syncd.kill()
        assert (kept(gateway)["pin"], kept(gateway)["pinned_at"]) == (before, answer["pinned_at"])
        gateway.syncd.start()
        gateway.wait_list("a", version=before, pinned_at=answer["pinned_at"], count=1)
        assert gateway.request("syncd.list_release", list="a")["status"] == 0
        gateway.syncd.kill()
        assert "pin" not in kept(gateway)
        gateway.syncd.start()
        gateway.wait_list("a", version=newest, pinned_at=None, count=2)


def test_rollback_that_cannot_be_saved_is_not_answered_well_nor_in_force_until_it_is(gateway):
    give(gateway, "a.example\n", "b.example\nc.example\n")
    before = versions(gateway)[1]
    with unwritable(gateway.syncd.dir / "state/syncd"):
        assert gateway.request("syncd.list_rollback", list="a")["result"]["code"] == "not_saved"
        assert gateway.blocked("a.example", "b.example") == [set(), {"a"}]
        assert "pin" not in kept(gateway)
    gateway.expect([{"a"}, set()], "a.example", "b.example")
    assert kept(gateway)["pin"] == before


def test_rollback_is_kept_though_syncd_stops_before_it_could_save_it(gateway):
    """It cannot write its state, and ends when it could, before it tries again."""
    give(gateway, "a.example\n", "b.example\nc.example\n")
    before = versions(gateway)[1]
    with unwritable(gateway.syncd.dir / "state/syncd"):
        assert gateway.request("syncd.list_rollback", list="a")["result"]["code"] == "not_saved"
        assert "pin" not in kept(gateway)
    gateway.syncd.stop()
    gateway.syncd.start()
    at = gateway.wait_list("a", version=before, count=1)["pinned_at"]
    gateway.expect([{"a"}, set()], "a.example", "b.example")
    assert at == kept(gateway)["pinned_at"]


def test_rollback_twice_goes_two_back_and_a_version_can_be_named(gateway):
    give(gateway, "a.example\n", "b.example\n", "c.example\nd.example\n")
    newest, second, oldest = versions(gateway)
    assert gateway.request("syncd.list_rollback", list="a")["result"]["version"] == second
    gateway.wait_list("a", version=second)
    assert gateway.request("syncd.list_rollback", list="a")["result"]["version"] == oldest
    gateway.wait_list("a", version=oldest)
    assert gateway.request("syncd.list_rollback", list="a")["result"]["code"] == "no_version"
    assert gateway.request("syncd.list_rollback", list="a", version=newest)["result"]["version"] == newest
    gateway.wait_list("a", version=newest)
    gateway.expect([set(), {"a"}], "a.example", "c.example")


def test_what_cannot_be_rolled_back_is_told(gateway):
    give(gateway, "a.example\n")
    assert gateway.request("syncd.list_rollback", list="none")["result"]["code"] == "not_found"
    assert gateway.request("syncd.list_rollback", list="a")["result"]["code"] == "no_version"
    assert gateway.request("syncd.list_rollback", list="a", version="0" * 64)["result"]["code"] == "no_version"
    assert gateway.request("syncd.list_release", list="a")["result"]["code"] == "not_pinned"
    gateway.wait_list("a", pinned_at=None, error=None)


def test_list_is_not_said_to_be_none_before_it_is_known_which_lists_there_are(gateway):
    gateway.syncd.start()
    one = {"list": "a"}
    for op, args in (("list_rollback", one), ("list_release", one), ("sync_now", one), ("sync_now", {})):
        def code():
            reply = gateway.ask(f"syncd.{op}", **args)
            return (reply["result"] or {}).get("code")
        assert wait_until(code, op) == "starting"
    gateway.sources(b="file:b.txt")
    assert gateway.request("syncd.list_rollback", list="a")["result"]["code"] == "not_found"


def test_lost_version_is_not_held_and_the_list_stays_in_force(gateway):
    """Fail closed: what is in force stays, the source goes on."""
    give(gateway, "a.example\n", "b.example\n")
    newest, before = versions(gateway)
    (gateway.syncd.dir / "cache/syncd/lists" / before).write_text("evil.example\n")
    gateway.request("syncd.list_rollback", list="a")
    wait_until(lambda: "cannot be held at its version" in gateway.syncd.log(), "refusal")
    gateway.wait_list("a", pinned_at=None, version=newest)
    wait_until(lambda: versions(gateway) == [newest], "the lost one is offered no more")
    gateway.expect([set(), {"a"}], "evil.example", "b.example")
    gateway.syncd.write("a.txt", "b.example\nc.example\n")
    gateway.wait_list("a", 10, count=2)


def test_version_of_directus_that_cannot_be_read_now_is_tried_again(gateway, directus, policy):
    """Directus gives it once; for want of memory, say, it cannot be had when the list is released."""
    directus.add("maps", {"url": "old.example"})
    policy.start()
    gateway.wait_blocked("old.example", {"maps"})
    directus.update("maps", 1, url="new.example")
    gateway.wait_blocked("new.example", {"maps"})
    newest, _ = versions(gateway, "maps")
    gateway.request("syncd.list_rollback", list="maps")
    gateway.wait_blocked("old.example", {"maps"})
    text = gateway.syncd.dir / "cache/syncd/lists" / newest
    text.chmod(0)
    gateway.request("syncd.list_release", list="maps")
    wait_until(lambda: "last good list cannot be used id=maps" in gateway.syncd.log(), "it cannot be read")
    text.chmod(0o600)
    gateway.wait_blocked("new.example", {"maps"})
    assert versions(gateway, "maps")[0] == newest


def test_download_under_way_does_not_undo_a_rollback(gateway, web, dns):
    """The server's answer, begun before, is not waited for; what it has comes with the release."""
    dns.names["lists.test"] = "127.0.0.1"
    web.page("/a", "a.example\n", ETag='"1"')
    source = f"https://lists.test:{web.port}/a"
    gateway.sources(a=source)
    gateway.syncd.start()
    gateway.wait_list("a", error=None, count=1)
    web.page("/a", "b.example\nc.example\n", ETag='"2"')
    gateway.request("syncd.sync_now", list="a")
    gateway.wait_list("a", error=None, count=2)
    before = versions(gateway)[1]
    gateway.request("syncd.sync_now", list="a")
    gateway.request("syncd.list_rollback", list="a")
    gateway.wait_list("a", version=before, count=1)
    gateway.expect([{"a"}, set()], "a.example", "b.example")
    asked = len(web.requests)
    gateway.request("syncd.list_release", list="a")
    gateway.expect([set(), {"a"}], "a.example", "b.example")
    # The validators of the newest did not keep the server silent. (The one that was left may be heard of late.)
    assert any("If-None-Match" not in headers for _, headers in web.requests[asked:])
    gateway.wait_list("a", pinned_at=None, count=2)


def test_another_source_ends_the_rollback(gateway):
    give(gateway, "a.example\n", "b.example\nc.example\n")
    gateway.request("syncd.list_rollback", list="a")
    gateway.expect([{"a"}], "a.example")
    gateway.syncd.write("z.txt", "z.example\n")
    gateway.sources(a="file:z.txt")
    gateway.wait_list("a", pinned_at=None, count=1)
    gateway.expect([set(), {"a"}], "a.example", "z.example")
