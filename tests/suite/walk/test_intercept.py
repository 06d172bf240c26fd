# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps' ports 80 and 443, redirected to the proxy: judged, proven, never passed by (F5, F8, P3, P18)."""
from concurrent.futures import ThreadPoolExecutor

import pytest

import walklib
from lablib import site_addresses
from support.wait import wait_until
from walklib import LAN, SITE, probe, refused_at_once

FAMILIES = pytest.mark.parametrize("family", (0, 1), ids=("v4", "v6"))
LISTED = "ads.listed.example"
# curl: the connection was refused; it was reset in the handshake, or while data was awaited.
REFUSED, RESET = 7, (35, 56)


def at(name, address):
    """curl's words for a name whose address the app knows without asking."""
    bracketed = "[%s]" % address if ":" in address else address
    return [w for port in (80, 443) for w in ("--resolve", "%s:%d:%s" % (name, port, bracketed))]


@FAMILIES
@pytest.mark.parametrize("host", ("phone", "laptop"))
def test_an_app_gets_its_site_under_the_site_s_own_certificate(lab, host, family):
    options = at("allowed.example", site_addresses("allowed.example")[family])
    for url in ("http://allowed.example/", "https://allowed.example/"):
        page = lab.curl(host, url, *options, ca=lab.file("internet-ca.pem"))
        assert page.status == 200 and "allowed.example" in page.text, page


@FAMILIES
def test_a_listed_site_is_refused_though_the_app_knows_its_address(lab, family):
    options = at(LISTED, site_addresses(LISTED)[family])
    assert lab.curl("phone", "https://%s/" % LISTED, *options).exit in RESET
    page = lab.curl("phone", "http://%s/" % LISTED, *options)
    assert page.status == 451, page
    # Where the list is off the same goes through.
    for scheme in ("http", "https"):
        assert lab.curl("laptop", "%s://%s/" % (scheme, LISTED), *options).status == 200


def test_an_allowed_name_does_not_reach_a_listed_site_s_server(lab):
    """The server of another site never sees the hello: the page is that of the name's own. Where HTTPS is judged in
    the path the first connection is reset, and the next one gets it."""
    elsewhere = at("allowed.example", site_addresses(LISTED)[0])
    page = lab.curl("phone", "https://allowed.example/", *elsewhere)
    if page.status == 0:
        page = lab.curl("phone", "https://allowed.example/", *elsewhere)
    assert page.status == 200 and "allowed.example" in page.text, page


@FAMILIES
def test_the_lan_is_not_redirected(lab, family):
    address = LAN[family]
    page = lab.curl("laptop", "http://%s/" % ("[%s]" % address if ":" in address else address))
    assert page.status == 200 and "lan" in page.text, page
    assert lab.curl("phone", "http://10.77.0.5/").exit == REFUSED


def test_the_ports_of_the_redirect_are_no_service(lab):
    refused_at_once(lab, "phone", *[("tcp", a, p) for a in ("10.9.0.1", "fd09::1") for p in (3128, 3129)])


def test_nothing_leaks_while_the_proxy_is_down(lab):
    """F8: connections are refused, at once, and other traffic goes on. In the path HTTPS does without proxyd, and
    listed names are refused there as ever."""
    lab.daemon("proxyd", "stop")
    try:
        for host in ("phone", "laptop"):
            probes = [("tcp", a, p) for a in SITE for p in (80, 443)]
            for one, (verdict, _) in probe(lab, host, *probes).items():
                if verdict == "open" and one[2] == 443:
                    assert lab.curl("phone", "https://%s/" % LISTED, *at(LISTED, one[1])).status == 0
                    probes.remove(one)
            refused_at_once(lab, host, *probes)
            walklib.await_ping(lab, host, SITE[0])
    finally:
        lab.daemon("proxyd", "start")
    wait_until(lambda: lab.curl("phone", "https://allowed.example/").status == 200, "back", 60)


def test_the_switch_for_the_browser_leaves_other_apps_alone(lab, seeded):
    """F7, P18: the explicit proxy answers a page, 80 is cut, 443 goes on."""
    def change(document):
        document["device_prefs"] = [p for p in document.get("device_prefs", []) if p["id"] != "device:phone"] + \
            [{"id": "device:phone", "offline_browser": True}]
    seeded(change)
    wait_until(lambda: lab.curl("phone", "http://allowed.example/", proxy=True).status == 451, "page")
    wait_until(lambda: probe(lab, "phone", ("tcp", SITE[0], 80))[("tcp", SITE[0], 80)][0] == "refused", "cut")
    assert lab.curl("phone", "https://allowed.example/", ca=lab.file("internet-ca.pem")).status == 200


def test_a_live_connection_ends_when_its_site_is_blocked(lab, seeded, tmp_path):
    """F9, through the tunnel: a download over TLS that nobody decrypts."""
    options = ["--limit-rate", "200k", "-o", str(tmp_path / "10m")]

    def change(document):
        document["sni_block"] = document.get("sni_block", []) + [{"id": "cut", "domain": "big.example"}]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lab.curl, "phone", "https://big.example/10m", *options)
        wait_until(lambda: (tmp_path / "10m").exists(), "begun")
        seeded(change)
        assert running.result(20).exit in (18, 35, 55, 56)
