# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases for the decision: a table of all combinations of steps, and random worlds."""
import itertools
import random

from policy_model import RESTRICT

NOW = 1_790_000_000_000  # a Monday in September 2026, 14:13 UTC
LEVELS = ("device", "group", "all")
MATCHES = ("exact", "endswith", "startswith", "contains", "wildcard")
# (path, is the URL known)
PATHS = (("dns", False), ("intercept", False), ("intercept", True), ("proxy", False), ("proxy", True))
CHECKS = ["captive.apple.com", "c0.example"]


def setting(name, value):
    return ["apid", "settings", {"id": name, "value": value}]


def category(name, **more):
    return ["apid", "categories", {"id": name, "name": name.title(), **more}]


CATEGORIES = [category("sec", visibility="security"), category("ext", visibility="extreme"),
              category("rep", visibility="report", default="allow"), category("edu", default="allow"),
              category("gam", default="block"), category("bank", visibility="more", no_decrypt=True),
              category("pics", default="allow", images="hide"), category("pref", default="allow")]


def scoped(level, **more):
    return {**({"device": "d"} if level == "device" else {"group": "g"} if level == "group" else {}), **more}


def pattern_for(match, host, path):
    """(pattern, match) that covers host, and its URL where path is one."""
    if path is None:
        return {"exact": host, "endswith": host, "startswith": host[:-3], "contains": host[1:-1],
                "wildcard": "*" + host[1:]}[match]
    url = host + path
    return {"exact": url, "endswith": "/" + path.split("/", 1)[1], "startswith": "http://" + url[:-1],
            "contains": url[2:-1], "wildcard": host + "/*" + path[-1]}[match]


# ---- the table ----

DEVICES = [(f"d-{scope}-{unknown}", {"site_scope": scope, "unknown_sites": unknown})
           for scope in ("browser", "all") for unknown in ("block", "pass")]


def rules_of(n, host, facts, match):
    """Records and list lines that make the facts true of a host; the rules are of one match type."""
    sni, security, overrides, forced, listed, sites, needed = facts
    records, lines = [], []
    if sni:
        records.append(["apid", "sni_block", {"id": f"n{n}", "domain": host}])

    def site(name, cat, **more):
        records.append(["apid", "websites", {"id": f"{name}{n}", "pattern": pattern_for(match, host, None),
                                             "match": match, "category": cat, "status": "approved", **more}])
    if security:
        site("s", "sec")
    if forced:
        site("f", forced)
    for s in sites:
        site("w" + s, s)
    for level, action in zip(LEVELS, overrides):
        if action:
            who = {"device": [{"device": d} for d, _ in DEVICES], "group": [{"group": "g"}], "all": [{}]}[level]
            for i, w in enumerate(who):
                records.append(["apid", "site_overrides", {
                    "id": f"o{n}{level}{i}", **w, "pattern": pattern_for(match, host, None), "match": match,
                    "action": action}])
    if listed:
        lines.append(["subtree", host, ""])
    if listed == "except":
        lines.append(["except", host, ""])
    if needed:
        records.append(["apid", "websites", {"id": f"p{n}", "pattern": f"page{n}.example", "match": "exact",
                                             "category": "edu", "needs": [host]}])
    return records, lines


LINE = {"exact": "0.0.0.0 %s%s", "subtree": "||%s^%s", "below": "*.%s%s", "except": "@@||%s^%s",
        "http": "http://%s%s", "https": "https://%s%s"}


def make_list(name, entries, **more):
    """As the probe and the model take it."""
    text = "".join(LINE[k] % (d, p) + "\n" for k, d, p in entries) or "# empty\n||nothing.example^\n"
    return {"id": name, "text": text, "entries": entries, **more}


def table():
    """Every combination of what may hold of a host, on every path, for every kind of device."""
    combos = list(itertools.product((False, True), (False, True),
                                    itertools.product((None, "allow", "block"), repeat=3),
                                    (None, "ext", "rep"), (None, "block", "except"),
                                    ((), ("edu",), ("gam",), ("edu", "gam")), (False, True)))
    for start in range(0, len(combos), 48):
        records = [["apid", "devices", {"id": d, "addresses": [f"10.9.0.{i + 2}"], "group": "g", **f}]
                   for i, (d, f) in enumerate(DEVICES)] + [["apid", "groups", {"id": "g"}], *CATEGORIES]
        lines, asks = [], []
        for n, facts in enumerate(combos[start:start + 48], start):
            host, match = f"h{n}x.example", MATCHES[n % 5]
            rs, ls = rules_of(n, host, facts, match)
            records += rs
            lines += ls
            page = f"page{n}.example" if facts[-1] else None
            asks += [[d, path, host, "/a?b" if url else None, page, False]
                     for d, _ in DEVICES for path, url in PATHS]
        yield {"now": NOW, "records": records, "lists": [make_list("ads", lines)], "asks": asks}


# ---- random worlds ----

NAMES = ["x.example", "www.x.example", "a.x.example", "b.a.x.example", "y.example", "www.y.example", "ay.example",
         "c0.example", "pay.example", "192.0.2.7", "xn--bcher-kva.example", "z.co.uk"]
RESTS = ["/", "/a", "/a/b?c=d", "/a/b", "/B", "/kids/x.html"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "No/Where"]


class World:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.records, self.count = [], 0
        r = self.r
        # Half of the times near a change of the clocks.
        self.now = NOW + r.randrange(-300, 300) * 3_600_000 + r.randrange(3_600_000)
        if r.random() < 0.5:
            self.now = r.choice([1_774_746_000_000, 1_792_890_000_000, 1_772_953_200_000, 1_793_512_800_000]) \
                + r.randrange(-30, 30) * 600_000
        self.people()
        self.categories()
        for _ in range(r.randrange(8)):
            self.website()
        for _ in range(r.randrange(6)):
            self.override()
        for _ in range(r.randrange(5)):
            self.category_pref()
        for _ in range(r.randrange(4)):
            self.dns_rule()
        for topic in ("sni_block", "mitm_ignore"):
            for _ in range(r.choice((0, 0, 1))):
                self.put(topic, self.owner(), domain=self.host())
        self.lists = [self.list(name) for name in ("ads", "maps", "apps")[:r.randrange(4)]]

    def owner(self):
        return self.r.choice(("apid", "apid", "syncd"))

    def put(self, topic, owner="apid", name=None, **fields):
        self.count += 1
        # Now and then both owners know the same record.
        name = name or f"{topic[0]}{self.r.choice((self.count, self.count, 1))}"
        if any(o == owner and t == topic and f["id"] == name for o, t, f in self.records):
            name = f"{topic[0]}{self.count}"
        self.records.append([owner, topic, {"id": name, **{k: v for k, v in fields.items() if v is not None}}])

    def maybe(self, *values, p=0.5):
        return self.r.choice(values) if self.r.random() < p else None

    def host(self):
        return self.r.choice(NAMES)

    def pattern(self):
        r = self.r
        match = r.choice(MATCHES)
        text = pattern_for(match, self.host(), self.maybe(*RESTS[1:], p=0.3))
        if r.random() < 0.1:
            text = text.upper() if "/" not in text else text
        if r.random() < 0.1 and match == "endswith" and "/" not in text:
            text = r.choice(("." + text, text + ".", "www." + text))
        return text, match

    def schedule(self, what):
        r = self.r

        def clock():
            return r.choice(("00:00", "06:30", "07:00", "12:00", "14:00", "14:30", "21:00", "22:15", "02:30",
                             "01:00", "24:00", "25:00" if r.random() < 0.2 else "03:00"))
        s = {"what": what, "from": self.maybe(clock(), p=0.9), "to": self.maybe(clock(), p=0.9),
             "days": self.maybe(r.sample(["mon", "tue", "wed", "thu", "fri", "sat", "sun"], r.randrange(5)), p=0.4)}
        return {k: v for k, v in s.items() if v is not None}

    def policy(self):
        whats = ["list:ads", "list:maps", "category:edu", "category:gam"] + ["all", "soup:x"] * (self.r.random() < 0.1)
        schedules = [self.schedule(self.r.choice(whats)) for _ in range(self.r.randrange(1, 4))]
        f = {"site_scope": self.maybe("browser", "all"), "unknown_sites": self.maybe("block", "pass"),
             "images": self.maybe("hide", "show", p=0.3), "words": self.maybe("hide", "show", p=0.3),
             "schedules": self.maybe(schedules, p=0.3), "time_zone": self.maybe(*ZONES, p=0.3),
             "profile": self.maybe("full", "walled", p=0.05)}
        return {k: v for k, v in f.items() if v is not None}

    def people(self):
        r = self.r
        for i, (name, group) in enumerate((("d", "g"), ("e", "g"), ("f", None))):
            self.put("devices", name=name, addresses=[f"10.9.0.{i + 2}"], group=group,
                     active=self.maybe(True, True, False, p=0.1),
                     expires_at=self.maybe(self.now + 1, self.now + 1, self.now, p=0.1), **self.policy())
        self.put("groups", name="g", **self.policy())
        if r.random() < 0.3:
            self.put("settings", name="device_defaults", value=self.policy())
        if r.random() < 0.4:
            self.put("settings", name="policy_source", value=r.choice(("local", "directus")))
        for switch in ("offline_vpn", "offline_browser"):
            if r.random() < 0.05:
                self.put("settings", name=switch, value=True)
        self.put("settings", name="connectivity_checks", value=CHECKS)
        self.put("settings", name="renewal_hosts", value=["pay.example"])
        for owner in ("apid", "syncd"):
            for key in ("device:d", "group:g", "device:f"):
                if r.random() < 0.25:
                    self.put("device_prefs", owner, name=key, offline_vpn=self.maybe(True, False, p=0.3),
                             offline_browser=self.maybe(True, False, p=0.3),
                             lists_off=self.maybe(["ads"], ["maps", "apps"], [], p=0.6))
        if r.random() < 0.05:
            self.put("usage", "wgd", name="x", device="d", over_quota=True)
            self.records.pop()

    def categories(self):
        for c in CATEGORIES:
            if self.r.random() < 0.9:
                self.records.append(c)
        for name in ("edu", "gam"):
            if self.r.random() < 0.2:
                self.put("categories", "syncd", name=name, default=self.r.choice(("allow", "block")))

    def website(self):
        text, match = self.pattern()
        self.put("websites", self.owner(), pattern=text, match=match,
                 category=self.r.choice(("sec", "ext", "rep", "edu", "edu", "gam", "bank", "pics", "gone")),
                 status=self.maybe("approved", "approved", "pending", "rejected", p=0.7),
                 images=self.maybe("hide", "show", p=0.2), words=self.maybe("hide", "show", p=0.2),
                 needs=self.maybe([self.host()], [self.host(), self.host()], p=0.3))

    def who(self):
        return self.r.choice(({"device": "d"}, {"device": "f"}, {"group": "g"}, {}))

    def until(self):
        return self.maybe(self.now - 1, self.now, self.now + 1, p=0.3)

    def override(self):
        text, match = self.pattern()
        self.put("site_overrides", self.owner(), **self.who(), pattern=text, match=match,
                 action=self.r.choice(("allow", "allow", "block")), until=self.until(),
                 images=self.maybe("hide", "show", p=0.3), words=self.maybe("hide", "show", p=0.3))

    def category_pref(self):
        self.put("category_prefs", self.owner(), **self.who(), category=self.r.choice(("edu", "edu", "gam", "pics")),
                 blocked=self.r.random() < 0.5, schedule=self.maybe(self.schedule("all"), p=0.4))

    def dns_rule(self):
        text, match = self.pattern()
        self.put("dns_rules", pattern=text, match=match, action=self.r.choice(("allow", "block")),
                 until=self.until(), scope=self.maybe("all", "device:d", "group:g", "device:f", "some"
                                                      if self.r.random() < 0.1 else "all", p=0.7))

    def list(self, name):
        r = self.r
        kinds = ("subtree", "below", "except", "http", "https")
        entries = []
        for _ in range(r.randrange(4)):
            kind, host = r.choice(kinds), r.choice([n for n in NAMES if n != "192.0.2.7"])
            entries.append([kind, host, r.choice(RESTS[1:]) if kind in ("http", "https") else ""])
        if r.random() < 0.2:
            self.put("lists", "syncd", name=name, default_on=r.random() < 0.5)
        return make_list(name, entries, subtree=r.random() < 0.3)

    def asks(self):
        return [[d, path, host, rest if url else None, page, False]
                for d in ("d", "f") for path, url in PATHS
                for host in self.r.sample(NAMES, 5) for rest in self.r.sample(RESTS, 2 if url else 1)
                for page in (self.maybe(*NAMES, p=0.3),)]

    def case(self, asks=None):
        return {"now": self.now, "records": self.records, "lists": self.lists, "asks": asks or self.asks()}


# ---- records that cannot be read ----

WRONG = (7, None, "from-the-future", {"a": 1}, [5], True, 1.5)


def corruptions(record, r):
    """The record with one restricting field wrong."""
    owner, topic, fields = record
    for name in fields:
        rule = RESTRICT[topic].get(name)
        if not rule:
            continue
        wrong = [v for v in WRONG if not rule(v)]
        yield [owner, topic, {**fields, name: r.choice(wrong)}], name
        if isinstance(fields[name], list) and fields[name]:
            yield [owner, topic, {**fields, name: fields[name][:-1] + [r.choice((7, {}, None))]}], name


def spoil(case, r):
    """Some records are wrong."""
    for i, record in enumerate(case["records"]):
        bad = list(corruptions(record, r))
        if bad and r.random() < 0.15:
            case["records"][i] = r.choice(bad)[0]
