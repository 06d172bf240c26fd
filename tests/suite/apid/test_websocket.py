# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile client sends on a WebSocket, and how that ends (RFC 6455)."""
import socket

import pytest

from livelib import MUCH, Closed, Socket, frame, live_world, query, tell_much

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FILTER = b'{"type":"filter"}'


@pytest.fixture(scope="module")
def world(mariadb):
    """(apid, owner, redis)"""
    with live_world(mariadb, "") as made:
        yield made


@pytest.fixture
def one(world):
    client = Socket(world[1], "/ws/live")
    client.read()
    yield client
    client.close()


@pytest.mark.parametrize("sent, code", [
    (frame(TEXT, FILTER, mask=False), 1002),
    (frame(TEXT, FILTER, rsv=4), 1002),
    (frame(TEXT, FILTER, rsv=1), 1002),
    (frame(3, FILTER), 1002),
    (frame(0xb), 1002),
    (frame(PING, b"x", fin=False), 1002),
    (frame(CLOSE, b"\x03\xe8", fin=False), 1002),
    (frame(PING, b"x" * 126), 1002),
    (frame(0, FILTER), 1002),
    (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
    (frame(CLOSE, b"\x03"), 1005),
    (frame(CLOSE, (999).to_bytes(2, "big")), 1002),
    (frame(CLOSE, (1005).to_bytes(2, "big")), 1002),
    (frame(CLOSE, (1006).to_bytes(2, "big")), 1002),
    (frame(CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1007),
    (frame(TEXT, b'{"\xff"}'), 1007),
    (frame(TEXT, b"\xed\xa0\x80"), 1007),
    (frame(TEXT, b"\xf0\x9f", fin=False) + frame(0, b"\x92"), 1007),
    (frame(BINARY, FILTER), 1003),
    (frame(TEXT, b"x" * 16385), 1009),
    (frame(TEXT, b"x" * 16000, fin=False) + frame(0, b"x" * 400), 1009),
    (frame(TEXT, b"x", length=1 << 40), 1009),
    (frame(TEXT, b"x", length=(1 << 63) - 1), 1009),
], ids=lambda v: str(v) if isinstance(v, int) else "")
def test_what_the_rfc_forbids_ends_with_its_code(one, sent, code):
    one.raw(sent)
    assert one.closed() == code


def test_a_length_with_its_highest_bit_ends_it(one):
    one.raw(frame(TEXT, length=1 << 63))
    assert one.closed() in (1002, 1009, None)


def test_a_message_in_pieces_with_a_ping_between_is_one(one):
    one.raw(frame(TEXT, b'{"type":', fin=False) + frame(PING, b"hi") + frame(0, b'"fil', fin=False) +
            frame(0, b'ter"}'))
    assert one.read() == {"type": "filter"}


def test_a_message_byte_by_byte_is_one(one):
    for byte in frame(TEXT, FILTER):
        one.raw(bytes([byte]))
    assert one.read() == {"type": "filter"}


def test_many_messages_in_one_segment_are_all_answered(one):
    one.raw(frame(TEXT, FILTER) * 50)
    assert [one.read() for _ in range(50)] == [{"type": "filter"}] * 50


def test_what_comes_behind_the_close_is_not_looked_at(one):
    one.raw(frame(CLOSE, (1000).to_bytes(2, "big")) + frame(TEXT, FILTER) * 5)
    with pytest.raises(Closed) as end:
        one.read()
    assert end.value.code == 1000


@pytest.mark.parametrize("first, flood", [(b"", frame(PING, b"x" * 125)), (b"", frame(PONG)),
                                          (frame(TEXT, b"", fin=False), frame(0, fin=False))],
                         ids=["pings", "pongs", "empty fragments"])
def test_a_flood_is_cut(one, first, flood):
    one.raw(first + flood * (70000 // len(flood)))
    assert one.closed() == 1008


def test_a_client_that_breaks_off_in_a_frame_harms_nobody(world, one):
    other = Socket(world[1], "/ws/live")
    other.raw(frame(TEXT, FILTER)[:9])
    other.sock.shutdown(socket.SHUT_RDWR)
    other.close()
    query(world[2], "after.example")
    assert one.rows(1)[0]["host"] == "after.example"


def test_a_reader_that_stops_harms_nobody_and_is_told_what_it_missed(world, one):
    """It takes nothing, while another reads all. What waits for it is bounded; it goes on where it is."""
    stopped = Socket(world[1], "/ws/live", receive=4096)
    for _ in range(60):
        tell_much(world[2], one)
    read = missed = 0
    while not missed:
        message = stopped.read()
        read += len(message.get("rows", ()))
        missed = message.get("dropped", 0)
    assert read + missed == 60 * MUCH and read
    query(world[2], "again.example")
    assert [r["host"] for r in stopped.rows(1)] == ["again.example"]
    stopped.close()
