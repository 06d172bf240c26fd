# SPDX-License-Identifier: GPL-3.0-or-later
"""W3, W7, W8 at scale and under random change: the interface is exactly what the bus says."""
import base64
import os
import random
import subprocess

import pytest

from model import Model
from support import DEADLINE_S
from support.net import Host
from support.wait import wait_until
from wgdlib import KERNEL, Gateway, genkey

SEED = int(os.environ.get("WGD_SEED") or random.randrange(1 << 32))
SEQUENCES = int(os.environ.get("WGD_SEQUENCES") or 200)
OTHER_TUNNEL = """[tunnel other]
interface=wgt1
addresses=10.8.0.1/24
port=51821
mtu=1380
"""
INTERFACES = {"mitm": "wgt0", "other": "wgt1"}


def key(rng):
    return base64.b64encode(rng.randbytes(32)).decode()


def actual(gateway, interface="wgt0"):
    """Public key -> (preshared key, sorted prefixes) of each peer."""
    rows = [line.split("\t") for line in
            gateway.run("wg", "show", interface, "dump").splitlines()[1:]]
    return {r[0]: (None if r[1] == "(none)" else r[1],
                   sorted(p for p in r[3].split(",") if p != "(none)")) for r in rows}


def await_applied(gateway, **gens):
    """Until wgd says that these generations, maybe of thousands of records, are in force."""
    wait_until(lambda: all(gateway.redis.applied("wgd", topic) >= gen
                           for topic, gen in gens.items()), "generations %r" % gens, 4 * DEADLINE_S)


def open_gateway(**options):
    one = Gateway(**options)
    one.start_wireguard(*(["wgt1"] if "extra" in options else []))
    one.wgd.start()
    wait_until(lambda: [t["state"] for t in one.status().get("tunnels", [{"state": ""}])] ==
               ["ready"] * (2 if "extra" in options else 1), "tunnels ready")
    return one


@pytest.mark.parametrize("count", [1, 1000, 10000])
def test_every_peer_is_there_and_no_other(count):
    """W3, W7: set, changed, removed, emptied; the interface agrees as soon as wgd says so."""
    rng = random.Random(SEED)
    print("WGD_SEED=%d" % SEED)
    keys, devices, want = {}, {}, {}

    def address(i):
        return "10.9.%d.%d" % ((i + 2) >> 8, (i + 2) & 255)
    for i in range(count):
        name, public, psk = "d%05d" % i, key(rng), key(rng) if i % 3 == 0 else None
        keys[name] = dict({"id": name, "public_key": public},
                          **({"preshared_key": psk} if psk else {}))
        devices[name] = {"id": name, "addresses": [address(i)], "active": True}
        want[public] = (psk, [address(i) + "/32"])
    gateway = open_gateway(addresses="10.9.0.1/16", log_level="info")
    try:
        await_applied(gateway, device_keys=gateway.bus.replace("device_keys", keys),
                      devices=gateway.bus.replace("devices", devices))
        assert actual(gateway) == want
        one = keys["d%05d" % rng.randrange(count)]
        device = dict(devices[one["id"]], addresses=["10.9.255.1"])
        await_applied(gateway, devices=gateway.bus.set("devices", {one["id"]: device}))
        want[one["public_key"]] = (want[one["public_key"]][0], ["10.9.255.1/32"])
        assert actual(gateway) == want
        del want[one["public_key"]]
        await_applied(gateway, devices=gateway.bus.remove("devices", one["id"]))
        assert actual(gateway) == want
        await_applied(gateway, devices=gateway.bus.replace("devices", {}))
        assert actual(gateway) == {}
    finally:
        gateway.close()


class Sequences:
    """Random changes made to the bus, the interface and the model alike."""

    def __init__(self, gateway, rng):
        self.gateway, self.bus, self.rng = gateway, gateway.bus, rng
        self.model = Model({"mitm": ["10.9.0.1/24", "fd09::1/64"], "other": ["10.8.0.1/24"]})
        self.gens, self.story = {}, []
        self.gather = False  # changes of one sequence go to wgd without waiting for each

    def names(self):
        return sorted(self.model.devices) or [None]

    def note(self, *words):
        self.story.append(" ".join(map(str, words)))

    def free_address(self, tunnel):
        net = "10.9.0.%d" if tunnel == "mitm" else "10.8.0.%d"
        used = {a for d in self.model.devices.values() for a in d["addresses"]}
        return self.rng.choice(sorted({net % n for n in range(2, 90)} - used))

    def set_keys(self, records):
        self.note("keys", records)
        self.model.set_keys(records)
        self.gens["device_keys"] = self.bus.set("device_keys", records)
        self.changed()

    def set_device(self, name, **fields):
        record = dict(self.model.devices.get(name) or {"id": name, "active": True}, **fields)
        self.note("device", record)
        self.model.set_device(name, record)
        self.gens["devices"] = self.bus.set("devices", {name: record})
        self.changed()

    def changed(self):
        """Who waits for a key gets it as soon as it is free, be the next change on its way or not."""
        if not self.gather:
            self.settle()

    # ---- the changes ----

    def add(self, name=None):
        name = name or "d%02d" % self.rng.randrange(40)
        tunnel = self.rng.choice(["mitm", "mitm", "other"])
        addresses = [self.free_address(tunnel)]
        if tunnel == "mitm" and self.rng.random() < .5:
            addresses.append("fd09::" + addresses[0].rsplit(".", 1)[1])
        record = {"id": name, "public_key": key(self.rng)}
        if self.rng.random() < .3:
            record["preshared_key"] = key(self.rng)
        self.set_keys({name: record})
        self.set_device(name, tunnel=tunnel, addresses=addresses)

    def remove(self, name):
        self.note("remove", name)
        if name in self.model.keys:
            self.model.remove_key(name)
            self.gens["device_keys"] = self.bus.remove("device_keys", name)
            self.changed()
        self.model.remove_device(name)
        self.gens["devices"] = self.bus.remove("devices", name)
        self.changed()

    def new_key(self, name):
        self.set_keys({name: dict(self.model.keys[name], public_key=key(self.rng))})

    def new_preshared_key(self, name):
        record = dict(self.model.keys[name])
        record.pop("preshared_key", None)
        if self.rng.random() < .6:
            record["preshared_key"] = key(self.rng)
        self.set_keys({name: record})

    def swap_keys(self, name):
        other = self.rng.choice(self.names())
        one, two = self.model.keys[name], self.model.keys[other]
        self.set_keys({name: dict(two, id=name), other: dict(one, id=other)})

    def new_address(self, name):
        tunnel = self.model.devices[name]["tunnel"]
        self.set_device(name, addresses=[self.free_address(tunnel)])

    def move(self, name):
        tunnel = "other" if self.model.devices[name]["tunnel"] == "mitm" else "mitm"
        self.set_device(name, tunnel=tunnel, addresses=[self.free_address(tunnel)])

    def duplicate_key(self, name):
        other = self.rng.choice(self.names())
        self.set_keys({name: dict(self.model.keys[name],
                                  public_key=self.model.keys[other]["public_key"])})

    def duplicate_address(self, name):
        other = self.model.devices[self.rng.choice(self.names())]
        self.set_device(name, tunnel=other["tunnel"], addresses=list(other["addresses"]))

    def spoil(self, name):
        field, value = self.rng.choice([
            ("public_key", "nonsense"), ("public_key", key(self.rng)[:-4] + "===="),
            ("preshared_key", "short"), ("addresses", ["10.9.0.300"]), ("addresses", []),
            ("addresses", ["10.7.0.9"]), ("addresses", ["10.9.0.1"]), ("addresses", ["10.9.0.255"]),
            ("addresses", ["10.9.0.0"]), ("tunnel", "nowhere")])
        if field in ("addresses", "tunnel"):
            self.set_device(name, **{field: value})
        else:
            self.set_keys({name: dict(self.model.keys[name], **{field: value})})

    # ---- beside the bus ----

    def by_hand(self):
        tunnel = self.rng.choice(sorted(INTERFACES))
        interface = INTERFACES[tunnel]
        peers = sorted(self.model.peers(tunnel))
        one = self.rng.choice(peers) if peers else key(self.rng)
        words = self.rng.choice([
            ["peer", one, "remove"], ["peer", one, "allowed-ips", "0.0.0.0/0"],
            ["peer", one, "preshared-key", "/dev/null"], ["peer", one, "allowed-ips", ""],
            ["peer", key(self.rng), "allowed-ips", "10.9.0.0/25,10.8.0.0/25"],
            ["peer", key(self.rng)], ["listen-port", "4444"]])
        self.note("by hand", interface, *words)
        self.gateway.run("wg", "set", interface, *words)
        self.gateway.run("ip", "link", "set", interface, "mtu", "1300")  # starts a pass

    def restart(self):
        # One that is killed begins with a last good state that may be older; who held a key then
        # is another question.
        kill = not self.model.has_duplicate_keys() and self.rng.random() < .5
        self.note("restart", "killed" if kill else "stopped")
        if kill:
            self.gateway.wgd.kill()
        else:
            self.gateway.wgd.stop()
        self.gateway.redis("DEL", "culvert:status:wgd:1")
        self.model.restart()
        self.gateway.wgd.start()

    def settle(self):
        await_applied(self.gateway, **self.gens)
        self.model.settle()

    def run(self):
        """One sequence; its end agrees exactly."""
        self.gather = not self.model.has_duplicate_keys() and self.rng.random() < .5
        kinds = [self.new_key, self.new_preshared_key, self.new_address, self.move,
                 self.duplicate_address, self.spoil, self.remove, self.swap_keys]
        for _ in range(self.rng.randint(1, 6)):
            name = self.rng.choice(self.names())
            if name is None or self.rng.random() < .3:
                self.add()
            else:
                self.rng.choice(kinds if self.gather else kinds + [self.duplicate_key] * 2)(name)
        self.settle()
        if self.rng.random() < .06:
            self.restart()
            self.settle()
        by_hand = self.rng.random() < .15
        if by_hand:
            self.by_hand()
        self.compare(at_once=not by_hand)

    def compare(self, at_once):
        for tunnel, interface in INTERFACES.items():
            want = self.model.peers(tunnel)
            if not at_once:
                wait_until(lambda: actual(self.gateway, interface) == want, "healed")
                port = {"wgt0": "51820", "wgt1": "51821"}[interface]
                wait_until(lambda: self.gateway.run(
                    "wg", "show", interface, "listen-port").strip() == port, "port")
            assert actual(self.gateway, interface) == want


def test_random_changes_end_in_exact_agreement():
    """W3, W8: against a model; WGD_SEED and WGD_SEQUENCES replay a run."""
    print("WGD_SEED=%d" % SEED)
    gateway = open_gateway(extra=OTHER_TUNNEL)
    run = Sequences(gateway, random.Random(SEED))
    try:
        for number in range(SEQUENCES):
            run.note("--", number)
            run.run()
    except AssertionError as exc:
        raise AssertionError("WGD_SEED=%d\n%s\n%s\n%s" % (
            SEED, exc, "\n".join(run.story[-25:]), gateway.wgd.log()[-3000:])) from exc
    finally:
        gateway.close()


# Echo requests at a steady pace until stdin ends; how many were sent, how many answered.
FLOOD = r"""
import select, socket, struct, sys, time
PER_SECOND, IN_FLIGHT = 800, 100  # no queue on the way overflows when somebody has to wait
def message(number):
    body = struct.pack("!BBHHHI", 8, 0, 0, 77, 0, number)
    total = sum(struct.unpack("!6H", body))
    total = (total & 0xffff) + (total >> 16)
    return body[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + body[4:]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
s.connect((sys.argv[1], 0))
s.setblocking(False)
seen = set()
def read():
    try:
        while True:
            data = s.recv(256)[20:]
            if len(data) == 12 and data[0] == 0:
                seen.add(struct.unpack("!I", data[8:])[0])
    except BlockingIOError:
        pass
end = time.monotonic() + 20
while not seen and time.monotonic() < end:
    s.send(message(0)); select.select([s], [], [], .1); read()
print("answered", flush=True)
start, sent = time.monotonic(), 0
while not select.select([sys.stdin], [], [], .001)[0]:
    due = int((time.monotonic() - start) * PER_SECOND) - sent
    for _ in range(min(16, due, IN_FLIGHT - (sent + 1 - len(seen)))):
        sent += 1
        s.send(message(sent))
    read()
end = time.monotonic() + 10
while len(seen) < sent + 1 and time.monotonic() < end:
    select.select([s], [], [], .1); read()
print(sent, len(seen) - 1)
"""


@pytest.fixture
def traffic():
    """A gateway, and a host whose tunnel it is the end of; gives both."""
    gateway, client, program = open_gateway(log_level="info"), Host(mounts=True), None
    try:
        private, public = genkey()
        gen = gateway.bus.put_device("a", public, "10.9.0.2")
        await_applied(gateway, devices=gen)
        gateway.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns",
                    client.sleeper.pid)
        gateway.run("ip", "address", "add", "192.0.2.1/24", "dev", "up0")
        gateway.run("ip", "link", "set", "up0", "up")
        client.run("ip", "address", "add", "192.0.2.2/24", "dev", "eth0")
        client.run("ip", "link", "set", "eth0", "up")
        if KERNEL:
            client.run("ip", "link", "add", "wgc0", "type", "wireguard")
        else:
            client.run("sh", "-c", "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard")
            program = client.start("wireguard-go", "-f", "wgc0", stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: client.run("wg", "show", "wgc0", check=False), "client")
        client.run("wg", "set", "wgc0", "private-key", "/dev/stdin", "peer",
                   gateway.run("wg", "show", "wgt0", "public-key").strip(), "endpoint",
                   "192.0.2.1:51820", "allowed-ips", "10.9.0.0/24", text=private)
        client.run("ip", "address", "add", "10.9.0.2/24", "dev", "wgc0")
        client.run("ip", "link", "set", "wgc0", "up")
        yield gateway, client
    finally:
        if program:
            program.kill()
            program.wait()
        client.close()
        gateway.close()


def test_no_packet_is_lost_while_other_peers_come_and_go(traffic):
    """W3: an unchanged peer notices nothing of a hundred others added and removed."""
    gateway, client = traffic
    rng = random.Random(SEED)
    flood = client.start("/usr/bin/python3", "-c", FLOOD, "10.9.0.1", stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
    try:
        assert flood.stdout.readline() == "answered\n"
        for i in range(100):
            gen = gateway.bus.put_device("other", key(rng), "10.9.0.%d" % (3 + i))
            await_applied(gateway, devices=gen)
            await_applied(gateway, devices=gateway.bus.remove_device("other"))
        text, _ = flood.communicate("", timeout=60)
    finally:
        flood.kill()
        flood.wait()
    sent, answered = map(int, text.split())
    assert sent > 500
    assert answered == sent
