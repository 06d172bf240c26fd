# SPDX-License-Identifier: GPL-3.0-or-later
"""Two gateways on one bus, each in a namespace of its own with wgd, fwd, dnsd and proxyd; apid with its
database and syncd beside them; and a client with a WireGuard of its own that reaches both."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import apidlib
from support import BUILD
from support.net import Host, free_port
from support.process import Daemon
from support.redis import Redis
from support.wait import wait_until

UID = apidlib.UID
DAEMONS = ("fwd", "wgd", "dnsd", "proxyd")
NAMES = ("north", "south")
TUNNEL = {"north": "10.9.0", "south": "10.8.0"}
LINK = {"north": "10.1.0", "south": "10.2.0"}  # the gateway's .1, the client's .2
HOME = "192.0.2.7"
CONF = """
[culvert]
state_dir = {dir}/state{at}
cache_dir = {dir}/cache{at}
log_level = debug
gateway = {gateway}
[bus]
redis = unix:{dir}/redis.sock
[tunnel north]
gateway = north
endpoint = 10.1.0.1
interface = wgn0
addresses = 10.9.0.1/24
[tunnel south]
gateway = south
endpoint = 10.2.0.1
interface = wgs0
addresses = 10.8.0.1/24
"""
APID = """
[apid]
user = {uid}
redis_password_file = {password}
provision = 127.0.0.1:{port}
admin = 127.0.0.1:{admin_port}
device_port = 0
rate_address = 0
rate_account = 0
api_key_file = {dir}/api-key
db_socket = {socket}
db_password_file = {dir}/db-password
seed_file = {dir}/seed.json
[syncd]
user = {uid}
redis_password_file = {syncd_password}
"""
SEED = {
    "settings": [{"id": "endpoint", "value": "gw.example"}],
    "dns_records": [{"id": "home", "name": "home.test", "type": "A", "value": HOME}],
    "dns_rules": [{"id": "bad", "pattern": "bad.test", "match": "endswith", "action": "block"}],
}


class Apid(apidlib.Apid):
    def write_conf(self, more):
        apidlib.owned_file(self.conf, CONF.format(dir=self.dir, at="", gateway="") + APID.format(
            uid=UID, dir=self.dir, password=self.redis.password_file("apid", UID), port=self.port,
            admin_port=self.admin_port, socket=self.database.socket,
            syncd_password=self.redis.password_file("syncd", UID)), 0o444)


class Gateway:
    """One machine's daemons."""

    def __init__(self, world, name):
        self.name, self.world, self.net = name, world, LINK[name]
        self.interface = "wg%s0" % name[0]
        self.host = Host(mounts=True)
        self.run = self.host.run
        self.host.run("sh", "-c", "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && "
                      "chown %d /run/wireguard && mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200"
                      % UID)
        for kind in ("state", "cache"):
            apidlib.own_dir(world.dir / ("%s-%s" % (kind, name)))
        self.conf = world.dir / ("%s.conf" % name)
        text = CONF.format(dir=world.dir, at="-" + name, gateway=name)
        for daemon in DAEMONS:
            password = world.redis.password_file("%s.%s" % (daemon, name), UID)
            text += "[%s]\nuser = %d\nredis_password_file = %s\n" % (daemon, UID, password)
        self.conf.write_text(text + "[fwd]\nproxyd_user = %d\n" % UID)
        self.daemons = {d: Daemon(d, self.conf, world.dir / ("%s-%s.log" % (name, d)), self.host) for d in DAEMONS}
        self.wireguard = None

    def start(self):
        self.host.run(BUILD / "bin/proxyd", "-c", self.conf, "--init-ca")
        self.wireguard = self.host.start(
            "setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--inh-caps", "-all,+net_admin",
            "--ambient-caps", "-all,+net_admin", "--", "wireguard-go", "-f", self.interface,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for one in self.daemons.values():
            one.start()

    def status(self, daemon):
        return json.loads(self.world.redis("GET", "culvert:status:%s@%s:1" % (daemon, self.name)) or "{}")

    def has_applied(self, daemon, gen):
        return self.status(daemon).get("applied", {}).get("devices:apid", 0) >= gen

    def peers(self):
        """Public key -> its addresses, as WireGuard has it."""
        text = self.run("wg", "show", self.interface, "allowed-ips", check=False)
        return {line.split()[0]: line.split()[1:] for line in text.splitlines()}

    def kills(self):
        """All of its daemons, as when the machine dies; WireGuard is left, as the kernel would not be."""
        for one in self.daemons.values():
            one.kill()

    def close(self):
        try:
            for one in self.daemons.values():
                one.stop()
        finally:
            if self.wireguard:
                self.wireguard.kill()
                self.wireguard.wait()
            self.host.close()


class World:
    def __init__(self, database):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="culvert-gw-"))
        self.dir.chmod(0o755)
        self.redis = Redis(self.dir, NAMES)
        self.database = database
        self.gateways, self.client, self.apid, self.syncd, self.wgc = {}, None, None, None, None
        self.private, self.public = None, None

    def up(self):
        self.redis.start()
        self.apid = Apid(self.dir, self.redis, self.database, SEED)
        self.apid.launch()
        self.syncd = Daemon("syncd", self.apid.conf, self.dir / "syncd.log").start()
        self.client = Host(mounts=True)
        self.client.run("sh", "-c", "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard")
        for name in NAMES:
            one = self.gateways[name] = Gateway(self, name)
            one.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "to-" + name, "netns",
                    self.client.sleeper.pid)
            for host, link, last in ((one, "up0", 1), (self.client, "to-" + name, 2)):
                host.run("ip", "address", "add", "%s.%d/24" % (LINK[name], last), "dev", link)
                host.run("ip", "link", "set", link, "up")
            one.start()
        self.wgc = self.client.start("wireguard-go", "-f", "wgc0", stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.private = self.client.run("wg", "genkey").strip()
        self.public = self.client.run("wg", "pubkey", text=self.private).strip()
        (self.dir / "client.key").write_text(self.private)
        wait_until(lambda: self.client.run("wg", "show", "wgc0", check=False), "the client's WireGuard")
        wait_until(lambda: not self.apid.is_running() or "database ready" in self.apid.log(), "apid")
        for one in self.gateways.values():
            wait_until(lambda one=one: all(t["state"] == "ready" for t in
                                           one.status("wgd").get("tunnels") or [{"state": ""}]), "tunnels")
        return self

    def connect(self, config):
        """Makes the client the device, by the file that apid gives for it (wg-quick's form)."""
        rows = dict(line.split(" = ", 1) for line in config.splitlines() if " = " in line and line[0] != "#")
        (self.dir / "wgc.conf").write_text("[Interface]\nPrivateKey = %s\n[Peer]\nPublicKey = %s\nEndpoint = %s\n"
                                           "AllowedIPs = %s\nPersistentKeepalive = 1\n" % (
                                               self.private, rows["PublicKey"], rows["Endpoint"], "0.0.0.0/0"))
        self.client.run("wg", "setconf", "wgc0", self.dir / "wgc.conf")
        self.client.run("ip", "address", "flush", "dev", "wgc0")
        self.client.run("ip", "address", "add", rows["Address"].split(",")[0], "dev", "wgc0")
        self.client.run("ip", "link", "set", "wgc0", "up")
        for net in TUNNEL.values():
            self.client.run("ip", "route", "replace", net + ".0/24", "dev", "wgc0")
        return rows

    def ask(self, name, server, tries=1):
        """What the device is told of a name: addresses, or the status; "" without an answer."""
        out = self.client.run("dig", "+time=1", "+tries=%d" % tries, "@" + server, name, check=False)
        status = [line.split("status: ")[1].split(",")[0] for line in out.splitlines() if "status: " in line]
        answers = [line.split()[-1] for line in out.splitlines() if line.startswith(name + ".")]
        return answers or (status[0] if status else "")

    def health(self, client):
        return client.get("/api/v1/health")[1]

    def down(self):
        failed = []
        for one in [*self.gateways.values(), self.apid, self.syncd]:
            try:
                if one:
                    one.close() if isinstance(one, Gateway) else one.stop()
            except AssertionError as exc:
                failed.append(exc)
        if self.wgc:
            self.wgc.kill()
            self.wgc.wait()
        if self.client:
            self.client.close()
        self.redis.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not failed, failed


