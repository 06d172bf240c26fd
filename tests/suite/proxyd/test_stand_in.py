# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not decrypted leads where the device's own DNS would lead it (SPEC D5, P3): connections were made to a
name's own addresses, so that SafeSearch of DNS held for nobody whose connections are judged by name."""
import interceptlib as lib
import pytest
from interceptlib import RAW
from proxylib import SITE

SEARCH = "www.google.com"
RESTRICTED = "forcesafesearch.google.com"


@pytest.fixture(scope="module", name="net")
def _net(world):
    lib.redirect(world)
    world.change("websites", world.website(SEARCH, "banking"))  # CONNECT passes undecrypted
    world.change("devices", world.device("internet", safe_search={"google": True}))
    return world


@pytest.fixture(scope="module", name="raw")
def _raw(net):
    with lib.Raw(net) as raw:
        net.dns.names.update({SEARCH: [SITE], RESTRICTED: [RAW]})
        yield raw


def arrives(c, raw, name):
    """The hello comes to the restricted form, under the name that was asked for."""
    sent = lib.hello(lib.sni(name))
    c.send(sent)
    with raw.accept() as server:
        return lib.read_exactly(server, len(sent)) == sent


@pytest.mark.parametrize("to", [SITE, RAW], ids=["its own address", "the one that DNS told"])
def test_a_hello_of_a_restricted_search_leads_to_the_restricted_form(net, raw, to):
    with lib.connect(net, to=to) as c:
        assert arrives(c, raw, SEARCH)


def test_a_tunnel_of_a_restricted_search_leads_to_the_restricted_form(net, raw):
    c, r = net.tunnel(SEARCH + ":443")
    with c:
        assert r.status == 200
        assert arrives(c, raw, SEARCH)


def test_who_is_not_restricted_gets_the_name_itself(net, raw):
    with lib.connect(net, "full") as c:
        c.send(lib.hello(lib.sni(SEARCH)))
        assert c.socket.recv(1) in (b"\x15", b"\x16")
    assert raw.nobody_came()


@pytest.mark.parametrize("answer", [RAW, "raw.test.example", RAW + ", 198.51.100.77"])
def test_a_hello_leads_to_what_a_dns_rule_answers(net, raw, answer):
    """D4: an admin's rule gives its device another address, or an alias."""
    name = "s11.test.example"
    rule = {"id": "r1", "pattern": name, "action": "allow", "answer": answer, "scope": "device:internet"}
    net.change("dns_rules", rule)
    try:
        with lib.connect(net, to=RAW) as c:
            assert arrives(c, raw, name)
        with lib.tls(net, name, "full") as c:
            assert c.ask("GET", "/", name).status == 200
    finally:
        net.wait_applied("dns_rules", net.publish("dns_rules", []))


@pytest.mark.parametrize("how", ["hello", "tunnel"])
def test_what_is_open_ends_when_it_would_lead_elsewhere(net, raw, how):
    """F9: a search that is restricted from now on."""
    net.change("devices", net.device("internet"))
    net.dns.names[SEARCH] = [RAW]
    try:
        c = lib.connect(net, to=RAW) if how == "hello" else net.tunnel(SEARCH + ":443")[0]
        with c:
            c.send(lib.hello(lib.sni(SEARCH)))
            with raw.accept() as server:
                assert server.recv(5)
                net.change("devices", net.device("internet", safe_search={"google": True}))
                assert lib.is_over(server)
    finally:
        net.dns.names[SEARCH] = [SITE]
        net.change("devices", net.device("internet", safe_search={"google": True}))
