# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Directus that answers as a real one (11.3) was seen to: 100 rows by default, QUERY_LIMIT_MAX,
403 for what is missing or forbidden, tokens and logins, unique values."""
import contextlib
import http.server
import json
import os
import threading
import time
import urllib.parse

from directussocket import Session
from wsproto.utilities import LocalProtocolError

from support.net import free_port
from support.wait import wait_until
from synclib import UID

TOKEN = "static-token-for-tests"
LISTS = {"maps": "url", "gifs": "url", "squid-general_block": "url", "app_urls": "urls"}
POLICY = ("vpn_squid_prefs", "vpn_master_controls", "website_categories", "websites", "bad_words",
          "vpn_category_prefs", "vpn_site_overrides", "mitm_block_domains", "mitm_ignore_domains")
# Other columns are dropped from what is added, and refused in what is changed.
COLUMNS = {"vpn_squid_prefs": ("device_id", "list", "enabled"),
           "vpn_master_controls": ("device_id", "chrome_offline", "vpn_offline_non_chrome"),
           "website_categories": ("name", "visibility", "default_blocked", "sort_order"),
           "websites": ("url", "match_type", "category_id", "status", "image_policy"),
           "bad_words": ("word", "match_type"), "vpn_category_prefs": ("device_id", "category_id", "blocked"),
           "vpn_site_overrides": ("device_id", "url", "match_type", "action", "image_policy", "word_policy"),
           "mitm_block_domains": ("domain",), "mitm_ignore_domains": ("domain",)}
APPEALS = ("vpn_appeals", "website_appeals")
MESSAGES = {"FORBIDDEN": (403, "You don't have permission to access this."),
            "INVALID_CREDENTIALS": (401, "Invalid user credentials."),
            "TOKEN_EXPIRED": (401, "Token expired."),
            "ROUTE_NOT_FOUND": (404, "Route doesn't exist."),
            "INVALID_QUERY": (400, "Invalid query. \"limit\" must be less than or equal to the maximum."),
            "RECORD_NOT_UNIQUE": (400, "Value for field \"uuid\" has to be unique."),
            "REQUESTS_EXCEEDED": (429, "Too many requests, retry after 1s."),
            "SERVICE_UNAVAILABLE": (503, "Service \"api\" is unavailable. Under pressure."),
            "INTERNAL_SERVER_ERROR": (500, "An unexpected error occurred.")}


FILTERS = {"_eq": lambda have, want: have is not None and str(have) == str(want),
           "_neq": lambda have, want: have is None or str(have) != str(want),
           "_in": lambda have, want: str(have) in want, "_gt": lambda have, want: have > int(want)}


class Refusal(Exception):
    def __init__(self, code, **extensions):
        super().__init__(code)
        self.code, self.extensions = code, extensions


class Directus(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port=0, before=None):
        """before: the one whose rows these are, as in a database."""
        # One that stands here again has the port that it had: none that an outgoing connection may have got meanwhile.
        self.port = port or free_port()
        super().__init__(("127.0.0.1", self.port), Handler)
        self.url = f"http://127.0.0.1:{self.port}"
        self.lock = threading.RLock()
        self.rows = {name: {} for name in (*LISTS, *POLICY, *APPEALS)}
        self.groups = {}  # collection → group
        self.folders = {"apps"}
        self.next_id, self.clock = {}, 1_790_000_000_000
        if before:
            self.lock, self.rows, self.next_id, self.clock = before.lock, before.rows, before.next_id, before.clock
        self.tokens = {TOKEN}
        self.login, self.sessions, self.expires_ms = None, 0, 900_000
        self.refreshes = {}
        self.forbidden, self.unstamped = set(), set()
        self.limit_max = None
        self.is_admin = True
        self.creates_only = False
        self.sockets = []  # WebSockets that are open
        self.refuses_sockets = False
        self.failing = []  # codes for the next requests
        self.requests = []  # (method, path)
        self.instead = None  # called with (method, path, body): an answer in the place of the right one, or None
        self.undeletable = set()
        self.hidden = {}  # collection → rows that a rule of the token's lets through
        self.hidden_columns = {}  # collection → columns that the token may not read
        self.tells_rights = True
        self.on_read = None  # called with (collection, query) before rows are given
        self.on_answer = None  # called with (path, status) before an answer goes out, without the lock
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()
        self.hang_up()

    def newest_socket(self):
        with self.lock:
            return self.sockets[-1] if self.sockets else None

    def hang_up(self):
        for one in list(self.sockets):
            one.close()

    def wait_subscribed(self, collection):
        """Until changes of it are told to somebody."""
        def look():
            with self.lock:
                return any(collection in one.subscribed for one in self.sockets)
        wait_until(look, f"subscription to {collection}")

    def _tell(self, collection, event, keys):
        for one in self.sockets:
            if collection in one.subscribed:
                with contextlib.suppress(OSError, LocalProtocolError):  # its end is under way
                    one.say(type="subscription", event=event, uid=collection, data=keys)

    # ---- as its administrators change it ----

    def _now(self):
        self.clock += 1
        return self.clock

    def add(self, collection, *rows):
        with self.lock:
            ids = []
            for row in rows:
                n = row.get("id") or self.next_id.get(collection, 0) + 1
                self.next_id[collection] = max(n, self.next_id.get(collection, 0))
                self.rows.setdefault(collection, {})[n] = {
                    "date_created": self._now(), "date_updated": None, **row, "id": n}
                ids.append(n)
            self._tell(collection, "create", [{"id": n} for n in ids])
            return ids

    def update(self, collection, n, **fields):
        with self.lock:
            self.rows[collection][n].update(fields, date_updated=self._now())
            self._tell(collection, "update", [{"id": n}])

    def remove(self, collection, *ids):
        with self.lock:
            for n in ids:
                del self.rows[collection][n]
            self._tell(collection, "delete", list(ids))

    def make_collection(self, name, group=None):
        with self.lock:
            self.rows[name] = {}
            if group:
                self.groups[name] = group

    def drop_collection(self, name):
        with self.lock:
            del self.rows[name]
            self.groups.pop(name, None)

    def asked(self, text):
        return [p for _, p in self.requests if text in p]

    # ---- as it answers ----

    def check_token(self, header):
        token = (header or "").removeprefix("Bearer ")
        if not token:
            raise Refusal("FORBIDDEN")
        until = self.refreshes.get(token)
        if token in self.tokens:
            return
        if until is None:
            raise Refusal("INVALID_CREDENTIALS")
        if time.monotonic() > until:
            raise Refusal("TOKEN_EXPIRED")

    def give_session(self):
        self.sessions += 1
        access, refresh = f"access-{self.sessions}", f"refresh-{self.sessions}"
        self.refreshes[access] = time.monotonic() + self.expires_ms / 1000
        self.refresh = refresh
        return {"data": {"expires": self.expires_ms, "refresh_token": refresh, "access_token": access}}

    def authenticate(self, path, body):
        if path == "/auth/login" and self.login and body == dict(zip(("email", "password"), self.login)):
            return self.give_session()
        if path == "/auth/refresh" and body == {"refresh_token": getattr(self, "refresh", None), "mode": "json"}:
            return self.give_session()
        raise Refusal("INVALID_CREDENTIALS")

    def collections(self):
        seen = [{"collection": f, "meta": {"group": None}, "schema": None} for f in sorted(self.folders)]
        for name in sorted(self.rows):
            if name not in self.forbidden:
                seen.append({"collection": name, "schema": {"name": name},
                             "meta": {"group": self.groups.get(name)}})
        return {"data": seen + [{"collection": "directus_collections", "meta": None, "schema": {"name": "x"}}]}

    def rights(self):
        """/permissions/me of Directus 11: full, partial where a rule hides rows."""
        if not self.tells_rights:
            raise Refusal("ROUTE_NOT_FOUND")
        return {"data": {name: {"read": {
            "access": "partial" if name in self.hidden else "full",
            "fields": ["id"] if name in self.hidden_columns else ["*"]}} for name in self.rows}}

    def select(self, collection, query):
        """The rows in the order of their keys that filter[COLUMN][_OP] lets through."""
        is_seen = self.hidden.get(collection, lambda row: True)
        rows = sorted(filter(is_seen, self.rows[collection].values()), key=lambda r: r["id"])
        for key, values in query.items():
            if not key.startswith("filter["):
                continue
            column, op = key.removeprefix("filter[").removesuffix("]").split("][")
            want = values[0].split(",") if op == "_in" else values[0]
            rows = [r for r in rows if FILTERS[op](r.get(column), want)]
        return rows

    def read(self, collection, query):
        if collection not in self.rows or collection in self.forbidden:
            raise Refusal("FORBIDDEN")
        rows = self.select(collection, query)
        if "aggregate[count]" in query:
            columns = query["aggregate[max]"][0].split(",")
            if collection in self.unstamped and "date_updated" in columns:
                raise Refusal("FORBIDDEN")
            return {"data": [{"count": len(rows), "max": {
                c: max((r[c] for r in rows if r[c]), default=None) for c in columns}}]}
        limit = int(query.get("limit", ["100"])[0])
        if self.limit_max is not None and limit > self.limit_max:
            raise Refusal("INVALID_QUERY")
        if self.on_read:
            self.on_read(collection, query)
            rows = self.select(collection, query)
        unseen = self.hidden_columns.get(collection, ())
        rows = [{k: v for k, v in r.items() if k not in unseen} for r in rows]
        return {"data": rows if limit < 0 else rows[:limit]}

    def columns(self, collection):
        return {"id", "date_created", "date_updated", *COLUMNS.get(collection, ())}

    def create(self, collection, row):
        if collection not in self.rows or collection in self.forbidden:
            raise Refusal("FORBIDDEN")
        if row.get("uuid") and any(r.get("uuid") == row["uuid"] for r in self.rows[collection].values()):
            # As Directus behind MariaDB: the index's name, cut at the first underscore.
            first, _, rest = f"{collection}_uuid".partition("_")
            raise Refusal("RECORD_NOT_UNIQUE", collection=first, field=rest)
        known = self.columns(collection) if collection in COLUMNS else set(row)
        n, = self.add(collection, {**dict.fromkeys(known - {"id", "date_created", "date_updated"}),
                                   **{k: v for k, v in row.items() if k in known}})
        return {"data": self.rows[collection][n]} if collection in self.rows and not self.creates_only else None

    def change(self, collection, key, body):
        """PATCH: one by its key, or those that a query finds."""
        if collection not in self.rows or collection in self.forbidden:
            raise Refusal("FORBIDDEN")
        if key:
            if int(key) not in self.rows[collection]:
                raise Refusal("FORBIDDEN")
            if set(body) - self.columns(collection):
                raise Refusal("FORBIDDEN")
            self.update(collection, int(key), **body)
            return {"data": self.rows[collection][int(key)]}
        query = {f"filter[{c}][{op}]": [v] for c, test in body["query"]["filter"].items() for op, v in test.items()}
        found = self.select(collection, query)
        for row in found:
            self.update(collection, row["id"], **body["data"])
        return {"data": found}

    def delete(self, collection, key):
        if collection in self.forbidden | self.undeletable or int(key) not in self.rows.get(collection, {}):
            raise Refusal("FORBIDDEN")
        self.remove(collection, int(key))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, method, body=None):
        server, url = self.server, urllib.parse.urlsplit(self.path)
        with server.lock:
            server.requests.append((method, self.path))
            if server.failing:
                raise Refusal(server.failing.pop(0))
            other = server.instead and server.instead(method, self.path, body)
            if other is not None:
                return other
            if url.path.startswith("/auth/"):
                return server.authenticate(url.path, body)
            server.check_token(self.headers.get("Authorization"))
            if url.path == "/collections":
                return server.collections()
            if url.path == "/policies/me/globals":
                return {"data": {"enforce_tfa": False, "app_access": True, "admin_access": server.is_admin}}
            if url.path == "/permissions/me":
                return server.rights()
            if url.path == "/users/me":
                return {"data": {"id": "5f2f1f44-0000-4000-8000-000000000001"}}
            collection, _, key = url.path.removeprefix("/items/").partition("/")
            if method == "POST":
                return server.create(collection, body)
            if method == "PATCH":
                return server.change(collection, key, body)
            if method == "DELETE":
                return server.delete(collection, key)
            return server.read(collection, urllib.parse.parse_qs(url.query))

    def reply(self, method, body=None):
        extra = {}
        try:
            answer = self.answer(method, body)
            status = 200 if answer else 204
        except Refusal as e:
            status, message = MESSAGES[e.code]
            answer = {"errors": [{"message": message, "extensions": {"code": e.code, **e.extensions}}]}
            if status in (429, 503):
                extra["Retry-After"] = "1"
        if self.server.on_answer:
            self.server.on_answer(self.path, status)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode() if answer else b""
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/websocket" and not self.server.refuses_sockets:
            Session(self.server, self).run()
            self.close_connection = True
            return
        self.reply("GET")

    def do_POST(self):
        self.reply("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_PATCH(self):
        self.reply("PATCH", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_DELETE(self):
        self.reply("DELETE")

    def log_message(self, *_):
        pass


TOPICS = ("device_prefs", "categories", "websites", "words", "search_words", "category_prefs",
          "site_overrides", "sni_block", "mitm_ignore", "image_ignore")


class Policy:
    """syncd between the stand-in and a consumer of its topics."""

    def __init__(self, gateway, directus, place):
        self.gateway, self.directus, self.place = gateway, directus, place
        self.token = TOKEN
        for topic in TOPICS:
            gateway.dnsd.subscribe(topic, "syncd")
        gateway.sources()

    def secret(self, name, text):
        path = self.place / name
        path.unlink(missing_ok=True)
        path.write_text(text + "\n")
        path.chmod(0o400)
        os.chown(path, UID, UID)
        return path

    def start(self, more="", token=True, **options):
        access = f"directus_token_file = {self.secret('token', self.token)}\n" if token else ""
        more = "directus_poll_s = 1\n" * ("directus_poll_s" not in more) + more
        self.gateway.syncd.more = f"directus_url = {self.directus.url}\n{access}{more}"
        self.gateway.syncd.start(**options)

    def look(self):
        """syncd is told to look now, as by Directus' webhook."""
        assert self.gateway.request("syncd.directus_changed")["status"] == 0

    def records(self, topic):
        self.gateway.dnsd.drain()
        return self.gateway.dnsd.records.get(f"{topic}:syncd", {})

    def wait(self, topic, want):
        try:
            wait_until(lambda: self.records(topic) == want, topic)
        except AssertionError:
            assert self.records(topic) == want, self.gateway.syncd.log()[-3000:]

    def known(self):
        """Until all topics are there."""
        def look():
            self.gateway.dnsd.drain()
            return {e["topic"] for e in self.gateway.dnsd.seen if e["ev"] == "batch"} >= set(TOPICS)
        wait_until(look, "topics")
