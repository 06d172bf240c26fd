# SPDX-License-Identifier: GPL-3.0-or-later
"""The word filter by its probe, and what it must do, worked out by other means (SPEC P9)."""
import json
import pathlib
import re
import subprocess
import unicodedata

import html5lib
from support import BUILD

PHRASES = pathlib.Path("/etc/e2guardian/lists/phraselists")
IGNORED = {0xad, 0x34f, *range(0x200b, 0x2010), *range(0x2060, 0x2065), 0xfeff}


def engines():
    """Those that were built in."""
    found = ["automaton"]
    if pathlib.Path("/usr/include/hs/hs.h").exists():
        found.append("hyperscan")
    return found


class Filter:
    """words-probe with these terms: [(text, is_exact)]."""

    def __init__(self, engine, terms, folder):
        path = folder / ("terms-" + engine)
        path.write_text("".join("%s%s\n" % ("~="[exact], text) for text, exact in terms))
        self.process = subprocess.Popen([BUILD / "bin/words-probe", engine, path],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.masked = self.lost = 0

    def __call__(self, kind, data, piece=16384, charset="utf-8"):
        self.process.stdin.write(b"%s %s %d %d\n" % (kind.encode(), charset.encode(), piece, len(data)))
        self.process.stdin.write(data)
        self.process.stdin.flush()
        length, self.masked, self.lost = map(int, self.process.stdout.readline().split())
        return self.process.stdout.read(length)

    def time_ns(self, times=5, kind=b"time"):
        """CPU time for the last body; kind raw: for searching it alone."""
        self.process.stdin.write(b"%s - %d 0\n" % (kind, times))
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0


def read_phrases():
    """e2guardian's phrases: [(text, is_exact)], one with blanks around being a whole word."""
    found = {}
    for path in sorted(PHRASES.rglob("*")):
        if not path.is_file():
            continue
        raw = path.read_bytes()
        charset = next((c for c in ("big5", "gb2312") if c in str(path)), None)
        for line in raw.splitlines():
            line = line.split(b"#")[0] if line.startswith(b"#") else line
            for token in re.findall(rb"<([^<>]+)>", line):
                if re.fullmatch(rb"-?\d+", token):
                    continue
                text = decode(token, charset)
                if text and not text.strip().startswith(("=", "~")):
                    found[text] = True
    return [(text.strip(), text[0] == text[-1] == " ") for text in found if text.strip()]


def decode(token, charset):
    for one in (charset, "utf-8", "latin-1"):
        try:
            text = token.decode(one) if one else None
        except UnicodeDecodeError:
            continue
        if text and not re.search(r"[\x00-\x1f]", text):
            return text
    return None


# ---- the reference ----

def fold(char):
    """One character as it is compared; "" when it is not seen. Simple mappings only."""
    if ord(char) in IGNORED:
        return ""
    if char.isspace() and char not in "\x1c\x1d\x1e\x1f":
        return " "
    upper = char.upper() if len(char.upper()) == 1 else char
    lower = upper.lower()
    # Python's full mapping of one letter (U+0130) has two.
    return lower if len(lower) == 1 else lower[0]


def fold_text(units):
    """units: characters, or None for one that matches nothing. Folded, and for each place in it the
    units that it stands for."""
    text, spans = [], []
    for i, unit in enumerate(units):
        folded = "\uffff" if unit is None else fold(unit)
        if folded == "" or (folded == " " and text and text[-1] == " "):
            if spans:
                spans[-1] = (spans[-1][0], i + 1)
            continue
        text.append(folded)
        spans.append((i, i + 1))
    return "".join(text), spans


def is_word(char):
    return char != "\uffff" and (char == "_" or unicodedata.category(char)[0] in "LMN" or
                                 unicodedata.category(char) == "Pc")


class Reference:
    def __init__(self, terms):
        self.terms = {}
        for text, exact in terms:
            for form in ("NFC", "NFD"):
                folded = fold_text(unicodedata.normalize(form, text))[0].strip(" ")
                if folded:
                    # `contains` finds what `exact` finds
                    self.terms[folded] = self.terms.get(folded, True) and exact
        # By their first two characters, so that not all are looked for in all.
        self.by_start = {}
        for term, exact in self.terms.items():
            self.by_start.setdefault(term[:2], []).append((term, exact))
        self.single = [(t, e) for t, e in self.terms.items() if len(t) == 1]

    def hits(self, text):
        """Places of the folded text that are part of an occurrence."""
        hit = bytearray(len(text))
        for at in range(len(text)):
            for term, exact in self.by_start.get(text[at:at + 2], []) + (
                    [(t, e) for t, e in self.single if t == text[at]] if self.single else []):
                end = at + len(term)
                if not text.startswith(term, at):
                    continue
                if exact and ((at and is_word(text[at - 1])) or
                              (end < len(text) and is_word(text[end]))):
                    continue
                hit[at:end] = b"\1" * (end - at)
        return hit

    def mask(self, units):
        """The units (see fold_text), with "*" for those that are masked; what is not seen goes with
        what it follows."""
        text, spans = fold_text(units)
        out = list(units)
        for place, hit in enumerate(self.hits(text)):
            if hit:
                for i in range(*spans[place]):
                    out[i] = "" if units[i] is not None and fold(units[i]) == "" else "*"
        return out

    def mask_text(self, text):
        return "".join(self.mask(text))


class Tokens(html5lib.HTMLParser):
    """The tokens of a page, as the tree's builder sees them."""

    def __init__(self):
        super().__init__(namespaceHTMLElements=False)
        self.seen = []

    def normalizedTokens(self):
        for token in super().normalizedTokens():
            self.note(token)
            yield token

    def note(self, token):
        kind = token["type"]
        if kind in (1, 2):  # characters, white space
            if self.seen and self.seen[-1][0] == "text":
                self.seen[-1] = ("text", self.seen[-1][1] + token["data"])
            else:
                self.seen.append(("text", token["data"]))
        elif kind in (3, 4, 5):  # tags; what follows is another text
            self.seen.append(("tag", kind, token["name"], json.dumps(list(token["data"].items())
                             if hasattr(token["data"], "items") else list(token["data"] or []))))
        elif kind in (0, 6):
            self.seen.append(("other", kind, repr(sorted((k, str(v)) for k, v in token.items()))))


def tokens_of(page):
    """[("text", …) | ("tag", …) | ("other", …)] of a page in UTF-8."""
    parser = Tokens()
    parser.parse(page, override_encoding="utf-8")
    return parser.seen
