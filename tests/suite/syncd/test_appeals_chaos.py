# SPDX-License-Identifier: GPL-3.0-or-later
"""Appeals through everything that can be killed (SPEC S5): each arrives once in MariaDB and once in Directus.

apid, syncd, Redis (which forgets everything) and MariaDB are real; proxyd is its bus and its spool alone;
Directus is the stand-in. CULVERT_CHAOS_ROUNDS (30) and CULVERT_CHAOS_SEED say how long and in which order.
"""
import os
import random
import time

import pytest
from chaoslib import World

from support.wait import wait_until

ROUNDS = int(os.environ.get("CULVERT_CHAOS_ROUNDS", "30"))
SEED = int(os.environ.get("CULVERT_CHAOS_SEED", "20261129"))
PARTS = ("proxyd", "redis", "syncd", "apid", "directus", "mariadb")


@pytest.fixture
def world(place, redis):
    one = World(place, redis)
    yield one
    one.close()


def uuid(n):
    return f"00000000-0000-4000-8000-{n:012d}"


def appeal(n):
    return {"uuid": uuid(n), "url": f"http://a{n}.example/", "host": f"a{n}.example", "mode": "appeal",
            "device_id": "phone", "reason": f"number {n}", "time": 1790000000000 + n}


def test_each_appeal_arrives_once_in_both_stores(world):
    """Each round one part is killed, and one that was killed before comes back: up to three are away."""
    rng = random.Random(SEED)
    down, kills, began = [], dict.fromkeys(PARTS, 0), time.monotonic()
    for n in range(ROUNDS):
        name = rng.choice([p for p in PARTS if p not in down])
        before = rng.random() < 0.5
        if before and name != "proxyd":
            world.part(name).kill()
        world.proxyd.post(appeal(n))
        if not before or name == "proxyd":
            world.part(name).kill()
        kills[name] += 1
        down.append(name)
        while len(down) > rng.randrange(3) or "proxyd" in down:
            back = "proxyd" if "proxyd" in down else down[0]
            down.remove(back)
            world.start(back)
    for name in down:
        world.start(name)
    want = [uuid(n) for n in range(ROUNDS)]
    wait_until(lambda: world.proxyd.spooled() == 0, "the spool is empty", 120)
    wait_until(lambda: world.in_mariadb() == want, "MariaDB has them", 120)
    wait_until(lambda: set(world.directus.uuids()) == set(want), "Directus has them", 180)
    wait_until(lambda: not world.mariadb.sql("SELECT uuid FROM appeals WHERE directus_at IS NULL", "culvert"),
               "apid knows that Directus has them", 180)
    assert world.directus.uuids() == want
    assert world.in_mariadb() == want
    print(f"rounds {ROUNDS} seed {SEED}: kills {kills}; {len(want)} appeals once in MariaDB, once in Directus; "
          f"{time.monotonic() - began:.0f} s")
