# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A0, A2, A3: the devices' listener on the tunnel address, from a device; enrolment with the reference client."""
import http.client
import json
import os
import ssl

import pytest

from lablib import TOP
from support.wait import wait_until

CLIENT = os.path.join(TOP, "deploy/client/culvert-enrol")
DEVICE = "https://10.9.0.1:8444"


def ask(where, ca, method, path, body, headers):
    conn = http.client.HTTPSConnection(*where, timeout=20, context=ssl.create_default_context(cafile=ca))
    conn.request(method, path, None if body is None else json.dumps(body),
                 {"Content-Type": "application/json", **headers} if body is not None else headers)
    answer = conn.getresponse()
    text = answer.read().decode()
    return [answer.status, json.loads(text) if text else None, answer.getheader("Set-Cookie")]


@pytest.fixture
def admin(lab):
    """admin(method, path, body) → (status, body), as the lab's owner."""
    with open(os.path.join(lab.dir, "env"), encoding="ascii") as src:
        env = dict(line.rstrip("\n").split("=", 1) for line in src)
    host, port = env["ADMIN_URL"].removeprefix("https://").split(":")
    ca = os.path.join(lab.dir, "admin-ca.pem")

    def call(method, path, body=None, **headers):
        return lab.hosts["gw"].call(ask, (host, int(port)), ca, method, path, body, headers)
    status, who, cookie = call("POST", "/auth/login", {"user": env["ADMIN_USER"], "password": env["ADMIN_PASSWORD"]})
    assert status == 200, who
    headers = {"Cookie": cookie.split(";")[0], "X-CSRF-Token": who["csrf"]}
    return lambda method, path, body=None: call(method, path, body, **headers)[:2]


def fetch(lab, path, *more):
    """From the phone, through its tunnel, trusting Culvert's CA and nothing else."""
    done = lab.run("phone", "curl", "-sS", "--max-time", "20", "--cacert", os.path.join(lab.dir, "culvert-ca.pem"),
                   "-w", "\n%{http_code}", *more, DEVICE + path, check=False)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text, done.stderr


def test_a_device_trusts_its_listener_and_finds_no_administration_there(lab):
    wait_until(lambda: fetch(lab, "/device")[0] == 401, "the listener has its certificate")
    for path in ("/auth/login", "/auth/me", "/api/v1/devices", "/api/openapi.json", "/", "/setup"):
        assert fetch(lab, path)[0] == 404, path
    assert fetch(lab, "/device", "-H", "Authorization: Bearer cvt_" + "A" * 43)[0] == 401


def test_a_device_enrols_itself(lab, admin, tmp_path):
    wait_until(lambda: fetch(lab, "/device")[0] == 401, "the listener has its certificate")
    assert admin("PUT", "/api/v1/devices/tablet", {"name": "Tablet"})[0] in (200, 201)
    status, link = admin("POST", "/api/v1/devices/tablet/enrolment")
    assert status == 201, link
    url = DEVICE + "/enrol/" + link["url"].split("/enrol/")[1]
    out = tmp_path / "tablet.conf"
    args = [CLIENT, "-c", os.path.join(lab.dir, "culvert-ca.pem"), "-o", str(out), url]
    lab.run("phone", *args)
    assert out.stat().st_mode & 0o777 == 0o600
    rows = dict(line.split(" = ") for line in out.read_text().splitlines() if " = " in line)
    public = lab.run("phone", "wg", "pubkey", data=rows["PrivateKey"] + "\n").stdout.strip()
    status, device = admin("GET", "/api/v1/devices/tablet")
    assert status == 200 and device["public_key"] == public
    assert rows["Address"] == ", ".join(device["addresses"]) and rows["DNS"] == "10.9.0.1"
    wait_until(lambda: public in lab.run("gw", "wg", "show", "wg0", "peers").stdout, "the peer is in force")
    token = (tmp_path / "tablet.token").read_text().strip()
    assert json.loads(fetch(lab, "/device", "-H", f"Authorization: Bearer {token}")[1])["entitled"] is True
    again = lab.run("phone", *args, check=False)
    assert again.returncode == 1 and "refused" in again.stderr
    assert admin("DELETE", "/api/v1/devices/tablet")[0] == 204
