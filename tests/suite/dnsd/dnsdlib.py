# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsd with a private Redis, the real syncd for lists, and the test in apid's place. Devices are loopback addresses."""
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import dns.message
import dns.query

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / os.environ.get("B", "build")
PHONE, LAPTOP, STRANGER = "127.1.0.2", "127.1.0.3", "127.1.0.9"
GATEWAY = "127.1.0.1"
DEADLINE_S = 30
APID_TOPICS = ("devices", "groups", "settings", "device_prefs", "categories", "category_prefs", "websites",
               "site_overrides", "sni_block", "mitm_ignore", "dns_rules", "list_sources")
CONF = """[culvert]
state_dir={run}/state
cache_dir={run}/cache
log_level=debug
[bus]
redis=unix:{run}/redis.sock
[tunnel mitm]
interface=wgt0
addresses={gateway}/24
[dnsd]
user={uid}
port={port}
system=127.0.0.1:{system}
upstreams={upstreams}
upstream_ca={run}/ca.pem
ipv6=yes
{extra}
[syncd]
user={uid}
lists_dir={run}/lists
list_ca={run}/ca.pem
"""


def wait_until(predicate, what, seconds=DEADLINE_S):
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Redis:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")

    def __call__(self, *words):
        parts = [str(w).encode() for w in words]
        self.sock.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self.read()

    def read(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self.file.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return rest.decode()

    def close(self):
        self.file.close()
        self.sock.close()


class Publisher:
    """apid's state on the bus (DESIGN 4)."""

    def __init__(self, path):
        self.redis = Redis(path)
        self.epoch, self.gen, self.stamps = secrets.token_hex(16), 0, {}
        self.redis("SET", "culvert:epoch:apid", self.epoch)
        for topic in APID_TOPICS:
            self.replace(topic, {})

    def _publish(self, topic, commands, fields):
        self.gen += 1
        previous = self.stamps.get(topic)
        now = {"gen": self.gen, "wid": secrets.token_hex(16)}
        self.stamps[topic] = dict(now, full=self.gen if "full" in fields else previous["full"])
        message = dict({"v": 1, "epoch": self.epoch, "prev": previous}, **now, **fields)
        for command in [("MULTI",), *commands, ("SET", "culvert:gen:apid", self.gen),
                        ("HSET", "culvert:gens:apid", topic, json.dumps(self.stamps[topic], separators=(",", ":"))),
                        ("PUBLISH", f"culvert:state:{topic}:apid", json.dumps(message)), ("EXEC",)]:
            self.redis(*command)
        return self.gen

    def replace(self, topic, records):
        key = f"culvert:state:{topic}:apid"
        commands = [("DEL", key)] + [("HSET", key, i, json.dumps(r)) for i, r in records.items()]
        return self._publish(topic, commands, {"full": True})

    def set(self, topic, **records):
        key = f"culvert:state:{topic}:apid"
        return self._publish(topic, [("HSET", key, i, json.dumps(r)) for i, r in records.items()],
                             {"set": records, "del": []})


class World:
    """One gateway: Redis, syncd, dnsd. Nothing but loopback."""

    def __init__(self, upstreams, directory, uid=64103, extra=""):
        self.run = pathlib.Path(tempfile.mkdtemp(prefix="cvdns", dir="/tmp"))
        self.run.chmod(0o755)
        self.uid = uid
        self.port, self.system = free_port(), free_port()
        self.processes = {}
        shutil.copy(directory / "ca.pem", self.run / "ca.pem")
        for daemon in ("dnsd", "syncd"):
            for kind in ("state", "cache"):
                (self.run / kind / daemon).mkdir(parents=True)
                os.chown(self.run / kind / daemon, uid, uid)
            shutil.copy(BUILD / "bin" / daemon, self.run / daemon)
        (self.run / "lists").mkdir()
        (self.run / "lists/adblock.txt").write_text("||listed.example^\n")
        self.configure(upstreams, extra)
        self.bus = None

    def configure(self, upstreams, extra=""):
        (self.run / "culvert.conf").write_text(CONF.format(
            run=self.run, gateway=GATEWAY, uid=self.uid, port=self.port, system=self.system,
            upstreams=", ".join(upstreams), extra=extra))

    def start_redis(self):
        self.spawn("redis", "redis-server", "--port", "0", "--unixsocket", self.run / "redis.sock",
                   "--unixsocketperm", "777", "--save", "", "--dir", self.run)

        def answers():
            try:
                Redis(self.run / "redis.sock").close()
            except OSError:
                return False
            return True
        wait_until(answers, "redis")

    def publish_policy(self):
        self.bus = Publisher(self.run / "redis.sock")
        self.bus.replace("settings", {"policy_source": {"id": "policy_source", "value": "local"}})
        self.bus.replace("list_sources", {"adblock": {
            "id": "adblock", "title": "Advertising", "source": "file:adblock.txt", "kind": "adblock",
            "default_on": True, "subtree": True}})
        self.bus.replace("device_prefs", {"device:laptop": {"id": "device:laptop", "lists_off": ["adblock"]}})
        self.bus.replace("devices", {
            "phone": {"id": "phone", "active": True, "tunnel": "mitm", "addresses": [PHONE], "profile": "internet"},
            "laptop": {"id": "laptop", "active": True, "tunnel": "mitm", "addresses": [LAPTOP], "profile": "full"}})

    def spawn(self, name, *argv):
        log = open(self.run / f"{name}.log", "ab")  # pylint: disable=consider-using-with
        self.processes[name] = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log)
        log.close()

    def start(self, daemon):
        self.spawn(daemon, self.run / daemon, "-c", self.run / "culvert.conf")

    def end(self, name, number=signal.SIGTERM):
        process = self.processes.pop(name)
        if process.poll() is None:
            process.send_signal(number)
        return process.wait(DEADLINE_S)

    def up(self):
        """Everything, until the phone's listed name is blocked."""
        self.start_redis()
        self.publish_policy()
        self.start("syncd")
        self.start("dnsd")
        self.await_policy()
        return self

    def await_policy(self):
        def in_force():
            answer = self.ask("probe.listed.example", source=PHONE, timeout=0.3)
            return answer is not None and addresses(answer) == ["0.0.0.0"]
        try:
            wait_until(in_force, "policy in force")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log('dnsd')}\n{self.log('syncd')}") from None

    def ask(self, name, rdtype="A", source=PHONE, tcp=False, timeout=10.0, **options):
        """The answer, or None when there is none in time."""
        options.setdefault("use_edns", True)
        query = dns.message.make_query(name, rdtype, **options)
        return self.send(query, source, tcp, timeout)

    def send(self, query, source=PHONE, tcp=False, timeout=10.0):
        ask = dns.query.tcp if tcp else dns.query.udp
        where = ("127.0.0.1", self.system) if source == "system" else (GATEWAY, self.port)
        try:
            return ask(query, where[0], port=where[1], source=None if source == "system" else source, timeout=timeout)
        except (dns.exception.Timeout, EOFError, OSError):
            return None

    def log(self, name):
        path = self.run / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def status(self):
        connection = Redis(self.run / "redis.sock")
        text = connection("GET", "culvert:status:dnsd:1")
        connection.close()
        return json.loads(text) if text else {}

    def close(self):
        codes = {name: self.end(name) for name in list(self.processes)}
        log = self.log("dnsd")
        shutil.rmtree(self.run, ignore_errors=True)
        assert not codes.get("dnsd"), f"dnsd ended with {codes['dnsd']}\n{log}"


def addresses(answer):
    return sorted(r.to_text() for rrset in answer.answer for r in rrset if rrset.rdtype in (1, 28))


def ede(answer):
    """(code, text) of the extended error, or None."""
    for option in answer.options:
        if int(option.otype) == 15:
            return int(option.code), option.text or ""
    return None
