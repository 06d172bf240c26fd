# SPDX-License-Identifier: GPL-3.0-or-later
"""Code that runs as a daemon's user, as it would in one that was taken over: what it cannot read, change or reach. The
lab's gateway is that of `make up`; an installed one is closed further by its units (suite systemd)."""
import json
import os
import sys

import pytest
from culvertlab.places import DAEMONS, UIDS

# Runs as the daemon's user: for each file or directory whether it can be opened, written, made in; whom it can touch.
TRY = r"""
import json, os, socket, sys
asked = json.load(sys.stdin)
said = {"read": [], "write": [], "made": [], "touched": []}
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


@pytest.mark.parametrize("name", DAEMONS)
def test_what_code_of_a_daemon_cannot_read_write_or_touch(lab, name):
    files, folders = _kept(lab)
    assert any("ca" in f for f in files) and len(files) > 10
    pids = {other: int(lab.daemon(other, "pid")) for other in DAEMONS if other != name}
    done = _as(lab, name, sys.executable, "-c", TRY, data=json.dumps({"files": files, "folders": folders, "pids": pids}))
    said = json.loads(done.stdout)
    others = [f for f in said["read"] if not _is_own(f, name) and os.stat(f).st_mode & 0o7 == 0]
    assert not others, others
    # What all may read is no secret and no key.
    secret = lab.places.in_kept("secrets")
    assert not [f for f in said["read"] if (f.startswith(secret) or "key" in os.path.basename(f)) and not _is_own(f, name)]
    assert not [f for f in said["write"] if not _is_own(f, name)]
    assert not [f for f in said["made"] if not _is_own(f + os.sep, name)]
    assert not said["touched"]


FOREIGN = [("HSET", "culvert:state:devices:apid", "x", "{}"), ("DEL", "culvert:state:settings:apid"),
           ("PUBLISH", "culvert:state:devices:apid", "{}"), ("SET", "culvert:epoch:apid", "x"), ("CONFIG", "GET", "*"),
           ("ACL", "LIST"), ("FLUSHALL",), ("KEYS", "*"), ("MONITOR",), ("SHUTDOWN",),
           ("HGETALL", "culvert:state:device_keys:apid"), ("EVAL", "return 1", "0"), ("SCRIPT", "FLUSH"),
           ("XRANGE", "culvert:queue:appeals", "-", "+"), ("PUBLISH", "culvert:event:proxyd:access", "{}")]


def test_code_of_dnsd_changes_nothing_of_others_on_the_bus(lab):
    """With dnsd's own password."""
    with open(lab.places.secret("redis-dnsd"), encoding="ascii") as src:
        password = src.read().strip()
    for command in FOREIGN:
        done = _as(lab, "dnsd", "env", "REDISCLI_AUTH=" + password, "redis-cli", "-s", lab.places.bus_socket, "--user", "dnsd",
                   "--no-auth-warning", *command)
        assert "NOPERM" in done.stdout + done.stderr, (command, done.stdout)


@pytest.mark.parametrize("name", [n for n in DAEMONS if n != "apid"])
def test_code_of_a_daemon_does_not_reach_mariadb(lab, name):
    for user in ("root", "apid", "launcher", "mysql", name):
        done = _as(lab, name, "mariadb", "--no-defaults", "--socket=" + lab.places.in_run("db", "db.sock"), "--user=" + user,
                   "-e", "SELECT 1")
        assert done.returncode != 0 and ("denied" in done.stderr or "connect" in done.stderr or "locked" in done.stderr), (user, done.stdout, done.stderr)
