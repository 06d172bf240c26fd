# SPDX-License-Identifier: GPL-3.0-or-later
"""Origins whose certificate or TLS is not in order: an error page with the reason, never content
(SPEC P2). With the build under test, and with the other TLS library's where it is built."""
import html
import ssl

import pytest
from certmaker import LEAF, Certificate, Maker
from proxylib import SITE, has_tls13

NOT_FOR_SERVERS = LEAF[:2] + ("extendedKeyUsage=clientAuth",)
ELSEWHERE = "permitted;DNS:elsewhere.example"


def _sign(maker, root):
    """host → (what the server shows, what the page says; "" for content)."""
    middle = maker.authority("Middle", root)
    nobody = maker.authority("Nobody")
    old_middle = maker.authority("Old Middle", root, days=(-20, -2))
    narrow = maker.authority("Narrow", root, ["nameConstraints=critical," + ELSEWHERE])
    soft = maker.authority("Narrow, not critical", root, ["nameConstraints=" + ELSEWHERE])
    without = maker.authority("Without", root, ["nameConstraints=critical,excluded;DNS:test.example"])
    fitting = maker.authority("Fitting", root, ["nameConstraints=critical,permitted;DNS:test.example"])
    clients = maker.authority("For Clients", root, ["extendedKeyUsage=clientAuth"])
    weak = maker.authority("Weak", root, key="rsa1024")
    strange = LEAF + ("1.2.3.4.5=critical,ASN1:UTF8String:strange",)
    alone = maker.leaf("self.test.example")
    cases = {
        "good": (middle, {}, [middle], ""),
        "rsa": (middle, {"key": "rsa"}, [middle], ""),
        "p384": (middle, {"key": "p384"}, [middle], ""),
        "wild": (middle, {"names": "DNS:*.test.example"}, [middle], ""),
        "past": (middle, {"days": (-9, -1)}, [middle], "certificate has expired"),
        "pastissuer": (old_middle, {}, [old_middle], "certificate has expired"),
        "future": (middle, {"days": (1, 9)}, [middle], "certificate is not valid yet"),
        "other": (middle, {"names": "DNS:elsewhere.example"}, [middle], "certificate is for another name"),
        "deep.wild": (middle, {"names": "DNS:*.test.example"}, [middle], "certificate is for another name"),
        "commonname": (middle, {"names": ""}, [middle], "certificate is for another name"),
        "untrusted": (nobody, {}, [nobody], "certificate is not signed by a trusted authority."),
        "incomplete": (middle, {}, [], "or its chain is incomplete"),
        "sha1": (middle, {"md": "sha1"}, [middle], "certificate has a weak signature (SHA-1"),
        "weak": (middle, {"key": "rsa1024"}, [middle], "certificate has a weak key"),
        "weakissuer": (weak, {}, [weak], "certificate has a weak key"),
        "client": (middle, {"ext": NOT_FOR_SERVERS}, [middle], "not made for servers (wrong usage)"),
        "clientissuer": (clients, {}, [clients], "not made for servers (wrong usage)"),
        "narrow": (narrow, {}, [narrow], "(name constraints)"),
        "soft": (soft, {}, [soft], "(name constraints)"),
        "without": (without, {}, [without], "(name constraints)"),
        "fitting": (fitting, {}, [fitting], ""),
        "strange": (middle, {"ext": strange}, [middle], "certificate has a critical extension"),
    }
    shown = {"self": (maker.bundle(alone), "certificate is self-signed")}
    for name, (issuer, more, above, reason) in cases.items():
        leaf = maker.leaf(name + ".test.example", issuer, **more)
        shown[name] = maker.bundle(leaf, *above), reason
    return {name + ".test.example": it for name, it in shown.items()}


def _context(bundle, ciphers="DEFAULT"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers + ":@SECLEVEL=0")  # such a server loads anything
    context.load_cert_chain(bundle)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Plain:
    """No TLS at all: any words are answered as web servers do."""

    @staticmethod
    def wrap_socket(conn, server_side):
        assert server_side and conn.recv(65536)
        conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        raise OSError("no TLS")


def _add_odd_servers(world, maker, root):
    """Origins at addresses of their own that speak TLS of one kind only; their requests are noted."""
    servers = {}
    for i, name in enumerate(("new", "old", "dhe", "plain")):
        host, address = name + "tls.test.example", "198.51.100.%d" % (41 + i)
        bundle = maker.bundle(maker.leaf(host, root, key="rsa"))
        context = _context(bundle, "DHE-RSA-AES256-GCM-SHA384" if name == "dhe" else "DEFAULT")
        if name == "new":
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        else:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1 if name == "old" else ssl.TLSVersion.TLSv1_2
        world.inet.run("ip", "addr", "add", address + "/32", "dev", "lo")
        world.dns.names[host] = [address]
        servers[name] = world._origin(world.inet_place, address, 443, Plain if name == "plain" else context)
    return servers


@pytest.fixture(scope="module")
def origins(world):
    """The bad origins, and what their pages say."""
    maker = Maker(world.dir)
    root = Certificate(world.dir / "internet.pem", world.dir / "internet.key")
    world.cases = _sign(maker, root)
    for host, (bundle, _) in world.cases.items():
        world.tls[host] = _context(bundle)
        world.dns.names[host] = [SITE]
    world.odd = _add_odd_servers(world, maker, root)
    return world


@pytest.fixture
def gateway(origins, build):
    origins.has_tls13 = has_tls13(build)
    return origins


def _is_error(r, title, reason):
    text = html.unescape(r.text)
    assert r.status == 502 and "<h1>%s</h1>" % title in text, r
    assert reason in text, text


HOSTS = ["past", "pastissuer", "future", "other", "deep.wild", "commonname", "untrusted", "incomplete", "self",
         "sha1", "weak", "weakissuer", "client", "clientissuer", "narrow", "soft", "without", "strange"]


@pytest.mark.parametrize("name", HOSTS)
def test_reason_is_named_and_nothing_is_asked(gateway, name):
    """P2: 502 with the reason, the second time too; the origin hears of no request."""
    host = name + ".test.example"
    before = [r for r in gateway.secure.requests if r.host == host]
    for _ in range(2):
        _is_error(gateway.get_secure("https://%s/" % host), "Certificate Error", gateway.cases[host][1])
    assert [r for r in gateway.secure.requests if r.host == host] == before == []


@pytest.mark.parametrize("name", ["good", "rsa", "p384", "wild", "fitting"])
def test_certificate_in_order_gives_content(gateway, name):
    """Also with constraints that allow the name; remembered, and with a session taken up again."""
    host = name + ".test.example"
    for _ in range(3):
        r = gateway.get_secure("https://%s/" % host)
        assert r.status == 200 and "This is " + host in r.text


def test_every_reason_is_tested(gateway):
    named = {n + ".test.example" for n in HOSTS}
    assert named == {host for host, (_, reason) in gateway.cases.items() if reason}


def test_good_name_does_not_vouch_for_a_bad_one(gateway):
    """The memory of a verified chain is for one name: the same chain under another is refused."""
    gateway.tls["other.test.example"], mine = gateway.tls["good.test.example"], \
        gateway.tls["other.test.example"]
    try:
        assert gateway.get_secure("https://good.test.example/").status == 200
        _is_error(gateway.get_secure("https://other.test.example/"), "Certificate Error",
                  "certificate is for another name")
    finally:
        gateway.tls["other.test.example"] = mine


def test_origin_of_tls_13_only(gateway):
    """Content where the library has TLS 1.3, else a page that names what is lacking."""
    r = gateway.get_secure("https://newtls.test.example/")
    if gateway.has_tls13:
        assert r.status == 200 and "This is newtls" in r.text
    else:
        _is_error(r, "No Secure Connection", "no common version of TLS (spoken here: 1.2)")
        assert not gateway.odd["new"].requests


@pytest.mark.parametrize("name, reason", [("old", "no common version of TLS"), ("dhe", "no common cipher"),
                                          ("plain", "the other side does not speak TLS")])
def test_what_both_sides_lack_is_named(gateway, name, reason):
    _is_error(gateway.get_secure("https://%stls.test.example/" % name), "No Secure Connection", reason)
    assert not gateway.odd[name].requests
