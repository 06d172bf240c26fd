# SPDX-License-Identifier: GPL-3.0-or-later
"""Two gateways, each in a namespace with dnsd, proxyd and fwd, a device behind each; the stores (three Redis, three
Sentinels, three Galera nodes), two apid and syncd in the test's own namespace."""
import concurrent.futures
import ctypes
import os
import pathlib
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
UIDS = {"fwd": 64102, "dnsd": 64103, "proxyd": 64104, "syncd": 64106, "apid": apidlib.UID}
SEED = {
    "settings": [{"id": "endpoint", "value": "gw.example"}, {"id": "policy_source", "value": "local"}],
    "list_sources": [{"id": "adblock", "title": "Advertising", "kind": "adblock", "source": "file:adblock.txt",
                      "default_on": True, "subtree": True}],
    "dns_rules": [{"id": "never", "pattern": "never.example", "match": "endswith", "action": "block"}],
    "categories": [{"id": "education", "name": "Education", "default": "allow"},
                   {"id": "gambling", "name": "Gambling", "default": "block"}],
    "websites": [{"id": f"{n}.example", "pattern": f"{n}.example", "match": "endswith", "category": c,
                  "status": "approved"} for n, c in (("allowed", "education"), ("blocked", "gambling"))],
    "devices": [{"id": f"device{n}", "active": True, "tunnel": "mitm", "addresses": [f"10.9.0.{10 + n}"],
                 "profile": "internet", "unknown_sites": "block"} for n in (1, 2)],
}


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
    """One, with the device behind it. Sockets of the device are made by a thread that lives there."""

    def __init__(self, world, number):
        self.dir, self.number = world.dir / f"gw{number}", number
        self.dir.mkdir()
        self.host, self.client = Host(), Host()
        gw, device = self.host, self.client
        subprocess.run(["ip", "link", "add", f"gw{number}", "type", "veth", "peer", "name", "eth0", "netns",
                        str(gw.sleeper.pid)], check=True)
        subprocess.run(["ip", "link", "set", f"gw{number}", "master", "br0", "up"], check=True)
        gw.run("ip", "link", "add", "wgt0", "type", "veth", "peer", "name", "wg0", "netns", device.sleeper.pid)
        for host, line in ((gw, "link set eth0 up"), (gw, f"address add 10.8.0.{number}/24 dev eth0"),
                           (gw, f"route add default via {STORES}"), (gw, "link set wgt0 up"),
                           (gw, "address add 10.9.0.1/24 dev wgt0"), (device, "link set wg0 up"),
                           (device, f"address add 10.9.0.{10 + number}/24 dev wg0"),
                           (device, "route add default via 10.9.0.1")):
            host.run("ip", *line.split())
        for kind in ("state", "cache"):
            for name in ("dnsd", "proxyd", "fwd"):
                (self.dir / kind / name).mkdir(parents=True)
                os.chown(self.dir / kind / name, UIDS[name], UIDS[name])
        self.conf = self.dir / "culvert.conf"
        passwords = {d: world.password(d, self.dir) for d in ("dnsd", "proxyd", "fwd")}
        self.conf.write_text(f"""[culvert]
state_dir = {self.dir}/state
cache_dir = {self.dir}/cache
log_level = info
[bus]
{world.bus_conf()}
[tunnel mitm]
interface = wgt0
addresses = 10.9.0.1/16
[dnsd]
user = {UIDS["dnsd"]}
redis_password_file = {passwords["dnsd"]}
upstreams = udp://{STORES}:5354
ipv6 = no
[proxyd]
user = {UIDS["proxyd"]}
redis_password_file = {passwords["proxyd"]}
ca_dir = {self.dir}/state/proxyd/ca
appeals_per_hour = 10000
[fwd]
user = {UIDS["fwd"]}
redis_password_file = {passwords["fwd"]}
proxyd_user = {UIDS["proxyd"]}
""")
        self.host.run(BUILD / "bin/proxyd", "-c", self.conf, "--init-ca")
        self.daemons = [Daemon(d, self.conf, self.dir / f"{d}.log", self.host) for d in ("fwd", "dnsd", "proxyd")]
        self.pool = concurrent.futures.ThreadPoolExecutor(8, initializer=self._enter)

    def _enter(self):
        with open(f"/proc/{self.client.sleeper.pid}/ns/net", "rb") as ns:
            if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")

    def start(self):
        for one in self.daemons:
            one.start()

    # ---- what the device does, from a thread of the pool ----

    def resolve(self, name, timeout=5.0):
        """Addresses; None: no answer."""
        def ask():
            try:
                answer = dns.query.udp(dns.message.make_query(name, "A"), "10.9.0.1", timeout=timeout)
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
                with socket.create_connection(("10.9.0.1", 8080), 10) as s:
                    s.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
                    data = b""
                    while chunk := s.recv(65536):
                        data += chunk
            except OSError as e:
                return 0, str(e)
            return (int(data.split()[1]), data.decode(errors="replace")) if data else (0, "closed")
        return self.pool.submit(ask).result()

    def stop(self):
        for one in reversed(self.daemons):
            one.stop()

    def close(self):
        self.pool.shutdown()
        for one in self.daemons:
            if one.is_running():
                one.kill()
        self.host.close()
        self.client.close()


class World:
    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="cvha-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.redis = Replicated(self.dir, address=STORES)
        self.cluster = galera.Cluster(self.dir / "db", STORES)
        self.gateways, self.apids = [], []
        self.syncd = None

    def bus_conf(self):
        return "networks = 10.8.0.0/24\nredis_sentinels = " + ", ".join(self.redis.where())

    def password(self, daemon, directory):
        path = directory / f"redis-{daemon}"
        path.write_text(f"secret-{daemon}\n")
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
        text = text.replace("addresses = 10.9.0.1/24, fd09::1/64", "addresses = 10.9.0.1/16")
        assert "db_hosts" in text and "redis_sentinels" in text
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
[syncd]
user = {UIDS["syncd"]}
redis_password_file = {self.password("syncd", here)}
lists_dir = {here}/lists
""")
        self.syncd = Daemon("syncd", conf, here / "syncd.log").start()

    def start_gateways(self):
        for number in (1, 2):
            self.gateways.append(Gateway(self, number))
            self.gateways[-1].start()
        for one in self.gateways:
            try:
                wait_until(lambda g=one: g.resolve("probe.listed.example", 0.3) == ["0.0.0.0"], "policy in dnsd")
                wait_until(lambda g=one: g.http("GET", "http://blocked.example/")[0] == 451, "policy in proxyd")
                wait_until(lambda g=one: g.http("GET", "http://allowed.example/")[0] == 200, "the Internet")
            except AssertionError as e:
                raise AssertionError(f"{e}: {one.resolve('probe.listed.example', 1)} "
                                     f"{one.http('GET', 'http://blocked.example/')} "
                                     f"{one.http('GET', 'http://allowed.example/')}\n" +
                                     "\n".join(d.log()[-1500:] for d in one.daemons + [self.syncd])) from None

    def daemons(self):
        return [*self.apids, self.syncd, *[d for g in self.gateways for d in g.daemons]]

    def close(self):
        for one in [*self.apids, self.syncd]:
            if one and one.is_running():
                one.kill()
        for one in self.gateways:
            one.close()
        self.redis.stop()
        self.cluster.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
