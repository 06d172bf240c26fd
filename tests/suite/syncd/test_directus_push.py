# SPDX-License-Identifier: GPL-3.0-or-later
"""Directus' WebSocket is a hint that there is something to look at (SPEC S3)."""
import contextlib

import pytest
from wsproto.events import TextMessage

from support.wait import wait_until

POLL = "directus_poll_s = 3600\n"


def open_socket(policy, directus):
    policy.known()
    return wait_until(lambda: (one := directus.newest_socket()) and "mitm_block_domains" in one.subscribed and one,
                      "subscribed")


def quiet(policy, directus):
    """Until the rounds that follow the start and the connection are through."""
    one = open_socket(policy, directus)
    # Each of the two rounds ends with a look at appeals; the first one's may last until after the second.
    wait_until(lambda: len(directus.asked("/items/website_appeals?aggregate")) >= 2, "the round after the connection")
    return one


def test_a_change_is_seen_without_the_poll(policy, directus):
    policy.start(POLL)
    quiet(policy, directus)
    n, = directus.add("mitm_block_domains", {"domain": "pushed.example"})
    policy.wait("sni_block", {str(n): {"id": str(n), "domain": "pushed.example"}})
    directus.update("mitm_block_domains", n, domain="changed.example")
    policy.wait("sni_block", {str(n): {"id": str(n), "domain": "changed.example"}})
    directus.remove("mitm_block_domains", n)
    policy.wait("sni_block", {})


def test_a_hint_has_one_collection_looked_at(policy, directus):
    policy.start(POLL)
    quiet(policy, directus)
    before = len(directus.requests)
    directus.add("mitm_block_domains", {"domain": "pushed.example"})
    wait_until(lambda: policy.records("sni_block"), "row")
    assert {p.split("?")[0] for _, p in directus.requests[before:]} == {"/items/mitm_block_domains"}


def test_a_new_list_of_the_group_is_listened_to(policy, directus, gateway):
    policy.start(POLL)
    quiet(policy, directus)
    directus.make_collection("apps_x", "apps")
    assert gateway.request("syncd.sync_now")["status"] == 0
    directus.wait_subscribed("apps_x")
    directus.add("apps_x", {"url": "x.example"})
    gateway.wait_blocked("x.example", {"apps_x"})


def test_what_changed_while_it_was_away_is_found_at_once(policy, directus):
    policy.start(POLL)
    quiet(policy, directus)
    directus.refuses_sockets = True
    directus.hang_up()
    wait_until(lambda: directus.asked("/websocket"), "another attempt")
    n, = directus.add("mitm_block_domains", {"domain": "missed.example"})
    directus.refuses_sockets = False
    policy.wait("sni_block", {str(n): {"id": str(n), "domain": "missed.example"}})


def test_pings_are_answered(policy, directus):
    policy.start(POLL)
    one = quiet(policy, directus)
    one.say(type="ping")
    wait_until(lambda: {"type": "pong"} in one.messages, "pong")


@pytest.mark.parametrize("junk", ["", "[]", "{", '{"type":7}', '{"type":"subscription","event":"create","uid":{}}',
                                  '{"type":"auth","status":"ok"}', pytest.param("x" * 1_100_000, id="large")])
def test_junk_harms_nothing(policy, directus, junk):
    """A message above 1 MiB ends the connection, which is made again."""
    policy.start(POLL)
    one = quiet(policy, directus)
    with contextlib.suppress(OSError):  # it need not be read to its end
        one.transmit(TextMessage(junk))
    if len(junk) > 1 << 20:
        wait_until(lambda: directus.newest_socket() not in (one, None), "another connection")
        open_socket(policy, directus)
    n, = directus.add("mitm_block_domains", {"domain": "after.example"})
    policy.wait("sni_block", {str(n): {"id": str(n), "domain": "after.example"}})


def test_without_push_only_the_poll_looks(policy, directus):
    policy.start("directus_push = no\n")
    policy.known()
    directus.add("mitm_block_domains", {"domain": "polled.example"})
    wait_until(lambda: policy.records("sni_block"), "row")
    assert not directus.asked("/websocket") and not directus.sockets


def test_a_login_is_used_too(policy, directus):
    directus.tokens.clear()
    directus.login = ("admin@example.com", "secret")
    password = policy.secret("password", "secret")
    policy.start(POLL + f"directus_email = admin@example.com\ndirectus_password_file = {password}\n", token=False)
    quiet(policy, directus)
    directus.add("mitm_block_domains", {"domain": "pushed.example"})
    wait_until(lambda: policy.records("sni_block"), "row")


def test_list_that_may_be_forbidden_stays_until_somebody_confirms(policy, directus, gateway):
    """A token that loses a collection must not open its list."""
    directus.is_admin = False
    directus.make_collection("apps_x", "apps")
    directus.make_collection("apps_y", "apps")
    directus.add("apps_x", {"url": "x.example"})
    directus.add("apps_y", {"url": "y.example"})
    policy.start()
    gateway.wait_blocked("x.example", {"apps_x"})
    gateway.wait_blocked("y.example", {"apps_y"})
    directus.forbidden.add("apps_x")
    wait_until(lambda: gateway.alarm()["detail"].startswith("apps_x: gone, or forbidden"), "alarm")
    rounds = len(directus.asked("/collections"))
    wait_until(lambda: len(directus.asked("/collections")) > rounds + 1, "two rounds more")
    assert gateway.blocked("x.example") == [{"apps_x"}]
    # It was another group's: that is for all to see.
    directus.groups["apps_y"] = "others"
    gateway.wait_blocked("y.example", set())
    assert gateway.request("syncd.sync_now", list="apps_x")["status"] == 0
    gateway.wait_blocked("x.example", set())
