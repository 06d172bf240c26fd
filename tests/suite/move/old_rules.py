# SPDX-License-Identifier: GPL-3.0-or-later
"""What K and G decide, from their own files, as the source texts tell it, and without a look at Culvert."""
import fnmatch
import json
import re


def under(host, name):
    return host == name or host.endswith("." + name)


class OldK:
    """Squid's deny lists for what is not the browser; mitmproxy's policy for the browser."""

    def __init__(self, folder):
        self.dump = json.loads((folder / "opt/directus/dump.json").read_text())
        self.names, self.expressions = {}, {}
        for path in sorted((folder / "etc/squid/blocklists").glob("*.txt")):
            name, kind = path.stem.rsplit("-", 1)
            lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
            if kind == "domains":
                self.names.setdefault(name, set()).update(line.lstrip(".") for line in lines)
            else:
                self.expressions.setdefault(name, []).extend(map(re.compile, lines))
        self.names["adblock"].update(re.findall(r"^\|\|(\S+)\^$", (
            folder / "opt/squid-blocklist/lists/oisd-full.txt").read_text(), re.M))
        self.prefixes = {}
        for collection, name in (("maps", "maps"), ("squid-general_block", "general"), ("app_urls", "app_urls"),
                                 ("chat_apps", "chat_apps")):
            for row in self.dump[collection]:
                for entry in re.split(r"\n", re.sub(r"0\.0\.0\.0 ", "", row.get("url") or row.get("urls"))):
                    self._entry(name, entry)
        self.categories = {row["id"]: row for row in self.dump["website_categories"]}

    def _entry(self, name, entry):
        if entry.startswith("http://"):
            self.prefixes.setdefault(name, []).append(entry)
        else:
            self.names.setdefault(name, set()).add(entry.removeprefix("||").removesuffix("^"))

    def _rows(self, collection, device):
        return [row for row in self.dump[collection] if row["device_id"] == device]

    def _lists_on(self, device):
        off = {row["list"] for row in self._rows("vpn_squid_prefs", device) if not row["enabled"]}
        return (set(self.names) | set(self.expressions)) - off

    def listed(self, device, host, rest):
        """rest: of a URL that could be seen (plain HTTP), else None."""
        parents = [host.split(".", n)[n] for n in range(host.count(".") + 1)]
        for name in self._lists_on(device):
            if any(parent in self.names.get(name, ()) for parent in parents):
                return True
            url = "http://%s%s" % (host, rest)
            if rest is not None and (any(e.search(url) for e in self.expressions.get(name, ())) or
                                     url.startswith(tuple(self.prefixes.get(name, ())))):
                return True
        return False

    def other(self, device, host, rest):
        """allow or block: what is not the browser."""
        if any(row["chrome_offline"] or row["vpn_offline_non_chrome"] for row in self._rows("vpn_master_controls", device)):
            return "block"
        return "block" if self.listed(device, host, rest) else "allow"

    @staticmethod
    def matches(row, host, rest):
        pattern, match = row["url"].lower(), row["match_type"]
        subject = host + (rest or "/") if "/" in pattern else host
        bare = [subject, subject.removeprefix("www.")]
        return {"exact": lambda: pattern in bare,
                "endswith": lambda: any(one == pattern or one.endswith("." + pattern) for one in bare),
                "contains": lambda: pattern in subject,
                "startswith": lambda: subject.startswith(pattern),
                "wildcard": lambda: fnmatch.fnmatchcase(subject, pattern)}[match]()

    def browser(self, device, host, rest):
        """allow, block or unknown: what Chrome is told."""
        if any(row["chrome_offline"] for row in self._rows("vpn_master_controls", device)):
            return "block"
        if any(under(host, row["domain"]) for row in self.dump["mitm_block_domains"]):
            return "block"
        rules = [row for row in self.dump["websites"] if row.get("url") and row["status"] == "approved" and
                 self.matches(row, host, rest)]
        seen = [self.categories[row["category_id"]] for row in rules]
        if any(c["visibility"] == "security" for c in seen):
            return "block"
        for row in self._rows("vpn_site_overrides", device):
            if self.matches(row, host, rest):
                return "allow" if row["action"] == "allow" else "block"
        prefs = {row["category_id"]: row["blocked"] for row in self._rows("vpn_category_prefs", device)}
        if any(c["visibility"] in ("report", "extreme") or prefs.get(c["id"], c["default_blocked"]) for c in seen):
            return "block"
        return "allow" if seen else "unknown"


class OldG:
    """CoreDNS: names of blocked.hosts, expressions and zones of wildcards.conf."""

    def __init__(self, folder):
        self.hosts = {name for line in (folder / "coredns/blocked.hosts").read_text().splitlines()
                      if line.startswith(("0.0.0.0 ", "127.0.0.1 ")) for name in line.split("#")[0].split()[1:]}
        text = (folder / "coredns/wildcards.conf").read_text()
        self.zones, self.expressions = [], []
        for head, body in re.findall(r"^template IN \w+([^{\n]*)\{\n(.*?)^\}", text, re.M | re.S):
            self.zones += head.split()
            self.expressions += [re.compile(e.strip().strip('"')) for e in re.findall(r"match (.*)", body)]

    def name(self, host):
        blocked = (host in self.hosts or any(under(host, zone) for zone in self.zones) or
                   any(e.search(host + ".") for e in self.expressions))
        return "block" if blocked else "allow"
