# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision as SPEC has it (P5, P6, F7, W4, "Which rules act where", D11), in the plainest way, without
a look at how the daemons do it. What SPEC leaves open is marked OPEN."""
import datetime
import re
import zoneinfo

MATCHES = ("exact", "endswith", "startswith", "contains", "wildcard")
MEDIA, ACTIONS = ("hide", "show"), ("block", "allow")


def is_text(v):
    return isinstance(v, str)


def is_flag(v):
    return isinstance(v, bool)


def is_number(v):
    return isinstance(v, int) and not isinstance(v, bool)


def is_texts(v):
    return isinstance(v, list) and all(map(is_text, v))


def one_of(*values):
    return lambda v: v in values


def is_schedule(v):
    return (isinstance(v, dict) and is_text(v.get("what")) and all(is_text(v.get(k, "")) for k in ("from", "to"))
            and is_texts(v.get("days", [])))


POLICY = {"profile": is_text, "site_scope": one_of("all", "browser"), "unknown_sites": one_of("block", "pass"),
          "images": one_of(*MEDIA), "words": one_of(*MEDIA), "time_zone": is_text,
          "schedules": lambda v: isinstance(v, list) and all(map(is_schedule, v))}
# The fields that restrict: a wrong one closes the record.
RESTRICT = {
    "devices": {**POLICY, "group": is_text, "active": is_flag, "expires_at": is_number},
    "groups": POLICY,
    "device_prefs": {"lists_off": is_texts, "offline_vpn": is_flag, "offline_browser": is_flag},
    "categories": {"visibility": one_of("public", "more", "report", "extreme", "security"),
                   "default": one_of(*ACTIONS), "images": one_of(*MEDIA)},
    "websites": {"match": one_of(*MATCHES), "status": one_of("pending", "rejected", "approved"),
                 "images": one_of(*MEDIA), "words": one_of(*MEDIA)},
    "site_overrides": {"device": is_text, "group": is_text, "match": one_of(*MATCHES),
                       "action": one_of(*ACTIONS), "images": one_of(*MEDIA), "words": one_of(*MEDIA),
                       "until": is_number},
    "category_prefs": {"device": is_text, "group": is_text, "blocked": is_flag, "schedule": is_schedule},
    "dns_rules": {"match": one_of(*MATCHES), "action": one_of(*ACTIONS), "scope": is_text, "until": is_number},
    "lists": {"default_on": is_flag}, "settings": {}, "sni_block": {}, "mitm_ignore": {}, "usage": {},
}


class Record(dict):
    """Only what is right; closed: something that restricts was not."""

    def __init__(self, topic, raw):
        rules = RESTRICT[topic]
        super().__init__({k: v for k, v in raw.items() if k not in rules or rules[k](v)})
        self.closed = len(self) < len(raw)


# ---- what matches ----

def split_rule(text):
    scheme = re.match(r"(?i)https?://", text)
    text = text[scheme.end():] if scheme else text
    host, slash, path = text.partition("/")
    host = re.sub(r"\.$", "", re.sub(r":(80|443)$", "", host.lower()))
    return host, slash + path, bool(scheme or slash)


def strip_www(text):
    rest = text[4:]
    return rest if text.startswith("www.") and "." in rest.split("/", 1)[0] else text


class Pattern:
    def __init__(self, text, match):
        host, path, self.is_url = split_rule(text)
        if match is None or match in ("exact", "endswith"):
            host = strip_www(host)
        if match == "exact" and self.is_url and not path:
            path = "/"
        self.match, self.text = match, host + path
        if match is None:  # nobody knows which: the widest of all
            self.match, self.text = "wildcard", f"*{host + path}*"

    def matches(self, host, url):
        subject = url if self.is_url else host
        if subject is None:
            return False
        t = self.text
        if self.match in ("exact", "endswith"):
            subject = strip_www(subject)
        if self.match == "exact":
            return subject == t
        if self.match == "endswith" and not self.is_url:
            return subject == t or subject.endswith(t if t.startswith(".") else "." + t)
        if self.match == "endswith":
            return subject.endswith(t)
        if self.match == "startswith":
            return subject.startswith(t)
        if self.match == "contains":
            return t in subject
        return bool(re.fullmatch(".*".join(map(re.escape, t.split("*"))), subject, re.S))


def at_or_below(host, name):
    return host == name or host.endswith("." + name)


# ---- time ----

def minutes(text, default):
    if text is None:
        return default
    if not re.fullmatch(r"\d\d:\d\d", text):
        raise ValueError(text)
    h, m = map(int, text.split(":"))
    if m > 59 or h * 60 + m > 1440:
        raise ValueError(text)
    return h * 60 + m


DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def holds(schedule, zone, now_ms):
    """True, False; None: it cannot be said."""
    try:
        begin, end = minutes(schedule.get("from"), 0), minutes(schedule.get("to"), 1440)
        days = [DAYS.index(d) for d in schedule.get("days") or DAYS]
        tz = zoneinfo.ZoneInfo(zone or "UTC")
    except (ValueError, zoneinfo.ZoneInfoNotFoundError):
        return None
    local = datetime.datetime.fromtimestamp(now_ms // 1000, tz)
    minute, today = local.hour * 60 + local.minute, local.weekday()
    if begin < end:
        return today in days and begin <= minute < end
    return today in days and minute >= begin or (today - 1) % 7 in days and minute < end


# ---- the gateway ----

class Gateway:
    def __init__(self, case):
        self.now = case["now"]
        self.lists = case.get("lists", [])
        self.all = {}  # topic → owner → id → Record
        for owner, topic, raw in case["records"]:
            self.all.setdefault(topic, {}).setdefault(owner, {})[raw["id"]] = Record(topic, raw)
        self.settings = {k: v["value"] for k, v in self.all.get("settings", {}).get("apid", {}).items()}
        source = self.settings.get("policy_source", "local")
        self.owners = ("syncd", "apid") if source == "directus" else ("apid", "syncd")
        self.found = {}
        self.patterns = [(topic, rec, self.pattern(topic, rec))
                         for topic in ("websites", "site_overrides", "dns_rules", "sni_block", "mitm_ignore")
                         for rec in self.merged(topic).values()]

    def merged(self, topic):
        """On the same key the winning owner's."""
        here = self.all.get(topic, {})
        return {**here.get(self.owners[1], {}), **here.get(self.owners[0], {})}

    @staticmethod
    def pattern(topic, rec):
        if topic in ("sni_block", "mitm_ignore"):
            return Pattern(rec["domain"], "endswith")
        return Pattern(rec["pattern"], rec.get("match", None if rec.closed else "exact"))

    def matching(self, topic, host, url):
        key = host, url
        if key not in self.found:
            self.found[key] = [(t, r, p) for t, r, p in self.patterns if p.matches(host, url)]
        return [(r, p) for t, r, p in self.found[key] if t == topic]

    # -- the device --

    def device(self, name):
        d = self.all.get("devices", {}).get("apid", {}).get(name)
        if d is None:
            return None
        group = self.all.get("groups", {}).get("apid", {}).get(d.get("group"))
        defaults = Record("groups", self.settings.get("device_defaults", {}))
        levels = [d] + ([group] if group is not None else []) + [defaults]

        def pick(field, default):
            return next((r[field] for r in levels if field in r), default)
        prefs = [self.all.get("device_prefs", {}).get(o, {}).get(k)
                 for k in (f"device:{name}", f"group:{d.get('group')}") for o in self.owners]
        prefs = [p for p in prefs if p is not None]
        v = {"id": name, "group": d.get("group"), "zone": pick("time_zone", None),
             "site_scope": pick("site_scope", "browser"), "unknown_sites": pick("unknown_sites", "block"),
             "images": pick("images", "show"), "words": pick("words", "hide"),
             "schedules": pick("schedules", [])}
        for switch in ("offline_vpn", "offline_browser"):
            v[switch] = self.settings.get(switch, False) or any(p.closed or p.get(switch) for p in prefs)
        now = [(s, holds(s, v["zone"], self.now) is not False) for s in v["schedules"]]
        off = next((p for p in prefs if p.closed or "lists_off" in p), {})
        v["lists_off"] = () if getattr(off, "closed", False) else off.get("lists_off", ())
        v["now"] = now
        # OPEN: what a schedule is about, when nobody knows it: everything.
        all_off = any(on and not re.match("(list|category):", s["what"]) for s, on in now)
        closed = any(r.closed for r in levels) or (d.get("group") and group is None)
        usage = self.all.get("usage", {}).get("wgd", {}).get(name)
        entitled = (not closed and d.get("active", True) is not False
                    and (not d.get("expires_at") or d["expires_at"] > self.now)
                    and not (usage and usage.get("over_quota")))
        v["walled"] = (not entitled or all_off or v["offline_vpn"] and v["offline_browser"]
                       or pick("profile", "internet") == "walled")
        return v

    # -- steps --

    @staticmethod
    def best(matches):
        """Named, of several that say the same: the longest, whatever their order."""
        return min(matches, key=lambda m: (-len(m[1].text), m[1].text, m[0]["id"]))

    def lists_on(self, v):
        for i, one in enumerate(self.lists):
            rec = self.all.get("lists", {}).get("syncd", {}).get(one["id"], {})
            scheduled = [on for s, on in v["now"] if s["what"] == "list:" + one["id"]]
            on = rec.get("default_on", True) and one["id"] not in v["lists_off"]
            if any(scheduled) if scheduled else on:
                yield one

    def judge_lists(self, v, host, url):
        by_url = None
        for one in self.lists_on(v):
            whole = {"exact": lambda d: host == d, "subtree": lambda d: at_or_below(host, d),
                     "below": lambda d: host.endswith("." + d)}
            excepted = any(k == "except" and at_or_below(host, d) for k, d, _ in one["entries"])
            if excepted:
                continue
            for kind, d, path in one["entries"]:
                if kind in whole and whole[kind](d):
                    return one["id"]
                # P6: the prefix where decrypted, the domain where not.
                if url is None and kind == "https" and (at_or_below(host, d) if one.get("subtree") else host == d):
                    return one["id"]
                if url is not None and kind in ("http", "https"):
                    if strip_www(url).startswith(strip_www(d) + path):
                        by_url = by_url or one["id"]
        return by_url

    def category_blocked(self, v, name, category):
        if any(on and s["what"] == "category:" + name for s, on in v["now"]):
            return True
        prefs = [[r for r in self.all.get("category_prefs", {}).get(o, {}).values() if r["category"] == name]
                 for o in self.owners]

        def scope(r):
            return ("device", r["device"]) if "device" in r else ("group", r["group"]) if "group" in r else "all"
        # Nobody knows whom it is for: everybody, before all others.
        if any(r.closed and scope(r) == "all" for owner in prefs for r in owner):
            return True
        for level in (("device", v["id"]), ("group", v["group"]), "all"):
            here = next((rs for rs in ([r for r in owner if scope(r) == level] for owner in prefs) if rs), [])
            said = set()
            for r in here:
                on = holds(r["schedule"], v["zone"], self.now) if "schedule" in r else True
                blocked = r.closed or r.get("blocked", False)
                if r.closed or on or (on is None and blocked):
                    said.add(blocked)
            if said:
                return True in said
        return category.get("default") == "block"

    def site_step(self, v, rec):
        category = self.merged("categories").get(rec["category"])
        if category is None:
            return "blocked"  # OPEN
        visibility = category.get("visibility", "security" if category.closed else "public")
        if visibility == "security":
            return "security"
        if visibility in ("report", "extreme"):
            return "forced"
        blocked = rec.closed or category.closed or self.category_blocked(v, rec["category"], category)
        return "blocked" if blocked else "allowed"

    def sites(self, v, host, url):
        out = {}
        for rec, p in self.matching("websites", host, url):
            if rec.closed or rec.get("status", "approved") == "approved":
                out.setdefault(self.site_step(v, rec), []).append((rec, p))
        return out

    def levelled(self, v, topic, host, url):
        """The level that decides: (action, its records with that action)."""
        def scope(r):
            if topic == "dns_rules":
                text = r.get("scope", "all")
                return text if re.match("(device|group):", text) else "all" if text == "all" else None
            return "device:" + r["device"] if "device" in r else "group:" + r["group"] if "group" in r else "all"

        def unknown(r):
            return scope(r) is None or r.closed and scope(r) == "all"
        matches = [(r, p) for r, p in self.matching(topic, host, url)
                   if r.closed or unknown(r) or "until" not in r or r["until"] > self.now]
        strict = [(r, p) for r, p in matches if unknown(r)]
        if strict:
            return "block", strict
        for level in ("device:" + v["id"], f"group:{v['group']}", "all"):
            here = [(r, p) for r, p in matches if scope(r) == level]
            blocks = [(r, p) for r, p in here if r.closed or r.get("action", "block") == "block"]
            if blocks:
                return "block", blocks
            if here:
                return "allow", here
        return None, []

    def decide(self, name, path, host, rest, page=None):
        v = self.device(name)
        if v is None:
            return {"verdict": "block", "reason": "no policy"}
        url = None if rest is None else host + rest
        if v["walled"]:
            renewal = any(at_or_below(host, h) for h in self.settings.get("renewal_hosts", ()))
            return {"verdict": "allow" if renewal else "block", "reason": "switch"}
        cut = {"proxy": v["offline_browser"], "dns": v["offline_vpn"],
               "intercept": v["offline_vpn"] or v["offline_browser"] and rest is not None}
        if cut[path]:
            return {"verdict": "block", "reason": "switch"}
        whole = path == "proxy" or path == "intercept" and v["site_scope"] == "all"
        d = self.after_switches(v, path, whole, host, url, page)
        overrides = d.pop("overrides", [])
        if not whole or d["reason"] == "connectivity check":  # OPEN: what passes always passes as it is
            return d
        return {**d, **self.media(v, host, url, overrides)}

    def after_switches(self, v, path, whole, host, url, page):
        if host in self.settings.get("connectivity_checks", ()):
            return {"verdict": "allow", "reason": "connectivity check"}
        if path == "dns":
            action, rules = self.levelled(v, "dns_rules", host, url)
            if action:
                return {"verdict": action, "reason": "DNS rule", "rule": self.best(rules)[1].text}
        elif self.matching("sni_block", host, url):
            return {"verdict": "block", "reason": "blocked name",
                    "rule": self.best(self.matching("sni_block", host, url))[1].text}
        sites = self.sites(v, host, url) if whole else {}
        if whole:
            d = self.early(v, sites, host, url)
            if d:
                return d
        on = self.judge_lists(v, host, url)
        if on:
            return {"verdict": "block", "reason": "list", "list": on}
        return self.late(v, sites, host, page) if whole else {"verdict": "allow"}

    def early(self, v, sites, host, url):
        if "security" in sites:
            return self.by_site("block", "security", sites)
        action, rules = self.levelled(v, "site_overrides", host, url)
        if action:
            return {"verdict": action, "reason": "override", "id": self.best(rules)[0]["id"],
                    "overrides": [r for r, _ in rules] if action == "allow" else []}
        return self.by_site("block", "forced", sites) if "forced" in sites else None

    def late(self, v, sites, host, page):
        if "blocked" in sites:
            return self.by_site("block", "blocked", sites)
        if "allowed" in sites:
            return self.by_site("allow", "allowed", sites)
        needing = self.sites(v, page, None).get("allowed", []) if page else []
        if any(at_or_below(host, n) for r, _ in needing for n in r.get("needs", ())):
            return {"verdict": "allow", "reason": "needed by an allowed site"}
        return {"verdict": "pass" if v["unknown_sites"] == "pass" else "unknown", "reason": "not reviewed"}

    def by_site(self, verdict, step, sites):
        rec, _ = self.best(sites[step])
        category = self.merged("categories").get(rec["category"], {})
        reason = {"security": "security", "forced": "forced category"}.get(step, step + " category")
        return {"verdict": verdict, "reason": reason, "id": rec["id"],
                "category": category.get("name", rec["category"])}

    def media(self, v, host, url, overrides):
        found = [r for rs in self.sites(v, host, url).values() for r, _ in rs]
        categories = [self.merged("categories").get(r["category"], Record("categories", {})) for r in found]
        # What nobody can read is shown as little as can be.
        closed = any(r.closed or c.closed for r, c in zip(found, categories))
        found, categories = [r for r, c in zip(found, categories) if not r.closed], [
            c for r, c in zip(found, categories) if not r.closed]
        hide = closed or any(r.get("images", c.get("images")) == "hide" for r, c in zip(found, categories))
        show = any(r.get("images") == "show" for r in found)
        mask, plain = (any(r.get("words") == w for r in found) for w in MEDIA)
        mask = mask or closed
        said = {k: [r[k] for r in overrides if k in r] for k in ("images", "words")}
        if said["images"]:  # OPEN: of several the strictest
            hide, show = "hide" in said["images"], "hide" not in said["images"]
        if said["words"]:
            mask, plain = "hide" in said["words"], "hide" not in said["words"]
        return {"images": hide or not show and v["images"] == "hide",
                "words": mask or not plain and v["words"] == "hide",
                "no_decrypt": any(c.get("no_decrypt") and not c.closed for c in categories)
                or bool(self.matching("mitm_ignore", host, url))}
