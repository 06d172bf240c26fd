# SPDX-License-Identifier: GPL-3.0-or-later
"""The phrases of e2guardian on real and generated pages, scripts and JSON, beside an independent
reference: another tokenizer for each language, and another search (SPEC P9)."""
import json
import os
import pathlib
import random
import subprocess

import pytest
from filterlib import Filter, Reference, engines, read_phrases, tokens_of

SUITE = pathlib.Path(__file__).parent
SCALE = int(os.environ.get("FILTER_SCALE", "1"))
OPAQUE = ("script", "style", "iframe", "noembed", "noframes")
SEEN = ("alt", "aria-label", "label", "placeholder", "title")
KEPT = ("script", "link", "base", "meta")


def mask_tag(tag, reference):
    """Attributes that people see are text."""
    _, kind, name, attributes = tag
    if kind == 4 or name in KEPT:
        return tag
    return ("tag", kind, name, json.dumps([[key, reference.mask_text(value) if key in SEEN else value]
                                           for key, value in json.loads(attributes)]))


@pytest.fixture(scope="module")
def phrases():
    found = read_phrases()
    assert len(found) > 11000
    return found


@pytest.fixture(scope="module")
def reference(phrases):
    return Reference(phrases)


@pytest.fixture(scope="module", params=engines())
def words(request, phrases, tmp_path_factory):
    one = Filter(request.param, phrases, tmp_path_factory.mktemp("words"))
    yield one
    one.close()


def files(pattern, roots, least, most, count):
    """So many real files of those sizes, the same ones on the same machine."""
    found = [p for root in roots for p in sorted(pathlib.Path(root).rglob(pattern))
             if p.is_file() and least <= p.stat().st_size <= most]
    random.Random(5).shuffle(found)
    return found[:count * SCALE]


def pages():
    """Real ones, with phrases sown into their text."""
    return [p.read_bytes() for p in files("*.html", ["/usr/share"], 2000, 60000, 12)]


def is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def check_page(words, reference, page):
    out = words("html", page, random.Random(len(page)).choice([1, 7, 100, 1000, 16384]))
    before, after = tokens_of(page), tokens_of(out)
    assert len(before) == len(after)
    element = ""
    for one, other in zip(before, after):
        if one[0] == "tag":
            element = one[2] if one[1] == 3 else ""
        if one[0] == "tag":
            want = mask_tag(one, reference)
        elif one[0] != "text" or element in OPAQUE:
            want = one
        else:
            want = ("text", reference.mask_text(one[1]))
        if element == "script" and one[0] == "text":
            assert len(other[1]) == len(one[1])
        else:
            assert other == want


def test_real_pages_are_masked_as_the_reference_says(words, reference):
    done = [p for p in pages() if is_utf8(p) and b"<svg" not in p]
    assert len(done) >= 4
    masked = 0
    for page in done:
        check_page(words, reference, page)
        masked += words.masked
    assert masked


def sow(rng, phrases):
    """Text of phrases, pieces of them and other words."""
    parts = []
    for _ in range(rng.randint(1, 12)):
        text = rng.choice(phrases)[0]
        kind = rng.randrange(6)
        if kind == 0:
            text = text.upper()
        elif kind == 1:
            text = text[:rng.randint(0, len(text))]
        elif kind == 2:
            text = text.replace(" ", rng.choice(["  ", "\n\t", "\u00a0", " \u00ad"]))
        elif kind == 3:
            text = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz \u00e9\u0436\u5b57") for _ in range(6))
        parts.append(text + rng.choice(["", " ", ", ", "_", "x", "\u00e9", "-"]))
    return "".join(parts)


def make_page(rng, phrases):
    out = ["<!doctype html><html><head><title>%s</title></head><body>" % escape(sow(rng, phrases))]
    for _ in range(rng.randint(5, 25)):
        text = escape(sow(rng, phrases))
        if rng.random() < .3:
            text = "".join("&#%d;" % ord(c) if rng.random() < .2 else c for c in text) \
                if "&" not in text else text
        out.append(rng.choice([
            "<p class=\"%s\">%s</p>", "<!-- %s --><b>%s</b>", "<textarea title='%s'>%s</textarea>",
            "<style>.a{content:\"%s\"}</style>%s", "<a href=\"?%s\">%s</a><br>",
            "<i data-a=\"%s\"\n>%s</i\n>", "<noscript><u class='%s'>%s</u></noscript>"]) % (
                escape(sow(rng, phrases)), text))
    return "".join(out) + "</body></html>"


def escape(text):
    for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")):
        text = text.replace(char, name)
    return text


def test_generated_pages_are_masked_as_the_reference_says(words, reference, phrases):
    rng = random.Random(11)
    for _ in range(60 * SCALE):
        check_page(words, reference, make_page(rng, phrases).encode())
        assert words.masked


def mask_json(value, reference):
    if isinstance(value, str):
        return reference.mask_text(value)
    if isinstance(value, list):
        return [mask_json(v, reference) for v in value]
    if isinstance(value, dict):
        return {k: mask_json(v, reference) for k, v in value.items()}
    return value


def make_json(rng, phrases, depth=0):
    kind = rng.randrange(6 if depth < 4 else 3)
    if kind < 2:
        return sow(rng, phrases)
    if kind == 2:
        return rng.choice([None, True, 12, -1.5, "\ud83d\ude00" if rng.random() < .5 else "\U0001f600\n\"\\"])
    if kind == 3:
        return {sow(rng, phrases): make_json(rng, phrases, depth + 1) for _ in range(rng.randint(0, 5))}
    return [make_json(rng, phrases, depth + 1) for _ in range(rng.randint(0, 5))]


def test_json_is_equal_but_for_masked_values(words, reference, phrases):
    rng = random.Random(12)
    for i in range(150 * SCALE):
        value = json.loads(json.dumps(make_json(rng, phrases)))
        text = json.dumps(value, ensure_ascii=i % 2 == 0, indent=i % 3 or None)
        try:
            data = text.encode()
        except UnicodeEncodeError:
            continue
        out = words("json", data, rng.choice([1, 5, 64, 16384]))
        assert json.loads(out) == mask_json(value, reference)


def test_real_json_is_equal_but_for_masked_values(words, reference):
    roots = ["/usr/share", "/usr/lib/node_modules"]
    for path in files("*.json", roots, 1000, 40000, 12):
        data = path.read_bytes()
        try:
            value = json.loads(data)
        except ValueError:
            continue
        assert json.loads(words("json", data)) == mask_json(value, reference)


# ---- scripts, by acorn ----

ACORN = """
const acorn = require('acorn');
let input = '';
process.stdin.on('data', d => input += d).on('end', () => {
	const out = JSON.parse(input).map(text => {
		for (const sourceType of ['module', 'script']) {
			const tokens = [];
			try {
				acorn.parse(text, {ecmaVersion: 'latest', sourceType, onToken: tokens,
					allowHashBang: true});
			} catch (e) { continue; }
			return tokens.map(t => [t.type.label, t.start, t.end]);
		}
		return null;
	});
	process.stdout.write(JSON.stringify(out));
});
"""


def tokens_of_scripts(texts):
    """For each its tokens [label, start, end] in UTF-16 units, or None: no program."""
    done = subprocess.run(["node", "-e", ACORN], input=json.dumps(texts), text=True, check=True,
                          capture_output=True, timeout=120,
                          env={**os.environ, "NODE_PATH": "/usr/share/nodejs"})
    return json.loads(done.stdout)


def check_script(text, tokens, out, out_tokens, reference):
    """The same tokens; only in strings and templates are there asterisks, and where the reference says."""
    assert out_tokens and [t[0] for t in out_tokens] == [t[0] for t in tokens]
    for at, (one, other) in enumerate(zip(tokens, out_tokens)):
        label, old, new = one[0], text[one[1]:one[2]], out[other[1]:other[2]]
        if label not in ("string", "template", "invalidTemplate"):
            assert old == new
            continue
        if "\\" in old:  # its escapes have a test of their own
            continue
        before = tokens[at - 1][0] if at else ""
        after = tokens[at + 1][0] if at + 1 < len(tokens) else ""
        word = text[tokens[at - 1][1]:tokens[at - 1][2]] if at else ""
        is_key = after == ":" and before in ("{", ",") and label == "string"
        is_import = word in ("import", "from") or (before == "(" and at > 1 and text[
            tokens[at - 2][1]:tokens[at - 2][2]] in ("import", "require"))
        inner = old[1:-1] if label == "string" else old
        want = inner if is_key or (is_import and label == "string") else reference.mask_text(inner)
        assert (new[1:-1] if label == "string" else new) == want, (old, new)


def test_real_scripts_stay_the_same_programs(words, reference):
    roots = ["/usr/share/javascript", "/usr/share/nodejs", "/usr/share/chromium/extensions",
             "/usr/lib/node_modules"]
    texts = [p.read_text("utf-8", "replace") for p in files("*.js", roots, 1000, 150000, 40)]
    # Offsets are equal to acorn's where there are no characters beyond 16 bits.
    texts = [t for t in texts if all(ord(c) < 0x10000 for c in t)]
    outs = [words("js", t.encode(), 4096).decode() for t in texts]
    tokens, out_tokens = tokens_of_scripts(texts), tokens_of_scripts(outs)
    programs = [x for x in zip(texts, tokens, outs, out_tokens) if x[1]]
    assert len(programs) >= 10
    for program in programs:
        check_script(*program, reference)


def test_both_engines_do_the_same(phrases, tmp_path):
    """Whatever the text is."""
    if len(engines()) < 2:
        pytest.skip("libhyperscan is not here")
    one, other = (Filter(e, phrases, tmp_path) for e in engines())
    rng = random.Random(13)
    for _ in range(100 * SCALE):
        data = sow(rng, phrases).encode() + bytes(rng.randrange(256) for _ in range(rng.randint(0, 40))) + \
            make_page(rng, phrases).encode()[rng.randint(0, 50):]
        kind, piece = rng.choice(["html", "js", "json", "text", "xhtml"]), rng.choice([1, 9, 333, 16384])
        assert one(kind, data, piece) == other(kind, data, piece)
    one.close()
    other.close()
