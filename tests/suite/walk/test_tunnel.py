# SPDX-License-Identifier: GPL-3.0-or-later
"""From the provisioning call to packets that pass, or do not (SPEC A1, W3, F2, F4, F5)."""
import http.client
import json
import socket
import subprocess
import sys
import time

import pytest

import walklib
from launcher.stores import read_secret
from support.wait import wait_until
from walklib import AT_ONCE_S, LAN, SITE, probe, refused_at_once

FAMILIES = pytest.mark.parametrize("family", (0, 1), ids=("v4", "v6"))


# ---- provisioning ----

def test_remove_kills_the_tunnel_and_upsert_brings_it_back(lab):
    key = walklib.key_of(lab, "phone")
    before = lab.topic("devices", "apid")["phone"]
    assert lab.provision("wg_remove", "phone") == (200, {"status": "success"})
    try:
        wait_until(lambda: key not in walklib.peers(lab), "peer gone", 10)
        assert not walklib.answers_ping(lab, "phone", seconds=1)
        walklib.await_ping(lab, "laptop")
    finally:
        status, body = lab.provision("wg_upsert", "phone", publicKey=key, address="10.9.0.2/32")
        walklib.shake_hands(lab, "phone")
    assert (status, body) == (200, {"status": "success"})
    for address in ("10.9.0.1", "fd09::1") + SITE:
        walklib.await_ping(lab, "phone", address)
    # wg_remove took the record, the seed's policy with it.
    walklib.put_seed(lab, walklib.read_seed(lab))
    assert lab.topic("devices", "apid")["phone"] == before


def test_pages_come_through_the_tunnel_in_both_families(lab):
    for option in ("-4", "-6"):
        for url in ("http://allowed.example/", "https://allowed.example/"):
            page = lab.curl("phone", url, option, "--resolve",
                            "allowed.example:80:%s,[%s]" % SITE, "--resolve",
                            "allowed.example:443:%s,[%s]" % SITE, ca=lab.file("internet-ca.pem"))
            assert page.status == 200 and "allowed.example" in page.text, (option, url)


KEY = "aGVsbG8gY3VsdmVydCwgdGhpcyBpcyBubyBrZXkhISE="
BAD = {
    "unknown task": {"task": "wg_list", "id": "n"},
    "no id": {"task": "wg_remove"},
    "bad id": {"task": "wg_remove", "id": "a b"},
    "no key": {"task": "wg_upsert", "id": "n", "address": "10.9.0.9"},
    "bad key": {"task": "wg_upsert", "id": "n", "publicKey": "abc", "address": "10.9.0.9"},
    "no address": {"task": "wg_upsert", "id": "n", "publicKey": KEY},
    "gateway's address": {"task": "wg_upsert", "id": "n", "publicKey": KEY, "address": "10.9.0.1"},
    "outside": {"task": "wg_upsert", "id": "n", "publicKey": KEY, "address": "192.0.2.1"},
    "laptop's address": {"task": "wg_upsert", "id": "n", "publicKey": KEY, "address": "10.9.0.3"},
    "unknown mode": {"task": "wg_upsert", "id": "n", "publicKey": KEY, "address": "10.9.0.9",
                     "mode": "x"},
}


def _requests(rows):
    """In the gateway: [[method, path, headers, body]…] → [[status, body]…]."""
    answers = []
    for method, path, headers, body in rows:
        client = http.client.HTTPConnection("127.0.0.1", 8000, timeout=60)
        try:
            client.request(method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has been answered before all of it was sent
        answer = client.getresponse()
        answers.append([answer.status, answer.read().decode()])
    return answers


def test_bad_requests_answer_as_specified_and_change_nothing(lab):
    good = {"x-api-key": read_secret(lab.places, "api-key"), "Content-Type": "application/json"}
    remove = json.dumps({"task": "wg_remove", "id": "phone"})
    bad = dict(BAD)
    bad["laptop's key"] = {"task": "wg_upsert", "id": "n", "address": "10.9.0.9",
                           "publicKey": walklib.key_of(lab, "laptop")}
    rows = {name: (400, ["POST", "/", good, json.dumps(body)]) for name, body in bad.items()}
    rows.update({
        "not JSON": (400, ["POST", "/", good, "{"]),
        "twice the same field": (400, ["POST", "/", good,
                                       '{"task":"wg_remove","id":"n","id":"phone"}']),
        "no API key": (401, ["POST", "/", {"Content-Type": "application/json"}, remove]),
        "wrong API key": (401, ["POST", "/", dict(good, **{"x-api-key": "no"}), remove]),
        "another path": (404, ["POST", "/x", good, remove]),
        "another method": (405, ["DELETE", "/", good, remove]),
        "large": (413, ["POST", "/", good, remove + " " * 20000]),
    })
    before = walklib.snapshot(lab)
    answers = lab.hosts["gw"].call(_requests, [row for _, row in rows.values()])
    for (name, (want, _)), (status, body) in zip(rows.items(), answers):
        assert status == want, (name, status, body)
        failure = json.loads(body)
        assert failure["status"] == "failure" and failure["error"], (name, body)
    assert walklib.snapshot(lab) == before


def test_a_health_check_needs_no_key(lab):
    assert lab.hosts["gw"].call(_requests, [["GET", "/", {}, None]]) == [[200, '{"status":"ok"}']]


# ---- what may pass ----

@FAMILIES
@pytest.mark.parametrize("host", ("phone", "laptop"))
def test_encrypted_dns_and_quic_are_refused_at_once(lab, host, family):
    resolver = ("1.1.1.1", "2606:4700:4700::1111")[family]
    refused_at_once(lab, host, *[
        (kind, address, port) for address in (resolver, SITE[family])
        for kind, port in (("tcp", 853), ("udp", 853), ("udp", 443))])


@FAMILIES
def test_profile_internet_cannot_reach_the_lan(lab, family):
    target = LAN[family]
    refused_at_once(lab, "phone", ("tcp", target, 80), ("tcp", target, 22), ("udp", target, 1234))
    assert not walklib.answers_ping(lab, "phone", target, seconds=1)
    walklib.await_ping(lab, "phone", SITE[family])


@FAMILIES
def test_profile_full_reaches_lan_and_internet(lab, family):
    probes = (("tcp", LAN[family], 80), ("tcp", SITE[family], 80))
    assert {v for v, _ in probe(lab, "laptop", *probes).values()} == {"open"}


def test_profile_intranet_reaches_the_lan_only(lab, seeded):
    def change(document):
        walklib.device(document, "laptop")["profile"] = "intranet"

    seeded(change)
    refused_at_once(lab, "laptop", *[("tcp", a, p) for a in SITE for p in (80, 443)])
    lan = probe(lab, "laptop", *[("tcp", a, 80) for a in LAN])
    assert {v for v, _ in lan.values()} == {"open"}
    page = lab.curl("laptop", "http://allowed.example/", proxy=True)
    assert page.status == 403  # nor by the proxy (SPEC P15)


# Reads big.example/10m slowly, 100 seconds of it; says when it has begun, and how much came before the end.
SLOW_READER = """
import socket, time
s = socket.create_connection(("93.184.216.13", 80))
s.sendall(b"GET /10m HTTP/1.1\\r\\nHost: big.example\\r\\n\\r\\n")
got = len(s.recv(10240))
print("begun", flush=True)
try:
    while part := s.recv(10240):
        got += len(part)
        time.sleep(0.1)
except OSError:
    pass
print(got, flush=True)
"""


def test_a_suspended_device_is_walled_at_once_live_flows_included(lab, seeded):
    """W4, F9: the peer stays, nothing passes; what was under way ends."""
    with subprocess.Popen([sys.executable, "-c", SLOW_READER], preexec_fn=lab.hosts["phone"].enter,
                          stdout=subprocess.PIPE, text=True) as reader:
        try:
            assert reader.stdout.readline() == "begun\n"
            seeded(lambda document: walklib.device(document, "phone").update(active=False))
            start = time.monotonic()
            assert int(reader.stdout.readline()) < 10 << 20
            assert time.monotonic() - start < 10 * AT_ONCE_S
        finally:
            reader.kill()
    refused_at_once(lab, "phone", *[("tcp", a, 80) for a in SITE + LAN])
    assert walklib.key_of(lab, "phone") in walklib.peers(lab)
    walklib.await_ping(lab, "laptop", SITE[0])
    # The proxy is no way out either.
    page = lab.curl("phone", "http://allowed.example/", proxy=True)
    assert page.status not in (0, 200) and "<h1>allowed.example</h1>" not in page.text


def test_devices_do_not_reach_each_other(lab):
    """With a listener there: what refuses is the gateway."""
    argv = ("python3", "-c", "import socket\n"
            "l = [socket.create_server((a, 7777), family=f) for a, f in "
            "(('10.9.0.3', socket.AF_INET), ('fd09::3', socket.AF_INET6))]\n"
            "print('ready', flush=True)\nimport signal\nsignal.pause()\n")
    listener = lab.popen("laptop", *argv, stdout=subprocess.PIPE)
    try:
        assert listener.stdout.readline() == b"ready\n"
        targets = [("tcp", a, 7777) for a in ("10.9.0.3", "fd09::3")]
        assert {v for v, _ in probe(lab, "laptop", *targets).values()} == {"open"}
        refused_at_once(lab, "phone", *targets)
        for address in ("10.9.0.3", "fd09::3"):
            assert not walklib.answers_ping(lab, "phone", address, seconds=1)
    finally:
        listener.kill()
        listener.wait()
        listener.stdout.close()


def _ask_as(source, gateway, queries):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        for query in queries:
            sock.sendto(bytes.fromhex(query), (gateway, 53))


@FAMILIES
def test_nobody_outside_the_tunnel_speaks_in_a_devices_name(lab, family):
    """D1, P4: a device is known by its address, so no other interface may bring that."""
    source, gateway, router = (("10.9.0.2/32", "10.9.0.1", "10.77.0.1"),
                               ("fd09::2/128", "fd09::1", "fd77::1"))[family]
    ip = ("ip", "-6" if family else "-4")
    forged, honest = walklib.fresh("fresh.example"), walklib.fresh("fresh.example")
    lab.run("lan", *ip, "address", "add", source, "dev", "lo", *["nodad"] * family)
    lab.run("lan", *ip, "route", "add", gateway, "via", router)
    try:
        lab.hosts["lan"].call(_ask_as, source.split("/")[0], gateway,
                              [walklib.question(1, forged, 1).hex()])
    finally:
        lab.run("lan", *ip, "route", "del", gateway, "via", router)
        lab.run("lan", *ip, "address", "del", source, "dev", "lo")
    assert lab.dig("phone", honest).addresses == [SITE[0]]
    assert lab.dns_queries(honest)
    assert not lab.dns_queries(forged)
