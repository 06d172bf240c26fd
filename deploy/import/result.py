# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import makes, and the report of it."""
import collections
import json
import os
import re
import subprocess


class ImportFailed(Exception):
    """Something that cannot be read at all."""


SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY|PRIVATE|PASS$|PASS_")
DAEMONS = ("wgd", "fwd", "dnsd", "proxyd", "apid", "syncd")


class Result:
    """Records by topic, lists, keys of the configuration; and of every item of the source what became of it."""

    def __init__(self, asked):
        self.source, self.target, self.conf = asked.source, asked.target, asked.conf
        self.programs, self.daemons = asked.programs, asked.daemons
        self.records = collections.defaultdict(dict)
        self.lists = {}  # id: (options, lines)
        self.keys = {}  # (section, key): value
        self.report = []

    # ---- reading ----

    def find(self, *names):
        """Files of the source by name, patterns allowed, sorted."""
        found = {p for name in names for p in self.source.rglob(name) if p.is_file()}
        return sorted(found)

    def run(self, *argv, text=None):
        done = subprocess.run([str(a) for a in argv], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ImportFailed("%s: %s" % (os.path.basename(str(argv[0])), done.stderr.strip() or done.returncode))
        return done.stdout

    def name(self, path):
        return path if isinstance(path, str) else str(path.relative_to(self.source))

    # ---- what became of an item ----

    def took(self, where, item, how="taken over"):
        self.report.append(("converted", self.name(where), item, how))

    def flag(self, where, item, why):
        """It is not in force in Culvert, or not as it was: somebody has to look."""
        self.report.append(("flagged", self.name(where), item, why))

    def count(self, verdict):
        return sum(row[0] == verdict for row in self.report)

    def add(self, topic, record):
        key = "name" if topic == "profiles" else "id"
        self.records[topic][record[key]] = record

    def add_list(self, name, lines, where, **options):
        known = self.lists.setdefault(name, (options, []))
        seen = set(known[1])
        for line in lines:
            if line not in seen:
                known[1].append(line)
                seen.add(line)
            self.took(where, line, "list " + name)

    # ---- .env files ----

    def knobs(self):
        """NAME of an environment variable: (section, key), as the daemons say themselves."""
        found = collections.defaultdict(list)
        for daemon in DAEMONS:
            for line in self.run(self.daemons / daemon, "--keys").splitlines():
                section, key, _, _, env, _ = line.split("\t")
                if env and env != "CULVERT_INSTANCE":
                    found[env].append((section, key))
        return found

    def take_env(self, path, known, more=None):
        """KEY=VALUE lines: known knobs become keys of the configuration; more: {NAME: function(value) → how}."""
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = re.fullmatch(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", line)
            if not match:
                self.flag(path, "line %d" % number, "not NAME=VALUE")
                continue
            name, value = match[1], match[2].strip().strip("\"'")
            self.take_knob(path, name, value, known, more or {})

    def take_knob(self, path, name, value, known, more):
        if name in more:
            how = more[name](value)
            (self.took if how[0] else self.flag)(path, name, how[1])
        elif SECRET.search(name):
            self.flag(path, name, "a secret: it is not copied; put it where the configuration's *_file says")
        elif name in known:
            for section, key in known[name]:
                self.keys[section, key] = value
            self.took(path, name, ", ".join("%s.%s" % one for one in known[name]))
        else:
            self.flag(path, name, "Culvert has nothing of that name")

    # ---- writing ----

    def write(self):
        os.makedirs(self.target / "lists", mode=0o700)
        os.chmod(self.target, 0o700)
        for name, (options, lines) in sorted(self.lists.items()):
            (self.target / "lists" / (name + ".txt")).write_text("".join(line + "\n" for line in lines))
            self.check_list(name)
            self.add("list_sources", {"id": name, "title": name, "source": "file:%s.txt" % name, "default_on": True,
                                      **options})
        seed = {topic: list(records.values()) for topic, records in sorted(self.records.items()) if records}
        self.put("seed.json", json.dumps(seed, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
        sections = collections.defaultdict(list)
        for (section, key), value in sorted(self.keys.items()):
            sections[section].append("%s = %s" % (key, value))
        self.put("culvert.conf.part", "".join("[%s]\n%s\n\n" % (s, "\n".join(lines)) for s, lines in sections.items()))
        self.put("report.json", json.dumps([dict(zip(("verdict", "file", "item", "what"), row)) for row in self.report],
                                           indent=1, ensure_ascii=False) + "\n")
        self.put("report.txt", self.text())

    def check_list(self, name):
        """Lines that syncd will not take, by the reasons that it has."""
        path = self.target / "lists" / (name + ".txt")
        lines = path.read_text().splitlines()
        found = json.loads(self.run(self.programs / "listcheck", path, text="").splitlines()[0])
        for reason, skip in found["skipped_by"].items():
            more = " and %d more" % (skip["count"] - 1) if skip["count"] > 1 else ""
            self.flag("lists/%s.txt" % name, lines[skip["first_line"] - 1] + more, "syncd does not take it: " + reason)

    def put(self, name, text):
        with open(os.open(self.target / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)

    def text(self):
        """What has to be looked at, whole; the rest counted."""
        lines = ["Flagged: %d" % self.count("flagged")]
        lines += ["  %s: %s: %s" % row[1:] for row in self.report if row[0] == "flagged"]
        lines.append("Converted: %d" % self.count("converted"))
        counts = collections.Counter((row[1], row[3]) for row in self.report if row[0] == "converted")
        lines += ["  %s: %d, %s" % (where, n, how) for (where, how), n in sorted(counts.items())]
        return "\n".join(lines) + "\n"

    def summary(self):
        return "%d converted, %d flagged: see %s\n%s, lists/ to syncd.lists_dir, culvert.conf.part by hand" % (
            self.count("converted"), self.count("flagged"), self.target / "report.txt",
            "seed.json is for apid.seed_file")
