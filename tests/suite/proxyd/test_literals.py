# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses in the place of names: what is known of addresses alone is asked of the firewall on every way (SPEC F6,
F10, P3, P13)."""
import interceptlib as lib
import pytest
from interceptlib import RAW, hello, sni
from proxylib import SITE, SITE6


@pytest.fixture(scope="module", name="net")
def _net(world):
    lib.redirect(world)
    world.dns.names["allowed.example"] = [SITE, SITE6]
    world.change("devices", world.device("passing", strict=True))
    return world


@pytest.fixture(scope="module", name="firewall")
def _firewall(net):
    return lib.firewall(net)


@pytest.fixture(name="allowing")
def _allowing(firewall):
    firewall.do("result", result={"allowed": True})
    firewall.drain()
    yield
    firewall.do("result", result={"allowed": False})
    firewall.drain()


@pytest.fixture(name="raw")
def _raw(net):
    with lib.Raw(net) as raw:
        yield raw


def ask(net, host, who="passing"):
    with lib.connect(net, who, SITE, 80) as c:
        return c.ask("GET", "/", host).status


# The second is the first as some libraries read it.
@pytest.mark.parametrize("name", [RAW, "198.51.100.020", "3325256724", "0xc6.51.100.20", "0xc6336414"])
def test_an_address_as_the_name_of_a_hello_is_none(net, raw, firewall, name):
    """It would make of an address that the firewall forbids a name that nobody has anything against."""
    assert lib.is_refused(net, name, "passing", RAW)
    assert raw.nobody_came()


def test_a_hello_with_an_address_as_its_name_goes_where_it_may(net, raw, firewall, allowing):
    with lib.connect(net, "passing", RAW) as c:
        c.send(hello(sni(RAW)))
        raw.accept().close()
    with lib.connect(net, "passing", RAW) as c:
        c.send(hello(sni(SITE)))  # the destination counts
        raw.accept().close()


def test_a_second_hello_with_an_address_as_its_name_passes_and_with_a_name_does_not(net, raw, firewall, allowing):
    for second, passes in ((RAW, True), ("allowed.example", False)):
        with lib.connect(net, "passing", RAW) as c:
            c.send(hello(sni(RAW)))
            with raw.accept() as server:
                lib.read_exactly(server, len(hello(sni(RAW))))
                retry = lib.server_hello(lib.RETRY)
                server.sendall(retry)
                assert lib.read_exactly(c.socket, len(retry)) == retry
                c.send(hello(sni(second)))
                if passes:
                    assert lib.read_exactly(server, len(hello(sni(second))))
                else:
                    assert lib.is_reset(c)


@pytest.mark.parametrize("host", [SITE, "[%s]" % SITE6])
def test_an_address_as_the_host_is_asked_of_the_firewall(net, firewall, host):
    assert ask(net, host) == 403
    assert net.get("http://%s/" % host, who="passing").status == 403
    assert ask(net, "allowed.example") == 200  # a name is not


def test_an_address_as_the_host_leads_where_the_firewall_lets_it(net, firewall, allowing):
    assert ask(net, SITE) == 200
    assert net.get("http://%s/" % SITE, who="passing").status == 200


def test_a_connection_of_one_device_to_an_address_is_none_for_a_strict_one(net, firewall):
    assert net.get("http://%s/" % SITE, who="full").status == 200  # it is kept
    assert net.get("http://%s/" % SITE, who="passing").status == 403
    assert ask(net, SITE) == 403


def test_the_decrypted_way_to_an_address_is_asked_for_too(net, firewall):
    assert net.get_secure("https://%s/" % SITE, who="passing", sni="").status == 403
