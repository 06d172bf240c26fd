# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx with Culvert's sites before apid: the VPN host and the admin host (O3)."""
import http.client
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading

import pytest

from apidlib import API_KEY, COOKIE, DEADLINE_S, OWNER, PASSWORD, Apid, Wgd, started
from support import BUILD, ROOT
from support.net import free_port
from support.redis import Redis
from support.wait import wait_until

VPN, ADMIN = "vpn.culvert.example", "admin.culvert.example"
MAIN = """
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log notice;
events {{ worker_connections 256; }}
http {{
	access_log off;
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/proxy;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	include {dir}/common.conf;
	include {dir}/vpn.conf;
	include {dir}/admin.conf;
}}
"""


class Directus(http.server.BaseHTTPRequestHandler):
    """Tells what has reached it."""

    def do_GET(self):
        text = json.dumps({"path": self.path, "cookie": self.headers.get("Cookie"),
                           "for": self.headers.get("X-Forwarded-For")}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


class Front:
    """nginx with the installed files, on ports of loopback."""

    def __init__(self, place, apid, directus):
        self.dir = place / "nginx"
        self.dir.mkdir()
        self.plain, self.tls = free_port(), free_port()
        self.values = {
            "CERTS": str(self.dir / "tls"), "WEBROOT": str(self.dir / "acme"),
            "LISTEN80": "\tlisten 127.0.0.1:%d;" % self.plain,
            "LISTEN443": "\tlisten 127.0.0.1:%d ssl http2;" % self.tls, "PROVISION": "127.0.0.1:%d" % apid.port,
            "ADMIN": "127.0.0.1:%d" % apid.admin_port, "DIRECTUS": "127.0.0.1:%d" % directus}
        self._install(place)
        for host in (VPN, ADMIN):
            self._certificate(host)
        (self.dir / "nginx.conf").write_text(MAIN.format(dir=self.dir))
        argv = ["nginx", "-p", str(self.dir), "-c", str(self.dir / "nginx.conf"), "-e", "stderr"]
        done = subprocess.run([*argv, "-t"], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr
        self.log = (self.dir / "output").open("w")
        self.process = subprocess.Popen(argv, stdout=self.log, stderr=self.log)
        wait_until(lambda: (self.dir / "nginx.pid").exists() and (self.dir / "nginx.pid").read_text(), "nginx")

    def _install(self, place):
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        subprocess.run(["make", "-s", "install", f"B={BUILD}", f"DESTDIR={place}/root", "PREFIX=/usr"], cwd=ROOT,
                       env=env, check=True, capture_output=True)
        for name in ("common", "vpn", "admin"):
            text = (place / "root/usr/share/culvert/nginx" / f"culvert-{name}.conf").read_text()
            for key, value in dict(self.values, HOST={"vpn": VPN}.get(name, ADMIN)).items():
                text = text.replace(f"@{key}@", value)
            (self.dir / f"{name}.conf").write_text(text)

    def _certificate(self, host):
        at = self.dir / "tls" / host
        at.mkdir(parents=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=" + host, "-addext", "subjectAltName=DNS:" + host, "-keyout",
                        at / "privkey.pem", "-out", at / "fullchain.pem"], check=True, capture_output=True)

    def ask(self, host, path, method="GET", body=None, headers=None):
        """(status, headers, body as text)."""
        context = ssl.create_default_context(cafile=str(self.dir / "tls" / host / "fullchain.pem"))
        raw = http.client.HTTPConnection("127.0.0.1", self.tls, timeout=DEADLINE_S)
        raw.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", self.tls), DEADLINE_S),
                                       server_hostname=host)
        raw.request(method, path, body, {"Host": host, **(headers or {})})
        answer = raw.getresponse()
        text = answer.read().decode()
        raw.close()
        return answer.status, answer.headers, text

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def world(mariadb):
    """(nginx, apid) for all tests here: what they change is their own."""
    with tempfile.TemporaryDirectory(prefix="culvert-") as d:
        place = pathlib.Path(d)
        place.chmod(0o755)
        mariadb.clear()
        redis = Redis(place).start()
        wgd = Wgd(redis)
        apid = started(lambda seed: Apid(place, redis, mariadb, seed), "admin_tls = no\ntrusted_proxies = 127.0.0.1\n",
                       has_owner=False)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Directus)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        front = Front(place, apid, server.server_address[1])
        yield front, apid
        front.stop()
        server.shutdown()
        apid.stop()
        wgd.close()
        redis.stop()


@pytest.fixture
def front(world):
    return world[0]


@pytest.fixture
def apid(world):
    return world[1]


@pytest.fixture(scope="module")
def cookie(world):
    return log_in(*world)


def log_in(front, apid):
    """The session's cookie, got through nginx."""
    status, _, text = front.ask(ADMIN, "/auth/setup", "POST", json.dumps(
        {"token": apid.setup_token(), "user": OWNER, "password": PASSWORD}),
        {"Content-Type": "application/json", "Origin": "https://" + ADMIN})
    assert status == 200, text
    status, headers, text = front.ask(ADMIN, "/auth/login", "POST", json.dumps({"user": OWNER, "password": PASSWORD}),
                                      {"Content-Type": "application/json", "Origin": "https://" + ADMIN})
    assert status == 200, text
    return "; ".join(line.split(";")[0] for line in headers.get_all("Set-Cookie"))


def test_the_vpn_host_leads_to_provisioning_and_nowhere_else(front):
    status, headers, text = front.ask(VPN, "/api")
    assert (status, json.loads(text)) == (200, {"status": "ok"})
    assert headers["Strict-Transport-Security"]
    for path in ("/", "/api/v1/devices", "/auth/login", "/api/openapi.json", "/apis"):
        assert front.ask(VPN, path)[0] == 404, path
    body = json.dumps({"task": "wg_remove", "id": "nobody"})
    send = {"Content-Type": "application/json", "x-api-key": API_KEY}
    assert front.ask(VPN, "/api", "POST", body, send)[0] == 200
    assert front.ask(VPN, "/api", "POST", body, {**send, "x-api-key": "wrong"})[0] == 401
    assert front.ask(VPN, "/api", "POST", "x" * 100_000, send)[0] == 413


def test_plain_http_leads_to_tls_only(front):
    conn = http.client.HTTPConnection("127.0.0.1", front.plain, timeout=DEADLINE_S)
    conn.request("GET", "/auth/me?a=b", headers={"Host": ADMIN})
    answer = conn.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{ADMIN}/auth/me?a=b")


def test_the_administration_works_behind_it(front, cookie):
    status, _, text = front.ask(ADMIN, "/auth/me", headers={"Cookie": cookie})
    assert status == 200 and OWNER in text
    assert front.ask(ADMIN, "/auth/me")[0] == 401
    assert front.ask(ADMIN, "/api/v1/devices", headers={"Cookie": cookie})[0] == 200


def test_apid_is_told_who_asks_and_believes_nobody_else(front, apid):
    front.ask(ADMIN, "/auth/login", "POST", json.dumps({"user": "nobody", "password": "wrong wrong wrong"}),
              {"Content-Type": "application/json", "Origin": "https://" + ADMIN, "X-Forwarded-For": "192.0.2.66"})
    def failed():
        return apid.database.sql("SELECT address FROM audit WHERE action = 'login_failed' AND subject = 'nobody'", "culvert")
    wait_until(failed, "it is audited")
    assert failed() == [["127.0.0.1"]]


def test_logs_live_and_squid_are_pages_of_the_ui(front):
    for path, page in (("/logs/", "live"), ("/live/", "live"), ("/squid/", "report"), ("/logs", "live")):
        status, headers, _ = front.ask(ADMIN, path)
        assert (status, headers["Location"]) == (302, f"/#/{page}"), path


def test_directus_is_for_sessions_only_and_never_sees_their_cookie(front, cookie):
    status, headers, _ = front.ask(ADMIN, "/directus/admin/")
    assert (status, headers["Location"]) == (302, "/")
    assert front.ask(ADMIN, "/directus/admin/", headers={"Cookie": COOKIE + "=forged"})[0] == 302
    status, _, text = front.ask(ADMIN, "/directus/admin/x?y=z", headers={
        "Cookie": f"first=1; {cookie}; directus_refresh_token=abc", "X-Forwarded-For": "192.0.2.66"})
    assert status == 200, text
    seen = json.loads(text)
    assert seen["path"] == "/admin/x?y=z" and seen["for"] == "127.0.0.1"
    assert "__Host-culvert" not in seen["cookie"]
    assert "first=1" in seen["cookie"] and "directus_refresh_token=abc" in seen["cookie"]
    for alone in (cookie, f"{cookie}; last=1"):
        assert "__Host" not in (json.loads(front.ask(ADMIN, "/directus/", headers={"Cookie": alone})[2])["cookie"] or "")


def test_attempts_are_slowed_down(front):
    assert 429 in [front.ask(ADMIN, "/setup/cvs_guessed")[0] for _ in range(60)]
