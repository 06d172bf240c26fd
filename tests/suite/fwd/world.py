# SPDX-License-Identifier: GPL-3.0-or-later
"""A gateway between devices, a LAN and an Internet, in network namespaces of the test's own.

The interface wgT is a veth, so that packets with any source address can be sent; Redis is private;
`Owner` writes the state of apid as DESIGN 4 says.
"""
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.get("B", os.path.join(TOP, "build"))
PYTHON = "/usr/bin/python3"

# Devices and the last number of their addresses.
DEVICES = {"full": 2, "internet": 3, "intranet": 4, "walled": 5, "offline_vpn": 6,
           "offline_browser": 7, "both": 8, "custom": 9, "nosuch": 10, "no_v6": 11, "expired": 12,
           "inactive": 13, "stranger": 66}
TUNNEL = {4: "10.9.0.%d", 6: "fd09::%d"}
GATEWAY = {4: "10.9.0.1", 6: "fd09::1"}
LAN = {4: "10.77.0.5", 6: "fd77::5"}
LAN_GATEWAY = {4: "10.77.0.1", 6: "fd77::1"}
UPLINK = {4: "203.0.113.1", 6: "2001:db8:1::1"}
UPLINK_PEER = {4: "203.0.113.2", 6: "2001:db8:1::2"}
SITE = {4: "198.51.100.10", 6: "2001:db8:100::10"}
QUAD9 = {4: "9.9.9.9", 6: "2620:fe::fe"}
NOBODY = {4: "10.9.0.200", 6: "fd09::200"}  # another device
PORTS = "53,80,443,853,1234,1500"


def wait_until(predicate, seconds=10, what="condition"):
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < deadline, "%s: not within %g s" % (what, seconds)
        time.sleep(0.01)


class Host:
    """A network namespace, alive as long as its sleeper."""

    def __init__(self):
        self.sleeper = subprocess.Popen(["unshare", "-n", "--", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink("/proc/%d/ns/net" % self.sleeper.pid) != own)
        self.run("ip", "link", "set", "lo", "up")

    def argv(self, *argv):
        return ["nsenter", "-t", str(self.sleeper.pid), "-n", "--", *argv]

    def run(self, *argv, text=None, check=True):
        done = subprocess.run(self.argv(*argv), input=text, text=True, check=False,
                              capture_output=True)
        assert not check or done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout

    def start(self, *argv, **options):
        return subprocess.Popen(self.argv(*argv), **options)

    def write(self, path, value):
        self.run("sh", "-c", 'echo "$1" > "$2"', "sh", str(value), path)

    def read(self, path):
        return self.run("cat", path).strip()

    def close(self):
        self.sleeper.kill()
        self.sleeper.wait()


class Owner:
    """apid on the bus: replaces topics, sets single records."""

    def __init__(self, socket):
        self.socket = socket
        self.epoch = secrets.token_hex(16)
        self.gen = 0
        self.stamps = {}
        self.records = {}
        self.cli("SET", "culvert:epoch:apid", self.epoch)

    def cli(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.socket, *words], check=True,
                              capture_output=True, text=True)
        return done.stdout.strip()

    def _announce(self, topic, **body):
        self.gen += 1
        stamp = {"gen": self.gen, "wid": secrets.token_hex(16)}
        stamp["full"] = self.gen if body.get("full") else self.stamps.get(topic, stamp)["full"]
        message = {"v": 1, "epoch": self.epoch, "gen": self.gen, "wid": stamp["wid"],
                   "prev": self.stamps.get(topic), **body}
        key = "culvert:state:%s:apid" % topic
        self.cli("SET", "culvert:gen:apid", str(self.gen))
        self.cli("HSET", "culvert:gens:apid", topic, json.dumps(stamp))
        self.cli("PUBLISH", key, json.dumps(message))
        self.stamps[topic] = stamp
        return self.gen

    def replace(self, topic, records):
        key = "culvert:state:%s:apid" % topic
        self.records[topic] = dict(records)
        self.cli("DEL", key)
        if records:
            self.cli("HSET", key, *[w for k, v in records.items() for w in (k, json.dumps(v))])
        return self._announce(topic, full=True)

    def set(self, topic, name, record):
        self.records[topic][name] = record
        self.cli("HSET", "culvert:state:%s:apid" % topic, name, json.dumps(record))
        return self._announce(topic, set={name: record}, **{"del": []})

    def remove(self, topic, name):
        del self.records[topic][name]
        self.cli("HDEL", "culvert:state:%s:apid" % topic, name)
        return self._announce(topic, set={}, **{"del": [name]})


def device(name, number=None, **fields):
    number = number or DEVICES[name]
    record = {"id": name, "active": True, "tunnel": "mitm",
              "addresses": [TUNNEL[4] % number, TUNNEL[6] % number], "profile": name}
    record.update(fields)
    return record


def first_devices():
    devices = {name: device(name) for name in ("full", "internet", "intranet", "walled", "custom",
                                               "nosuch")}
    for name in ("offline_vpn", "offline_browser", "both"):
        devices[name] = device(name, profile="full")
    devices["no_v6"] = device("no_v6", profile="full", v6=False)
    devices["expired"] = device("expired", profile="full", expires_at=1000)
    devices["inactive"] = device("inactive", profile="full", active=False)
    return devices


PROFILES = {"custom": {"name": "custom", "rules": [
    {"action": "block", "ports": ["1500"]},
    {"action": "allow", "prefixes": [SITE[4] + "/32", SITE[6] + "/128"], "protocols": ["tcp"],
     "ports": ["1200-1600"]},
    {"action": "allow", "prefixes": ["10.77.0.0/24"], "protocols": ["udp"]}]}}


class World:
    """Everything; up() once, down() always."""

    def __init__(self, intercept=False):
        self.intercept = intercept
        self.dir = tempfile.mkdtemp(prefix="culvert-fwd-")
        os.chmod(self.dir, 0o755)
        self.hosts = []
        self.children = []
        self.fwd = None

    def up(self):
        self._links()
        self._redis()
        self._responders()
        self.owner = Owner(self.socket)
        self.owner.replace("groups", {})
        self.owner.replace("settings", {})
        self.owner.replace("profiles", PROFILES)
        self.owner.replace("device_prefs", {
            "device:offline_vpn": {"id": "device:offline_vpn", "offline_vpn": True},
            "device:offline_browser": {"id": "device:offline_browser", "offline_browser": True},
            "device:both": {"id": "device:both", "offline_vpn": True, "offline_browser": True}})
        self.owner.replace("devices", first_devices())
        self.conf = os.path.join(self.dir, "culvert.conf")
        self.configure(self.intercept)
        self.start_fwd()

    def down(self):
        self.stop_fwd()
        for child in self.children:
            child.kill()
            child.wait()
        for host in self.hosts:
            host.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _host(self):
        host = Host()
        self.hosts.append(host)
        return host

    def _links(self):
        self.gw, self.client, self.lan, self.inet = [self._host() for _ in range(4)]
        for host in self.hosts:
            host.write("/proc/sys/net/ipv6/conf/default/accept_dad", 0)
            host.write("/proc/sys/net/ipv6/conf/all/disable_ipv6", 0)
        for name, other, far in (("wgT", self.client, "wg0"), ("lan0", self.lan, "eth0"),
                                 ("up0", self.inet, "eth0")):
            self.gw.run("ip", "link", "add", name, "type", "veth", "peer", "name", far, "netns",
                        str(other.sleeper.pid))
            self.gw.run("ip", "link", "set", name, "up")
            other.run("ip", "link", "set", far, "up")
        for family, bits in ((4, 24), (6, 64)):
            for name, address in (("wgT", GATEWAY), ("lan0", LAN_GATEWAY), ("up0", UPLINK)):
                self._address(self.gw, "%s/%d" % (address[family], bits), name)
            self._address(self.lan, "%s/%d" % (LAN[family], bits), "eth0")
            self._address(self.inet, "%s/%d" % (UPLINK_PEER[family], bits), "eth0")
            for extra in (SITE, QUAD9):
                self._address(self.inet, extra[family], "lo")
            for number in DEVICES.values():
                self._address(self.client, "%s/%d" % (TUNNEL[family] % number,
                                                      32 if family == 4 else 128), "wg0")
            inet = "-%d" % family
            self.client.run("ip", inet, "route", "add", "default", "via", GATEWAY[family], "dev",
                            "wg0", "onlink")
            self.lan.run("ip", inet, "route", "add", "default", "via", LAN_GATEWAY[family])
            self.gw.run("ip", inet, "route", "add", "default", "via", UPLINK_PEER[family])
            self.inet.run("ip", inet, "route", "add", "default", "via", UPLINK[family])

    @staticmethod
    def _address(host, address, name):
        words = ["nodad"] if ":" in address else []
        host.run("ip", "address", "add", address, "dev", name, *words)

    def _redis(self):
        self.socket = os.path.join(self.dir, "redis.sock")
        self.children.append(subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "777",
             "--save", "", "--dir", self.dir], stdout=subprocess.DEVNULL))
        wait_until(lambda: os.path.exists(self.socket), what="redis")

    def _respond(self, host, name, ports, addresses):
        child = host.start(PYTHON, os.path.join(HERE, "responder.py"), name, ports, *addresses,
                           stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        assert child.stdout.readline() == "ready\n", name

    def _responders(self):
        both = (4, 6)
        self._respond(self.lan, "lan", PORTS, [LAN[f] for f in both])
        self._respond(self.inet, "inet", PORTS,
                      [a[f] for a in (SITE, QUAD9, UPLINK_PEER) for f in both])
        self._respond(self.gw, "gw", "22,53,80,443,3128,3129,8080,8443,8444",
                      ["0.0.0.0", "::"])

    def configure(self, intercept):
        with open(self.conf, "w", encoding="ascii") as out:
            out.write("[culvert]\nstate_dir = %s/state\ncache_dir = %s/cache\n"
                      "[bus]\nredis = unix:%s\n"
                      "[tunnel mitm]\ninterface = wgT\naddresses = %s/24, %s/64\n"
                      "[fwd]\nuser = 64102\nintercept = %s\n" % (
                          self.dir, self.dir, self.socket, GATEWAY[4], GATEWAY[6],
                          "yes" if intercept else "no"))

    def start_fwd(self):
        self.log = os.path.join(self.dir, "fwd.log")
        with open(self.log, "ab") as log:
            self.fwd = self.gw.start(os.path.join(BUILD, "bin", "fwd"), "-c", self.conf, stderr=log)
        self.wait_applied("devices")
        self.wait_applied("profiles")

    def stop_fwd(self, how=signal.SIGTERM):
        if not self.fwd:
            return None
        self.fwd.send_signal(how)
        status = self.fwd.wait(timeout=20)
        self.fwd = None
        return status

    def fwd_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def status(self):
        text = self.owner.cli("GET", "culvert:status:fwd:1")
        return json.loads(text) if text else {}

    def wait_applied(self, topic, gen=None):
        """Until fwd says that it enforces the generation (by default the last one)."""
        gen = gen or self.owner.stamps[topic]["gen"]

        def applied():
            assert self.fwd.poll() is None, self.fwd_log()
            return self.find_applied(topic) >= gen
        wait_until(applied, 10, "generation %d of %s" % (gen, topic))

    def find_applied(self, topic):
        found = self.status().get("applied", {})
        value = found.get("%s:apid" % topic, found.get(topic, 0))
        return value.get("apid", value.get("gen", 0)) if isinstance(value, dict) else value

    def probe(self, probes):
        """[(device, destination, protocol, port)] → [(verdict, seconds, detail)]"""
        wire = [[TUNNEL[6 if ":" in to else 4] % DEVICES[who], to, protocol, port]
                for who, to, protocol, port in probes]
        out = self.client.run(PYTHON, os.path.join(HERE, "prober.py"), text=json.dumps(wire))
        return [tuple(one) for one in json.loads(out)]

    def probe_one(self, *probe):
        return self.probe([probe])[0]

    def nft(self, *words):
        return self.gw.run("nft", *words)


sys.dont_write_bytecode = True
