# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page: nothing is wrong in it, people who see little or use no mouse can use it, it fits every width.

UI_SHOTS=DIR keeps a picture of each page at three widths in both themes."""
import os
import pathlib
import subprocess

import apidlib
import pytest
from support import ROOT, axe
from support.npm import install
from uilib import PAGES

WIDTHS = {1440: 900, 768: 1024, 360: 740}
CHECKED = [("dark", 1440), ("light", 360)]  # with UI_SHOTS: all
SHOTS = os.environ.get("UI_SHOTS")
AXE = """(async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
    v => v.id + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + " " + n.any.concat(n.all).map(a => a.message).join("; ")).join(" | ")))()"""
WIDE = """[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 &&
    !e.closest(".table-scroll, .tabs, .sr, pre")).slice(0, 4).map(e => e.tagName + "." + e.className)"""


@pytest.fixture(scope="module")
def page(full, browser):
    """One for all addresses, so that what a page leaves behind is seen too."""
    one = browser.page(reducedMotion="reduce")
    one.context_addCookies([full.cookie(apidlib.OWNER)])
    one.goto(full.url)
    one.waitForSelector("h1")
    one.evaluate(axe.source())
    yield one
    one.close()


def show(page, full, address):
    page.goto(full.url + "/#" + address)
    page.waitForSelector("h1")
    page.call("waitForLoadState", "networkidle")
    page.wait("!document.querySelector('main .ghost')")


@pytest.mark.parametrize("address", PAGES)
def test_page_is_accessible_in_both_themes_and_fits(full, page, address):
    show(page, full, address)
    for theme, width in [(theme, width) for theme in ("dark", "light") for width in WIDTHS]:
        page.evaluate("document.documentElement.dataset.theme = '%s'" % theme)
        page.setViewportSize({"width": width, "height": WIDTHS[width]})
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if SHOTS:
            pathlib.Path(SHOTS).mkdir(parents=True, exist_ok=True)
            name = address.strip("/").replace("/", "_")
            page.screenshot({"path": "%s/%s-%d-%s.png" % (SHOTS, name, width, theme), "fullPage": True})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.evaluate(WIDE)
        if SHOTS or (theme, width) in CHECKED:
            assert page.evaluate(AXE) == [], (theme, width)
    assert not page.said()


def test_texts_are_all_there(full, page):
    """No key of texts is shown in place of its text."""
    for address in PAGES:
        show(page, full, address)
        keys = page.evaluate("""[document.body, ...document.querySelectorAll("[aria-label], [placeholder], [title]")].flatMap(
            e => e === document.body ? e.innerText.split(/\\n/) : [e.ariaLabel, e.title, e.placeholder]).filter(
            s => s && /^[a-z_]+(\\.[a-z_]+)+$/.test(s.trim()) && !/(example|org|home|local|txt)$/.test(s))""")
        assert keys == [], address


def test_html_is_valid(full, page):
    """html-validate on what the browser has made of every page."""
    tool = install("playwright")
    files = []
    for number, address in enumerate(PAGES):
        show(page, full, address)
        file = tool / ("page-%d.html" % number)
        file.write_text("<!DOCTYPE html>\n" + page.evaluate("document.documentElement.outerHTML"))
        files.append(str(file))
    done = subprocess.run(["node_modules/.bin/html-validate", "--config", str(ROOT / "tests/suite/ui/htmlvalidate.json"),
                           str(ROOT / "apid/ui/index.html"), *files], cwd=tool, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
