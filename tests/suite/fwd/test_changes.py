# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes while traffic flows: policy, drift, restarts (F1, F7, F8, F9, F11)."""
import json
import re
import signal
import subprocess
import time

import pytest

from support import BUILD
from support.net import Host
from support.network import LAN, SITE, TUNNEL
from support.wait import wait_until
from table import WHERE
from world import DEVICES, PYTHON, QUIET_S, device

CHANGE_S = 1.0  # F9, F11: at the gateway
REPORT = "rules were changed by another program, restoring them"


@pytest.fixture(autouse=True)
def usual_devices(world):
    """Each test leaves the devices as it found them."""
    before = dict(world.owner.records["devices"])
    yield
    if not world.fwd.is_running():
        world.start_fwd()
    if world.owner.records["devices"] != before:
        world.owner.replace("devices", before)
        world.wait_applied("devices")


class Flow:
    """A TCP connection of a device that says something and waits for the answer, on demand."""

    SCRIPT = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET)
s.settimeout(30)
s.bind((sys.argv[1], 0))
s.connect((sys.argv[2], int(sys.argv[3])))
print(s.recv(100).decode(), flush=True)
for line in sys.stdin:
    try:
        s.settimeout(float(line))
        s.sendall(b'x')
        print('answer' if s.recv(100) else 'closed', flush=True)
    except socket.timeout:
        print('silence', flush=True)
    except OSError as e:
        print('reset', flush=True)
"""

    def __init__(self, world, who, to, port):
        source = TUNNEL[6 if ":" in to else 4] % DEVICES[who]
        self.child = world.client.start(PYTHON, "-c", self.SCRIPT, source, to, str(port),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.greeting = self.child.stdout.readline()

    def talk(self, patience=30.0):
        self.child.stdin.write("%g\n" % patience)
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


@pytest.fixture
def flow(world):
    made = []

    def make(*args):
        made.append(Flow(world, *args))
        assert made[-1].greeting, "no connection"
        return made[-1]
    yield make
    for one in made:
        one.close()


def test_a_new_block_ends_live_flows(world, flow):
    """F9: what is open is judged again; other devices' flows go on."""
    gone = [flow("full", SITE[4], 1234), flow("full", SITE[6], 1234)]
    kept = [flow("internet", SITE[4], 1234), flow("full", LAN[4], 1234)]
    assert [one.talk() for one in gone + kept] == ["answer"] * 4
    start = time.monotonic()
    world.owner.set("devices", {"full": device("full", profile="intranet")})
    world.wait_applied("devices")
    assert time.monotonic() - start < CHANGE_S * 10
    assert [one.talk() for one in gone] == ["reset", "reset"]
    assert [one.talk() for one in kept] == ["answer", "answer"]


def test_a_removed_device_is_silenced(world, flow):
    """F9, F5"""
    one = flow("full", SITE[4], 1234)
    world.owner.remove("devices", "full")
    world.wait_applied("devices")
    assert one.talk(1.0) == "silence"
    assert world.probe_one("full", SITE[4], "udp", 53, patience=QUIET_S)[0] == "silence"


def test_a_switch_cuts_open_dns(world, flow):
    """F7: flows to the gateway's own services too."""
    one = flow("full", SITE[4], 53)
    assert one.talk() == "answer"
    world.owner.set("device_prefs", {"device:full": {"id": "device:full", "offline_vpn": True}})
    world.wait_applied("device_prefs")
    assert one.talk() == "reset"
    assert world.probe_one("full", SITE[4], "tcp", 8080)[0] == "reset"
    world.owner.remove("device_prefs", "device:full")
    world.wait_applied("device_prefs")
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"


def test_a_list_acts_by_address_in_its_windows_alone(world):
    """D11, F6: as in DNS; also one that is off for the device otherwise."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    never = days[(time.gmtime().tm_wday + 3) % 7]
    world.owner.set("devices", {
        "list_off": device("list_off", time_zone="UTC", schedules=[{"what": "list:ads"}]),
        "full": device("full", time_zone="UTC", schedules=[{"what": "list:ads", "days": [never]}])})
    world.wait_applied("devices")
    for address in WHERE["listed"].address.values():
        assert world.probe_one("list_off", address, "tcp", 1234)[0] == "reset"
        assert world.probe_one("full", address, "tcp", 1234)[0] == "answer"
        assert world.probe_one("internet", address, "tcp", 1234)[0] == "reset"


def test_a_lan_prefix_added_closes_it(world):
    """F2: settings.lan_prefixes."""
    assert world.probe_one("internet", SITE[4], "tcp", 1234)[0] == "answer"
    world.owner.set("settings", {"lan_prefixes":
                    {"id": "lan_prefixes", "value": ["198.51.100.0/24"]}})
    world.wait_applied("settings")
    internet, lan = world.probe([("internet", SITE[4], "tcp", 1234), ("internet", LAN[4], "tcp", 1234)])
    assert internet[0] == "reset"
    assert lan[0] == "reset"  # a network of the gateway's own
    world.owner.remove("settings", "lan_prefixes")
    world.wait_applied("settings")
    assert world.probe_one("internet", SITE[4], "tcp", 1234)[0] == "answer"


def test_a_new_network_of_the_gateway_is_lan(world):
    """F2"""
    world.gw.run("ip", "address", "add", "198.51.100.77/24", "dev", "lan0")
    try:
        wait_until(lambda: "198.51.100.0/24" in world.nft("list", "set", "inet", "culvert", "lan4"))
    finally:
        world.gw.run("ip", "address", "del", "198.51.100.77/24", "dev", "lan0")
    wait_until(lambda: "198.51.100.0/24" not in world.nft("list", "set", "inet", "culvert", "lan4"))


def test_a_changed_profile_acts_on_its_devices(world):
    """F2"""
    before = dict(world.owner.records["profiles"])
    assert world.probe_one("custom", SITE[4], "tcp", 1234)[0] == "answer"
    world.owner.set("profiles", {"custom": {"name": "custom", "rules": [
        {"action": "allow", "prefixes": ["10.77.0.0/24"]}]}})
    world.wait_applied("profiles")
    site, lan = world.probe([("custom", SITE[4], "tcp", 1234), ("custom", LAN[4], "tcp", 1234)])
    assert (site[0], lan[0]) == ("reset", "answer")
    world.owner.set("profiles", {"custom": {"name": "custom", "rules": [{"action": "allow", "ports": ["x"]}]}})
    world.wait_applied("profiles")
    assert world.probe_one("custom", LAN[4], "tcp", 1234)[0] == "reset"
    world.owner.replace("profiles", before)
    world.wait_applied("profiles")
    assert world.probe_one("custom", SITE[4], "tcp", 1234)[0] == "answer"


# Their elements change, or expire, by themselves.
CHANGING = ("epoch", "refused", "listed", "strict", "renewal")


def rules(world):
    """The table without what changes by itself."""
    table = json.loads(world.nft("-j", "list", "table", "inet", "culvert"))["nftables"]
    kept = []
    for item in table:
        kind, body = next(iter(item.items()))
        if kind == "metainfo" or body.get("name", "").startswith(CHANGING):
            continue
        body = {k: v for k, v in body.items() if k not in ("handle", "packets", "bytes")}
        if isinstance(body.get("elem"), list):
            body["elem"] = sorted(re.sub(r'"(expires|timeout)": \d+', "", json.dumps(e, sort_keys=True))
                                  for e in body["elem"])
        kept.append(json.dumps([kind, body], sort_keys=True))
    return kept


def whole(world):
    """The rules but for mask ids, which each run gives anew, and those of admins' profiles."""
    return sorted(rule for rule in rules(world) if "mask_" not in rule and "devices" not in rule
                  and not re.search(r"profile_\d\d", rule))


def tidy(world):
    """What nobody needs any more goes when all rules are written, and what was needed until then goes with
    the next but one."""
    for _ in range(3):
        reload(world)


def reload(world):
    done = world.fwd.log().count("reloaded")
    world.fwd.send(signal.SIGHUP)
    wait_until(lambda: world.fwd.log().count("reloaded") > done)


def _same(world, before):
    try:
        return sorted(rules(world)) == sorted(before)
    except (AssertionError, ValueError):
        return False  # no table


@pytest.mark.parametrize("damage", [
    "flush ruleset",
    "delete table inet culvert",
    "flush chain inet culvert judge",
    "flush map inet culvert devices4",
    "add element inet culvert tunnels { \"evil0\" }",
    "insert rule inet culvert from_device accept",
    "add rule inet culvert input accept",
    "delete element inet culvert profiles { 2 }",
    "flush set inet culvert epoch_ok",
    "add chain inet culvert forward { policy accept; }",
    "add chain inet culvert evil { type filter hook forward priority -10; policy drop; }",
    "add chain inet culvert odd; add rule inet culvert odd accept; insert rule inet culvert judge goto odd",
    "delete element inet culvert devices4 { \"wgT\" . 10.9.0.2 }",
    "flush chain inet culvert nat_in; delete chain inet culvert nat_in",
    "flush table inet culvert; delete set inet culvert doh4",
    "add chain inet culvert odd; add map inet culvert odd { type mark : verdict; }; "
    "add element inet culvert odd { 1 : goto odd }",
])
def test_a_foreign_change_is_undone(world, damage):
    """F11: healed within a second of the event, and reported."""
    tidy(world)
    before = rules(world)
    reports = world.fwd.log().count(REPORT)
    world.nft(damage)
    start = time.monotonic()
    wait_until(lambda: _same(world, before), "the table as before", CHANGE_S * 10)
    took = time.monotonic() - start
    wait_until(lambda: world.fwd.log().count(REPORT) > reports, "report", 20)
    assert world.probe_one("full", SITE[4], "tcp", 1234)[0] == "answer"
    print("healed after %.3f s" % took)


def test_a_foreign_change_is_told_to_apid(world):
    """F11: event `alarm`, with the name of the program."""
    with world.redis.connect() as listener:
        listener("SUBSCRIBE", "culvert:event:fwd:alarm")
        world.nft("flush chain inet culvert judge")
        message = listener.read()[2]
    assert "rules_changed" in message and "nft" in message


def _blocks(text):
    """Chain or set of the dump → its lines."""
    blocks, name = {}, None
    for line in text.splitlines():
        if line.startswith("\t\t"):
            blocks[name].append(line.strip())
        elif line.endswith(" {") and line.startswith("\t"):
            name = line.split()[1]
            blocks[name] = []
    return blocks


def test_dump_shows_the_table(world):
    """The table without nft: as many rules in each chain and elements in each set as nft shows."""
    text = world.gw.run(BUILD / "bin/fwd", "-c", world.fwd.conf, "--dump")
    shown = _blocks(text)
    wanted = {}
    for item in json.loads(world.nft("-j", "list", "table", "inet", "culvert"))["nftables"]:
        kind, body = next(iter(item.items()))
        if kind == "rule":
            wanted[body["chain"]] = wanted.get(body["chain"], 0) + 1
        elif kind in ("set", "map") and body["name"] not in CHANGING:
            wanted[body["name"]] = len(body.get("elem", ()))
    assert len(wanted) > 50
    for name, count in wanted.items():
        lines = [line for line in shown[name] if not line.startswith("below ")]
        assert len(lines) == count, (name, lines)
    assert any(line.startswith('"wgT" . 10.9.0.2 : 0x') for line in shown["devices4"])
    assert any(line.startswith("198.51.100.20 expires ") for line in shown["listed4_lo"])
    assert "counter unknown_source" in text and "reject" in text


def test_nft_accepts_what_it_lists(world):
    """F1: an admin can keep the table in a file: `nft list table inet culvert` is valid, and says the same."""
    expiry = re.compile(r" (timeout|expires) [\dhms]+|packets \d+ bytes \d+")
    for _ in range(5):  # an element may expire between the two lists
        host = Host()
        try:
            # nft 1.0 prints gc-interval of a map, too, and takes it of a set alone; and it has no words for a
            # bit of what a map says, which the kernel knows.
            text = re.sub(r"\t+gc-interval .*\n|.* map @listed._.. & .*\n", "",
                          world.nft("list", "table", "inet", "culvert"))
            host.run("nft", "-f", "-", text=text)
            again = host.run("nft", "list", "table", "inet", "culvert")
        finally:
            host.close()
        if expiry.sub("", again) == expiry.sub("", text):
            break
    assert expiry.sub("", again) == expiry.sub("", text)


def test_another_table_is_left_alone(world):
    """F1: only the table inet culvert is ours."""
    world.nft("add table inet other")
    world.nft("add chain inet other c")
    world.owner.set("devices", {"extra": device("extra", number=77, profile="full")})
    world.wait_applied("devices")
    assert "chain c" in world.nft("list", "table", "inet", "other")
    assert "10.9.0.77" in world.nft("list", "map", "inet", "culvert", "devices4")
    world.nft("delete table inet other")


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_rules_outlive_fwd(world, flow, how):
    """F8; a start takes them over without a gap, live flows go on (C3)."""
    one = flow("full", SITE[4], 1234)
    before, same = rules(world), whole(world)
    getattr(world.fwd, how)()
    assert sorted(rules(world)) == sorted(before)
    allowed, refused = world.probe([("full", SITE[4], "tcp", 1234), ("intranet", SITE[4], "tcp", 1234)])
    assert (allowed[0], refused[0]) == ("answer", "reset")
    world.start_fwd()
    assert one.talk() == "answer"
    wait_until(lambda: whole(world) == same)


def test_starts_from_the_last_good_state_without_redis(world):
    """F8, DESIGN 2.3: Redis gone at a start."""
    world.fwd.stop()
    world.nft("delete table inet culvert")
    world.forget_status()
    away = world.redis.socket.rename(world.dir / "redis.sock.away")
    try:
        world.fwd.start()
        wait_until(lambda: "10.9.0.2" in world.gw.run("nft", "list", "map", "inet", "culvert",
                                                      "devices4", check=False))
        allowed, refused = world.probe([("full", SITE[4], "tcp", 1234),
                                        ("intranet", SITE[4], "tcp", 1234)])
        assert (allowed[0], refused[0]) == ("answer", "reset")
    finally:
        away.rename(world.redis.socket)
    world.wait_applied("devices")


def test_forwarding_is_on_with_the_rules(world):
    """F8"""
    assert world.gw.read("/proc/sys/net/ipv4/ip_forward") == "1"
    assert world.gw.read("/proc/sys/net/ipv6/conf/all/forwarding") == "1"
