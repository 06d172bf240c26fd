# SPDX-License-Identifier: GPL-3.0-or-later
"""What an outsider, an account with little and a device tried, and must not get (SPEC A2-A4, A9, A12)."""
import pytest

from apidlib import KEYS, Apid, own_dir, owned_file, wait_until

DEVICES = "/api/v1/devices"


@pytest.fixture
def owner(apid):
    return apid.owner()


@pytest.fixture
def second(owner, apid, place, redis, database):
    """A second apid on the same database with the same secret, and the owner's client of it."""
    directory = place / "second"
    directory.mkdir()
    other = Apid(directory, redis, database)
    own_dir(directory / "state" / "apid")
    owned_file(directory / "state/apid/secret", (apid.dir / "state/apid/secret").read_text())
    other.write_conf("instance = 2")
    client = other.start().client()
    client.cookie, client.csrf = owner.cookie, owner.csrf
    yield client
    other.stop()


def test_a_removed_device_s_token_is_none_of_the_next_device_s_of_that_id(owner, apid):
    owner.put(f"{DEVICES}/d1", {"name": "Before"})
    device = apid.client(token=owner.post(f"{DEVICES}/d1/token")[1]["token"])
    url = owner.post(f"{DEVICES}/d1/enrolment")[1]["url"]
    assert device.get("/device")[0] == 200
    assert owner.delete(f"{DEVICES}/d1")[0] == 204
    assert owner.put(f"{DEVICES}/d1", {"name": "After"})[0] == 201
    assert device.get("/device")[0] == 401
    assert device.put("/device/key", {"public_key": KEYS[0]})[0] == 401
    assert apid.client().get(url[url.index("/enrol/"):])[0] == 404
    assert "public_key" not in owner.get(f"{DEVICES}/d1")[1]


def test_the_other_apid_too_forgets_a_removed_device_s_token(owner, second):
    owner.put(f"{DEVICES}/d1", {})
    token = owner.post(f"{DEVICES}/d1/token")[1]["token"]
    device = second.apid.client(token=token)
    wait_until(lambda: device.get("/device")[0] == 200, "the second knows the token")
    owner.delete(f"{DEVICES}/d1")
    owner.put(f"{DEVICES}/d1", {"name": "After"})
    wait_until(lambda: second.get(f"{DEVICES}/d1")[1].get("name") == "After", "the second knows the new device")
    assert device.get("/device")[0] == 401


def test_a_new_enrolment_ends_what_the_device_before_it_had(owner, apid):
    owner.put(f"{DEVICES}/d1", {})
    stolen = apid.client(token=owner.post(f"{DEVICES}/d1/token")[1]["token"])
    links = [owner.post(f"{DEVICES}/d1/enrolment")[1]["url"] for _ in range(2)]
    first, other = [url[url.index("/enrol/"):] for url in links]
    status, document = apid.client().post(first, {"public_key": KEYS[0]})
    assert status == 200 and apid.client(token=document["token"]).get("/device")[0] == 200
    assert stolen.put("/device/key", {"public_key": KEYS[1]})[0] == 401
    assert apid.client().post(other, {"public_key": KEYS[1]})[0] == 404
    assert owner.get(f"{DEVICES}/d1")[1]["public_key"] == KEYS[0]


def test_a_device_s_tokens_and_links_can_be_ended(owner, apid):
    owner.put(f"{DEVICES}/d1", {})
    device = apid.client(token=owner.post(f"{DEVICES}/d1/token")[1]["token"])
    url = owner.post(f"{DEVICES}/d1/enrolment")[1]["url"]
    assert device.get("/device")[0] == 200
    assert owner.delete(f"{DEVICES}/d1/token")[0] == 204
    assert device.get("/device")[0] == 401
    assert apid.client().post(url[url.index("/enrol/"):], {"public_key": KEYS[0]})[0] == 404


@pytest.mark.parametrize("value", ["gw.example\nPostUp = id", "gw.example:1", "gw example", "-x", "", 5, None])
def test_an_endpoint_cannot_bring_lines_into_a_device_s_configuration(owner, value):
    before = owner.get("/api/v1/settings/endpoint")[1]
    status, body = owner.put("/api/v1/settings/endpoint", {"value": value})
    assert status == 400 and body["errors"][0]["pointer"] == "/value"
    assert owner.get("/api/v1/settings/endpoint")[1] == before


@pytest.mark.parametrize("key,value", [("policy_source", "everybody"), ("lan_prefixes", ["x"]), ("offline_vpn", "no"),
                                       ("egress_web_ports", ["tcp:0"]), ("portal_host", "a\nb")])
def test_a_setting_that_no_daemon_can_read_is_refused(owner, key, value):
    assert owner.put(f"/api/v1/settings/{key}", {"value": value})[0] == 400
