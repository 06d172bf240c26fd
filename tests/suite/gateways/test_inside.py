# SPDX-License-Identifier: GPL-3.0-or-later
"""Between machines the bus is inside of a tunnel: the recipe of gateways.md, as it stands there (SPEC O4)."""
import re
import shutil
import subprocess

import apidlib
import pytest

from support import BUILD, ROOT
from support.net import Host
from support.process import Daemon
from support.redis import Client
from support.wait import wait_until

UID = apidlib.UID
GUIDE = (ROOT / "deploy/doc/gateways.md").read_text()
CONF, _, ACL, TUNNEL = re.findall(r"^```\w+\n(.*?)^```", GUIDE, re.S | re.M)


class Machine:
    """A host with one end of the tunnel between machines."""

    def __init__(self, directory, number):
        self.dir, self.number, self.host = directory, number, Host(mounts=True)
        self.interface = "bus%d" % number
        self.host.run("sh", "-c", "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard")
        self.carrier = self.host.start("wireguard-go", "-f", self.interface, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.key = self.host.run("wg", "genkey").strip()
        self.public = self.host.run("wg", "pubkey", text=self.key).strip()

    def join(self, config):
        wait_until(lambda: self.host.run("wg", "show", self.interface, check=False), "the tunnel's interface")
        path = self.dir / ("bus%d.conf" % self.number)
        path.write_text(re.sub(r"^Address.*\n", "", config, flags=re.M))
        self.host.run("wg", "setconf", self.interface, path)
        self.host.run("ip", "address", "add", "10.200.0.%d/24" % self.number, "dev", self.interface)
        self.host.run("ip", "link", "set", self.interface, "up")

    def close(self):
        self.carrier.kill()
        self.carrier.wait()
        self.host.close()


@pytest.fixture
def machines(place):
    one, two = Machine(place, 1), Machine(place, 2)
    yield one, two
    two.close()
    one.close()


def connect(one, two):
    """The wire, the tunnel over it, and two's eye on what goes to Redis beside it."""
    one.host.run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", two.host.sleeper.pid)
    for machine in (one, two):
        machine.host.run("ip", "address", "add", "192.0.2.%d/24" % machine.number, "dev", "wire")
        machine.host.run("ip", "link", "set", "wire", "up")
    config = TUNNEL.replace("KEY", one.key).replace("OTHER", two.public)
    one.join(config)
    two.join("[Interface]\nPrivateKey = %s\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.200.0.1/32\n"
             "Endpoint = 192.0.2.1:51900\nPersistentKeepalive = 25\n" % (two.key, one.public))
    two.host.run("nft", "add table inet eye; add chain inet eye out { type filter hook output priority 0; }; "
                 "add rule inet eye out oifname wire tcp dport 6379 counter")


def start_redis(machine, place):
    shutil.rmtree(place / "redis", ignore_errors=True)
    (place / "redis").mkdir()
    program, *names = ACL.split(">")[0].split()
    text = subprocess.run([str(BUILD / "bin" / program.rsplit("/", 1)[1]), *names], check=True, capture_output=True, text=True).stdout
    (place / "redis/users.acl").write_text(re.sub(r"@PASSWORD_([\w.-]+)@", r"secret-\1", text) +
                                           "user root on >root ~* &* +@all\n")
    return machine.host.start("redis-server", "--bind", "10.200.0.1", "--port", "6379", "--aclfile",
                              place / "redis/users.acl", "--dir", place / "redis", "--save", "", "--loglevel",
                              "warning", "--unixsocket", place / "redis/redis.sock", stdout=subprocess.DEVNULL)


def configure(place, text):
    secret = apidlib.owned_file(place / "secret", "secret-wgd.south\n")
    for name in ("state", "cache"):
        if not (place / name).exists():
            apidlib.own_dir(place / name)
    conf = place / "culvert.conf"
    conf.write_text(text.replace("[culvert]\n", "[culvert]\nstate_dir = %s/state\ncache_dir = %s/cache\n" % (
        place, place)) + "[wgd]\nuser = %d\nredis_password_file = %s\n" % (UID, secret))
    return conf


def test_a_gateways_daemons_reach_redis_inside_of_the_tunnel_and_nowhere_else(machines, place):
    one, two = machines
    connect(one, two)
    redis = start_redis(one, place)
    wgd = Daemon("wgd", configure(place, CONF), place / "wgd.log", two.host)
    try:
        wgd.start()
        wait_until(lambda: not wgd.is_running() or "bus: connected name=subscriptions" in wgd.log(), "the bus")
        with Client(place / "redis/redis.sock", "root", "root") as root:
            wait_until(lambda: root("GET", "culvert:status:wgd@south:1"), "its status")
        assert "packets 0 " in two.host.run("nft", "list", "chain", "inet", "eye", "out")
        assert two.host.run("sh", "-c", "redis-cli -h 192.0.2.1 ping 2>&1; true").startswith("Could not connect")
        wgd.stop()
    finally:
        if wgd.is_running():
            wgd.kill()
        redis.kill()
        redis.wait()


@pytest.mark.parametrize("daemon", ["wgd", "fwd", "dnsd", "proxyd", "apid", "syncd"])
def test_no_daemon_starts_with_a_redis_beside_the_tunnel(place, daemon):
    conf = configure(place, CONF.replace("networks = 10.200.0.0/24\n", ""))
    done = subprocess.run([str(BUILD / "bin" / daemon), "-c", str(conf), "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and "bus.redis: 10.200.0.1:6379 is another machine" in done.stderr, done.stderr
