# SPDX-License-Identifier: GPL-3.0-or-later
"""Valid messages made wrong by a seed: bytes, and the bus' records as common/bus_schema.def declares them."""
import json
import os
import re

from lablib import TOP

ODD = [b"\0", b"\xff", b"\r\n", b"\r\n\r\n", b"%00", b"%s%n", b"../", b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff",
       b"-1", b"18446744073709551616", b"\xc0\xaf", b"\xed\xa0\x80", b"{" * 64, b"A" * 300, b"A" * 9000]
ODD_VALUES = [None, True, -1, 0, 2 ** 63, 1e308, "", "x" * 3000, "\0", "\ud800", [], {}, [[]], {"a": {}}, [None] * 300,
              "10.9.0.2/33", "*", "culvert:state:devices:apid"]


def mangle(rng, data):
    """One to four slips in it; sometimes none."""
    data = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 4))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 200)))
        slip = rng.randrange(6)
        if slip == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif slip == 1:
            del data[at:end]
        elif slip == 2:
            data[at:at] = rng.choice(ODD)
        elif slip == 3:
            data[at:at] = data[at:end] * rng.choice((1, 2, 50))
        elif slip == 4:
            del data[at:]
        elif slip == 5:
            data[at:end] = rng.randbytes(end - at)
    return bytes(data)


# ---- the bus ----

def _rows(text, word):
    return [[w.strip() for w in m.split(",")] for m in re.findall(r"^%s\(([^)]*)\)" % word, text, re.M)]


class Schema:
    def __init__(self):
        with open(os.path.join(TOP, "common", "bus_schema.def"), encoding="utf-8") as src:
            text = src.read()
        self.fields = {}
        for kind, args in re.findall(r"^FIELD_(\w+)\(([^)]*)\)", text, re.M):
            record, name, *more = [a.strip() for a in args.split(",")]
            self.fields.setdefault(record, []).append((name, kind, more))
        self.topics = _rows(text, "TOPIC")  # name, record, owners, …
        self.events = _rows(text, "EVENT")  # daemon, kind, record, …
        self.requests = _rows(text, "REQUEST")  # daemon, op, record, callers
        self.queues = _rows(text, "QUEUE")

    def _value(self, rng, kind, more, depth):
        if rng.random() < 0.15:
            return rng.choice(ODD_VALUES)
        if "OBJ" in kind:
            one = self.record(rng, more[0], depth + 1) if depth < 3 else {}
            return [one] * rng.randrange(3) if kind.endswith("S") else one
        if "STRS" in kind:
            return ["v%d" % rng.randrange(9)] * rng.randrange(4)
        if "INT" in kind or "REAL" in kind:
            return rng.choice((0, 1, -1, rng.randrange(1 << 40)))
        if "BOOL" in kind:
            return rng.random() < 0.5
        return rng.choice(("x%d" % rng.randrange(99), "10.9.7.%d" % rng.randrange(256), "n%d.example" % rng.randrange(99)))

    def record(self, rng, name, depth=0):
        """With most of its fields, each of its kind or not."""
        return {field: self._value(rng, kind, more, depth) for field, kind, more in self.fields.get(name, [])
                if rng.random() < 0.85}


def texts(rng, message):
    """A message as JSON, mangled as text now and then."""
    text = json.dumps(message).encode()
    return mangle(rng, text) if rng.random() < 0.3 else text
