# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/2 clients that make work for nothing (SPEC P17): told to calm down and hung up on; the gateway is there for the
others meanwhile, and keeps nothing of it."""
import struct

import pytest
from h2lib import Client

CALM = 11  # ENHANCE_YOUR_CALM


@pytest.fixture(name="client")
def fixture_client(world):
    with Client(world) as c:
        c.get("/")
        yield c


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def flood(world, client, pieces):
    """Sends until hung up on; the last GOAWAY. Others are served after it, and memory is what it was."""
    before = world.rss_kib()
    try:
        for piece in pieces:
            client.send(piece)
        client.send(frame(6, payload=b"farewell"))
    except OSError:
        pass
    code = client.wait_closed()
    with Client(world) as other:
        assert other.get("/").status == 200
    assert world.rss_kib() - before < 8 * 1024
    return code


def heads(client, count, end=True):
    """Head frames of requests, by the client's own compressor."""
    for _ in range(count):
        n = client.h2.get_next_available_stream_id()
        client.h2.send_headers(n, [(":method", "GET"), (":scheme", "https"), (":authority", client.host),
                                   (":path", "/rapid")], end_stream=end)
        yield n, client.h2.data_to_send()


def resets(client, count):
    """A request and its reset."""
    for n, head in heads(client, count):
        client.h2.reset_stream(n, 8)
        yield head + client.h2.data_to_send()


def test_rapid_reset(world, client):
    """CVE-2023-44487: a request and its reset, over and over."""
    before = len(world.secure.requests)
    assert flood(world, client, resets(client, 5000)) in (CALM, None)
    assert len(world.secure.requests) - before < 2000


def test_resets_within_reason_are_served(world, client):
    """A browser that leaves a page of a hundred pictures."""
    for _ in range(3):
        client.send(b"".join(resets(client, 100)))
    assert client.get("/").status == 200


@pytest.mark.parametrize("piece", [
    frame(6, payload=b"12345678"), frame(4), frame(4, payload=struct.pack("!HI", 4, 65535)),
    frame(2, stream=101, payload=bytes(5)), frame(0x10, payload=struct.pack("!I", 1) + b"u=1")],
    ids=["ping", "empty-settings", "settings", "priority", "priority-update"])
def test_flood_of_control_frames(world, client, piece):
    assert flood(world, client, (piece * 100 for _ in range(400))) in (CALM, None)


def test_unknown_frames_are_overlooked(world, client):
    """RFC 9113 5.5: nothing is made of them, and nothing kept."""
    before = world.rss_kib()
    for _ in range(400):
        client.send(frame(0xbe, payload=bytes(100)) * 100)
    assert client.get("/").status == 200
    assert world.rss_kib() - before < 8 * 1024


def test_flood_of_empty_data(world, client):
    (n, head), = heads(client, 1, end=False)
    client.send(head)
    assert flood(world, client, (frame(0, stream=n) * 100 for _ in range(400))) in (CALM, None)


def test_dribble_of_windows(world, client):
    """CVE-2019-9511: windows that open by a byte at a time."""
    assert flood(world, client, (frame(8, payload=struct.pack("!I", 1)) * 100 for _ in range(400))) in (CALM, None)


def test_flood_of_continuations(world, client):
    """CVE-2024-28182: a head that does not end."""
    (n, head), = heads(client, 1)
    first = head[:4] + bytes([head[4] & ~4]) + head[5:]  # without END_HEADERS
    flood(world, client, [first] + [frame(9, stream=n, payload=b"\x00\x03x-a\x01b" * 100)] * 2000)
    assert client.is_closed


def test_bomb_of_indexed_fields(world, client):
    """HPACK: a field of 4 KB in the table, and a byte for each time it is there again."""
    n = client.h2.get_next_available_stream_id()
    left = 4000 - 127  # of the value's length, in the prefix coding of RFC 7541 5.1
    field = b"\x40\x03x-b\x7f" + bytes([left & 0x7f | 0x80, left >> 7]) + b"v" * 4000
    host = client.host.encode()
    block = b"\x82\x87\x84\x01" + bytes([len(host)]) + host + field
    bomb = b"\xbe" * 8000  # the newest entry of the table
    assert flood(world, client, [frame(1, 5, n, block + bomb)]) == CALM


def test_head_that_dribbles_is_hung_up_on(world, client):
    (n, head), = heads(client, 1)
    client.send(head[:4] + bytes([head[4] & ~4]) + head[5:])
    assert n and client.wait_closed() in (0, None)
    assert client.is_closed


def test_one_device_cannot_have_any_number_of_requests_under_way(world):
    """P17: a hundred streams a connection would be so many connections to web servers."""
    host = "silent.test.example"  # is never resolved
    clients = [Client(world, host) for _ in range(11)]
    try:
        for client in clients:
            client.send(b"".join(head for _, head in heads(client, 100)))
        clients[-1].until(lambda: sum(a.status == 503 for a in clients[-1].answers.values()) >= 11 * 100 - 1024)
        with Client(world, who="full") as other:
            assert other.get("/").status == 200
    finally:
        for client in clients:
            client.socket.close()
