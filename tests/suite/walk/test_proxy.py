# SPDX-License-Identifier: GPL-3.0-or-later
"""What the browser gets through the explicit proxy (SPEC P1, P2, P5, P7, P15)."""
import hashlib
import os
import random

import pytest

from support.wait import wait_until

SCHEMES = pytest.mark.parametrize("scheme", ("http", "https"))


def culvert_only(lab):
    return lab.file("culvert-ca.pem")


def get(lab, host, url, *options, **kwargs):
    """Through the proxy, trusting nobody but Culvert's CA."""
    return lab.curl(host, url, *options, proxy=True, ca=culvert_only(lab), **kwargs)


@SCHEMES
@pytest.mark.parametrize("host", ("phone", "laptop"))
def test_an_allowed_page_comes_whole(lab, host, scheme):
    page = get(lab, host, scheme + "://allowed.example/")
    direct = lab.curl("gw", scheme + "://allowed.example/", ca=lab.file("internet-ca.pem"))
    assert (page.exit, page.status) == (0, 200)
    assert "allowed.example" in page.text
    assert page.body == direct.body


def test_the_certificate_is_culverts_for_one_name_and_short(lab):
    done = lab.run("phone", "sh", "-c",
                   "openssl s_client -proxy 10.9.0.1:8080 -connect allowed.example:443 "
                   "-servername allowed.example -verify_return_error -CAfile %s </dev/null "
                   "| openssl x509 -noout -ext subjectAltName -dates -checkend %d"
                   % (culvert_only(lab), 47 * 86400), check=False)
    assert "DNS:allowed.example\n" in done.stdout and done.stdout.count("DNS:") == 1
    assert "Certificate will expire" in done.stdout  # within 47 days
    assert "Verify return code: 0" in done.stderr + done.stdout or "verify return:1" in done.stderr


def test_without_culverts_ca_nothing_verifies(lab):
    page = lab.curl("phone", "https://allowed.example/", proxy=True,
                    ca=lab.file("internet-ca.pem"))
    assert page.exit == 60


@SCHEMES
@pytest.mark.parametrize("host", ("phone", "laptop"))
def test_a_blocked_site_gives_451_with_its_category(lab, host, scheme):
    before = len(lab.http_requests("blocked.example"))
    page = get(lab, host, scheme + "://blocked.example/some?q=1")
    assert (page.exit, page.status) == (0, 451)
    assert "Site Blocked" in page.text
    assert "because it is in the category Gambling." in page.text
    assert page.headers["cache-control"] == "no-store"
    assert len(lab.http_requests("blocked.example")) == before


@SCHEMES
def test_an_unknown_site_gives_451_on_phone_and_passes_on_laptop(lab, scheme):
    page = get(lab, "phone", scheme + "://unknown.example/")
    assert (page.exit, page.status) == (0, 451)
    assert "Site Not Reviewed" in page.text
    assert "This website has not been reviewed yet." in page.text
    page = get(lab, "laptop", scheme + "://unknown.example/")
    assert (page.exit, page.status) == (0, 200) and "unknown.example" in page.text


@SCHEMES
def test_a_listed_site_gives_451_on_phone_and_passes_on_laptop(lab, scheme):
    page = get(lab, "phone", scheme + "://ads.listed.example/")
    assert page.status == 451 and "Site Blocked" in page.text
    assert "because it is on the list Advertising." in page.text
    assert get(lab, "laptop", scheme + "://ads.listed.example/").status == 200


def test_a_bad_certificate_of_the_website_gives_a_page_that_says_why(lab):
    page = get(lab, "laptop", "https://bad-cert.example/")
    assert (page.exit, page.status) == (0, 502)
    assert "expired" in page.text
    assert "Not Reviewed" in get(lab, "phone", "https://bad-cert.example/").text


def test_a_name_that_does_not_exist_gives_a_page(lab):
    page = get(lab, "laptop", "https://nowhere.example/")
    assert page.status == 502 and "nowhere.example" in page.text


def test_what_is_no_page_gets_its_own_kind_of_answer(lab):
    """P7."""
    url = "https://blocked.example/x"
    for accept, kind in (("image/avif,image/webp,*/*", "image/"),
                         ("text/css,*/*;q=0.1", "text/css"),
                         ("application/json", "application/json")):
        page = get(lab, "phone", url, "-H", "Accept: " + accept)
        assert page.status == 451 and page.headers["content-type"].startswith(kind), accept


@SCHEMES
def test_ten_mebibytes_come_whole(lab, scheme):
    page = get(lab, "phone", scheme + "://big.example/10m", seconds=120)
    assert (page.exit, page.status, len(page.body)) == (0, 200, 10 * 1024 * 1024)
    want = random.Random(1).randbytes(10 * 1024 * 1024)
    assert hashlib.sha256(page.body).digest() == hashlib.sha256(want).digest()


@SCHEMES
def test_a_connection_serves_many_requests(lab, scheme):
    url = scheme + "://allowed.example/"
    done = lab.run("phone", "curl", "-sS", "--cacert", culvert_only(lab), "--proxy",
                   "http://10.9.0.1:8080", "-w", "%{http_code} %{num_connects}\n",
                   *[word for _ in range(5) for word in ("-o", "/dev/null", url)])
    assert done.stdout.splitlines() == ["200 1"] + ["200 0"] * 4


@SCHEMES
@pytest.mark.parametrize("chunked", (False, True), ids=("length", "chunked"))
@pytest.mark.parametrize("size", (5, 3000000))
def test_a_body_goes_up_and_comes_back(lab, tmp_path, scheme, chunked, size):
    data = os.urandom(size)
    sent = tmp_path / "body"
    sent.write_bytes(data)
    options = ("-H", "Transfer-Encoding: chunked") if chunked else ()
    page = get(lab, "phone", scheme + "://allowed.example/echo", "--data-binary", "@%s" % sent,
               *options)
    assert (page.exit, page.status) == (0, 200)
    assert page.body == data


def test_the_websites_get_the_request_as_it_was(lab):
    page = get(lab, "phone", "https://allowed.example/headers?a=1&b=%20", "-A", "walk/1")
    assert '"host":"allowed.example"' in page.text and '"args":"a=1&b=%20"' in page.text
    assert '"agent":"walk/1"' in page.text
    assert '"via":""' in page.text and '"forwarded":""' in page.text
    page = get(lab, "phone", "https://allowed.example/altsvc")
    assert page.status == 200 and "alt-svc" not in page.headers


def test_the_lan_is_closed_to_profile_internet_by_the_proxy_too(lab):
    """P15: the device's profile holds for where proxyd connects."""
    assert get(lab, "phone", "http://10.77.0.5/").status in (403, 451)
    assert get(lab, "laptop", "http://10.77.0.5/").text.startswith("lan ")
    for host in ("127.0.0.1", "[::1]", "203.0.113.2", "169.254.169.254"):
        page = get(lab, "laptop", "http://%s/" % host)
        assert page.status == 403, host


def test_only_web_ports_may_be_connected_to(lab):
    for port in (22, 25, 853):
        page = get(lab, "laptop", "https://allowed.example:%d/" % port)
        assert page.exit == 56 and page.raw_headers.startswith("HTTP/1.1 403"), page


def test_the_gateway_hands_out_its_root(lab):
    page = lab.curl("phone", "http://10.9.0.1:8080/culvert-ca.pem")
    with open(culvert_only(lab), encoding="ascii") as src:
        assert page.text == src.read()


@SCHEMES
def test_the_proxy_serves_over_ipv6_too(lab, scheme):
    for host, status in (("allowed.example", 200), ("blocked.example", 451)):
        page = lab.curl("phone", "%s://%s/" % (scheme, host), "--proxy", "http://[fd09::1]:8080",
                        "--noproxy", "", ca=culvert_only(lab))
        assert (page.exit, page.status) == (0, status)


def test_many_devices_requests_at_once_all_come(lab):
    jobs = [lab.popen("phone", "curl", "-sS", "--cacert", culvert_only(lab), "--proxy",
                      "http://10.9.0.1:8080", "-o", "/dev/null", "-w", "%{http_code}\n",
                      "https://allowed.example/", "https://big.example/10m", "-o", "/dev/null",
                      stdout=-1) for _ in range(10)]
    assert [job.communicate(timeout=300)[0] for job in jobs] == [b"200\n200\n"] * 10
    wait_until(lambda: get(lab, "phone", "https://allowed.example/").status == 200)
