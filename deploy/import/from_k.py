# SPDX-License-Identifier: GPL-3.0-or-later
"""K: wg-quick's file with `# device:` lines, Squid's lists, a dump of Directus, files of the blockers, .env files."""
import json
import re

from culvert_import_result import ImportFailed

KINDS = ("maps", "gifs", "adblock", "general", "app_urls")
DERIVED = ("squid-blocklist.conf", "10-tripleu-device-blocklists.conf")
# What K's files stand for, in Culvert's terms: websites are judged in the browser only, an unknown one waits for a
# review there, names on lists are closed by address, too.
DEFAULTS = {"profile": "internet", "site_scope": "browser", "unknown_sites": "block"}
HEAD = re.compile(r"\^https?(\?)?:(?:\\?/){2}(\(www\\?\.\)\?)?")
HOST = re.compile(r"((?:[a-z0-9_-]|\\?\.|\\-)+)")
ESCAPED = re.compile(r"\\([^A-Za-z0-9])")
# Characters that stand for themselves, escaped punctuation, and dots, which are meant so.
PLAIN = re.compile(r"(?:[^][(){}|*+?^$\\]|\\[^A-Za-z0-9])*")


def convert(out):
    known = out.knobs()
    used = set()
    for step in (take_devices, take_dump, take_lists, take_words, take_ignored):
        used |= step(out)
    for path in out.find("*.env", ".env", "*.environment"):
        out.take_env(path, known)
        used.add(path)
    out.add("settings", {"id": "device_defaults", "value": DEFAULTS})
    for path in out.find("*"):
        if path in used:
            continue
        if path.name in DERIVED:
            out.took(path, path.name, "made from the lists by K; Culvert makes its own")
        else:
            out.flag(path, path.name, "not a file that is known")


def take_devices(out):
    paths = out.find("wg-*.conf", "wg*.conf")
    if len(paths) > 1:
        raise ImportFailed("several wg-quick files: " + ", ".join(map(out.name, paths)))
    for path in paths:
        seed = json.loads(out.run(out.daemons / "wgd", "-c", out.conf, "--import=%s" % path))
        for topic, records in seed.items():
            for record in records:
                out.add(topic, record)
                out.took(path, record["id"], topic)
    return set(paths)


# ---- Directus ----

def collections_of(path):
    """{collection: rows}: an object of that form, or Directus' answers, {"data": rows}, under a file's name."""
    data = json.loads(path.read_text())
    if isinstance(data, dict) and isinstance(data.get("data"), list):
        return {path.stem: data["data"]}
    if isinstance(data, dict) and isinstance(data.get("data"), dict):
        data = data["data"]
    if isinstance(data, list):
        return {path.stem: data}
    return {name: rows.get("data") if isinstance(rows, dict) else rows for name, rows in data.items()}


def take_dump(out):
    paths = out.find("*.json")
    for path in paths:
        try:
            dump = collections_of(path)
        except (ValueError, AttributeError) as exc:
            raise ImportFailed("%s: %s" % (out.name(path), exc)) from exc
        made = json.loads(out.run(out.programs / "directus-records", text=json.dumps(dump)))
        for topic, records in made["records"].items():
            for record in records:
                how = cut_both(record) if topic == "device_prefs" else ""
                out.add(topic, record)
                out.took(path, record["id"], topic + how)
        for name, text in made["lists"].items():
            add_entries(out, path, name, text.splitlines())
        for row in made["left_out"]:
            out.flag(path, "%s[%s]" % (row["collection"], row["row"]), row["reason"])
    return set(paths)


def cut_both(record):
    """Squid cut a device off for either switch; here each has a path of its own."""
    if not record.get("offline_browser") or record.get("offline_vpn"):
        return ""
    record["offline_vpn"] = True
    return ", with offline_vpn: Squid cut off whom the browser's switch did"


# ---- lists ----

def list_options(name):
    return {"kind": name, "subtree": True, "by_address": True}


def add_entries(out, path, name, lines):
    """In the form that people write: names, hosts lines, Adblock's, URLs. syncd reads them itself, by K's rules."""
    out.add_list(name, [line for line in (one.strip() for one in lines) if line and line[0] not in "#!["], path,
                 **list_options(name))


def take_lists(out):
    used = set()
    for path in out.find("*-domains.txt"):
        names = [line.strip().lstrip(".") for line in path.read_text().splitlines()]
        out.add_list(path.name[:-len("-domains.txt")], ["||%s^" % n for n in names if n and n[0] != "#"], path,
                     **list_options(path.name[:-len("-domains.txt")]))
        used.add(path)
    for path in out.find("*-urls.txt"):
        take_expressions(out, path, path.name[:-len("-urls.txt")])
        used.add(path)
    for path in out.find("oisd*.txt"):
        add_entries(out, path, "adblock", path.read_text().splitlines())
        used.add(path)
    return used


def take_expressions(out, path, name):
    for line in path.read_text().splitlines():
        line = line.strip()
        if not line or line[0] == "#":
            continue
        entries, how = convert_expression(line)
        if not entries:
            out.flag(path, line, how)
            continue
        out.add_list(name, entries, path, **list_options(name))
        if how:
            out.flag(path, line, how)


def convert_expression(text):
    """A regular expression of Squid's url_regex as URL prefixes: (entries, how), or (None, why not)."""
    head = HEAD.match(text)
    if not head:
        return None, "does not begin with ^http://HOST: it stands anywhere in a URL"
    if text.startswith("^https:"):
        return None, "HTTPS alone: K could not see such a URL"
    host = HOST.match(text, head.end())
    rest = text[host.end():].replace("\\/", "/") if host else ""
    if not host or (rest and rest[0] != "/" and rest != "(/|$)"):
        return None, "no plain host name"
    rest = "/" if rest == "(/|$)" else re.sub(r"\.\*$", "", rest)
    if not rest:
        return None, "no path: names that go on would be meant, too"
    if rest.endswith("$") and not rest.endswith("\\$"):
        return None, "ends with $: that URL only, not those that begin so"
    if not PLAIN.fullmatch(rest):
        return None, "a pattern in its path"
    name = host[1].replace("\\", "")
    names = [name, "www." + name] if head[2] else [name]
    wild = re.search(r"(?<!\\)\.", text[head.end():host.end()] + rest)
    return ["http://%s%s" % (n, ESCAPED.sub(r"\1", rest)) for n in names], "its dots taken literally" if wild else ""


# ---- files of the blockers ----

def lines_of(path):
    return [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def take_words(out):
    paths = out.find("bad-words.txt")
    for path in paths:
        for number, term in enumerate(lines_of(path)):
            out.add("search_words", {"id": "k%d" % number, "term": term})
            out.took(path, term, "search_words")
    return set(paths)


def take_ignored(out):
    paths = out.find("glob-ingone-hosts.txt", "glob-ignore-hosts.txt")
    for path in paths:
        for number, host in enumerate(lines_of(path)):
            if re.fullmatch(r"(?:\*\.)?[A-Za-z0-9.-]+", host):
                out.add("image_ignore", {"id": "k%d" % number, "domain": host.removeprefix("*.").lower()})
                out.took(path, host, "image_ignore")
            else:
                out.flag(path, host, "no host name")
    return set(paths)
