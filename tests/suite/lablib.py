# SPDX-License-Identifier: GPL-3.0-or-later
"""What suites do in the lab: run commands in hosts, ask DNS, fetch pages, move daemons about.

	def test_something(lab):
	    assert lab.dig("phone", "allowed.example").addresses == ["93.184.216.10"]
	    page = lab.curl("phone", "https://blocked.example/", proxy=True)
	    assert page.status == 451
	    lab.daemon("dnsd", "kill")
	    lab.daemon("dnsd", "start")
"""
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "labfiles"))

from culvertlab import gateway  # noqa: E402
from culvertlab.places import DAEMONS, GATEWAY, HOSTS, Places, write_file  # noqa: E402,F401
from launcher import stores  # noqa: E402
from launcher.hosts import Host  # noqa: E402
from culvertlab.scenery import site_addresses  # noqa: E402,F401

LAB = os.path.join(TOP, "tests", "lab")
# These would lead a client past the lab's own proxy or CA.
FOREIGN_ENV = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY",
               "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
               "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


class Answer:
    """A DNS answer as dig printed it. status is None when nobody answered."""

    def __init__(self, text):
        self.text = text
        found = re.search(r"status: (\w+)", text)
        self.status = found.group(1) if found else None
        found = re.search(r";; flags: ([a-z ]*);", text)
        self.flags = found.group(1).split() if found else []
        found = re.search(r"; EDE: (\d+)[^:\n]*(?:: \((.*)\))?", text)
        self.ede = int(found.group(1)) if found else None
        self.ede_text = found.group(2) if found else None
        self.records = []  # of the answer section: (name, ttl, type, data)
        section = re.search(r";; ANSWER SECTION:\n(.*?)(\n\n|\Z)", text, re.S)
        for line in section.group(1).splitlines() if section else []:
            words = line.split(None, 4)
            if len(words) == 5 and not line.startswith(";"):
                self.records.append((words[0].rstrip("."), int(words[1]), words[3], words[4]))

    @property
    def addresses(self):
        return [data for _, _, kind, data in self.records if kind in ("A", "AAAA")]

    def __repr__(self):
        return "Answer(%s, %r)\n%s" % (self.status, self.records, self.text)


class Page:
    """What curl got. exit is curl's status (0 fine, 7 refused, 28 time-out, 35/60 TLS …)."""

    def __init__(self, exit_status, meta, headers, body, stderr):
        self.exit = exit_status
        self.status = meta.get("http_code", 0)
        self.http = str(meta.get("http_version", ""))
        self.remote = meta.get("remote_ip", "")
        self.seconds = meta.get("time_total", 0)
        self.raw_headers = headers
        self.headers = {}
        for line in headers.splitlines():
            key, colon, value = line.partition(":")
            if colon:
                self.headers[key.strip().lower()] = value.strip()
        self.body = body
        self.stderr = stderr

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def __repr__(self):
        return "Page(exit %d, status %d, %d bytes)\n%s%s%s" % (
            self.exit, self.status, len(self.body), self.raw_headers, self.text[:2000],
            self.stderr)


class Lab:
    """One lab, in LAB_DIR lab_dir (default: the build's). settings: LAB_* variables for up."""

    def __init__(self, lab_dir=None, **settings):
        self.env = {k: v for k, v in os.environ.items() if k not in FOREIGN_ENV}
        self.env.update(settings)
        if lab_dir:
            self.env["LAB_DIR"] = str(lab_dir)
        self.places = Places(self.env)
        self.dir = self.places.lab_dir
        self.hosts = {name: Host(self.places, name) for name in HOSTS}

    def command(self, *words, check=True):
        """tests/lab WORDS; gives the finished process."""
        done = subprocess.run([sys.executable, LAB, *words], env=self.env, text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert not check or done.returncode == 0, "tests/lab %s: status %d\n%s" % (
            " ".join(words), done.returncode, done.stdout)
        return done

    def up(self):
        self.command("up")

    def down(self):
        self.command("down")

    def is_up(self):
        return self.command("status", check=False).returncode == 0

    def file(self, name):
        """A file of LAB_DIR: env, internet-ca.pem, culvert-ca.pem."""
        return os.path.join(self.dir, name)

    def log(self, name):
        """The log of a daemon or program so far."""
        with open(self.places.log(name), encoding="utf-8", errors="replace") as src:
            return src.read()

    def popen(self, host, *argv, **kwargs):
        """A process in a host; the caller ends it."""
        kwargs.setdefault("env", self.env)
        return self.hosts[host].popen(list(argv), **kwargs)

    def run(self, host, *argv, data=None, timeout=60, check=True, text=True):
        """Runs argv in a host; gives the finished process with stdout and stderr."""
        done = subprocess.run(argv, preexec_fn=self.hosts[host].enter, env=self.env, input=data,
                              stdin=None if data is not None else subprocess.DEVNULL,
                              capture_output=True, text=text, timeout=timeout, check=False)
        assert not check or done.returncode == 0, "%s: %s: status %d\n%s%s" % (
            host, " ".join(argv), done.returncode, done.stdout, done.stderr)
        return done

    def dig(self, host, name, kind="A", *options, server=GATEWAY[0], seconds=5):
        """One question; options are dig's (+tcp, -p 5300, …)."""
        done = self.run(host, "dig", "@" + server, name, kind, "+tries=1",
                        "+time=%d" % seconds, *options, check=False, timeout=seconds + 30)
        return Answer(done.stdout)

    def curl(self, host, url, *options, proxy=False, ca=None, seconds=30):
        """One request. proxy=True goes through the explicit proxy. ca is a PEM file; by default
        Culvert's and the simulated Internet's are both trusted."""
        with tempfile.NamedTemporaryFile() as kept:
            argv = ["curl", "-sS", "--max-time", str(seconds), "-D", kept.name,
                    "-w", "%{stderr}\n{json}%{json}", "--cacert", ca or self._both_cas()]
            argv += ["--proxy", "http://%s:8080" % GATEWAY[0]] if proxy else ["--noproxy", "*"]
            done = self.run(host, *argv, *options, url, timeout=seconds + 30, check=False,
                            text=False)
            headers = kept.read().decode("latin-1")
        errors, _, meta = done.stderr.decode("utf-8", "replace").rpartition("\n{json}")
        return Page(done.returncode, json.loads(meta or "{}"), headers, done.stdout, errors)

    def _both_cas(self):
        path = self.file("both-cas.pem")
        if not os.path.exists(path):
            text = ""
            for name in ("internet-ca.pem", "culvert-ca.pem"):
                if os.path.exists(self.file(name)):
                    with open(self.file(name), encoding="ascii") as src:
                        text += src.read()
            with open(path, "w", encoding="ascii") as out:
                out.write(text)
        return path

    def provision(self, task, device, **fields):
        """POST to the provisioning API on the gateway: (HTTP status, decoded body)."""
        status, body = gateway.provision(
            self.places, self.hosts["gw"], dict(fields, task=task, id=device))
        return status, json.loads(body)

    def daemon(self, name, action, check=True):
        """start stop kill restart reload update pid; stop fails unless it ended with 0."""
        return self.command("daemon", name, action, check=check).stdout.strip()

    def redis(self, *words):
        """redis-cli's raw output, as the lab's all-powerful user."""
        return stores.redis_command(self.places, self.hosts["gw"], *words)

    def topic(self, topic, owner):
        """A topic's records by id; None while the owner has not published it."""
        if self.redis("HEXISTS", "culvert:gens:" + owner, topic) != "1":
            return None
        lines = self.redis("HGETALL", "culvert:state:%s:%s" % (topic, owner)).split("\n")
        return {name: json.loads(text) for name, text in zip(lines[::2], lines[1::2])}

    def settle(self, seconds=60):
        """Waits until every running daemon's status says that it enforces what is published."""
        gateway.await_policy(self.places, self.hosts["gw"], seconds)

    def seed(self, change):
        """change(document) edits apid's seed file in place; apid is told to read it. What follows
        from it is awaited by the test: topic(), then settle()."""
        path = self.places.in_run("etc", "seed.json")
        with open(path, encoding="utf-8") as src:
            document = json.load(src)
        change(document)
        write_file(path, json.dumps(document))
        self.daemon("apid", "reload")

    def sql(self, statement):
        """Rows as text, columns by tab; AssertionError when MariaDB refuses."""
        rows = stores.sql(self.places, self.hosts["gw"], statement)
        assert rows is not None, "SQL refused: " + statement
        return rows

    def _json_log(self, name):
        try:
            return [json.loads(line) for line in self.log(name).splitlines()]
        except OSError:
            return []

    def dns_queries(self, name=None):
        """What reached the Internet's resolvers: dicts t src dst transport name type."""
        return [q for q in self._json_log("inet-dns") if name in (None, q["name"])]

    def http_requests(self, host=None):
        """What reached the origins: dicts t src dst host scheme protocol method uri status …"""
        return [q for q in self._json_log("inet-http") if host in (None, q["host"])]
