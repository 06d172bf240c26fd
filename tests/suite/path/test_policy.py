# SPDX-License-Identifier: GPL-3.0-or-later
"""In the path: policy that changes, devices that choose otherwise, names that are not proven (P20, P3, F9)."""
import os

import interceptlib as lib
import pytest
from interceptlib import RAW, alpn
from pathlab import get
from proxylib import SITE, Late
from support.wait import wait_until


DENIED = 4


def is_denied(world, c):
    """An earlier connection's entry of the same port may still be there."""
    return DENIED in [mark >> 29 for mark in world.marks(SITE, source=c.socket.getsockname()[1])]


def is_cut(c, name):
    """The connection's next request has no answer: it is reset, or over."""
    try:
        c.ask("GET", "/", name)
        return False
    except (ConnectionResetError, EOFError):
        return True


def test_a_new_block_ends_the_live_connections_of_its_name_and_no_others(world):
    """F9: within a second at the gateway."""
    with lib.tls(world, "s3.test.example") as doomed, lib.tls(world, "s4.test.example") as other:
        assert doomed.ask("GET", "/", "s3.test.example").status == 200
        gen = world.set("sni_block", {"id": "s3.test.example", "domain": "s3.test.example"})
        world.wait_path_applied("sni_block", gen)
        wait_until(lambda: is_denied(world, doomed), "the mark of a denied connection")
        assert is_cut(doomed, "s3.test.example")
        assert other.ask("GET", "/", "s4.test.example").status == 200
    assert lib.is_refused(world, "s3.test.example")


def test_a_hello_whose_name_is_blocked_while_it_is_proven_is_reset(world):
    """It was let through by the policy of when it came, until the next look at all connections."""
    name = "late.test.example"
    address = world.dns.names[name] = Late(SITE)
    try:
        with lib.connect(world) as c:
            c.send(lib.hello(lib.sni(name)))
            wait_until(lambda: name in world.dns.asked, "its address is asked for")
            world.wait_path_applied("sni_block", world.set("sni_block", {"id": "late", "domain": name}))
            address.told.set()
            assert lib.is_reset(c)
    finally:
        address.told.set()


def test_a_restricted_search_is_proven_by_the_restricted_form_alone(world):
    """D5: its own addresses proved it, and the restricted form's did not, so that it was led to its own."""
    name = "www.google.com"
    sent = lib.hello(lib.sni(name))
    with lib.Raw(world) as raw:
        world.dns.names.update({name: [SITE], "forcesafesearch.google.com": [RAW]})
        restricted = world.set("devices", world.device("internet", safe_search={"google": True}))
        try:
            world.wait_path_applied("devices", restricted)
            with lib.connect(world, to=RAW) as c:
                c.send(sent)
                with raw.accept() as server:
                    assert lib.read_exactly(server, len(sent)) == sent
                assert not world.spliced()
            assert lib.is_refused(world, name)
        finally:
            world.owner_device("internet")
            world.nft("flush", "set", "inet", "culvert", "prove4")


def test_a_hello_for_an_alias_of_a_listed_name_is_reset(world):
    """D7: by an address that the app has without DNS."""
    world.dns.names["s12.test.example"] = world.dns.names["s13.test.example"] = [SITE]
    world.dns.aliases.update({"s12.test.example": ["ads.listed.example."], "s13.test.example": ["s14.test.example."]})
    assert lib.is_refused(world, "s12.test.example")
    with lib.tls(world, "s13.test.example") as c:
        assert c.ask("GET", "/", "s13.test.example").status == 200
        assert not world.spliced()


def test_a_destination_that_is_no_answer_is_reset_and_its_retry_is_proxyd_s_to_prove(world):
    """P20: the retry reaches the name's own address."""
    with lib.Raw(world) as raw:
        assert lib.is_refused(world, "s5.test.example", to=RAW)
        # It was connected, and got nothing of the hello.
        with raw.accept() as stranger:
            stranger.settimeout(0.5)
            with pytest.raises(TimeoutError):
                stranger.recv(1)
        with lib.tls(world, "s5.test.example", to=RAW) as c:
            assert c.ask("GET", "/", "s5.test.example").status == 200
            assert world.spliced()
        assert raw.nobody_came()
    # Elsewhere the same device is judged in the path.
    with lib.tls(world, "s5.test.example") as c:
        assert c.ask("GET", "/", "s5.test.example").status == 200
        world.await_nothing_spliced()


def test_a_hello_without_a_name_is_proxyd_s(world):
    assert lib.is_refused(world, None, "passing", "198.51.100.10")
    world.nft("flush", "set", "inet", "culvert", "prove4")


def test_a_name_that_dnsd_does_not_know_is_reset(world):
    assert lib.is_refused(world, "nosuch.test.example")


@pytest.mark.parametrize("extensions", [(alpn("dot"),), (alpn("h2", "doq"),)])
def test_encrypted_dns_is_reset(world, extensions):
    assert lib.is_refused(world, "allowed.example", "internet", SITE, *extensions)


def test_a_hidden_name_is_reset(world):
    """P3: its outer name stands for all that a provider has."""
    world.dns.names["cloudflare-ech.com"] = [SITE]
    assert lib.is_refused(world, "cloudflare-ech.com", "internet", SITE, lib.ECH)


def test_an_extension_that_looks_like_a_hidden_name_is_judged_by_the_name(world):
    with lib.connect(world) as c:
        c.send(lib.hello(lib.sni("allowed.example"), lib.ECH))
        assert c.socket.recv(1) in (b"\x15", b"\x16")


def test_a_device_with_splice_goes_through_proxyd(world):
    world.owner_device("full", https_path="splice")
    with lib.tls(world, "allowed.example", "full") as c:
        assert c.ask("GET", "/", "allowed.example").status == 200
        assert world.spliced()
    world.owner_device("full")
    with lib.tls(world, "allowed.example", "full") as c:
        assert c.ask("GET", "/", "allowed.example").status == 200
        world.await_nothing_spliced()


def test_a_restart_of_the_reader_leaves_connections_alone(world):
    with lib.tls(world, "allowed.example") as c:
        assert c.ask("GET", "/", "allowed.example").status == 200
        world.await_judged()
        world.reader.stop()
        world.start_reader()
        assert c.ask("GET", "/", "allowed.example").status == 200
    assert get(world, "allowed.example").status == 200


def test_what_a_dead_reader_let_pass_ends_with_the_next_change_of_policy(world):
    """Nobody knows its name any more: closed."""
    with lib.tls(world, "s6.test.example") as c:
        assert c.ask("GET", "/", "s6.test.example").status == 200
        world.await_judged()
        world.reader.kill()
        world.start_reader()
        assert c.ask("GET", "/", "s6.test.example").status == 200

        def ends():
            world.set("sni_block", {"id": "s7.test.example", "domain": "s7.test.example"})
            return is_denied(world, c)
        wait_until(ends, "the mark of a denied connection")
        assert is_cut(c, "s6.test.example")
    assert get(world, "allowed.example").status == 200


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_change_while_no_reader_runs_ends_what_passed_before(world, end):
    """F9: the next one knows under which policy its predecessor judged."""
    with lib.tls(world, "s8.test.example") as c:
        assert c.ask("GET", "/", "s8.test.example").status == 200
        getattr(world.reader, end)()
        world.set("sni_block", {"id": "s9%s.test.example" % end, "domain": "s9%s.test.example" % end})
        assert c.ask("GET", "/", "s8.test.example").status == 200
        world.start_reader()
        wait_until(lambda: is_denied(world, c), "the mark of a denied connection")
        assert is_cut(c, "s8.test.example")
    assert get(world, "allowed.example").status == 200


def test_a_web_set_that_a_dead_reader_had_not_loaded_ends_what_it_let_pass(world):
    """F9: another topic, which changed meanwhile, says nothing of the set."""
    name = "s15.test.example"
    with lib.tls(world, name) as c:
        assert c.ask("GET", "/", name).status == 200
        world.set("sni_block", {"id": "s16", "domain": "s16.test.example"})
        world.await_judged()  # by this reader
        with world.late_blobs():
            world.await_known("webset", world.webset_of(world.set("websites", world.website(name, "gambling"))))
            world.wait_path_applied("sni_block", world.set("sni_block", {"id": "s17", "domain": "s17.test.example"}))
            assert lib.is_refused(world, "s17.test.example") and get(world, "allowed.example").status == 200
            assert c.ask("GET", "/", name).status == 200
            world.reader.kill()
        world.start_reader()
        wait_until(lambda: is_denied(world, c), "the mark of a denied connection")
        assert is_cut(c, name)


@pytest.mark.skipif("PATH_LONG" not in os.environ, reason="waits for half a minute")
def test_connections_that_are_over_are_forgotten(world):
    get(world, "allowed.example")
    wait_until(lambda: world.path_status().get("flows"), "a flow")
    world.gw.run("conntrack", "-F")
    wait_until(lambda: world.path_status().get("flows") == 0, "no flows", 60)
