# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that mean harm do nothing, wherever they are shown (SPEC A11)."""
import pytest
from livelib import query
from uilib import PAGES, appeal, key

SCRIPT = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
UNSEEN = "x\u3164y\u115fz\u2800\U000e0041ad\u200cmin"
BLANK = "   "
TURNED = "safe\u202Emoc.live\u202C\u2066\u200F"
LONG = "W" * 10000
NAMES = {"script": SCRIPT, "bidi": TURNED, "template": "${document.title='broken'}{{7*7}}", "quote": "\"><svg onload=alert(1)>",
         "unseen": UNSEEN, "blank": BLANK}


@pytest.fixture(scope="module")
def hostile(full):
    """Records whose every text is a name that means harm; what the API takes of 10,000 letters is as long as it may."""
    for n, (kind, text) in enumerate(NAMES.items()):
        full.have("groups", {"id": "h-" + kind, "name": text})
        full.have("users", {"id": "h-" + kind, "name": text, "note": text})
        full.have("devices", {"id": "h-" + kind, "name": text, "group": "h-" + kind, "user": "h-" + kind,
                               "public_key": key(60 + n), "subscription": text[:100]})
        full.have("categories", {"id": "h-" + kind, "name": text})
        full.have("list-sources", {"id": "h-" + kind, "title": text, "source": "https://l.example/" + kind, "kind": text[:32]})
        full.have("words", {"id": "h-" + kind, "term": text})
        full.have("search-words", {"id": "h-" + kind, "term": text})
        full.have("sni-block", {"id": "h-" + kind, "domain": "h%d.example" % n, "note": text})
        full.have("site-overrides", {"id": "h-" + kind, "device": "h-script", "pattern": text, "action": "allow"})
        full.have("websites", {"id": "h-" + kind, "pattern": text, "category": "h-" + kind})
        full.post_appeal(appeal(900 + n, device_id="h-" + kind, url="https://a.example/" + text, host="h%d.example" % n,
                                 reason=text + LONG[:7000]))
    full.have("devices", {"id": "h-long", "name": LONG[:256], "public_key": key(70)})
    return full


@pytest.mark.parametrize("width", [1440, 360])
def test_hostile_names_do_nothing(hostile, open_page, width):
    page = open_page("/overview", width=width)
    for address in [p.replace("annas-phone", "h-script").replace("groups/kids", "groups/h-script") for p in PAGES] + \
            ["/lists/h-script", "/devices/h-bidi", "/devices/h-long", "/devices/h-blank", "/devices/h-unseen/policy"]:
        page.goto(hostile.url + "/#" + address)
        page.waitForSelector("h1")
        page.call("waitForLoadState", "networkidle")
        assert page.evaluate("document.title").endswith("Culvert"), address
        assert page.evaluate("document.querySelectorAll('main img[src=x], main script, main svg[onload]').length") == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        shown = page.evaluate("document.querySelector('main').innerText")
        assert not any(c in shown for c in "\u202e\u202c\u2066\u200f" + UNSEEN[1::2][:3] + "\U000e0041"), address


def test_hostile_names_in_dialogs_and_messages_do_nothing(hostile, open_page):
    page = open_page("/words")
    page.click("main >> role=row >> text=onerror")
    page.waitForSelector("dialog")
    assert page.inputValue("dialog [name=term]") == SCRIPT
    page.keyboard_press("Escape")
    page.click("main .t-row:has-text('onerror') button")
    page.see("was removed")
    page.click("role=button[name='Undo']")
    page.see("Undone")
    assert page.evaluate("document.title").endswith("Culvert")


def test_hostile_hosts_in_the_live_view_do_nothing(hostile, open_page):
    page = open_page("/live")
    page.waitForSelector("main .mark.good >> text=Live")
    for text in NAMES.values():
        query(hostile.redis, text, device="h-script", verdict="blocked", rule=text)
    page.wait("document.querySelectorAll('main .t-row').length >= 4")
    page.click("main .t-row a >> nth=0")
    page.waitForSelector("dialog")
    assert page.evaluate("document.title").endswith("Culvert")
    assert page.evaluate("document.querySelectorAll('img[src=x], main script').length") == 0


def test_joiners_stay_where_they_are_writing(full, open_page):
    """Persian words and emoji of several parts are whole; in a Latin word the same letter is shown as odd."""
    names = {"fa": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "em": "\U0001f468\u200d\U0001f467 TV"}
    for kind, text in {**names, "la": "ad\u200cmin"}.items():
        full.have("users", {"id": "joined-" + kind, "name": text})
    page = open_page("/users")
    page.see("joined-la")
    shown = page.text("main")
    assert all(text in shown for text in names.values()) and "ad\ufffdmin" in shown
