# SPDX-License-Identifier: GPL-3.0-or-later
"""proxyd with its bus, between devices and an Internet in namespaces of the test's own.

Policy comes from a probe in the place of apid and from a real syncd (the domain set). Sockets are
made in a namespace by a thread that lives there (Host.call), and used from anywhere.
"""
import concurrent.futures
import ctypes
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading

import dns.message
import dns.rcode
import dns.rrset
from network_origin import Origin
from support import BUILD, DEADLINE_S, ROOT, network
from support.bus import Probe
from support.process import Daemon
from support.wait import wait_until
import synclib

UID = 64104
PROXY = ("10.9.0.1", 8080)
# The origins' address on the simulated Internet, and one where nobody listens.
SITE, SITE6 = network.SITE[4], network.SITE[6]
LAN = network.LAN[4]
DEAF = "198.51.100.77"  # takes no packet at all
# Devices: id → last number of the address.
DEVICES = {"internet": 3, "full": 2, "intranet": 4, "walled": 5, "offline_browser": 7, "passing": 8}
STRANGER = 66


# The build under test, and the other TLS library's where there is one (make TLS=openssl B=build-openssl).
BUILDS = [BUILD] + [b for b in [ROOT / "build-openssl"] if b != BUILD and (b / "bin/proxyd").exists()]


def has_tls13(build):
    """OpenSSL has it, and mbedtls from 3 on (libmbedtls.so.20 and later)."""
    if (build / "tls").read_text().strip() == "openssl":
        return True
    libraries = subprocess.run(["ldd", build / "bin/proxyd"], stdout=subprocess.PIPE, check=True, text=True).stdout
    return int(re.search(r"libmbedtls\.so\.(\d+)", libraries).group(1)) >= 20


def setns(pid):
    with open("/proc/%d/ns/net" % pid, "rb") as ns:
        if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")


class Place:
    """A thread inside a network namespace, where sockets are made."""

    def __init__(self, host):
        self.pool = concurrent.futures.ThreadPoolExecutor(
            1, initializer=setns, initargs=(host.sleeper.pid,))

    def call(self, function, *args):
        return self.pool.submit(function, *args).result()

    def listen(self, address, port):
        return self.call(lambda: socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET))

    def close(self):
        self.pool.shutdown()


class Late(list):
    """Addresses of a name that are not told before `told` is set."""

    def __init__(self, *addresses):
        super().__init__(addresses)
        self.told = threading.Event()

    def __iter__(self):
        self.told.wait()
        return super().__iter__()


class Dns(threading.Thread):
    """proxyd's resolver: names → list of addresses, [] (no address) or None (silence)."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.names = {}
        self.aliases = {}
        self.asked = []
        self.ttl = 0  # seconds; names change from test to test
        self.socket = place.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.socket.bind(("127.0.0.1", 5300))

    def run(self):
        while True:
            try:
                wire, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(wire)
            question = query.question[0]
            name = question.name.to_text(True).lower()
            self.asked.append(name)
            addresses = self.names.get(name, "none")
            if addresses is None:
                continue
            answer = dns.message.make_response(query)
            if addresses == "none":
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif addresses == "fail":
                answer.set_rcode(dns.rcode.SERVFAIL)
            else:
                kind = {1: ".", 28: ":"}.get(question.rdtype, "?")
                found = [a for a in addresses if kind in a and (kind == ":" or ":" not in a)]
                owner = question.name
                for alias in self.aliases.get(name, ()):
                    alias = dns.name.from_text(alias)
                    answer.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", "CNAME", alias.to_text()))
                    owner = alias
                if found:
                    answer.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", question.rdtype, *found))
            self.socket.sendto(answer.to_wire(), peer)


class Response:
    def __init__(self, line, headers):
        self.line = line
        self.status = int(line.split()[1])
        self.headers = headers
        self.body = b""
        self.trailers = []
        self.chunks = []

    def get(self, name):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return "%s\n%r\n%s" % (self.line, self.headers, self.text[:1500])


class Conn:
    """A client's connection, to the proxy or through it."""

    def __init__(self, sock):
        self.socket = sock
        self.file = sock.makefile("rb")

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def _headers(self):
        headers = []
        while True:
            line = self.file.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                return headers
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))

    def read_head(self, interim=False):
        while True:
            line = self.file.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                raise EOFError("closed without an answer")
            r = Response(line, self._headers())
            if r.status >= 200 or r.status == 101 or interim:
                return r

    def read_chunk(self):
        size = int(self.file.readline().split(b";")[0], 16)
        data = self._exactly(size)
        if size:
            assert self.file.readline() == b"\r\n"
        return data

    def _exactly(self, n):
        data = self.file.read(n)
        if len(data) < n:
            raise EOFError("body cut short after %d of %d" % (len(data), n))
        return data

    def read(self, method="GET"):
        r = self.read_head()
        if method in ("HEAD", "CONNECT") and r.status < 300 or method == "HEAD" or \
                r.status in (101, 204, 304):
            return r
        if (r.get("Transfer-Encoding") or "").lower() == "chunked":
            while True:
                chunk = self.read_chunk()
                if not chunk:
                    break
                r.chunks.append(chunk)
            r.trailers = self._headers()
            r.body = b"".join(r.chunks)
        elif r.get("Content-Length") is not None:
            r.body = self._exactly(int(r.get("Content-Length")))
        else:
            r.body = self.file.read()
        return r

    def ask(self, method, target, host, headers=(), body=None):
        lines = ["%s %s HTTP/1.1" % (method, target), "Host: " + host]
        lines += ["%s: %s" % h for h in headers]
        if body is not None:
            lines.append("Content-Length: %d" % len(body))
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b""))
        return self.read(method)

    def is_closed(self, seconds=DEADLINE_S):
        """The other side hung up (with or without a reset)."""
        self.socket.settimeout(seconds)
        try:
            return self.file.read(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class World(network.Network):
    """Namespaces, Redis, syncd, an owner, a resolver, origins and proxyd; up() once, down() always."""

    def __init__(self):
        super().__init__()
        self.proxyd = self.syncd = None
        self.places, self.origins, self.probes = [], [], []

    def up(self):
        super().up([*DEVICES.values(), STRANGER])
        self.inet.run("ip", "route", "add", "blackhole", DEAF + "/32")
        self.gw_place, self.client_place, self.inet_place, self.lan_place = [
            self._place(h) for h in (self.gw, self.client, self.inet, self.lan)]
        self.dns = Dns(self.gw_place)
        self.dns.start()
        self._start_syncd()
        self.apid = Probe("apid", f"unix:{self.redis.socket}", self.dir)
        self.probes.append(self.apid)
        self.publish_first()
        self._start_origins(self.dir)
        self._configure()
        self.init_ca()
        self.start_proxyd()
        self.wait_list()

    def down(self):
        try:
            for daemon in (self.proxyd, self.syncd):
                if daemon:
                    daemon.stop()
            for probe in self.probes:
                if self.redis.process.poll() is None:
                    probe.quit()
                else:
                    probe.kill()
        finally:
            for origin in self.origins:
                origin.close()
            for place in self.places:
                place.close()
            super().down()

    def _place(self, host):
        place = Place(host)
        self.places.append(place)
        return place

    # ---- policy ----

    def _start_syncd(self):
        self.syncd = synclib.Syncd(self.dir, self.redis, 5300)
        synclib.make_certificate(self.dir, "ca", "unused.test")
        self.syncd.write("adblock.txt", "||listed.example^\nhttp://s3.test.example/bad/\n")
        self.syncd.start()

    def publish(self, topic, records):
        return self.apid.replace(topic, {r["id"]: r for r in records})

    def set(self, topic, record):
        return self.apid.set(topic, record["id"], record)

    @staticmethod
    def device(name, **more):
        number = DEVICES[name]
        profile = name if name in ("full", "internet", "intranet", "walled") else "internet"
        return {"id": name, "active": True, "tunnel": "mitm", "profile": profile,
                "addresses": [f"10.9.0.{number}", f"fd09::{number}"],
                "unknown_sites": "pass" if name == "passing" else "block", **more}

    @staticmethod
    def website(pattern, category, match="endswith"):
        return {"id": pattern, "pattern": pattern, "match": match, "category": category,
                "status": "approved"}

    def publish_first(self):
        for topic in ("groups", "profiles", "dns_rules", "dns_records", "category_prefs",
                      "site_overrides", "words", "search_words", "sni_block", "mitm_ignore"):
            self.publish(topic, [])
        self.publish("settings", [{"id": "rebind_exceptions", "value": ["lan.test.example"]}])
        self.publish("list_sources", [{"id": "adblock", "title": "Advertising", "kind": "adblock",
                                       "source": "file:adblock.txt", "default_on": True,
                                       "subtree": True}])
        self.publish("devices", [self.device(name) for name in DEVICES])
        self.publish("device_prefs", [{"id": "device:offline_browser", "offline_browser": True}])
        self.publish("categories", [
            {"id": "education", "name": "Education", "visibility": "public", "default": "allow"},
            {"id": "gambling", "name": "Gambling", "visibility": "more", "default": "block"},
            {"id": "banking", "name": "Banking", "visibility": "public", "default": "allow",
             "no_decrypt": True}])
        self.publish("websites", [
            self.website("allowed.example", "education"),
            self.website("test.example", "education"),
            self.website("blocked.example", "gambling"),
            self.website("bank.example", "banking"),
            *[self.website(a, "education", "exact") for a in (
                SITE, LAN, "127.0.0.1", "10.9.0.1", "203.0.113.1", "169.254.1.1", "0.0.0.0")]])

    # ---- the Internet ----

    def _start_origins(self, here):
        good = ("allowed.example", "*.allowed.example", "bank.example", "*.test.example",
                "blocked.example", "unknown.example")
        ssl_of = self.tls = {}
        ssl_of[None] = self._context(synclib.make_certificate(here, "internet", *good))
        ssl_of["expired.test.example"] = self._context(
            synclib.make_certificate(here, "internet", "expired.test.example", days=-1))
        ssl_of["wronghost.test.example"] = self._context(
            synclib.make_certificate(here, "internet", "other.example"))
        ssl_of["untrusted.test.example"] = self._context(
            synclib.make_certificate(here, "nobody", "untrusted.test.example"))
        ssl_of["selfsigned.test.example"] = self._context(self._self_signed(here))
        ssl_of[None].sni_callback = self._on_sni
        for address in (SITE, SITE6):
            self.site = self._origin(self.inet_place, address, 80)
            self.secure = self._origin(self.inet_place, address, 443, ssl_of[None])
        # With the names of IPv4, whose records the tests look at.
        self.secure = self.origins[1]
        self.site = self.origins[0]
        self.lan_site = self._origin(self.lan_place, LAN, 80)
        # What proxyd must not be led to; 80 of the tunnel addresses is its own.
        self.gw_sites = [self._origin(self.gw_place, a, 80) for a in ("127.0.0.1", "203.0.113.1", "::1")]
        self.names(allowed=[SITE], **{"*": None})

    def gw_connections(self):
        return sum(o.connections for o in self.gw_sites)

    def names(self, **_):
        names = self.dns.names
        for name in ("allowed.example", "www.allowed.example", "bank.example", "blocked.example",
                     "unknown.example", "ads.listed.example", "expired.test.example",
                     "wronghost.test.example", "untrusted.test.example", "selfsigned.test.example",
                     *["s%d.test.example" % i for i in range(50)]):
            names[name] = [SITE]
        names.update({"six.test.example": [SITE6], "silent.test.example": None,
                      "empty.test.example": [], "broken.test.example": "fail",
                      "refused.test.example": ["198.51.100.10"],
                      "deaf.test.example": [DEAF],
                      "loop.test.example": ["127.0.0.1"], "gw.test.example": ["10.9.0.1"],
                      "uplink.test.example": ["203.0.113.1"], "lan.test.example": [LAN],
                      "link.test.example": ["169.254.1.1"],
                      "loop6.test.example": ["::1"], "mapped.test.example": ["::ffff:127.0.0.1"],
                      "nat64.test.example": ["64:ff9b::7f00:1"],
                      "both.test.example": ["127.0.0.1", SITE]})

    def _origin(self, place, address, port, context=None):
        one = Origin(place.listen(address, port), context)
        self.origins.append(one)
        return one

    @staticmethod
    def _context(leaf):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _on_sni(self, sock, name, _):
        sock.sni = name
        if name in self.tls:
            sock.context = self.tls[name]

    @staticmethod
    def _self_signed(here):
        leaf, key = here / "self.pem", here / "self.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj",
                        "/CN=selfsigned.test.example", "-addext",
                        "subjectAltName=DNS:selfsigned.test.example", "-addext",
                        "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", leaf],
                       check=True, capture_output=True)
        leaf.write_text(leaf.read_text() + key.read_text())
        return leaf

    # ---- proxyd ----

    def _configure(self):
        self.conf = self.dir / "proxyd.conf"
        self.conf.write_text(f"""[culvert]
state_dir = {self.dir}/state
cache_dir = {self.dir}/cache
log_level = debug
[bus]
redis = unix:{self.redis.socket}
[tunnel mitm]
interface = wgT
addresses = 10.9.0.1/24, fd09::1/64
[proxyd]
user = {UID}
redis_password_file = {self.redis.password_file("proxyd", UID)}
upstream_ca = {self.dir}/internet.pem
connect_s = 2
ca_dir = {self.dir}/state/proxyd/ca
appeals_per_hour = 1000
""")
        self.proxyd = Daemon("proxyd", self.conf, self.dir / "proxyd.log", self.gw)
        self.root = self.dir / "root.pem"
        for kind in ("state", "cache"):
            (self.dir / kind).mkdir(exist_ok=True)

    def init_ca(self):
        done = self.gw.run(BUILD / "bin/proxyd", "-c", self.conf, "--init-ca")
        self.root.write_bytes(pathlib.Path(done.strip()).read_bytes())

    def start_proxyd(self, wait=True, env=None):
        env = env or os.environ
        # The sanitizer would keep what was freed, which a test of memory takes for a leak.
        options = env.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        self.proxyd.start(env={**env, "ASAN_OPTIONS": options})
        if wait:
            self.wait_policy()

    def use_build(self, build):
        """proxyd of another build from here on."""
        self.proxyd.stop()
        self.proxyd = Daemon(str(build / "bin/proxyd"), self.conf, self.dir / ("proxyd-%s.log" % build.name),
                             self.gw)
        self.start_proxyd()

    def status(self):
        """The last one told, which may be a beat old; the first one is waited for."""
        return wait_until(lambda: self.redis.status("proxyd"), "a status")

    def wait_applied(self, topic, gen, owner="apid"):
        if topic == "websites":  # come compiled
            topic, gen, owner = "webset", self.webset_of(gen), "syncd"
        wait_until(lambda: self.redis.applied("proxyd", topic, owner) >= gen,
                   "%s at %d in %r" % (topic, gen, self.status()))

    def webset_of(self, gen):
        """The generation of syncd's web set with that one of `websites`, or with one before it of the same sites: they
        are published twice when Redis stood still, and what is compiled then is no other set."""
        def compiled():
            record = self.redis("HGET", "culvert:state:webset:syncd", "main")
            if record and json.loads(record)["local_gen"] >= gen:
                return True
            # Of syncd's own word, and what it publishes just before it.
            return self.redis.applied("syncd", "websites") >= gen and self.redis.status_now("syncd")
        wait_until(compiled, "websites at %d compiled" % gen)
        return json.loads(self.redis("HGET", "culvert:gens:syncd", "webset"))["gen"]

    def wait_list(self):
        """Until the list of advertising is in force: syncd's first set may be without it."""
        def is_there(topic, name, has):
            record = self.redis("HGET", "culvert:state:%s:syncd" % topic, name)
            return record and has(json.loads(record))
        for topic, name, has in (("domainset", "main", lambda r: "adblock" in r["lists"]),
                                 ("lists", "adblock", lambda r: "bit" in r)):
            wait_until(lambda t=topic, n=name, h=has: is_there(t, n, h), "the list in " + topic)
            self.wait_applied(topic, json.loads(self.redis("HGET", "culvert:gens:syncd", topic))["gen"], "syncd")

    def wait_policy(self):
        """Until a reviewed site passes."""
        def passes():
            assert self.proxyd.is_running(), self.proxyd.log()
            try:
                return self.get("http://allowed.example/").status == 200
            except (OSError, EOFError):
                return False
        try:
            wait_until(passes, "policy in force")
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.proxyd.log()[-4000:])) from None

    def wait_answer(self, status=403):
        """Until the policy is there, where no site can be reached."""
        def answers():
            try:
                return self.get("http://allowed.example/").status == status
            except (OSError, EOFError):
                return False
        wait_until(answers, "an answer")

    def change(self, topic, record):
        self.wait_applied(topic, self.set(topic, record))

    def rss_kib(self):
        text = pathlib.Path("/proc/%d/status" % self.proxyd.process.pid).read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    # ---- clients ----

    def connect(self, who="internet", to=PROXY):
        """A connection to the proxy from a device's address."""
        number = DEVICES.get(who, STRANGER)
        v6 = ":" in to[0]

        def make():
            s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
            s.settimeout(DEADLINE_S)
            s.bind((("fd09::%d" if v6 else "10.9.0.%d") % number, 0))
            s.connect(to)
            return s
        return Conn(self.client_place.call(make))

    def get(self, url, who="internet", method="GET", headers=(), body=None):
        """One request in absolute form."""
        with self.connect(who) as c:
            return c.ask(method, url, url.split("/")[2], headers, body)

    def tunnel(self, authority, who="internet"):
        """After CONNECT: (connection, response)."""
        c = self.connect(who)
        return c, c.ask("CONNECT", authority, authority)

    def secure_to(self, host, who="internet", sni=None, port=443, ca=None):
        """A TLS connection through the proxy, verified against its root."""
        c, r = self.tunnel("%s:%d" % (host, port), who)
        assert r.status == 200, r
        context = ssl.create_default_context(cafile=str(ca or self.root))
        if sni == "":
            context.check_hostname = False
        tls = context.wrap_socket(c.socket, server_hostname=sni or (None if sni == "" else host))
        return Conn(tls)

    def get_secure(self, url, who="internet", method="GET", headers=(), body=None, sni=None):
        host, _, path = url.removeprefix("https://").partition("/")
        with self.secure_to(host, who, sni=sni) as c:
            return c.ask(method, "/" + path, host, headers, body)

    def curl(self, *words, number=3, timeout=60):
        done = subprocess.run(self.client.argv(
            "curl", "-sS", "--interface", "10.9.0.%d" % number, "--proxy", "http://10.9.0.1:8080",
            "--cacert", str(self.root), *words), capture_output=True, timeout=timeout, check=False)
        return done
