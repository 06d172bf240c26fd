# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/2 towards clients (SPEC P1): what HTTP/1.1 has, over streams that do not get into each other's way."""
import hashlib
import os
import threading

import pytest
from h2lib import Answer, Client, connect_tls
from proxylib import DEADLINE_S
from support.wait import wait_until

HOST = "allowed.example"
PROTOCOL_ERROR = 1


@pytest.fixture(name="client")
def fixture_client(world):
    with Client(world) as c:
        yield c


@pytest.fixture(name="unchecked")
def fixture_unchecked(world):
    """A client that sends what it must not."""
    with Client(world, checks=False) as c:
        yield c


def test_request_is_answered(world, client):
    answer = client.get("/")
    assert answer.status == 200 and answer.is_ended, answer
    assert not {"connection", "transfer-encoding", "keep-alive"} & {k for k, _ in answer.headers}
    seen = world.secure.requests[-1]
    assert dict((k.lower(), v) for k, v in seen.headers)["host"] == HOST


def test_http11_is_still_there(world):
    sock = connect_tls(world, HOST, alpn=("http/1.1",))
    assert sock.selected_alpn_protocol() == "http/1.1"
    sock.close()


def test_head_has_no_body(client):
    answer = client.get("/", method="HEAD")
    assert answer.status == 200 and not answer.body and int(answer.get("content-length")) > 0


def test_many_requests_at_once(world, client):
    """All wait for the last to arrive: none is waited for by another."""
    barrier = threading.Barrier(20)

    def meet(r):
        barrier.wait(DEADLINE_S)
        r.answer(body="I am " + r.target)
    for i in range(20):
        world.secure.routes["/meet%d" % i] = meet
    streams = [client.request("/meet%d" % i) for i in range(20)]
    for i, n in enumerate(streams):
        assert client.wait(n).body.decode() == "I am /meet%d" % i


def test_other_authority_is_refused(world, client):
    """Coalescing: the certificate may fit, the connection does not (421)."""
    before = len(world.secure.requests)
    assert client.get("/", authority="www.allowed.example").status == 421
    assert client.get("/", authority="allowed.example:444").status == 421
    assert len(world.secure.requests) == before
    assert client.get("/").status == 200


def test_blocked_site_has_its_page(world):
    with Client(world, "blocked.example") as c:
        answer = c.get("/")
        assert answer.status == 451 and "blocked" in answer.body.decode()


def test_portal_is_reached(world):
    with Client(world, HOST) as c:
        answer = c.get("/.kvylock/appeal?url=http%3A%2F%2Fallowed.example%2F&host=allowed.example")
        assert answer.status == 200 and b"<form" in answer.body


def test_plain_connect_is_refused(unchecked):
    """No way round CONNECT's own rules through one of its tunnels."""
    client = unchecked
    n = client.h2.get_next_available_stream_id()
    client.h2.send_headers(n, [(":method", "CONNECT"), (":authority", "allowed.example:443")])
    client.answers[n] = Answer()
    client.flush()
    client.until(lambda: client.answers[n].status or client.answers[n].reset is not None)
    assert client.answers[n].status in (0, 400)
    assert client.get("/").status == 200


# ---- heads ----

def test_crumbs_of_cookies_are_joined(world, client):
    client.get("/", headers=[("cookie", "a=1"), ("cookie", "b=2"), ("x-more", "yes")])
    headers = [(k.lower(), v) for k, v in world.secure.requests[-1].headers]
    assert [v for k, v in headers if k == "cookie"] == ["a=1; b=2"] and ("x-more", "yes") in headers


def test_two_hosts_are_refused(world, unchecked):
    before = len(world.secure.requests)
    answer = unchecked.get("/", headers=[("host", "blocked.example")])
    assert answer.status == 400 or answer.reset is not None
    assert len(world.secure.requests) == before


def test_header_list_beyond_the_limit_is_refused(world, client):
    before = len(world.secure.requests)
    client.h2.remote_settings.max_header_list_size = 1 << 30
    assert client.get("/", headers=[("x-%d" % i, "v" * 4000) for i in range(20)]).status == 431
    assert client.get("/", headers=[("x-%d" % i, "v") for i in range(101)]).status == 431
    assert len(world.secure.requests) == before
    assert client.get("/").status == 200


@pytest.mark.parametrize("headers", [
    [("connection", "close")], [("transfer-encoding", "chunked")], [("upgrade", "websocket")],
    [("te", "gzip")], [("X-Upper", "a")], [("x-a", "b\r\nx-c: d")], [("x y", "z")],
    [("content-length", "1"), ("content-length", "2")]],
    ids=lambda h: h[0][0].lower().replace(" ", "_") + "%d" % len(h[0][1]))
def test_malformed_head_is_no_request(world, unchecked, headers):
    before = len(world.secure.requests)
    answer = unchecked.get("/", headers=headers)
    assert answer.reset == PROTOCOL_ERROR, answer
    assert len(world.secure.requests) == before
    assert unchecked.get("/").status == 200


def test_body_shorter_or_longer_than_declared_is_refused(world, client):
    world.secure.routes["/take"] = lambda r: r.answer(body="%d" % len(r.body))
    for length in ("4", "6"):
        answer = client.wait(client.request("/take", "POST", [("content-length", length)], b"12345"))
        assert answer.status != 200
    answer = client.wait(client.request("/take", "POST", [("content-length", "5")], b"12345"))
    assert answer.status == 200 and answer.body == b"5"


# ---- bodies ----

def test_body_without_length_goes_up_chunked(world, client):
    world.secure.routes["/take"] = lambda r: r.answer(body=hashlib.sha256(r.body).hexdigest())
    body = os.urandom(3 << 20)
    answer = client.wait(client.request("/take", "POST", body=body))
    assert answer.body.decode() == hashlib.sha256(body).hexdigest()


def test_big_answer_comes_whole(world, client):
    body = os.urandom(6 << 20)
    world.secure.routes["/big"] = lambda r: r.answer(body=body)
    answer = client.get("/big")
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(body).digest()


def test_trailers_of_a_chunked_answer_come_along(world, client):
    def answer(r):
        r.send(b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
               b"5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n")
    world.secure.routes["/trailers"] = answer
    answer = client.get("/trailers")
    assert answer.body == b"hello" and ("x-sum", "42") in answer.trailers


def test_answer_cut_short_is_a_reset_and_the_others_go_on(world, client):
    def cut(r):
        r.send(b"HTTP/1.1 200 Fine\r\nContent-Length: 100\r\n\r\nhalf")
        return False
    world.secure.routes["/cut"] = cut
    answer = client.get("/cut")
    assert answer.reset is not None and not answer.is_ended
    assert client.get("/").status == 200


def test_stalled_stream_does_not_stall_the_others(world):
    """A client that takes nothing of one answer gets the others, and the gateway holds little of that one."""
    big = os.urandom(32 << 20)
    world.secure.routes["/big"] = lambda r: r.answer(body=big)
    with Client(world, windows=False) as c:
        c.h2.increment_flow_control_window(1 << 28)  # the connection's
        c.flush()
        stalled = c.request("/big")
        c.until(lambda: len(c.answers[stalled].body) == 65535)
        before = world.rss_kib()
        for _ in range(20):
            assert c.get("/").status == 200
        assert not c.answers[stalled].is_ended
        assert world.rss_kib() - before < 8 * 1024
        c.windows = True
        c.h2.increment_flow_control_window(1 << 24, stalled)
        c.h2.increment_flow_control_window((1 << 24) + 1000000, stalled)
        c.flush()
        assert c.wait(stalled).body == big


def test_upload_that_is_not_taken_does_not_stall_the_others(world, client):
    """The origin reads nothing of one body; the client's other streams go on, and memory stays flat."""
    go = threading.Event()

    def refuse_to_read(r):
        go.wait(DEADLINE_S)
        r.answer(body="late")
        return False
    refuse_to_read.early = True
    world.secure.routes["/deaf"] = refuse_to_read
    n = client.request("/deaf", "POST", ends=False)
    sent = 0
    client.socket.settimeout(DEADLINE_S)
    while sent < 64 << 20:
        room = min(client.h2.local_flow_control_window(n), client.h2.max_outbound_frame_size)
        if not room:
            ping = client.pings
            client.h2.ping(b"whatever")
            client.flush()
            client.until(lambda: client.pings > ping)
            if not client.h2.local_flow_control_window(n):
                break
            continue
        client.h2.send_data(n, bytes(room))
        client.flush()
        sent += room
    assert sent < 32 << 20
    for _ in range(10):
        assert client.get("/").status == 200
    go.set()


def test_reset_ends_the_request_upstream(world, client):
    gone = threading.Event()

    def wait(r):
        r.send(b"HTTP/1.1 200 Fine\r\nContent-Length: 100\r\n\r\nhalf")
        r.conn.settimeout(DEADLINE_S)
        try:
            if not r.file.read(1):
                gone.set()
        except OSError:
            gone.set()
        return False
    world.secure.routes["/wait"] = wait
    n = client.request("/wait")
    client.until(lambda: client.answers[n].body == b"half")
    client.h2.reset_stream(n, 8)
    client.flush()
    assert gone.wait(DEADLINE_S)
    assert client.get("/").status == 200


def test_continue_comes_from_the_server(world, client):
    def careful(r):
        r.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        r.answer(body=r.file.read(5))
    careful.early = True
    world.secure.routes["/careful"] = careful
    n = client.request("/careful", "POST", [("expect", "100-continue"), ("content-length", "5")], ends=False)
    client.until(lambda: client.answers[n].interims)
    assert client.answers[n].interims[0][0] == (":status", "100")
    client.h2.send_data(n, b"12345", end_stream=True)
    client.flush()
    answer = client.wait(n)
    assert answer.status == 200 and answer.body == b"12345"


def test_early_hints_come_along(world, client):
    def hint(r):
        r.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nAlt-Svc: h3=\":443\"\r\n\r\n")
        r.answer(body="page")
    world.secure.routes["/hint"] = hint
    answer = client.get("/hint")
    assert answer.status == 200 and answer.interims[0][0] == (":status", "103")
    assert "alt-svc" not in [k for k, _ in answer.interims[0]]


# ---- policy ----

def test_policy_change_ends_what_runs(world):
    """F9: an answer under way is cut when its site is blocked; what has no answer yet gets the page."""
    go = threading.Event()

    def slow(r):
        r.send(b"HTTP/1.1 200 Fine\r\nContent-Length: 100\r\n\r\nhalf")
        go.wait(DEADLINE_S)
        return False

    def silent(_):
        go.wait(DEADLINE_S)
        return False
    world.secure.routes.update({"/slow": slow, "/silent": silent})
    with Client(world, "s7.test.example") as c:
        begun, waiting = c.request("/slow"), c.request("/silent")
        c.until(lambda: c.answers[begun].body == b"half")
        wait_until(lambda: {"/silent", "/slow"} <= {r.target for r in list(world.secure.requests)}, "both there")
        world.change("websites", world.website("s7.test.example", "gambling", "exact"))
        assert c.wait(begun).reset is not None
        assert c.wait(waiting).status == 451
        assert c.get("/").status == 451
    go.set()


# ---- real clients ----

def test_curl_speaks_http2(world):
    done = world.curl("--http2", "-w", "\n%{http_version} %{http_code}", "https://allowed.example/")
    assert done.stdout.endswith(b"\n2 200"), done


def test_h2load_gets_every_answer(world):
    """nghttp2's own load generator at the gateway's pages: 4 connections of 50 streams."""
    done = world.client.run("h2load", "-n", "2000", "-c", "4", "-m", "50", "https://10.9.0.1/culvert-ca.pem")
    assert "2000 succeeded, 0 failed" in done and "2000 2xx" in done, done


def test_nghttp_understands_it(world):
    done = world.client.run("nghttp", "-nv", "--no-verify-peer", "https://10.9.0.1/culvert-ca.pem",
                            "https://10.9.0.1/proxy.pac")
    assert done.count(":status: 200") == 2, done
