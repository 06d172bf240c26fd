# SPDX-License-Identifier: GPL-3.0-or-later
"""O6: K's and G's files, imported: 1,000 samples are decided as before, and nothing was dropped silently."""
import collections
import importlib.util
import json
import os
import random
import re
import subprocess
import sys
import tempfile

import pytest
from old_rules import OldG, OldK

from support import BUILD, ROOT
from support.wait import wait_until

HERE = ROOT / "tests/suite/move"
SAMPLES = int(os.environ.get("MOVE_SAMPLES", "1000"))
NOW = 1_790_000_000_000
UID = 64101
# Who has not the expression in Culvert gets through: exactly these lines of the report.
FLAGGED_URLS = {r"[&?]ad_id=[0-9]+", "/adserver/", r"^http://([^/]+\.)?tracker\.example/", r"^http://app\.example/\d+/",
                r"^http://school\.example/forum(/|$)", r"^http://exact\.example/page\.html$",
                r"^http://pics\.example/.*\.gif$"}


def run_import(system, source, target, conf):
    return subprocess.run([str(ROOT / "deploy/import/culvert-import"), system, str(source), str(target), "-c", str(conf),
                           "--daemons", str(BUILD / "bin"), "--programs", str(BUILD / "bin")], text=True,
                          capture_output=True, check=False)


class Imported:
    def __init__(self, folder, out):
        self.out, self.folder = out, folder
        self.seed = json.loads((folder / "seed.json").read_text())
        self.report = json.loads((folder / "report.json").read_text())

    def lists(self):
        return [{"id": r["id"], "text": (self.folder / "lists" / r["source"][5:]).read_text(),
                 "subtree": r.get("subtree", False)} for r in self.seed["list_sources"]]

    def records(self):
        """As apid publishes them."""
        return [["apid", topic, record] for topic, records in self.seed.items() for record in records
                if topic not in ("list_sources", "device_keys")]

    def flagged(self, file):
        return {row["item"]: row["what"] for row in self.report if row["verdict"] == "flagged" and row["file"].endswith(file)}


def imported(system, tmp_path_factory):
    folder = tmp_path_factory.mktemp(system)
    (folder / "state").mkdir()
    os.chown(folder / "state", UID, UID)
    for one in (folder, *folder.parents[:2]):
        one.chmod(one.stat().st_mode | 0o011)
    conf = folder / "culvert.conf"
    conf.write_text("[culvert]\nstate_dir = %s/state\n[tunnel mitm]\naddresses = %s\n[wgd]\nuser = %d\n" % (
        folder, "10.9.0.1/24" if system == "k" else "10.50.0.1/24", UID))
    (folder / "state/wgd").mkdir()
    os.chown(folder / "state/wgd", UID, UID)
    done = run_import(system, HERE / system, folder / "out", conf)
    assert done.returncode == 0, done.stderr
    return Imported(folder / "out", done.stdout)


@pytest.fixture(scope="session")
def k(tmp_path_factory):
    return imported("k", tmp_path_factory)


@pytest.fixture(scope="session")
def g(tmp_path_factory):
    return imported("g", tmp_path_factory)


def decide(one, asks):
    """Culvert's own decision, as the daemons make it."""
    case = {"now": NOW, "records": one.records(), "lists": one.lists(), "asks": asks}
    with tempfile.TemporaryDirectory(prefix="culvert-move-", dir="/dev/shm") as images:
        done = subprocess.run([BUILD / "bin/policy-probe", images], input=json.dumps(case) + "\n", text=True, check=True,
                              capture_output=True, timeout=120)
    return json.loads(done.stdout)


def around(rnd, name):
    return rnd.choice((name, name, "www." + name, "a.b." + name, "x" + name))


def k_samples(old):
    """(device, path, host, rest or None): names of all rules, above, below and beside them, and URLs."""
    rnd = random.Random(15)
    listed = sorted({n for names in old.names.values() for n in names if "," not in n})
    sites = sorted({
        re.sub(r"[*/].*?(?=\w)", "a", row["url"]).split("/")[0] if row["match_type"] != "contains" else "x" + row["url"] + "y.example"
        for row in old.dump["websites"] if row.get("url")} | {r["domain"] for r in old.dump["mitm_block_domains"]})
    urls = [("news.example", "/kids/a.html"), ("news.example", "/ads/1"), ("news.example", "/banner?x"), ("news.example", "/x"),
            ("tiles.mapsite.example", "/v1/2/3"), ("mapsite.example", "/embed"), ("www.mapsite.example", "/embed?q=1"),
            ("pics.example", "/gif/a"), ("media.example", "/animated/z"), ("school.example", "/games/chess"),
            ("school.example", "/about"), ("api.app.example", "/v2/feed?n=1"), ("api.app.example", "/v1/feed"),
            ("paper.example", "/lottery/today"), ("paper.example", "/"), ("exact.example", "/other")]
    for _ in range(SAMPLES):
        device, path = "dev-%02d" % rnd.randint(1, 12), rnd.choice(("other", "other-tls", "browser"))
        if rnd.random() < .25:
            host, rest = rnd.choice(urls)
        else:
            names = sites if rnd.random() < (.9 if path == "browser" else .2) else listed
            host, rest = around(rnd, rnd.choice(names)), rnd.choice(("/", "/a/b?c=d"))
        yield device, path, host, None if path == "other-tls" else rest


def test_k_is_decided_as_before(k):
    old = OldK(HERE / "k")
    samples = list(k_samples(old))
    asks = [[device, "proxy" if path == "browser" else "intercept", host, rest, None, False]
            for device, path, host, rest in samples]
    seen, stricter, bad = collections.Counter(), collections.Counter(), []
    for (device, path, host, rest), now in zip(samples, decide(k, asks)):
        before = old.browser(device, host, rest) if path == "browser" else old.other(device, host, rest)
        after = now["verdict"]
        if path != "browser" and after == "unknown":
            after = "allow"
        seen[path, before] += 1
        if after == before:
            continue
        if path == "browser" and after == "block" and old.listed(device, host, rest):
            stricter["lists hold in the browser, too"] += 1  # P5
            continue
        if path != "browser" and now["reason"] == "blocked name":
            stricter["mitm_block_domains hold outside of the browser, too"] += 1  # P12
            continue
        bad.append((device, path, host, rest, before, now))
    print(len(samples), dict(seen), "stricter:", dict(stricter))
    assert not bad, "\n".join(map(str, bad[:12]))
    assert all(seen[path, verdict] > SAMPLES // 20 for path in ("other", "other-tls") for verdict in ("allow", "block"))
    assert all(seen["browser", verdict] > SAMPLES // 100 for verdict in ("allow", "block", "unknown"))


def test_g_is_decided_as_before(g):
    old, rnd = OldG(HERE / "g"), random.Random(7)
    names = sorted(old.hosts | set(old.zones) | {"below.example", "free.example"} | {
        n for n in re.findall(r"wild-\w+\.example", (HERE / "g/coredns/wildcards.conf").read_text().replace("\\.", ".").replace(
            "[.]", "."))})
    names = [n for n in names if "icloud" not in n and "application-dns" not in n]
    samples = [around(rnd, rnd.choice(names)) for _ in range(SAMPLES)]
    answers = decide(g, [["user01", "dns", host, None, None, False] for host in samples])
    seen = collections.Counter()
    for host, now in zip(samples, answers):
        before = old.name(host)
        seen[before] += 1
        assert ("block" if now["verdict"] == "block" else "allow") == before, (host, before, now)
    assert min(seen.values()) > SAMPLES // 10, seen


def test_k_devices_keep_address_and_key(k):
    text = (HERE / "k/etc/wireguard/wg-mitm.conf").read_text()
    peers = re.findall(r"# device:(\S+)\n\[Peer\]\nPublicKey = (\S+)\nAllowedIPs = (\S+)/32", text)
    assert len(peers) == 12
    assert {(r["id"], r["public_key"]) for r in k.seed["device_keys"]} == {p[:2] for p in peers}
    assert {(r["id"], r["addresses"][0]) for r in k.seed["devices"]} == {(p[0], p[2]) for p in peers}


def test_expressions_that_are_no_prefix_are_flagged_with_the_reason(k):
    flagged = k.flagged("-urls.txt")
    assert set(flagged) == FLAGGED_URLS
    assert all(flagged.values())


EXPRESSIONS = {
    r"^http://a\.example/ads/": ["http://a.example/ads/"],
    r"^https?://a\.example/x\?y=1": ["http://a.example/x?y=1"],
    r"^http:\/\/a\.example\/p\/": ["http://a.example/p/"],
    r"^https?://(www\.)?a\.example/p": ["http://a.example/p", "http://www.a.example/p"],
    r"^http://a.example/p.html": ["http://a.example/p.html"],  # flagged, too
    r"^http://a\.example(/|$)": ["http://a.example/"],
    r"^http://a\.example/p.*": ["http://a.example/p"],
    r"^http://a\.example": None, r"^http://a\.example/p$": None, r"^http://a\.example/\d": None, "a.example/p": None,
    r"^http://a\.example/x?": None, r"^http://[ab]\.example/p": None, r"^https://a\.example/p": None,
    r"^http://a\.example/(x|y)": None, r"^http://a\.example:8080/p": None, "/banner": None, "": None,
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_is_a_prefix_or_is_refused_with_the_reason(text):
    for name in ("result", "from_k"):
        spec = importlib.util.spec_from_file_location("culvert_import_" + name, ROOT / "deploy/import" / (name + ".py"))
        sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[spec.name])
    entries, how = sys.modules["culvert_import_from_k"].convert_expression(text)
    assert entries == EXPRESSIONS[text]
    assert bool(how) == (entries is None or text == r"^http://a.example/p.html")


def test_every_line_of_k_is_in_the_report(k):
    said = {(row["file"], row["item"].removeprefix("||").removesuffix("^").lstrip(".")) for row in k.report}
    for path in (HERE / "k/etc/squid/blocklists").glob("*-domains.txt"):
        for line in path.read_text().splitlines():
            assert (str(path.relative_to(HERE / "k")), line.lstrip(".")) in said, line
    dump = json.loads((HERE / "k/opt/directus/dump.json").read_text())
    converted = collections.Counter(row["what"] for row in k.report if row["file"].endswith("dump.json"))
    assert converted["websites"] == len(dump["websites"]) - 1
    assert k.flagged("dump.json")["websites[61]"] == "without url"
    files = {row["file"] for row in k.report}
    assert k.flagged("lists/chat_apps.txt").keys() == {"one.example, two.example"}
    assert files - {"lists/chat_apps.txt"} == {str(p.relative_to(HERE / "k")) for p in (HERE / "k").rglob("*") if p.is_file()}


def test_knobs_become_keys_and_secrets_are_not_copied(k, g):
    assert k.flagged("blockers.env").keys() == {"DIRECTUS_TOKEN", "MITM_OLD_KNOB"}
    conf = (k.folder / "culvert.conf.part").read_text()
    assert "[fwd]\naddress_ttl_s = 43200\n" in conf and "directus_poll_s = 60" in conf
    assert g.flagged(".config").keys() == {"MYSQL_PASSWORD", "SECRET_KEY", "THEME", "line 7"}
    for one in (k, g):
        assert not any("not-a-real" in p.read_text() for p in one.folder.rglob("*") if p.is_file())
        assert all(p.stat().st_mode & 0o77 == 0 for p in (one.folder, one.folder / "seed.json"))


def test_g_users_become_devices(g):
    devices = {r["id"]: r for r in g.seed["devices"]}
    assert len(devices) == 15 and devices["user01"]["addresses"] == ["10.50.0.2"]
    assert devices["user01"]["name"] == "Person O'1" and devices["user01"]["profile"] == "internet"
    assert [d for d, r in devices.items() if not r["active"]] == ["user05"]
    assert devices["user14"]["profile"] == "walled" and devices["user04"]["expires_at"] == 1799020800000
    assert set(g.flagged("users.sql")) >= {"user nokey", "user user14", "column theme", "table audit_logs, 1 rows"}


@pytest.mark.parametrize("system", ("k", "g"))
def test_apid_takes_the_seed(system, request, make_apid):
    one = request.getfixturevalue(system)
    apid = make_apid(one.seed)
    apid.conf.chmod(0o644)
    text = apid.conf.read_text()
    if system == "g":
        text = text.replace("10.9.0.1/24, fd09::1/64", "10.50.0.1/24")
    apid.conf.write_text(text)
    apid.start()
    for topic, records in one.seed.items():
        wait_until(lambda t=topic, r=records: set(apid.state(t)) == {x["id"] for x in r}, topic)


def test_what_cannot_be_read_writes_nothing(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    (source / "users.sql").write_text("INSERT INTO users VALUES (1,'a'")
    done = run_import("g", source, tmp_path / "out", "/dev/null")
    assert done.returncode == 1 and "nothing was written" in done.stderr and not (tmp_path / "out").exists()
