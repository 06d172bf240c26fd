# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a device's profile lets proxyd connect: an admin's rules, rebinding, redirects, ports (SPEC P15)."""
import pytest
from proxylib import LAN, SITE, SITE6

KIOSK = [{"action": "block", "prefixes": [SITE6 + "/128"]},
         {"action": "allow", "prefixes": [SITE + "/32"], "protocols": ["tcp"], "ports": ["443", "8000-8100"]},
         {"action": "allow", "prefixes": [LAN + "/32"], "ports": ["80"]}]


def _status(world, url, who="internet"):
    get = world.get_secure if url.startswith("https:") else world.get
    return get(url, who=who).status


@pytest.fixture
def kiosk(world):
    """The device `passing` under a profile that an admin made."""
    world.change("profiles", {"id": "kiosk", "name": "kiosk", "rules": KIOSK})
    world.change("devices", world.device("passing", profile="kiosk"))
    yield world
    world.change("devices", world.device("passing"))


def test_profile_of_an_admin_holds_for_addresses_and_ports(kiosk):
    assert _status(kiosk, "https://allowed.example/", "passing") == 200
    assert _status(kiosk, "http://allowed.example/", "passing") == 403
    assert _status(kiosk, "http://lan.test.example/", "passing") == 200
    assert _status(kiosk, "https://six.test.example/", "passing") == 403
    assert _status(kiosk, "http://gw.test.example/", "passing") == 403
    # Let by the rules, and nobody is there.
    assert _status(kiosk, "http://allowed.example:8099/", "passing") == 502
    assert _status(kiosk, "http://allowed.example:8101/", "passing") == 403


def test_profile_that_nobody_defined_reaches_nothing(world):
    world.change("devices", world.device("passing", profile="nobodys"))
    try:
        assert _status(world, "http://allowed.example/", "passing") == 403
        assert _status(world, "http://lan.test.example/", "passing") == 403
    finally:
        world.change("devices", world.device("passing"))


def test_changed_profile_acts_on_connections_that_are_kept(kiosk):
    """The next request on the same connections, whose upstream ones are idle in the pool."""
    with kiosk.secure_to("allowed.example", who="passing") as c:
        assert c.ask("GET", "/echo", "allowed.example").status == 200
        kiosk.change("profiles", {"id": "kiosk", "name": "kiosk", "rules": KIOSK[2:]})
        assert c.ask("GET", "/echo", "allowed.example").status == 403
        kiosk.change("profiles", {"id": "kiosk", "name": "kiosk", "rules": KIOSK})
        assert c.ask("GET", "/echo", "allowed.example").status == 200
        # What cannot be understood is closed.
        kiosk.change("profiles", {"id": "kiosk", "name": "kiosk", "rules": [{"action": "allow", "ports": ["x"]}]})
        assert c.ask("GET", "/echo", "allowed.example").status == 403


def test_connection_of_one_device_is_no_way_for_another(world):
    """`full` has been in the LAN, and its connection is kept; `internet` may not go there."""
    with world.connect("full") as c:
        first = c.ask("GET", "http://lan.test.example/echo", "lan.test.example")
        assert _status(world, "http://lan.test.example/echo") == 403
        again = c.ask("GET", "http://lan.test.example/echo", "lan.test.example")
    assert first.status == again.status == 200
    assert first.get("X-Connection") == again.get("X-Connection")


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.9.0.1", LAN, "169.254.1.1", "::1", "fd77::5",
                                    "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::a4d:5", "2002:7f00:1::"])
def test_name_that_is_rebound_leads_nowhere(world, inside):
    """A name that had an address of the Internet has one inside a moment later."""
    world.dns.names["rebind.test.example"] = [SITE]
    with world.connect() as c:
        # Not kept upstream: each request asks for the name anew.
        url = "http://rebind.test.example/until-close"
        assert c.ask("GET", url, "rebind.test.example").status == 200
    world.dns.names["rebind.test.example"] = [inside]
    before = world.gw_connections() + world.lan_site.connections
    assert _status(world, "http://rebind.test.example/") == 403
    assert world.gw_connections() + world.lan_site.connections == before


@pytest.fixture
def inside(world):
    """A public name that leads into the LAN, which the device `full` may use."""
    world.dns.names.update({"inside.test.example": [LAN], "inside6.test.example": ["fd77::5"], "bank.example": [LAN]})
    yield "inside.test.example"
    world.dns.names["bank.example"] = [SITE]


def test_public_name_leads_into_no_lan_that_the_device_may_use(world, inside):
    """D7, P15: DNS tells the device nothing of it either; the address itself is reached."""
    before = world.lan_site.connections
    for who in ("full", "intranet"):
        for name in (inside, "inside6.test.example"):
            r = world.get("http://%s/" % name, who=who)
            assert r.status == 403 and "rebinding" in r.text, r
            assert _status(world, "https://%s/" % name, who) == 403
            c, r = world.tunnel(name + ":80", who)
            with c:
                assert c.ask("GET", "/", name).status == 403
    assert world.lan_site.connections == before
    assert _status(world, "http://%s/" % LAN, "full") == 200


def test_public_name_of_a_site_that_is_not_decrypted_leads_into_no_lan(world, inside):
    """The tunnel is a splice there: it is refused, or ends without a byte from inside."""
    before = world.lan_site.connections
    c, r = world.tunnel("bank.example:443", "full")
    with c:
        assert r.status == 403 or c.is_closed(), r
    assert world.lan_site.connections == before


def test_names_that_an_admin_lets_lead_into_the_lan(world, inside):
    """settings.rebind_exceptions, addresses among the records of the admin's own, and a DNS rule."""
    url = "http://%s/echo" % inside
    world.change("settings", {"id": "rebind_exceptions", "value": ["lan.test.example", inside]})
    with world.connect("full") as c:
        assert c.ask("GET", url, inside).status == 200
        world.change("settings", {"id": "rebind_exceptions", "value": ["lan.test.example"]})
        # What was kept is used no more.
        assert c.ask("GET", url, inside).status == 403
    world.change("dns_records", {"id": "nas", "name": inside, "type": "A", "value": LAN})
    assert _status(world, url, "full") == 200
    world.wait_applied("dns_records", world.publish("dns_records", []))
    assert _status(world, url, "full") == 403
    world.change("dns_rules", {"id": "nas", "pattern": inside, "match": "exact", "action": "allow", "scope": "device:full"})
    assert _status(world, url, "full") == 200
    assert _status(world, url, "intranet") == 403
    world.wait_applied("dns_rules", world.publish("dns_rules", []))
    assert _status(world, url, "full") == 403


@pytest.mark.parametrize("place", ["http://%s/" % LAN, "http://127.0.0.1/", "http://10.9.0.1:8080/", "http://gw.test.example/",
                                   "http://[::ffff:127.0.0.1]/", "http://lan.test.example/"])
def test_redirect_leads_nowhere_else(world, place):
    """A site of the Internet sends the browser inside."""
    world.site.routes["/away"] = world.secure.routes["/away"] = lambda r: r.answer(302, [("Location", place)])
    before = world.gw_connections() + world.lan_site.connections
    for scheme in ("http", "https"):
        done = world.curl("-L", "-g", "-o", "/dev/null", "-w", "%{http_code} %{num_redirects}",
                          scheme + "://allowed.example/away", number=8)
        assert done.stdout in (b"403 1", b"400 1"), done
    assert world.gw_connections() + world.lan_site.connections == before


@pytest.mark.parametrize("port, is_let", [(1, False), (22, False), (25, False), (443, False), (1023, False), (6667, False),
                                          (6000, False), (10080, False), (1024, True), (3000, True), (65535, True)])
def test_plain_http_asks_for_web_ports_only(world, port, is_let):
    assert _status(world, "http://allowed.example:%d/" % port) == (502 if is_let else 403)


@pytest.mark.parametrize("guard, refused, let", [("deny_tunnels", (1194, 9001, 9050), (3000, 5228)),
                                                 ("web", (1194, 3000, 8080), (5223, 5228))])
def test_ports_that_the_egress_guard_refuses_are_none_of_the_proxy_s(world, guard, refused, let):
    """F13: of plain HTTP, which has high ports; the firewall sees the proxy alone."""
    for who in ("passing", "full"):
        world.change("devices", world.device(who, egress=guard))
    try:
        assert _status(world, "http://lan.test.example:%d/" % refused[0], "full") == 502  # the LAN is the profile's
        assert [_status(world, "http://allowed.example:%d/" % port, "passing") for port in refused] == [403] * len(refused)
        assert [_status(world, "http://allowed.example:%d/" % port, "passing") for port in let] == [502] * len(let)
        for scheme in ("http", "https"):
            assert _status(world, scheme + "://allowed.example/", "passing") == 200
    finally:
        for who in ("passing", "full"):
            world.change("devices", world.device(who))


def test_ports_of_plain_http_are_configured(new_world):
    w = new_world
    w.proxyd.stop()
    w.conf.write_text(w.conf.read_text() + "http_ports = 80, 25\nhttp_high_ports = no\nnever = 198.51.100.8/29\n")
    w.start_proxyd(wait=False)
    w.wait_answer()
    assert _status(w, "http://s1.test.example:3000/") == 403
    w.dns.names["s1.test.example"] = ["198.51.100.10"]
    assert "configuration" in w.get("http://s1.test.example/").text
    w.dns.names["s1.test.example"] = [SITE6]
    assert _status(w, "http://s1.test.example:25/") == 502

@pytest.mark.parametrize("way", ["of an interface without a carrier", "by a route alone"])
def test_address_of_the_gateway_that_no_running_interface_has_is_not_reached(world, way):
    """The kernel takes what is sent there for its own all the same."""
    address = "192.0.2.77"
    gw = world.gw.run
    if way == "by a route alone":
        gw("ip", "route", "add", "local", address + "/32", "dev", "lo")
    else:
        gw("ip", "link", "add", "idle0", "type", "veth", "peer", "name", "idle1")
        gw("ip", "address", "add", address + "/32", "dev", "idle0")
        gw("ip", "link", "set", "idle0", "up")
    try:
        with world.gw_place.listen("0.0.0.0", 8090) as listener:
            listener.settimeout(0.2)
            r = world.get("http://%s:8090/" % address, who="passing")
            assert r.status == 403, r
            try:
                s, _ = listener.accept()
                assert s.recv(1) == b""  # nothing was sent
                s.close()
            except TimeoutError:
                pass
    finally:
        if way == "by a route alone":
            gw("ip", "route", "del", "local", address + "/32", "dev", "lo")
        else:
            gw("ip", "link", "del", "idle0")
