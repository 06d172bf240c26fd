# SPDX-License-Identifier: GPL-3.0-or-later
"""Appeals through everything that can be killed (SPEC S5): each arrives once in MariaDB and once in Directus.

proxyd, to whose portal a device sends its forms, apid, syncd, Redis (which forgets everything) and MariaDB are
real; Directus is the stand-in (a real one: suite directus). CULVERT_CHAOS_ROUNDS (30) and CULVERT_CHAOS_SEED say
how long and in which order.
"""
import os

import chaoslib
import pytest

ROUNDS = int(os.environ.get("CULVERT_CHAOS_ROUNDS", "30"))
SEED = int(os.environ.get("CULVERT_CHAOS_SEED", "20261129"))


@pytest.fixture
def world(place, redis):
    one = chaoslib.World(place, redis)
    yield one
    one.close()


def test_each_appeal_arrives_once_in_both_stores(world):
    chaoslib.run(world, ROUNDS, SEED)
