# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes until a change acts: from the moment before it is said to apid or Directus to the first probe of
the phone that sees it, on DNS, ports 80 and 443 of apps, the proxy, the firewall, and on connections that are open."""
import itertools
import json
import os
import socket
import ssl
import statistics
import time
import threading
import uuid

from interceptlib import hello, sni
from lablib import site_addresses
import walklib

LAN_HOST = walklib.LAN[0]
LISTED, PLAIN, BIG = "ads.listed.example", "plain.example", "big.example"
GIVE_UP_S, PAUSE_S = 20, 0.004
_numbers = itertools.count(1)


def _connect(address, port):
    s = socket.create_connection((address, port), 2)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def _answer(address, port, data):
    """The first bytes of the answer; b"": none."""
    try:
        with _connect(address, port) as s:
            s.sendall(data)
            return s.recv(4096)
    except OSError:
        return b""


# ---- what a probe sees: True, it passes ----

def dns(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        try:
            s.connect(("10.9.0.1", 53))
            s.send(walklib.question(5, name, 1))
            return socket.inet_aton(site_addresses(name)[0]) in s.recv(4096)
        except OSError:
            return False


def app80(name):
    request = "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % name
    return b" 200 " in _answer(site_addresses(name)[0], 80, request.encode())[:16]


def app443(name):
    return bool(_answer(site_addresses(name)[0], 443, hello(sni(name))))


def proxy(name):
    request = "GET http://%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (name, name)
    return b" 200 " in _answer("10.9.0.1", 8080, request.encode())[:16]


def lan(_):
    try:
        _connect(LAN_HOST, 80).close()
        return True
    except OSError:
        return False


# ---- connections that are open; each ends when something cuts it ----

def held443(name):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    s = context.wrap_socket(_connect(site_addresses(name)[0], 443), server_hostname=name)
    s.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n" % name.encode())
    return s, lambda: s.sendall(b"a")


def held_lan(_):
    s = _connect(LAN_HOST, 80)
    s.sendall(b"GET / HTTP/1.1\r\n")
    return s, lambda: s.sendall(b"a")


def held_proxy(name):
    s = _connect("10.9.0.1", 8080)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    s.sendall(("GET http://%s/10m HTTP/1.1\r\nHost: %s\r\n\r\n" % (name, name)).encode())
    assert b" 200 " in s.recv(16)

    def read():
        if not s.recv(2048):
            raise ConnectionResetError
    return s, read


def _open(make, name):
    """What was switched off and on again quickly may be off once more, until Directus has both."""
    deadline = time.monotonic() + GIVE_UP_S
    while True:
        try:
            return make(name)
        except (OSError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_S)


class Held:
    """One that is kept busy until it ends; ended: when."""

    def __init__(self, place, make, name):
        (self.socket, self.use), self.ended, self.over = place.call(_open, make, name), None, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            self.socket.settimeout(GIVE_UP_S)
            while not self.over:
                self.use()
                time.sleep(PAUSE_S)
        except OSError:
            self.ended = time.monotonic()

    def close(self):
        self.over = True
        self.thread.join()
        self.socket.close()


class Surface:
    """A probe of one name by a thread in the phone's network, until it sees what is expected."""

    def __init__(self, place, probe, name, passes):
        self.seen = None
        self.future = place.pool.submit(self._run, probe, name, passes)

    def _run(self, probe, name, passes):
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            if probe(name) == passes:
                self.seen = time.monotonic()
                return
            time.sleep(PAUSE_S)


class Meter:
    """Makes changes and measures them. places: threads in the phone's network, one a surface."""

    def __init__(self, lab, owner, places):
        self.lab, self.owner, self.places = lab, owner, places
        self.samples = []  # (kind, direction, surface, seconds)

    def change(self, kind, passes, do, probes, held=()):
        """do() makes it and may give the moment from which it counts. passes: what the probes shall see then."""
        live = [(make.__name__, Held(self.places[-1], make, name)) for make, name in held] if not passes else []
        try:
            begin = time.monotonic()
            surfaces = [(probe.__name__, Surface(place, probe, name, passes))
                        for place, (probe, name) in zip(self.places, probes)]
            begin = do() or begin
            for _, surface in surfaces:
                surface.future.result()
            found = [(what, surface.seen) for what, surface in surfaces]
            for what, one in live:
                one.thread.join(GIVE_UP_S)
                found.append((what, one.ended))
        finally:
            for _, one in live:
                one.close()
        for what, when in found:
            direction = "on" if passes else "off"
            assert when is not None, "%s %s: %s: not within %d s" % (kind, direction, what, GIVE_UP_S)
            self.samples.append((kind, direction, what, max(0.0, when - begin)))

    def table(self):
        """Lines, a kind and surface each: how many, p50, p99, the slowest, in ms."""
        rows = {}
        for kind, direction, what, seconds in self.samples:
            rows.setdefault((kind, direction, what), []).append(seconds * 1000)
        rows["all", "", ""] = [s[-1] * 1000 for s in self.samples]
        lines = ["%-22s %-4s %-10s %6s %8s %8s %8s" % ("change", "", "seen at", "n", "p50 ms", "p99 ms", "max ms")]
        for (kind, direction, what), values in rows.items():
            lines.append("%-22s %-4s %-10s %6d %8.0f %8.0f %8.0f" % (
                kind, direction, what, len(values), statistics.median(values), percentile(values, 0.99), max(values)))
        return lines


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


# ---- the changes, both directions each ----

PREFS = "/api/v1/device-prefs/device:phone"
PHONE = "/api/v1/devices/phone"
DEVICE_OFF = [(app443, PLAIN), (lan, "")]


def _put(meter, path, body):
    return lambda: meter.owner.ask("PUT", path, body) and None


def _delete(meter, path):
    return lambda: meter.owner.ask("DELETE", path) and None


def _patch(meter, path, **body):
    return lambda: meter.owner.ask("PATCH", path, body) and None


def change_list(meter):
    probes = [(dns, LISTED), (app80, LISTED), (app443, LISTED), (proxy, LISTED)]
    meter.change("list off", True, _put(meter, PREFS, {"lists_off": ["adblock"]}), probes)
    meter.change("list on", False, _put(meter, PREFS, {"lists_off": []}), probes, [(held443, LISTED)])


def change_override(meter):
    path, record = "/api/v1/site-overrides/trust", {"device": "phone", "pattern": BIG, "match": "endswith", "action": "block"}
    meter.change("override block", False, _put(meter, path, record), [(proxy, BIG)], [(held_proxy, BIG)])
    meter.change("override gone", True, _delete(meter, path), [(proxy, BIG)])


def change_dns_rule(meter):
    path, record = "/api/v1/dns-rules/trust", {"pattern": PLAIN, "match": "exact", "action": "block", "scope": "device:phone"}
    meter.change("DNS rule", False, _put(meter, path, record), [(dns, PLAIN)])
    meter.change("DNS rule gone", True, _delete(meter, path), [(dns, PLAIN)])


def change_sni_block(meter):
    path, probes = "/api/v1/sni-block/trust", [(app443, PLAIN), (proxy, PLAIN)]
    meter.change("blocked at the hello", False, _put(meter, path, {"domain": PLAIN}), probes, [(held443, PLAIN)])
    meter.change("no more", True, _delete(meter, path), probes)


def change_browser_switch(meter):
    probes = [(proxy, PLAIN), (app80, PLAIN)]
    meter.change("switch browser", False, _put(meter, PREFS, {"offline_browser": True}), probes, [(held_proxy, BIG)])
    meter.change("switch browser back", True, _put(meter, PREFS, {"offline_browser": False}), probes)


def change_vpn_switch(meter):
    probes = [(dns, PLAIN), (app443, PLAIN), (lan, "")]
    meter.change("switch VPN", False, _put(meter, PREFS, {"offline_vpn": True}), probes, [(held443, PLAIN), (held_lan, "")])
    meter.change("switch VPN back", True, _put(meter, PREFS, {"offline_vpn": False}), probes)


def change_profile(meter):
    meter.change("profile internet", False, _patch(meter, PHONE, profile="internet"), [(lan, "")], [(held_lan, "")])
    meter.change("profile full", True, _patch(meter, PHONE, profile="full"), [(lan, "")])


def change_active(meter):
    meter.change("suspended", False, _patch(meter, PHONE, active=False), DEVICE_OFF, [(held443, PLAIN), (held_lan, "")])
    meter.change("active", True, _patch(meter, PHONE, active=True), DEVICE_OFF)


def change_expiry(meter):
    """The moment that counts is the one that was said."""
    def expire():
        now = time.time()
        at = int(now * 1000) + 1000
        meter.owner.ask("PATCH", PHONE, {"expires_at": at})
        return time.monotonic() + at / 1000 - time.time()
    meter.change("expires", False, expire, DEVICE_OFF, [(held443, PLAIN), (held_lan, "")])
    meter.change("expires no more", True, _patch(meter, PHONE, expires_at=None), DEVICE_OFF)


def change_appeal(meter):
    """As proxyd queues it; approved it is an override for the device."""
    name, number = "blocked.example", str(uuid.uuid4())
    meter.lab.redis("XADD", "culvert:queue:appeals", "*", "data", json.dumps({
        "uuid": number, "url": "http://%s/" % name, "host": name, "mode": "appeal", "device_id": "phone",
        "reason": "latency", "time": int(time.time() * 1000)}))
    deadline = time.monotonic() + GIVE_UP_S
    while number not in {a["uuid"] for a in meter.owner.ask("GET", "/api/v1/appeals?status=pending")["items"]}:
        assert time.monotonic() < deadline, "the appeal has not arrived"
        time.sleep(0.01)
    meter.change("appeal approved", True, lambda: meter.owner.ask("POST", "/api/v1/appeals/%s/approve" % number, {}) and None,
                 [(proxy, name)])
    ids = [o["id"] for o in meter.owner.ask("GET", "/api/v1/site-overrides?limit=500")["items"] if name in o["pattern"]]
    meter.change("taken back", False, lambda: [meter.owner.ask("DELETE", "/api/v1/site-overrides/" + i) for i in ids] and None,
                 [(proxy, name)])


def directus_changes(directus):
    """The same, said to Directus."""
    def override(meter):
        ids = []
        meter.change("Directus: override", False, lambda: ids.extend(directus.add("vpn_site_overrides", {
            "device_id": "phone", "url": BIG, "match_type": "endswith", "action": "block"})),
            [(proxy, BIG)], [(held_proxy, BIG)])
        meter.change("Directus: gone", True, lambda: directus.remove("vpn_site_overrides", *ids), [(proxy, BIG)])

    def hello_block(meter):
        ids = []
        meter.change("Directus: hello", False, lambda: ids.extend(directus.add("mitm_block_domains", {"domain": PLAIN})),
                     [(app443, PLAIN)], [(held443, PLAIN)])
        meter.change("Directus: hello gone", True, lambda: directus.remove("mitm_block_domains", *ids), [(app443, PLAIN)])
    return [override, hello_block]


CHANGES = [change_list, change_override, change_dns_rule, change_sni_block, change_browser_switch, change_vpn_switch,
           change_profile, change_active, change_expiry, change_appeal]


def seed(document):
    """The phone reaches everything that nothing forbids."""
    walklib.device(document, "phone").update(profile="full", unknown_sites="pass")


DIRECTUS_PORT = 18055


def directus_conf(folder):
    """syncd's settings for the stand-in, and its token."""
    from culvertlab.places import UIDS  # pylint: disable=import-outside-toplevel
    from directuslib import TOKEN  # pylint: disable=import-outside-toplevel
    path = os.path.join(str(folder), "directus-token")
    with open(path, "w", encoding="ascii") as out:
        out.write(TOKEN + "\n")
    os.chmod(path, 0o400)
    os.chown(path, UIDS["syncd"], UIDS["syncd"])
    return "[syncd]\ndirectus_url = http://127.0.0.1:%d\ndirectus_token_file = %s\n" % (DIRECTUS_PORT, path)
