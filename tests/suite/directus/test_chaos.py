# SPDX-License-Identifier: GPL-3.0-or-later
"""Appeals through everything that can be killed, Directus among it (SPEC S5). CULVERT_CHAOS_ROUNDS says how long."""
import os

import chaoslib

ROUNDS = int(os.environ.get("CULVERT_CHAOS_ROUNDS", "20"))
SEED = int(os.environ.get("CULVERT_CHAOS_SEED", "20261130"))


def test_each_appeal_arrives_once_in_both_stores(world):
    chaoslib.run(world, ROUNDS, SEED)
