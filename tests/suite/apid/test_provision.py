# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A1: the provisioning API."""
import http.client
import json
import socket
import threading
import time

import pytest
from apidlib import API_KEY, KEYS, SEED, wait_until

SUCCESS = (200, {"status": "success"})


def failed(answer, status):
    assert answer[0] == status, answer
    assert answer[1]["status"] == "failure" and answer[1]["error"]
    return answer[1]["error"]


def test_get_answers_ok_without_a_key(apid):
    assert apid.request("GET", key=None) == (200, {"status": "ok"})


def test_upsert_makes_a_device_with_both_addresses(apid, wgd):
    assert apid.upsert() == SUCCESS
    device = apid.state("devices")["a"]
    assert device == {"id": "a", "tunnel": "mitm", "addresses": ["10.9.0.5", "fd09::5"], "active": True}
    assert apid.state("device_keys")["a"] == {"id": "a", "public_key": KEYS[0]}
    assert wgd.calls[-1]["id"] == "a" and wgd.calls[-1]["public_key"] == KEYS[0]
    assert wgd.calls[-1]["gen"] == json.loads(apid.gens()["devices"])["gen"]


def test_upsert_takes_arrays_and_modes(apid):
    assert apid.upsert(address=["fd09::99/128", "10.9.0.6/32"], mode="mitm") == SUCCESS
    assert apid.state("devices")["a"]["addresses"] == ["10.9.0.6", "fd09::99"]
    assert apid.upsert("b", KEYS[1], "10.8.0.6", mode="other") == SUCCESS
    assert apid.state("devices")["b"]["addresses"] == ["10.8.0.6"]


def test_upsert_again_is_no_new_generation_but_asks_wgd(apid, wgd):
    apid.upsert()
    gens, calls = apid.gens(), len(wgd.calls)
    assert apid.upsert() == SUCCESS
    assert apid.gens() == gens
    assert len(wgd.calls) == calls + 1


def test_another_key_or_address_replaces(apid):
    apid.upsert()
    assert apid.upsert(key=KEYS[1]) == SUCCESS
    assert apid.state("device_keys")["a"]["public_key"] == KEYS[1]
    assert apid.upsert(key=KEYS[1], address="10.9.0.7") == SUCCESS
    assert apid.state("devices")["a"]["addresses"] == ["10.9.0.7", "fd09::7"]
    # What was given up is free.
    assert apid.upsert("b", KEYS[0], "10.9.0.5") == SUCCESS


def test_a_seeded_device_keeps_its_policy(apid):
    assert apid.upsert("phone", KEYS[0], "10.9.0.2") == SUCCESS
    assert apid.state("devices")["phone"]["unknown_sites"] == "block"


def test_remove_takes_device_and_key_and_is_idempotent(apid):
    apid.upsert()
    assert apid.remove() == SUCCESS
    assert "a" not in apid.state("devices") and "a" not in apid.state("device_keys")
    assert apid.remove() == SUCCESS
    assert apid.remove("never-there") == SUCCESS


BAD = {
    "not json": "{",
    "empty": "",
    "array": [],
    "no task": {"id": "a"},
    "unknown task": {"task": "wg_list", "id": "a"},
    "no id": {"task": "wg_remove"},
    "bad id": {"task": "wg_remove", "id": "a b"},
    "long id": {"task": "wg_remove", "id": "x" * 65},
    "id of a wrong type": {"task": "wg_remove", "id": 5},
    "no key": {"task": "wg_upsert", "id": "n", "address": "10.9.0.9"},
    "short key": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2][:-2] + "==", "address": "10.9.0.9"},
    "zero key": {"task": "wg_upsert", "id": "n", "publicKey": "A" * 43 + "=", "address": "10.9.0.9"},
    "no address": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2]},
    "gateway's address": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2], "address": "10.9.0.1"},
    "broadcast": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2], "address": "10.9.0.255"},
    "outside": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2], "address": "192.0.2.1"},
    "a net": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2], "address": "10.9.0.9/24"},
    "unknown mode": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2], "address": "10.9.0.9", "mode": "x"},
    "duplicate field": '{"task":"wg_remove","id":"a","id":"phone"}',
    "another's key": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[0], "address": "10.9.0.9"},
    "another's address": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2], "address": "10.9.0.5"},
    "another's v6": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2], "address": ["10.9.0.9", "fd09::5"]},
    "a seeded device's address": {"task": "wg_upsert", "id": "n", "publicKey": KEYS[2], "address": "10.9.0.2"},
}


def test_bad_requests_are_refused_and_change_nothing(apid):
    apid.upsert()
    before = apid.rows(), apid.gens()
    for name, body in BAD.items():
        assert failed(apid.request(body=body), 400), name
        assert (apid.rows(), apid.gens()) == before, name


def test_other_statuses(apid):
    before = apid.rows(), apid.gens()
    body = {"task": "wg_remove", "id": "phone"}
    failed(apid.request(body=body, key=None), 401)
    failed(apid.request(body=body, key=""), 401)
    failed(apid.request(body=body, key=API_KEY[:-1]), 401)
    failed(apid.request(body=body, key=API_KEY + "x"), 401)
    failed(apid.request("GET", path="/x"), 404)
    failed(apid.request(body=body, path="/api"), 404)
    failed(apid.request("PUT", body=body), 405)
    failed(apid.request("DELETE"), 405)
    failed(apid.request(body=json.dumps(body) + " " * 16384), 413)
    failed(apid.request(body=body, headers={"Content-Type": "text/plain"}), 400)
    failed(apid.request(body=body, headers={"Content-Type": None}), 400)
    assert (apid.rows(), apid.gens()) == before
    assert apid.request(body=json.dumps(body).ljust(16384)) == SUCCESS


def test_a_chunked_body_is_bounded_too(apid):
    conn = http.client.HTTPConnection("127.0.0.1", apid.port, timeout=20)
    conn.request("POST", "/", iter([b" " * 4096] * 5), {"x-api-key": API_KEY, "Content-Type": "application/json"},
                 encode_chunked=True)
    assert conn.getresponse().status == 413
    conn.close()


def test_two_keys_in_one_request_are_none(apid):
    with socket.create_connection(("127.0.0.1", apid.port)) as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\nx-api-key: {API_KEY}\r\n"
                  "Content-Length: 2\r\n\r\n{}".encode())
        assert s.recv(100).startswith(b"HTTP/1.1 401 ")


def test_wgd_silent_is_503_and_a_retry_succeeds(apid, wgd):
    """The device is stored; the retry only asks wgd."""
    wgd.answer = None
    start = time.monotonic()
    assert "wgd" in failed(apid.upsert(), 503)
    assert 1.5 < time.monotonic() - start < 20
    wgd.answer = "ok"
    assert apid.upsert() == SUCCESS


def test_wgd_gone_is_503(make_apid):
    apid = make_apid(SEED).start()
    assert "wgd" in failed(apid.upsert(), 503)


def test_redis_gone_is_503(apid, redis):
    redis.pause()
    failed(apid.upsert(), 503)
    redis.resume()
    wait_until(lambda: apid.upsert() == SUCCESS, "upsert succeeds again")


def test_wgd_refusing_is_400_and_taken_back(apid, wgd):
    """W8: nothing is applied."""
    apid.upsert()
    before = apid.rows(), apid.state("devices"), apid.state("device_keys")
    wgd.answer = "the key is the tunnel's own"
    assert "tunnel's own" in failed(apid.upsert("n", KEYS[1], "10.9.0.9"), 400)
    failed(apid.upsert("a", KEYS[1], "10.9.0.9"), 400)
    wgd.answer = "ok"
    wait_until(lambda: (apid.rows(), apid.state("devices"), apid.state("device_keys")) == before, "taken back")


def test_not_entitled_is_success_with_the_reason(apid):
    """W4."""
    for field, reason in (({"active": False}, "inactive"), ({"expires_at": 1000}, "expired")):
        seed = {**SEED, "devices": [{**SEED["devices"][0], **field}]}
        apid.seed(seed)
        apid.reload()
        assert apid.upsert("phone", KEYS[0], "10.9.0.2") == (
            200, {"status": "success", "entitled": False, "reason": reason})
        assert apid.state("device_keys")["phone"]["public_key"] == KEYS[0]


def test_mariadb_silent_is_503(apid, database):
    database.pause()
    start = time.monotonic()
    assert "database" in failed(apid.upsert(), 503)
    assert 1.5 < time.monotonic() - start < 20
    assert apid.request("GET") == (200, {"status": "ok"})
    database.resume()
    wait_until(lambda: apid.upsert() == SUCCESS, "upsert succeeds again")


def test_many_at_once_all_succeed(apid):
    """One connection to MariaDB, many clients."""
    answers = []

    def work(n):
        for i in range(10):
            key = KEYS[0][:39] + "%02d%d" % (n, i) + "A="
            answers.append(apid.upsert(f"d{n}-{i}", key, f"10.9.0.{10 + n * 10 + i}"))
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert answers == [SUCCESS] * 80
    assert len(apid.state("devices")) == 81


def test_a_client_that_hangs_up_leaves_nothing_behind(apid, wgd):
    wgd.answer = None
    body = json.dumps({"task": "wg_upsert", "id": "a", "publicKey": KEYS[0], "address": "10.9.0.5"})
    with socket.create_connection(("127.0.0.1", apid.port)) as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nx-api-key: {API_KEY}\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        wait_until(lambda: wgd.calls, "wgd is asked")
    wgd.answer = "ok"
    assert apid.upsert() == SUCCESS


def test_secrets_are_never_logged(apid):
    apid.upsert()
    apid.request(body={}, key="wrong-key-text")
    for secret in (API_KEY, "apid-password", "secret-apid", "wrong-key-text"):
        assert secret not in apid.log()


@pytest.mark.parametrize("key", ["environment-key"])
def test_api_key_of_the_environment_goes_first(make_apid, wgd, monkeypatch, key):
    """SPEC C1."""
    monkeypatch.setenv("API_KEY", key)
    apid = make_apid(SEED).start()
    assert apid.request(body={"task": "wg_remove", "id": "x"}, key=key) == SUCCESS
    failed(apid.request(body={"task": "wg_remove", "id": "x"}), 401)


def test_an_upsert_that_changes_nothing_is_confirmed_when_the_one_before_it_is_published(apid, database):
    """The database has it, as by another apid that could not answer; the bus has not."""
    assert apid.upsert("a", KEYS[0], "10.9.0.5")[0] == 200
    # apid learns of changes by their notes: without one it does not know, as when it is slow.
    database.sql("START TRANSACTION; UPDATE change_seq SET seq = seq + 1; "
                 "UPDATE device_addresses SET address = '10.9.0.6' WHERE address = '10.9.0.5'; COMMIT", "culvert")
    def is_moved():
        return "10.9.0.6" in apid.state("devices")["a"]["addresses"]
    assert not is_moved()
    # One that lost its connection meanwhile has read all again.
    assert apid.upsert("a", KEYS[0], ["10.9.0.6", "fd09::5"])[0] == 503 or is_moved()
    database.sql("INSERT INTO changes (seq, topic, id, at) SELECT seq, 'devices', 'a', 1 FROM change_seq", "culvert")
    wait_until(lambda: apid.upsert("a", KEYS[0], ["10.9.0.6", "fd09::5"])[0] == 200, "confirmed")
    assert is_moved()


def test_a_removal_that_changes_nothing_is_confirmed_when_the_one_before_it_is_published(apid, database):
    assert apid.upsert("a", KEYS[0], "10.9.0.5")[0] == 200
    database.sql("START TRANSACTION; UPDATE change_seq SET seq = seq + 1; DELETE FROM devices WHERE id = 'a'; COMMIT", "culvert")
    assert apid.remove("a")[0] == 503 or "a" not in apid.state("devices")
    database.sql("INSERT INTO changes (seq, topic, id, at) SELECT seq, 'devices', 'a', 1 FROM change_seq", "culvert")
    wait_until(lambda: apid.remove("a")[0] == 200, "confirmed")
    assert "a" not in apid.state("devices")
