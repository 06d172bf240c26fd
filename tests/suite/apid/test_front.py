# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A0, A4, A12: listeners, who a request is from, how often one may ask, and what time tells."""
import http.client
import re
import signal
import socket
import ssl
import statistics
import time

import pytest

from apidlib import OWNER, PASSWORD, SEED, owned_file, started, wait_until


def failed_from(database):
    return [r[0] for r in database.sql("SELECT address FROM audit WHERE action = 'login_failed' ORDER BY id", "culvert")]


def test_a_forwarded_address_is_believed_of_a_trusted_proxy_only(make_apid, wgd, database):
    apid = started(make_apid, "trusted_proxies = 127.0.0.1, 192.0.2.0/24\n")
    one = apid.client()
    apid.owner()
    body = {"user": "nobody", "password": "wrong password"}
    for n, (text, address) in enumerate([("198.51.100.7", "198.51.100.7"), ("6.6.6.6, 198.51.100.8, 192.0.2.9",
                                         "198.51.100.8"), ("2001:db8::5", "2001:db8::5"), ("rubbish", "127.0.0.1"),
                                         ("198.51.100.9, rubbish", "127.0.0.1")]):
        assert one.post("/auth/login", dict(body, user=f"n{n}"), headers={"X-Forwarded-For": text})[0] == 401
        wait_until(lambda n=n: len(failed_from(database)) > n, "audit row")
        assert failed_from(database)[-1] == address, text


def test_without_a_trusted_proxy_nobody_is_believed(make_apid, wgd, database):
    apid = started(make_apid, "")
    apid.owner()
    apid.client().post("/auth/login", {"user": "n", "password": "wrong password"}, headers={
        "X-Forwarded-For": "198.51.100.7"})
    wait_until(lambda: failed_from(database), "audit row")
    assert failed_from(database) == ["127.0.0.1"]


def test_the_name_of_an_account_is_not_told_by_time(make_apid, wgd):
    apid = started(make_apid, "trusted_proxies = 127.0.0.1\n", has_owner=False)
    apid.set_up()
    one = apid.client()

    def seconds(user, number):
        start = time.perf_counter()
        status, _ = one.post("/auth/login", {"user": user, "password": "wrong password"}, headers={
            "X-Forwarded-For": f"198.51.100.{number}"})
        assert status == 401
        return time.perf_counter() - start
    known = [seconds(OWNER, n) for n in range(4)]
    unknown = [seconds(f"nobody{n}", 10 + n) for n in range(4)]
    # bcrypt takes hundreds of milliseconds, all else one: without it the ratio would be a hundred.
    assert .1 < statistics.median(known) / statistics.median(unknown) < 10


def asked_until_another(status, client):
    """The first answer that is not that; one may ask again with time, so the next may be another again."""
    assert client.get("/auth/me")[0] == status
    return next(s for s in (client.get("/auth/me")[0] for _ in range(200)) if s != status)


def test_an_account_that_asks_too_often_waits(make_apid, wgd):
    apid = started(make_apid, "rate_account = 2\n")
    owner = apid.owner()
    assert asked_until_another(200, owner) == 429
    assert int(owner.headers["Retry-After"]) >= 1


def test_an_address_that_asks_too_often_waits_before_anything_else(make_apid, wgd):
    apid = started(make_apid, "rate_address = 2\n")
    one = apid.client()
    assert asked_until_another(401, one) == 429
    assert one.headers["Content-Type"] == "application/problem+json"


def test_a_listener_that_is_not_wanted_is_not_there(make_apid, wgd):
    apid = started(make_apid, "admin =\n")
    assert apid.request("GET") == (200, {"status": "ok"})
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", apid.admin_port), 20)


def test_behind_a_proxy_that_speaks_tls(make_apid, wgd):
    apid = started(make_apid, "admin_tls = no\ntrusted_proxies = 127.0.0.1\n", has_owner=False)
    conn = http.client.HTTPConnection("127.0.0.1", apid.admin_port, timeout=20)
    token = apid.setup_token()
    headers = {"Content-Type": "application/json", "X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7",
               "Host": "admin.example", "Origin": "https://admin.example"}
    conn.request("POST", "/auth/setup", f'{{"token":"{token}","user":"{OWNER}","password":"{PASSWORD}"}}', headers)
    answer = conn.getresponse()
    answer.read()
    assert answer.status == 200 and "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"]


def names(apid, name):
    """What the administration's certificate is for; name: must be among it, None: any."""
    context = ssl.create_default_context(cafile=str(apid.dir / "state/apid/admin-ca.pem"))
    context.check_hostname = name is not None
    with socket.create_connection(("127.0.0.1", apid.admin_port), 20) as plain:
        with context.wrap_socket(plain, server_hostname=name) as s:
            return [value for _, value in s.getpeercert()["subjectAltName"]]


def test_the_certificate_is_for_what_administrators_type(make_apid, wgd):
    """The configured names and the endpoint, also when they change."""
    apid = started(make_apid, "admin_host = admin.example, 192.0.2.7\n", has_owner=False)
    assert apid.setup_link().startswith(f"https://admin.example:{apid.admin_port}/")
    wait_until(lambda: names(apid, "admin.example") == ["admin.example", "192.0.2.7", "gw.example"], "the endpoint")
    for endpoint, now in (("198.51.100.3", ["admin.example", "192.0.2.7", "198.51.100.3"]),
                          ("Admin.example", ["admin.example", "192.0.2.7"])):
        apid.seed({**SEED, "settings": [{"id": "endpoint", "value": endpoint}]})
        apid.reload()
        wait_until(lambda now=now: names(apid, "admin.example") == now, now)
    text = apid.conf.read_text().replace("admin_host = admin.example, 192.0.2.7", "admin_host = other.example")
    owned_file(apid.conf, text, 0o444)
    apid.send(signal.SIGHUP)
    wait_until(lambda: names(apid, None) == ["other.example", "admin.example"], "other names after SIGHUP")


def test_keep_alive_and_pipelining_answer_in_order(apid):
    context = ssl.create_default_context(cafile=str(apid.dir / "state/apid/admin-ca.pem"))
    plain = socket.create_connection(("127.0.0.1", apid.admin_port), 20)
    with context.wrap_socket(plain, server_hostname="127.0.0.1") as s:
        paths = ["/auth/me", "/nothing", "/api/openapi.json", "/auth/csrf"]
        s.sendall(b"".join(f"GET {p} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for p in paths[:3]) +
                  f"GET {paths[3]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    statuses = re.findall(rb"HTTP/1\.1 (\d+) ", data)
    assert statuses == [b"401", b"404", b"200", b"401"]
