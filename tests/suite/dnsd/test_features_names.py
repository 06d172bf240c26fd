# SPDX-License-Identifier: GPL-3.0-or-later
"""What a name leads to besides lists: rebinding (D7), SafeSearch, own records and the portal (D5), rules with an
answer, modes of blocking (D2), signatures and hints (D6, D13), cookies (D1)."""
import signal

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdata
import pytest

from dnsdlib import GATEWAY, LAPTOP, PHONE, addresses, ede
from features import device, records
from support.wait import wait_until


def change(world, topic, rows):
    """In force on return."""
    gen = world.bus.set(topic, rows) if topic in world.bus.stamps else world.bus.replace(topic, rows)
    wait_until(lambda: world.redis.applied("dnsd", topic) >= gen, f"{topic} in force")


@pytest.mark.parametrize("rdtype, value", [
    ("A", "10.1.2.3"), ("A", "127.0.0.1"), ("A", "192.168.1.1"), ("A", "172.31.0.9"), ("A", "169.254.169.254"),
    ("A", "100.64.0.1"), ("A", "0.0.0.0"), ("AAAA", "::1"), ("AAAA", "fd00::1"), ("AAAA", "fe80::1"),
    ("AAAA", "::ffff:10.0.0.1"), ("AAAA", "64:ff9b::a00:1"), ("AAAA", "64:ff9b::7f00:1"), ("AAAA", "64:ff9b:1::1"),
    ("AAAA", "2002:a00:1::1"), ("AAAA", "::10.0.0.1"),
])
def test_public_name_leading_to_a_private_address_is_blocked(shared, rdtype, value):
    """D7: rebinding, also by IPv6 forms; in both orders of the cache"""
    world, upstream = shared
    name = "rebind-%s.plain.example" % "".join(c if c.isalnum() else "-" for c in rdtype + value).lower()[:50]
    upstream.zone[(name, rdtype)] = [value]
    for _ in range(2):
        answer = world.ask(name, rdtype)
        assert addresses(answer) == {"A": ["0.0.0.0"], "AAAA": ["::"]}[rdtype]
        assert ede(answer)[0] == 15 and "rebinding" in ede(answer)[1]
    assert world.ask(name, rdtype, source="system").answer


@pytest.mark.parametrize("rdtype, value, left", [
    ("HTTPS", "1 . alpn=h2 ipv4hint=10.0.0.1", "1 . alpn=h2"),
    ("HTTPS", "1 . alpn=h2 ipv4hint=192.0.2.1 ipv6hint=fd00::1", "1 . alpn=h2 ipv4hint=192.0.2.1"),
    ("HTTPS", "1 . mandatory=alpn,ipv6hint alpn=h2 ipv6hint=64:ff9b::a00:1", "1 . mandatory=alpn alpn=h2"),
    ("SVCB", "1 . ipv4hint=198.51.100.1,192.168.0.1,203.0.113.9", "1 . ipv4hint=198.51.100.1,203.0.113.9"),
    ("SVCB", "1 pool.example. port=8443 ipv4hint=127.0.0.1", "1 pool.example. port=8443"),
])
def test_hints_to_private_addresses_are_left_out_and_the_rest_kept(shared, rdtype, value, left):
    """D6, D7"""
    world, upstream = shared
    name = "hint-%s.plain.example" % "".join(c if c.isalnum() else "-" for c in rdtype + value).lower()[:50]
    upstream.zone[(name, rdtype)] = [value]
    want = dns.rdata.from_text("IN", rdtype, left)
    for _ in range(2):
        answer = world.ask(name, rdtype)
        assert [rdata for rrset in answer.answer for rdata in rrset] == [want]
        assert not answer.flags & dns.flags.AD and ede(answer) is None
    (kept,) = [rdata for rrset in world.ask(name, rdtype, source="system").answer for rdata in rrset]
    assert kept == dns.rdata.from_text("IN", rdtype, value)


def test_public_addresses_pass(shared):
    """D7: no more than private ones"""
    world, upstream = shared
    for i, (rdtype, value) in enumerate([("A", "11.0.0.1"), ("A", "172.32.0.1"), ("AAAA", "64:ff9b::101:101"),
                                         ("AAAA", "2002:101:101::1"), ("AAAA", "2001:db8::7")]):
        upstream.zone[(f"pub{i}.plain.example", rdtype)] = [value]
        assert addresses(world.ask(f"pub{i}.plain.example", rdtype)) == [value]


def test_rebinding_has_exceptions(shared):
    """D7: by the setting, by an allowing rule, for names that are never public"""
    world, upstream = shared
    for name in ("nas.corp.example", "one.rule.example", "nas.home.arpa", "deep.nas.corp.example"):
        upstream.zone[(name, "A")] = ["10.0.0.5"]
    assert addresses(world.ask("nas.home.arpa")) == ["10.0.0.5"]
    assert addresses(world.ask("nas.corp.example")) == ["0.0.0.0"]
    change(world, "settings", {"rebind_exceptions": {"id": "rebind_exceptions", "value": ["corp.example"]}})
    assert addresses(world.ask("nas.corp.example")) == ["10.0.0.5"]
    assert addresses(world.ask("deep.nas.corp.example")) == ["10.0.0.5"]
    assert addresses(world.ask("one.rule.example")) == ["0.0.0.0"]
    change(world, "dns_rules", {"r": {"id": "r", "pattern": "one.rule.example", "match": "exact", "action": "allow"}})
    assert addresses(world.ask("one.rule.example")) == ["10.0.0.5"]


def test_the_gateway_s_own_and_the_lan_s_addresses_count_as_private(make_upstream, make_world):
    """D7: also where they are public ones"""
    upstream = make_upstream()
    world = make_world(upstream).up()
    upstream.zone[("lan.plain.example", "A")] = ["198.51.100.77"]
    assert addresses(world.ask("lan.plain.example")) == ["198.51.100.77"]
    change(world, "settings", {"lan_prefixes": {"id": "lan_prefixes", "value": ["198.51.100.0/24"]}})
    assert addresses(world.ask("lan.plain.example")) == ["0.0.0.0"]


FORMS = [("google", "www.google.com", "forcesafesearch.google.com"),
         ("google", "google.de", "forcesafesearch.google.com"),
         ("google", "www.google.co.uk", "forcesafesearch.google.com"),
         ("google", "www.google.com.br", "forcesafesearch.google.com"),
         ("bing", "www.bing.com", "strict.bing.com"), ("duckduckgo", "duckduckgo.com", "safe.duckduckgo.com")]
YOUTUBE = ["www.youtube.com", "m.youtube.com", "youtubei.googleapis.com", "youtube.googleapis.com",
           "www.youtube-nocookie.com"]


@pytest.fixture(scope="module")
def searching(certificates):
    """Phone: everything strict; laptop: YouTube moderate; third: nothing."""
    import dnsdlib
    import upstream as upstream_module
    upstream = upstream_module.Upstream("udp", certificates)
    for i, target in enumerate(sorted({f[2] for f in FORMS} | {"restrict.youtube.com", "restrictmoderate.youtube.com"})):
        upstream.zone[(target, "A")] = [f"192.0.2.{100 + i}"]
        upstream.zone[(target, "AAAA")] = [f"2001:db8::{100 + i}"]
    world = dnsdlib.World([upstream.url], certificates)
    try:
        world.up()
        every = {"google": True, "bing": True, "duckduckgo": True, "youtube": "strict"}
        change(world, "devices", {
            "phone": device("phone", PHONE, safe_search=every),
            "laptop": device("laptop", LAPTOP, group="kids"), "third": device("third", "127.1.0.4")})
        change(world, "groups", {"kids": {"id": "kids", "safe_search": {"youtube": "moderate"}}})
        yield world, upstream
    finally:
        world.close()
        upstream.close()


@pytest.mark.parametrize("engine, name, target", FORMS + [("youtube", n, "restrict.youtube.com") for n in YOUTUBE])
def test_search_is_restricted(searching, engine, name, target):
    """D5: a CNAME and the target's own addresses, AAAA and HTTPS too; whoever asked before"""
    world, upstream = searching
    free = world.ask(name, source="127.1.0.4")
    assert addresses(free) == ["192.0.2.1"] and len(free.answer) == 1
    for rdtype in ("A", "AAAA"):
        answer = world.ask(name.upper(), rdtype, want_dnssec=True)
        assert [r.rdtype for r in answer.answer] == [5, {"A": 1, "AAAA": 28}[rdtype]]
        assert answer.answer[0].name.to_text().lower() == name + "."
        assert answer.answer[0][0].to_text().lower() == target + "."
        assert answer.answer[1].name.to_text().lower() == target + "."
        assert addresses(answer) == upstream.zone[(target, rdtype)]
        assert not answer.flags & dns.flags.AD
    https = world.ask(name, "HTTPS")
    assert [r.rdtype for r in https.answer] == [5] and https.authority
    assert addresses(world.ask(name, source="127.1.0.4")) == ["192.0.2.1"]
    over_tcp = world.ask(name, tcp=True)
    assert addresses(over_tcp) == upstream.zone[(target, "A")]


def test_youtube_may_be_moderate_and_comes_from_the_group(searching):
    """D5"""
    world, upstream = searching
    answer = world.ask("www.youtube.com", source=LAPTOP)
    assert answer.answer[0][0].to_text() == "restrictmoderate.youtube.com."
    assert addresses(world.ask("www.google.com", source=LAPTOP)) == ["192.0.2.1"]


@pytest.mark.parametrize("name", ["mail.google.com", "www.google.example", "google.com.evil.example", "notgoogle.com",
                                  "www.googlex.com", "www.bing.com.example", "i.ytimg.com", "google.com.uk.co"])
def test_other_names_are_left_alone(searching, name):
    """D5"""
    world, _ = searching
    assert addresses(world.ask(name)) == ["192.0.2.1"]


def test_own_records(make_upstream, make_world):
    """D5: every type, a wildcard, aliases resolved upstream, NODATA for other types; above lists, below blocks"""
    upstream = make_upstream()
    world = make_world(upstream).up()
    change(world, "dns_records", records(
        a=("Nas.Lan.example.", "A", "10.5.5.5", 77), aaaa=("nas.lan.example", "AAAA", "fd00::5"),
        a2=("nas.lan.example", "a", "10.5.5.6"), txt=("nas.lan.example", "TXT", "x" * 300),
        mx=("nas.lan.example", "MX", "10 mail.lan.example"), srv=("_sip._udp.lan.example", "SRV", "1 2 5060 a.lan.example"),
        ptr=("5.5.5.10.in-addr.arpa", "PTR", "nas.lan.example"), alias=("alias.lan.example", "CNAME", "Real.plain.example"),
        wild=("*.wild.lan.example", "A", "10.6.6.6"), listed=("ads.listed.example", "A", "10.7.7.7"),
        caa=("nas.lan.example", "CAA", '0 issue "ca.example"'), bad=("x.lan.example", "A", "nonsense")))
    nas = world.ask("nas.lan.EXAMPLE")
    assert addresses(nas) == ["10.5.5.5", "10.5.5.6"] and nas.answer[0].ttl == 77 or nas.answer[0].ttl == 300
    assert addresses(world.ask("nas.lan.example", "AAAA")) == ["fd00::5"]
    assert "".join(s.decode() for s in world.ask("nas.lan.example", "TXT").answer[0][0].strings) == "x" * 300
    assert world.ask("nas.lan.example", "MX").answer[0][0].to_text() == "10 mail.lan.example."
    assert world.ask("nas.lan.example", "CAA").answer[0][0].to_text() == '0 issue "ca.example"'
    assert world.ask("_sip._udp.lan.example", "SRV").answer[0][0].to_text() == "1 2 5060 a.lan.example."
    assert world.ask("5.5.5.10.in-addr.arpa", "PTR").answer[0][0].to_text() == "nas.lan.example."
    nothing = world.ask("nas.lan.example", "HTTPS")
    assert nothing.rcode() == dns.rcode.NOERROR and not nothing.answer and nothing.authority
    alias = world.ask("alias.lan.example")
    assert alias.answer[0][0].to_text() == "real.plain.example." and addresses(alias) == ["192.0.2.1"]
    assert world.ask("alias.lan.example", "CNAME").answer[0][0].to_text().lower() == "real.plain.example."
    assert addresses(world.ask("a.b.wild.lan.example")) == ["10.6.6.6"]
    assert addresses(world.ask("wild.lan.example")) == ["192.0.2.1"]
    assert addresses(world.ask("ads.listed.example")) == ["10.7.7.7"]
    assert addresses(world.ask("nas.lan.example", source="system")) == ["10.5.5.5", "10.5.5.6"]
    assert addresses(world.ask("x.lan.example")) == ["192.0.2.1"]
    assert not upstream.count("nas.lan.example")
    change(world, "dns_rules", {"b": {"id": "b", "pattern": "nas.lan.example", "match": "exact", "action": "block"}})
    assert addresses(world.ask("nas.lan.example")) == ["0.0.0.0"]
    world.bus.remove("dns_rules", "b")
    wait_until(lambda: addresses(world.ask("nas.lan.example")) == ["10.5.5.5", "10.5.5.6"], "the rule to go")
    world.bus.remove("dns_records", "a")
    wait_until(lambda: addresses(world.ask("nas.lan.example")) == ["10.5.5.6"], "the record to go")


def test_portal_has_the_tunnel_s_address_also_for_a_walled_device(make_upstream, make_world):
    """D5"""
    world = make_world(make_upstream()).up()
    change(world, "settings", {"portal_host": {"id": "portal_host", "value": "portal.example"}})
    change(world, "devices", {"laptop": device("laptop", LAPTOP, profile="walled")})
    for source in (PHONE, LAPTOP, "system"):
        assert addresses(world.ask("Portal.Example", source=source)) == [GATEWAY]
    other = world.ask("portal.example", "AAAA")
    assert other.rcode() == dns.rcode.NOERROR and not other.answer
    walled = world.ask("one.plain.example", source=LAPTOP)
    assert addresses(walled) == ["0.0.0.0"] and ede(walled)[0] == 17


def test_wpad_is_the_gateway(make_upstream, make_world):
    """P19: browsers find proxy.pac there; a name below another one is none of ours."""
    world = make_world(make_upstream()).up()
    for source in (PHONE, "system"):
        assert addresses(world.ask("wpad", source=source)) == addresses(world.ask("WPAD")) == [GATEWAY]
    assert addresses(world.ask("wpad.plain.example")) == ["192.0.2.1"]


def test_portal_s_name_may_come_from_the_environment(make_upstream, make_world):
    """D5, C1: K's PORTAL_HOST; the setting goes before it"""
    import os
    world = make_world(make_upstream())
    world.redis.start()
    world.publish_policy()
    world.syncd.start()
    world.dnsd.start(env={**os.environ, "PORTAL_HOST": "old.portal.example"})
    world.await_policy()
    assert addresses(world.ask("old.portal.example")) == [GATEWAY]
    change(world, "settings", {"portal_host": {"id": "portal_host", "value": "new.portal.example"}})
    assert addresses(world.ask("new.portal.example")) == [GATEWAY]
    assert addresses(world.ask("old.portal.example")) == ["192.0.2.1"]


def rule(answer, action, pattern, **more):
    return {"id": pattern, "pattern": pattern, "match": "endswith", "action": action, "answer": answer, **more}


def test_rules_with_an_answer(make_upstream, make_world):
    """D2, D5"""
    upstream = make_upstream()
    world = make_world(upstream).up()
    rows = [rule("10.8.8.8, fd00::8", "allow", "addr.example"), rule("Other.plain.example", "allow", "name.example"),
            rule("nxdomain", "block", "nx.block.example"), rule("refused", "block", "ref.block.example"),
            rule("nodata", "block", "nodata.block.example"), rule("192.0.2.99", "block", "addr.block.example"),
            rule("bad name", "allow", "bad.example"), rule("10.8.8.9", "allow", "laptop.example", scope="device:laptop")]
    change(world, "dns_rules", {r["id"]: r for r in rows})
    assert addresses(world.ask("addr.example")) == ["10.8.8.8"]
    assert addresses(world.ask("www.addr.example", "AAAA")) == ["fd00::8"]
    alias = world.ask("name.example")
    assert alias.answer[0][0].to_text() == "other.plain.example." and addresses(alias) == ["192.0.2.1"]
    assert world.ask("nx.block.example").rcode() == dns.rcode.NXDOMAIN
    assert world.ask("ref.block.example").rcode() == dns.rcode.REFUSED
    assert not world.ask("nodata.block.example").answer
    assert addresses(world.ask("addr.block.example")) == ["192.0.2.99"]
    assert not world.ask("addr.block.example", "AAAA").answer
    assert addresses(world.ask("bad.example")) == ["0.0.0.0"]
    assert addresses(world.ask("laptop.example", source=LAPTOP)) == ["10.8.8.9"]
    assert addresses(world.ask("laptop.example")) == ["192.0.2.1"]


@pytest.mark.parametrize("mode, rcode, a, aaaa", [
    ("null", "NOERROR", ["0.0.0.0"], ["::"]), ("nxdomain", "NXDOMAIN", [], []), ("refused", "REFUSED", [], []),
    ("address", "NOERROR", ["192.0.2.53"], []),
])
def test_block_modes(make_upstream, make_world, mode, rcode, a, aaaa):
    """D2"""
    world = make_world(make_upstream(), extra=f"block_mode={mode}\nblock_addresses=192.0.2.53\n")
    world.redis.start()
    world.publish_policy()
    world.syncd.start()
    world.dnsd.start()
    wait_until(lambda: (x := world.ask("ads.listed.example", timeout=0.3)) and ede(x), "policy")
    for rdtype, want in (("A", a), ("AAAA", aaaa), ("TXT", [])):
        answer = world.ask("ads.listed.example", rdtype)
        assert dns.rcode.to_text(answer.rcode()) == rcode and addresses(answer) == want
        assert ede(answer) == (15, "list Advertising")
        if want:
            assert answer.answer[0].ttl == 5


def test_without_ipv6_there_is_none_in_answers(make_upstream, make_world):
    """D13: AAAA is NODATA, ipv6hint goes, the rest stays; also per device"""
    upstream = make_upstream()
    world = make_world(upstream).up()
    upstream.zone[("svc.plain.example", "HTTPS")] = ['1 . alpn="h2" ipv4hint=192.0.2.7 ipv6hint=2001:db8::7']
    assert "ipv6hint" in world.ask("svc.plain.example", "HTTPS").answer[0][0].to_text()
    change(world, "devices", {"laptop": device("laptop", LAPTOP, v6=False)})
    assert "ipv6hint" in world.ask("svc.plain.example", "HTTPS").answer[0][0].to_text()
    conf = world.run / "culvert.conf"
    for source in (LAPTOP, PHONE):
        if source == PHONE:
            conf.write_text(conf.read_text().replace("ipv6=yes", "ipv6=no"))
            world.dnsd.send(signal.SIGHUP)
            wait_until(lambda: not world.ask("one.plain.example", "AAAA").answer, "the reload")
        answer = world.ask("one.plain.example", "AAAA", source=source)
        assert answer.rcode() == dns.rcode.NOERROR and not answer.answer and answer.authority and not ede(answer)
        text = world.ask("svc.plain.example", "HTTPS", source=source).answer[0][0].to_text()
        assert "ipv6hint" not in text and "192.0.2.7" in text and "h2" in text


def test_signatures_of_what_was_changed_go(make_upstream, make_world):
    """D6: RRSIG and AD of a record that is not as it was signed"""
    upstream = make_upstream("tls")
    world = make_world(upstream).up()
    signature = " 13 3 300 20300101000000 20200101000000 1 example. AAAA"
    real = upstream._fill

    def fill(response, question, name):
        real(response, question, name)
        import dns.rrset
        response.answer.insert(0, dns.rrset.from_text(
            question.name, 300, "IN", "RRSIG", dns.rdatatype.to_text(question.rdtype) + signature))
    upstream._fill = fill
    upstream.zone[("signed.plain.example", "HTTPS")] = ['1 . alpn="h3,h2"']
    upstream.zone[("kept.plain.example", "HTTPS")] = ['1 . alpn="h2"']
    changed = world.ask("signed.plain.example", "HTTPS", want_dnssec=True)
    assert [r.rdtype for r in changed.answer] == [65] and not changed.flags & dns.flags.AD
    kept = world.ask("kept.plain.example", "HTTPS", want_dnssec=True)
    assert sorted(r.rdtype for r in kept.answer) == [46, 65] and kept.flags & dns.flags.AD
    plain = world.ask("kept.plain.example", "A", want_dnssec=True)
    assert 46 in [r.rdtype for r in plain.answer] and plain.flags & dns.flags.AD


def cookie_of(answer):
    return next((bytes(o.data) for o in answer.options if int(o.otype) == 10), None)


def test_cookies(shared):
    """D1, RFC 7873: the client's eight bytes come back with sixteen of ours; other lengths are FORMERR"""
    world, _ = shared

    def ask(cookie, name="one.plain.example"):
        return world.ask(name, options=[dns.edns.GenericOption(10, cookie)])
    got = cookie_of(ask(b"12345678"))
    assert got[:8] == b"12345678" and len(got) == 24 and got[8] == 1
    again = cookie_of(ask(got))
    assert again[:8] == got[:8] and len(again) == 24
    assert cookie_of(ask(b"12345678", "ads.listed.example"))[:8] == b"12345678"
    assert cookie_of(ask(b"87654321"))[16:] != got[16:]
    for wrong in (b"", b"1234567", b"123456789", b"1" * 15, b"1" * 41):
        assert ask(wrong).rcode() == dns.rcode.FORMERR
    assert cookie_of(world.ask("one.plain.example")) is None
