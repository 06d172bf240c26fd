# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's own pages through tunnel and firewall (SPEC F5, P2, P7, P8, P19)."""
import json
import urllib.parse
import uuid

import pytest

from portallib import PATH, Page
from support.wait import wait_until

BASES = ("http://10.9.0.1", "https://10.9.0.1", "http://[fd09::1]", "https://[fd09::1]")


def culvert_only(lab):
    return lab.file("culvert-ca.pem")


def fetch(lab, host, url, *options, **kwargs):
    got = lab.curl(host, url, *options, ca=culvert_only(lab), **kwargs)
    assert got.exit == 0, got.stderr
    return Page(got)


@pytest.mark.parametrize("host", ("phone", "laptop"))
@pytest.mark.parametrize("base", BASES)
def test_devices_reach_the_set_up_page(lab, host, base):
    page = fetch(lab, host, base + "/")
    assert (page.status, page.title) == (200, "Set Up This Device")
    assert lab.curl(host, base + "/proxy.pac", ca=culvert_only(lab)).text.startswith("var proxy = ")


@pytest.mark.parametrize("host", ("lan", "inet"))
def test_others_do_not(lab, host):
    for address in ("10.9.0.1", "10.77.0.1"):
        assert lab.curl(host, "http://%s/" % address, seconds=3).status == 0


def test_the_portal_is_under_intercepted_names_too(lab):
    """F5: an app that goes past the proxy, to a listed name's address."""
    there = ("--resolve", "ads.listed.example:80:93.184.216.10")
    page = fetch(lab, "phone", "http://ads.listed.example/x.y", *there)
    assert (page.status, page.title) == (451, "Site Blocked")
    link = urllib.parse.urljoin("http://ads.listed.example/x.y", page.links["Appeal Access"])
    form = fetch(lab, "phone", link, *there)
    assert (form.title, form.fields["url"]) == ("Appeal Access", "http://ads.listed.example/x.y")


@pytest.mark.parametrize("url", ("https://blocked.example/x", "http://unknown.example/"))
def test_an_appeal_of_the_phone_comes_into_the_queue(lab, url):
    reason = str(uuid.uuid4())
    page = fetch(lab, "phone", url, proxy=True)
    assert page.status == 451
    there = urllib.parse.urljoin(url, next(iter(page.links.values())))
    form = fetch(lab, "phone", there, proxy=True)
    category = form.options[1][0] if form.options else form.fields["category_id"]
    words = [w for k, v in {**form.fields, "reason": reason, "category_id": category}.items()
             for w in ("--data-urlencode", "%s=%s" % (k, v))]
    done = fetch(lab, "phone", urllib.parse.urljoin(there, PATH), *words, proxy=True)
    assert (done.status, done.title) == (200, "Submitted")

    def queued():
        return [l for l in lab.redis("XRANGE", "culvert:queue:appeals", "-", "+").splitlines() if reason in l]
    line, = wait_until(queued, "the appeal in the queue")
    record = json.loads(line)
    assert (record["device_id"], record["url"], record["category_id"]) == ("phone", url, category)
