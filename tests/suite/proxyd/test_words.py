# SPDX-License-Identifier: GPL-3.0-or-later
"""The word filter on answers that pass through a real proxyd (SPEC P9)."""
import gzip
import json
import os
import random
import threading
import zlib

import brotli
import pytest
import zstandard
from proxylib import World
from support.wait import wait_until

WORD = {"id": "w1", "term": "forbiddenword", "match": "contains"}
EXACT = {"id": "w2", "term": "ass", "match": "exact"}
PAGE = ('<!doctype html><html><head><meta charset="utf-8"><title>forbiddenword</title></head>\n'
        '<body class="forbiddenword"><!-- forbiddenword --><p>A forbiddenword, an Ass, a class &amp; '
        'FORBIDDEN\u00adWORD</p>\n<script>var forbiddenword = "forbiddenword";</script></body></html>\n')
MASKED = PAGE.replace("<title>forbiddenword", "<title>" + 13 * "*").replace(
    "A forbiddenword, an Ass", "A " + 13 * "*" + ", an ***").replace(
    "FORBIDDEN\u00adWORD", 13 * "*").replace('"forbiddenword";', '"%s";' % (13 * "*"))
CLEAN = PAGE.replace("forbiddenword", "allowedword").replace("FORBIDDEN\u00adWORD", "x").replace("Ass", "x")


# How a client learns that a body ends too early.
BROKEN = (EOFError, ConnectionError, ValueError)


def zstd(data):
    return zstandard.ZstdCompressor().compress(data)


def unzstd(data):
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


CODINGS = {"gzip": (gzip.compress, gzip.decompress), "deflate": (zlib.compress, zlib.decompress),
           "br": (brotli.compress, brotli.decompress), "zstd": (zstd, unzstd)}


@pytest.fixture(scope="module")
def filtering(world):
    world.wait_applied("words", world.publish("words", [WORD, EXACT]))
    world.path = 0
    return world


def serve(world, body, kind="text/html; charset=utf-8", headers=(), answer=None):
    """A path of its own that answers so, on every origin; returns its URL without the scheme."""
    world.path += 1
    path = "/words-%d" % world.path
    data = body.encode() if isinstance(body, str) else body

    def route(r):
        if answer:
            return answer(r)
        lines = [("Content-Type", kind)] if kind else []
        r.answer(headers=[*lines, *headers], body=data)
        return True
    for origin in world.origins:
        origin.routes[path] = route
    return "allowed.example" + path


def test_words_are_masked_in_pages_plain_and_decrypted(filtering):
    url = serve(filtering, PAGE)
    assert filtering.get("http://" + url).text == MASKED
    assert filtering.get_secure("https://" + url).text == MASKED


def test_json_and_scripts_are_masked(filtering):
    data = {"forbiddenword": ["a forbiddenword", {"x": "\u00e9 \"ass\" class"}], "n": 1}
    url = serve(filtering, json.dumps(data), "application/json")
    assert json.loads(filtering.get("http://" + url).text) == {
        "forbiddenword": ["a " + 13 * "*", {"x": "\u00e9 \"***\" class"}], "n": 1}
    url = serve(filtering, "var forbiddenword = 'forbiddenword';", "text/javascript")
    assert filtering.get("http://" + url).text == "var forbiddenword = '%s';" % (13 * "*")


def test_text_is_masked_where_it_is_shown(filtering):
    url = serve(filtering, "forbiddenword", "text/plain")
    assert filtering.get("http://" + url).text == "forbiddenword"
    shown = filtering.get("http://" + url, headers=[("Sec-Fetch-Dest", "document")])
    assert shown.text == 13 * "*"


def test_xml_is_masked_where_it_is_shown(filtering):
    """XHTML, or a feed; for a page's script it is data."""
    page = "<html xmlns='http://www.w3.org/1999/xhtml'><p title='x'>forbiddenword</p></html>"
    url = "http://" + serve(filtering, page, "application/xml")
    assert filtering.get(url, headers=[("Sec-Fetch-Dest", "document")]).text == page.replace("forbiddenword", 13 * "*")
    assert filtering.get(url, headers=[("Sec-Fetch-Dest", "empty")]).text == page


def test_other_types_pass_untouched(filtering):
    for kind in ("text/css", "image/png", "application/octet-stream", "text/csv"):
        r = filtering.get("http://" + serve(filtering, PAGE, kind, [("ETag", '"e"')]))
        assert r.text == PAGE and r.get("ETag") == '"e"' and r.get("Content-Length")


def test_a_page_without_a_hit_is_byte_identical(filtering):
    body = CLEAN.encode() + bytes(range(256)) + b"<p>\xff\xfe caf\xe9 &unknown; &#xd800;<"
    assert filtering.get("http://" + serve(filtering, body)).body == body
    assert filtering.get("http://" + serve(filtering, body, "text/html")).body == body


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_is_answered_in_the_coding_it_came_in(filtering, coding):
    encode, decode = CODINGS[coding]
    url = serve(filtering, encode((PAGE * 50).encode()), headers=[("Content-Encoding", coding)])
    r = filtering.get("http://" + url, headers=[("Accept-Encoding", "gzip, deflate, br, zstd")])
    assert r.get("Content-Encoding") == coding
    assert decode(r.body).decode() == MASKED * 50
    # A client that did not ask for it gets it plain.
    r = filtering.get("http://" + url)
    assert r.get("Content-Encoding") is None and r.text == MASKED * 50


def test_codings_upon_codings_are_undone(filtering):
    body = brotli.compress(gzip.compress(PAGE.encode()))
    r = filtering.get("http://" + serve(filtering, body, headers=[("Content-Encoding", "gzip, br")]),
                      headers=[("Accept-Encoding", "br")])
    assert r.get("Content-Encoding") == "br" and brotli.decompress(r.body).decode() == MASKED


def test_only_codings_that_can_be_undone_are_asked_for(filtering):
    filtering.get("http://" + serve(filtering, PAGE),
                  headers=[("Accept-Encoding", "gzip;q=0.5, dcb, compress, zstd")])
    assert filtering.site.requests[-1].get("Accept-Encoding") == "gzip;q=0.5, zstd"


def count(world, name):
    return world.status().get(name, 0)


def test_what_no_browser_knows_hides_no_words(filtering):
    """Browsers show a body as it comes under a coding that they do not know, and pass over a charset that is none."""
    codings, charsets = count(filtering, "unknown_codings"), count(filtering, "unknown_charsets")
    for coding in ("compress", "none", "gzip, utf-8"):
        r = filtering.get("http://" + serve(filtering, PAGE, headers=[("Content-Encoding", coding)]))
        assert r.text == MASKED and r.get("Content-Encoding") == coding
    assert filtering.get("http://" + serve(filtering, PAGE, "text/html; charset=x-none")).text == MASKED
    wait_until(lambda: count(filtering, "unknown_codings") == codings + 3 and
               count(filtering, "unknown_charsets") == charsets + 1, "both are counted")


def test_a_charset_with_state_passes_and_is_counted(filtering):
    charsets = count(filtering, "unknown_charsets")
    assert filtering.get("http://" + serve(filtering, PAGE, "text/html; charset=iso-2022-jp")).text == PAGE
    wait_until(lambda: count(filtering, "unknown_charsets") == charsets + 1, "counted")


def test_declared_charsets_are_masked_in_them(filtering):
    body = "<p>Caf\u00e9 \u8868 forbiddenword \u8868</p>"
    for charset in ("utf-16le", "shift_jis", "gb18030", "euc-kr"):
        sent = body.replace("\u00e9", "e").encode(charset)
        r = filtering.get("http://" + serve(filtering, sent, "text/html; charset=" + charset))
        assert r.body == sent.replace("forbiddenword".encode(charset), (13 * "*").encode(charset))


def test_validators_are_of_the_masked_page(filtering):
    def answer(r):
        if r.get("If-None-Match") == '"v1"':
            r.send('HTTP/1.1 304 Same\r\nETag: "v1"\r\n\r\n')
        else:
            r.answer(headers=[("Content-Type", "text/html"), ("ETag", '"v1"'),
                              ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                              ("Accept-Ranges", "bytes"), ("Content-MD5", "x"), ("Digest", "y")],
                     body=PAGE)
    url = "http://" + serve(filtering, "", answer=answer)
    r = filtering.get(url)
    tag = r.get("ETag")
    assert tag.startswith('W/"v1.cv-') and r.text == MASKED
    assert not [n for n in ("Last-Modified", "Accept-Ranges", "Content-MD5", "Digest", "Content-Length")
                if r.get(n)]
    again = filtering.get(url, headers=[("If-None-Match", tag)])
    assert again.status == 304 and again.get("ETag") == tag
    # What was kept from before the filter, or of other terms, is fetched anew.
    assert filtering.get(url, headers=[("If-None-Match", '"v1"')]).status == 200
    filtering.get(url, headers=[("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")])
    assert filtering.site.requests[-1].get("If-Modified-Since") is None
    filtering.wait_applied("words", filtering.publish("words", [WORD]))
    r = filtering.get(url, headers=[("If-None-Match", tag)])
    assert r.status == 200 and "Ass" in r.text
    filtering.wait_applied("words", filtering.publish("words", [WORD, EXACT]))


def test_changes_are_sent_with_the_servers_own_tag(filtering):
    url = "http://" + serve(filtering, "{}", "application/json", [("ETag", '"v7"')])
    tag = filtering.get(url).get("ETag")
    filtering.get(url, method="PUT", headers=[("If-Match", tag + ', "other"')], body=b"{}")
    assert filtering.site.requests[-1].get("If-Match") == '"v7", "other"'


def answer_range(kind):
    def answer(r):
        if r.get("Range"):
            r.answer(206, [("Content-Type", kind), ("Content-Range", "bytes 5-14/999")], PAGE[5:15])
        else:
            r.answer(200, [("Content-Type", kind)], PAGE)
    return answer


def test_a_part_of_a_page_is_answered_with_the_whole(filtering):
    url = "http://" + serve(filtering, "", answer=answer_range("text/html"))
    r = filtering.get(url, headers=[("Range", "bytes=5-14"), ("If-Range", '"x"')])
    assert r.status == 200 and r.text == MASKED and r.get("Content-Range") is None
    assert [q.get("Range") for q in filtering.site.requests[-2:]] == ["bytes=5-14", None]
    url = "http://" + serve(filtering, "", answer=answer_range("video/mp4"))
    r = filtering.get(url, headers=[("Range", "bytes=5-14")])
    assert r.status == 206 and r.text == PAGE[5:15]


def test_a_part_that_nobody_asked_for_is_refused(filtering):
    def answer(r):
        r.answer(206, [("Content-Type", "text/html"), ("Content-Range", "bytes 5-14/999")], PAGE[5:15])
    assert filtering.get("http://" + serve(filtering, "", answer=answer)).status == 503


def test_scripts_with_integrity_keep_their_bytes(filtering):
    script = "x = 'forbiddenword';"
    protected = serve(filtering, script, "text/javascript")
    other = serve(filtering, script, "text/javascript")
    page = serve(filtering, '<script integrity="sha384-x" src="%s"></script>' %
                 protected.removeprefix("allowed.example/"))
    assert "*" in filtering.get("http://" + protected).text
    filtering.get("http://" + page)
    assert filtering.get("http://" + protected).text == script
    assert "*" in filtering.get("http://" + other).text
    cors = [("Sec-Fetch-Dest", "script"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "cross-site")]
    assert filtering.get("http://" + other, headers=cors).text == script


def test_inline_scripts_that_a_policy_knows_by_hash_stay(filtering):
    url = serve(filtering, PAGE, headers=[("Content-Security-Policy", "script-src 'sha256-abc='")])
    r = filtering.get("http://" + url)
    assert '= "forbiddenword";' in r.text and "A *************" in r.text


def test_head_says_what_get_would(filtering):
    url = "http://" + serve(filtering, "", answer=lambda r: r.send(
        'HTTP/1.1 200 Fine\r\nContent-Type: text/html\r\nETag: "h"\r\nContent-Length: 7\r\n\r\n' +
        ("" if r.method == "HEAD" else "forbidd")))
    head, get = filtering.get(url, method="HEAD"), filtering.get(url)
    for name in ("ETag", "Content-Length", "Transfer-Encoding", "Content-Type"):
        assert head.get(name) == get.get(name)


def test_a_device_that_may_see_words_sees_the_servers_bytes(filtering):
    filtering.change("devices", filtering.device("full", words="show"))
    url = "http://" + serve(filtering, PAGE, headers=[("ETag", '"e"')])
    r = filtering.get(url, who="full")
    assert r.text == PAGE and r.get("ETag") == '"e"'
    assert filtering.get(url, who="internet").text == MASKED


def test_a_new_word_is_in_force_at_once(filtering):
    url = "http://" + serve(filtering, PAGE)
    filtering.wait_applied("words", filtering.set("words", {"id": "w3", "term": "amp", "match": "exact"}))
    filtering.wait_applied("words", filtering.set("words", {"id": "w3", "term": "An", "match": "exact"}))
    assert ", ** ***, a class &amp; " in filtering.get(url).text
    filtering.wait_applied("words", filtering.publish("words", [WORD, EXACT]))
    assert filtering.get(url).text == MASKED


@pytest.mark.parametrize("body,coding", [
    (gzip.compress(PAGE.encode())[:-9], "gzip"), (b"no gzip", "gzip"), (brotli.compress(PAGE.encode())[:-3], "br"),
    (zstd(PAGE.encode())[:-3], "zstd"), (b"\x28\xb5\x2f\xfdnonsense", "zstd")], ids=[
        "gzip-cut", "gzip-none", "br-cut", "zstd-cut", "zstd-none"])
def test_a_broken_body_is_broken_off(filtering, body, coding):
    url = "http://" + serve(filtering, body, headers=[("Content-Encoding", coding)])
    with pytest.raises(BROKEN):
        filtering.get(url)
    assert filtering.get("http://" + serve(filtering, PAGE)).text == MASKED


def test_a_bomb_is_broken_off_in_bounded_memory(filtering):
    bomb = brotli.compress(bytes(1 << 28), quality=5)
    assert len(bomb) < 4096
    url = "http://" + serve(filtering, bomb, headers=[("Content-Encoding", "br")])
    before = filtering.rss_kib()
    for _ in range(2):
        with pytest.raises(BROKEN):
            filtering.get(url)
    assert filtering.rss_kib() < before + 64 * 1024


def test_a_slow_reader_of_a_large_page_costs_no_memory(filtering):
    size = int(os.environ.get("FILTER_MB", "48"))

    def answer(r):
        r.send("HTTP/1.1 200 Fine\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n")
        for _ in range(size):
            r.send(b"<p>forbiddenword " * 61680)
        return False
    url = "http://" + serve(filtering, "", answer=answer)
    before = filtering.rss_kib()
    with filtering.connect() as c:
        c.send("GET %s HTTP/1.1\r\nHost: allowed.example\r\n\r\n" % url)
        c.read_head()
        got, highest, masked = 0, 0, 0
        while chunk := c.read_chunk():
            got += len(chunk)
            masked += chunk.count(b"*")
            highest = max(highest, filtering.rss_kib()) if got % (1 << 20) < len(chunk) else highest
    assert got == size * 61680 * 17 and masked == size * 61680 * 13
    assert highest < before + 24 * 1024


def test_requests_share_no_state(filtering):
    """Pages whose terms are cut everywhere, interleaved on many connections."""
    rounds = int(os.environ.get("FILTER_REQUESTS", "600"))

    def answer(r):
        seed = int(r.target.partition("?")[2])
        data = (("<p>%d for" % seed) + "biddenword forbidden" + ("word" if seed % 2 else "-") + "</p>").encode() * 20
        r.send("HTTP/1.1 200 Fine\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        cuts = random.Random(seed)
        while data:
            part = data[:cuts.randint(1, 60)]
            r.send(b"%x\r\n%s\r\n" % (len(part), part))
            data = data[len(part):]
        r.send("0\r\n\r\n")
    url = "http://" + serve(filtering, "", answer=answer)
    wrong = []

    def client(first):
        with filtering.connect("passing") as c:
            for seed in range(first, rounds, 12):
                r = c.ask("GET", "%s?%d" % (url, seed), "allowed.example")
                tail = 13 * "*" if seed % 2 else "forbidden-"
                if r.text != "<p>%d ************* %s</p>" % (seed, tail) * 1 and \
                        r.text != ("<p>%d ************* %s</p>" % (seed, tail)) * 20:
                    wrong.append((seed, r.text))
    threads = [threading.Thread(target=client, args=(i,)) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[0]


class Wordless(World):
    """Nobody has published any words."""

    def publish(self, topic, records):
        return super().publish(topic, records) if topic != "words" else 0

    def wait_policy(self):
        def judges():
            try:
                return (self.get("http://blocked.example/").status == 451 and
                        self.get("http://allowed.example/").status != 451)
            except (OSError, EOFError):
                return False
        wait_until(judges, "policy in force")


def test_without_words_known_no_page_passes():
    world = Wordless()
    try:
        world.up()
        world.path = 0
        r = world.get("http://" + serve(world, PAGE))
        assert r.status == 503 and "forbiddenword" not in r.text
        assert world.get("http://" + serve(world, PAGE, "text/css")).status == 200
        World.publish(world, "words", [WORD])
        wait_until(lambda: world.get("http://" + serve(world, PAGE)).status == 200, "words in force")
    finally:
        world.down()
