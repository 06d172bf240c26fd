# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists over HTTPS: verified, conditional, bounded, redirected with care (SPEC S2, S4)."""
import synclib

from support.wait import wait_until


def start(gateway, web, dns, path="/a.txt", **more):
    dns.names["lists.test"] = "127.0.0.1"
    gateway.sources(a={"source": f"https://lists.test:{web.port}{path}", **more})
    gateway.syncd.start()


def test_list_is_fetched_by_name_over_tls(gateway, web, dns):
    web.page("/a.txt", "||a.example^\n", ETag='"one"')
    start(gateway, web, dns)
    gateway.wait_list("a", error=None, count=1)
    gateway.expect([{"a"}], "x.a.example")
    path, headers = web.requests[0]
    assert path == "/a.txt" and headers["Host"] == f"lists.test:{web.port}"
    assert "If-None-Match" not in headers


def test_second_fetch_is_conditional_also_after_a_restart(gateway, web, dns):
    """S2: HTTPS conditional GET."""
    date = synclib.http_date(1700000000)
    web.page("/a.txt", "a.example\n", ETag='"one"', Last_Modified=date)
    start(gateway, web, dns)
    first = gateway.wait_list("a", count=1)
    gateway.request("syncd.sync_now")
    wait_until(lambda: len(web.requests) == 2, "second request")
    assert web.requests[1][1]["If-None-Match"] == '"one"'
    assert web.requests[1][1]["If-Modified-Since"] == date
    wait_until(lambda: gateway.lists()["a"]["fetched_at"] > first["fetched_at"], "fetched_at")
    assert gateway.lists()["a"]["changed_at"] == first["changed_at"]
    gateway.syncd.stop()
    gateway.syncd.start()
    wait_until(lambda: gateway.syncd.log().count("list in use") == 2, "start")
    assert len(web.requests) == 2  # not due before tomorrow
    gateway.request("syncd.sync_now")
    wait_until(lambda: len(web.requests) == 3, "third request")
    assert web.requests[2][1]["If-None-Match"] == '"one"'
    web.page("/a.txt", "b.example\n", ETag='"two"')
    gateway.request("syncd.sync_now")
    gateway.wait_blocked("b.example", {"a"})


def test_errors_keep_the_last_good_and_say_why(gateway, web, dns):
    """S4."""
    web.page("/a.txt", "a.example\n")
    start(gateway, web, dns)
    gateway.wait_list("a", count=1)
    web.page("/a.txt", "gone", status=503)
    gateway.request("syncd.sync_now")
    gateway.wait_list("a", error="http status 503", count=1)
    assert gateway.alarm()["detail"].startswith("a: http status 503; the last good version, ")
    web.page("/a.txt", "<html>maintenance</html>")
    gateway.request("syncd.sync_now")
    wait_until(lambda: "not a list" in (gateway.lists()["a"].get("error") or ""), "garbage")
    del dns.names["lists.test"]
    gateway.request("syncd.sync_now")
    gateway.wait_list("a", error="no address for lists.test", count=1)
    gateway.expect([{"a"}], "a.example")
    dns.names["lists.test"] = "127.0.0.1"
    web.page("/a.txt", "a.example\n")
    gateway.request("syncd.sync_now")
    gateway.wait_list("a", error=None)


def test_untrusted_and_wrong_certificates_are_refused(gateway, place, dns, web):
    other = synclib.Web(synclib.make_certificate(place, "evil", "lists.test"))
    wrong = synclib.Web(synclib.make_certificate(place, "ca", "elsewhere.test"))
    dns.names["lists.test"] = "127.0.0.1"
    for server in (other, wrong):
        server.page("/a.txt", "a.example\n")
    gateway.sources(a=f"https://lists.test:{other.port}/a.txt", b=f"https://lists.test:{wrong.port}/a.txt")
    gateway.syncd.start()
    for name in "ab":
        record = wait_until(lambda: (gateway.lists().get(name) or {}).get("error"), "refusal")
        assert record.startswith("tls: "), record
    assert not other.requests and not wrong.requests
    for server in (other, wrong):
        server.shutdown()
        server.server_close()


def test_private_addresses_need_permission(gateway, web, dns):
    """S2: private addresses only if allowed; redirects are checked again."""
    web.page("/a.txt", "a.example\n")
    gateway.syncd.private = False
    start(gateway, web, dns)
    gateway.wait_list("a", error="address 127.0.0.1 is not allowed")
    for address in ("10.0.0.1", "192.168.1.1", "169.254.1.1", "0.0.0.0", "224.0.0.1"):
        gateway.sources(b=f"https://{address}/x")
        gateway.wait_list("b", error=f"address {address} is not allowed")
    gateway.sources(b="https://[::1]/x")
    gateway.wait_list("b", error="address ::1 is not allowed")
    assert not web.requests


def test_redirects_are_followed_and_bounded(gateway, web, dns):
    dns.names["other.test"] = "127.0.0.1"
    web.page("/a.txt", "", status=302, Location="/b.txt")
    web.page("/b.txt", "", status=301, Location=f"https://other.test:{web.port}/c.txt")
    web.page("/c.txt", "a.example\n")
    start(gateway, web, dns)
    gateway.wait_list("a", error=None, count=1)
    assert [r[0] for r in web.requests] == ["/a.txt", "/b.txt", "/c.txt"]
    web.page("/b.txt", "", status=302, Location="/a.txt")
    gateway.request("syncd.sync_now")
    gateway.wait_list("a", error="more than 5 redirects", count=1)
    for location in ("http://other.test/x", "file:///etc/passwd", "//other.test/x", ""):
        web.page("/a.txt", "", status=302, Location=location)
        web.page("/b.txt", "", status=500)
        gateway.request("syncd.sync_now")
        gateway.wait_list("a", error="redirect to something else than https")
        web.page("/a.txt", "", status=500)
        gateway.request("syncd.sync_now")
        gateway.wait_list("a", error="http status 500")


def test_redirect_to_a_forbidden_address_is_refused(gateway, web, dns):
    web.page("/a.txt", "", status=302, Location="https://169.254.169.254/latest")
    start(gateway, web, dns)
    gateway.wait_list("a", error="address 169.254.169.254 is not allowed")


def test_new_source_of_a_list_replaces_it_without_validators(gateway, web, dns):
    web.page("/a.txt", "a.example\n", ETag='"same"')
    web.page("/b.txt", "b.example\n", ETag='"same"')
    start(gateway, web, dns)
    gateway.wait_blocked("a.example", {"a"})
    gateway.sources(a=f"https://lists.test:{web.port}/b.txt")
    gateway.wait_blocked("b.example", {"a"})
    assert "If-None-Match" not in web.requests[1][1]


def test_shutdown_during_a_download_is_clean(gateway, web, dns):
    """C2: a handle left is exit status 1."""
    import threading
    held = threading.Event()

    class Slow(synclib.Handler):
        def do_GET(self):
            self.server.requests.append((self.path, {}))
            held.wait(10)
    web.RequestHandlerClass = Slow
    start(gateway, web, dns)
    wait_until(lambda: web.requests, "request")
    gateway.syncd.stop()
    held.set()
