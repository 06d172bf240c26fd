# SPDX-License-Identifier: GPL-3.0-or-later
"""prism in proxy mode (npm), which holds every answer that a test gets against the document (APID_PRISM=1).

Tests ask apid themselves, because some requests are ones that a proxy would mend or refuse. What apid answered is
what prism's upstream answers when it is asked the same, and prism says what in it the document has not.
"""
import http.client
import http.server
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import threading

from support.net import free_port
from support.npm import install
from support.wait import wait_until

START_S = 120
KEPT = ("content-type", "etag", "location", "retry-after")


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, data = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(data)
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, format, *args):
        pass


class Prism:
    """wrong: what did not fit, each [method, path, status, what]. seen: answers that were looked at."""

    def __init__(self, document):
        self.paths = [(path, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + r"(\?.*)?"))
                      for path in document["paths"]]
        self.place = tempfile.TemporaryDirectory(prefix="culvert-")
        file = pathlib.Path(self.place.name, "openapi.json")
        file.write_text(json.dumps(document))
        self.upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
        self.upstream.daemon_threads = True
        self.thread = threading.Thread(target=self.upstream.serve_forever, daemon=True)
        self.thread.start()
        self.port, self.wrong, self.seen, self.conn = free_port(), [], set(), None
        self.lock = threading.Lock()
        program = install("openapi") / "node_modules/@stoplight/prism-cli/dist/index.js"
        self.process = subprocess.Popen(
            ["node", str(program), "proxy", str(file), f"http://127.0.0.1:{self.upstream.server_address[1]}", "-h",
             "127.0.0.1", "-p", str(self.port), "-v", "silent"], stdin=subprocess.DEVNULL, cwd=self.place.name)
        self.upstream.answer = (200, {}, b"")
        wait_until(self.is_up, "prism listens", START_S)

    def is_up(self):
        assert self.process.poll() is None, "prism ended"
        try:
            self.ask("GET", "/")
        except OSError:
            self.conn = None
            return False
        return True

    def ask(self, method, path):
        kept = self.conn
        self.conn = kept or http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        try:
            self.conn.request(method, path, headers={"Authorization": "Bearer x"})
            answer = self.conn.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            self.conn = None
            if kept:  # it had been idle too long
                return self.ask(method, path)
            raise
        answer.read()
        return json.loads(answer.headers.get("sl-violations") or "[]")

    def look(self, method, path, status, headers, data):
        """At an answer of apid."""
        key = (method, path, status, data)
        if status >= 400:  # problems of one operation are alike: one of each kind is looked at
            key = (method, next((p for p, form in self.paths if form.fullmatch(path)), None), status,
                   tuple(json.loads(data)) if data.startswith(b"{") else data)
        dots = {".", ".."} & set(path.split("?")[0].split("/"))  # which prism's own server takes away
        if method not in ("GET", "POST", "PUT", "PATCH", "DELETE") or not path.isascii() or dots:
            return
        with self.lock:
            if key in self.seen:
                return
            self.seen.add(key)
            self.upstream.answer = (status, {n: headers[n] for n in KEPT if headers.get(n)}, data)
            found = self.ask(method, path)
        for one in found:
            if one["location"][0] == "response" or (status < 400 and "route not found" in one["message"]):
                self.wrong.append([method, path, status, one["message"]])

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.upstream.shutdown()
        self.upstream.server_close()
        self.place.cleanup()
