# SPDX-License-Identifier: GPL-3.0-or-later
"""A syncd on a private bus: lists in a directory or on an HTTPS server of the test's own."""
import email.utils
import errno
import http.server
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import threading
import time

from support import BUILD, DEADLINE_S
from support.bus import Probe
from support.process import Daemon
from support.wait import wait_until

UID = 64106  # syncd's own; a daemon never stays root
REPEATABLE = ("syncd.sync_now", "syncd.directus_changed")


class Syncd(Daemon):
    """The daemon with its directories."""

    def __init__(self, place, redis, dns_port):
        super().__init__("syncd", place / "culvert.conf", place / "syncd.log")
        self.dir = place / "gateway"
        self.lists = place / "lists"
        self.lists.mkdir()
        self.ca = place / "ca.pem"
        for kind in ("state", "cache"):
            (self.dir / kind / "syncd").mkdir(parents=True)
        self.text = f"""[culvert]
state_dir = {self.dir}/state
cache_dir = {self.dir}/cache
log_level = debug
[bus]
redis = unix:{redis.socket}
[syncd]
user = {UID}
redis_password_file = {redis.password_file("syncd", UID)}
lists_dir = {self.lists}
list_ca = {self.ca}
resolver = 127.0.0.1:{dns_port}
"""
        self.private = True
        self.more = ""  # further lines of [syncd]

    def start(self, **options):
        self.conf.write_text(self.text + ("allow_private = yes\n" if self.private else "") + self.more)
        return super().start(**options)

    def write(self, name, text):
        """Replaces a list file at one stroke."""
        new = self.lists / (name + ".new")
        new.write_text(text)
        new.rename(self.lists / name)


class Gateway:
    """syncd between apid (who says which lists there are) and dnsd (who gets the set)."""

    def __init__(self, place, redis, dns_port):
        self.redis = redis
        self.syncd = Syncd(place, redis, dns_port)
        self.apid, self.dnsd = [Probe(d, f"unix:{redis.socket}", place) for d in ("apid", "dnsd")]
        self.apid.do("listen", event="syncd.alarm")
        wait_until(lambda: redis("PUBSUB", "NUMSUB", "culvert:event:syncd:alarm")[1], "apid hears alarms")
        self.dnsd.subscribe("domainset", "syncd")
        self.dnsd.subscribe("lists", "syncd")
        self.put_in_force(True)

    def put_in_force(self, on):
        """Whether dnsd puts in force what it sees, by itself and at once."""
        self.dnsd.do("acks", on=on)
        self.dnsd.drain()

    def close(self):
        self.syncd.stop()
        self.apid.quit()
        self.dnsd.quit()

    def sources(self, **sources):
        """NAME=source or NAME={record}."""
        records = {name: {"id": name, "default_on": True,
                          **(s if isinstance(s, dict) else {"source": s})}
                   for name, s in sources.items()}
        self.apid.replace("list_sources", records)

    def _records(self, topic):
        self.dnsd.drain()
        return self.dnsd.records.get(f"{topic}:syncd", {})

    def lists(self):
        return self._records("lists")

    def domainset(self):
        return self._records("domainset").get("main")

    def wait_set_seen(self, is_it):
        """A domain set that dnsd has seen, though it may have gone back since."""
        def look():
            self.domainset()
            return next((e["rec"] for e in self.dnsd.seen if e["ev"] == "record"
                         and e["topic"] == "domainset" and e["rec"] and is_it(e["rec"])), None)
        return wait_until(look, "domain set")

    def wait_list(self, name, seconds=DEADLINE_S, **want):
        """Until the list's record has these members (None: absent); gives it."""
        def look():
            one = self.lists().get(name)
            good = one and all(one.get(k) == v for k, v in want.items())
            return one if good else None
        try:
            return wait_until(look, f"list {name} {want}", seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; {self.lists()}\n{self.syncd.log()[-3000:]}") from None

    def bit(self, name):
        """The list's bit; its record may come before."""
        wait_until(lambda: "bit" in self.lists().get(name, {}), f"bit of {name}")
        return self.lists()[name]["bit"]

    def image(self):
        record = wait_until(self.domainset, "domain set")
        self.dnsd.do("blob_get", digest=record["blob"], tag=record["blob"][:16])
        got = self.dnsd.wait("blob_got", tag=record["blob"][:16])
        assert got["status"] == 0
        return record, got["path"]

    def blocked(self, *names):
        """Which lists block each name: [{id, …}, …]."""
        record, path = self.image()
        run = subprocess.run([BUILD / "bin/listcheck", "--image", path], check=True, text=True,
                             input="\n".join(names) + "\n", capture_output=True)
        rows = [line.split() for line in run.stdout.splitlines()[1:]]
        assert [r[0] for r in rows] == list(names)
        return [{record["lists"][bit] for bit in range(64) if int(r[1], 16) >> bit & 1} for r in rows]

    def wait_blocked(self, name, lists, seconds=DEADLINE_S):
        wait_until(lambda: self.domainset() and self.blocked(name)[0] == set(lists), f"{name} on {lists}",
                   seconds)

    def expect(self, lists, *names):
        """The names are on these lists, soon: a list's record may be seen before its set."""
        try:
            wait_until(lambda: self.blocked(*names) == lists, "set")
        except AssertionError:
            assert self.blocked(*names) == lists

    def alarm(self, **more):
        return self.apid.wait("event", event="syncd.alarm", **more)["rec"]

    def request(self, op, **args):
        """Once syncd, maybe just started, serves it and knows its lists; once more, where that does no more, when it
        took longer than the two seconds that a request has."""
        again = {-errno.ENOTCONN, *[-errno.ETIMEDOUT] * (op in REPEATABLE and "confirm" not in args)}

        def ask():
            reply = self.ask(op, **args)
            is_early = reply["status"] in again or (reply["result"] or {}).get("code") == "starting"
            return None if is_early else reply
        return wait_until(ask, op)

    def ask(self, op, **args):
        self.apid.do("request", op=op, args=args, tag=op)
        return self.apid.wait("reply", tag=op)


# ---- the outside world ----

class Dns(threading.Thread):
    """Answers A for the names it knows, NXDOMAIN for the rest."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.names, self.closed = {}, False

    def close(self):
        """A thread left in recvfrom would read from whoever gets the descriptor next."""
        self.closed = True
        self.socket.sendto(b"", self.socket.getsockname())
        self.join()
        self.socket.close()

    def run(self):
        while not self.closed:
            query, peer = self.socket.recvfrom(4096)
            at, labels = 12, []
            try:
                while query[at]:
                    labels.append(query[at + 1:at + 1 + query[at]].decode())
                    at += 1 + query[at]
                kind = struct.unpack("!H", query[at + 1:at + 3])[0]
            except (IndexError, UnicodeDecodeError, struct.error):
                continue  # another test's, to whoever had this port before
            question = query[12:at + 5]
            address = self.names.get(".".join(labels).lower())
            answer = b""
            if address and kind == 1:
                answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + socket.inet_aton(address)
            flags = 0x8180 if address else 0x8183
            reply = query[:2] + struct.pack("!HHHHH", flags, 1, bool(answer), 0, 0) + question + answer
            self.socket.sendto(reply, peer)


CA_CONF = """
[ca]
default_ca = test
[test]
database = %(dir)s/index.txt
new_certs_dir = %(dir)s
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def make_certificate(place, name, *hosts, days=2):
    """A CA of that name (once) and a leaf for the hosts, good for so many days (negative: no longer);
    gives the leaf's PEM with its key."""
    def run(*args, text=None):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, input=text, text=True)
    ca, key = place / f"{name}.pem", place / f"{name}.key"
    if not ca.exists():
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 9,
            "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", key,
            "-out", ca)
    leaf = place / f"leaf-{hosts[0]}-{name}.pem"
    extra = place / "san.cnf"
    extra.write_text("subjectAltName=" + ",".join(f"DNS:{h}" for h in hosts))
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={hosts[0]}",
        "-keyout", f"{leaf}.key", "-out", f"{leaf}.csr")
    # openssl x509 has no dates in the past everywhere.
    issued = place / "issued"
    issued.mkdir(exist_ok=True)
    (issued / "index.txt").touch()
    (issued / "ca.cnf").write_text(CA_CONF % {"dir": issued})
    dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d * 86400)) for d in (-9, days)]
    run("ca", "-batch", "-notext", "-config", issued / "ca.cnf", "-cert", ca, "-keyfile", key, "-in",
        f"{leaf}.csr", "-extfile", extra, "-startdate", dates[0], "-enddate", dates[1], "-out", leaf)
    leaf.write_text(leaf.read_text() + pathlib.Path(f"{leaf}.key").read_text())
    return leaf


class Web(http.server.ThreadingHTTPServer):
    """An HTTPS server: path → (status, headers, body); remembers the requests' headers."""

    daemon_threads = True

    def __init__(self, certificate):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = self.server_address[1]
        self.pages, self.requests = {}, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def finish_request(self, request, client_address):
        try:
            super().finish_request(self.context.wrap_socket(request, server_side=True), client_address)
        except OSError:
            pass

    def page(self, path, body, status=200, **headers):
        self.pages[path] = (status, {k.replace("_", "-"): v for k, v in headers.items()},
                            body.encode() if isinstance(body, str) else body)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, headers, body = self.server.pages.get(self.path, (404, {}, b"nothing here"))
        self.server.requests.append((self.path, dict(self.headers)))
        if status == 200 and headers.get("ETag") and self.headers.get("If-None-Match") == headers["ETag"]:
            status, body = 304, b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def http_date(when):
    return email.utils.formatdate(when, usegmt=True)


def listcheck(*args, names=()):
    """(reports per file, summary, rows of the names)"""
    run = subprocess.run([BUILD / "bin/listcheck", *map(str, args)], check=True, text=True,
                         input="".join(n + "\n" for n in names), capture_output=True)
    lines = run.stdout.splitlines()
    heads = [json.loads(line) for line in lines if line.startswith("{")]
    return heads[:-1], heads[-1], [line.split() for line in lines[len(heads):]]
