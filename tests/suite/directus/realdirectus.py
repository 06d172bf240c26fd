# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Directus from npm, with MariaDB as its database; K's collections are made by the test.

The modules are installed once, outside of the tree: below $XDG_CACHE_HOME or ~/.cache.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import urllib.error
import urllib.request

from apidlib import MariaDB
import lablib  # noqa: F401  where launcher is found
from launcher.places import LaunchError
from support.wait import wait_until

VERSION = "11.3.5"  # the newest that Node 20 runs
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / f"culvert/directus-{VERSION}"
ADMIN_TOKEN = "an-administrator-of-directus-0001"
TOKEN = "syncd-as-it-reads-and-writes-0001"
START_S = 600  # the first start makes every table: an idle machine needs seconds
# collection → its fields; all have id, date_created and date_updated.
LIST = {"url": "text"}
SCHEMA = {
    "maps": LIST, "gifs": LIST, "squid-general_block": LIST, "app_urls": {"urls": "text"},
    "vpn_squid_prefs": {"device_id": "string", "list": "string", "enabled": "boolean"},
    "vpn_master_controls": {"device_id": "string", "chrome_offline": "boolean", "vpn_offline_non_chrome": "boolean"},
    "website_categories": {"name": "string", "visibility": "string", "default_blocked": "boolean",
                           "sort_order": "integer"},
    "websites": {"url": "text", "match_type": "string", "category_id": "integer", "status": "string"},
    "bad_words": {"word": "string", "match_type": "string"},
    "vpn_category_prefs": {"device_id": "string", "category_id": "integer", "blocked": "boolean"},
    "vpn_site_overrides": {"device_id": "string", "url": "text", "match_type": "string", "action": "string",
                           "image_policy": "string", "word_policy": "string"},
    "mitm_block_domains": {"domain": "string"}, "mitm_ignore_domains": {"domain": "string"},
    "vpn_appeals": {"uuid": "string!", "url": "text", "host": "string", "reason": "text", "device_id": "string",
                    "status": "string"},
    "website_appeals": {"uuid": "string!", "url": "text", "host": "string", "reason": "text", "device_id": "string",
                        "status": "string", "mode": "string", "category_id": "string"},
}


def install():
    """The modules. isolated-vm, which only scripts of flows need and which has to be compiled, is left empty."""
    ready = CACHE / "ready"
    if ready.exists():
        return
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True)
    (CACHE / "package.json").write_text('{"name":"culvert-test-directus","private":true}\n')
    subprocess.run(["npm", "install", f"directus@{VERSION}", "--save-exact", "--ignore-scripts", "--no-audit",
                    "--no-fund"], cwd=CACHE, check=True, capture_output=True, timeout=600)
    (CACHE / "node_modules/isolated-vm/isolated-vm.js").write_text("module.exports = {};\n")
    ready.touch()


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status = status


class RealDirectus:
    """One Directus. host: the lab's, where it listens; else here."""

    def __init__(self, place, port, host=None):
        install()
        self.place, self.port, self.host = place, port, host
        self.url = f"http://127.0.0.1:{port}"
        self.database = MariaDB(place)
        self.process, self.extra = None, {}
        self.limited = set()  # collections that a rule hides some of
        self.log = place / "directus.log"

    def env(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.place), "HOST": "127.0.0.1", "PORT": str(self.port),
                "KEY": "k" * 36, "SECRET": "s" * 36, "DB_CLIENT": "mysql", "DB_SOCKET_PATH": str(self.database.socket),
                "DB_HOST": "localhost", "DB_PORT": "0", "DB_DATABASE": "directus", "DB_USER": "directus",
                "DB_PASSWORD": "directus", "ADMIN_EMAIL": "admin@example.com", "ADMIN_PASSWORD": "a-password-0001",
                "ADMIN_TOKEN": ADMIN_TOKEN, "WEBSOCKETS_ENABLED": "true", "TELEMETRY": "false",
                "STORAGE_LOCAL_ROOT": str(self.place / "uploads"), "EXTENSIONS_PATH": str(self.place / "extensions"),
                "PRESSURE_LIMITER_ENABLED": "false", **self.extra}

    def _run(self, *argv):
        argv = ["node", str(CACHE / "node_modules/directus/cli.js"), *argv]
        with self.log.open("a") as log:
            options = dict(env=self.env(), cwd=self.place, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            return self.host.popen(argv, **options) if self.host else subprocess.Popen(argv, **options)

    def setup(self):
        """An empty one, once."""
        self.database.start()
        self.database.sql("CREATE DATABASE directus CHARACTER SET utf8mb4; "
                          "CREATE USER 'directus'@'localhost' IDENTIFIED BY 'directus'; "
                          "GRANT ALL ON directus.* TO 'directus'@'localhost'")
        assert self._run("bootstrap").wait(START_S) == 0, self.log.read_text()[-3000:]
        return self

    def start(self, **extra):
        """extra: environment for this start."""
        self.extra = extra
        self.process = self._run("start")
        wait_until(self.is_up, "Directus serves", START_S)
        return self

    def is_up(self):
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return bool(self.api("GET", "/users/me?fields=id"))
        except (OSError, Refused):
            return False

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def close(self):
        self.kill()
        self.database.stop()

    def restore(self, token):
        """As a test finds it: plain settings, no rows, K's collections alone, the token good."""
        if self.extra or self.process.poll() is not None:
            self.kill()
            self.start()
        for one in self.api("GET", "/collections"):
            if (one["meta"] or {}).get("group") == "apps":
                self.api("DELETE", f"/collections/{one['collection']}")
        for name in SCHEMA:
            self.database.sql(f"DELETE FROM `{name}`", "directus")
        for name in self.limited:
            self.forbid(name)
            self.permit(name)
        self.limited.clear()
        self.permissions = {k: v for k, v in self.permissions.items() if k[0] in self.allowed}
        self.set_token(token)

    # ---- as its administrators use it ----

    def api(self, method, path, body=None, token=ADMIN_TOKEN):
        request = [self.url + path, method, json.dumps(body).encode() if body is not None else None, token]
        try:
            status, text = self.host.call(ask, *request) if self.host else ask(*request)
        except LaunchError as e:
            raise OSError(str(e)) from None
        if status >= 300:
            raise Refused(status, text)
        return json.loads(text)["data"] if text else None

    def add(self, collection, *rows):
        return [self.api("POST", f"/items/{collection}", row)["id"] for row in rows]

    def add_many(self, collection, rows):
        self.api("POST", f"/items/{collection}", list(rows))

    def update(self, collection, key, **fields):
        self.api("PATCH", f"/items/{collection}/{key}", fields)

    def remove(self, collection, *keys):
        self.api("DELETE", f"/items/{collection}", list(keys))

    def rows(self, collection):
        return self.api("GET", f"/items/{collection}?limit=-1")

    def make_collection(self, name, fields, group=None):
        def field(name, kind):
            unique = kind.endswith("!")
            return {"field": name, "type": kind.rstrip("!"), "meta": {}, "schema": {"is_unique": True} if unique else {}}
        stamps = [{"field": f"date_{what}", "type": "timestamp", "meta": {"special": [f"date-{what}"]}, "schema": {}}
                  for what in ("created", "updated")]
        self.api("POST", "/collections", {
            "collection": name, "schema": {}, "meta": {"group": group}, "fields": [
                {"field": "id", "type": "integer", "meta": {}, "schema": {
                    "is_primary_key": True, "has_auto_increment": True}},
                *(field(f, kind) for f, kind in fields.items()), *stamps]})

    def make_schema(self):
        self.api("POST", "/collections", {"collection": "apps", "schema": None, "meta": {"icon": "folder"}})
        for name, fields in SCHEMA.items():
            self.make_collection(name, fields)

    def make_user(self, token=TOKEN):
        """What syncd is: reads and writes items, no administrator. Gives the policy's id."""
        self.policy = self.api("POST", "/policies", {"name": "gateway"})["id"]
        role = self.api("POST", "/roles", {"name": "gateway"})["id"]
        self.api("POST", "/access", {"role": role, "policy": self.policy})
        self.user = self.api("POST", "/users", {"email": "gateway@example.com", "role": role, "token": token})["id"]
        self.permissions = {}
        for name in SCHEMA:
            self.permit(name)
        self.permit("directus_collections", ["read"])
        self.allowed = {k[0] for k in self.permissions}

    def permit(self, collection, actions=("read", "create", "update", "delete"), rule=None, fields=("*",)):
        """rule: which rows alone."""
        if rule or fields != ("*",):
            self.limited.add(collection)
        for action in actions:
            one = self.api("POST", "/permissions", {"policy": self.policy, "collection": collection, "action": action,
                                                    "fields": list(fields), "permissions": rule or {}, "validation": {}})
            self.permissions[collection, action] = one["id"]

    def forbid(self, collection):
        keys = [k for k in self.permissions if k[0] == collection]
        self.api("DELETE", "/permissions", [self.permissions.pop(k) for k in keys])

    def set_token(self, token):
        """None: revoked."""
        self.api("PATCH", f"/users/{self.user}", {"token": token})


class Killable:
    """One that runs, as chaoslib kills and starts it; its rows are in its database."""

    def __init__(self, one):
        self.one, self.url, self.kill = one, one.url, one.kill

    def start(self):
        """Waits for nothing."""
        self.one.process = self.one._run("start")

    def appeals(self):
        rows = self.one.database.sql("SELECT reason, uuid FROM vpn_appeals", "directus")
        return sorted(tuple(r) for r in rows)


def ask(url, method, body, token):
    """[status, text]; runs in a host of the lab, too."""
    request = urllib.request.Request(url, data=body, method=method, headers={
        "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as e:
        return [e.code, e.read().decode()]
