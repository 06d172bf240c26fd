# SPDX-License-Identifier: GPL-3.0-or-later
"""G: a dump of its users (SQL or JSON), blocked.hosts, wildcards.conf of CoreDNS, .config."""
import datetime
import ipaddress
import json
import re

from culvert_import_result import ImportFailed

# Columns by what they mean; the first that is there counts.
COLUMNS = {
    "id": ("username", "name", "user", "id"),
    "key": ("public_key", "publickey", "pubkey", "wg_public_key"),
    "psk": ("preshared_key", "psk"),
    "address": ("ip_address", "ip", "address", "vpn_ip", "assigned_ip", "wg_ip"),
    "profile": ("acl_profile", "profile", "acl"),
    "active": ("is_active", "active", "enabled"),
    "suspended": ("suspended", "is_suspended", "disabled"),
    "expires": ("expires_at", "expiry", "expires", "expire_date"),
    "quota": ("quota_bytes", "data_limit", "quota"),
    "note": ("full_name", "display_name", "email", "note"),
}
IGNORED = {"id", "created_at", "updated_at", "last_seen", "last_handshake", "rx_bytes", "tx_bytes"}
PROFILES = {"full": "full", "internetonly": "internet", "internet": "internet", "intranetonly": "intranet",
            "intranet": "intranet"}
CANARIES = ("use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com")
LIST, WILDCARDS = "g-blocked", "g-wildcards"


def convert(out):
    used = set()
    for step in (take_users, take_hosts, take_wildcards, take_config):
        used |= step(out)
    out.add("settings", {"id": "device_defaults", "value": {"profile": "full", "unknown_sites": "pass"}})
    for path in out.find("*"):
        if path not in used:
            out.flag(path, path.name, "not a file that is known")


# ---- users ----

VALUE = re.compile(r"\s*(?:'((?:[^'\\]|\\.|'')*)'|(NULL)|(0x[0-9A-Fa-f]+|[-+]?[0-9.]+)|([A-Za-z_]\w*(?:\(\))?))\s*", re.S)
INSERT = re.compile(r"INSERT\s+(?:IGNORE\s+)?INTO\s+`?(\w+)`?\s*(\([^)]*\))?\s*VALUES\s*", re.I)
CREATE = re.compile(r"CREATE\s+TABLE\s+(?:IF NOT EXISTS\s+)?`?(\w+)`?\s*\((.*?)\n\)", re.I | re.S)
UNESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


def unescape(text):
    return re.sub(r"\\(.)|''", lambda m: UNESCAPED.get(m[1], m[1]) if m[1] else "'", text, flags=re.S)


def read_value(text, at):
    match = VALUE.match(text, at)
    if not match:
        raise ValueError("no value at character %d" % at)
    if match[1] is not None:
        return unescape(match[1]), match.end()
    return (None if match[2] else match[3] or match[4]), match.end()


def read_rows(text, at):
    """The tuples of one INSERT."""
    while at < len(text) and text[at] == "(":
        row, end = [], False
        at += 1
        while not end:
            value, at = read_value(text, at)
            row.append(value)
            if at >= len(text) or text[at] not in ",)":
                raise ValueError("no end of a row at character %d" % at)
            end = text[at] == ")"
            at += 1
        yield row
        while at < len(text) and text[at] in ", \n\r\t":
            at += 1


def read_sql(text):
    """{table: [row as a dict]} of a dump."""
    columns = {m[1]: re.findall(r"^\s*`(\w+)`", m[2], re.M) for m in CREATE.finditer(text)}
    tables = {}
    for match in INSERT.finditer(text):
        names = re.findall(r"\w+", match[2]) if match[2] else columns.get(match[1])
        if not names:
            raise ValueError("%s: the names of its columns are not in the dump" % match[1])
        for row in read_rows(text, match.end()):
            if len(row) != len(names):
                raise ValueError("%s: a row of %d values for %d columns" % (match[1], len(row), len(names)))
            tables.setdefault(match[1], []).append(dict(zip(names, row)))
    return tables


def read_json(text):
    data = json.loads(text)
    return {"users": data} if isinstance(data, list) else {k: v for k, v in data.items() if isinstance(v, list)}


def take_users(out):
    paths = out.find("*.sql", "*.json")
    taken = {}
    for path in paths:
        try:
            tables = (read_sql if path.suffix == ".sql" else read_json)(path.read_text())
        except ValueError as exc:
            raise ImportFailed("%s: %s" % (out.name(path), exc)) from exc
        for table, rows in sorted(tables.items()):
            if table in ("users", "vpn_users", "clients", "peers"):
                for row in rows:
                    take_user(out, path, row, taken)
            else:
                out.flag(path, "table %s, %d rows" % (table, len(rows)), "not users: sessions, logs and administrators stay behind")
    return set(paths)


def pick(row, what):
    return next((row[c] for c in COLUMNS[what] if row.get(c) not in (None, "")), None)


def flag_of(value):
    return str(value).lower() in ("1", "true", "yes", "active", "enabled")


def epoch_ms(text):
    if re.fullmatch(r"\d+", str(text)):
        return int(text) * (1 if int(text) > 10 ** 11 else 1000)
    moment = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)).timestamp() * 1000)


def take_user(out, path, row, taken):
    user = str(pick(row, "id") or "")
    name = re.sub(r"[^A-Za-z0-9._-]", "-", user)[:64]
    key, address = pick(row, "key"), pick(row, "address")
    if not name or not key or not address:
        out.flag(path, "user %s" % (user or row), "without a name, a public key or an address: never was a peer")
        return
    if name in taken:
        out.flag(path, "user %s" % user, "its id %s is user %s's, too" % (name, taken[name]))
        return
    try:
        device = make_device(out, path, row, name, user, address)
    except ValueError as exc:
        out.flag(path, "user %s" % user, str(exc))
        return
    taken[name] = user
    out.add("devices", device)
    out.add("device_keys", {"id": name, "public_key": key, **({"preshared_key": pick(row, "psk")} if pick(row, "psk") else {})})
    out.took(path, "user " + user, "device")
    known = {c for names in COLUMNS.values() for c in names} | IGNORED
    for column in sorted(set(row) - known):
        if row[column] not in (None, "") and not any(r[2] == "column " + column for r in out.report):
            out.flag(path, "column " + column, "Culvert has nothing for it" if "private" not in column else
                     "private keys are the devices' own and are not taken")


def make_device(out, path, row, name, user, address):
    device = {"id": name, "name": str(pick(row, "note") or user), "addresses": [
        str(ipaddress.ip_address(one.strip().split("/")[0])) for one in str(address).split(",")]}
    active = pick(row, "active")
    device["active"] = (active is None or flag_of(active)) and not flag_of(pick(row, "suspended"))
    if pick(row, "expires"):
        device["expires_at"] = epoch_ms(pick(row, "expires"))
    if pick(row, "quota") and int(pick(row, "quota")) > 0:
        device["quota_bytes"] = int(pick(row, "quota"))
    profile = pick(row, "profile")
    if profile is not None:
        device["profile"] = PROFILES.get(re.sub(r"[^a-z]", "", str(profile).lower()), "walled")
        if device["profile"] == "walled":
            out.flag(path, "user %s" % user, "no such profile: %s; the device is walled" % profile)
    return device


# ---- DNS ----

def take_hosts(out):
    paths = out.find("blocked.hosts", "*.hosts")
    for path in paths:
        lines = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) < 2 or words[0] not in ("0.0.0.0", "127.0.0.1", "::", "::1"):
                out.flag(path, "line %d" % number, "no blocked name: " + line)
                continue
            lines += ["0.0.0.0 " + name.lower() for name in words[1:]]
        out.add_list(LIST, lines, path, kind="general", subtree=False)
    return set(paths)


BLOCK = re.compile(r"^\s*template\s+(\S+)\s+(\S+)\s*([^{\n]*)\{(.*?)^\s*\}", re.M | re.S)
BELOW = (r"^(.*\.)?", r"^(.+\.)?", r"(^|[.])", r"(^|\.)", r"(.*\.)?", r"^([^.]+\.)*", r"^(?:.*\.)?")
ONLY_BELOW = (r"^.*\.", r"^.+\.", r".*\.", r".+\.")
ENDS = (r"\.$", r"[.]$", r"\.?$", "$", r"\.", "")


def name_of(expression):
    """A zone's name: (entry, None), or (None, why not)."""
    for prefixes, form in ((BELOW, "||%s^"), (ONLY_BELOW, "*.%s"), (("^",), "0.0.0.0 %s")):
        for prefix in prefixes:
            if not expression.startswith(prefix):
                continue
            for end in ENDS:
                if not expression.endswith(end):
                    continue
                body = expression[len(prefix):len(expression) - len(end)].replace("[.]", ".").replace("\\.", ".")
                if re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+", body):
                    return form % body.lower(), None
    return None, "a pattern that is no name"


def take_wildcards(out):
    paths = out.find("wildcards.conf")
    for path in paths:
        text = re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.M)
        lines = {}
        for match in BLOCK.finditer(text):
            for entry in entries_of(out, path, match):
                lines[entry] = True
        rest = BLOCK.sub("", text).strip()
        if rest:
            out.flag(path, rest[:60], "no template")
        out.add_list(WILDCARDS, list(lines), path, kind="general", subtree=False)
    return set(paths)


def entries_of(out, path, match):
    zones, body = [z.rstrip(".").lower() for z in match[3].split() if z != "."], match[4]
    expressions = [e.strip().strip('"') for e in re.findall(r"^\s*match\s+(.+)$", body, re.M)]
    what = " ".join(match[0].split())[:80]
    if "fallthrough" in body:
        out.flag(path, what, "falls through: not all of its names are blocked")
        return
    if not re.search(r"0\.0\.0\.0|::|NXDOMAIN|REFUSED", body):
        out.flag(path, what, "answers with something else than a block")
        return
    if zones and expressions:
        out.flag(path, what, "a zone and an expression in it")
        return
    for entry, why in [("||%s^" % z, None) for z in zones] + [name_of(e) for e in expressions]:
        if why:
            out.flag(path, what, why)
        elif entry.strip("|^") in CANARIES:
            out.took(path, entry, "Culvert refuses it by itself")
        else:
            yield entry


# ---- .config ----

def take_config(out):
    """Names and port of the tunnel; the rest is of a program that is no more."""
    def setting(name):
        def take(value):
            out.add("settings", {"id": name, "value": value})
            return True, "setting " + name
        return take

    def key(section, name, check):
        def take(value):
            if not re.fullmatch(check, value):
                return False, "no value for %s.%s: %s" % (section, name, value)
            out.keys[section, name] = value
            return True, "%s.%s" % (section, name)
        return take

    def network(value):
        net = ipaddress.ip_network(value, strict=False)
        out.keys["tunnel mitm", "addresses"] = "%s/%d" % (next(net.hosts()), net.prefixlen)
        return True, "tunnel mitm.addresses"

    more = {}
    for name in ("WG_ENDPOINT", "SERVER_ENDPOINT", "WG_HOST", "SERVER_IP", "PUBLIC_IP", "DOMAIN"):
        more[name] = setting("endpoint")
    for name in ("WG_PORT", "WG_LISTEN_PORT", "SERVER_PORT"):
        more[name] = key("tunnel mitm", "port", r"\d{1,5}")
    for name in ("WG_SUBNET", "VPN_SUBNET", "WG_NETWORK"):
        more[name] = network
    for name in ("WG_INTERFACE", "WG_IFACE"):
        more[name] = key("tunnel mitm", "interface", r"[A-Za-z0-9_-]{1,15}")
    more["WG_MTU"] = key("tunnel mitm", "mtu", r"\d{3,4}")
    paths = out.find(".config")
    for path in paths:
        out.take_env(path, {}, more)
    return set(paths)
