# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of tests/bench/proxyd: devices, a gateway with all the proxies, and a web of one host.

The gateway sends what comes from a side's addresses to port 443 to that side's own port, as fwd does
for devices.
"""
import http.client
import json
import os
import pathlib
import resource
import socket
import ssl
import subprocess

from support import BUILD, DEADLINE_S, network
from support.bus import Probe
from support.process import Daemon
from support.wait import wait_until
import proxylib

SITE, CANNED = network.SITE[4], "198.51.100.20"
HOST, CANNED_HOST, LISTED = "h000000.test.example", "h000000.canned.example", "ads.listed.example"
PROXY_CPU, LOAD_CPU = min(1, os.cpu_count() - 1), 0  # a guest has one
DEVICES = 20  # of each of our own: one device may have 512 connections
TLS = ("mbedtls", "openssl")
FIRST_DEVICE = {"mbedtls": 20, "openssl": 50}  # last number of the first address
PEER_FIRST = 200
SMALL, LONG = "/", "/10k"
SEARCH_HOST = "www.bing.com"
BROKEN = (OSError, http.client.HTTPException)  # what fetch raises
SYSCTLS = {  # so that no limit of the kernel's own is what is measured
    "net/ipv4/ip_local_port_range": "1024 65535", "net/ipv4/tcp_max_tw_buckets": 1000,
    "net/ipv4/tcp_tw_reuse": 1, "net/ipv4/tcp_max_syn_backlog": 65535, "net/core/somaxconn": 65535,
    "net/netfilter/nf_conntrack_tcp_timeout_time_wait": 1,
    "net/netfilter/nf_conntrack_tcp_timeout_close": 1,
    "net/netfilter/nf_conntrack_tcp_timeout_fin_wait": 2,
    "net/netfilter/nf_conntrack_tcp_timeout_last_ack": 2}


def on_proxy_cpu():
    os.sched_setaffinity(0, {PROXY_CPU})


def on_load_cpu():
    os.sched_setaffinity(0, {LOAD_CPU})


FILES = 65536


def most_files():
    """This process and what it starts may open as many as the machine lets them, root's limit being its own word."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, FILES),) * 2)
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def make_ca(place, name, issuer=None):
    """place/NAME.pem and .key, P-256; signed by itself, or by another of the same place."""
    more = ["-CA", place / (issuer + ".pem"), "-CAkey", place / (issuer + ".key")] if issuer else []
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
            30, "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", *more,
            "-keyout", place / (name + ".key"), "-out", place / (name + ".pem"))
    return place / (name + ".pem")


def make_chain(place, *hosts):
    """A leaf under an intermediate under `internet`: (chain, key)."""
    make_ca(place, "internet")
    above = make_ca(place, "intermediate", "internet")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30,
            "-subj", "/CN=" + hosts[0], "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "extendedKeyUsage=serverAuth",
            "-addext", "subjectAltName=" + ",".join("DNS:" + h for h in hosts),
            "-CA", above, "-CAkey", place / "intermediate.key",
            "-keyout", place / "leaf.key", "-out", place / "leaf.pem")
    chain = place / "chain.pem"
    chain.write_text((place / "leaf.pem").read_text() + above.read_text())
    return chain, place / "leaf.key"


def device_records():
    return [{"id": "%s%d" % (tls, i), "active": True, "tunnel": "mitm", "profile": "internet",
             "addresses": ["10.9.0.%d" % (first + i)], "unknown_sites": "block"}
            for tls, first in FIRST_DEVICE.items() for i in range(DEVICES)]


class Net(proxylib.World):
    """up() once, down() always."""

    def __init__(self):
        super().__init__()
        self.origin, self.sides = None, []

    def up(self):
        ours = [first + i for first in FIRST_DEVICE.values() for i in range(DEVICES)]
        network.Network.up(self, [*ours, *range(PEER_FIRST, PEER_FIRST + 10)])
        self.inet.run("ip", "address", "add", CANNED + "/32", "dev", "lo")
        self.gw.write("/proc/sys/net/ipv4/ip_forward", 1)
        # Loads conntrack, whose settings are among those below.
        self.gw.run("nft", "add table ip bench; add chain ip bench pre "
                    "{ type nat hook prerouting priority dstnat; }; add rule ip bench pre ct state invalid drop")
        for host in (self.gw, self.client, self.inet):
            for name, value in SYSCTLS.items():
                if host is self.gw or "netfilter" not in name:
                    host.write("/proc/sys/" + name, value)
        self.client_place = self._place(self.client)
        make_ca(self.dir, "ca")  # of syncd's lists, unused
        self._start_origin()
        self._start_syncd()
        self.apid = Probe("apid", f"unix:{self.redis.socket}", self.dir)
        self.probes.append(self.apid)
        self.publish_first()
        self.publish("devices", device_records())
        self.publish("websites", [self.website("test.example", "education")])

    def _start_origin(self):
        chain, key = make_chain(self.dir, "*.test.example", "*.listed.example", SEARCH_HOST)
        self.origin = subprocess.Popen(
            [str(BUILD / "bin/web-origin"), str(self.inet.sleeper.pid), str(self.gw.sleeper.pid), SITE,
             CANNED, str(chain), str(key)], stdout=subprocess.PIPE, text=True, preexec_fn=on_load_cpu)
        if self.origin.stdout.readline() != "ready\n":
            raise RuntimeError("no origin")

    def down(self):
        try:
            for side in self.sides:
                side.stop()
            if self.origin:
                self.origin.kill()
                self.origin.wait()
        finally:
            super().down()

    def intercept(self, source, sources, port):
        """TCP from these addresses to port 443 goes to that port of the gateway's."""
        base, _, first = source.rpartition(".")
        self.gw.run("nft", "add", "rule", "ip", "bench", "pre", "ip", "saddr", "%s-%s.%d" % (
            source, base, int(first) + sources - 1), "tcp", "dport", "443", "redirect", "to",
                    ":%d" % port)

    def dial(self, source, to):
        """A connected socket of a client."""
        def make():
            s = socket.socket()
            s.settimeout(DEADLINE_S)
            s.bind((source, 0))
            s.connect(to)
            return s
        return self.client_place.call(make)


class Side:
    """What is measured. explicit: where CONNECT goes, port: where what is intercepted goes."""
    label = ""
    source, sources = "", 1
    explicit = port = None
    root = None  # the CA of what it decrypts
    process = None

    def pids(self):
        """Its processes, helpers too."""
        found, todo = [], [self.process.pid] if self.process else []
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in pathlib.Path("/proc/%d/task" % pid).glob("*/children"):
                todo += map(int, task.read_text().split())
        return found

    def root_name(self):
        """Whose name stands in the certificates that it makes."""
        return self.label

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


class Direct(Side):
    label, source = "direct", "10.9.0.%d" % PEER_FIRST


class Culvert(Side):
    """proxyd with one of the TLS libraries."""

    def __init__(self, net, tls):
        self.net, self.tls, self.label = net, tls, "culvert-" + tls
        number = TLS.index(tls)
        self.source, self.sources = "10.9.0.%d" % FIRST_DEVICE[tls], DEVICES
        self.port = 3129 + 1000 * number
        self.explicit = ("10.9.0.1", 8080 + 1000 * number)
        place = net.dir / self.label
        for kind in ("state", "cache"):
            (place / kind).mkdir(parents=True)
        conf = place / "culvert.conf"
        conf.write_text(f"""[culvert]
state_dir = {place}/state
cache_dir = {place}/cache
log_level = notice
[bus]
redis = unix:{net.redis.socket}
[tunnel mitm]
interface = wgT
addresses = 10.9.0.1/24
[proxyd]
user = {proxylib.UID}
instance = {tls}
redis_password_file = {net.redis.password_file("proxyd", proxylib.UID)}
upstream_ca = {net.dir}/internet.pem
port = {self.explicit[1]}
http_port = 0
tls_port = {self.port}
portal_http_port = 0
portal_https_port = 0
""")
        self.daemon = Daemon("proxyd", conf, place / "proxyd.log", net.gw)
        self.program = BUILD / "bin/proxyd" if tls == "mbedtls" else \
            pathlib.Path(str(BUILD) + "-openssl/bin/proxyd")
        if not self.program.exists():
            raise RuntimeError("there is no %s" % self.program.relative_to(proxylib.BUILD.parent))
        self.root = pathlib.Path(net.gw.run(self.program, "-c", conf, "--init-ca").strip())
        net.intercept(self.source, self.sources, self.port)
        self.start()

    def start(self):
        with self.daemon.log_file.open("a") as log:
            self.process = self.daemon.process = subprocess.Popen(
                self.net.gw.argv(self.program, "-c", self.daemon.conf),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=on_proxy_cpu)
        try:
            wait_until(self._has_policy, "policy of " + self.label)
        except AssertionError as e:
            raise RuntimeError("%s: %s" % (e, self.daemon.log()[-2000:])) from None

    def _has_policy(self):
        if self.process.poll() is not None:
            raise RuntimeError("%s ended: %s" % (self.label, self.daemon.log()[-2000:]))
        try:
            return fetch(self.net, self, HOST, SMALL)[0] == 200
        except BROKEN:
            return False

    def root_name(self):
        return "Culvert Gateway"

    def stop(self):
        self.process = None
        self.daemon.stop()


def fetch(net, side, host, path, intercepted=False):
    """One page over TLS: (status, body, who issued the certificate). One of BROKEN."""
    to = (SITE, 443) if intercepted or side.explicit is None else side.explicit
    sock = net.dial(side.source, to)
    try:
        if to == side.explicit:
            connect(sock, host)
        decrypted = to == side.explicit and side.root
        context = ssl.create_default_context(cafile=str(decrypted or net.dir / "internet.pem"))
        tls = context.wrap_socket(sock, server_hostname=host)
        tls.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, host)).encode())
        answer = http.client.HTTPResponse(tls)
        answer.begin()
        body = answer.read()
        issuer = dict(x[0] for x in tls.getpeercert()["issuer"])["commonName"]
        return answer.status, body, issuer
    finally:
        sock.close()


def connect(sock, host):
    sock.sendall(("CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n" % (host, host)).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise ConnectionError("no answer to CONNECT")
        head += byte
    if b" 200" not in head.split(b"\r\n")[0]:
        raise ConnectionRefusedError(head.decode("latin-1"))


def load(net, side, via, **options):
    """A run of web-load through that side; via: "connect" (to the proxy), "intercept" or "direct"."""
    canned = options["tls"] == "canned"
    to = "%s:%d" % side.explicit if via == "connect" else "%s:443" % (CANNED if canned else SITE)
    words = {"ns": net.client.sleeper.pid, "to": to, "connect": int(via == "connect"),
             "host": CANNED_HOST if canned else HOST, "source": side.source, "sources": side.sources,
             "pids": ",".join(map(str, side.pids())), **options}
    return subprocess.Popen([str(BUILD / "bin/web-load")] + ["%s=%s" % w for w in words.items()],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, preexec_fn=on_load_cpu)


def run_load(net, side, via, **options):
    """What it printed."""
    process = load(net, side, via, **options)
    out, fault = process.communicate(timeout=120)
    if process.returncode:
        raise RuntimeError("%s: %s" % (side.label, fault.strip()[-600:]))
    found = json.loads(out)
    if not found["bytes"]:
        raise RuntimeError("%s: no byte came in %s s" % (side.label, options["seconds"]))
    return found
