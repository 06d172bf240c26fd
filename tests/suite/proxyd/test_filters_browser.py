# SPDX-License-Identifier: GPL-3.0-or-later
"""A page in a real Chromium behind the word and image filters: what it shows, that its scripts run, and that
its layout stays (SPEC P9, P10)."""
import base64
import hashlib
import io
import itertools
import json
import os

import brotli
import pytest
from browser import Browser
from PIL import Image

WORD = "forbiddenword"
STARS = 13 * "*"
SCRIPT = "window.protectedRan = 'forbiddenword'.length; /* \"' */"
SHARED = "window.shared = 'a forbiddenword'; window.sum = [8 / 2 / 2, /[/'\"]forbiddenword/.source.length];"
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>A forbiddenword</title>
<script integrity="%s" src="protected.js"></script><script src="shared.js"></script>
<style>.forbiddenword { margin: 7px } img { vertical-align: top }</style></head>
<body class="forbiddenword"><p id="text">One forbidden&shy;word, &#102;orbiddenword and &lt;b&gt;</p>
<textarea>forbiddenword</textarea><a id="link" href="/forbiddenword?a=forbiddenword">link</a>
<script>var inline = "forbiddenword</b>"; var key = {"forbiddenword": 1};
fetch("data.json").then(r => r.json()).then(j => { window.json = j; });</script>
%s</body></html>"""
FORMATS = {"png": ("PNG", "image/png"), "gif": ("GIF", "image/gif"), "jpg": ("JPEG", "image/jpeg"),
           "webp": ("WEBP", "image/webp"), "bmp": ("BMP", "image/bmp")}
SVG = ("<svg xmlns='http://www.w3.org/2000/svg' width='60' height='20' viewBox='0 0 30 10'>"
       "<rect width='30' height='10' fill='red'/></svg>")
RECTS = ("JSON.stringify([...document.images].map(i => { const r = i.getBoundingClientRect(); "
         "return [i.naturalWidth, i.naturalHeight, r.x, r.y, r.width, r.height]; }))")


def picture(kind, number, **options):
    out = io.BytesIO()
    Image.new("RGB", (40 + number, 30 + number), "red").save(out, kind, **options)
    return out.getvalue()


def serve(world):
    digest = "sha384-" + base64.b64encode(hashlib.sha384(SCRIPT.encode()).digest()).decode()
    images = {name: (picture(kind, n), mime) for n, (name, (kind, mime)) in enumerate(FORMATS.items())}
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    images["turned"] = picture("JPEG", 9, exif=exif), "image/jpeg"
    images["svg"] = SVG.encode(), "image/svg+xml"
    page = PAGE % (digest, "".join('<img src="%s" alt="">\n' % name for name in images))
    files = {"page": (brotli.compress(page.encode()), "text/html; charset=utf-8"),
             "protected.js": (SCRIPT.encode(), "text/javascript"),
             "shared.js": (SHARED.encode(), "text/javascript"),
             "data.json": (json.dumps({WORD: [WORD, "\u00fc"]}).encode(), "application/json"), **images}

    def route(body, mime):
        coding = [("Content-Encoding", "br")] if mime.startswith("text/html") else []
        return lambda r: r.answer(headers=[("Content-Type", mime), ("Cache-Control", "no-store"), *coding], body=body)
    for name, (body, mime) in files.items():
        world.secure.routes["/filters/" + name] = route(body, mime)


class Phone:
    """The place that a Browser runs in: the devices' host."""

    def __init__(self, world):
        self.world, self.env = world, dict(os.environ)

    def popen(self, _, *argv, **options):
        return self.world.client.start(*argv, **options)


@pytest.fixture(scope="module")
def browser(world, tmp_path_factory):
    world.wait_applied("words", world.publish("words", [{"id": "w1", "term": WORD, "match": "contains"}]))
    serve(world)
    one = Browser(Phone(world), "", tmp_path_factory.mktemp("home"), str(world.root))
    yield one
    one.close()


_loads = itertools.count(1)


def load(browser):
    """Afresh: what the former load left is not taken for this one's."""
    query = "?%d" % next(_loads)
    assert browser.open("https://allowed.example/filters/page" + query) is None
    browser.wait("location.search == '%s' && document.readyState == 'complete' && window.json !== undefined" % query)


def test_words_are_masked_and_the_page_works(browser):
    load(browser)
    assert browser.value("document.title") == "A " + STARS
    assert browser.value("document.getElementById('text').textContent") == \
        "One %s, %s and <b>" % (STARS, STARS)
    assert browser.value("document.querySelector('textarea').value") == STARS
    assert browser.value("document.getElementById('link').getAttribute('href')") == "/forbiddenword?a=forbiddenword"
    assert browser.value("getComputedStyle(document.body).margin") == "7px"
    assert browser.value("inline") == STARS + "</b>" and browser.value("key.forbiddenword") == 1
    assert json.loads(browser.value("JSON.stringify(json)")) == {WORD: [STARS, "\u00fc"]}


def test_a_script_with_integrity_runs_and_others_are_masked(browser):
    load(browser)
    assert browser.value("protectedRan") == len(WORD)
    assert browser.value("shared") == "a " + STARS
    assert browser.value("JSON.stringify(sum)") == "[2,18]"


def is_shown(browser):
    """The colour in the middle of the first image."""
    return browser.value(
        "(() => { const c = document.createElement('canvas').getContext('2d'); "
        "c.drawImage(document.images[0], 0, 0); return c.getImageData(5, 5, 1, 1).data.join(); })()")


def test_the_layout_stays_when_images_are_hidden(world, browser):
    load(browser)
    before = json.loads(browser.value(RECTS))
    assert is_shown(browser) == "255,0,0,255" and before[5][:2] == [39, 49]
    assert all(width > 1 for width, *_ in before)
    world.change("devices", world.device("internet", images="hide"))
    load(browser)
    assert is_shown(browser) == "0,0,0,0"
    assert json.loads(browser.value(RECTS)) == before
    world.change("devices", world.device("internet"))
