# SPDX-License-Identifier: GPL-3.0-or-later
"""What fwd says of redirected connections whose name nobody can read (F6, F10)."""
import pytest

from feed import Reach
from support.network import TUNNEL
from table import WHERE, WHO


@pytest.fixture(name="reach", scope="module")
def _reach(world):
    with Reach(world.redis) as one:
        yield one


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("who,where,allowed", [
    ("full", "site", True), ("full", "listed", False), ("full", "listed_twice", False),
    ("full", "listed_for_nobody", True), ("list_off", "listed", True), ("list_off", "listed_twice", False),
    ("strict", "site", False), ("strict", "fed", True), ("strict", "fed_listed", False),
    ("stranger", "site", False)])
def test_as_the_rules_would_have_said(reach, who, where, allowed, family):
    source = TUNNEL[family] % WHO[who].number
    assert reach.is_allowed(source, WHERE[where].address[family]) is allowed


def test_a_wrong_address_is_told(reach):
    for args in ({"source": "phone", "address": "198.51.100.1"}, {"source": "10.9.0.2", "address": ""},
                 {"address": "198.51.100.1"}):
        assert not reach.ask(args)["ok"]
