# SPDX-License-Identifier: GPL-3.0-or-later
"""wgd with a real Redis and a real wireguard-go in namespaces of the test's own.

The test plays apid: Publisher writes its topics as DESIGN 4 says, and asks wgd's requests.
"""
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
BUILD = os.environ.get("B", os.path.join(TOP, "build"))
UID = 64101
CONF = """[culvert]
state_dir={run}/state
cache_dir={run}/cache
log_level=debug
[bus]
redis=unix:{run}/redis.sock
[tunnel mitm]
interface=wgt0
addresses=10.9.0.1/24, fd09::1/64
port=51820
mtu=1380
[wgd]
user={uid}
backend={backend}
"""


def wait_until(predicate, seconds=20, what="condition"):
    """Polls until predicate() is true and gives its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < deadline, "%s: not within %g s" % (what, seconds)
        time.sleep(0.02)


def genkey():
    """(private, public), base64."""
    private = subprocess.check_output(["wg", "genkey"], text=True).strip()
    return private, subprocess.check_output(["wg", "pubkey"], input=private, text=True).strip()


class Redis:
    """One connection, RESP2."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")

    def send(self, *words):
        out = b"*%d\r\n" % len(words)
        for word in words:
            raw = str(word).encode()
            out += b"$%d\r\n%s\r\n" % (len(raw), raw)
        self.sock.sendall(out)

    def read(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind in b"+:":
            return int(rest) if kind == b":" else rest.decode()
        if kind == b"-":
            raise RuntimeError(rest.decode())
        count = int(rest)
        if kind == b"$":
            return None if count < 0 else self.file.read(count + 2)[:-2].decode()
        return [self.read() for _ in range(count)]

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def close(self):
        self.file.close()
        self.sock.close()


class Publisher:
    """apid's topics."""

    def __init__(self, path):
        self.path = path
        self.redis = Redis(path)
        self.epoch = secrets.token_hex(16)
        self.gen = 0
        self.stamps = {}
        self.calls = 0
        self.redis.ask("SET", "culvert:epoch:apid", self.epoch)
        for topic in ("groups", "settings", "device_prefs", "device_keys", "devices"):
            self.replace(topic, {})

    def _publish(self, topic, commands, fields):
        self.gen += 1
        prev = self.stamps.get(topic)
        now = {"gen": self.gen, "wid": secrets.token_hex(8)}
        full = self.gen if "full" in fields else prev["full"]
        self.stamps[topic] = dict(now, full=full)
        key = "culvert:state:%s:apid" % topic
        message = dict({"v": 1, "epoch": self.epoch, "prev": prev}, **now, **fields)
        batch = commands + [
            ("SET", "culvert:gen:apid", self.gen),
            ("HSET", "culvert:gens:apid", topic, json.dumps(self.stamps[topic])),
            ("PUBLISH", key, json.dumps(message))]
        self.redis.ask("MULTI")
        for command in batch:
            self.redis.ask(*command)
        self.redis.ask("EXEC")
        return self.gen

    def replace(self, topic, records):
        key = "culvert:state:%s:apid" % topic
        commands = [("DEL", key)]
        commands += [("HSET", key, i, json.dumps(r)) for i, r in records.items()]
        return self._publish(topic, commands, {"full": True, "set": records, "del": []})

    def set(self, topic, **records):
        key = "culvert:state:%s:apid" % topic
        return self._publish(topic, [("HSET", key, i, json.dumps(r)) for i, r in records.items()],
                             {"set": records, "del": []})

    def delete(self, topic, *ids):
        key = "culvert:state:%s:apid" % topic
        return self._publish(topic, [("HDEL", key, *ids)], {"set": {}, "del": list(ids)})

    def put_device(self, name, public_key, *addresses, **fields):
        """Key first, then the device, as apid does; the generation of devices."""
        self.set("device_keys", **{name: {"id": name, "public_key": public_key}})
        return self.set("devices", **{name: dict(
            {"id": name, "addresses": list(addresses), "active": True}, **fields)})

    def remove_device(self, name):
        self.delete("device_keys", name)
        return self.delete("devices", name)

    def request(self, op, **args):
        """One request to wgd: its answer."""
        self.calls += 1
        channel = "culvert:reply:apid:test%d" % self.calls
        ear = Redis(self.path)
        ear.ask("SUBSCRIBE", channel)
        message = {"v": 1, "id": "test-%d" % self.calls, "op": op, "args": args,
                   "reply": channel}
        wait_until(lambda: self.redis.ask("PUBLISH", "culvert:req:wgd:apid",
                                          json.dumps(message)), what="wgd listens")
        answer = json.loads(ear.read()[2])
        ear.close()
        return answer

    def applied(self, name, gen, **args):
        return self.request("peer_applied", id=name, gen=gen, **args)


class Gateway:
    """The namespaces with Redis, wireguard-go and wgd."""

    def __init__(self, backend="auto"):
        self.run_dir = tempfile.mkdtemp(prefix="culvert-wgd-", dir="/tmp")
        os.chmod(self.run_dir, 0o755)
        self.processes = {}
        self.log_path = os.path.join(self.run_dir, "wgd.log")
        for name in ("state", "cache"):
            os.makedirs(os.path.join(self.run_dir, name, "wgd"), 0o700)
            os.chown(os.path.join(self.run_dir, name, "wgd"), UID, UID)
            os.chmod(os.path.join(self.run_dir, name), 0o755)
        shutil.copy(os.path.join(BUILD, "bin", "wgd"), self.path("wgd"))
        with open(self.path("culvert.conf"), "w", encoding="ascii") as out:
            out.write(CONF.format(run=self.run_dir, uid=UID, backend=backend))
        self.spawn("space", ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
                             "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && "
                             "chown %d /run/wireguard && mount -t tmpfs tmpfs /dev/net && "
                             "mknod -m 666 /dev/net/tun c 10 200 && ip link set lo up && touch %s && "
                             "exec sleep infinity" % (UID, self.path("space"))], enter=False)
        wait_until(lambda: os.path.exists(self.path("space")), what="namespaces")
        self.start_redis()
        self.bus = Publisher(self.path("redis.sock"))

    def path(self, *names):
        return os.path.join(self.run_dir, *names)

    def enter(self):
        return ["nsenter", "-t", str(self.processes["space"].pid), "-n", "-m", "--"]

    def spawn(self, name, argv, enter=True, **options):
        assert name not in self.processes
        self.processes[name] = subprocess.Popen(
            (self.enter() if enter else []) + argv, stdin=subprocess.DEVNULL, **options)

    def end(self, name, number=signal.SIGTERM):
        process = self.processes.pop(name)
        if process.poll() is None:
            process.send_signal(number)
        return process.wait(20)

    def run(self, *argv, check=True):
        done = subprocess.run(self.enter() + list(argv), capture_output=True, text=True,
                              check=False)
        assert not check or done.returncode == 0, (argv, done.stderr)
        return done.stdout

    def start_redis(self):
        self.spawn("redis", ["redis-server", "--port", "0", "--unixsocket", self.path("redis.sock"),
                             "--unixsocketperm", "777", "--save", "", "--dir", self.run_dir],
                   stdout=subprocess.DEVNULL)

        def answers():
            try:
                connection = Redis(self.path("redis.sock"))
            except OSError:
                return False
            connection.close()
            return True
        wait_until(answers, what="redis")

    def start_wireguard(self):
        self.spawn("wireguard", ["setpriv", "--reuid", str(UID), "--regid", str(UID),
                                 "--clear-groups", "--inh-caps", "-all,+net_admin",
                                 "--ambient-caps", "-all,+net_admin", "--",
                                 "wireguard-go", "-f", "wgt0"],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start_wgd(self):
        log = open(self.log_path, "ab")  # pylint: disable=consider-using-with
        self.spawn("wgd", [self.path("wgd"), "-c", self.path("culvert.conf")], stderr=log)
        log.close()

    def log(self):
        with open(self.log_path, encoding="utf-8") as src:
            return src.read()

    def peers(self):
        """Public key -> sorted allowed prefixes, as `wg show` says; None without interface."""
        text = self.run("wg", "show", "wgt0", "allowed-ips", check=False)
        rows = [line.split() for line in text.splitlines()]
        return {row[0]: sorted(word for word in row[1:] if word != "(none)") for row in rows}

    def await_peers(self, want, seconds=20):
        want = {key: sorted(prefixes) for key, prefixes in want.items()}
        try:
            wait_until(lambda: self.peers() == want, seconds, "peers")
        except AssertionError as exc:
            raise AssertionError("%s\nwant %r\nhave %r\n%s" % (
                exc, want, self.peers(), self.log()[-3000:])) from exc

    def status(self):
        text = self.bus.redis.ask("GET", "culvert:status:wgd:1")
        return json.loads(text) if text else {}

    def close(self):
        statuses = {}
        for name in ("wgd", "wireguard", "redis", "space"):
            if name in self.processes:
                statuses[name] = self.end(name)
        shutil.rmtree(self.run_dir, ignore_errors=True)
        return statuses
