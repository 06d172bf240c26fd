# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A7: the seed file."""
import signal

import pytest
from apidlib import KEYS, SEED, wait_until

SUCCESS = (200, {"status": "success"})


def test_reload_adds_changes_and_removes_what_the_seed_gave(apid):
    seed = {**SEED, "categories": [{"id": "games", "name": "Games", "default": "allow"}, {"id": "news"}],
            "settings": []}
    apid.seed(seed)
    apid.reload()
    apid.await_state("categories", {"games": seed["categories"][0], "news": {"id": "news"}})
    apid.await_state("settings", {})
    apid.seed({"categories": []})
    apid.reload()
    apid.await_state("categories", {})
    # A topic that the seed does not name stays.
    assert "phone" in apid.state("devices")


def test_reload_leaves_what_others_added(apid):
    apid.upsert()
    apid.seed({**SEED, "devices": []})
    apid.reload()
    apid.await_state("devices", lambda devices: set(devices) == {"a"})


def test_reload_keeps_the_address_of_a_provisioned_device(apid):
    assert apid.upsert("phone", KEYS[0], "10.9.0.77") == SUCCESS
    apid.seed({**SEED, "devices": [{**SEED["devices"][0], "name": "Renamed"}]})
    apid.reload()
    apid.await_state("devices", lambda devices: devices["phone"]["name"] == "Renamed")
    assert apid.state("devices")["phone"]["addresses"] == ["10.9.0.77", "fd09::4d"]


def test_devices_may_exchange_their_addresses(apid):
    devices = [{"id": "x", "addresses": ["10.9.0.20"]}, {"id": "y", "addresses": ["10.9.0.21"]}]
    apid.seed({"devices": devices})
    apid.reload()
    devices[0]["addresses"], devices[1]["addresses"] = devices[1]["addresses"], devices[0]["addresses"]
    apid.seed({"devices": devices})
    apid.reload()
    apid.await_state("devices", lambda devices: devices["x"]["addresses"] == ["10.9.0.21"])


BAD = {
    "json": ("{", "not one JSON object"),
    "topic": ({"lists": []}, "lists: no topic"),
    "enum": ({**SEED, "categories": [{"id": "c", "default": "deny"}]}, "categories[0] c: category.default"),
    "unknown field": ({**SEED, "groups": [{"id": "g", "colour": 1}]}, "groups[0] g: group.colour: unknown field"),
    "address": ({"devices": [{"id": "d", "addresses": ["192.0.2.1"]}]}, "devices[0] d: device.addresses"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_seed_is_a_start_up_error(empty_database, make_apid, database, name):
    content, message = BAD[name]
    apid = make_apid(content)
    apid.launch()
    assert apid.wait() == 1
    assert message in apid.log() and str(apid.seed_file) in apid.log()
    assert database.sql("SHOW TABLES", "culvert") == []


def test_a_bad_seed_on_reload_changes_nothing(apid):
    before = apid.rows(), apid.gens()
    for content, message in BAD.values():
        apid.seed(content)
        apid.send(signal.SIGHUP)
        wait_until(lambda m=message: m in apid.log(), message)
    assert (apid.rows(), apid.gens()) == before
    assert apid.upsert() == SUCCESS


def test_an_address_of_another_device_refuses_the_whole_seed(apid):
    apid.upsert("other", KEYS[0], "10.9.0.9")
    before = apid.rows(), apid.gens()
    apid.seed({**SEED, "categories": [], "devices": [{"id": "phone", "addresses": ["10.9.0.9"]}]})
    apid.reload()
    assert "at=devices phone addresses" in apid.log()
    assert (apid.rows(), apid.gens()) == before


def test_an_address_of_another_device_stops_the_start(apid, database):
    apid.upsert("other", KEYS[0], "10.9.0.9")
    apid.stop()
    before = apid.rows()
    apid.seed({**SEED, "devices": [{"id": "phone", "addresses": ["10.9.0.9"]}]})
    apid.launch()
    assert apid.wait() == 1
    assert "at=devices phone addresses" in apid.log()
    assert apid.rows() == before


def test_the_same_seed_does_not_undo_changes_at_a_restart(apid, database):
    apid.remove("phone")
    apid.stop()
    apid.start()
    assert apid.upsert() == SUCCESS  # behind it all is published
    assert "phone" not in apid.state("devices")
    apid.reload()
    apid.await_state("devices", lambda devices: "phone" in devices)


def test_a_reload_without_mariadb_waits_for_it(apid, database):
    database.kill()
    wait_until(lambda: "connection lost" in apid.log(), "apid knows")
    apid.seed({**SEED, "categories": [{"id": "late"}]})
    apid.send(signal.SIGHUP)
    wait_until(lambda: "seed waits" in apid.log(), "seed waits")
    database.start()
    apid.await_state("categories", lambda categories: set(categories) == {"late"})


def test_of_many_reloads_at_once_the_last_seed_is_in_force(apid):
    """Seeds do not pile up behind each other: while one is written, the newest waits."""
    devices = [{"id": f"d{i}", "addresses": [f"10.9.0.{i + 20}"]} for i in range(200)]
    written = apid.log().count("seed written")
    for i in range(20):
        apid.seed({"devices": devices, "groups": [{"id": f"g{i}"}]})
        apid.send(signal.SIGHUP)
        wait_until(lambda want=i + 1: apid.log().count(": reloaded") >= want)
    apid.await_state("groups", {"g19": {"id": "g19"}})
    assert apid.log().count("seed written") - written < 20


def test_a_seed_with_keys_gives_addresses_and_keys_together(apid):
    """W5: what `wgd --import` writes; read again it is in force again, whatever happened between."""
    seed = {"devices": [{"id": "x", "active": True, "tunnel": "mitm", "addresses": ["10.9.0.20"]},
                        {"id": "y", "active": True, "tunnel": "mitm", "addresses": ["10.9.0.21"]}],
            "device_keys": [{"id": "x", "public_key": KEYS[0]},
                            {"id": "y", "public_key": KEYS[1], "preshared_key": KEYS[2]}]}
    apid.seed(seed)
    apid.reload()
    apid.await_state("device_keys", {r["id"]: r for r in seed["device_keys"]})
    apid.await_state("devices", {r["id"]: r for r in seed["devices"]})
    seed["devices"][0]["addresses"], seed["devices"][1]["addresses"] = ["10.9.0.21"], ["10.9.0.20"]
    seed["device_keys"][0]["public_key"], seed["device_keys"][1]["public_key"] = KEYS[1], KEYS[0]
    apid.seed(seed)
    apid.reload()
    apid.await_state("device_keys", {r["id"]: r for r in seed["device_keys"]})
    apid.await_state("devices", {r["id"]: r for r in seed["devices"]})
