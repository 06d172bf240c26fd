# SPDX-License-Identifier: GPL-3.0-or-later
"""The hellos of 162 real clients, old and new, are answered by both TLS libraries (SPEC P2)."""
import struct

from test_real_hellos import read, real_hellos, vector

# ECDHE with ECDSA and AES-GCM or ChaCha20, as all of TLS 1.2 that was written since 2014 has.
ECDSA = {0xc02b, 0xc02c, 0xcca9}
HANDSHAKE, SERVER_HELLO, ALERT = 22, 2, 21


def _suites(hello):
    body = vector(vector(hello, 3, 2)[0], 1, 3)[0]
    suites = vector(body, vector(body, 34, 1)[1], 2)[0]
    return {s for s, in struct.iter_unpack(">H", suites)}


def _answer(world, hello, piece=65536):
    """Type of the first record and, in a handshake, of the message in it."""
    c, r = world.tunnel("allowed.example:443")
    with c:
        assert r.status == 200
        for at in range(0, len(hello), piece):
            c.send(hello[at:at + piece])
        head = c.file.read(6)
        return (head[0], head[5] if head[0] == HANDSHAKE else None) if head else None


def test_clients_of_tls_12_get_a_server_hello(world, build):
    hellos = [h for h in real_hellos() if h[0] == HANDSHAKE and _suites(h) & ECDSA]
    assert len(hellos) > 100
    for hello in hellos:
        # Two ask for "testssl.sh:443", which is no name.
        wanted = (ALERT, None) if read(hello).startswith("error") else (HANDSHAKE, SERVER_HELLO)
        assert _answer(world, hello) == wanted, hello.hex()


def test_hello_in_small_pieces_and_records_is_answered(world, build):
    """As clients send it that want to get round filters."""
    largest = max((h for h in real_hellos() if h[0] == HANDSHAKE and _suites(h) & ECDSA), key=len)
    assert _answer(world, largest, 100) == (HANDSHAKE, SERVER_HELLO)
    message = largest[5:]
    records = b"".join(largest[:3] + struct.pack(">H", len(message[at:at + 40])) + message[at:at + 40]
                       for at in range(0, len(message), 40))
    assert _answer(world, records) == (HANDSHAKE, SERVER_HELLO)


def test_older_clients_get_an_alert(world, build):
    """Never less than TLS 1.2."""
    old = [h for h in real_hellos() if h[0] == HANDSHAKE and h[9:11] in (b"\x03\x00", b"\x03\x01", b"\x03\x02")]
    assert len(old) > 10
    assert {_answer(world, h) for h in old} == {(ALERT, None)}
