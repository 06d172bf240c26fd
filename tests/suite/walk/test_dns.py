# SPDX-License-Identifier: GPL-3.0-or-later
"""What devices may resolve, whomever they ask (SPEC D1 to D4, D8, F3, F4, S4)."""
import time

import pytest

import walklib
from lablib import site_addresses
from support.wait import wait_until
from walklib import fresh, refused_at_once

LISTED = ("93.184.216.20", "2606:2800:220:1::20")
KINDS = pytest.mark.parametrize("kind,null,real", (
    ("A", "0.0.0.0", LISTED[0]), ("AAAA", "::", LISTED[1])))


@KINDS
@pytest.mark.parametrize("server", ("10.9.0.1", "fd09::1"))
def test_a_listed_name_is_null_and_an_allowed_one_resolves(lab, server, kind, null, real):
    answer = lab.dig("phone", "ads.listed.example", kind, server=server)
    assert (answer.status, answer.addresses) == ("NOERROR", [null])
    assert answer.ede == 15 or answer.ede == 17
    want = site_addresses("allowed.example")[kind == "AAAA"]
    assert lab.dig("phone", "allowed.example", kind, server=server).addresses == [want]


def test_another_type_of_a_listed_name_is_empty(lab):
    answer = lab.dig("phone", "ads.listed.example", "TXT")
    assert (answer.status, answer.records) == ("NOERROR", [])


@KINDS
@pytest.mark.parametrize("order", (("phone", "laptop"), ("laptop", "phone")))
def test_the_list_is_off_on_laptop_whichever_asks_first(lab, order, kind, null, real):
    """D3: policy acts after the shared cache."""
    name = fresh("listed.example")
    for _ in range(2):
        for host in order:
            want = null if host == "phone" else real
            assert lab.dig(host, name, kind).addresses == [want], host


@pytest.mark.parametrize("transport", ((), ("+tcp",)), ids=("udp", "tcp"))
@pytest.mark.parametrize("server", (
    "1.1.1.1", "8.8.8.8", "9.9.9.9", "10.77.0.5", "2606:4700:4700::1111", "2001:4860:4860::8888",
    "2620:fe::fe"))
def test_any_other_server_is_answered_by_dnsd(lab, server, transport):
    names = fresh("listed.example"), fresh("fresh.example")
    assert lab.dig("phone", names[0], "A", *transport, server=server).addresses == ["0.0.0.0"]
    assert lab.dig("phone", names[1], "A", *transport, server=server).addresses == [
        "93.184.216.10"]
    assert lab.dns_queries(names[0]) == []
    # What reached the Internet was dnsd's own, over TLS.
    assert {q["transport"] for q in lab.dns_queries(names[1])} == {"dot"}


def test_dns_over_https_is_refused(lab):
    targets = [("tcp", a, 443) for a in ("1.1.1.1", "8.8.8.8", "9.9.9.9", "2606:4700:4700::1111",
                                         "2001:4860:4860::8888")]
    for host in ("phone", "laptop"):
        refused_at_once(lab, host, *targets)
    assert lab.dig("phone", "dns.google").addresses == ["0.0.0.0"]


@pytest.mark.parametrize("kind", ("A", "AAAA", "TXT", "HTTPS"))
@pytest.mark.parametrize("name", (
    "use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com", "mask-canary.icloud.com",
    "mask-api.icloud.com"))
def test_canaries_do_not_exist(lab, name, kind):
    assert lab.dig("phone", name, kind).status == "NXDOMAIN"


def test_resolver_discovery_is_empty(lab):
    answer = lab.dig("phone", "_dns.resolver.arpa", "SVCB")
    assert (answer.status, answer.records) == ("NOERROR", [])


def test_a_name_that_does_not_exist_does_not(lab):
    assert lab.dig("phone", fresh("nowhere.example")).status == "NXDOMAIN"


def test_without_dnsd_nothing_resolves(lab):
    """D8; F8: no other way opens."""
    lab.daemon("dnsd", "kill")
    try:
        for server in ("10.9.0.1", "fd09::1", "8.8.8.8", "2001:4860:4860::8888"):
            for transport in ((), ("+tcp",)):
                for name in ("allowed.example", fresh("fresh.example"), fresh("listed.example")):
                    answer = lab.dig("phone", name, "A", *transport, server=server, seconds=1)
                    assert answer.status is None, (server, transport, name)
                    assert answer.records == []
    finally:
        lab.daemon("dnsd", "start")
    assert wait_until(lambda: lab.dig("phone", fresh("fresh.example"), seconds=1).addresses,
                      "resolves again") == ["93.184.216.10"]
    assert lab.dig("phone", fresh("listed.example")).addresses == ["0.0.0.0"]
    assert lab.dig("laptop", fresh("listed.example")).addresses == [LISTED[0]]


def test_a_changed_list_is_in_force_soon(lab, evidence):
    """S3, S4: under a second; asserted with the usual room."""
    path = lab.places.in_run("lists", "adblock.txt")
    with open(path, encoding="utf-8") as src:
        before = src.read()
    name = fresh("fresh.example")
    assert lab.dig("phone", name).addresses == ["93.184.216.10"]
    seconds = []
    try:
        for text, want in ((before + "||%s^\n" % name, "0.0.0.0"), (before, "93.184.216.10")):
            walklib.write_file(path, text)
            start = time.monotonic()
            wait_until(lambda w=want: lab.dig("phone", name, seconds=1).addresses == [w],
                       "list change: " + want, 10)
            seconds.append(time.monotonic() - start)
    finally:
        walklib.write_file(path, before)
    with open(evidence + "/walk-list-change.txt", "w", encoding="ascii") as out:
        out.write("name added to a list file, blocked after %.3f s\n"
                  "name taken off it, resolves after %.3f s\n" % tuple(seconds))
    lab.settle()
