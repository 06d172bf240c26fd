# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/2 towards web servers (SPEC P1), from clients of either version: `ask` is one request, whatever the client's
version; the origin speaks HTTP/2 alone."""
import contextlib
import hashlib
import json
import os
import threading
import time

import pytest
from h2_origin import H2Origin
from h2lib import Client
from proxylib import DEADLINE_S
from support.wait import wait_until
import synclib

HOST = "s1.test.example"
PORT_SITE = "198.51.100.20"  # beside the other origins'


@pytest.fixture(name="origin", scope="module")
def fixture_origin(world):
    """On an address of its own of the simulated Internet."""
    world.inet.run("ip", "addr", "add", PORT_SITE + "/32", "dev", "lo")
    context = world._context(synclib.make_certificate(world.dir, "internet", "h2origin", "*.test.example", HOST))
    context.set_alpn_protocols(["h2", "http/1.1"])
    one = H2Origin(world.inet_place.listen(PORT_SITE, 443), context)
    for i in range(1, 10):
        world.dns.names["s%d.test.example" % i] = [PORT_SITE]
    yield one
    one.close()


class Http1:
    """The same as h2lib.Client's, one request at a time."""

    def __init__(self, world, host):
        self.c, self.host = world.secure_to(host), host

    def get(self, path="/", method="GET", headers=(), body=None):
        answer = self.c.ask(method, path, self.host, headers, body)
        answer.trailers = [(k.lower(), v) for k, v in answer.trailers]
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.c.close()


@pytest.fixture(name="client", params=["http1", "http2"])
def fixture_client(request, world, origin):
    assert origin
    with (Http1 if request.param == "http1" else Client)(world, HOST) as c:
        yield c


def test_request_is_answered(client, origin):
    answer = client.get("/echo?a=b", headers=[("x-kept", "yes"), ("cookie", "a=1")])
    assert answer.status == 200
    seen = origin.requests[-1]
    assert (seen.get(":authority"), seen.get(":path"), seen.get(":scheme")) == (HOST, "/echo?a=b", "https")
    assert seen.get("x-kept") == "yes" and seen.get("cookie") == "a=1" and seen.get("host") is None


def test_bodies_both_ways(client, origin):
    body = os.urandom(3 << 20)
    back = os.urandom(5 << 20)

    def swap(s):
        assert bytes(s.body) == body
        s.answer(body=back)
    origin.routes["/swap"] = swap
    answer = client.get("/swap", method="POST", body=body)
    assert answer.status == 200 and hashlib.sha256(answer.body).digest() == hashlib.sha256(back).digest()


def test_length_is_told_where_it_is_known(client, origin):
    origin.routes["/known"] = lambda s: s.answer(headers=[("content-length", "5")], body="12345")
    answer = client.get("/known")
    assert dict((k.lower(), v) for k, v in answer.headers)["content-length"] == "5" and answer.body == b"12345"
    assert client.get("/known", method="HEAD").body == b""


def test_statuses_without_body(client, origin):
    origin.routes["/204"] = lambda s: s.answer(204)
    origin.routes["/304"] = lambda s: s.answer(304, [("etag", '"e"')])
    assert client.get("/204").status == 204
    assert client.get("/304").status == 304
    assert client.get("/echo").status == 200


def test_connection_is_shared_by_a_devices_requests(world, origin):
    host = "s2.test.example"
    with Client(world, host) as a, Client(world, host) as b:
        assert a.get("/echo").status == 200
        before = len(origin.conns)
        streams = [a.request("/echo?%d" % i) for i in range(30)]
        assert b.get("/echo").status == 200
        assert all(a.wait(n).status == 200 for n in streams)
        assert len(origin.conns) == before
        numbers = {s.number for s in origin.requests[-32:]}
        assert len(numbers) == 32


def test_other_devices_have_connections_of_their_own(world, origin):
    host = "s3.test.example"
    with Client(world, host) as a, Client(world, host, "full") as b:
        assert a.get("/echo").status == 200 and b.get("/echo").status == 200
        assert origin.requests[-1].conn is not origin.requests[-2].conn


def test_finished_requests_are_no_resets(world, origin):
    """What servers count against rapid resets is not made by requests that simply ended."""
    with Client(world, "s9.test.example") as c:
        for _ in range(20):
            assert c.get("/echo").status == 200
        assert c.get("/echo", method="POST", body=b"x" * 1000).status == 200
    conn = origin.requests[-1].conn
    assert len(conn.streams) == 21 and conn.resets == 0


def test_trailers_and_grpc(world, origin):
    """gRPC (h2 on both sides): TE: trailers arrives, trailers come back, also when they are all there is."""
    def unary(s):
        assert s.get("te") == "trailers"
        s.start(200, [("content-type", "application/grpc")])
        s.write(bytes(s.body))
        s.end([("grpc-status", "0"), ("grpc-message", "fine")])

    def refuse(s):
        with s.conn.lock:
            s.conn.h2.send_headers(s.number, [(":status", "200"), ("content-type", "application/grpc"),
                                              ("grpc-status", "5")], end_stream=True)
            s.conn.flush()
    origin.routes.update({"/grpc.Echo/Say": unary, "/grpc.Echo/No": refuse})
    grpc = [("te", "trailers"), ("content-type", "application/grpc")]
    with Client(world, HOST) as c:
        answer = c.get("/grpc.Echo/Say", method="POST", headers=grpc, body=b"\0\0\0\0\2hi")
        assert answer.body == b"\0\0\0\0\2hi" and ("grpc-status", "0") in answer.trailers
        assert answer.get("content-length") is None
        answer = c.get("/grpc.Echo/No", method="POST", headers=grpc, body=b"\0\0\0\0\0")
        assert answer.get("grpc-status") == "5" and not answer.body


def test_grpc_streams_both_ways_at_once(world, origin):
    """Each message is answered before the next is sent: nothing is waited for to be whole."""
    def chat(s):
        s.start(200, [("content-type", "application/grpc")])
        told = 0
        end = time.monotonic() + DEADLINE_S
        while told < 5 and time.monotonic() < end:
            if len(s.body) > told:
                s.write(b"%d" % told)
                told += 1
            time.sleep(0.005)
        # An answer that ends before its request has the gateway reset the stream.
        assert s.is_whole.wait(DEADLINE_S)
        s.end([("grpc-status", "0")])
    chat.early = True
    origin.routes["/grpc.Echo/Chat"] = chat
    with Client(world, HOST) as c:
        n = c.request("/grpc.Echo/Chat", "POST", [("te", "trailers"), ("content-type", "application/grpc")], ends=False)
        for i in range(5):
            c.h2.send_data(n, b"x")
            c.flush()
            c.until(lambda i=i: len(c.answers[n].body) == i + 1)
        c.h2.end_stream(n)
        c.flush()
        assert c.wait(n).body == b"01234" and ("grpc-status", "0") in c.answers[n].trailers


def test_trailers_reach_http1(client, origin):
    origin.routes["/trailers"] = lambda s: s.answer(body="hello", trailers=[("x-sum", "42")])
    answer = client.get("/trailers")
    assert answer.body == b"hello" and ("x-sum", "42") in answer.trailers


def test_stalled_answer_does_not_stall_the_others(world, origin):
    """A client that takes nothing of one answer; the origin's window for the others stays open, and little is held."""
    size = 64 << 20
    origin.routes["/huge"] = lambda s: s.answer(body=bytes(size))
    with Client(world, HOST, windows=False) as c:
        c.h2.increment_flow_control_window(1 << 28)
        c.flush()
        stalled = c.request("/huge")
        c.until(lambda: len(c.answers[stalled].body) == 65535)
        before = world.rss_kib()
        for _ in range(30):
            assert c.get("/echo").status == 200
        left = len(origin.requests[-31].out)
        assert left > size - (4 << 20) and not c.answers[stalled].is_ended
        assert world.rss_kib() - before < 8 * 1024


def test_reset_by_the_client_is_one_upstream(world, origin):
    gone = threading.Event()

    def wait(s):
        s.start()
        s.write(b"half")
        wait_until(lambda: s.conn.resets, "reset")
        gone.set()
    origin.routes["/wait"] = wait
    with Client(world, "s4.test.example") as c:
        n = c.request("/wait")
        c.until(lambda: c.answers[n].body == b"half")
        c.h2.reset_stream(n, 8)
        c.flush()
        assert gone.wait(DEADLINE_S)
        assert c.get("/echo").status == 200


def test_reset_by_the_server_is_an_error_page(client, origin):
    origin.routes["/no"] = lambda s: s.reset(2)
    assert client.get("/no").status == 502
    assert client.get("/echo").status == 200


def test_half_an_answer_is_no_answer(world, origin):
    def half(s):
        s.start(200, [("content-length", "100")])
        s.write(b"half")
        s.reset(2)
    origin.routes["/half"] = half
    with Client(world, HOST) as c:
        answer = c.get("/half")
        assert answer.reset is not None and not answer.is_ended
    with Http1(world, HOST) as c:
        with pytest.raises(EOFError):
            c.get("/half")


def test_http11_required_is_asked_again_by_it(client, origin):
    """RFC 9113 13: for one request, on a connection of its own."""
    origin.routes["/old"] = lambda s: s.reset(0xd)
    answer = client.get("/old")
    assert answer.status == 200 and answer.body == b"by HTTP/1.1: GET /old HTTP/1.1"
    assert client.get("/echo").status == 200


def test_burst_of_requests_to_a_cold_origin_is_one_connection(world, origin):
    """Those who wait for the first one's connection are carried by it."""
    host, before = "s8.test.example", len(origin.conns)
    with Client(world, host) as c:
        numbers = [c.request("/echo?%d" % i) for i in range(40)]
        assert all(c.wait(n).status == 200 for n in numbers)
    assert len(origin.conns) == before + 1


def test_burst_to_a_cold_origin_of_http11_is_answered(world):
    """Each by a connection of its own, once that is known."""
    with Client(world, "s30.test.example") as c:
        numbers = [c.request("/echo?%d" % i) for i in range(20)]
        assert all(c.wait(n).status == 200 for n in numbers)


def test_burst_to_where_nobody_answers_fails_as_one(world):
    with Client(world, "deaf.test.example") as c:
        numbers = [c.request("/%d" % i) for i in range(20)]
        began = time.monotonic()
        assert {c.wait(n).status for n in numbers} == {504}
        assert time.monotonic() - began < 20  # connect_s = 2, and not for each


def test_those_who_wait_go_on_when_the_first_is_gone(world, origin):
    """The first one's client leaves while it connects."""
    host = "s31.test.example"
    world.dns.names[host] = None  # until it is known
    with Client(world, host) as c:
        first = c.request("/first")
        others = [c.request("/echo?%d" % i) for i in range(5)]
        wait_until(lambda: host in world.dns.asked, "the name asked for")
        c.h2.reset_stream(first)
        c.flush()
        world.dns.names[host] = [PORT_SITE]
        assert all(c.wait(n).status == 200 for n in others)


REFUSED_STREAM = 7


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_refused_stream_is_sent_once_more(client, origin, method):
    """RFC 9113 8.7: nothing was done for it, whatever it is."""
    path = "/full-" + method

    def refuse(s):
        if sum(r.path == path for r in origin.requests) < 2:
            s.reset(REFUSED_STREAM)
        else:
            s.answer(body="now")
    origin.routes[path] = refuse
    answer = client.get(path, method=method)
    assert answer.status == 200 and answer.body == b"now"
    del origin.requests[:]


def test_refused_again_there_is_an_error(client, origin):
    origin.routes["/always-full"] = lambda s: s.reset(REFUSED_STREAM)
    assert client.get("/always-full").status == 502
    assert sum(r.path == "/always-full" for r in origin.requests) == 2
    del origin.requests[:]


def test_farewell_is_followed_by_another_connection(world, origin):
    """GOAWAY: what it refused is sent again, and nobody notices."""
    host = "s5.test.example"
    with Client(world, host) as c:
        assert c.get("/echo").status == 200
        conn = origin.requests[-1].conn
        with conn.lock:
            conn.h2.close_connection()
            conn.flush()
        assert c.get("/echo").status == 200
        assert origin.requests[-1].conn is not conn


def test_connection_that_died_unseen_is_replaced(world, origin):
    host = "s6.test.example"
    with Client(world, host) as c:
        for _ in range(5):
            assert c.get("/echo").status == 200
            origin.requests[-1].conn.socket.close()


def test_other_ways_to_the_site_are_not_passed_on(client, origin):
    """Alt-Svc as a header; ALTSVC and ORIGIN as frames (P15)."""
    def tell(s):
        with s.conn.lock:
            for kind, payload in ((0xa, b'\0\0h3=":443"'), (0xc, b"\0\x14https://evil.example")):
                s.conn.socket.sendall(bytes([0, 0, len(payload), kind, 0, 0, 0, 0, 0]) + payload)
        s.answer(headers=[("alt-svc", 'h3=":443"')], body="here")
    origin.routes["/ways"] = tell
    answer = client.get("/ways")
    assert answer.body == b"here" and "alt-svc" not in [k.lower() for k, _ in answer.headers]


def test_priority_of_the_client_goes_along(world, origin):
    with Client(world, HOST) as c:
        assert c.get("/echo", headers=[("priority", "u=1, i")]).status == 200
        assert json.loads(c.get("/echo").body)["headers"]
    assert origin.requests[-2].get("priority") == "u=1, i"


def test_early_answer_to_a_long_upload(world, origin):
    """The server answers and wants no more: the client gets the answer."""
    def enough(s):
        s.answer(413, body="enough")
    enough.early = True
    origin.routes["/enough"] = enough
    with Client(world, HOST) as c:
        n = c.request("/enough", "POST", ends=False)
        c.h2.send_data(n, bytes(1000))
        c.flush()
        answer = c.wait(n)
        assert answer.status == 413 and answer.body == b"enough"
        assert c.get("/echo").status == 200


def test_upload_that_is_not_taken_is_held_back(world, origin):
    """Back-pressure from an origin's window of a stream to the client's."""
    def deaf(s):
        time.sleep(0)
        s.answer(body="late")
    deaf.deaf = True
    origin.routes["/deaf"] = deaf
    with Client(world, "s7.test.example") as c:
        assert c.get("/echo").status == 200
        n = c.request("/deaf", "POST", ends=False)
        sent = 0
        while sent < 32 << 20:
            room = min(c.h2.local_flow_control_window(n), c.h2.max_outbound_frame_size)
            if not room:
                before = c.pings
                c.h2.ping(b"whatever")
                c.flush()
                c.until(lambda before=before: c.pings > before)
                if not c.h2.local_flow_control_window(n):
                    break
                continue
            c.h2.send_data(n, bytes(room))
            c.flush()
            sent += room
        assert sent < 4 << 20


def test_what_died_on_a_shared_connection_is_repeated_once_at_most(world, origin):
    """RFC 9110 9.2.2: a retry is not retried. Of a burst each request was sent again for each other one that failed."""
    host, sent = "s32.test.example", []
    world.dns.names[host] = [PORT_SITE]

    def die(s):
        sent.append(s.path)
        time.sleep(0.2)  # others come along
        with contextlib.suppress(OSError):
            s.conn.socket.shutdown(2)
    origin.routes["/die"] = die
    with Client(world, host) as c:
        numbers = [c.request("/die?%d" % i) for i in range(12)]
        assert {c.wait(n).status for n in numbers} == {502}
    assert max(sent.count(path) for path in sent) == 2


def test_burst_that_is_refused_is_no_burst_of_connections(world, origin):
    """A server that had no room for them would be asked for a connection by each."""
    host, seen = "s33.test.example", []
    world.dns.names[host] = [PORT_SITE]

    def refuse(s):
        seen.append(s.path)
        if seen.count(s.path) == 1:
            s.reset(REFUSED_STREAM)
        else:
            s.answer(body="now")
    origin.routes["/refuse"] = refuse
    with Client(world, host) as c:
        before = len(origin.conns)
        numbers = [c.request("/refuse?%d" % i) for i in range(30)]
        assert {c.wait(n).status for n in numbers} == {200}
    assert len(origin.conns) - before <= 5
