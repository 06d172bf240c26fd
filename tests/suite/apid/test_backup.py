# SPDX-License-Identifier: GPL-3.0-or-later
"""culvert-backup and culvert-restore: one encrypted file, and a machine that has nothing but it."""
import json
import os
import shutil
import subprocess

import apidlib
import pytest

from support import BUILD, ROOT
from support.net import Host
from support.redis import Client
from support.wait import wait_until

PASSPHRASE = "twelve bytes and more\n"
POLICY = ("devices", "device_keys", "settings", "categories", "websites", "groups")


@pytest.fixture(scope="session")
def identity(tmp_path_factory):
    """A key file to open with, and the recipient's for sealing."""
    folder = tmp_path_factory.mktemp("keys")
    done = subprocess.run([str(BUILD / "bin/culvert-seal"), "keygen", str(folder / "identity")], check=True,
                          capture_output=True, text=True)
    (folder / "recipient").write_text(done.stdout)
    return folder / "identity", folder / "recipient"


def tool(name, *words, key=None):
    env = dict(os.environ, CULVERT_SBIN=str(BUILD / "bin"))
    return subprocess.run(["sh", str(ROOT / "deploy/backup" / (name + ".in")), *(["-k", str(key)] if key else []),
                           *map(str, words)], env=env, text=True, capture_output=True, check=False)


def backup(apid, out, key):
    done = tool("culvert-backup", "-c", apid.conf, out, key=key)
    assert done.returncode == 0, done.stderr
    return out


def files_of(folder):
    """path: (mode, owner, text) of what a gateway cannot make again."""
    return {str(p.relative_to(folder)): (p.stat().st_mode, p.stat().st_uid, p.read_bytes())
            for p in sorted(folder.rglob("*")) if p.is_file() and "cache" not in str(p) and p.suffix != ".log"}


@pytest.fixture
def gateway(make_apid, wgd, place):
    """apid with policy, a device and an account, and the others' keys beside it."""
    assert wgd
    apid = make_apid(apidlib.SEED).start()
    apid.owner()
    status, _ = apid.upsert("tablet", apidlib.KEYS[1], "10.9.0.7")
    assert status == 200 and apid.gens()
    for name in ("wgd/keys/mitm.key", "proxyd/ca/root.pem", "proxyd/ca/root.key", "proxyd/queue-appeals/1"):
        path = place / "state" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("%s of this gateway\n" % name)
        path.chmod(0o400)
        os.chown(path, 64101, 64101)
    yield apid
    for old in place.parent.glob(place.name + ".before-restore-*"):
        shutil.rmtree(old)


def lose_everything(apid, database):
    apid.stop()
    database.sql("DROP DATABASE culvert")
    for name in ("state", "cache"):
        shutil.rmtree(apid.dir / name)
    for name in ("seed.json", "api-key", "db-password", "culvert.conf"):
        (apid.dir / name).unlink()
    apid.redis("FLUSHALL")


def test_an_empty_machine_is_the_same_gateway_afterwards(gateway, database, identity, tmp_path):
    policy = {topic: gateway.state(topic) for topic in POLICY}
    assert policy["devices"]["tablet"] and policy["categories"]["games"]
    rows = gateway.rows()
    saved = backup(gateway, tmp_path / "b", identity[1])
    kept = files_of(gateway.dir / "state")
    lose_everything(gateway, database)
    done = tool("culvert-restore", saved, key=identity[0])
    assert done.returncode == 0, done.stderr
    restored = files_of(gateway.dir / "state")
    assert {n: restored.get(n) for n in kept if not n.startswith("apid/last-good")} == \
        {n: f for n, f in kept.items() if not n.startswith("apid/last-good")}
    # This test's Redis lives in the directory that was moved aside.
    next(gateway.dir.parent.glob(gateway.dir.name + ".before-*")).joinpath("redis.sock").rename(gateway.redis.socket)
    gateway.start()
    wait_until(lambda: {topic: gateway.state(topic) for topic in POLICY} == policy, "the same is published")
    assert gateway.rows() == rows
    assert gateway.client(apidlib.OWNER, apidlib.PASSWORD).get("/api/v1/devices")[0] == 200


class OtherMachine:
    """A machine that has the programs and users, an empty MariaDB and an empty Redis where the first has its own, and
    the backup; nothing of the first one's directories or network. The first one runs on."""

    def __init__(self, gateway, mariadb, *files):
        self.dir, self.mariadb, self.host = gateway.dir, mariadb, Host(mounts=True)
        self.host.run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")
        self.host.run("mount", "--bind", mariadb.dir, gateway.database.dir)
        for path in files:
            shutil.copy(path, mariadb.dir / path.name)
        self.acl = mariadb.dir / "culvert.acl"
        shutil.copy(gateway.redis.acl, self.acl)
        self.started = []

    def start(self, *argv):
        self.started.append(self.host.start(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def redis(self, *command):
        with Client("/proc/%d/root%s/redis.sock" % (self.host.sleeper.pid, self.dir), "root", "root") as one:
            return one(*command)

    def has_redis(self):
        try:
            return self.redis("PING") == "PONG"
        except OSError:
            return False

    def state(self, topic):
        flat = self.redis("HGETALL", "culvert:state:%s:apid" % topic)
        return {k: json.loads(v) for k, v in zip(flat[::2], flat[1::2])}

    def close(self):
        for process in reversed(self.started):
            process.terminate()
            process.wait()
        self.host.close()


@pytest.fixture
def other_machine(gateway, identity, tmp_path):
    saved = backup(gateway, tmp_path / "b", identity[1])
    with apidlib.running_mariadb() as mariadb:
        mariadb.create()
        one = OtherMachine(gateway, mariadb, saved, identity[0])
        yield one
        one.close()


def test_another_machine_is_the_same_gateway(gateway, other_machine):
    policy = {topic: gateway.state(topic) for topic in POLICY}
    here = other_machine
    assert here.host.run("ls", here.dir.parent) == ""
    here.host.run("env", "CULVERT_SBIN=%s" % (BUILD / "bin").resolve(), "sh", ROOT / "deploy/backup/culvert-restore.in",
                  "-k", here.mariadb.dir / "identity", here.mariadb.dir / "b")
    for name in ("wgd/keys/mitm.key", "proxyd/ca/root.pem", "proxyd/ca/root.key", "apid/secret"):
        path = "/proc/%d/root%s/state/%s" % (here.host.sleeper.pid, here.dir, name)
        with open(path, "rb") as restored:
            assert restored.read() == (gateway.dir / "state" / name).read_bytes(), name
    here.start("redis-server", "--port", 0, "--unixsocket", here.dir / "redis.sock", "--unixsocketperm", 777,
               "--aclfile", here.acl, "--save", "", "--dir", here.mariadb.dir)
    here.start((BUILD / "bin/apid").resolve(), "-c", here.dir / "culvert.conf")
    wait_until(here.has_redis, "its Redis")
    wait_until(lambda: {topic: here.state(topic) for topic in POLICY} == policy, "the same is published there")
    assert here.mariadb.sql("SELECT device, public_key FROM device_keys ORDER BY device", "culvert") == gateway.rows()[2]
    login = here.host.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert",
                          here.dir / "state/apid/admin-ca.pem", "-H", "Content-Type: application/json", "-d",
                          json.dumps({"user": apidlib.OWNER, "password": apidlib.PASSWORD}),
                          "https://127.0.0.1:%d/auth/login" % gateway.admin_port)
    assert login == "200"
    assert gateway.client(apidlib.OWNER, apidlib.PASSWORD).get("/api/v1/devices")[0] == 200


def test_a_backup_is_taken_while_the_gateway_runs_and_says_what_it_is(gateway, tmp_path):
    key = tmp_path / "key"
    key.write_text(PASSPHRASE)
    saved = backup(gateway, tmp_path / "b", key)
    assert saved.stat().st_mode & 0o777 == 0o600
    data = saved.read_bytes()
    assert b"tablet" not in data and b"root.key" not in data
    done = tool("culvert-restore", "--check", saved, key=key)
    assert done.returncode == 0 and "made 20" in done.stdout, done.stderr
    assert gateway.upsert("other", apidlib.KEYS[2], "10.9.0.8")[0] == 200
    key.write_text("another one of twelve\n")
    done = tool("culvert-restore", "--check", saved, key=key)
    assert done.returncode == 1 and "the passphrase or key is wrong" in done.stderr


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


FAULTS = {
    "of its head": (lambda d: flip(d, 100), "the passphrase or key is wrong, or its head is damaged"),
    "of its name": (lambda d: flip(d, 3), "no backup of Culvert"),
    "of its version": (lambda d: d[:14] + b"\x02" + d[15:], "a later version of Culvert made it"),
    "in its middle": (lambda d: flip(d, 5000), "it is damaged"),
    "at its end": (lambda d: flip(d, len(d) - 1), "its end is damaged"),
    "cut off": (lambda d: d[:-1], "it is cut off"),
    "cut off between chunks": (lambda d: d[:137 + 65553], "it is cut off"),
    "something more": (lambda d: d + b"x", "it is damaged|something follows|its end is damaged"),
    "two chunks exchanged": (lambda d: d[:137] + d[137 + 65553:137 + 2 * 65553] + d[137:137 + 65553]
                             + d[137 + 2 * 65553:], "it is damaged"),
    "empty": (lambda d: b"", "no backup of Culvert"),
}


def test_a_file_that_is_not_whole_changes_nothing(gateway, database, identity, tmp_path):
    (gateway.dir / "state/proxyd/ca/big").write_bytes(os.urandom(200000))
    saved = backup(gateway, tmp_path / "b", identity[1]).read_bytes()
    gateway.stop()
    rows, files = gateway.rows(), files_of(gateway.dir)
    bad = tmp_path / "bad"
    for name, (change, want) in FAULTS.items():
        bad.write_bytes(change(saved))
        done = tool("culvert-restore", bad, key=identity[0])
        assert done.returncode == 1 and any(w in done.stderr for w in want.split("|")), (name, done.stderr)
    assert gateway.rows() == rows and files_of(gateway.dir) == files
    assert len(database.sql("SHOW DATABASES LIKE 'culvert%'")) == 1


def test_a_running_gateway_is_not_replaced(gateway, identity, tmp_path):
    saved = backup(gateway, tmp_path / "b", identity[1])
    done = tool("culvert-restore", saved, key=identity[0])
    assert done.returncode == 1 and "stop apid" in done.stderr
    assert gateway.upsert("other", apidlib.KEYS[2], "10.9.0.8")[0] == 200


def test_what_was_there_stays_beside(gateway, database, identity, tmp_path):
    saved = backup(gateway, tmp_path / "b", identity[1])
    gateway.upsert("later", apidlib.KEYS[2], "10.9.0.8")
    gateway.stop()
    done = tool("culvert-restore", saved, key=identity[0])
    assert done.returncode == 0, done.stderr
    assert [r[0] for r in database.sql("SELECT id FROM devices ORDER BY id", "culvert")] == ["phone", "tablet"]
    old = [r[0] for r in database.sql("SHOW DATABASES LIKE 'culvert_before%'")]
    assert [r[0] for r in database.sql("SELECT id FROM devices ORDER BY id", old[0])] == ["later", "phone", "tablet"]
    assert list(gateway.dir.parent.glob(gateway.dir.name + ".before-restore-*"))
    database.sql(f"DROP DATABASE `{old[0]}`")


def test_what_cannot_be_moved_away_is_left_as_it_is(gateway, database, identity, tmp_path):
    """A directory that is a mount, as in a container."""
    saved = backup(gateway, tmp_path / "b", identity[1])
    gateway.stop()
    rows, files = gateway.rows(), files_of(gateway.dir)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", 'mount --bind "$1" "$1"; shift; exec "$@"', "sh", str(gateway.dir), "sh",
         str(ROOT / "deploy/backup/culvert-restore.in"), "-k", str(identity[0]), str(saved)], text=True,
        env=dict(os.environ, CULVERT_SBIN=str(BUILD / "bin")), capture_output=True, check=False)
    assert done.returncode == 1 and "cannot be moved away; nothing was changed" in done.stderr, done.stderr
    assert gateway.rows() == rows and files_of(gateway.dir) == files
    assert len(database.sql("SHOW DATABASES LIKE 'culvert%'")) == 1
    assert not list(gateway.dir.parent.glob(gateway.dir.name + ".*"))


def hostile(saved, identity, folder, change):
    """The same backup with another manifest, sealed for the same identity, as who has the recipient may."""
    seal = str(BUILD / "bin/culvert-seal")
    (folder / "x").mkdir()
    with saved.open("rb") as sealed:
        text = subprocess.run([seal, "open", "-k", str(identity[0])], stdin=sealed, capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-p", "-C", str(folder / "x")], input=text.stdout, check=True)
    manifest = folder / "x/culvert-backup/manifest"
    manifest.write_text(change(manifest.read_text()))
    text = subprocess.run(["tar", "-c", "-C", str(folder / "x"), "."], capture_output=True, check=True)
    (folder / "bad").write_bytes(subprocess.run([seal, "seal", "-k", str(identity[1])], input=text.stdout,
                                                capture_output=True, check=True).stdout)
    return folder / "bad"


@pytest.mark.parametrize("old, new, why", [
    ("version 1", "version 2", "version 2 of a backup, this program knows 1"),
    ("database culvert", "database x'; DROP DATABASE culvert; --", "a database that is none"),
    ("path ", "path ../", "a path that is none"), ("path ", "path nowhere/", "is missing")],
    ids=["version", "database", "path", "missing"])
def test_a_manifest_that_is_wrong_changes_nothing(gateway, identity, tmp_path, old, new, why):
    bad = hostile(backup(gateway, tmp_path / "b", identity[1]), identity, tmp_path,
                  lambda text: text.replace(old, new, 1))
    gateway.stop()
    rows, files = gateway.rows(), files_of(gateway.dir)
    done = tool("culvert-restore", bad, key=identity[0])
    assert done.returncode == 1 and why in done.stderr, done.stderr
    assert gateway.rows() == rows and files_of(gateway.dir) == files


def test_a_recipient_opens_nothing_and_a_short_passphrase_seals_nothing(gateway, identity, tmp_path):
    saved = backup(gateway, tmp_path / "b", identity[1])
    done = tool("culvert-restore", "--check", saved, key=identity[1])
    assert done.returncode == 1 and "a recipient seals only" in done.stderr
    short = tmp_path / "short"
    short.write_text("short\n")
    done = tool("culvert-backup", "-c", gateway.conf, tmp_path / "c", key=short)
    assert done.returncode == 1 and "12 to 1024 bytes" in done.stderr
    assert not list(tmp_path.glob("c*"))


def test_another_account_of_the_database_may_be_named(gateway, database, identity, tmp_path):
    options = tmp_path / "my.cnf"
    options.write_text("[client]\nsocket=%s\nuser=culvert-apid\npassword=%s\n" % (database.socket, apidlib.DB_PASSWORD))
    done = tool("culvert-backup", "-c", gateway.conf, "-d", options, tmp_path / "b", key=identity[1])
    assert done.returncode == 0, done.stderr
    gateway.stop()
    rows = gateway.rows()
    done = tool("culvert-restore", "-d", options, tmp_path / "b", key=identity[0])  # it may not make databases
    assert done.returncode == 1 and "Access denied" in done.stderr
    assert gateway.rows() == rows and not list(gateway.dir.parent.glob(gateway.dir.name + ".*restore-*"))


# ---- asked for over the API ----

STORE = "/api/v1/backups"


def requested(apid, key, place):
    """What culvert-backup-request.service runs."""
    env = dict(os.environ, CULVERT_SBIN=str(BUILD / "bin"), CULVERT_BACKUP_STORE=str(place / "store"),
               CULVERT_BACKUPS="2")
    return subprocess.run(["sh", str(ROOT / "deploy/backup/culvert-backup.in"), "-c", str(apid.conf), "-k", str(key),
                           "--requested"], env=env, text=True, capture_output=True, check=False)


def test_a_backup_is_asked_for_made_and_told(apid, identity, place):
    owner = apid.owner()
    never = {"state": "never", "started_at": None, "ended_at": None, "error": None, "items": []}
    assert owner.get(STORE) == (200, never)
    assert owner.post(STORE) == (202, {**never, "state": "requested"})
    assert owner.post(STORE)[0] == 409
    request = place / "state/apid/backup-request"
    assert request.exists()
    done = requested(apid, identity[1], place)
    assert done.returncode == 0, done.stderr
    body = owner.get(STORE)[1]
    assert body["state"] == "done" and body["error"] is None and body["ended_at"] >= body["started_at"] > 0
    one, = body["items"]
    file = place / "store" / one["name"]
    assert not request.exists() and one["bytes"] == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600 and file.stat().st_uid == 0
    assert ("backup_request", "olga") in {(r["action"], r["actor"].split(":")[-1])
                                          for r in owner.get("/api/v1/audit")[1]["items"]}
    assert tool("culvert-restore", "--check", file, key=identity[0]).returncode == 0


def test_a_backup_that_fails_is_told_and_its_request_is_done_with(apid, place):
    owner = apid.owner()
    assert owner.post(STORE)[0] == 202
    assert requested(apid, place / 'no"key', place).returncode == 1
    body = owner.get(STORE)[1]
    assert body["state"] == "failed" and "no passphrase" in body["error"] and body["items"] == []
    assert owner.post(STORE)[0] == 202, "again"


def test_backups_are_an_owner_s_matter(apid):
    owner = apid.owner()
    owner.post("/api/v1/admins", {"name": "adam", "password": "another long password", "role": "admin"})
    adam = apid.client("adam", "another long password")
    assert adam.get(STORE)[0] == adam.post(STORE)[0] == 403


def test_what_is_told_of_backups_and_cannot_be_read_is_no_backup(apid, place):
    owner = apid.owner()
    (place / "state/backup").mkdir()
    (place / "state/backup/status.json").write_text("{")
    assert owner.get(STORE)[0] == 503
    (place / "state/backup/status.json").write_text('{"state":"running","started_at":1,"items":[{"name":5}]}')
    body = owner.get(STORE)[1]
    assert body["state"] == "failed" and body["items"] == [], "it was begun long ago and never ended"
