# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay by which chaos has packets overtake each other does that, in an order of its seed's, and loses none."""
from relay import DEPTH, HOLD_S, Way

COUNT = 1000


def _sent(seed, late, twice, count=COUNT):
    """What a way sends of so many numbers that arrive; nothing is held back too long."""
    out = []
    way = Way(seed, out.append)
    way.set(late, twice)
    for n in range(count):
        way.take(n, 0.0)
    way.set(0, 0)
    return out, way.seen


def test_without_a_fault_all_pass_in_their_order():
    assert _sent(1, 0, 0) == (list(range(COUNT)), {"passed": COUNT, "overtaken": 0, "twice": 0})


def test_some_are_overtaken_and_none_is_lost():
    sent, seen = _sent(1, 0.3, 0)
    assert sorted(sent) == list(range(COUNT))
    late = sum(n < max(sent[:at], default=0) for at, n in enumerate(sent))
    assert COUNT / 5 < late == seen["overtaken"] < COUNT / 2.5
    assert max(sum(later > n for later in sent[:at]) for at, n in enumerate(sent)) <= DEPTH


def test_some_come_twice():
    sent, seen = _sent(1, 0, 0.2)
    assert set(sent) == set(range(COUNT))
    assert len(sent) - COUNT == seen["twice"] and COUNT / 7 < seen["twice"] < COUNT / 3


def test_a_seed_is_an_order():
    assert _sent(1, 0.3, 0.1) == _sent(1, 0.3, 0.1) != _sent(2, 0.3, 0.1)


def test_what_nothing_overtakes_goes_after_a_moment():
    out = []
    way = Way(1, out.append)
    way.set(1.0, 0)
    way.take("alone", 5.0)
    assert way.release(5.0) == 5.0 + HOLD_S and not out
    assert way.release(5.0 + HOLD_S) is None and out == ["alone"] and way.seen["overtaken"] == 0
