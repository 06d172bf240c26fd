# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC W5: device_upsert and device_remove on the bus, for wgd alone."""
import itertools
import json

import pytest
from apidlib import KEYS, wait_until

NUMBERS = itertools.count()


def ask(redis, op, caller="wgd", **args):
    """A request in wgd's place: its answer."""
    number = next(NUMBERS)
    channel = f"culvert:reply:{caller}:test{number}"
    message = {"v": 1, "id": f"test-{number}", "op": op, "args": args, "reply": channel}
    with redis.connect(caller, f"secret-{caller}") as ear, redis.connect(caller, f"secret-{caller}") as mouth:
        ear("SUBSCRIBE", channel)
        wait_until(lambda: mouth("PUBLISH", f"culvert:req:apid:{caller}", json.dumps(message)), "apid listens")
        return json.loads(ear.read()[2])


def upsert(redis, name="a", key=KEYS[0], addresses=("10.9.0.5",), **more):
    return ask(redis, "device_upsert", id=name, public_key=key, addresses=list(addresses), **more)


def test_upsert_makes_the_device_exactly_as_given(apid, redis, wgd):
    answer = upsert(redis, preshared_key=KEYS[1], tunnel="mitm")
    assert answer["ok"] and answer["result"] == {"entitled": True}
    # No IPv6 address is derived: the file is the truth.
    assert apid.state("devices")["a"] == {"id": "a", "active": True, "tunnel": "mitm", "addresses": ["10.9.0.5"]}
    assert apid.state("device_keys")["a"] == {"id": "a", "public_key": KEYS[0], "preshared_key": KEYS[1]}
    assert wgd.calls[-1]["id"] == "a" and wgd.calls[-1]["public_key"] == KEYS[0]


def test_upsert_without_a_preshared_key_takes_it_away(apid, redis):
    assert upsert(redis, preshared_key=KEYS[1])["ok"]
    assert upsert(redis)["ok"]
    assert apid.state("device_keys")["a"] == {"id": "a", "public_key": KEYS[0]}


def test_upsert_keeps_what_it_is_not_about(apid, redis):
    assert upsert(redis, "phone", addresses=["10.9.0.2", "fd09::2"])["ok"]
    phone = apid.state("devices")["phone"]
    assert phone["name"] == "Phone" and phone["unknown_sites"] == "block"


def test_remove_removes(apid, redis):
    assert upsert(redis)["ok"]
    assert ask(redis, "device_remove", id="a")["ok"]
    assert "a" not in apid.state("devices") and "a" not in apid.state("device_keys")
    # Once more is no fault: an answer may be lost.
    assert ask(redis, "device_remove", id="a")["ok"]


def test_every_change_is_in_the_audit(apid, redis, database):
    upsert(redis)
    ask(redis, "device_remove", id="a")
    rows = database.sql("SELECT action, subject FROM audit WHERE subject = 'a' ORDER BY id", "culvert")
    assert rows == [["device_add", "a"], ["device_remove", "a"]]


BAD = {
    "key": ({"key": "nonsense"}, "public_key: not a WireGuard key"),
    "preshared": ({"preshared_key": "x"}, "preshared_key: not a WireGuard key"),
    "id": ({"name": "a b"}, "id: not 1 to 64 of A-Z a-z 0-9 . _ : -"),
    "tunnel": ({"tunnel": "nowhere"}, "tunnel: no such tunnel"),
    "no address": ({"addresses": []}, "address: missing"),
    "outside": ({"addresses": ["10.8.0.5"]}, "address: not in the tunnel's network"),
    "gateway": ({"addresses": ["10.9.0.1"]}, "address: is the gateway's"),
    "prefix": ({"addresses": ["10.9.0.0/24"]}, "address: not one address"),
    "two": ({"addresses": ["10.9.0.5", "10.9.0.6"]}, "address: two of one family"),
    "v6 only": ({"addresses": ["fd09::5"]}, "address: the IPv4 address is missing"),
    "taken key": ({"name": "b"}, "publicKey: another device's"),
    "taken address": ({"name": "b", "key": KEYS[1]}, "address: another device's"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name_and_changes_nothing(apid, redis, name):
    """W8."""
    assert upsert(redis)["ok"]
    before = apid.rows(), apid.gens()
    args, reason = BAD[name]
    answer = upsert(redis, **args)
    assert not answer["ok"] and answer["error"] == {"code": "refused", "detail": reason}
    assert (apid.rows(), apid.gens()) == before


def test_what_wgd_refuses_is_taken_back(apid, redis, wgd):
    assert upsert(redis, preshared_key=KEYS[2])["ok"]
    before = apid.rows()
    wgd.answer = "duplicate_key"
    answer = upsert(redis, key=KEYS[1])
    assert answer["error"] == {"code": "refused", "detail": "refused: duplicate_key"}
    assert apid.rows() == before
    apid.await_state("device_keys", lambda keys: keys["a"] == {"id": "a", "public_key": KEYS[0], "preshared_key": KEYS[2]})


def test_without_the_database_it_is_later(apid, redis, database):
    database.kill()
    wait_until(lambda: upsert(redis)["error"]["code"] == "later", "said so")


def test_nobody_but_wgd_may_ask(apid, redis):
    assert upsert(redis)["ok"]
    for caller in ("fwd", "dnsd", "proxyd", "syncd"):
        with pytest.raises(Exception, match="NOPERM"):
            with redis.connect(caller, f"secret-{caller}") as one:
                one("PUBLISH", "culvert:req:apid:wgd", "{}")
    assert "a" in apid.state("devices")
