# SPDX-License-Identifier: GPL-3.0-or-later
"""What dnsd has answered is used again while it holds, and no longer (SPEC P3)."""
import concurrent.futures

import pytest
from proxylib import SITE
from support.wait import wait_until


@pytest.fixture(name="dns")
def _dns(world):
    world.dns.ttl = 60
    yield world.dns
    world.dns.ttl = 0


def fresh(world, number):
    """A page of a site that is asked for over a new connection."""
    world.site.hang_up()
    return world.get("http://s%d.test.example/close" % number).status


def asked(dns, number):
    return dns.asked.count("s%d.test.example" % number)


def close(request):
    request.answer(headers=[("Connection", "close")], body="bye")
    return False


def test_an_answer_is_used_again_while_it_holds(world, dns):
    world.site.routes["/close"] = close
    assert fresh(world, 11) == 200
    before = asked(dns, 11)
    assert before
    for _ in range(5):
        assert fresh(world, 11) == 200
    assert asked(dns, 11) == before


def test_an_answer_without_a_time_is_asked_for_again(world):
    world.site.routes["/close"] = close
    assert fresh(world, 12) == 200
    before = asked(world.dns, 12)
    assert fresh(world, 12) == 200
    assert asked(world.dns, 12) > before


def test_an_answer_ends_with_its_time(world, dns):
    world.site.routes["/close"] = close
    dns.ttl = 1
    assert fresh(world, 13) == 200
    before = asked(dns, 13)
    wait_until(lambda: fresh(world, 13) == 200 and asked(dns, 13) > before, "asked again")


def test_a_name_that_is_not_there_is_asked_for_again_soon(world, dns):
    assert world.get("http://later.test.example/").status == 502
    dns.names["later.test.example"] = [SITE]
    wait_until(lambda: world.get("http://later.test.example/").status == 200, "found")


def test_who_asks_at_once_waits_for_one_answer(world, dns):
    world.site.routes["/close"] = close
    before = asked(dns, 14)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        pages = pool.map(lambda _: world.get("http://s14.test.example/close").status, range(8))
        assert set(pages) == {200}
    assert asked(dns, 14) - before <= 4  # two families, and who came after the answer
