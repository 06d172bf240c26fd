# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways round the filters that a device or a website may try, in a real proxyd (SPEC P9, P10, P11, P15)."""
import gzip

import pytest
from proxylib import SITE

PAGE = "<!doctype html><p>A forbiddenword here</p>"
MASKED = PAGE.replace("forbiddenword", 13 * "*")
# What no image decoder takes, but a blank one is made of all the same.
IMAGE = b"\x89PNG\r\n\x1a\n" + b"not shown" * 20
ENGINE = "duckduckgo.com"


@pytest.fixture(scope="module", name="net")
def _net(world):
    world.dns.names[ENGINE] = [SITE]
    world.wait_applied("words", world.publish("words", [{"id": "w1", "term": "forbiddenword", "match": "contains"}]))
    world.change("devices", world.device("full", images="hide"))
    world.change("websites", world.website(ENGINE, "education"))
    world.wait_applied("search_words", world.publish("search_words", [{"id": "s1", "term": "forbidden word"}]))
    world.path = 0
    return world


def serve(net, body, *headers, status=200):
    """A path that answers so."""
    net.path += 1
    path = "/evasion-%d" % net.path
    data = body.encode() if isinstance(body, str) else body
    net.site.routes[path] = lambda r: r.answer(status, headers, data)
    return "http://allowed.example" + path


def text(net, url, *headers):
    return net.get(url, headers=headers).text


# ---- words ----


@pytest.mark.parametrize("dest", ["image", "style", "font", "audio", "video", "track", "script"])
def test_a_page_is_masked_whatever_the_request_says_it_is_for(net, dest):
    url = serve(net, PAGE, ("Content-Type", "text/html"))
    assert text(net, url, ("Sec-Fetch-Dest", dest)) == MASKED


def test_parts_of_a_page_are_no_way_to_its_words(net):
    """More than one range: the answer's type is not the page's."""
    def route(r):
        if r.get("Range"):
            r.answer(206, [("Content-Type", "multipart/byteranges; boundary=B")],
                     "--B\r\nContent-Type: text/html\r\nContent-Range: bytes 0-9/42\r\n\r\n" + PAGE + "\r\n--B--\r\n")
        else:
            r.answer(200, [("Content-Type", "text/html")], PAGE)
    url = serve(net, "")
    net.site.routes["/" + url.rpartition("/")[2]] = route
    assert text(net, url, ("Range", "bytes=0-1,2-999")) == MASKED


def test_codings_on_several_lines_are_undone(net):
    url = serve(net, gzip.compress(gzip.compress(PAGE.encode())), ("Content-Type", "text/html"),
                ("Content-Encoding", "gzip"), ("Content-Encoding", "x-gzip"))
    assert text(net, url) == MASKED


def test_more_codings_than_are_undone_are_no_way_to_the_words(net):
    body = PAGE.encode()
    for _ in range(6):
        body = gzip.compress(body)
    url = serve(net, body, ("Content-Type", "text/html"), ("Content-Encoding", ", ".join(["gzip"] * 6)))
    r = net.get(url)
    assert r.status == 503 and r.body != body


@pytest.mark.parametrize("types", [
    ["application/octet-stream", "text/html"], ["application/octet-stream, text/html"],
    ['x/y; a="b,c", text/html'], ["text/html", "nonsense"], ["text/html", "*/*"]])
def test_of_several_types_the_one_that_browsers_take_counts(net, types):
    url = serve(net, PAGE, *[("Content-Type", t) for t in types])
    assert text(net, url) == MASKED


@pytest.mark.parametrize("kind", ["", "nonsense", "unknown/unknown", "application/unknown", "*/*", "/html"])
def test_a_type_that_browsers_do_not_believe_is_looked_at_as_a_page(net, kind):
    assert text(net, serve(net, PAGE, ("Content-Type", kind))) == MASKED


# ---- images ----


@pytest.mark.parametrize("dest", ["script", "style", "font", "audio", "video", "track"])
def test_an_image_is_hidden_whatever_the_request_says_it_is_for(net, dest):
    url = serve(net, IMAGE, ("Content-Type", "image/png"))
    assert b"not shown" not in net.get(url, who="full", headers=[("Sec-Fetch-Dest", dest)]).body


def test_an_image_under_another_type_is_hidden_where_the_browser_says_nothing_of_its_use(net):
    """Browsers tell plain HTTP what they accept, and no more."""
    url = serve(net, IMAGE, ("Content-Type", "application/octet-stream"))
    accept = [("Accept", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8")]
    assert b"not shown" not in net.get(url, who="full", headers=accept).body
    assert b"not shown" in net.get(url, who="full").body


@pytest.mark.parametrize("kind", ["image/png", "multipart/x-mixed-replace; boundary=B"])
def test_images_that_replace_each_other_are_hidden(net, kind):
    url = serve(net, b"--B\r\nContent-Type: image/png\r\n\r\n" + IMAGE + b"\r\n--B--\r\n", ("Content-Type", kind))
    assert b"not shown" not in net.get(url, who="full").body


def test_parts_of_an_image_are_no_way_to_it(net):
    url = serve(net, b"--B\r\n\r\n" + IMAGE + b"\r\n--B--\r\n", ("Content-Type", "multipart/byteranges; boundary=B"),
                status=206)
    r = net.get(url, who="full", headers=[("Range", "bytes=0-1,2-999")])
    assert r.status == 503 and b"not shown" not in r.body


# ---- requests ----


def test_what_follows_a_fragment_is_not_sent_on(net):
    """It would be a part of the query for one server and none for another."""
    net.site.routes["/"] = lambda r: r.answer(body=r.target)
    for target in ("/?x#&q=forbidden+word", "/#?q=forbidden+word"):
        r = net.get("http://%s%s" % (ENGINE, target), who="internet")
        assert r.status == 200 and "#" not in r.text and "forbidden" not in r.text


def test_a_fragment_does_not_hide_a_path_from_its_rule(net):
    net.change("site_overrides", {"id": "o1", "device": "internet", "pattern": "allowed.example/secret",
                                  "match": "exact", "action": "block"})
    assert net.get("http://allowed.example/secret").status == 451
    assert net.get("http://allowed.example/secret#x").status == 451
@pytest.mark.parametrize("fields", [
    "q=forbidden+word", "b=&q=a+Forbidden%20%20WORD&kl=", "%71=forbidden%20word"])
def test_a_search_by_a_form_that_is_sent_is_judged(net, fields):
    net.site.routes["/html/"] = lambda r: r.answer(body=r.body)
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    seen = len(net.site.requests)
    r = net.get("http://%s/html/" % ENGINE, method="POST", headers=form, body=fields.encode())
    assert r.status == 451 and "forbidden word" in r.text.lower()
    assert all(b"orbidden" not in r.body for r in net.site.requests[seen:])
    r = net.get("http://%s/html/" % ENGINE, method="POST", headers=form, body=b"q=another+word&b=")
    assert r.status == 200 and r.text == "q=another+word&b="


def test_a_form_in_pieces_is_judged_before_the_server_has_it(net):
    net.site.routes["/html/"] = lambda r: r.answer(body=r.body)
    head = ("POST http://%s/html/ HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n" % (ENGINE, ENGINE))
    for body, status in ((b"a=1&q=forbidden+word&b=2", 451), (b"a=1;q=forbidden+word", 451),
                         (b"a=1&q=forbidden&w=word", 200), (b"", 200), (b"a" * 50000 + b"&q=x", 200),
                         (b"q=" + b"a" * 50000, 413)):
        with net.connect() as c:
            c.send(head)
            try:
                for i in range(0, len(body), max(1, len(body) // 50)):
                    piece = body[i:i + max(1, len(body) // 50)]
                    c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                c.send("0\r\n\r\n")
            except OSError:
                pass  # refused before the end
            r = c.read()
            assert r.status == status
            assert status != 200 or r.body == body


def test_forms_for_others_than_search_engines_and_of_other_types_pass(net):
    net.site.routes["/form"] = lambda r: r.answer(body=r.body)
    for host, kind in (("allowed.example", "application/x-www-form-urlencoded"), (ENGINE, "text/csv")):
        r = net.get("http://%s/form" % host, method="POST", headers=[("Content-Type", kind)],
                    body=b"q=forbidden+word")
        assert r.status == 200 and r.body == b"q=forbidden+word"


# ---- the log ----


def test_the_log_names_no_site_that_was_asked_for(new_world):
    """Whatever went wrong there, at the level that is in force by default (D10, P16)."""
    new_world.proxyd.stop()
    new_world.conf.write_text(new_world.conf.read_text().replace("log_level = debug\n", ""))
    new_world.start_proxyd()
    for origin in new_world.origins:
        origin.routes["/broken"] = lambda r: r.answer(
            headers=[("Content-Type", "text/html"), ("Content-Encoding", "gzip")], body=b"no gzip")
    new_world.wait_applied("words", new_world.publish("words", [{"id": "w1", "term": "forbiddenword"}]))
    before = len(new_world.proxyd.log())
    for name in ("expired", "untrusted", "selfsigned", "empty", "lan"):
        assert new_world.get_secure("https://%s.test.example/" % name).status in (403, 502)
    with pytest.raises((EOFError, ValueError)):
        new_world.get("http://s1.test.example/broken")
    assert "test.example" not in new_world.proxyd.log()[before:]
