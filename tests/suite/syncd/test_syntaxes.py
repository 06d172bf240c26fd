# SPDX-License-Identifier: GPL-3.0-or-later
"""One list in every syntax is one set (SPEC P6)."""
import gzip

import pytest

import synclib
import test_easylist


@pytest.fixture(scope="module")
def names():
    """What EasyList blocks whole, counted independently."""
    blocked, _ = test_easylist.count(test_easylist.paths()[0], test_easylist.suffixes())
    found = sorted(set(blocked))
    assert len(found) > 40000
    return found


SYNTAXES = {
    "plain": lambda n: n,
    "dotted": lambda n: "." + n.upper() + ". # comment",
    "hosts": lambda n: "0.0.0.0 " + n,
    "hosts6": lambda n: "::1\t" + n,
    "adblock": lambda n: f"||{n}^",
    "url": lambda n: f"http://{n}/",
    "dnsmasq": lambda n: f"address=/{n}/",
    "dnsmasq-address": lambda n: f"address=/{n}/0.0.0.0",
    "dnsmasq-server": lambda n: f"server=/{n}/",
    "dnsmasq-local": lambda n: f"local=/{n}/",
    "rpz": lambda n: f"{n} CNAME .\n*.{n} 300 IN CNAME *.",
    "rpz-absolute": lambda n: f"{n}.rpz.test. CNAME rpz-drop.",
}
HEADS = {
    "hosts": "127.0.0.1 localhost\n::1 ip6-localhost\n",
    "adblock": "[Adblock Plus 2.0]\n! Title: x\n",
    "rpz": "$TTL 300\n@ SOA localhost. root.localhost. (\n\t1 ; serial\n\t2 3 4 5 )\n  NS localhost.\n",
    "rpz-absolute": "$ORIGIN rpz.test.\n@ 60 IN SOA ns root 1 2 3 4 5\n",
}


def test_list_in_every_syntax_compiles_to_the_same_image(names, place):
    """--subtree: what only names itself elsewhere covers what is below, as it does there."""
    digests = {}
    for syntax, form in SYNTAXES.items():
        path = place / syntax
        path.write_text(HEADS.get(syntax, "# head\n") + "\n".join(map(form, names)) + "\n")
        reports, summary, _ = synclib.listcheck("--subtree", path)
        assert reports[0]["error"] == 0, (syntax, reports)
        assert reports[0]["repeated"] == (len(names) if syntax == "rpz" else 0), (syntax, reports)
        assert summary["count"] == len(names), (syntax, summary)
        digests[syntax] = summary["digest"]
    assert len(set(digests.values())) == 1, digests


def test_exceptions_in_every_syntax_that_has_them(names, place):
    digests = set()
    for syntax, form in {
            "adblock": lambda n: f"||{n}^\n@@||a.{n}^",
            "dnsmasq": lambda n: f"address=/{n}/#\nserver=/a.{n}/#",
            "rpz": lambda n: f"{n} CNAME .\na.{n} CNAME rpz-passthru."}.items():
        path = place / syntax
        path.write_text("\n".join(map(form, names[:2000])) + "\n")
        reports, summary, _ = synclib.listcheck("--subtree", path)
        assert reports[0]["exceptions"] == 2000, (syntax, reports)
        digests.add(summary["digest"])
    assert len(digests) == 1


def test_what_is_skipped_is_told_with_reason_and_first_line(gateway):
    """In the record, in the status and by listcheck."""
    text = ("# x\naddress=/a.example/192.0.2.1\naddress=/b.example/192.0.2.1\nb.example CNAME c.example.\n"
            "||c.example^$popup\ncom\ngood.example\ngood.example\n")
    gateway.syncd.write("a.txt", text)
    gateway.sources(a="file:a.txt")
    gateway.syncd.start()
    record = gateway.wait_list("a", error=None, count=2, skipped=5, repeated=1)
    want = {"mapping": (2, 2), "action": (1, 4), "option": (1, 5), "suffix": (1, 6)}
    assert {s["reason"]: (s["count"], s["first_line"]) for s in record["skips"]} == want
    reports, _, _ = synclib.listcheck(gateway.syncd.lists / "a.txt")
    assert {k: (v["count"], v["first_line"]) for k, v in reports[0]["skipped_by"].items()} == want


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_packed_body_is_the_same_list(gateway, web, dns, coding):
    import zlib
    import test_urls
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}[coding]
    web.page("/a.txt", pack(b"||a.example^\n"), ETag='"one"', Content_Encoding=coding)
    test_urls.start(gateway, web, dns)
    gateway.wait_list("a", error=None, count=1)
    assert coding in web.requests[0][1]["Accept-Encoding"]
    gateway.expect([{"a"}], "a.example")
