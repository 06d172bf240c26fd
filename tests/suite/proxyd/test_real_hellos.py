# SPDX-License-Identifier: GPL-3.0-or-later
"""ClientHellos of 162 real clients, read as another parser reads them, and cut everywhere (SPEC P3)."""
import pathlib
import re
import struct
import subprocess

from support import BUILD

FILE = pathlib.Path("/etc/testssl/client-simulation.txt")


def real_hellos():
    return [bytes.fromhex(h) for h in re.findall(r'handshakebytes\+=\("([0-9a-fA-F]*)"\)', FILE.read_text())]


def vector(data, at, size):
    """(content, what follows) of a vector with a length of size bytes."""
    n = int.from_bytes(data[at:at + size], "big")
    at += size
    assert at + n <= len(data)
    return data[at:at + n], at + n


def read(record):
    """RFC 8446 4.1.2, in the simplest way: what the probe prints."""
    if record[0] != 22:
        return "error 71"
    body, end = vector(record, 3, 2)
    assert body[0] == 1
    body, rest = vector(body, 1, 3)
    assert rest == len(record) - 5
    at = 34
    for size in (1, 2, 1):
        _, at = vector(body, at, size)
    found = {}
    if at < len(body):
        exts, at = vector(body, at, 2)
        assert at == len(body)
        at = 0
        while at < len(exts):
            kind, = struct.unpack_from(">H", exts, at)
            found[kind], at = vector(exts, at + 2, 2)
    name, protocols = "", ""
    if 0 in found:
        name = vector(found[0], 3, 2)[0].decode().lower()
        if not re.fullmatch(r"[-a-z0-9_.]+", name):
            return "error 71"  # one client sends host:port, which is no name
    if 16 in found:
        listed, at = vector(found[16], 0, 2)[0], 0
        while at < len(listed):
            one, at = vector(listed, at, 1)
            text = "".join(chr(b) if 32 < b < 127 and b != 44 else "?" for b in one)
            if len(protocols) + len(text) + 2 <= 128:
                protocols += text + ","
    return "len=%d ech=%d sni=%s alpn=%s" % (end, 0xfe0d in found, name, protocols)


def test_real_hellos_are_read_as_by_another_parser_however_cut():
    hellos = real_hellos()
    assert len(hellos) >= 162
    done = subprocess.run([BUILD / "bin/hello-probe"], input="\n".join(h.hex() for h in hellos) + "\n",
                          capture_output=True, text=True, check=True)
    got = done.stdout.splitlines()
    assert got == [read(h) for h in hellos]
    assert sum("sni=" in line and "sni= " not in line for line in got) > 100
    assert sum(line.startswith("error") for line in got) <= 10
