# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways round the filter, each tried from the lab's phone; deploy/doc/trust.md lists them, with those that other
suites try."""
import copy
import json
import os
import socket
import ssl
import struct
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import walklib
import wayslib as ways
from interceptlib import ECH, extension, hello, sni
from lablib import site_addresses
from quiclib import initial
from support.wait import wait_until
from walklib import LAN, SITE, fresh, probe
from wayslib import LISTED, Packets, asked_upstream, reached, site, talk

# Undecrypted HTTPS goes either way. What is "inline" is judged in the path where the lab has one, else spliced, too.
HAS_PATH = os.environ.get("LAB_PATH") == "yes"
_WAYS = [("inline", 0), ("splice", 1)] + ([("inline", 1), ("splice", 0)] if HAS_PATH else [])
WAYS = pytest.mark.parametrize("https_path, family", _WAYS, indirect=["https_path"],
                               ids=["%s v%d" % (path, 6 if family else 4) for path, family in _WAYS])
FAMILIES = pytest.mark.parametrize("family", (0, 1), ids=("v4", "v6"))
OTHER_RESOLVERS = (("8.8.8.8", "1.1.1.1"), ("2001:4860:4860::8888", "2606:4700:4700::1111"))
OPEN = "<h1>%s</h1>"
CURL_NOT_CONNECTED = 7


def refused(lab, *probes, host="phone"):
    walklib.refused_at_once(lab, host, *probes)


# ---- DNS ----

SPELLINGS = ("ADS.LISTED.EXAMPLE", "aDs.LiStEd.ExAmPlE.", "\\097ds.listed.example", "a.b.c.d.listed.example",
             "_443._tcp.listed.example", "*.listed.example", "xn--e1afmkfd.listed.example")


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_listed_name_in_another_spelling(lab, name):
    begun = time.time()  # the laptop, whose list is off, may have asked before
    assert lab.dig("phone", name).addresses == ["0.0.0.0"]
    assert lab.dig("phone", name, "AAAA").addresses == ["::"]
    for kind in ("HTTPS", "TXT", "ANY", "TYPE65280"):
        assert lab.dig("phone", name, kind).records == [], kind
    assert not asked_upstream(lab, name.replace("\\097", "a"), begun)


def _odd_questions(name):
    plain = walklib.question(7, name, 1)
    tail = plain[12:]
    yield "class CH", plain[:-2] + b"\0\3"
    yield "class ANY", plain[:-2] + b"\0\xff"
    yield "two questions", struct.pack("!HHHHHH", 7, 0x100, 2, 0, 0, 0) + walklib.question(7, "allowed.example", 1)[12:] + tail
    for opcode in (1, 2, 4, 5, 6):
        yield "opcode %d" % opcode, struct.pack("!HHHHHH", 7, opcode << 11 | 0x100, 1, 0, 0, 0) + tail
    yield "an answer", struct.pack("!HHHHHH", 7, 0x8180, 1, 0, 0, 0) + tail
    yield "by a pointer", walklib.question(7, "a", 1)[:12] + b"\3ads\xc0\x16\0\1\0\1" + b"\6listed\7example\0"
    yield "with something behind it", plain + b"\0" * 30


def _throw(server, messages):
    answers = []
    for message in messages:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.sendto(bytes.fromhex(message), (server, 53))
            try:
                answers.append(s.recv(4096).hex())
            except OSError:
                answers.append("")
    return answers


def test_a_listed_name_in_an_odd_question(lab):
    name = fresh("listed.example")
    questions = dict(_odd_questions(name))
    answers = lab.hosts["phone"].call(_throw, "8.8.8.8", [q.hex() for q in questions.values()])
    wanted = socket.inet_aton(site("listed.example")).hex()
    for what, answer in zip(questions, answers):
        assert wanted not in answer, what
    assert not asked_upstream(lab, name)


@FAMILIES
@pytest.mark.parametrize("transport", ((), ("+tcp",)), ids=("udp", "tcp"))
def test_dns_of_another_resolver(lab, family, transport):
    for server in OTHER_RESOLVERS[family] + (site("allowed.example", family), "10.9.0.1"):
        name = fresh("listed.example")
        assert lab.dig("phone", name, "A", *transport, server=server).addresses == ["0.0.0.0"], server
        assert not asked_upstream(lab, name)


def _in_pieces(packets, data, target, form):
    udp = packets.udp(target, 53, data)
    if form == "fragments":
        return packets.fragments(target, udp)
    if form == "fragments backwards":
        return packets.fragments(target, udp)[::-1]
    if ":" not in target:
        return [packets.ip(target, 17, udp, options=b"\x94\x04\0\0")]  # router alert
    return [packets.ip(target, 60, udp, bytes([17, 0, 1, 4, 0, 0, 0, 0]))]  # destination options


@FAMILIES
@pytest.mark.parametrize("form", ("fragments", "fragments backwards", "options"))
def test_dns_in_odd_packets(lab, family, form):
    """None reaches a resolver as it is; over the gateway an allowed one does."""
    packets, target = Packets(lab, "phone"), OTHER_RESOLVERS[family][0]
    bad, good = fresh("listed.example"), fresh("fresh.example")
    for name in (bad, good):
        packets.send(_in_pieces(packets, walklib.question(9, name, 1), target, form))
    asked = ways.await_upstream(lab, good)
    assert {q["transport"] for q in asked} == {"dot"}
    assert not asked_upstream(lab, bad)


def test_dns_in_the_name_of_another_device(lab):
    """The laptop has the list off: WireGuard knows whose address is whose."""
    bad, good = fresh("listed.example"), fresh("fresh.example")
    forged, own = Packets(lab, "phone", source="laptop"), Packets(lab, "phone")
    for target in ("10.9.0.1", "fd09::1"):
        forged.send([forged.ip(target, 17, forged.udp(target, 53, walklib.question(3, bad, 1)))])
    own.send([own.ip("10.9.0.1", 17, own.udp("10.9.0.1", 53, walklib.question(3, good, 1)))])
    ways.await_upstream(lab, good)
    assert not asked_upstream(lab, bad)


@FAMILIES
def test_dns_over_tls_and_quic(lab, family):
    refused(lab, *[(kind, address, 853) for kind in ("tcp", "udp")
                   for address in OTHER_RESOLVERS[family] + (site("allowed.example", family),)])


@FAMILIES
def test_dns_over_https_by_address(lab, family):
    refused(lab, *[("tcp", address, 443) for address in OTHER_RESOLVERS[family]])


@pytest.mark.parametrize("name", ("dns.google", "one.one.one.one", "cloudflare-dns.com", "mozilla.cloudflare-dns.com"))
def test_dns_over_https_by_name(lab, name):
    assert lab.dig("phone", name).addresses in (["0.0.0.0"], [])
    assert not reached(lab, "phone", hello(sni(name)), site("allowed.example"))
    page = lab.curl("phone", "https://%s/dns-query?dns=AAABAAABAAAAAAAAB2FsbG93ZWQHZXhhbXBsZQAAAQAB" % name, proxy=True)
    assert page.status in (0, 403, 451), page


# By HTTP/1.1 where there is a body: curl 7.88 loses an answer of HTTP/2 that comes before it has sent that (RFC 9113 8.1).
@pytest.mark.parametrize("options", (
    ("--http1.1", "-H", "Content-Type: application/dns-message", "--data-binary", "x"),
    ("-H", "Accept: application/dns-message"), ("-H", "Accept: APPLICATION/DNS-Message;q=1")), ids=("POST", "GET", "case"))
def test_dns_over_https_at_an_allowed_site(lab, options):
    before = ways.origin_saw(lab, "allowed.example")
    page = lab.curl("phone", "https://allowed.example/dns-query?dns=AAAA", *options, proxy=True)
    assert page.status in (403, 451), page
    assert ways.origin_saw(lab, "allowed.example") == before


@pytest.mark.parametrize("name", ("use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com", "mask-api.icloud.com"))
def test_canary_and_relay_names(lab, name):
    for kind in ("A", "AAAA", "HTTPS", "TXT"):
        assert lab.dig("phone", name, kind).status == "NXDOMAIN"


def test_discovery_of_resolvers(lab):
    for name in ("_dns.resolver.arpa", "resolver.arpa"):
        answer = lab.dig("phone", name, "SVCB")
        assert (answer.status, answer.records) == ("NOERROR", [])


def test_ech_h3_and_hints_in_https_records(lab):
    (record,) = lab.dig("phone", "svcb.example", "HTTPS").records
    assert "h2" in record[3] and "h3" not in record[3] and "ech" not in record[3].lower()
    (record,) = lab.dig("phone", "hints.example", "HTTPS").records
    assert "93.184.216.10" in record[3] and "10.77" not in record[3]


def test_cname_cloaking(lab):
    assert lab.dig("phone", "cloaked.example").addresses == ["0.0.0.0"]
    assert lab.curl("phone", "http://cloaked.example/", proxy=True).status == 451


@FAMILIES
def test_rebinding(lab, family):
    assert lab.dig("phone", "rebind.example", ("A", "AAAA")[family]).addresses == [("0.0.0.0", "::")[family]]
    assert lab.curl("phone", "http://rebind.example/", proxy=True).status in (403, 451)


# ---- 443 of apps ----

def _names(*names):
    listed = b"".join(struct.pack(">BH", 0, len(n)) + n for n in names)
    return extension(0, struct.pack(">H", len(listed)) + listed)


def _bytewise(data):
    return [data[i:i + 1] for i in range(len(data))]


LISTED_HELLOS = {
    "plain": hello(sni(LISTED)), "upper case": hello(sni(LISTED.upper())), "dot": hello(sni(LISTED + ".")),
    "space": hello(sni(LISTED + " ")), "NUL": hello(sni(LISTED + "\0")), "NUL within": hello(sni("allowed.example\0." + LISTED)),
    "two names": hello(_names(b"allowed.example", LISTED.encode())), "twice": hello(sni("allowed.example"), sni(LISTED)),
    "another type": hello(extension(0, struct.pack(">HBH", 18, 1, 15) + b"allowed.example")),
    "empty": hello(sni("")), "records of 3 bytes": hello(sni(LISTED), cut=3), "a byte a segment": _bytewise(hello(sni(LISTED))),
    "padded to 40,000 bytes": hello(sni(LISTED), extension(21, bytes(40000))),
    "behind 60,000 bytes": hello(extension(21, bytes(60000)), sni(LISTED)),
    "ECH behind its public name": hello(sni("cloudflare-ech.com"), ECH), "ECH with it outside": hello(sni(LISTED), ECH),
    "SSLv2": b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + bytes(40), "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP": b"GET / HTTP/1.1\r\nHost: " + LISTED.encode() + b"\r\n\r\n", "random": bytes(range(7, 250, 3)),
    "a DoH provider": hello(sni("dns.google")),
}


def _denied_in_path(lab):
    return json.loads(lab.redis("GET", "culvert:status:proxyd:path1") or "{}").get("denied", 0)


@pytest.fixture(scope="module", name="https_path")
def _https_path(lab, request):
    """The phone's; seldom changed, for tests of one come together."""
    before = walklib.read_seed(lab)
    document = copy.deepcopy(before)
    walklib.device(document, "phone").update(https_path=request.param)
    walklib.put_seed(lab, document)
    yield request.param
    walklib.put_seed(lab, before)


@pytest.mark.parametrize("https_path", ["inline"], indirect=True)
def test_a_listed_hello_is_refused_in_the_path_where_there_is_one(lab, https_path):
    denied = _denied_in_path(lab)
    assert not reached(lab, "phone", hello(sni(LISTED)), site(LISTED, 0))
    if HAS_PATH:
        wait_until(lambda: _denied_in_path(lab) > denied, "denied in the path", 60)


@pytest.mark.parametrize("form", LISTED_HELLOS)
@WAYS
def test_a_hello_with(lab, https_path, family, form):
    """Sent to the listed site's address, and to another's."""
    for name in (LISTED, "allowed.example"):
        assert not reached(lab, "phone", LISTED_HELLOS[form], site(name, family)), name


@WAYS
def test_what_looks_like_ech_and_is_none_passes(lab, https_path, family):
    """GREASE, as browsers send it always; and an allowed name in any pieces."""
    for data in (hello(sni("allowed.example"), ECH), hello(sni("Allowed.EXAMPLE")), hello(sni("allowed.example"), cut=3),
                 _bytewise(hello(sni("allowed.example")))):
        assert reached(lab, "phone", data, site("allowed.example", family))


def _curl_at(lab, name, address, *options):
    """As an app does that knows an address. Where that is none of the name's, the path resets the connection, and
    the next one is proxyd's."""
    bracketed = "[%s]" % address if ":" in address else address
    for _ in range(2):
        page = lab.curl("phone", "https://%s/" % name, "--resolve", "%s:443:%s" % (name, bracketed), *options)
        if page.status:
            break
    return page


@WAYS
def test_an_allowed_name_at_a_listed_site_s_address(lab, https_path, family):
    """It leads to the name's own, also where connectivity checks pass before everything."""
    for name in ("allowed.example", "connectivitycheck.gstatic.com"):
        page = _curl_at(lab, name, site(LISTED, family))
        assert OPEN % name in page.text and page.status == 200, page


def test_another_host_behind_an_allowed_name(lab):
    """Undecrypted, a server decides what it answers; by the names' own addresses it is the allowed one's."""
    before = ways.origin_saw(lab, LISTED)
    page = _curl_at(lab, "allowed.example", site(LISTED), "-H", "Host: " + LISTED)
    assert OPEN % LISTED not in page.text and ways.origin_saw(lab, LISTED) == before


def _by_address(document):
    next(s for s in document["list_sources"] if s["id"] == "adblock").update(by_address=True, strict_address=True)


def test_a_listed_site_s_address_without_a_name(lab, seeded):
    """Nothing says whose it is: it passes, unless the list acts by address too."""
    addresses = site_addresses("listed.example")
    # In the path it is the next connection that gets there.
    assert all(reached(lab, "phone", hello(), address) or reached(lab, "phone", hello(), address) for address in addresses)
    seeded(_by_address)
    for family, address in enumerate(addresses):
        lab.dig("phone", "listed.example", ("A", "AAAA")[family])
        wait_until(lambda a=address: not reached(lab, "phone", hello(), a), "in force")
        host = "[%s]" % address if family else address
        _, got = talk(lab, "phone", address, 80, _request("GET / HTTP/1.1", "Host: " + host))
        assert b" 200 " not in got[:20]
        refused(lab, ("tcp", address, 8443), ("udp", address, 4433))
        for host, where in (("laptop", address), ("phone", site("allowed.example", family))):
            assert reached(lab, host, hello(), where) or reached(lab, host, hello(), where)


def test_an_address_that_a_strict_device_was_not_told(lab, seeded):
    seeded(lambda document: walklib.device(document, "phone").update(strict=True))
    for family in (0, 1):
        untold, told = site("bad-cert.example", family), site("words.example", family)
        # An answer that fwd has not confirmed within 50 ms is SERVFAIL, and good for the next question.
        wait_until(lambda f=family, t=told: lab.dig("phone", "words.example", ("A", "AAAA")[f]).addresses == [t], "told")
        assert reached(lab, "phone", hello(sni("words.example")), told)
        assert not reached(lab, "phone", hello(), untold)
        refused(lab, ("tcp", untold, 25), ("udp", untold, 4433))


# ---- QUIC ----

@FAMILIES
def test_quic(lab, family):
    address = site("allowed.example", family)
    refused(lab, ("udp", address, 443), ("udp", site(LISTED, family), 443))

    def send(address, packet):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(walklib.PATIENCE_S)
            s.connect((address, 443))
            try:
                s.send(bytes.fromhex(packet))
                s.recv(100)
            except OSError as exc:
                return walklib.REFUSALS.get(exc.errno, str(exc))
        return "open"
    assert lab.hosts["phone"].call(send, address, initial("allowed.example").hex()) == "refused"


def test_quic_by_alt_svc(lab):
    page = lab.curl("phone", "https://allowed.example/altsvc", proxy=True)
    assert page.status == 200 and "alt-svc" not in page.headers


# ---- 80 of apps ----

def _request(*lines):
    return "\r\n".join(lines + ("Connection: close", "", "")).encode("latin-1")


PLAIN = {
    "plain": _request("GET / HTTP/1.1", "Host: " + LISTED),
    "upper case and port": _request("GET / HTTP/1.1", "Host: ADS.Listed.Example:80"),
    "dot": _request("GET / HTTP/1.1", "Host: %s." % LISTED),
    "absolute form": _request("GET http://%s/ HTTP/1.1" % LISTED, "Host: allowed.example"),
    "absolute form the other way": _request("GET http://allowed.example/ HTTP/1.1", "Host: " + LISTED),
    "two hosts": _request("GET / HTTP/1.1", "Host: allowed.example", "Host: " + LISTED),
    "space before the colon": _request("GET / HTTP/1.1", "Host : " + LISTED, "Host: allowed.example"),
    "folded": _request("GET / HTTP/1.1", "Host: allowed.example", " " + LISTED),
    "user": _request("GET / HTTP/1.1", "Host: allowed.example@" + LISTED),
    "HTTP/1.0 without": _request("GET / HTTP/1.0"), "HTTP/0.9": b"GET /\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: " + LISTED.encode() + b"\n\n",
    "CONNECT": _request("CONNECT %s:443 HTTP/1.1" % LISTED, "Host: " + LISTED),
    "second in the pipeline": _request("GET / HTTP/1.1", "Host: allowed.example").replace(b"close", b"keep-alive") +
    _request("GET / HTTP/1.1", "Host: " + LISTED),
    "in a body of two lengths": _request("POST / HTTP/1.1", "Host: allowed.example", "Content-Length: 4", "Transfer-Encoding: chunked")
    + b"0\r\n\r\n" + _request("GET / HTTP/1.1", "Host: " + LISTED),
    "HTTP/2 without TLS": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "an upgrade to HTTP/2": _request("GET / HTTP/1.1", "Host: " + LISTED, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    "forwarded": _request("GET / HTTP/1.1", "Host: " + LISTED, "X-Forwarded-For: 10.9.0.3", "Forwarded: for=10.9.0.3"),
    "TLS": hello(sni(LISTED)),
}


@FAMILIES
@pytest.mark.parametrize("form", PLAIN)
def test_a_plain_request(lab, family, form):
    before = ways.origin_saw(lab, LISTED)
    for name in (LISTED, "allowed.example"):
        _, got = talk(lab, "phone", site(name, family), 80, PLAIN[form])
        assert (OPEN % LISTED).encode() not in got, got
    assert ways.origin_saw(lab, LISTED) == before


# ---- the explicit proxy ----



def _through(target, first, server_name, request):
    """CONNECT, then bytes or TLS with the name and a request in it: what came back last."""
    with socket.create_connection(("10.9.0.1", 8080), walklib.PATIENCE_S) as s:
        s.sendall(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, target)).encode())
        head = s.recv(65536).decode("latin-1")
        if " 200 " not in head.split("\r\n")[0]:
            return head
        try:
            if first:
                s.sendall(bytes.fromhex(first))
            else:
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                s = context.wrap_socket(s, server_hostname=server_name)
                s.sendall(request.encode("latin-1"))
            got = b""
            while part := s.recv(65536):
                got += part
            return got.decode("latin-1")
        except OSError as exc:
            return "closed: %s" % exc
        finally:
            s.close()


def through(lab, target, first=b"", name=None, request=b"", host="phone"):
    return lab.hosts[host].call(_through, target, first.hex(), name, request.decode("latin-1"))


TUNNELS = {
    "CONNECT to it": (LISTED + ":443", b"", LISTED, LISTED),
    "its name in the hello": ("allowed.example:443", b"", LISTED, LISTED),
    "its name in Host": ("allowed.example:443", b"", "allowed.example", LISTED),
    "CONNECT to its address": (site(LISTED) + ":443", b"", LISTED, LISTED),
    "its address and another's name": (site(LISTED) + ":443", b"", "allowed.example", LISTED),
    "its address without a name": (site(LISTED) + ":443", b"", None, LISTED),
    "its IPv6 address": ("[%s]:443" % site(LISTED, 1), b"", LISTED, LISTED),
    "plain HTTP in it": ("allowed.example:443", PLAIN["plain"], None, ""),
    "plain HTTP on 80 in it": ("allowed.example:80", PLAIN["plain"], None, ""),
    "SSH in it": ("allowed.example:443", b"SSH-2.0-x\r\n", None, ""),
    "a tunnel in it": ("allowed.example:80", PLAIN["CONNECT"], None, ""),
    "another port": (LISTED + ":8443", b"", LISTED, LISTED),
    "port 22": ("allowed.example:22", b"SSH-2.0-x\r\n", None, ""),
    "DNS over TLS": ("1.1.1.1:853", b"", "one.one.one.one", ""),
    "a resolver": ("1.1.1.1:443", b"", "one.one.one.one", "one.one.one.one"),
    "upper case and dot": ("ADS.Listed.Example.:443", b"", LISTED, LISTED),
}


@pytest.mark.parametrize("way", TUNNELS)
def test_a_tunnel_through_the_proxy(lab, way):
    before = ways.origin_saw(lab, LISTED), ways.origin_saw(lab, "one.one.one.one")
    target, first, name, host = TUNNELS[way]
    got = through(lab, target, first, name, _request("GET / HTTP/1.1", "Host: " + host))
    assert OPEN % LISTED not in got and "SSH" not in got.split("\r\n\r\n")[-1][:4], got
    assert (ways.origin_saw(lab, LISTED), ways.origin_saw(lab, "one.one.one.one")) == before


def test_http2_requests_for_another_host_on_one_connection(lab):
    """Coalescing: the leaf is of one host, and each authority is looked at."""
    before = ways.origin_saw(lab, LISTED)
    page = lab.curl("phone", "https://allowed.example/", "--http2", "-H", "Host: " + LISTED, proxy=True)
    assert page.http == "2" and page.status == 421, page
    page = lab.curl("phone", "https://allowed.example/", "--connect-to", "allowed.example:443:%s:443" % LISTED, proxy=True)
    assert page.status in (0, 421, 451), page
    assert ways.origin_saw(lab, LISTED) == before


OWN = ("127.0.0.1", "localhost", "[::1]", "0", "0.0.0.0", "[::]", "2130706433", "0x7f.1", "127.1", "017700000001",
       "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "203.0.113.2", "[2001:db8:1::2]",
       "10.77.0.1", "169.254.169.254", "172.31.1.1", "[fe80::1]", "224.0.0.1", "10.9.0.3", "[fd09::3]")


@pytest.mark.parametrize("host", OWN)
def test_the_gateway_and_other_devices_through_the_proxy(lab, host):
    """Also for a device that may reach the LAN."""
    for who in ("phone", "laptop"):
        for port in ("80", "8000", "8443"):
            page = lab.curl(who, "http://%s:%s/" % (host, port), "--globoff", proxy=True)
            assert page.status in (400, 403, 451, 502) and '"status":"ok"' not in page.text, (who, port, page)
        assert " 200 " not in through(lab, "%s:443" % host, b"x", host=who).split("\r\n")[0] or \
            through(lab, "%s:443" % host, hello(), host=who).startswith("closed"), host


def test_the_lan_through_the_proxy(lab):
    for host in ("10.77.0.5", "[fd77::5]", "[::ffff:10.77.0.5]"):
        assert lab.curl("phone", "http://%s/" % host, "--globoff", proxy=True).status in (400, 403, 451)


# ---- ports, protocols, addresses ----

def test_ports_of_the_gateway(lab):
    """Redis, MariaDB, provisioning, administration, what redirects lead to, SSH; also at its other addresses, which
    the phone's tunnel leads to here."""
    ports = (22, 3128, 3129, 3306, 6379, 8000, 8443)
    for address in ("10.9.0.1", "fd09::1", "10.77.0.1", "fd77::1"):
        refused(lab, *[("tcp", address, port) for port in ports])
    lab.run("phone", "ip", "route", "add", "203.0.113.2", "dev", "wg-phone", "table", "7")
    lab.run("phone", "ip", "rule", "add", "ipproto", "tcp", "table", "7")
    try:
        refused(lab, *[("tcp", "203.0.113.2", port) for port in ports])
    finally:
        lab.run("phone", "ip", "rule", "del", "ipproto", "tcp", "table", "7")
        lab.run("phone", "ip", "route", "flush", "table", "7")


@FAMILIES
def test_another_device(lab, family):
    other = ("10.9.0.3", "fd09::3")[family]
    refused(lab, ("tcp", other, 22))
    assert probe(lab, "phone", ("udp", other, 5353))["udp", other, 5353][0] != "open"
    assert not walklib.answers_ping(lab, "phone", other, seconds=1)


@FAMILIES
def test_the_lan(lab, family):
    refused(lab, ("tcp", LAN[family], 80), ("tcp", LAN[family], 443), ("udp", LAN[family], 5353))


TUNNEL_PORTS = (("udp", 51820), ("udp", 1194), ("tcp", 1194), ("udp", 500), ("udp", 4500), ("tcp", 1723), ("udp", 1701),
                ("tcp", 9001), ("tcp", 9030), ("tcp", 9050))


def _guarded(word):
    return lambda document: walklib.device(document, "phone").update(egress=word)


def test_vpn_in_vpn_and_tor(lab, seeded):
    """Where the egress guard says so (F13), by their ports."""
    seeded(_guarded("deny_tunnels"))
    for address in SITE:
        refused(lab, *[(kind, address, port) for kind, port in TUNNEL_PORTS])
        assert reached(lab, "phone", hello(sni("allowed.example")), address)


def test_ports_beside_the_web(lab, seeded):
    """Where the egress guard leaves a device the web alone (F13)."""
    seeded(_guarded("web"))
    for address in SITE:
        refused(lab, ("tcp", address, 22), ("tcp", address, 8443), ("udp", address, 5353), ("udp", address, 3478))
        assert reached(lab, "phone", hello(sni("allowed.example")), address)


PROTOCOLS = {47: "GRE", 4: "IP in IP", 41: "IPv6 in IP", 50: "ESP", 51: "AH", 115: "L2TP", 132: "SCTP"}


def _heard(lab, path, family):
    packets, address = Packets(lab, "phone"), SITE[family]
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(lab.run, "inet", "/usr/bin/python3", "-c", ways.HEAR_PROTOCOLS, str(path), str(family),
                            *map(str, PROTOCOLS))
        wait_until(path.exists, "listening")
        packets.send([packets.ip(address, protocol, bytes(40)) for protocol in PROTOCOLS])
        packets.send([packets.ip(address, 17, packets.udp(address, 4433, b"the end"))])
        return heard.result(30).stdout.split()


def test_protocols_of_tunnels(lab, seeded, tmp_path):
    """Of IP itself; where they would arrive somebody listens, and hears what passes and comes last."""
    unguarded = [_heard(lab, tmp_path / ("u%d" % family), family) for family in (0, 1)]
    assert all({"47", "50"} <= set(heard) for heard in unguarded), unguarded
    seeded(_guarded("deny_tunnels"))
    assert [_heard(lab, tmp_path / ("g%d" % family), family) for family in (0, 1)] == [["17"]] * 2


def test_ipv6_without_an_uplink(lab):
    """No address is told; what is tried all the same is refused at once, or served over IPv4."""
    lab.run("gw", "ip", "-6", "route", "del", "default")
    try:
        wait_until(lambda: lab.dig("phone", fresh("fresh.example"), "AAAA").addresses == [], "none told")
        assert lab.dig("phone", fresh("fresh.example")).addresses == [SITE[0]]
        refused(lab, ("tcp", SITE[1], 8443), ("udp", SITE[1], 4433))
        page = _curl_at(lab, "allowed.example", SITE[1])
        assert page.status == 200 or page.exit == CURL_NOT_CONNECTED
        assert not reached(lab, "phone", hello(sni(LISTED)), site(LISTED, 1))
    finally:
        lab.run("gw", "ip", "-6", "route", "add", "default", "via", "2001:db8:1::1")
    wait_until(lambda: lab.dig("phone", fresh("fresh.example"), "AAAA").addresses == [SITE[1]], "told again")


def test_a_stranger_s_use_of_dns_and_proxy(lab):
    """From the LAN and from the Internet."""
    for host, address in (("lan", "10.77.0.1"), ("inet", "203.0.113.2")):
        assert lab.dig(host, "allowed.example", server=address, seconds=1).status is None
        for one in probe(lab, host, ("tcp", address, 8080), ("tcp", address, 53), ("tcp", address, 443)).values():
            assert one[0] != "open", (host, one)


# ---- what is open when it is blocked ----

def test_a_live_connection_after_a_new_block(lab, seeded):
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        out = folder + "/10m"
        running = pool.submit(lab.curl, "phone", "https://big.example/10m", "--limit-rate", "200k", "-o", out, proxy=True)
        wait_until(lambda: os.path.exists(out), "begun")
        seeded(lambda document: document.setdefault("sni_block", []).append({"id": "cut", "domain": "big.example"}))
        assert running.result(20).exit in (18, 35, 55, 56, 92)
