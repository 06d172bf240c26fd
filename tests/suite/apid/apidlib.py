# SPDX-License-Identifier: GPL-3.0-or-later
"""apid with a private Redis and a private MariaDB, and somebody who answers in wgd's place."""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from support import DEADLINE_S, ROOT
from support.net import free_port
from support.process import Daemon
from support.wait import wait_until

API_KEY = "0123456789abcdef0123456789abcdef"
DB_PASSWORD = "apid-password"
UID = 64105
MIGRATIONS = sorted((ROOT / "apid/schema").glob("*.sql"))
KEYS = ["xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
        "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=",
        "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA="]
TOPICS = {"devices", "device_keys", "groups", "settings", "profiles", "dns_rules", "dns_records", "list_sources", "appeal_answers",
          "device_prefs", "categories", "websites", "words", "search_words", "category_prefs", "site_overrides", "sni_block",
          "mitm_ignore", "image_ignore"}
SEED = {
    "settings": [{"id": "endpoint", "value": "gw.example"}],
    "devices": [{"id": "phone", "name": "Phone", "active": True, "tunnel": "mitm",
                 "addresses": ["10.9.0.2", "fd09::2"], "unknown_sites": "block"}],
    "categories": [{"id": "games", "name": "Games", "default": "block"}],
}


ANSWERED = "that was the answer"
OWNER, PASSWORD = "olga", "correct horse battery"
COOKIE, KNOWN = "__Host-culvert", "__Host-culvert-known"
CHEAP_HASH = subprocess.run(["perl", "-e", "print crypt($ARGV[0], '$2b$04$' . 'culvertculvertculvertu')", PASSWORD],
                            check=True, capture_output=True, text=True).stdout


def own(path, mode=None):
    """Readable by the user that apid runs as."""
    if os.geteuid() == 0:
        os.chown(path, UID, UID)
    if mode is not None:
        os.chmod(path, mode)
    return path


def owned_file(path, text, mode=0o400):
    path.unlink(missing_ok=True)
    path.write_text(text)
    return own(path, mode)


def ask_once(socket_path, statement, database="", check=True):
    """Rows, by a client of its own: of a server that may hang or say nothing."""
    done = subprocess.run(["mariadb", "--no-defaults", f"--socket={socket_path}", "--user=root", "--batch", "-N", database],
                          input=statement, capture_output=True, text=True, check=False)
    if done.returncode and not check:
        return None
    assert not done.returncode, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


class MariaDB:
    """mariadbd on a unix socket."""

    def __init__(self, directory):
        self.dir = directory
        self.socket = directory / "db.sock"
        self.process = self.client = self.client_of = None
        self.lock = threading.Lock()
        self.log = (directory / "db.log").open("a")
        self.reset = None
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        if user:
            shutil.chown(directory, "mysql")
        # One that starts removes temporary tables that lie in the common directory: another's, in use.
        tmp = directory / "tmp"
        tmp.mkdir(exist_ok=True)
        if user:
            shutil.chown(tmp, "mysql")
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--tmpdir={tmp}", f"--datadir={directory}/data", "--skip-test-db",
                        "--auth-root-authentication-method=normal", "--skip-name-resolve",
                        "--innodb-log-file-size=8M", *user], check=True, stdout=self.log, stderr=self.log, cwd="/")
        self.command = ["mariadbd", "--no-defaults", f"--datadir={directory}/data", f"--socket={self.socket}",
                        f"--pid-file={directory}/db.pid", f"--tmpdir={tmp}", "--skip-networking", "--innodb-log-file-size=8M",
                        "--innodb-buffer-pool-size=16M", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=2",
                        "--innodb-flush-method=nosync", *user]  # a page may be half written when tests kill it: doublewrite

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log, cwd="/")
        wait_until(lambda: self.process.poll() is not None or self.sql("SELECT 1", check=False) == [["1"]], "mariadbd answers")
        assert self.process.poll() is None, (self.dir / "db.log").read_text(errors="replace")[-6000:]
        return self

    def sql(self, statement, database="", check=True):
        """Rows of all results. Where a statement fails, those behind it are not run."""
        with self.lock:
            said, error = self._ask(f"USE {database};\n" * bool(database) + statement)
        if error is not None and not check:
            return None
        assert error is None, error
        return [line.split("\t") for line in said]

    def _ask(self, statement):
        """(lines, error or None), by one client for all: a process for each question takes longer than the answer."""
        if not self.client or self.client.poll() is not None or self.client_of is not self.process:
            self._leave()
            self.client_of = self.process
            self.client = subprocess.Popen(["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch",
                                            "-N", "--unbuffered"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE, text=True)
        said = []
        try:
            # As if the connection ended with each question: it is in no database that somebody may want for themselves.
            self.client.stdin.write(f"{statement}\n;\nROLLBACK; UNLOCK TABLES; SET foreign_key_checks = 1; "
                                    f"DO RELEASE_ALL_LOCKS();\nUSE information_schema;\nSELECT '{ANSWERED}';\n")
            self.client.stdin.flush()
            for line in self.client.stdout:
                if line == ANSWERED + "\n":
                    return said, None
                said.append(line.removesuffix("\n"))
        except BrokenPipeError:
            pass
        return said, self._leave()

    def _leave(self):
        """What the client complained of."""
        if not self.client:
            return ""
        client, self.client = self.client, None
        return client.communicate()[1]

    def clear(self):
        """As after the migrations, if those that there are have run: making tables takes longest in a test."""
        versions = self.sql("SELECT COUNT(*) FROM schema_versions", "culvert", check=False)
        if versions != [[str(len(MIGRATIONS))]]:
            self.create()
            return
        if not self.reset:
            tables = [r[0] for r in self.sql("SHOW TABLES", "culvert") if r[0] != "schema_versions"]
            rows = re.findall(r"^INSERT IGNORE INTO [^;]*;$", "".join(m.read_text() for m in MIGRATIONS), re.M)
            self.reset = "SET foreign_key_checks = 0; " + "".join(f"DELETE FROM `{t}`; " for t in tables) + " ".join(
                rows)
        self.sql(self.reset, "culvert")

    def create(self):
        self.reset = None
        self.sql(f"DROP DATABASE IF EXISTS culvert; CREATE DATABASE culvert CHARACTER SET utf8mb4; "
                 f"CREATE OR REPLACE USER 'culvert-apid'@'localhost' IDENTIFIED BY '{DB_PASSWORD}'; "
                 f"GRANT ALL ON culvert.* TO 'culvert-apid'@'localhost'")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self._leave()
        if self.process and self.process.poll() is None:
            self.resume()
            self.process.terminate()
            self.process.wait()


@contextlib.contextmanager
def running_mariadb():
    # A short path: a unix socket's name has 107 bytes.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="cvdb", dir=memory) as d:
        os.chmod(d, 0o755)
        database = MariaDB(pathlib.Path(d)).start()
        yield database
        database.stop()


class Wgd:
    """Answers peer_applied. answer: None = silent, "ok", or a reason to refuse."""

    def __init__(self, redis):
        self.answer = "ok"
        self.calls = []
        self.publisher = redis.connect()
        self.client = redis.connect()
        self.client("SUBSCRIBE", "culvert:req:wgd:apid")
        self.client.socket.settimeout(None)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while True:
                self._reply(json.loads(self.client.read()[2]))
        except (OSError, ValueError):
            pass

    def _reply(self, message):
        assert message["op"] == "peer_applied"
        self.calls.append(message["args"])
        if self.answer is None:
            return
        reply = {"v": 1, "id": message["id"], "ok": self.answer == "ok"}
        if reply["ok"]:
            reply["result"] = {"state": "applied"}
        else:
            reply["error"] = {"code": "refused", "detail": self.answer}
        self.publisher("PUBLISH", message["reply"], json.dumps(reply))

    def close(self):
        self.client.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()


class Apid(Daemon):
    """One apid process and its HTTP client."""

    def __init__(self, directory, redis, database, seed=None):
        super().__init__("apid", directory / "culvert.conf", directory / "apid.log")
        self.dir, self.redis, self.database = directory, redis, database
        self.port = free_port()
        self.admin_port = free_port()
        self.has_owner = False
        self.options = {}  # of Popen
        for name in ("state", "cache"):
            own(directory / name, None) if (directory / name).exists() else own_dir(directory / name)
        owned_file(directory / "api-key", API_KEY + "\n")
        owned_file(directory / "db-password", DB_PASSWORD + "\n")
        self.seed_file = directory / "seed.json"
        if seed is not None:
            self.seed(seed)
        self.write_conf("" if seed is None else f"seed_file = {self.seed_file}")

    def write_conf(self, more):
        owned_file(self.conf, f"""
[culvert]
state_dir = {self.dir}/state
cache_dir = {self.dir}/cache
log_level = debug
[bus]
redis = unix:{self.redis.socket}
[tunnel mitm]
addresses = 10.9.0.1/24, fd09::1/64
[tunnel other]
interface = wg1
addresses = 10.8.0.1/24
port = 51821
[apid]
user = {UID if os.geteuid() == 0 else os.geteuid()}
redis_password_file = {self.redis.password_file("apid", UID)}
provision = 127.0.0.1:{self.port}
admin = 127.0.0.1:{self.admin_port}
device_port = 0
rate_address = 0
rate_account = 0
api_key_file = {self.dir}/api-key
db_socket = {self.database.socket}
db_password_file = {self.dir}/db-password
{more}
""", 0o444)

    def seed(self, content):
        text = content if isinstance(content, str) else json.dumps(content)
        owned_file(self.seed_file, text, 0o444)

    def launch(self):
        return super().start(**self.options)

    def _ears(self):
        """The channels on which apid processes get answers; None where Redis is not this one, or not there."""
        if f"redis = unix:{self.redis.socket}\n" not in self.conf.read_text() or self.redis.process.poll() is not None:
            return None
        return set(self.redis("PUBSUB", "CHANNELS", "culvert:reply:apid:*"))

    def start(self):
        """Until it has read its database, and hears what it is told: events before that are lost, requests refused."""
        before, ears = self.log().count("database ready"), self._ears()
        self.launch()
        wait_until(lambda: not self.is_running() or self.log().count("database ready") > before, "apid is ready")
        assert self.is_running(), self.log()
        wait_until(lambda: ears is None or self._ears() - ears, "apid has subscribed")
        return self

    def reload(self):
        before = self.log().count("sha256=") + self.log().count("refused")
        self.send(signal.SIGHUP)
        wait_until(lambda: self.log().count("sha256=") + self.log().count("refused") > before, "seed is reloaded")

    def request(self, method="POST", body=None, path="/", headers=None, key=API_KEY):
        """(status, decoded body)."""
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            send = {"Content-Type": "application/json"} if body is not None else {}
            if key is not None:
                send["x-api-key"] = key
            send.update(headers or {})
            text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
            conn.request(method, path, text, {k: v for k, v in send.items() if v is not None})
            answer = conn.getresponse()
            data = answer.read()
            return answer.status, json.loads(data) if data else None
        finally:
            conn.close()

    def upsert(self, name="a", key=KEYS[0], address="10.9.0.5", **more):
        return self.request(body={"task": "wg_upsert", "id": name, "publicKey": key, "address": address, **more})

    def remove(self, name="a"):
        return self.request(body={"task": "wg_remove", "id": name})

    def client(self, user=None, password=None, **more):
        """Of the administration; logged in when a user is given."""
        one = Client(self, **more)
        if user:
            status, body = one.login(user, password)
            assert status == 200, (status, body)
        return one

    def setup_link(self):
        link = self.dir / "state" / "apid" / "setup-link"
        wait_until(lambda: link.exists() and "a setup link lies in" in self.log(), "a setup link")
        assert link.stat().st_mode & 0o777 == 0o600
        return link.read_text().strip()

    def setup_token(self):
        return self.setup_link().rsplit("/", 1)[1]

    def add_owner(self):
        """The first account. Its password's hash is a cheap one, which the program makes never. Before apid starts it
        need not wait for a change that another made; False where there are no tables yet."""
        self.has_owner = self.database.sql(
            f"START TRANSACTION; UPDATE change_seq SET seq = seq + 1; INSERT INTO admins (name, password, role, "
            f"created_at, password_at) VALUES ('{OWNER}', '{CHEAP_HASH}', 'owner', 1, 1); "
            "INSERT INTO changes (seq, topic, id, at) SELECT seq, '*', '', UNIX_TIMESTAMP() * 1000 FROM change_seq; "
            "COMMIT", "culvert", check=False) is not None
        return self.has_owner

    def owner(self):
        """The first account, logged in."""
        if not self.has_owner:
            link = self.dir / "state" / "apid" / "setup-link"
            self.setup_token()
            assert self.add_owner()
            wait_until(lambda: not link.exists(), "apid knows of the account")
        return self.client(OWNER, PASSWORD)

    def set_up(self):
        """The same, made by the setup link."""
        one = self.client()
        status, body = one.post("/auth/setup", {"token": self.setup_token(), "user": OWNER, "password": PASSWORD})
        assert status == 200, (status, body)
        one.csrf = body["csrf"]
        return one

    def state(self, topic):
        """What Redis has of a topic: id -> record."""
        flat = self.redis("HGETALL", f"culvert:state:{topic}:apid")
        return {k: json.loads(v) for k, v in zip(flat[::2], flat[1::2])}

    def await_state(self, topic, expected):
        """Until Redis has just this of a topic (records, or a predicate of them): what the database took is published
        a moment later."""
        is_it = expected if callable(expected) else lambda records: records == expected
        try:
            wait_until(lambda: is_it(self.state(topic)))
        except AssertionError:
            raise AssertionError(f"{topic} stays {self.state(topic)}") from None

    def gens(self):
        """Of every topic, once all have been published: that is a moment after the database is ready."""
        found = {}

        def are_there():
            flat = self.redis("HGETALL", "culvert:gens:apid")
            found.update(zip(flat[::2], flat[1::2]))
            return TOPICS <= set(found)
        wait_until(are_there, "every topic is published")
        return found

    def rows(self):
        """All that the database says about devices."""
        return [self.database.sql(s, "culvert") for s in (
            "SELECT id, tunnel, record FROM devices ORDER BY id",
            "SELECT device, address FROM device_addresses ORDER BY device, position",
            "SELECT device, public_key FROM device_keys ORDER BY device")]


class Client:
    """Speaks JSON with the administration, as a browser or a program does: keeps its cookie and its CSRF token."""

    watch = None  # called with every answer: method, path, status, headers, bytes

    def __init__(self, apid, token=None, port=None, ca=None):
        self.apid, self.token = apid, token
        self.port = port or apid.admin_port
        self.ca = ca or apid.dir / "state" / "apid" / "admin-ca.pem"
        self.cookie = self.csrf = self.conn = self.headers = None
        self.known = None  # of a browser that has logged in before
        self.patience_s = DEADLINE_S

    def be_patient(self, times=10):
        """An answer from here on may take so much longer."""
        self.patience_s, self.conn = times * DEADLINE_S, None
        return self

    def connect(self):
        context = ssl.create_default_context(cafile=str(self.ca))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=self.patience_s, context=context)

    def request(self, method, path, body=None, headers=None):
        """(status, decoded body); self.headers are the answer's. A header that is None is left out."""
        send = {"Content-Type": "application/json"} if body is not None else {}
        cookies = {COOKIE: self.cookie, KNOWN: self.known}
        if self.cookie or self.known:
            send["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items() if value)
        if self.token:
            send["Authorization"] = f"Bearer {self.token}"
        if self.csrf and method not in ("GET", "HEAD"):
            send["X-CSRF-Token"] = self.csrf
        send.update(headers or {})
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        if isinstance(text, str):
            text = text.encode("utf-8", "surrogatepass")
        for last in (False, True):
            try:
                self.conn = self.conn or self.connect()
                self.conn.request(method, path, text, {k: v for k, v in send.items() if v is not None})
                answer = self.conn.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
                self.conn = None  # a kept connection that the server had ended
                if last:
                    raise
        data = answer.read()
        self.headers = answer.headers
        if Client.watch:
            Client.watch(method, path, answer.status, answer.headers, data)
        if answer.headers.get("Connection") == "close":
            self.conn = None
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";")[0].split("=", 1)
            if name == COOKIE:
                self.cookie = value or None
            else:
                self.known = value or None
        kind = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(data) if "json" in kind and data else data.decode()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def patch(self, path, body=None, **more):
        return self.request("PATCH", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def login(self, user=OWNER, password=PASSWORD, totp=None):
        status, body = self.post("/auth/login", {"user": user, "password": password,
                                                 **({"totp": totp} if totp else {})})
        if status == 200:
            self.csrf = body["csrf"]
        return status, body


def own_dir(path):
    path.mkdir()
    return own(path, 0o700)


def started(make_apid, more, has_owner=True):
    """An apid with the usual seed and more lines of [apid], running; or as nobody has set it up."""
    apid = make_apid(SEED)
    if has_owner:
        apid.add_owner()
    text = apid.conf.read_text() + more
    for line in more.splitlines():  # a key of the test's own goes before the usual one
        key = line.split(" =")[0]
        lines = text.splitlines()
        if sum(one.startswith(key + " =") for one in lines) > 1:
            lines.remove(next(one for one in lines if one.startswith(key + " =")))
            text = "\n".join(lines) + "\n"
    owned_file(apid.conf, text, 0o444)
    return apid.start()


def totp(secret, step=0):
    """The code of now, or of so many steps of 30 seconds later."""
    counter = struct.pack(">Q", int(time.time()) // 30 + step)
    mac = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    at = mac[19] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06}"
