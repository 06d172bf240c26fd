# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting to a name with several addresses (RFC 8305), and only where the device may (SPEC P15)."""
import itertools
import socket

import pytest
from proxylib import DEAF, SITE, SITE6
from support.wait import wait_until

NOBODY = "198.51.100.200"  # answers with "unreachable"


def _syn_sent(world):
    return world.gw.run("ss", "-Htn", "state", "syn-sent")


def test_address_that_is_silent_does_not_hold_up_the_next(world):
    world.dns.names["slow.test.example"] = [DEAF, SITE]
    assert world.get("http://slow.test.example/").status == 200
    assert world.get_secure("https://slow.test.example/").status == 200


def test_losing_attempts_are_closed(world):
    world.dns.names["slow.test.example"] = [DEAF, SITE]
    assert world.get("http://slow.test.example/").status == 200
    wait_until(lambda: DEAF not in _syn_sent(world), "no attempt left")


def test_ipv6_is_tried_first(world):
    """It has a quarter of a second before IPv4 is tried too, which a busy machine may let go by."""
    numbers = itertools.count()

    def ipv4_is_left_alone():
        name = "dual%d.test.example" % next(numbers)  # none is connected to yet
        world.dns.names[name] = [SITE, SITE6]
        before = world.site.connections
        assert world.get("http://%s/" % name).status == 200
        return world.site.connections == before
    wait_until(ipv4_is_left_alone, "a connection by IPv6 alone")


def test_families_take_turns(world):
    """Three dead addresses of one family hold up less than they would in a row."""
    world.dns.names["turns.test.example"] = [
        "2001:db8:dead::1", "2001:db8:dead::2", "2001:db8:dead::3", SITE]
    world.inet.run("ip", "-6", "route", "replace", "blackhole", "2001:db8:dead::/48")
    assert world.get("http://turns.test.example/").status == 200


def test_address_that_refuses_is_followed_by_the_next(world):
    """Here: port 8181 is closed everywhere; the page comes when the last has refused."""
    world.dns.names["closed.test.example"] = [SITE, SITE6]
    assert world.get("http://closed.test.example:8181/", who="full").status == 502


def test_sixteen_addresses_are_bounded(world):
    """More silent addresses than are ever tried: an answer, and nothing is left."""
    world.dns.names["many.test.example"] = [DEAF] + [NOBODY] * 3 + ["198.51.100.%d" % i for i in range(201, 230)]
    assert world.get("http://many.test.example/").status in (502, 504)
    wait_until(lambda: not _syn_sent(world), "no attempt left")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_client_that_leaves_ends_the_attempts(new_world, scheme):
    """By a reset, or by its goodbye in TLS; whoever only says that he sends no more still waits."""
    w = new_world
    w.proxyd.stop()
    w.conf.write_text(w.conf.read_text().replace("connect_s = 2", "connect_s = 60"))
    w.start_proxyd()
    c = w.secure_to("deaf.test.example") if scheme == "https" else w.connect()
    c.send("GET %s/ HTTP/1.1\r\nHost: deaf.test.example\r\n\r\n" % ("" if scheme == "https" else "http://deaf.test.example"))
    wait_until(lambda: DEAF in _syn_sent(w), "an attempt")
    if scheme == "http":
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.close()
    wait_until(lambda: DEAF not in _syn_sent(w), "no attempt left")


def test_forbidden_addresses_are_never_tried(world):
    """P15: of four answers one is the Internet's."""
    before = (world.gw_connections(), world.lan_site.connections)
    world.dns.names["mix.test.example"] = ["127.0.0.1", "10.9.0.1", "10.77.0.5", "::1", SITE]
    assert world.get("http://mix.test.example/").status == 200
    world.dns.names["inside.test.example"] = ["127.0.0.1", "10.9.0.1", "10.77.0.5", "::1"]
    assert world.get("http://inside.test.example/").status == 403
    assert (world.gw_connections(), world.lan_site.connections) == before
