# SPDX-License-Identifier: GPL-3.0-or-later
"""The image filter on answers that pass through a real proxyd (SPEC P10)."""
import gzip
import io
import struct
import zlib

import pytest
from PIL import Image
from proxylib import SITE
from support.wait import wait_until

FORMATS = {"PNG": "image/png", "GIF": "image/gif", "JPEG": "image/jpeg", "WEBP": "image/webp",
           "BMP": "image/bmp"}


@pytest.fixture(scope="module")
def hiding(world):
    world.publish("image_ignore", [{"id": "i1", "domain": "www.allowed.example"}])
    world.change("devices", world.device("full", images="hide", words="show"))
    world.path = 0
    return world


def make(kind, size=(640, 480), **options):
    """Colourful, so that its bytes are many."""
    gradient = Image.linear_gradient("L").resize(size)
    picture = Image.merge("RGB", (gradient, gradient.rotate(180), gradient.transpose(
        Image.FLIP_LEFT_RIGHT)))
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def serve(world, body, kind="image/png", headers=(), answer=None):
    world.path += 1
    path = "/images-%d" % world.path

    def route(r):
        if answer:
            return answer(r)
        r.answer(headers=[("Content-Type", kind), *headers] if kind else headers, body=body)
        return True
    for origin in world.origins:
        origin.routes[path] = route
    return "http://allowed.example" + path


def get(world, url, who="full", **more):
    return world.get(url, who=who, **more)


def check_blank(r, size):
    """A PNG of that size, whose every pixel is transparent."""
    assert r.status == 200 and r.get("Content-Type") == "image/png", r
    picture = Image.open(io.BytesIO(r.body))
    picture.load()
    assert picture.format == "PNG" and picture.size == size
    assert picture.convert("RGBA").getextrema()[3] == (0, 0)


@pytest.mark.parametrize("kind", FORMATS)
def test_images_become_transparent_of_the_same_size(hiding, kind):
    url = serve(hiding, make(kind), FORMATS[kind])
    check_blank(get(hiding, url), (640, 480))
    other = get(hiding, url, who="internet")
    assert other.body == make(kind) and other.get("Content-Type") == FORMATS[kind]


def test_images_over_tls(hiding):
    url = serve(hiding, make("PNG"))
    check_blank(hiding.get_secure(url.replace("http:", "https:"), who="full"), (640, 480))


@pytest.mark.parametrize("kind,options", [
    ("JPEG", {"progressive": True}), ("JPEG", {"optimize": True, "quality": 3}),
    ("WEBP", {"lossless": True}), ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
    ("GIF", {"save_all": True, "append_images": [Image.new("RGB", (33, 7))] * 3}),
    ("WEBP", {"save_all": True, "append_images": [Image.new("RGB", (33, 7), "red")] * 3}),
    ("PNG", {"save_all": True, "append_images": [Image.new("RGB", (33, 7), "red")] * 3})])
def test_progressive_and_animated_forms(hiding, kind, options):
    check_blank(get(hiding, serve(hiding, make(kind, (33, 7), **options), FORMATS[kind])), (33, 7))


def test_a_photograph_on_its_side_is_turned(hiding):
    """Browsers lay it out as EXIF says."""
    for order, head in ((">", b"MM\0*"), ("<", b"II*\0")):
        for orientation, size in ((1, (64, 48)), (6, (48, 64)), (8, (48, 64))):
            tiff = head + struct.pack(order + "IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
            body = make("JPEG", (64, 48), exif=b"Exif\0\0" + tiff)
            check_blank(get(hiding, serve(hiding, body, "image/jpeg")), size)


def avif(width, height, turned=False):
    """The boxes that a size is read from."""
    def box(kind, *parts):
        data = b"".join(parts)
        return struct.pack(">I", len(data) + 8) + kind + data
    props = [box(b"ispe", struct.pack(">III", 0, 8, 8)), box(b"ispe", struct.pack(">III", 0, width, height))]
    props += [box(b"irot", b"\1")] if turned else []
    return box(b"ftyp", b"avif\0\0\0\0mif1") + box(
        b"meta", bytes(4), box(b"hdlr", bytes(24)), box(b"iprp", box(b"ipco", *props))) + box(
            b"mdat", bytes(1000))


def test_avif(hiding):
    check_blank(get(hiding, serve(hiding, avif(320, 200), "image/avif")), (320, 200))
    check_blank(get(hiding, serve(hiding, avif(320, 200, True), "image/avif")), (200, 320))


def test_svg_keeps_its_frame(hiding):
    svg = ('<?xml version="1.0"?><!-- <svgx> --><svg xmlns="http://www.w3.org/2000/svg" onload="a()" '
           'width="2em" viewBox=\'0 0 24 24\'><path d="M0 0"/></svg>')
    want = ('<svg xmlns="http://www.w3.org/2000/svg" width="2em" viewBox="0 0 24 24"/>')
    assert get(hiding, serve(hiding, svg.encode(), "image/svg+xml")).text == want
    packed = serve(hiding, gzip.compress(svg.encode()), "image/svg+xml", [("Content-Encoding", "gzip")])
    r = get(hiding, packed, headers=[("Accept-Encoding", "gzip")])
    assert r.text == want and r.get("Content-Encoding") is None
    assert get(hiding, serve(hiding, b"<p>", "image/svg+xml")).text == \
        '<svg xmlns="http://www.w3.org/2000/svg"/>'


def png_header(width, height):
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data))


@pytest.mark.parametrize("body", [
    b"", b"x", b"no image" * 1000, make("PNG")[:20], make("GIF")[:8], make("JPEG")[:10],
    png_header(0, 5), png_header(0xffffffff, 0xffffffff), png_header(32767, 32767),
    b"\xff\xd8\xff\xe1\xff\xff" + b"a" * 400000, b"\xff\xd8\xff\xe0\0\0", b"RIFF\0\0\0\0WEBPVP8?" + bytes(40),
    b"\0\0\0\x18ftypavif" + bytes(12) + b"\0\0\0\0meta"], ids=range(13))
def test_without_a_size_an_image_is_one_pixel(hiding, body):
    def answer(r):
        r.send("HTTP/1.1 200 Fine\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n")
        if body:
            r.send(b"%x\r\n%s\r\n" % (len(body), body))
        r.send("0\r\n\r\n")
    check_blank(get(hiding, serve(hiding, b"", answer=answer)), (1, 1))


def test_large_sizes_cost_little(hiding):
    r = get(hiding, serve(hiding, png_header(14000, 12000)))
    assert len(r.body) < 200000 and Image.open(io.BytesIO(r.body)).size == (14000, 12000)


def test_the_web_server_is_cut_short_once_the_size_is_known(hiding):
    sent = []

    def answer(r):
        body = make("PNG") + bytes(64 << 20)
        r.send("HTTP/1.1 200 Fine\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 65536):
            r.send(body[at:at + 65536])
            sent.append(at)
        sent.append("all")
    url = serve(hiding, b"", answer=answer)
    check_blank(get(hiding, url), (640, 480))
    wait_until(lambda: sent and "all" not in sent, "the first bytes are sent")
    assert max(sent) < 32 << 20
    # A small rest is read, and the connection kept.
    for _ in range(3):
        check_blank(get(hiding, serve(hiding, make("GIF", (20, 10)), "image/gif")), (20, 10))
    numbers = [r.number for r in hiding.site.requests[-3:]]
    assert len(set(numbers)) == 1, numbers


def test_an_image_under_another_type_is_hidden_where_one_is_wanted(hiding):
    url = serve(hiding, make("JPEG"), "application/octet-stream")
    check_blank(get(hiding, url, headers=[("Sec-Fetch-Dest", "image")]), (640, 480))
    assert get(hiding, url).body == make("JPEG")


@pytest.mark.parametrize("kind, headers, size", [
    ("PNG", (), (640, 480)), ("JPEG", (), (640, 480)), ("GIF", (), (640, 480)), ("WEBP", (), (640, 480)),
    ("BMP", (), (640, 480)), ("ICO", (), (16, 12)), ("TIFF", (), (1, 1)),
    ("PNG", [("Content-Type", "*/*")], (640, 480)), ("PNG", [("Content-Type", "unknown/unknown")], (640, 480)),
    ("PNG", [("X-Content-Type-Options", "nosniff")], (640, 480)),
    ("PNG", [("Content-Encoding", "gzip")], (640, 480)),
    ("PNG", [("Content-Type", "")], (640, 480))], ids=str)
@pytest.mark.parametrize("dest", [None, "document", "iframe", "object", "empty"])
def test_an_image_without_a_type_is_hidden(hiding, kind, headers, size, dest):
    """Browsers look at its first bytes, and show it: opened by itself, in a frame."""
    body = make(kind, **({"sizes": [(16, 16)]} if kind == "ICO" else {}))
    if ("Content-Encoding", "gzip") in headers:
        body = gzip.compress(body)
    url = serve(hiding, body, None, headers)
    r = get(hiding, url, headers=[("Sec-Fetch-Dest", dest)] if dest else [])
    picture = Image.open(io.BytesIO(r.body))
    assert r.status == 200 and picture.format == "PNG" and picture.size == size, r
    assert picture.convert("RGBA").getextrema()[3] == (0, 0)


DECLARED = b"<?xml version='1.0'?><!-- a --><svg xmlns='http://www.w3.org/2000/svg' width='6' height='2'><rect/></svg>"


@pytest.mark.parametrize("kind", [None, "text/xml", "application/xml; charset=utf-8", "application/rss+xml"], ids=str)
@pytest.mark.parametrize("dest", [None, "document"])
def test_svg_that_only_its_root_names_is_hidden(hiding, kind, dest):
    """Opened by itself, XML whose root is svg is an image; what has no type is XML with a declaration."""
    url = serve(hiding, DECLARED, kind)
    r = get(hiding, url, headers=[("Sec-Fetch-Dest", dest)] if dest else [])
    assert r.status == 200 and r.get("Content-Type") == kind
    assert r.text == '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="6" height="2"/>'


@pytest.mark.parametrize("kind, body", [
    ("text/xml", b"<?xml version='1.0'?><rss><channel/></rss>"), (None, b"<?xml version='1.0'?><rss><channel/></rss>"),
    (None, b"<svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>"), ("application/xml", b"")], ids=str)
def test_xml_that_is_no_image_passes(hiding, kind, body):
    """SVG without a type and without a declaration is text to browsers."""
    r = get(hiding, serve(hiding, body, kind), headers=[("Sec-Fetch-Dest", "document")])
    assert r.status == 200 and r.body == body


@pytest.mark.parametrize("body", [b"", b"<p>", b"<p>a page of several words</p>" * 9000, b"GIF8", b"\x00\x01" * 300], ids=len)
@pytest.mark.parametrize("words", ["show", "hide"])
def test_what_has_no_type_and_is_no_image_passes(hiding, body, words):
    """In pieces, and where words are hidden, too."""
    def answer(r):
        r.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in [body[i:i + 1] for i in range(15)] + [body[15:]]:
            if piece:
                r.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        r.send("0\r\n\r\n")
    hiding.change("devices", hiding.device("full", images="hide", words=words))
    try:
        r = get(hiding, serve(hiding, b"", answer=answer), headers=[("Sec-Fetch-Dest", "document")])
        assert r.status == 200 and r.body == body
    finally:
        hiding.change("devices", hiding.device("full", images="hide", words="show"))


def test_hosts_to_ignore_show_their_images(hiding):
    url = serve(hiding, make("PNG")).replace("//", "//www.")
    wait_until(lambda: get(hiding, url).body == make("PNG"), "shown")


def test_the_host_that_devices_connect_to_shows_its_images(hiding):
    hiding.dns.names["vpn.allowed.example"] = [SITE]
    url = serve(hiding, make("PNG")).replace("allowed.example", "vpn.allowed.example")
    check_blank(get(hiding, url), (640, 480))
    hiding.wait_applied("settings", hiding.set("settings", {"id": "endpoint", "value": "vpn.allowed.example"}))
    assert get(hiding, url).body == make("PNG")


def test_other_types_pass(hiding):
    for kind in ("text/html", "text/css", "video/mp4"):
        assert get(hiding, serve(hiding, b"<p>text", kind)).text == "<p>text"


def test_validators_are_of_the_blank_image(hiding):
    def answer(r):
        if r.get("If-None-Match") == 'W/"v1"':
            r.send('HTTP/1.1 304 Same\r\nETag: W/"v1"\r\n\r\n')
        else:
            r.answer(headers=[("Content-Type", "image/png"), ("ETag", 'W/"v1"'),
                              ("Accept-Ranges", "bytes")], body=make("PNG"))
    url = serve(hiding, b"", answer=answer)
    r = get(hiding, url)
    check_blank(r, (640, 480))
    assert r.get("Accept-Ranges") is None
    assert get(hiding, url, headers=[("If-None-Match", r.get("ETag"))]).status == 304
    # What was kept from before the filter, is fetched anew; who may see it gets it.
    check_blank(get(hiding, url, headers=[("If-None-Match", 'W/"v1"')]), (640, 480))
    shown = get(hiding, url, who="internet", headers=[("If-None-Match", r.get("ETag"))])
    assert shown.status == 200 and shown.body == make("PNG")


def test_a_part_of_an_image_is_answered_with_the_whole_blank(hiding):
    def answer(r):
        if r.get("Range"):
            r.answer(206, [("Content-Type", "image/png"), ("Content-Range", "bytes 0-9/999")],
                     make("PNG")[:10])
        else:
            r.answer(200, [("Content-Type", "image/png")], make("PNG"))
    url = serve(hiding, b"", answer=answer)
    check_blank(get(hiding, url, headers=[("Range", "bytes=0-9")]), (640, 480))


@pytest.mark.parametrize("knob, found", [("256", 2), ("1", 1), ("0", 0)])
def test_blank_images_are_kept_as_many_as_the_knob_says(hiding, monkeypatch, knob, found):
    """K's IMAGE_BLOCKER_CACHE goes before the key (C1)."""
    hiding.proxyd.stop()
    monkeypatch.setenv("IMAGE_BLOCKER_CACHE", knob)
    hiding.start_proxyd()
    for size in ((11, 13), (11, 13), (13, 11), (11, 13)):
        check_blank(get(hiding, serve(hiding, make("PNG", size))), size)
    wait_until(lambda: [hiding.status().get(k) for k in ("hidden_images", "cached_images")] == [4, found],
               "counts in the status")
