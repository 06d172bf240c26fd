# SPDX-License-Identifier: GPL-3.0-or-later
"""CONNECT to an address that a name of mitm_ignore has (SPEC P13, C1: MITM_IGNORE_RESOLVE)."""
import os
import ssl

import pytest
from proxylib import SITE

from support.wait import wait_until

NAME = "app.example"
RULES = {"app.example": "education", "evil.example": "gambling"}


@pytest.fixture(scope="module", name="net")
def _net(world):
    world.dns.names.update(dict.fromkeys(RULES, [SITE]))
    # The tests refuse our certificate more often than an app that is to be let through.
    world.conf.write_text(world.conf.read_text() + "pinned_after = 0\n")
    world.proxyd.stop()
    world.start_proxyd()
    for name, category in RULES.items():
        world.change("websites", world.website(name, category))
    return world


@pytest.fixture(autouse=True)
def _none(net):
    yield
    net.wait_applied("mitm_ignore", net.publish("mitm_ignore", []))


def ignore(net, *names):
    net.wait_applied("mitm_ignore", net.publish("mitm_ignore", [{"id": n, "domain": n} for n in names]))


def passes(net, host=SITE, who="internet", sni=""):
    """Is it the website's own certificate that comes, undecrypted?"""
    try:
        c, r = net.tunnel("%s:443" % host, who)
        context = ssl.create_default_context(cafile=str(net.dir / "internet.pem"))
        context.check_hostname = False
        with c:
            if r.status != 200:
                return False
            tls = type(c)(context.wrap_socket(c.socket, server_hostname=sni or None))
            return tls.ask("GET", "/", "allowed.example").status == 200
    except (OSError, EOFError):
        return False


def is_decrypted(net):
    """The website's certificate is for no address: a page of ours says so."""
    return net.get_secure("https://%s/" % SITE, sni="").status == 502


def known(net, count):
    wait_until(lambda: net.status().get("ignored_addresses") == count, "addresses in %r" % net.status())


def test_an_address_of_an_ignored_name_passes_undecrypted(net):
    assert not passes(net)
    assert is_decrypted(net)
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")


def test_another_address_is_decrypted(net):
    net.dns.names[NAME] = ["198.51.100.11"]
    ignore(net, NAME)
    known(net, 1)
    assert not passes(net)
    net.dns.names[NAME] = [SITE]


def test_a_name_goes_by_its_name_alone(net):
    """It has the address of one that is ignored, as all of one provider's may."""
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")
    assert not passes(net, "www.allowed.example", sni="www.allowed.example")
    assert net.get_secure("https://www.allowed.example/").status == 200


def test_a_hello_for_another_name_does_not_pass_with_the_address(net):
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")
    for name in ("evil.example", "www.allowed.example"):
        assert not passes(net, sni=name)


def test_a_blocked_address_stays_blocked(net):
    """It is never weaker than a block."""
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")
    net.change("site_overrides", {"id": "o1", "device": "internet", "pattern": SITE, "match": "exact",
                                  "action": "block"})
    assert not passes(net)
    assert net.get_secure("https://%s/" % SITE, sni="").status == 451
    assert passes(net, who="full")
    net.wait_applied("site_overrides", net.publish("site_overrides", []))


@pytest.mark.parametrize("names", [("evil.example",), (NAME, "evil.example")])
def test_the_address_of_a_blocked_name_does_not_pass(net, names):
    ignore(net, *names)
    known(net, len(names))
    assert not passes(net)


def test_a_walled_device_gets_nothing_by_an_address(net):
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")
    assert not passes(net, who="walled")
    assert not passes(net, who="offline_browser")


def test_an_address_that_has_paths_of_its_own_is_decrypted(net):
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")
    rule = {"id": "paths", "pattern": SITE + "/bad", "match": "startswith", "category": "gambling",
            "status": "approved"}
    net.change("websites", rule)
    assert not passes(net)
    net.apid.do("del", topic="websites", id="paths")
    net.apid.flush("websites")


def test_the_address_passes_no_more_when_the_name_is_not_ignored_any_more(net):
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")
    c, _ = net.tunnel("%s:443" % SITE)
    with c:
        ignore(net)
        assert c.is_closed()  # what was open is cut
    assert not passes(net)


def test_an_address_that_the_name_has_no_more_is_decrypted(net):
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")
    net.dns.names[NAME] = "none"
    wait_until(lambda: not passes(net), "decrypted")
    net.dns.names[NAME] = [SITE]


def test_addresses_are_kept_while_the_resolver_fails(net):
    ignore(net, NAME)
    wait_until(lambda: passes(net), "passes")
    net.dns.names[NAME] = "fail"
    asked = net.dns.asked.count(NAME)
    wait_until(lambda: net.dns.asked.count(NAME) > asked + 1, "asked again")
    assert passes(net)
    net.dns.names[NAME] = [SITE]


def test_the_knob_of_the_environment_switches_it_off(net):
    net.proxyd.stop()
    net.start_proxyd(env={**os.environ, "MITM_IGNORE_RESOLVE": "no"})
    ignore(net, NAME)
    assert "ignored_addresses" not in net.status()
    assert not passes(net)
    assert is_decrypted(net)
