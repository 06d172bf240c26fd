# SPDX-License-Identifier: GPL-3.0-or-later
"""Code that runs as a daemon's user, as it would in one that was taken over: what it cannot read, change or reach. The
lab's gateway is that of `make up`; an installed one is closed further by its units (suite systemd)."""
import json
import os
import sys

import pytest
from culvertlab.places import DAEMONS, UIDS

# Runs as the daemon's user, once for all of its tests: for each file or directory whether it can be opened, written, made
# in; whom it can touch; what MariaDB says to whom it claims to be; what Redis answers to commands.
TRY = r"""
import json, os, socket, subprocess, sys
asked = json.load(sys.stdin)
said = {"read": [], "write": [], "made": [], "touched": [], "database": [], "bus": []}
for path in asked["files"]:
    for how, flags in (("read", os.O_RDONLY), ("write", os.O_WRONLY)):
        try:
            os.close(os.open(path, flags | os.O_NONBLOCK))
            said[how].append(path)
        except OSError:
            pass
for path in asked["folders"]:
    try:
        os.mkdir(os.path.join(path, "x-intruder"))
        said["made"].append(path)
    except OSError:
        pass
for name, pid in asked["pids"].items():
    try:
        os.kill(pid, 0)
        said["touched"].append("signal " + name)
    except OSError:
        pass
    for file in ("mem", "environ"):
        try:
            os.close(os.open("/proc/%d/%s" % (pid, file), os.O_RDONLY))
            said["touched"].append("%s of %s" % (file, name))
        except OSError:
            pass
for user in asked["database_users"]:
    done = subprocess.run(["mariadb", "--no-defaults", "--socket=" + asked["database"], "--user=" + user, "-e", "SELECT 1"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said["database"].append([user, done.returncode, done.stderr])
    if "(13)" in done.stderr:  # The socket itself is closed to this one: whatever the name.
        break
if asked["password"]:
    bus = socket.socket(socket.AF_UNIX)
    bus.settimeout(20)
    bus.connect(asked["bus"])
    answers = bus.makefile("rb")
    for command in [["AUTH", asked["user"], asked["password"]]] + asked["commands"]:
        parts = [one.encode() for one in command]
        bus.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        said["bus"].append(answers.readline().decode())
        if said["bus"][-1][0] not in "+-":
            break  # more of the answer follows, and one is enough
print(json.dumps(said))
"""


def _as(lab, name, *argv, **options):
    uid = str(UIDS[name])
    return lab.run("gw", "setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
                   *argv, check=False, **options)


def _kept(lab):
    """Secrets, keys, state, configuration: everything that the gateway keeps or runs by."""
    files, folders = [], []
    for top in (lab.places.in_kept("secrets"), lab.places.in_kept("state"), lab.places.in_kept("db"), lab.places.in_run("redis")):
        for folder, _, names in os.walk(top):
            folders.append(folder)
            files += [os.path.join(folder, n) for n in names]
    return files, folders


def _is_own(path, name):
    """Its password, its state."""
    parts = path.split(os.sep)
    return os.path.basename(path) in ("redis-" + name, "db-" + name) or name in parts[:-1] or \
        (name == "apid" and os.path.basename(path) == "api-key")


FOREIGN = [("HSET", "culvert:state:devices:apid", "x", "{}"), ("DEL", "culvert:state:settings:apid"),
           ("PUBLISH", "culvert:state:devices:apid", "{}"), ("SET", "culvert:epoch:apid", "x"), ("CONFIG", "GET", "*"),
           ("ACL", "LIST"), ("FLUSHALL",), ("KEYS", "*"), ("MONITOR",), ("SHUTDOWN",),
           ("HGETALL", "culvert:state:device_keys:apid"), ("EVAL", "return 1", "0"), ("SCRIPT", "FLUSH"),
           ("XRANGE", "culvert:queue:appeals", "-", "+"), ("PUBLISH", "culvert:event:proxyd:access", "{}")]


@pytest.fixture(scope="module")
def tried(lab):
    """tried(name): what code of that daemon was told."""
    kept, known = _kept(lab), {}

    def ask(name):
        if name not in known:
            asked = {"files": kept[0], "folders": kept[1], "user": name, "bus": lab.places.bus_socket, "commands": FOREIGN,
                     "pids": {other: int(lab.daemon(other, "pid")) for other in DAEMONS if other != name},
                     "database": lab.places.in_run("db", "db.sock"), "database_users": [], "password": None}
            if name != "apid":
                asked["database_users"] = ["root", "apid", "launcher", "mysql", name]
            if name == "dnsd":
                with open(lab.places.secret("redis-dnsd"), encoding="ascii") as src:
                    asked["password"] = src.read().strip()
            known[name] = json.loads(_as(lab, name, sys.executable, "-c", TRY, data=json.dumps(asked)).stdout)
        return known[name]
    assert any("ca" in f for f in kept[0]) and len(kept[0]) > 10
    return ask


@pytest.mark.parametrize("name", DAEMONS)
def test_what_code_of_a_daemon_cannot_read_write_or_touch(lab, tried, name):
    said = tried(name)
    others = [f for f in said["read"] if not _is_own(f, name) and os.stat(f).st_mode & 0o7 == 0]
    assert not others, others
    # What all may read is no secret and no key.
    secret = lab.places.in_kept("secrets")
    assert not [f for f in said["read"] if (f.startswith(secret) or "key" in os.path.basename(f)) and not _is_own(f, name)]
    assert not [f for f in said["write"] if not _is_own(f, name)]
    assert not [f for f in said["made"] if not _is_own(f + os.sep, name)]
    assert not said["touched"]


def test_code_of_dnsd_changes_nothing_of_others_on_the_bus(tried):
    """With dnsd's own password."""
    greeting, *answers = tried("dnsd")["bus"]
    assert greeting.startswith("+OK"), greeting
    assert len(answers) == len(FOREIGN)
    for command, answer in zip(FOREIGN, answers):
        assert answer.startswith("-NOPERM"), (command, answer)


@pytest.mark.parametrize("name", [n for n in DAEMONS if n != "apid"])
def test_code_of_a_daemon_does_not_reach_mariadb(tried, name):
    said = tried(name)["database"]
    assert said
    for user, status, why in said:
        assert status != 0 and ("denied" in why or "connect" in why or "locked" in why), (user, status, why)
