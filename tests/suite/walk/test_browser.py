# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser on phone that trusts Culvert's CA (SPEC P2, P7). Screenshots go to evidence/."""
import os
import re

import pytest

from browser import SIZES, Browser

PAGES = {
    "allowed": ("https://allowed.example/", "allowed.example", "allowed.example"),
    "blocked": ("https://blocked.example/", "Site Blocked", "category Gambling."),
    "unknown": ("https://unknown.example/a/rather/long/path/that/never/seems/to/end?with=some&"
                "query=" + "x" * 120, "Site Not Reviewed", "has not been reviewed yet."),
    "plain-blocked": ("http://blocked.example/", "Site Blocked", "category Gambling."),
    "listed": ("https://ads.listed.example/", "Site Blocked", "on the list Advertising."),
}


@pytest.fixture(scope="module")
def phone(lab, tmp_path_factory):
    one = Browser(lab, "phone", tmp_path_factory.mktemp("home"), lab.file("culvert-ca.pem"))
    yield one
    one.close()


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_browser_shows_the_page(phone, evidence, name, width):
    url, title, text = PAGES[name]
    assert phone.open(url, width) is None
    assert phone.value("location.href") == url
    assert phone.value("document.title") == title
    assert text in phone.value("document.body.innerText")
    assert phone.value("document.documentElement.scrollWidth <= innerWidth")
    phone.screenshot(os.path.join(evidence, "walk-%s-%d.png" % (name, width)))


def test_browser_shows_why_a_certificate_is_refused(lab, evidence, tmp_path):
    laptop = Browser(lab, "laptop", tmp_path, lab.file("culvert-ca.pem"))
    try:
        for width in SIZES:
            assert laptop.open("https://bad-cert.example/", width) is None
            assert "expired" in laptop.value("document.body.innerText")
            laptop.screenshot(os.path.join(evidence, "walk-bad-cert-%d.png" % width))
    finally:
        laptop.close()


def test_block_pages_follow_a_dark_scheme_and_run_no_script(phone, evidence):
    def ground():
        colour = phone.value("getComputedStyle(document.documentElement).backgroundColor")
        return sum(map(int, re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour).groups())) / 3
    phone.open("https://blocked.example/", 390)
    assert ground() > 200
    phone.open("https://blocked.example/", 390, dark=True)
    assert ground() < 50
    assert phone.value("document.scripts.length") == 0
    phone.screenshot(os.path.join(evidence, "walk-dark-390.png"))


def test_browser_without_culverts_ca_refuses(lab, tmp_path):
    stranger = Browser(lab, "phone", tmp_path, lab.file("internet-ca.pem"))
    try:
        assert stranger.open("https://allowed.example/") == "net::ERR_CERT_AUTHORITY_INVALID"
    finally:
        stranger.close()
