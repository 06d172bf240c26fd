# SPDX-License-Identifier: GPL-3.0-or-later
"""C3: of several apid on one database one publishes, and nothing old is published after something new."""
import json
import signal
import threading
import time

import apidlib
from apidlib import KEYS, SEED, wait_until
import pytest

PUBLISHES = "this process publishes\n"


@pytest.fixture
def two(make_apid, wgd, place, redis, database):
    """(the one that publishes, the other)"""
    first = make_apid(SEED).start()
    wait_until(lambda: PUBLISHES in first.log(), "it publishes")
    other_dir = place / "second"
    other_dir.mkdir()
    second = apidlib.Apid(other_dir, redis, database, SEED)
    yield first, second.start()
    for one in (first, second):
        if one.is_running():
            one.send(signal.SIGCONT)
    second.stop()


def heard_by(client):
    """What a subscriber to all of apid's topics hears until the word `end`: full announcements by their channel."""
    full = []
    while True:
        kind, _, channel, text = client.read()
        if kind == "pmessage" and channel.endswith(":end:apid"):
            return full
        if kind == "pmessage" and json.loads(text).get("full"):
            full.append(channel)


def test_one_that_was_stopped_publishes_nothing_old(two, redis):
    old, new = two
    old.send(signal.SIGSTOP)
    wait_until(lambda: PUBLISHES in new.log(), "the other publishes")
    assert new.upsert("b", KEYS[1], "10.9.0.6")[0] == 200
    assert new.remove("phone")[0] == 200
    listener = redis.connect()
    listener("PSUBSCRIBE", "culvert:state:*:apid")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(old.upsert("c", KEYS[2], "10.9.0.7")))
    asking.start()
    old.send(signal.SIGCONT)
    wait_until(lambda: "this process publishes no more" in old.log(), "it knows")
    asking.join()
    assert answers[0][0] in (200, 503), answers
    wait_until(lambda: old.upsert("c", KEYS[2], "10.9.0.7")[0] == 200, "it follows the other")
    for topic in ("devices", "device_keys"):
        assert set(new.state(topic)) == {"b", "c"}, "what is confirmed is on the bus, whoever wrote it"
    redis("PUBLISH", "culvert:state:end:apid", "{}")
    assert heard_by(listener) == [], "nothing was published as a whole, by whoever had not read it"
    assert old.log().count(PUBLISHES) == 1 == new.log().count(PUBLISHES)


def test_one_that_is_killed_is_followed_without_waiting_for_its_lease(two, database):
    old, new = two
    old.send(signal.SIGSTOP)  # it renews its lease no more, which is to be one of an hour
    database.sql("UPDATE publisher SET expires_at = expires_at + 3600000", "culvert")
    assert PUBLISHES not in new.log()
    start = time.monotonic()
    old.kill()
    wait_until(lambda: PUBLISHES in new.log(), "the other publishes")
    print(f"taken over after {time.monotonic() - start:.3f} s")
    wait_until(lambda: new.upsert()[0] == 200, "it is asked")
    new.await_state("devices", lambda devices: "a" in devices)


def test_what_is_published_with_a_lower_number_is_refused(apid, redis):
    """As when another one published after this one was last told that it may."""
    wait_until(lambda: redis("GET", "culvert:fence:apid"), "a number")
    redis("SET", "culvert:fence:apid", str(int(time.time() * 1000) + 10**9))
    assert apid.upsert()[0] in (200, 503)
    wait_until(lambda: "another process publishes now fence=" in apid.log(), "it was refused")
    # The database says that it is the one: with a higher number it goes on.
    wait_until(lambda: apid.upsert()[0] == 200, "it publishes again")
    apid.await_state("devices", lambda devices: "a" in devices)


def test_a_database_that_was_put_back_publishes_again(apid, redis):
    """Its numbers are lower than what Redis has seen."""
    apid.stop()
    ahead = int(time.time() * 1000) + 10**9
    redis("SET", "culvert:fence:apid", str(ahead))
    apid.start()
    wait_until(lambda: apid.upsert()[0] == 200, "it goes on")
    apid.await_state("devices", lambda devices: "a" in devices)
    assert int(redis("GET", "culvert:fence:apid")) > ahead


def test_the_numbers_of_publishers_rise(apid, redis):
    last = 0
    for _ in range(3):
        wait_until(lambda seen=last: int(redis("GET", "culvert:fence:apid") or 0) > seen, "a higher number")
        last = int(redis("GET", "culvert:fence:apid"))
        apid.stop()
        apid.start()


def test_a_change_through_either_is_on_the_bus_within_a_second(two, redis):
    """In force with the daemons, whose subscription hears it then. The bound is ten times the second."""
    clients = [two[0].owner()]
    clients.append(two[1].client())
    clients[1].cookie, clients[1].csrf = clients[0].cookie, clients[0].csrf
    secret = two[0].dir / "state/apid/secret"
    two[1].stop()
    apidlib.owned_file(two[1].dir / "state/apid/secret", secret.read_text())
    two[1].start()
    listener = redis.connect()
    listener("PSUBSCRIBE", "culvert:state:groups:apid")
    seconds = {0: [], 1: []}
    for n in range(10):
        which = n % 2
        start = time.monotonic()
        assert clients[which].put("/api/v1/groups/kids", {"name": f"round {n}"})[0] in (200, 201)
        while f"round {n}" not in listener.read()[3]:
            pass
        seconds[which].append(time.monotonic() - start)
    for which, name in enumerate(("the one that publishes", "the other")):
        print(f"through {name}: {max(seconds[which]) * 1000:.0f} ms at most")
        assert max(seconds[which]) < 10
