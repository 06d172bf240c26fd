# SPDX-License-Identifier: GPL-3.0-or-later
"""A website's own name that is an alias of a listed one (SPEC D7): dnsd saw to it, and who has the proxy ask DNS got
the listed one."""
import concurrent.futures

import interceptlib as lib
import pytest
from interceptlib import RAW_NAME

LISTED = "ads.listed.example."
NAMES_MAX = 4096  # that proxyd remembers
NAME, CLEAN = "s21.test.example", "s22.test.example"


@pytest.fixture(scope="module", name="net")
def _net(world):
    lib.redirect(world)
    world.dns.aliases.update({NAME: ["edge.s21.example.", LISTED], CLEAN: ["edge.s22.example."],
                              "bank.example": [LISTED], RAW_NAME: ["X." + LISTED.upper()]})
    world.change("websites", world.website(RAW_NAME, "education"))
    world.change("device_prefs", {"id": "device:full", "lists_off": ["adblock"]})
    return world


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_alias_of_a_listed_name_is_refused(net, scheme):
    def status(name, who):
        url = "%s://%s/" % (scheme, name)
        return (net.get if scheme == "http" else net.get_secure)(url, who=who).status
    assert status(CLEAN, "internet") == 200
    # Also by the connection that another device has left, whose list is off.
    assert [status(NAME, who) for who in ("full", "internet", "full")] == [200, 403, 200]


@pytest.fixture
def kept(net):
    """A device without the list has left a connection to NAME."""
    assert net.get("http://%s/" % NAME, who="full").status == 200
    yield
    net.names()


def test_an_alias_that_is_not_answered_any_more_is_one_still(net, kept):
    """D7: by a connection that another device has left, of a name whose servers have failed since."""
    net.dns.names[NAME] = "fail"
    assert [net.get("http://%s/" % NAME).status for _ in range(3)] == [502] * 3
    assert net.get("http://%s/" % NAME, who="full").status == 200


def test_an_alias_that_is_forgotten_is_asked_for_again(net, kept):
    """D7: who asks for thousands of names makes proxyd forget, and takes over no connection of whom it let through."""
    def ask(part):
        names = ["n%d-%d.test.example" % (part, i) for i in range(NAMES_MAX // 16 + 1)]
        with net.connect() as c:
            return {c.ask("GET", "http://%s/" % name, name).status for name in names}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set.union(*pool.map(ask, range(16))) == {502}
    assert net.get("http://%s/" % NAME).status == 403


def test_a_tunnel_to_an_alias_of_a_listed_name_is_refused(net):
    for who, status in ("internet", 403), ("full", 200):
        c, r = net.tunnel("bank.example:443", who)
        c.close()
        assert r.status == status


def test_a_hello_for_an_alias_of_a_listed_name_is_refused(net):
    """By an address that the app has without DNS."""
    assert lib.is_refused(net, NAME)
    with lib.tls(net, NAME, "full") as c:
        assert c.ask("GET", "/", NAME).status == 200


def test_an_admin_s_word_on_the_name_stands_above_the_list_of_its_alias(net):
    net.change("site_overrides", {"id": "a1", "device": "internet", "pattern": NAME, "match": "exact", "action": "allow"})
    try:
        assert net.get_secure("https://%s/" % NAME).status == 200
    finally:
        net.wait_applied("site_overrides", net.publish("site_overrides", []))
    assert net.get_secure("https://%s/" % NAME).status == 403


def test_what_is_open_ends_when_the_list_of_its_alias_is_switched_on(net):
    with lib.Raw(net) as raw:
        c, server = lib.open_raw(net, raw, who="full")
        with c, server:
            net.change("device_prefs", {"id": "device:full"})
            try:
                assert lib.is_over(server)
            finally:
                net.change("device_prefs", {"id": "device:full", "lists_off": ["adblock"]})
