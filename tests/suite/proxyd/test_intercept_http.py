# SPDX-License-Identifier: GPL-3.0-or-later
"""Intercepted HTTP: the Host is the site, judged by URL, proven by where its name leads (SPEC P3, P18)."""
import hashlib
import json

import interceptlib as lib
import pytest
from interceptlib import RAW
from proxylib import LAN, PROXY, SITE, SITE6


@pytest.fixture(scope="module", name="net")
def _net(world):
    lib.redirect(world)
    world.dns.names["allowed.example"] = [SITE, SITE6]
    world.inet.run("ip", "address", "replace", RAW, "dev", "lo")
    return world


def ask(net, host, who="internet", to=SITE, target="/", method="GET", **more):
    with lib.connect(net, who, to, 80) as c:
        return c.ask(method, target, host, **more)


@pytest.mark.parametrize("to", [SITE, SITE6])
def test_an_allowed_site_is_delivered(net, to):
    r = ask(net, "allowed.example", to=to)
    assert r.status == 200 and "allowed.example" in r.text


def test_curl_gets_the_site(net):
    done = net.client.run("curl", "-sS", "--interface", "10.9.0.3", "--resolve", "allowed.example:80:" + SITE,
                          "http://allowed.example/", "-w", "%{http_code}")
    assert done.endswith("200"), done


def test_a_body_goes_up_and_down(net):
    body = b"x" * 300000
    r = ask(net, "allowed.example", target="/echo", method="POST", body=body)
    assert r.status == 200 and json.loads(r.body)["sha256"] == hashlib.sha256(body).hexdigest()


def test_requests_of_one_connection_are_judged_one_by_one(net):
    with lib.connect(net, port=80) as c:
        for host, status in (("allowed.example", 200), ("ads.listed.example", 451), ("allowed.example", 200)):
            assert c.ask("GET", "/", host).status == status


@pytest.mark.parametrize("to", [SITE, SITE6])
def test_a_listed_site_gets_the_block_page(net, to):
    r = ask(net, "ads.listed.example", to=to)
    assert r.status == 451 and "Advertising" in r.text


def test_a_list_may_name_a_url(net):
    assert ask(net, "s3.test.example", target="/bad/thing").status == 451
    assert ask(net, "s3.test.example", target="/good").status == 200


def test_site_rules_act_on_apps_only_with_site_scope_all(net):
    assert ask(net, "blocked.example").status == 200
    assert ask(net, "unknown.example").status == 200
    net.change("devices", net.device("passing", site_scope="all", unknown_sites="block"))
    try:
        assert ask(net, "blocked.example", "passing").status == 451
        assert ask(net, "unknown.example", "passing").status == 451
        assert ask(net, "allowed.example", "passing").status == 200
    finally:
        net.change("devices", net.device("passing"))


def test_a_name_that_is_blocked_everywhere_is_blocked_here(net):
    net.change("sni_block", {"id": "s1.test.example", "domain": "s1.test.example"})
    assert ask(net, "s1.test.example").status == 451


def test_the_switch_for_the_browser_cuts_it(net):
    """P18, F7: with a page of why."""
    r = ask(net, "allowed.example", "offline_browser")
    assert r.status == 451
    assert lib.get(net, "allowed.example", "offline_browser").status == 200  # 443 goes on


def test_the_explicit_proxy_answers_the_switch_with_a_page(net):
    """P18."""
    r = net.get("http://allowed.example/", "offline_browser")
    assert r.status == 451 and "<html" in r.text
    r = net.get_secure("https://allowed.example/", "offline_browser")
    assert r.status == 451 and "<html" in r.text


def test_an_allowed_site_sent_elsewhere_is_delivered_to_its_own(net):
    with net.inet_place.listen(RAW, 80) as other:
        other.settimeout(0)
        assert ask(net, "allowed.example", to=RAW).status == 200
        assert ask(net, "allowed.example", to=LAN).status == 200
        with pytest.raises(BlockingIOError):
            other.accept()


@pytest.mark.parametrize("name", ["lan.test.example", "loop.test.example", "uplink.test.example", "link.test.example",
                                  "loop6.test.example", "mapped.test.example", "nat64.test.example"])
def test_a_name_leads_nowhere_that_the_profile_forbids(net, name):
    assert ask(net, name).status == 403


def test_an_address_as_the_host_leads_there_and_nowhere_else(net):
    assert ask(net, SITE).status == 200
    assert ask(net, SITE, to=RAW).status == 200
    assert ask(net, "[%s]" % SITE6, to=SITE6).status == 200
    assert ask(net, LAN).status == 403


def test_no_host_is_a_bad_request(net):
    with lib.connect(net, port=80) as c:
        c.send("GET / HTTP/1.1\r\n\r\n")
        assert c.read().status == 400
    with lib.connect(net, port=80) as c:
        c.send("GET / HTTP/1.0\r\n\r\n")
        assert c.read().status == 400


@pytest.mark.parametrize("host", ["allowed.example:8080", "allowed.example:443"])
def test_another_port_is_misdirected(net, host):
    assert ask(net, host).status == 421


def test_absolute_form_must_agree_with_the_host(net):
    assert ask(net, "allowed.example", target="http://allowed.example/").status == 200
    assert ask(net, "allowed.example", target="http://ads.listed.example/").status == 421
    assert ask(net, "ads.listed.example", target="http://allowed.example/").status == 421
    assert ask(net, "allowed.example", target="https://allowed.example/").status == 400


def test_it_is_no_proxy(net):
    assert ask(net, "allowed.example:443", target="allowed.example:443", method="CONNECT").status == 400


def test_what_is_not_http_is_refused(net):
    with lib.connect(net, port=80) as c:
        c.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        assert c.read().status == 400
    with lib.connect(net, port=80) as c:
        c.send(lib.hello(lib.sni("allowed.example")))
        assert c.read().status == 400


def test_an_unknown_device_is_refused(net):
    with lib.connect(net, "stranger", SITE, 80) as c:
        assert c.is_closed()


def test_who_comes_to_the_port_itself_is_refused(net):
    assert lib.is_turned_away(net, "internet", PROXY[0], 3128)
    assert lib.is_turned_away(net, "internet", "fd09::1", 3128)


def test_words_images_and_searches_are_for_the_browser(net):
    """P9 to P11 act in the explicit proxy: an app's data keep their bytes."""
    net.dns.names["www.bing.com"] = [SITE]
    net.publish("search_words", [{"id": "s1", "term": "secret"}])
    net.wait_applied("words", net.publish("words", [{"id": "w1", "term": "bing", "match": "contains"}]))
    net.change("devices", net.device("full", images="hide"))
    r = ask(net, "www.bing.com", "full", target="/search?q=secret")
    assert r.status == 200 and "This is www.bing.com" in r.text
    net.change("devices", net.device("full"))
    net.wait_applied("words", net.publish("words", []))
