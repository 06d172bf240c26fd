# SPDX-License-Identifier: GPL-3.0-or-later
"""Two gateways with names, each in a namespace with wgd, fwd, dnsd, proxyd and a WireGuard; a device of each, which
reaches it by its tunnel alone; the stores (three Redis, three Sentinels, three Galera nodes), two apid and syncd in the
test's own namespace."""
import concurrent.futures
import ctypes
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import apidlib
import dns.message
import dns.query
import dns.rrset
import galera
from support import BUILD, DEADLINE_S
from support.net import Host
from support.process import Daemon
from support.sentinel import Replicated
from support.wait import wait_until

STORES, SITE = "10.8.0.10", "198.51.100.10"
NAMES = ("north", "south")
DAEMONS = ("fwd", "wgd", "dnsd", "proxyd")
TUNNELS = "".join(f"""[tunnel {name}]
gateway = {name}
endpoint = 10.1.{n}.1
interface = wg{name[0]}0
addresses = 10.{8 + n}.0.1/16
""" for n, name in enumerate(NAMES, 1))
UIDS = {"wgd": 64101, "fwd": 64102, "dnsd": 64103, "proxyd": 64104, "syncd": 64106, "apid": apidlib.UID}
SEED = {
    "settings": [{"id": "endpoint", "value": "gw.example"}, {"id": "policy_source", "value": "local"}],
    "list_sources": [{"id": "adblock", "title": "Advertising", "kind": "adblock", "source": "file:adblock.txt",
                      "default_on": True, "subtree": True}],
    "dns_rules": [{"id": "never", "pattern": "never.example", "match": "endswith", "action": "block"}],
    "categories": [{"id": "education", "name": "Education", "default": "allow"},
                   {"id": "gambling", "name": "Gambling", "default": "block"}],
    "websites": [{"id": f"{n}.example", "pattern": f"{n}.example", "match": "endswith", "category": c,
                  "status": "approved"} for n, c in (("allowed", "education"), ("blocked", "gambling"))],
    "devices": [{"id": f"device{n}", "active": True, "tunnel": name, "addresses": [f"10.{8 + n}.0.9"],
                 "profile": "internet", "unknown_sites": "block"} for n, name in enumerate(NAMES, 1)],
}


QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def enter_own_network():
    """The test's process, and all that it starts, leave the machine's network for an empty one."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
        raise OSError(ctypes.get_errno(), "unshare")
    for line in ("link set lo up", "link add br0 type bridge", "link set br0 up",
                 f"address add {STORES}/24 dev br0", f"address add {SITE}/32 dev lo"):
        subprocess.run(["ip", *line.split()], check=True)


class Upstream(threading.Thread):
    """A resolver that knows every name, and the web server that it leads to."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((STORES, 5354))
        self.web = socket.create_server((SITE, 80))
        threading.Thread(target=self._serve, daemon=True).start()
        self.start()

    def run(self):
        while True:
            wire, peer = self.socket.recvfrom(4096)
            query = dns.message.from_wire(wire)
            answer = dns.message.make_response(query)
            if query.question[0].rdtype == 1:
                answer.answer.append(dns.rrset.from_text(query.question[0].name, 1, "IN", "A", SITE))
            self.socket.sendto(answer.to_wire(), peer)

    def _serve(self):
        while True:
            conn, _ = self.web.accept()
            threading.Thread(target=self._answer, args=(conn,), daemon=True).start()

    @staticmethod
    def _answer(conn):
        with conn:
            conn.settimeout(DEADLINE_S)
            try:
                conn.recv(65536)
                conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nConnection: close"
                             b"\r\n\r\norigin\n")
            except OSError:
                pass


class Gateway:
    """One, with its device. Sockets of the device are made by a thread that lives there."""

    def __init__(self, world, number):
        self.dir, self.number, self.name = world.dir / f"gw{number}", number, NAMES[number - 1]
        self.dir.mkdir()
        self.address, self.interface = f"10.{8 + number}.0.1", f"wg{self.name[0]}0"
        self.host, self.client = Host(mounts=True), Host(mounts=True)
        self._connect()
        for kind in ("state", "cache"):
            for name in DAEMONS:
                (self.dir / kind / name).mkdir(parents=True)
                os.chown(self.dir / kind / name, UIDS[name], UIDS[name])
        self.conf = self.dir / "culvert.conf"
        self.conf.write_text(self._conf(world))
        self.host.run(BUILD / "bin/proxyd", "-c", self.conf, "--init-ca")
        self.daemons = {d: Daemon(d, self.conf, self.dir / f"{d}.log", self.host) for d in DAEMONS}
        self.carriers = [
            self.host.start("setpriv", "--reuid", UIDS["wgd"], "--regid", UIDS["wgd"], "--clear-groups", "--inh-caps",
                            "-all,+net_admin", "--ambient-caps", "-all,+net_admin", "--", "wireguard-go", "-f",
                            self.interface, **QUIET),
            self.client.start("wireguard-go", "-f", "wgd0", **QUIET)]
        self.key = self.client.run("wg", "genkey").strip()
        self.public = self.client.run("wg", "pubkey", text=self.key).strip()
        self.pool = concurrent.futures.ThreadPoolExecutor(8, initializer=self._enter)

    def _connect(self):
        """The gateway to the stores, its device to it."""
        gw, device, number = self.host, self.client, self.number
        subprocess.run(["ip", "link", "add", f"gw{number}", "type", "veth", "peer", "name", "eth0", "netns",
                        str(gw.sleeper.pid)], check=True)
        subprocess.run(["ip", "link", "set", f"gw{number}", "master", "br0", "up"], check=True)
        gw.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", device.sleeper.pid)
        for host, line in ((gw, "link set eth0 up"), (gw, f"address add 10.8.0.{number}/24 dev eth0"),
                           (gw, f"route add default via {STORES}"), (gw, "link set up0 up"),
                           (gw, f"address add 10.1.{number}.1/24 dev up0"), (device, "link set eth0 up"),
                           (device, f"address add 10.1.{number}.2/24 dev eth0")):
            host.run("ip", *line.split())
        for host, more in ((gw, f" && chown {UIDS['wgd']} /run/wireguard && mount -t tmpfs tmpfs /dev/net && "
                                "mknod -m 666 /dev/net/tun c 10 200"), (device, "")):
            host.run("sh", "-c", "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard" + more)

    def _conf(self, world):
        own = {"dnsd": f"upstreams = udp://{STORES}:5354\nipv6 = no\n", "wgd": "",
               "proxyd": f"ca_dir = {self.dir}/state/proxyd/ca\nappeals_per_hour = 10000\n",
               "fwd": f"proxyd_user = {UIDS['proxyd']}\n"}
        return f"""[culvert]
state_dir = {self.dir}/state
cache_dir = {self.dir}/cache
log_level = info
gateway = {self.name}
[bus]
{world.bus_conf()}
{TUNNELS}""" + "".join(f"[{d}]\nuser = {UIDS[d]}\nredis_password_file = {world.password(d, self.dir, self.name)}\n"
                       + own[d] for d in DAEMONS)

    def join(self, owner):
        """The device is made known by its key and goes through the tunnel."""
        status, body = owner.patch(f"/api/v1/devices/device{self.number}", {"public_key": self.public})
        assert status == 200, body
        wait_until(lambda: f"{self.public}\t10.{8 + self.number}.0.9/32" in
                   self.host.run("wg", "show", self.interface, "allowed-ips", check=False), "the peer")
        server = self.host.run("wg", "show", self.interface, "public-key").strip()
        wait_until(lambda: self.client.run("wg", "show", "wgd0", check=False), "the device's WireGuard")
        conf = self.dir / "device.conf"
        conf.write_text(f"[Interface]\nPrivateKey = {self.key}\n[Peer]\nPublicKey = {server}\nAllowedIPs = 0.0.0.0/0\n"
                        f"Endpoint = 10.1.{self.number}.1:51820\n")
        self.client.run("wg", "setconf", "wgd0", conf)
        for line in (f"address add 10.{8 + self.number}.0.9/16 dev wgd0", "link set wgd0 up",
                     "route add default dev wgd0"):
            self.client.run("ip", *line.split())

    def _enter(self):
        with open(f"/proc/{self.client.sleeper.pid}/ns/net", "rb") as ns:
            if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")

    def start(self):
        for one in self.daemons.values():
            one.start()

    # ---- what the device does, from a thread of the pool ----

    def resolve(self, name, timeout=5.0):
        """Addresses; None: no answer."""
        def ask():
            try:
                answer = dns.query.udp(dns.message.make_query(name, "A"), self.address, timeout=timeout)
            except (dns.exception.Timeout, OSError):
                return None
            return [r.to_text() for rrset in answer.answer for r in rrset if rrset.rdtype == 1]
        return self.pool.submit(ask).result()

    def http(self, method, url, body="", headers=()):
        """(status, text) by the explicit proxy, (0, why) without an answer."""
        host = url.split("/")[2]
        lines = [f"{method} {url} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}",
                 *headers]

        def ask():
            try:
                with socket.create_connection((self.address, 8080), 10) as s:
                    s.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
                    data = b""
                    while chunk := s.recv(65536):
                        data += chunk
            except OSError as e:
                return 0, str(e)
            return (int(data.split()[1]), data.decode(errors="replace")) if data else (0, "closed")
        return self.pool.submit(ask).result()

    def stop(self):
        for one in reversed(self.daemons.values()):
            one.stop()

    def close(self):
        self.pool.shutdown()
        for one in self.daemons.values():
            if one.is_running():
                one.kill()
        for one in self.carriers:
            one.kill()
            one.wait()
        self.host.close()
        self.client.close()


class World:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cvha-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.redis = Replicated(self.dir, address=STORES, gateways=NAMES)
        self.cluster = galera.Cluster(self.dir / "db", STORES)
        self.gateways, self.apids = [], []
        self.syncd = None

    def bus_conf(self):
        return "networks = 10.8.0.0/24\nredis_sentinels = " + ", ".join(self.redis.where())

    def password(self, daemon, directory, gateway=None):
        path = directory / f"redis-{daemon}"
        path.write_text(f"secret-{daemon}{'.' + gateway if gateway else ''}\n")
        path.chmod(0o400)
        os.chown(path, UIDS[daemon], UIDS[daemon])
        return path

    def add_apid(self, first=0, seed=SEED):
        """One more; it prefers the node `first`."""
        directory = self.dir / f"apid{len(list(self.dir.glob('apid*')))}"
        directory.mkdir()
        one = apidlib.Apid(directory, self.redis.servers[0], self.cluster.nodes[0], seed)
        text = one.conf.read_text()
        text = text.replace(f"redis = unix:{self.redis.servers[0].socket}", self.bus_conf())
        text = text.replace(f"db_socket = {self.cluster.nodes[0].socket}", f"db_hosts = {self.cluster.hosts(first)}")
        text = re.sub(r"\[tunnel mitm\].*?(?=^\[(?!tunnel))", TUNNELS, text, flags=re.S | re.M)
        assert "db_hosts" in text and "redis_sentinels" in text and text.count("[tunnel") == len(NAMES)
        # One secret for all, so that a session is one at each.
        secret = apidlib.owned_file(directory / "secret", "x" * 40 + "\n")
        apidlib.owned_file(one.conf, text + f"secret_file = {secret}\n", 0o444)
        self.apids.append(one)
        return one

    def clients(self):
        """An owner's session, at every apid. The setup link is whose apid publishes; the account is made as it
        would be."""
        self.cluster.sql(
            f"START TRANSACTION; UPDATE change_seq SET seq = seq + 1; INSERT INTO admins (name, password, role, "
            f"created_at, password_at) VALUES ('{apidlib.OWNER}', '{apidlib.CHEAP_HASH}', 'owner', 1, 1); "
            "INSERT INTO changes (seq, topic, id, at) SELECT seq, '*', '', UNIX_TIMESTAMP() * 1000 FROM change_seq; "
            "COMMIT", "culvert")
        made = [one.client() for one in self.apids]
        wait_until(lambda: made[0].login(apidlib.OWNER, apidlib.PASSWORD)[0] == 200, "logged in")
        for one in made[1:]:
            one.cookie, one.csrf = made[0].cookie, made[0].csrf
            wait_until(lambda c=one: c.get("/api/v1/groups")[0] == 200, "the session is known at the others")
        return made

    def start_stores(self):
        self.redis.start()
        self.cluster.start()
        return self

    def start_syncd(self):
        here = self.dir / "syncd"
        for kind in ("state", "cache"):
            (here / kind / "syncd").mkdir(parents=True)
            os.chown(here / kind / "syncd", UIDS["syncd"], UIDS["syncd"])
        (here / "lists").mkdir()
        (here / "lists/adblock.txt").write_text("||listed.example^\n")
        conf = here / "culvert.conf"
        conf.write_text(f"""[culvert]
state_dir = {here}/state
cache_dir = {here}/cache
log_level = info
[bus]
{self.bus_conf()}
{TUNNELS}[syncd]
user = {UIDS["syncd"]}
redis_password_file = {self.password("syncd", here)}
lists_dir = {here}/lists
""")
        self.syncd = Daemon("syncd", conf, here / "syncd.log").start()

    def start_gateways(self, owner):
        for number in (1, 2):
            self.gateways.append(Gateway(self, number))
            self.gateways[-1].start()
            self.gateways[-1].join(owner)
        for one in self.gateways:
            try:
                wait_until(lambda g=one: g.resolve("probe.listed.example", 0.3) == ["0.0.0.0"], "policy in dnsd")
                wait_until(lambda g=one: g.http("GET", "http://blocked.example/")[0] == 451, "policy in proxyd")
                wait_until(lambda g=one: g.http("GET", "http://allowed.example/")[0] == 200, "the Internet")
            except AssertionError as e:
                raise AssertionError(f"{e}: {one.resolve('probe.listed.example', 1)} "
                                     f"{one.http('GET', 'http://blocked.example/')} "
                                     f"{one.http('GET', 'http://allowed.example/')}\n" +
                                     "\n".join(d.log()[-1500:] for d in [*one.daemons.values(), self.syncd])) from None

    def daemons(self):
        return [*self.apids, self.syncd, *[d for g in self.gateways for d in g.daemons.values()]]

    def close(self):
        for one in [*self.apids, self.syncd]:
            if one and one.is_running():
                one.kill()
        for one in self.gateways:
            one.close()
        self.redis.stop()
        self.cluster.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
