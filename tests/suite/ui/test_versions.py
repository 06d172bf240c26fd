# SPDX-License-Identifier: GPL-3.0-or-later
"""A list goes back to a version that was good, and follows its source again (SPEC S4, A11)."""
import pytest
from answerer import Answerer
from uilib import VERSIONS, told_list

SOURCE = {"id": "ads", "title": "Ads & trackers", "source": "https://lists.example/ads.txt", "kind": "adblock"}


@pytest.fixture
def syncd(world):
    world.have("list-sources", SOURCE)
    world.tell_lists([told_list()])
    one = Answerer(world.redis, "syncd", {"version": VERSIONS[1], "pinned_at": 1796000000001})
    yield one
    one.close()
    world.tell_lists([told_list()])


def test_list_is_rolled_back_and_undone(world, open_page, syncd):
    page = open_page("/lists/ads")
    page.click("main >> role=button[name=/^Roll back to/] >> nth=0")
    page.see("goes back to the version of")
    assert syncd.calls[-1] == ("list_rollback", {"list": "ads", "version": VERSIONS[1]})
    page.click("role=button[name='Undo']")
    page.see("Undone")
    assert syncd.calls[-1] == ("list_release", {"list": "ads"})


def test_list_that_is_held_says_so_and_is_released(world, open_page, syncd):
    world.tell_lists([told_list(version=VERSIONS[2], pinned_at=1796000000001)])
    page = open_page("/lists/ads")
    page.see("It is not fetched until it is released.")
    assert page.evaluate("[...document.querySelectorAll('main .feed li')].map(l => /In use/.test(l.innerText))") == [
        False, False, True]
    page.click("main >> role=button[name='Release']")
    page.see("follows its source again")
    assert syncd.calls[-1] == ("list_release", {"list": "ads"})


def test_refused_rollback_is_told(open_page, syncd):
    syncd.result = "no_version"
    page = open_page("/lists/ads")
    open_page.expected.append("404")
    page.click("main >> role=button[name=/^Roll back to/] >> nth=1")
    page.see("No such version of the list is kept.")
