# SPDX-License-Identifier: GPL-3.0-or-later
"""Intercepted TLS: judged by the hello, proven, then spliced undecrypted (SPEC P3, P12, P15)."""
import hashlib
import json
import os
import select
import socket
import threading
import time

import interceptlib as lib
import pytest
from interceptlib import RAW, RAW_NAME, alpn, hello, record, sni
from proxylib import LAN, PROXY, SITE, SITE6
from support.wait import wait_until


@pytest.fixture(scope="module", name="net")
def _net(world):
    lib.redirect(world)
    world.dns.names["allowed.example"] = [SITE, SITE6]
    return world


@pytest.fixture(scope="module", name="raw")
def _raw(net):
    with lib.Raw(net) as raw:
        yield raw


# ---- what passes, what is reset ----


@pytest.mark.parametrize("to", [SITE, SITE6])
def test_an_allowed_name_reaches_its_site_undecrypted(net, to):
    assert lib.get(net, "allowed.example", to=to).status == 200


def test_a_walled_device_s_renewal_host_is_its_name_not_its_address(net):
    """F2, W4: many websites share an address."""
    net.change("settings", {"id": "renewal_hosts", "value": ["s1.test.example"]})
    net.change("devices", net.device("walled", expires_at=1000))
    try:
        assert lib.get(net, "s1.test.example", "walled").status == 200
        assert lib.is_refused(net, "s2.test.example", "walled")
    finally:
        net.change("devices", net.device("walled"))
        net.change("settings", {"id": "renewal_hosts", "value": []})


def test_curl_gets_the_site_with_its_own_certificate(net):
    done = net.client.run("curl", "-sS", "--interface", "10.9.0.3", "--cacert", net.dir / "internet.pem",
                          "--resolve", "allowed.example:443:" + SITE, "https://allowed.example/", "-w", "%{http_code}")
    assert done.endswith("200"), done


@pytest.mark.parametrize("to", [SITE, SITE6])
def test_a_listed_name_is_reset_and_never_delivered(net, to):
    before = net.secure.connections
    assert lib.is_refused(net, "ads.listed.example", to=to)
    assert net.secure.connections == before


def test_a_name_that_is_blocked_at_the_hello_is_reset(net):
    net.change("sni_block", {"id": "s1.test.example", "domain": "s1.test.example"})
    assert lib.is_refused(net, "s1.test.example")
    assert lib.is_refused(net, "www.s1.test.example")
    assert lib.get(net, "s2.test.example").status == 200


def test_site_rules_act_on_apps_only_with_site_scope_all(net):
    assert lib.get(net, "blocked.example").status == 200
    assert lib.get(net, "unknown.example").status == 200
    net.change("devices", net.device("passing", site_scope="all", unknown_sites="block"))
    try:
        assert lib.is_refused(net, "blocked.example", "passing")
        assert lib.is_refused(net, "unknown.example", "passing")
        assert lib.get(net, "allowed.example", "passing").status == 200
    finally:
        net.change("devices", net.device("passing"))


def test_an_unknown_device_is_refused(net):
    assert lib.is_turned_away(net, "stranger", SITE, 443)


def test_who_comes_to_the_port_itself_is_refused(net):
    assert lib.is_turned_away(net, "internet", PROXY[0], 3129)
    assert lib.is_turned_away(net, "internet", "fd09::1", 3129)


@pytest.mark.parametrize("name", ["lan.test.example", "loop.test.example", "gw.test.example", "uplink.test.example",
                                  "link.test.example", "loop6.test.example", "mapped.test.example",
                                  "nat64.test.example"])
def test_a_name_leads_nowhere_that_the_profile_forbids(net, name):
    assert lib.is_refused(net, name)


def test_a_public_name_leads_into_no_lan_that_the_device_may_use(net):
    """D7, P15: rebinding, as DNS would refuse it."""
    net.dns.names["inside.test.example"] = ["10.77.0.5"]
    before = net.lan_site.connections
    assert lib.is_refused(net, "inside.test.example", "full")
    assert net.lan_site.connections == before


@pytest.mark.parametrize("name", ["empty.test.example", "broken.test.example", "nobody.test.example",
                                  "nosuch.example"])
def test_a_name_without_a_reachable_address_is_reset(net, name):
    net.inet.run("ip", "address", "replace", "198.51.100.30", "dev", "lo")
    net.dns.names["nobody.test.example"] = ["198.51.100.30"]
    assert lib.is_refused(net, name)


# ---- the proof ----


def test_an_allowed_name_sent_elsewhere_is_delivered_to_its_own_site(net, raw):
    """SNI = allowed to another address: that one never sees it."""
    with lib.tls(net, "allowed.example", to=RAW) as c:
        assert c.ask("GET", "/", "allowed.example").status == 200
    assert raw.nobody_came()


def test_an_allowed_name_is_not_delivered_to_the_lan(net):
    assert lib.get(net, "allowed.example", to=LAN).status == 200


def test_of_several_answers_the_one_that_was_meant_is_used(net, raw):
    net.dns.names[RAW_NAME] = [SITE, RAW]
    c, server = lib.open_raw(net, raw)
    c.close()
    server.close()
    net.dns.names[RAW_NAME] = [RAW]


def test_without_a_name_the_destination_is_judged_and_reached(net, raw):
    with lib.connect(net, to=RAW) as c:
        c.send(hello(alpn("h2")))
        with raw.accept() as server:
            assert lib.read_exactly(server, 5)[0] == 22
    net.change("sni_block", {"id": RAW, "domain": RAW})
    try:
        assert lib.is_refused(net, None, "internet", RAW)
        assert raw.nobody_came()
    finally:
        net.wait_applied("sni_block", net.publish("sni_block", []))


@pytest.fixture(name="firewall", scope="module")
def _firewall(net):
    return lib.firewall(net)


def _adblock(net):
    return json.loads(net.redis("HGET", "culvert:state:lists:syncd", "adblock"))


def _by_address(net, on):
    """Of the one list that there is."""
    net.publish("list_sources", [{"id": "adblock", "title": "Advertising", "kind": "adblock", "default_on": True,
                                  "source": "file:adblock.txt", "subtree": True, "by_address": on}])
    # Its record changes for other reasons, too.
    wait_until(lambda: _adblock(net).get("by_address", False) == on, "list")
    net.wait_applied("lists", json.loads(net.redis("HGET", "culvert:gens:syncd", "lists"))["gen"], "syncd")


@pytest.mark.parametrize("strict", [True, False])
def test_without_a_name_lists_by_address_and_strict_mode_have_their_word(net, raw, firewall, strict):
    """F6, F10: fwd is asked, as it alone knows the addresses."""
    if strict:
        net.change("devices", net.device("full", strict=True))
    else:
        _by_address(net, True)
    try:
        assert lib.is_refused(net, None, "full", RAW)
        assert raw.nobody_came()
        firewall.do("result", result={"allowed": True})
        firewall.drain()
        with lib.connect(net, "full", RAW) as c:
            c.send(hello())
            raw.accept().close()
        c, server = lib.open_raw(net, raw, who="full")  # with a name nobody is asked
        c.close()
        server.close()
    finally:
        firewall.do("result", result={"allowed": False})
        if strict:
            net.change("devices", net.device("full"))
        else:
            _by_address(net, False)


def test_without_a_name_a_live_connection_ends_when_its_address_is_forbidden(net, raw, firewall):
    """F9: the device becomes strict, and fwd says no."""
    with lib.connect(net, "full", RAW) as c:
        c.send(hello())
        with raw.accept() as server:
            server.sendall(lib.server_hello())
            assert lib.read_exactly(c.socket, len(lib.server_hello()))
            firewall.do("result", result={"allowed": True})
            firewall.drain()
            try:
                net.change("devices", net.device("full", strict=True))
                c.send(b"still")
                assert lib.read_exactly(server, len(hello()) + 5)[-5:] == b"still"
                firewall.do("result", result={"allowed": False})
                firewall.drain()
                net.change("devices", net.device("full", strict=True, rate_kbit=1000))
                assert lib.is_reset(c)
            finally:
                firewall.do("result", result={"allowed": False})
                net.change("devices", net.device("full"))


def test_without_a_name_and_without_the_firewall_s_word_nobody_passes(new_world):
    lib.redirect(new_world)
    with lib.Raw(new_world) as raw:
        new_world.change("devices", new_world.device("full", strict=True))
        assert lib.is_refused(new_world, None, "full", RAW)
        assert raw.nobody_came()
        with lib.connect(new_world, "internet", RAW) as c:
            c.send(hello())
            raw.accept().close()


# ---- the hello ----


@pytest.mark.parametrize("cut", [1, 2, 5, 100])
def test_a_hello_over_many_records_is_read(net, raw, cut):
    with lib.connect(net, to=RAW) as c:
        sent = hello(sni(RAW_NAME), cut=cut)
        c.send(sent)
        with raw.accept() as server:
            assert lib.read_exactly(server, len(sent)) == sent
    with lib.connect(net) as c:
        c.send(hello(sni("ads.listed.example"), cut=cut))
        assert lib.is_reset(c)


def test_a_hello_in_segments_of_one_byte_is_read(net, raw):
    sent = hello(sni(RAW_NAME), alpn("h2", "http/1.1"))
    with lib.connect(net, to=RAW) as c:
        for i in range(len(sent)):
            c.send(sent[i:i + 1])
        with raw.accept() as server:
            assert lib.read_exactly(server, len(sent)) == sent
    with lib.connect(net) as c:
        for byte in hello(sni("ads.listed.example")):
            c.send(bytes([byte]))
        assert lib.is_reset(c)


@pytest.mark.parametrize("data", [
    b"SSH-2.0-OpenSSH_9.2\r\n", b"GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n", b"\x16\x02\x00\x00\x05hello",
    b"\x17\x03\x03\x00\x05hello", record(b"\x02\x00\x00\x05hello"), hello(sni("a b.example")),
    hello(sni("allowed.example"), sni("ads.listed.example")), record(lib.message(sni("allowed.example")) * 2),
    b"\x80\x2e\x01\x03\x01" + bytes(40)],
    ids=["SSH", "HTTP", "SSL 2 record", "data first", "server hello", "no name", "two names", "two hellos", "SSL 2"])
def test_what_is_no_hello_is_reset(net, data):
    before = net.secure.connections
    with lib.connect(net) as c:
        c.send(data)
        assert lib.is_reset(c)
    assert net.secure.connections == before


def test_dns_over_tls_is_reset_whatever_its_name(net):
    assert lib.is_refused(net, "allowed.example", "internet", SITE, alpn("dot"))
    assert lib.is_refused(net, "allowed.example", "internet", SITE, alpn("h2", "dot"))


@pytest.mark.parametrize("name", ["dns.google", "mozilla.cloudflare-dns.com", "below.dns.quad9.net",
                                  "mask.icloud.com"])
def test_resolvers_of_encrypted_dns_are_reset_for_every_device(net, name):
    net.dns.names[name] = [SITE]
    assert lib.is_refused(net, name)
    assert lib.is_refused(net, name, "full")


def test_encrypted_hello_is_reset_where_its_outer_name_hides_the_real_one(net):
    for name in ("cloudflare-ech.com", "public.tls-ech.dev"):
        net.dns.names[name] = [SITE]
        assert lib.is_refused(net, name, "internet", SITE, lib.ECH)


def test_encrypted_hello_of_any_other_name_is_judged_by_it(net, raw):
    """Browsers send the extension to everybody (GREASE)."""
    c, server = lib.open_raw(net, raw, lib.ECH)
    c.close()
    server.close()
    assert lib.is_refused(net, "ads.listed.example", "internet", SITE, lib.ECH)


def test_encrypted_hello_passes_where_nothing_is_judged_by_name(net, raw):
    net.dns.names["cloudflare-ech.com"] = [RAW]
    net.change("device_prefs", {"id": "device:passing", "lists_off": ["adblock"]})
    try:
        with lib.connect(net, "passing", RAW) as c:
            c.send(hello(sni("cloudflare-ech.com"), lib.ECH))
            raw.accept().close()
    finally:
        net.change("device_prefs", {"id": "device:passing"})
    assert lib.is_refused(net, "cloudflare-ech.com", "passing", RAW, lib.ECH)
    assert raw.nobody_came()


@pytest.fixture(name="patient")
def _patient(net):
    """A connection may take a minute."""
    before = net.conf.read_text()
    for text in (before.replace("connect_s = 2\n", "connect_s = 60\n"), before):
        net.proxyd.stop()
        net.conf.write_text(text)
        net.start_proxyd()
        if text != before:
            yield net


def test_a_client_that_leaves_ends_what_is_done_for_it(patient):
    """Its site takes no packet: nobody waits for that any longer."""
    net = patient
    descriptors = lambda: len(os.listdir("/proc/%d/fd" % net.proxyd.process.pid))  # noqa: E731
    wait_until(lambda: net.redis.status_now("proxyd")["spliced_now"] == 0, "quiet")
    before = descriptors()
    with lib.connect(net, to=RAW) as c:
        c.send(hello(sni("deaf.test.example")))
        wait_until(lambda: descriptors() >= before + 2, "connecting")
    wait_until(lambda: descriptors() <= before, "given up")


# ---- the server's first answer ----


def _retry(net, raw, second):
    """After a HelloRetryRequest the client sends `second`: (client, server)."""
    c = lib.connect(net, to=RAW)
    first = hello(sni(RAW_NAME))
    c.send(first)
    server = raw.accept()
    assert lib.read_exactly(server, len(first)) == first
    asked = lib.server_hello(lib.RETRY) + b"\x14\x03\x03\x00\x01\x01"
    server.sendall(asked)
    assert lib.read_exactly(c.socket, len(asked)) == asked
    c.send(second)
    return c, server


@pytest.mark.parametrize("before", [b"", b"\x14\x03\x03\x00\x01\x01", record(b"early", 23) * 3],
                         ids=["alone", "with change_cipher_spec", "after early data"])
def test_the_second_hello_passes_with_the_same_name(net, raw, before):
    second = before + hello(sni(RAW_NAME), alpn("h2"), cut=7)
    c, server = _retry(net, raw, second)
    assert lib.read_exactly(server, len(second)) == second
    server.sendall(lib.server_hello() + b"bye")
    assert lib.read_exactly(c.socket, len(lib.server_hello()) + 3).endswith(b"bye")
    c.send(b"more")
    assert lib.read_exactly(server, 4) == b"more"
    c.close()
    server.close()


@pytest.mark.parametrize("second", [hello(sni("ads.listed.example")), hello(), hello(sni("allowed.example")),
                                    b"\x14\x03\x03\x00\x01\x01" + hello(sni("ads.listed.example"), cut=3),
                                    b"SSH-2.0\r\n"],
                         ids=["listed", "none", "allowed", "listed after change_cipher_spec", "garbage"])
def test_the_second_hello_with_another_name_is_reset(net, raw, second):
    c, server = _retry(net, raw, second)
    assert lib.is_reset(c)
    with pytest.raises(ConnectionResetError):
        server.recv(1)
    c.close()
    server.close()


@pytest.fixture(name="bank")
def _bank(net):
    """RAW_NAME is passed through CONNECT undecrypted."""
    net.change("websites", net.website(RAW_NAME, "banking"))
    yield net
    net.change("websites", net.website(RAW_NAME, "education"))


def _through_connect(net, raw, *rest):
    """(client, server) after the hello: the server has got it, and nothing of the rest."""
    c, r = net.tunnel(RAW_NAME + ":443")
    assert r.status == 200
    first = hello(sni(RAW_NAME))
    c.send(b"".join([first, *rest]))
    server = raw.accept()
    assert lib.read_exactly(server, len(first)) == first
    return c, server


@pytest.mark.parametrize("name,passes", [(RAW_NAME, True), ("ads.listed.example", False)])
def test_a_second_hello_after_connect_is_held_to_the_same_name(bank, raw, name, passes):
    c, server = _through_connect(bank, raw)
    asked, second = lib.server_hello(lib.RETRY), hello(sni(name))
    server.sendall(asked)
    assert lib.read_exactly(c.socket, len(asked)) == asked
    c.send(second)
    if passes:
        assert lib.read_exactly(server, len(second)) == second
        server.sendall(b"whatever")
        assert lib.read_exactly(c.socket, 8) == b"whatever"
    else:
        assert not server.recv(1)
        assert c.is_closed()
    c.close()
    server.close()


def test_nothing_goes_on_after_connect_before_the_server_has_answered(bank, raw):
    early = record(b"early", 23)
    c, server = _through_connect(bank, raw, early)
    server.sendall(lib.server_hello())
    assert lib.read_exactly(server, len(early)) == early
    c.close()
    server.close()
    c, server = _through_connect(bank, raw, hello(sni("ads.listed.example")))
    server.sendall(lib.server_hello(lib.RETRY))
    assert not server.recv(1)
    c.close()
    server.close()


def test_nothing_goes_on_before_the_server_has_answered(net, raw):
    """What follows the hello could be the next one."""
    first = hello(sni(RAW_NAME))
    with lib.connect(net, to=RAW) as c:
        c.send(first + record(b"early", 23))
        with raw.accept() as server:
            assert lib.read_exactly(server, len(first)) == first
            c.send(record(b"later", 23))
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.recv(1)
            server.settimeout(30)
            server.sendall(lib.server_hello())
            assert lib.read_exactly(server, 20) == record(b"early", 23) + record(b"later", 23)


def test_a_hello_ahead_of_the_retry_does_not_slip_through(net, raw):
    first, second = hello(sni(RAW_NAME)), hello(sni("ads.listed.example"))
    with lib.connect(net, to=RAW) as c:
        c.send(first + second)
        with raw.accept() as server:
            assert lib.read_exactly(server, len(first)) == first
            server.sendall(lib.server_hello(lib.RETRY))
            with pytest.raises(ConnectionResetError):
                server.recv(1)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x17\x03\x03\x00\x05hello",
                                    record(b"\x01\x00\x00\x00")], ids=["HTTP", "data first", "client hello"])
def test_a_server_that_does_not_speak_tls_is_reset(net, raw, answer):
    with lib.connect(net, to=RAW) as c:
        c.send(hello(sni(RAW_NAME)))
        with raw.accept() as server:
            server.sendall(answer)
            assert lib.is_reset(c)


def test_an_alert_of_the_server_is_passed_on(net, raw):
    alert = b"\x15\x03\x03\x00\x02\x02\x28"
    with lib.connect(net, to=RAW) as c:
        c.send(hello(sni(RAW_NAME)))
        with raw.accept() as server:
            server.sendall(alert)
        assert lib.read_exactly(c.socket, 7) == alert
        assert c.is_closed()


def test_a_server_hello_in_pieces_is_read(net, raw):
    with lib.connect(net, to=RAW) as c:
        c.send(hello(sni(RAW_NAME)))
        with raw.accept() as server:
            for byte in lib.server_hello():
                server.sendall(bytes([byte]))
            assert lib.read_exactly(c.socket, len(lib.server_hello())) == lib.server_hello()


# ---- spliced ----


def test_each_end_closes_its_own_half(net, raw):
    c, server = lib.open_raw(net, raw)
    c.socket.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.sendall(b"still here")
    assert lib.read_exactly(c.socket, 10) == b"still here"
    server.close()
    assert c.socket.recv(1) == b""
    c.close()

    c, server = lib.open_raw(net, raw)
    server.shutdown(socket.SHUT_WR)
    assert c.socket.recv(1) == b""
    c.send(b"and here")
    assert lib.read_exactly(server, 8) == b"and here"
    c.close()
    assert server.recv(1) == b""
    server.close()
    wait_until(lambda: net.status()["spliced_now"] == 0, "both forgotten")


def test_a_reset_is_passed_on(net, raw):
    for mine in (0, 1):
        ends = lib.open_raw(net, raw)
        socks = [ends[0].socket, ends[1]]
        socks[mine].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        ends[0].file.close()
        socks[mine].close()
        with pytest.raises(ConnectionResetError):
            socks[1 - mine].recv(1)
        socks[1 - mine].close()


def _pour(source, sink, size):
    """size bytes from one end to the other: both digests."""
    block = hashlib.sha256(b"seed").digest() * 2048
    sent, got = hashlib.sha256(), hashlib.sha256()

    def send():
        left = size
        while left:
            n = min(left, len(block))
            source.sendall(block[:n])
            sent.update(block[:n])
            left -= n
    thread = threading.Thread(target=send)
    thread.start()
    left = size
    while left:
        data = sink.recv(min(left, 1 << 20))
        assert data, "ended with %d left" % left
        got.update(data)
        left -= len(data)
    thread.join()
    return sent.hexdigest(), got.hexdigest()


def test_much_passes_unchanged_both_ways(net, raw):
    c, server = lib.open_raw(net, raw)
    for source, sink in ((server, c.socket), (c.socket, server)):
        sent, got = _pour(source, sink, 32 << 20)
        assert sent == got
    c.close()
    server.close()


def test_a_reader_that_takes_nothing_holds_up_its_sender(net, raw):
    """Flat memory: what is under way is in the kernel's buffers, not in the process."""
    pairs = [lib.open_raw(net, raw) for _ in range(4)]
    before = net.rss_kib()
    for c, server in pairs:
        server.setblocking(False)
        block, total = bytes(1 << 20), 0
        deadline = time.monotonic() + 30
        idle = 0
        while idle < 6 and total < 64 << 20 and time.monotonic() < deadline:
            try:
                total += server.send(block)
                idle = 0
            except BlockingIOError:
                idle += 1
                select.select([], [server], [], 0.05)
        assert total < 64 << 20, "nobody held the sender up"
        server.settimeout(30)
        c.sent = total
    assert net.rss_kib() - before < 4096
    for c, server in pairs:
        lib.read_exactly(c.socket, c.sent)
        server.sendall(b"end")
        assert lib.read_exactly(c.socket, 3) == b"end"
        c.close()
        server.close()


def test_a_device_has_a_bounded_number_of_connections(net, raw):
    kept = []
    try:
        for _ in range(512):
            kept.append(lib.connect(net, to=RAW))
        assert lib.is_turned_away(net, "internet", RAW, 443)
        with lib.connect(net, "full", RAW) as c:
            c.send(hello(sni(RAW_NAME)))
            raw.accept().close()
    finally:
        for c in kept:
            c.close()
    wait_until(lambda: net.redis.status_now("proxyd")["spliced_now"] == 0, "all forgotten")
    c, server = lib.open_raw(net, raw)
    c.close()
    server.close()


def test_hellos_of_chosen_clients_are_logged_once_in_a_while(new_world):
    """P12, and a device may keep its names to itself (D10)."""
    w = new_world
    lib.redirect(w)
    w.proxyd.stop()
    w.conf.write_text(w.conf.read_text() + "sni_log_ips = 10.9.0.3, 10.9.0.2\n")
    w.start_proxyd()
    w.change("devices", w.device("full", privacy="counts"))
    for who in ("internet", "internet", "full", "passing"):
        assert lib.get(w, "allowed.example", who).status == 200
    assert lib.is_refused(w, "ads.listed.example")
    lines = [line for line in w.proxyd.log().splitlines() if "hello device=" in line]
    assert [line.split(" ", 1)[1] for line in lines] == [
        "hello device=internet address=10.9.0.3 name=allowed.example alpn=http/1.1, ech=0 verdict=allow",
        "hello device=internet address=10.9.0.3 name=ads.listed.example alpn= ech=0 verdict=block"]
