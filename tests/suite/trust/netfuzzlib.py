# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong input for the daemons of a lab, at every socket that they have: after each round each must be the same process,
answer a good request, and no sanitizer may have said anything."""
import collections
import json
import os
import random
import socket
import ssl
import struct
import time

from crowdlib import Owner, place
from interceptlib import hello, sni
from lablib import DAEMONS, site_addresses
from launcher.process import PATIENCE, Process
from mangle import Schema, mangle, texts
from support.redis import Client
from support.wait import wait_until
import walklib

# For what may never be answered, and for what must be.
WAIT_S, GOOD_S = 0.1, 3 * PATIENCE
GATEWAY = "10.9.0.1"
HTTP = ("GET http://allowed.example/a?b=c HTTP/1.1\r\nHost: allowed.example\r\nAccept-Encoding: gzip, br\r\nCookie: a=b\r\n"
        "Range: bytes=0-5\r\n\r\n").encode()
CONNECT = b"CONNECT allowed.example:443 HTTP/1.1\r\nHost: allowed.example:443\r\n\r\n"
FORM = (b"POST http://10.9.0.1/.kvylock/appeal HTTP/1.1\r\nHost: 10.9.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 39\r\n\r\nurl=http%3A%2F%2Fblocked.example&mode=appeal")
CHUNKED = (b"POST http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n")
HTTP2 = (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000006040000000000000300000064" "00000401050000000182848641")
         + bytes.fromhex("8c f1e3c2e5f23a6ba0ab90f4ff".replace(" ", "")))
DNS = [walklib.question(n, name, kind) for n, (name, kind) in enumerate([
    ("allowed.example", 1), ("ads.listed.example", 28), ("svcb.example", 65), ("a.b.c.d.fresh.example", 16), ("example", 255)])]
FRAMES = [b"\x81\x85\1\2\3\4" + bytes(a ^ b for a, b in zip(b"hello", b"\1\2\3\4\1")), b"\x89\x80\0\0\0\0", b"\x88\x82\0\0\0\0\3\xe8",
          b"\x01\xfe\1\0\0\0\0\0" + b"{" * 256, b"\x81\xff" + struct.pack(">Q", 1 << 40) + b"\0\0\0\0"]


def _is_http(reply):
    return reply.startswith(b"HTTP/1.")


class Fuzz:
    """kinds: those of input that are tried; by default all."""

    def __init__(self, lab, seed, kinds=None):
        self.lab, self.rng, self.schema = lab, random.Random(seed), Schema()
        self.phone, self.gw = place(lab, "phone"), place(lab, "gw")
        self.owner = Owner(lab)
        self.tried, self.rounds = collections.Counter(), 0
        self.pids, self.heard = {name: self._pid(name) for name in DAEMONS}, {name: len(lab.log(name)) for name in DAEMONS}
        places = lab.places
        self.redis = Client(places.bus_socket, places.bus_user, self._secret("redis-" + places.bus_user))
        self.kinds = {name.removeprefix("_try_"): getattr(self, name) for name in dir(self) if name.startswith("_try_")}
        if kinds:
            self.kinds = {name: self.kinds[name] for name in kinds}

    def close(self):
        self.redis.__exit__()
        self.owner.close()
        for one in (self.phone, self.gw):
            one.close()

    def _secret(self, name):
        from launcher import stores  # pylint: disable=import-outside-toplevel
        return stores.read_secret(self.lab.places, name)

    def _pid(self, name):
        return Process(self.lab.hosts["gw"], name).pid()

    # ---- one try each ----

    @staticmethod
    def _send_udp(address, data):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(data[:65000], address)

    @staticmethod
    def _talk(address, parts, wrap=None, seconds=WAIT_S):
        """What came until there was nothing more to hear, b"" where it was refused."""
        try:
            with socket.create_connection(address, GOOD_S) as s:
                s.settimeout(GOOD_S)
                talk = wrap(s) if wrap else s
                for part in parts:
                    talk.sendall(part)
                talk.settimeout(seconds)
                return talk.recv(65536)
        except (OSError, ValueError):
            return b""

    def _mangled(self, data):
        """In one piece or in several."""
        data = mangle(self.rng, data)
        at = self.rng.randrange(len(data) + 1)
        return [data[:at], data[at:]] if self.rng.random() < 0.3 else [data]

    @staticmethod
    def _tls(s):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(s)

    def _try_dns_udp(self):
        for _ in range(20):
            self.phone.call(self._send_udp, (GATEWAY, 53), mangle(self.rng, self.rng.choice(DNS)))

    def _try_dns_tcp(self):
        one = self.rng.choice(DNS)
        self.phone.call(self._talk, (GATEWAY, 53), self._mangled(struct.pack(">H", len(one)) + one))

    def _try_proxy(self):
        self.phone.call(self._talk, (GATEWAY, 8080), self._mangled(self.rng.choice((HTTP, CONNECT, FORM, CHUNKED, HTTP2))))

    def _try_tunnel(self):
        """A hello, TLS and HTTP in a tunnel that the proxy has opened."""
        inner = self.rng.choice((hello(sni("allowed.example")), HTTP.replace(b"http://allowed.example", b"")))
        self.phone.call(self._talk, (GATEWAY, 8080), [CONNECT, *self._mangled(inner)])

    def _try_decrypted(self):
        """HTTP/1.1 and what HTTP/2 could be, within TLS that the proxy has opened."""
        def wrap(s):
            s.sendall(CONNECT)
            s.recv(4096)
            return self._tls(s)
        self.phone.call(self._talk, (GATEWAY, 8080), self._mangled(self.rng.choice((HTTP, CHUNKED, HTTP2))), wrap)

    def _try_web(self):
        """80 of an app: proxyd's redirect."""
        self.phone.call(self._talk, (site_addresses("allowed.example")[0], 80), self._mangled(HTTP.replace(b"http://allowed.example", b"")))

    def _try_hello(self):
        """443 of an app: the path, or proxyd's redirect."""
        self.phone.call(self._talk, (site_addresses("allowed.example")[0], 443), self._mangled(hello(sni("allowed.example"))))

    def _try_portal(self):
        self.phone.call(self._talk, (GATEWAY, self.rng.choice((80, 443))), self._mangled(self.rng.choice((
            hello(sni("allowed.example")), HTTP.replace(b"http://allowed.example", b""), FORM))))

    def _try_device_api(self):
        head = b"GET /device HTTP/1.1\r\nHost: 10.9.0.1:8444\r\nAuthorization: Bearer cvd_x\r\n\r\n"
        self.phone.call(self._talk, (GATEWAY, 8444), self._mangled(head), self._tls)

    def _try_provisioning(self):
        body = json.dumps({"task": "wg_upsert", "id": "fuzz", "publicKey": "x" * 43 + "=", "address": "10.9.0.250/32"}).encode()
        body = mangle(self.rng, body)
        head = "POST / HTTP/1.1\r\nHost: gw\r\nx-api-key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
            self.owner.admin.env["API_KEY"], len(body))
        self.gw.call(self._talk, ("127.0.0.1", 8000), [head.encode() + body])

    def _admin_address(self):
        host, port = self.owner.admin.env["ADMIN_URL"].removeprefix("https://").split(":")
        return host, int(port)

    def _try_admin_api(self):
        head = b"POST /api/v1/devices?limit=5&q=%%41 HTTP/1.1\r\nHost: gw\r\nCookie: %s\r\nContent-Type: application/json\r\n" \
               b"Content-Length: 18\r\n\r\n{\"name\": \"Tablet\"}" % self.owner.admin.cookie.encode()
        self.gw.call(self._talk, self._admin_address(), self._mangled(head), self._tls)

    def _try_websocket(self):
        def wrap(s):
            tls = self._tls(s)
            self._upgrade(tls)
            return tls
        self.gw.call(self._talk, self._admin_address(), [mangle(self.rng, self.rng.choice(FRAMES)) for _ in range(3)], wrap)

    def _upgrade(self, tls):
        host = "%s:%d" % self._admin_address()
        tls.sendall(("GET /ws/stats HTTP/1.1\r\nHost: %s\r\nOrigin: https://%s\r\nCookie: %s\r\nUpgrade: websocket\r\nConnection: "
                     "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % (
                         host, host, self.owner.admin.cookie)).encode())
        return tls.recv(4096)

    def _try_bus_request(self):
        daemon, op, record, callers = self.rng.choice(self.schema.requests)
        caller = self.rng.choice(callers.split("|")).strip().removeprefix("D_").lower()
        message = {"v": self.rng.choice((1, 1, 1, 2, "1")), "id": "1", "op": op, "args": self.schema.record(self.rng, record),
                   "reply": "culvert:reply:%s:%s" % (caller, "0" * 32)}
        self.redis("PUBLISH", "culvert:req:%s:%s" % (daemon, caller), texts(self.rng, message))

    def _try_bus_event(self):
        daemon, kind, record = self.rng.choice(self.schema.events)[:3]
        message = {"v": 1, "at": 0, "from": daemon, "rec": self.schema.record(self.rng, record), **self.schema.record(self.rng, record)}
        self.redis("PUBLISH", "culvert:event:%s:%s" % (daemon, kind), texts(self.rng, message))

    def _try_bus_state(self):
        """A change that its owner did not make: what Redis holds stays, and is read again."""
        topic, record, owners = self.rng.choice(self.schema.topics)[:3]
        owner = self.rng.choice(owners.split("|")).strip().removeprefix("D_").lower()
        stamp = self.redis("HGET", "culvert:gens:" + owner, topic)
        previous = json.loads(stamp) if stamp else None
        message = {"v": 1, "epoch": self.redis("GET", "culvert:epoch:" + owner), "gen": self.rng.randrange(1 << 40), "wid": "f" * 32,
                   "full": 1, "prev": self.rng.choice((previous, None, {"gen": -1}, [])),
                   "set": {"fuzz": self.schema.record(self.rng, record)}, "del": self.rng.choice((["fuzz"], [1], {}, "x"))}
        self.redis("PUBLISH", "culvert:state:%s:%s" % (topic, owner), mangle(self.rng, json.dumps(message).encode()))

    # ---- rounds ----

    def run(self, seconds, tries=8):
        """At least one round of all kinds, so many tries of each."""
        until = time.monotonic() + seconds
        while not self.rounds or time.monotonic() < until:
            for name, one in self.kinds.items():
                for _ in range(tries):
                    one()
                    self.tried[name] += 1
            self.rounds += 1
            self.check()

    def check(self):
        for name, answers in self._good().items():
            wait_until(answers, "%s to answer a good request after round %d" % (name, self.rounds), 30 * PATIENCE)
        for name in DAEMONS:
            said = self.lab.log(name)[self.heard[name]:]
            assert "Sanitizer" not in said and "runtime error:" not in said, "%s: %s" % (name, said[-6000:])
            assert self._pid(name) == self.pids[name], "%s has ended: %s" % (name, said[-6000:])

    def _good(self):
        """What must be answered, and how to ask."""
        lab, phone, gw = self.lab, self.phone, self.gw
        site, page = (site_addresses("allowed.example")[0], 443), HTTP.replace(b"Range: bytes=0-5\r\n", b"")
        index = b"GET /api/openapi.json HTTP/1.1\r\nHost: gw\r\n\r\n"
        return {
            "provisioning": lambda: walklib.provisions(lab),
            "DNS": lambda: lab.dig("phone", walklib.fresh("fresh.example"), seconds=int(2 * PATIENCE)).addresses == [walklib.SITE[0]],
            "DNS over TCP": lambda: lab.dig("phone", "allowed.example", "A", "+tcp", seconds=int(2 * PATIENCE)).addresses,
            "the proxy": lambda: _is_http(phone.call(self._talk, (GATEWAY, 8080), [page], None, GOOD_S)),
            "443 of apps": lambda: phone.call(self._talk, site, [hello(sni("allowed.example"))], None, GOOD_S)[:1] in (b"\x15", b"\x16"),
            "the administration": lambda: _is_http(gw.call(self._talk, self._admin_address(), [index], self._tls, GOOD_S)),
            "WebSocket": self._upgrades,
        }

    def _upgrades(self):
        def ask():
            with socket.create_connection(self._admin_address(), 5 * PATIENCE) as s:
                return self._upgrade(self._tls(s))
        return self.gw.call(ask).startswith(b"HTTP/1.1 101")

    def report(self):
        quiet = "no sanitizer said anything" if "asan" in self.lab.places.build else "built without the sanitizers"
        yield "%d tries in %d rounds, %d kinds; %s; no daemon ended, all answered after each round" % (
            sum(self.tried.values()), self.rounds, len(self.kinds), quiet)
        for name, count in sorted(self.tried.items()):
            yield "%8d  %s" % (count, name)
