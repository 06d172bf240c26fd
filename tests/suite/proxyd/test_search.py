# SPDX-License-Identifier: GPL-3.0-or-later
"""The search filter and SafeSearch in a real proxyd (SPEC P11)."""
import gzip
import json
import os
import zlib

import brotli
import pytest
import zstandard
from proxylib import SITE, World

ENGINES = ("www.google.com", "www.google.co.uk", "www.bing.com", "duckduckgo.com", "www.youtube.com")


@pytest.fixture(scope="module")
def searching(world):
    for name in ENGINES:
        world.dns.names[name] = [SITE]
    websites = [world.website(name, "education") for name in ENGINES]
    world.wait_applied("websites", world.publish("websites", [
        *websites, world.website("allowed.example", "education"),
        world.website("blocked.example", "gambling")]))
    world.wait_applied("search_words", world.publish("search_words", [
        {"id": "s1", "term": "forbidden word"}, {"id": "s2", "term": "ass"},
        {"id": "s3", "term": "\u65e5\u672c"}]))
    return world


def ask(world, url, who="full", **more):
    return world.get("http://" + url, who=who, **more)


@pytest.mark.parametrize("url", [
    "www.google.com/search?q=forbidden+word", "www.google.co.uk/search?hl=en&q=a%20Forbidden%20%20WORD%20b",
    "www.bing.com/search?q=x&q=%66orbidden+word", "duckduckgo.com/?q=ass", "www.bing.com/search?%71=kick-ass",
    "www.youtube.com/results?search_query=ass", "www.google.com/complete/search?q=my%C2%A0ASS",
    "www.google.com/search?q=x%E6%97%A5%E6%9C%ACx"])
def test_searches_for_a_term_are_blocked(searching, url):
    seen = len(searching.site.requests)
    r = ask(searching, url)
    assert r.status == 451 and "Site Blocked" in r.text
    assert len(searching.site.requests) == seen


def test_searches_over_tls_are_judged(searching):
    before = len(searching.secure.requests)
    assert searching.get_secure("https://www.bing.com/search?q=forbidden+word", "full").status == 451
    assert len(searching.secure.requests) == before


def test_the_term_is_named(searching):
    assert "forbidden word" in ask(searching, "www.google.com/search?q=my+FORBIDDEN+word").text


@pytest.mark.parametrize("url", [
    "www.google.com/search?q=forbidden", "www.google.com/search?q=class+asset", "www.google.com/ass?x=ass",
    "allowed.example/search?q=forbidden+word", "www.google.com/search"])
def test_other_requests_pass(searching, url):
    assert ask(searching, url).status == 200


def test_an_override_goes_before_the_terms(searching):
    override = {"id": "o1", "device": "full", "pattern": "www.bing.com", "match": "exact", "action": "allow"}
    searching.wait_applied("site_overrides", searching.publish("site_overrides", [override]))
    assert ask(searching, "www.bing.com/search?q=ass").status == 200
    assert ask(searching, "www.bing.com/search?q=ass", who="internet").status == 451
    searching.wait_applied("site_overrides", searching.publish("site_overrides", []))
    assert ask(searching, "www.bing.com/search?q=ass").status == 451


def seen(world, url, **more):
    assert ask(world, url, **more).status == 200
    return world.site.requests[-1]


def test_answers_of_search_engines_are_restricted(searching):
    searching.change("devices", searching.device("full", safe_search={
        "google": True, "bing": True, "duckduckgo": True, "youtube": "strict"}))
    for url, want in (("www.google.com/search?safe=off&q=x", "/search?q=x&safe=active"),
                      ("www.google.co.uk/search?q=x&%73afe=images", "/search?q=x&safe=active"),
                      ("www.bing.com/search?q=x&adlt=off", "/search?q=x&adlt=strict"),
                      ("duckduckgo.com/?kp=-2&q=x", "/?q=x&kp=1"),
                      ("www.google.com/logo.png", "/logo.png"),
                      ("allowed.example/search?q=x", "/search?q=x")):
        assert seen(searching, url).target == want
    request = seen(searching, "www.youtube.com/results?search_query=x", headers=[("YouTube-Restrict", "None")])
    assert request.get("YouTube-Restrict") == "Strict" and request.target == "/results?search_query=x"
    assert seen(searching, "allowed.example/").get("YouTube-Restrict") is None
    searching.change("devices", searching.device("full", safe_search={"youtube": "moderate"}))
    assert seen(searching, "www.youtube.com/").get("YouTube-Restrict") == "Moderate"
    assert seen(searching, "www.google.com/search?q=x").target == "/search?q=x"


class Wordless(World):
    """Nobody has published any terms of searches."""

    def publish(self, topic, records):
        return super().publish(topic, records) if topic != "search_words" else 0


def test_without_terms_known_no_search_passes():
    world = Wordless()
    try:
        world.up()
        world.dns.names["www.google.com"] = [SITE]
        assert world.get("http://www.google.com/search?q=x", who="passing").status == 503
        assert world.get("http://www.google.com/", who="passing").status == 200
    finally:
        world.down()


CODINGS = {"gzip": lambda data: gzip.compress(data, mtime=0), "deflate": zlib.compress, "br": brotli.compress,
           "zstd": lambda data: zstandard.ZstdCompressor().compress(data)}


def has_body(searching, body):
    """The server notes those that were blocked late, without their bodies."""
    return any(q.body == body for q in searching.site.requests)


PARTS = ("--B\r\nContent-Disposition: form-data; name=\"hl\"\r\n\r\nen\r\n"
         "--B\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n%s\r\n--B--\r\n")


@pytest.mark.parametrize("kind,body", [
    ("application/json", '{"query": "my forbi\\u0064den word"}'),
    ("multipart/form-data; boundary=B", PARTS % "kick-ass"),
    ("text/plain", "hl=en\r\nq=forbidden word\r\n"),
    ("application/x-www-form-urlencoded", "hl=en&q=ass")])
def test_searches_in_bodies_are_blocked_before_the_server_has_them(searching, kind, body):
    url = "http://www.bing.com/search"
    before = len(searching.site.requests)
    r = searching.get(url, "full", "POST", [("Content-Type", kind)], body.encode())
    assert r.status == 451 and "Site Blocked" in r.text
    assert all(body.encode() not in q.body for q in searching.site.requests[before:])
    other = body.replace("forbi\\u0064den", "free").replace("forbidden", "free").replace("ass", "xx").encode()
    r = searching.get(url, "full", "POST", [("Content-Type", kind)], other)
    assert r.status == 200 and has_body(searching, other)


@pytest.mark.parametrize("coding", CODINGS)
def test_searches_in_coded_bodies_are_judged(searching, coding):
    """What a page compresses was not looked into, and passed."""
    def send(body, kind="application/json"):
        return searching.get("http://www.bing.com/search", "full", "POST", [
            ("Content-Type", kind), ("Content-Encoding", coding)], CODINGS[coding](body))
    assert send(b'{"query": "my forbidden word"}').status == 451
    assert send(b"hl=en&q=ass", "application/x-www-form-urlencoded").status == 451
    assert send(b'{"query": "my other word"}').status == 200
    assert has_body(searching, CODINGS[coding](b'{"query": "my other word"}'))
    # What cannot be read is not let through, nor what hides in much.
    assert searching.get("http://www.bing.com/search", "full", "POST", [
        ("Content-Type", "application/json"), ("Content-Encoding", coding)], b"{}\xff no").status == 503
    assert send(b'{"x": "' + bytes(9 << 20) + b'", "query": "forbidden word"}').status == 413


def test_coded_bodies_are_held_up_to_a_bound(searching):
    def send(size):
        body = gzip.compress(json.dumps({"x": os.urandom(size).hex(), "query": "other word"}).encode())
        return searching.get("http://www.bing.com/search", "full", "POST", [
            ("Content-Type", "application/json"), ("Content-Encoding", "gzip")], body).status
    assert send(180 << 10) == 200
    assert any(len(q.body) > 180 << 10 for q in searching.site.requests)
    assert send(400 << 10) == 413


def test_searches_in_an_unknown_coding_are_not_let_through(searching):
    assert searching.get("http://www.bing.com/search", "full", "POST", [
        ("Content-Type", "application/json"), ("Content-Encoding", "rot13")], b'{"q": "sbeovqqra"}').status == 503


@pytest.mark.parametrize("headers", [[("Content-Type", "text/plain;charset=UTF-8")], []])
def test_searches_in_json_that_is_not_said_to_be_are_judged(searching, headers):
    """As fetch() sends a string, and sendBeacon() what has no type."""
    def send(body):
        return searching.get("http://www.bing.com/search", "full", "POST", headers, body)
    assert send(b'{"query": "my forbidden word"}').status == 451
    assert send(b'{"query": "my other word"}').status == 200


@pytest.mark.parametrize("url", ["duckduckgo.com/forbidden_word?ia=web", "www.youtube.com/hashtag/ass"])
def test_searches_in_paths_are_blocked(searching, url):
    assert ask(searching, url).status == 451
    assert ask(searching, url.replace("word", "wind").replace("ass", "asset")).status == 200
