# SPDX-License-Identifier: GPL-3.0-or-later
"""Random policies and web addresses, what really becomes of them, and what `explain` says (SPEC A8)."""
import concurrent.futures
import datetime
import http.client
import json
import os
import socket
import ssl
import time
import urllib.parse

from lablib import site_addresses
from culvertlab.scenery import SITES

PROXY = ("10.9.0.1", 8080)
PATIENCE_S = 12
BROKEN = ("bad-cert.example", "lists.example")
NAMES = [n for n in SITES if n not in BROKEN and "safe" not in n and not n.startswith(("strict.", "restrict"))]
HOSTS = NAMES + ["www.allowed.example", "cdn.allowed.example"] + [
    "%s.%s" % (a, b) for a in ("a", "games") for b in ("fresh.example", "listed.example")]
PATHS = ["/", "/a/b?q=1", "/ads/banner", "/games/poker?x=%61", "/search?q=poker", "/search?q=garden", "/A/../b"]
CANARIES = ["use-application-dns.net", "mask.icloud.com", "dns.google", "one.one.one.one"]


def address_of(host):
    for below, site in (("fresh.example", "allowed.example"), ("listed.example", "listed.example")):
        if host.endswith("." + below) and host not in SITES:
            return site_addresses(site)[0]
    return site_addresses(host)[0]


# ---- policies ----

def _pattern(rng):
    host = rng.choice(HOSTS)
    match = rng.choice(["exact", "endswith", "endswith", "contains", "startswith", "wildcard"])
    text = {"exact": host, "endswith": host.split(".", rng.randrange(2))[-1], "contains": host.split(".")[0],
            "startswith": host[:5], "wildcard": "*." + host.split(".", 1)[-1]}[match]
    if rng.random() < 0.25:
        text, match = host + rng.choice(["/ads", "/a/", "/games/poker"]), "startswith"
    return {"pattern": text, "match": match}


def _target(rng):
    return rng.choice([{"device": "phone"}, {"device": "laptop"}, {"group": "family"}, {}])


def _schedule(rng, what):
    """A window that is open or shut for hours to come."""
    hour = datetime.datetime.now(datetime.timezone.utc).hour
    begin = hour - 2 if rng.random() < 0.5 else hour + 3
    return {"what": what, "from": "%02d:00" % (begin % 24), "to": "%02d:59" % ((begin + 4) % 24)}


def _device(rng, document, name, world):
    one = next(d for d in document["devices"] if d["id"] == name)
    one.update(unknown_sites=rng.choice(["block", "pass"]), site_scope=rng.choice(["browser", "all"]),
               profile=rng.choice(["internet", "full"]), time_zone="UTC",
               schedules=[_schedule(rng, rng.choice(["list:general", "list:adblock", "category:education"]))
                          for _ in range(rng.randrange(3))])
    if rng.random() < 0.5:
        one["group"] = "family"
    if world % 4 == 3 and name == "laptop":
        one["active"] = False
    return one


def make_world(rng, document, world):
    """Fills a copy of the lab's seed with a random policy."""
    document["groups"] = [{"id": "family", "name": "Family", "safe_search": {"google": rng.random() < 0.5}}]
    for name in ("phone", "laptop"):
        _device(rng, document, name, world)
    lists = ["adblock", "maps", "general"]
    document["device_prefs"] = [
        {"id": "device:laptop", "lists_off": rng.sample(lists, rng.randrange(3))},
        {"id": "group:family", "lists_off": rng.sample(lists, rng.randrange(2)),
         "offline_browser": world % 5 == 4}]
    categories = [c["id"] for c in document["categories"]] + ["secure"]
    document["categories"].append({"id": "secure", "name": "Secure", "visibility": "security"})
    for one in document["categories"]:
        one["default"] = rng.choice(["allow", "allow", "block"])
        one["no_decrypt"] = rng.random() < 0.2
    document["websites"] = [
        {"id": "w%d" % n, **_pattern(rng), "category": rng.choice(categories * 2 + ["missing"]),
         "status": rng.choice(["approved"] * 4 + ["pending"])} for n in range(24)]
    document["websites"].append({"id": "search", "pattern": "google.com", "match": "endswith",
                                 "category": "education", "status": "approved"})
    document["site_overrides"] = [
        {"id": "o%d" % n, **_pattern(rng), **_target(rng), "action": rng.choice(["allow", "block"]),
         **rng.choice([{}, {}, {"until": 1}])} for n in range(6)]
    document["category_prefs"] = [
        {"id": "p%d" % n, **_target(rng), "category": rng.choice(categories), "blocked": rng.random() < 0.5}
        for n in range(4)]
    document["dns_rules"] = [
        {"id": "r%d" % n, "pattern": rng.choice(HOSTS), "match": rng.choice(["exact", "endswith"]),
         "action": rng.choice(["allow", "block"]),
         **rng.choice([{}, {"scope": "device:phone"}, {"scope": "group:family"}])} for n in range(4)]
    document["sni_block"] = [{"id": "s1", "domain": rng.choice(HOSTS)}]
    document["mitm_ignore"] = [{"id": "i1", "domain": rng.choice(HOSTS)}]
    document["search_words"] = [{"id": "x1", "term": "poker"}]


def make_cases(rng, n):
    """[device, scheme, host, path]"""
    return [[rng.choice(["phone", "laptop"]), rng.choice(["http", "https"]),
             rng.choice(HOSTS * 8 + CANARIES), rng.choice(PATHS)] for _ in range(n)]


# ---- what really happens; in a device's namespace ----

def _blind():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _word(status, body):
    if status != 451:
        return "block" if status == 403 else "allow"
    return "unknown" if b"has not been reviewed yet" in body else "block"


def _ask(conn, host, path):
    conn.request("GET", path, headers={"Host": host, "Connection": "close"})
    answer = conn.getresponse()
    return _word(answer.status, answer.read(65536))


def _by_proxy(scheme, host, path):
    if scheme == "http":
        conn = http.client.HTTPConnection(*PROXY, timeout=PATIENCE_S)
        try:
            return _ask(conn, host, "http://%s%s" % (host, path))
        finally:
            conn.close()
    conn = http.client.HTTPSConnection(*PROXY, timeout=PATIENCE_S, context=_blind())
    conn.set_tunnel(host, 443)
    try:
        return _ask(conn, host, path)
    except OSError as exc:
        if "Tunnel connection failed: 403" in str(exc):
            return "block"
        raise
    finally:
        conn.close()


def _by_itself(scheme, host, path, address):
    """As an app that knows the address."""
    if scheme == "http":
        conn = http.client.HTTPConnection(address, 80, timeout=PATIENCE_S)
        try:
            return _ask(conn, host, path)
        except (ConnectionError, PermissionError, http.client.RemoteDisconnected):
            return "block"
        finally:
            conn.close()
    try:
        with socket.create_connection((address, 443), timeout=PATIENCE_S) as plain:
            with _blind().wrap_socket(plain, server_hostname=host):
                return "allow"
    except (ConnectionError, PermissionError, ssl.SSLEOFError):
        return "block"
    except OSError as exc:
        return "block" if exc.errno in (111, 113, 101, 13) else "error: %s" % exc


def _try(function, *args):
    try:
        return function(*args)
    except Exception as exc:  # pylint: disable=broad-except
        return "error: %s: %s" % (type(exc).__name__, exc)


def visit_all(cases):
    """For each [scheme, host, path, address or None]: [by the proxy, intercepted]."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        proxy = [pool.submit(_try, _by_proxy, *c[:3]) for c in cases]
        apps = [pool.submit(_try, _by_itself, *c) if c[3] else None for c in cases]
        return [[p.result(), a and a.result()] for p, a in zip(proxy, apps)]


# ---- what explain says; on the gateway ----

class Admin:
    """The lab's owner, in the gateway's namespace."""

    def __init__(self, lab_dir):
        with open(os.path.join(lab_dir, "env"), encoding="ascii") as src:
            self.env = dict(line.rstrip("\n").split("=", 1) for line in src)
        self.ca = os.path.join(lab_dir, "admin-ca.pem")
        self.conn = self.cookie = None
        self.headers = {}

    def ask(self, method, path, body=None):
        if not self.conn:
            host, port = self.env["ADMIN_URL"].removeprefix("https://").split(":")
            self.conn = http.client.HTTPSConnection(host, int(port), timeout=20,
                                                    context=ssl.create_default_context(cafile=self.ca))
        headers = {"Content-Type": "application/json", **self.headers,
                   **({"Cookie": self.cookie} if self.cookie else {})}
        for _ in range(60):
            self.conn.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self.conn.getresponse()
            text = answer.read()
            if answer.status != 429:
                break
            time.sleep(float(answer.getheader("Retry-After") or 1))
        if answer.getheader("Set-Cookie"):
            self.cookie = answer.getheader("Set-Cookie").split(";")[0]
        return answer.status, json.loads(text or "null")


def explain_all(lab_dir, cases):
    """For each [device, scheme, host, path]: the answer."""
    admin = Admin(lab_dir)
    status, who = admin.ask("POST", "/auth/login", {"user": admin.env["ADMIN_USER"],
                                                    "password": admin.env["ADMIN_PASSWORD"]})
    assert status == 200, who
    said = []
    for device, scheme, host, path in cases:
        query = urllib.parse.urlencode({"device": device, "url": "%s://%s%s" % (scheme, host, path)})
        status, answer = admin.ask("GET", "/api/v1/explain?" + query)
        assert status == 200, answer
        said.append({"verdicts": answer["verdicts"], "paths": {
            name: {k: way.get(k) for k in ("verdict", "by", "unavailable")} if way else None
            for name, way in answer["paths"].items()}})
    return said
