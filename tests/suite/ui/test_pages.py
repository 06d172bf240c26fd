# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page: nothing is wrong in it, people who see little or use no mouse can use it, it fits every width.

UI_SHOTS=DIR keeps a picture of each page at three widths in both themes."""
import os
import pathlib
import subprocess

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
KEYLESS = """[document.body, ...document.querySelectorAll("[aria-label], [placeholder], [title]")].flatMap(
    e => e === document.body ? e.innerText.split(/\\n/) : [e.ariaLabel, e.title, e.placeholder]).filter(
    s => s && /^[a-z_]+(\\.[a-z_]+)+$/.test(s.trim()) && !/(example|org|home|local|txt)$/.test(s))"""
SPARE = 300  # stops in rows of long tables, which come as they are reached
# How many times Tab is pressed from <main> on until all of it was had.
STOPS = """(() => { const can = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const radios = new Set();
    globalThis.stops = [...document.querySelectorAll("main :is(" + can + ")")].filter(e => {
        if (e.disabled || e.tabIndex < 0 || !e.checkVisibility({visibilityProperty: true}) || e.closest("[hidden]")) return false;
        if (e.type !== "radio") return true;
        const has = radios.has(e.name);
        radios.add(e.name);
        return !has; });
    globalThis.reached = [];
    document.querySelector("main").focus();
    document.addEventListener("focusin", globalThis.onReach = event => {
        const e = event.target, box = e.getBoundingClientRect(), wide = s => parseFloat(s.outlineWidth) >= 2 && s.outlineStyle !== "none";
        const styles = [getComputedStyle(e), getComputedStyle(e, "::after"), ...(e.closest("label") ? [getComputedStyle(e.closest("label"))] : [])];
        const hit = document.elementFromPoint(Math.min(innerWidth - 1, Math.max(0, box.x + box.width / 2)), Math.min(innerHeight - 1, Math.max(0, box.y + Math.min(box.height, 60) / 2)));
        reached.push({e, isRinged: styles.some(wide) || styles[0].boxShadow.includes("0px 0px 0px 1px"),
            isSeen: box.bottom > 0 && box.top < innerHeight && (!hit || e.contains(hit) || hit.contains(e) || !!e.closest("label")?.contains(hit))});
    });
    // A date has a stop for each of its parts.
    return stops.reduce((n, e) => n + (/^(date|time)/.test(e.type) ? 9 : 1), 0); })()"""
REACHED = """(() => { document.removeEventListener("focusin", onReach);
    const say = e => e.outerHTML.slice(0, 140), inMain = reached.filter(r => r.e.closest("main"));
    return {missed: stops.filter(e => e.isConnected && !reached.some(r => r.e === e || (e.type === "radio" && r.e.name === e.name))).map(say),
        ringless: inMain.filter(r => !r.isRinged).map(r => say(r.e)), unseen: inMain.filter(r => !r.isSeen).map(r => say(r.e))}; })()"""


def look(page, address, theme, width):
    """What is wrong with how it stands there."""
    page.evaluate("document.documentElement.dataset.theme = '%s'" % theme)
    page.setViewportSize({"width": width, "height": WIDTHS[width]})
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    if SHOTS:
        pathlib.Path(SHOTS).mkdir(parents=True, exist_ok=True)
        name = address.strip("/").replace("/", "_")
        page.screenshot({"path": "%s/%s-%d-%s.png" % (SHOTS, name, width, theme), "fullPage": True})
    wide = page.evaluate("document.documentElement.scrollWidth") > width and page.evaluate(WIDE)
    violations = page.evaluate(AXE) if SHOTS or (theme, width) in CHECKED else []
    return ([(theme, width, "too wide", wide)] if wide else []) + [(theme, width, v) for v in violations]


@pytest.fixture(scope="module")
def seen(full, page):
    """seen(address) → what there is to say of the page, which is visited once for all tests."""
    known = {}
    page.evaluate(axe.source())

    def visit(address):
        if address in known:
            return known[address]
        page.setViewportSize({"width": 1440, "height": 900})
        page.goto(full.url + "/#" + address)
        page.waitForSelector("h1")
        page.call("waitForLoadState", "networkidle")
        page.wait("!document.querySelector('main .ghost') && document.activeElement === document.querySelector('main h1')")
        found = known[address] = {"keyless": page.evaluate(KEYLESS),
                                  "html": page.evaluate("document.documentElement.outerHTML")}
        stops = page.evaluate(STOPS)
        for pressed in range(stops + SPARE):
            page.keyboard_press("Tab")
            if pressed > stops and not page.evaluate("document.activeElement.closest('main')"):
                break
        found["keys"] = page.evaluate(REACHED)
        found["faults"] = [fault for theme in ("dark", "light") for width in WIDTHS
                           for fault in look(page, address, theme, width)]
        # Who leaves a page at once.
        found["said"] = [s for s in page.said() if "WebSocket is closed before the connection is established" not in s]
        return found
    return visit


@pytest.mark.parametrize("address", PAGES)
def test_page_is_accessible_in_both_themes_and_fits(seen, address):
    assert seen(address)["faults"] == [] and not seen(address)["said"]


@pytest.mark.parametrize("address", PAGES)
def test_all_of_a_page_is_reached_by_tab_in_sight_and_with_a_ring(seen, address):
    assert seen(address)["keys"] == {"missed": [], "ringless": [], "unseen": []}


def test_texts_are_all_there(seen):
    """No key of texts is shown in place of its text."""
    assert [(address, seen(address)["keyless"]) for address in PAGES if seen(address)["keyless"]] == []


def test_html_is_valid(seen):
    """html-validate on what the browser has made of every page."""
    tool = install("playwright")
    files = []
    for number, address in enumerate(PAGES):
        file = tool / ("page-%d.html" % number)
        file.write_text("<!DOCTYPE html>\n" + seen(address)["html"])
        files.append(str(file))
    done = subprocess.run(["node_modules/.bin/html-validate", "--config", str(ROOT / "tests/suite/ui/htmlvalidate.json"),
                           str(ROOT / "apid/ui/index.html"), *files], cwd=tool, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
