# SPDX-License-Identifier: GPL-3.0-or-later
"""Several gateways on one bus: each serves its own tunnels' devices, and none another's (SPEC O4)."""
import json

import pytest

from gatewaylib import HOME, NAMES
from support.redis import RedisError
from support.wait import wait_until

PHONE = "/api/v1/devices/phone"


def other(name):
    return NAMES[1 - NAMES.index(name)]


def put_phone(world, owner, tunnel):
    """The device at that gateway, with the client's key: its configuration, once it is in force there."""
    status, body = owner.put(PHONE, {"id": "phone", "name": "Phone", "tunnel": tunnel, "public_key": world.public})
    assert status in (200, 201), body
    address = body["addresses"][0]
    assert address.startswith({"north": "10.9.0.", "south": "10.8.0."}[tunnel])
    wait_until(lambda: world.gateways[tunnel].peers().get(world.public) == [address + "/32"], "peer at " + tunnel)
    # Everybody has read it: whoever is asked next has nothing left to do.
    gen = json.loads(world.redis("HGET", "culvert:gens:apid", "devices"))["gen"]
    for gateway in world.gateways.values():
        for daemon in gateway.daemons:
            wait_until(lambda g=gateway, d=daemon: g.has_applied(d, gen), "%s at %s" % (daemon, gateway.name))
    return configuration(owner), address


def configuration(owner):
    """Once apid has heard of the gateway's tunnel."""
    return wait_until(lambda: (said := owner.get(PHONE + "/config"))[0] == 200 and said[1], "its configuration")


def test_a_device_is_served_by_the_gateway_of_its_tunnel_and_by_no_other(world, owner):
    config, address = put_phone(world, owner, "north")
    rows = world.connect(config)
    assert rows["Endpoint"] == "10.1.0.1:51820"
    wait_until(lambda: world.ask("home.test", "10.9.0.1") == [HOME], "an answer through north")
    wait_until(lambda: world.ask("x.bad.test", "10.9.0.1") in ("NXDOMAIN", ["0.0.0.0"]), "a blocked name")
    north, south = world.gateways["north"], world.gateways["south"]
    assert world.public not in south.peers()
    assert address not in south.run("nft", "list", "table", "inet", "culvert")
    wait_until(lambda: address in north.run("nft", "list", "table", "inet", "culvert"), "its address at north")


def test_a_device_that_is_moved_stops_at_once_at_the_gateway_that_it_leaves(world, owner):
    config, before = put_phone(world, owner, "north")
    world.connect(config)
    wait_until(lambda: world.ask("home.test", "10.9.0.1") == [HOME], "an answer through north")
    status, body = owner.patch(PHONE, {"tunnel": "south"})
    assert status == 200 and body["addresses"][0].startswith("10.8.0."), body
    north, south = world.gateways["north"], world.gateways["south"]
    wait_until(lambda: world.public not in north.peers(), "it is gone at north")
    wait_until(lambda: world.public in south.peers(), "it is there at south")
    wait_until(lambda: before not in north.run("nft", "list", "table", "inet", "culvert"), "its address is nobody's")
    assert world.ask("home.test", "10.9.0.1") == ""
    rows = world.connect(configuration(owner))
    assert rows["Endpoint"] == "10.2.0.1:51820"
    wait_until(lambda: world.ask("home.test", "10.8.0.1") == [HOME], "an answer through south")


def test_provisioning_waits_for_both_gateways_when_a_device_moves(world, owner):
    def moves():
        """Again from the beginning when the gateways took longer than they have."""
        put_phone(world, owner, "south")
        return world.apid.upsert("phone", world.public, "10.9.0.77", mode="north")[0] == 200
    wait_until(moves, "both gateways in time")
    assert world.public not in world.gateways["south"].peers()
    assert world.gateways["north"].peers()[world.public] == ["10.9.0.77/32"]


def test_health_tells_of_each_gateway(world, owner):
    def whole():
        health = world.health(owner)
        return health if all(g["state"] == "ok" for g in health["gateways"]) else None
    health = wait_until(whole, "both gateways report")
    assert health["gateways"] == [{"name": n, "state": "ok", "tunnels": [n]} for n in NAMES]
    assert {(d["daemon"], d["gateway"]) for d in health["daemons"] if d["daemon"] in ("wgd", "fwd", "dnsd", "proxyd")} \
        == {(d, n) for d in ("wgd", "fwd", "dnsd", "proxyd") for n in NAMES}
    put_phone(world, owner, "south")
    assert owner.get(PHONE + "/status")[1]["gateway"] == "south"


def test_explain_asks_the_gateway_of_the_device(world, owner):
    put_phone(world, owner, "south")
    status, body = owner.get("/api/v1/explain?device=phone&url=http://home.test/")
    assert status == 200 and [p for p in body["paths"].values() if "unavailable" in p] == [], body


@pytest.mark.parametrize("command", [
    ("HSET", "culvert:state:tunnels:wgd@south", "south", "{}"),
    ("PUBLISH", "culvert:state:tunnels:wgd@south", "{}"),
    ("PUBLISH", "culvert:req:apid:wgd@south", "{}"),
    ("SET", "culvert:status:wgd@south:1", "{}"),
    ("HGETALL", "culvert:state:tunnels:wgd@south"),
    ("PUBLISH", "culvert:event:wgd@south:stats", "{}")], ids=lambda c: c[0] + " " + c[1])
def test_a_gateway_reaches_nothing_that_is_another_ones(world, command):
    with world.redis.connect("wgd@north", "secret-wgd.north") as north, pytest.raises(RedisError, match="NOPERM"):
        north(*command)


def test_an_event_tells_of_the_gateway_it_comes_from(world, owner):
    with world.redis.connect("wgd@south", "secret-wgd.south") as south:
        south("PUBLISH", "culvert:event:wgd@south:alarm",
              json.dumps({"v": 1, "batch": [{"what": "test", "detail": "of south"}]}))
    alarm = wait_until(lambda: next((a for a in world.health(owner)["alarms"] if a["detail"] == "of south"), None),
                       "the alarm")
    assert (alarm["daemon"], alarm["gateway"]) == ("wgd", "south")


def test_the_old_gateway_is_told_of_when_it_is_dead_and_not_waited_for(world, owner):
    """The last one: south is started again, but it costs time."""
    put_phone(world, owner, "south")
    south = world.gateways["south"]
    south.daemons["wgd"].kill()
    status, body = world.apid.upsert("phone", world.public, "10.9.0.78", mode="north")
    assert status == 503 and "the gateway that had the device does not answer" in json.dumps(body), body
    north = world.gateways["north"]
    wait_until(lambda: north.peers().get(world.public) == ["10.9.0.78/32"], "it is there at north")
    wait_until(lambda: world.apid.upsert("phone", world.public, "10.9.0.78", mode="north")[0] == 200, "north in time")
    south.daemons["wgd"].start()
    wait_until(lambda: world.public not in south.peers(), "it is gone at south, too")
