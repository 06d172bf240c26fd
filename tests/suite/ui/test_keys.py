# SPDX-License-Identifier: GPL-3.0-or-later
"""Dialogs by keyboard, and what a page says when it has nothing to show (SPEC A11)."""
import pytest

# page → what opens a dialog there
OPENERS = [("/devices", "Add device"), ("/users", "Add user"), ("/words", "Import, export"), ("/accounts", "Add account"),
           ("/keys/tokens", "Make token"), ("/groups/kids", "Rename"), ("/devices/annas-phone", "Enrolment link"),
           ("/devices/annas-phone", "Remove Anna\u2019s phone"), ("/lists/ads", "Edit"), ("/firewall", "Add profile")]
WHERE = "document.activeElement.closest('dialog') ? 'dialog' : document.activeElement === document.body ? 'body' : 'behind'"
BROKEN = """globalThis.whole ??= fetch; globalThis.fetch = async () => new Response('{"detail": "the database does not answer"}',
    {status: 500, headers: {"Content-Type": "application/problem+json"}})"""


@pytest.fixture
def go(full, page):
    """go("/users"): there, and all of it is drawn."""
    def work(address):
        page.goto(full.url + "/#/me")
        page.waitForSelector("main [autocomplete=current-password]")
        page.goto(full.url + "/#" + address)
        page.wait("document.activeElement === document.querySelector('main h1') && !document.querySelector('main .ghost')")
        return page
    return work


@pytest.mark.parametrize("address, name", OPENERS)
def test_dialog_keeps_the_focus_and_escape_gives_it_back(go, address, name):
    page = go(address)
    selector = "main >> role=button[name=\"%s\"] >> nth=0" % name
    page.waitForSelector(selector)
    page.focus(selector)
    page.keyboard_press("Enter")
    page.wait(WHERE + " === 'dialog'")
    for _ in range(4):
        page.keyboard_press("Shift+Tab")
        assert page.evaluate(WHERE) != "behind"
    page.keyboard_press("Escape")
    page.waitForSelector("dialog", {"state": "detached"})
    page.wait("document.activeElement.closest('main') && (document.activeElement.ariaLabel || document.activeElement.textContent) === %r" % name)


def test_menu_of_phones_is_closed_by_escape(open_page):
    page = open_page("/overview", width=360)
    page.focus("role=button[name='Open the menu']")
    page.keyboard_press("Enter")
    page.wait(WHERE + " === 'dialog'")
    page.keyboard_press("Escape")
    page.waitForSelector("dialog", {"state": "detached"})
    page.wait("document.activeElement.ariaLabel === 'Open the menu'")


def test_pages_are_gone_through_by_keyboard_alone(go):
    """From the navigation into a page, along its table, into a record and back."""
    page = go("/health")
    page.keyboard_press("g")
    page.keyboard_press("u")
    page.waitForSelector("h1 >> text=Users")
    page.wait("document.activeElement.tagName === 'H1'")
    page.waitForSelector("main .t-row >> text=Anna Berger")
    page.keyboard_press("/")
    page.keyboard_press("ArrowDown")
    page.wait("document.activeElement.matches('a.open')")
    page.keyboard_press("End")
    page.wait("document.activeElement.closest('.t-row')?.ariaRowIndex === document.querySelector('main .table-scroll').getAttribute('aria-rowcount')")
    page.keyboard_press("Home")
    page.wait("document.activeElement.closest('.t-row')?.ariaRowIndex === '2'")
    page.keyboard_press("Enter")
    page.wait(WHERE + " === 'dialog'")
    page.keyboard_press("Escape")
    page.wait("document.activeElement.matches('a.open')")


def test_sorting_keeps_the_focus_on_what_sorts(go):
    page = go("/users")
    page.focus("main >> role=columnheader >> role=button[name='Name']")
    page.keyboard_press("Enter")
    page.wait("document.querySelector('main [aria-sort]')?.getAttribute('aria-sort') === 'ascending'")
    page.keyboard_press("Enter")
    page.wait("document.querySelector('main [aria-sort]').getAttribute('aria-sort') === 'descending'")
    page.wait("document.activeElement.textContent === 'Name'")


def test_focus_goes_to_what_follows_a_removed_row(full, go):
    for n in range(3):
        full.have("search-words", {"id": "seq%d" % n, "term": "sequence%d" % n})
    page = go("/words/searched")
    page.focus("main >> role=button[name='Remove sequence1']")
    page.keyboard_press("Enter")
    page.see("sequence1 was removed")
    page.wait("document.activeElement.closest('.t-row')?.innerText.includes('sequence2')")


@pytest.mark.parametrize("address", ["/devices", "/lists/ads", "/settings", "/audit", "/health", "/report"])
def test_failure_says_what_to_do_and_is_tried_again(go, address):
    page = go("/me")
    page.evaluate(BROKEN)
    page.evaluate("location.hash = '%s'" % address)
    page.see("The database does not answer.")
    page.evaluate("globalThis.fetch = whole")
    page.click("main >> role=button[name='Try again'] >> nth=0")
    page.waitForSelector("main [role=alert].failed", {"state": "detached"})
    page.waitForSelector("h1:visible")


def test_record_that_is_not_there_leads_back_to_its_list(open_page):
    page = open_page("/devices/never-was")
    open_page.expected.append("404")
    page.see("There is no such thing")
    page.click("main >> role=link[name='Back']")
    page.waitForSelector("h1 >> text=Devices")
