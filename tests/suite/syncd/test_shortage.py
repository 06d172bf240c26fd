# SPDX-License-Identifier: GPL-3.0-or-later
"""syncd whose calls fail (S4, S5): memory, files, connections. What is in force stays, it lives and catches up."""
import itertools

import pytest

from faultlib import Faults
from support.wait import wait_until

KEPT = "kept.example"


@pytest.fixture
def faulty(gateway, web, dns):
    """(gateway, web, faults): list a from a file, list b of a server."""
    faults = Faults()
    dns.names["lists.test"] = "127.0.0.1"
    gateway.syncd.write("a.txt", "||%s^\n" % KEPT)
    web.page("/b.txt", "||b0.example^\n")
    gateway.sources(a="file:a.txt", b="https://lists.test:%d/b.txt" % web.port)
    gateway.syncd.start(env=faults.env)
    gateway.wait_blocked(KEPT, {"a"})
    gateway.wait_blocked("b0.example", {"b"})
    yield gateway, web, faults
    gateway.syncd.stop()
    faults.close()


class Work:
    """Both lists change; whatever set is published has what was there before."""

    def __init__(self, gateway, web):
        self.gateway, self.web, self.numbers = gateway, web, itertools.count(1)

    def is_in_force(self, *names):
        assert self.gateway.blocked(KEPT) == [{"a"}]
        return all(self.gateway.blocked(*names))

    def __call__(self):
        n = next(self.numbers)
        self.gateway.syncd.write("a.txt", "||%s^\n||a%d.example^\n" % (KEPT, n))
        self.web.page("/b.txt", "||b%d.example^\n" % n)
        self.gateway.apid.do("request", op="syncd.sync_now", args={}, tag="work")
        return lambda: self.is_in_force("a%d.example" % n)

    def is_well(self):
        n = next(self.numbers)
        self.gateway.syncd.write("a.txt", "||%s^\n||a%d.example^\n" % (KEPT, n))
        self.web.page("/b.txt", "||b%d.example^\n" % n)

        def ask():
            self.gateway.apid.do("request", op="syncd.sync_now", args={}, tag="well")
            return self.is_in_force("a%d.example" % n, "b%d.example" % n)
        wait_until(ask, "both lists")


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_an_allocation_that_fails_anywhere_ends_and_opens_nothing(faulty, count):
    """S4"""
    gateway, web, faults = faulty
    work = Work(gateway, web)
    faults.each("memory", count, gateway.syncd, work, work.is_well)


class DirectusWork:
    """A list of Directus' changes."""

    def __init__(self, gateway, directus):
        self.gateway, self.directus, self.n = gateway, directus, 0

    def is_in_force(self):
        return all(self.gateway.blocked("d%d.example" % self.n))

    def __call__(self):
        self.n += 1
        self.directus.update("maps", 1, url="d%d.example" % self.n)
        self.gateway.apid.do("request", op="syncd.directus_changed", args={}, tag="work")
        return self.is_in_force

    def is_well(self):
        """Without another change."""
        wait_until(self.is_in_force, "the newest text")


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_a_text_that_directus_gives_once_is_not_lost_with_memory(gateway, directus, policy, count):
    """S4"""
    faults = Faults()
    directus.add("maps", {"url": "d0.example"})
    policy.start(env=faults.env)
    gateway.wait_blocked("d0.example", {"maps"})
    work = DirectusWork(gateway, directus)
    faults.each("memory", count, gateway.syncd, work, work.is_well)
    gateway.syncd.stop()
    faults.close()


@pytest.mark.parametrize("count", [1, None], ids=["one", "all"])
def test_a_file_that_cannot_be_written_loses_no_list(faulty, count):
    """S5: no room, or an error of the disk"""
    gateway, web, faults = faulty
    work = Work(gateway, web)
    faults.each("file", count, gateway.syncd, work, work.is_well)
    wait_until(lambda: not list(gateway.syncd.dir.rglob("*.tmp*")), "no half a file")


def test_a_server_and_redis_that_cannot_be_reached_are_tried_again(faulty):
    """S4: refused, no address, no route, at once; what was fetched stays"""
    gateway, web, faults = faulty
    work = Work(gateway, web)
    before = faults.seen("connect")
    with faults.failing("connect", 1, None):
        gateway.request("syncd.sync_now")
        wait_until(lambda: gateway.lists()["b"].get("error"), "it is told")
        gateway.redis("CLIENT", "KILL", "USER", "syncd")
        wait_until(lambda: faults.seen("connect") > before + 6, "tries")
        assert gateway.blocked(KEPT, "b0.example") == [{"a"}, {"b"}]
        assert faults.seen("connect") < before + 400, "tries without a pause"
    work.is_well()
