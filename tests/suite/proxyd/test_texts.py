# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of the pages: in the browser's language, and one's own (SPEC P8)."""
import base64
import json
import re
import signal

import pytest
from portallib import GATEWAY, address, fetch, submit
from support import ROOT
from support.wait import wait_until

TEXTS = ROOT / "deploy/texts"
IDS = [i.lower() for i in re.findall(r"^TEXT\((\w+),", (ROOT / "proxyd/texts.def").read_text(), re.M)]
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def configured(w, **keys):
    """proxyd once more, with these keys."""
    w.proxyd.stop()
    w.conf.write_text(w.conf.read_text() + "".join("%s = %s\n" % k for k in keys.items()))
    w.start_proxyd()
    return w


@pytest.mark.parametrize("path", sorted(TEXTS.glob("*.json")), ids=lambda p: p.stem)
def test_language_has_every_text(path):
    texts = json.loads(path.read_text())
    assert sorted(set(texts) - {"direction"}) == sorted(IDS)


def test_what_goes_wrong_has_texts():
    """All that the sources answer with a page of an error."""
    english = re.findall(r'^TEXT\(\w+,\s*"(.*)"\)$', (ROOT / "proxyd/texts.def").read_text(), re.M)
    said = set()
    for path in (ROOT / "proxyd").glob("*.c"):
        for call in re.findall(r'(?:exchange_fail|page_send_error|send_error|set_error|fail)\(([^;]*?)\);', path.read_text()):
            said |= {t for t in re.findall(r'"((?:[A-Z][\w\' ]+)(?:\.|: %s\.|[\w %]*\.)?)"', call)}
    assert len(said) > 30
    said |= set(re.findall(r'return "([A-Z][^"]*\.)";', (ROOT / "proxyd/judge.c").read_text()))
    missing = {t for t in said if t.replace("connect: %s", "%s").replace("%s", "{}") not in english}
    assert not missing


def test_errors_are_in_the_browsers_language(new_world):
    w = configured(new_world, texts_dir=TEXTS)
    german = [("Accept-Language", "de")]
    page = w.get("http://allowed.example:25/", headers=german)
    assert "<h1>Port nicht erlaubt</h1>" in page.text and "darf keine Verbindung aufgenommen" in page.text
    page = w.get("http://nowhere.test.example/", who="passing", headers=german)
    assert "<h1>Name nicht gefunden</h1>" in page.text
    assert "<p>Es gibt keine Website mit dem Namen nowhere.test.example.</p>" in page.text


def test_pages_are_in_the_browsers_language(new_world):
    w = configured(new_world, texts_dir=TEXTS)
    german = [("Accept-Language", "de-AT,de;q=0.9,en;q=0.8")]
    page = fetch(w, "https://blocked.example/", headers=german)
    assert page.title == "Website gesperrt" and "weil sie zur Kategorie Gambling gehört." in page.text
    assert '<html lang="de">' in page.response.text and page.response.get("Vary") == "Accept-Language"
    form = fetch(w, address(host="x.example", mode="report"), headers=german)
    assert form.title == "Website melden" and form.labels["category_id"] == "Kategorie wählen"
    done = submit(w, form, GATEWAY + "/", headers=german)
    assert done.status == 400 and "Bitte wählen Sie eine Kategorie." in done.text
    assert fetch(w, GATEWAY + "/", headers=german).title == "Dieses Gerät einrichten"
    assert fetch(w, "https://blocked.example/", headers=[("Accept-Language", "fr")]).title == "Site Blocked"


def test_pages_bear_a_brand(new_world):
    w = new_world
    brand = w.dir / "brand"
    brand.mkdir()
    (brand / "en.json").write_text(json.dumps({"blocked_title": "Not here & now"}))
    (brand / "style.css").write_text("main{border-top:4px solid red}")
    (brand / "logo.png").write_bytes(PNG)
    r = fetch(configured(w, brand_dir=brand), "https://blocked.example/").response
    assert "<h1>Not here &amp; now</h1>" in r.text and "border-top:4px solid red" in r.text
    assert base64.b64encode(PNG).decode() in r.text and "img-src data:" in r.get("Content-Security-Policy")


def test_brand_is_read_again_at_sighup(new_world):
    """C2: a wrong one leaves the former in force, and the daemon alive."""
    w = new_world
    brand = w.dir / "brand"
    brand.mkdir()
    configured(w, brand_dir=brand)

    def title():
        return fetch(w, "https://blocked.example/").title
    assert title() == "Site Blocked"
    (brand / "en.json").write_text(json.dumps({"blocked_title": "Not here"}))
    w.proxyd.send(signal.SIGHUP)
    wait_until(lambda: title() == "Not here", "the new text")
    (brand / "en.json").write_text("{")
    w.proxyd.send(signal.SIGHUP)
    wait_until(lambda: "the former texts of the pages stay" in w.proxyd.log(), "a word about the file")
    assert title() == "Not here"
    (brand / "en.json").unlink()
    w.conf.write_text(w.conf.read_text() + "appeal_path = /ask\n")
    w.proxyd.send(signal.SIGHUP)
    wait_until(lambda: title() == "Site Blocked", "the built-in text")
    assert fetch(w, GATEWAY + "/ask?host=x.example").title == "Appeal Access"
    assert fetch(w, GATEWAY + "/.kvylock/appeal").status == 404


@pytest.mark.parametrize("name, text", [("en.json", '{"no_such": "x"}'), ("en.json", "["), ("de.json", '{"submit": 1}'),
                                        ("style.css", "</style><script>")])
def test_wrong_brand_is_a_start_up_error(new_world, name, text):
    w = new_world
    brand = w.dir / "brand"
    brand.mkdir()
    (brand / name).write_text(text)
    w.proxyd.stop()
    w.conf.write_text(w.conf.read_text() + "brand_dir = %s\n" % brand)
    w.proxyd.start()
    assert w.proxyd.wait() == 1
    assert name in w.proxyd.log()
