# SPDX-License-Identifier: GPL-3.0-or-later
"""No room for a copy of a list (SPEC S4, S5): what is in force stays, it is told, and goes on by itself with room."""
import random

from support.disk import FullDisk
from support.wait import wait_until


def text(name, n):
    """Names that nothing makes shorter."""
    rng = random.Random(name)
    return "".join(f"||{rng.getrandbits(64):016x}.{name}.example^\n" for _ in range(n)) + f"||{name}.example^\n"


def test_a_list_without_room_for_its_copy_is_kept_as_it_was_until_there_is(gateway):
    cache = gateway.syncd.dir / "cache"
    with FullDisk(cache, 512) as disk:
        gateway.syncd.write("a.txt", text("old", 100))
        gateway.sources(a="file:a.txt")
        gateway.syncd.start()
        gateway.wait_blocked("old.example", {"a"})
        disk.fill()
        gateway.syncd.write("a.txt", text("new", 2000))
        gateway.request("syncd.sync_now")
        error = wait_until(lambda: gateway.lists()["a"].get("error"), "told in its record")
        assert "No space left" in error
        assert "No space left" in gateway.alarm()["detail"]
        assert gateway.blocked("old.example", "new.example") == [{"a"}, set()]
        gateway.syncd.stop()
        refused = gateway.syncd.log().count("No space left")
        gateway.syncd.start()
        wait_until(lambda: gateway.syncd.log().count("No space left") > refused, "the new one is refused again")
        gateway.wait_blocked("old.example", {"a"})
        disk.free()
        gateway.request("syncd.sync_now")
        gateway.wait_blocked("new.example", {"a"})
        gateway.wait_list("a", error=None, count=2001)
        gateway.syncd.stop()


def test_a_list_of_directus_comes_with_the_room(policy, directus, gateway):
    cache = gateway.syncd.dir / "cache"
    with FullDisk(cache, 512) as disk:
        directus.add("gifs", {"url": "old.example"})
        policy.start()
        gateway.wait_blocked("old.example", {"gifs"})
        disk.fill()
        directus.add("gifs", {"url": "new.example"}, *({"url": "x" * 60 + f".n{n}.example"} for n in range(2000)))
        wait_until(lambda: "No space left" in gateway.lists().get("gifs", {}).get("error", ""), "told in its record")
        assert gateway.blocked("old.example", "new.example") == [{"gifs"}, set()]
        disk.free()
        gateway.wait_blocked("new.example", {"gifs"})
        gateway.wait_list("gifs", error=None, count=2002)
        gateway.syncd.stop()
