# SPDX-License-Identifier: GPL-3.0-or-later
"""make install below a DESTDIR, and what systemd says of the units that it puts there."""
import os
import re
import shutil
import subprocess

import pytest

from lablib import DAEMONS, TOP, Places

PREFIX = "/usr"
EXPOSURE = 2.0
UNITS = ("culvert-fwd.service", "culvert-wgd.service", "culvert-syncd.service", "culvert-redis.service",
         "culvert-dnsd@1.service", "culvert-proxyd@1.service", "culvert-path.service", "culvert-apid@1.service",
         "culvert-wireguard@wg0.service", "culvert-sync.service")
# Makes a network of its own, which takes a capability that is most of its exposure.
EXPOSED = {"culvert-selftest.service": 3.0}
OTHERS = ("culvert.target", "culvert-sync.timer", "culvert-backup.service",
          "culvert-backup.timer", "culvert-backup-request.path", "culvert-backup-request.service", "culvert-selftest.service", "culvert-selftest.timer")
SYSTEM_UNITS = "/usr/lib/systemd/system"
FOREIGN = ("/bin/kill", "/bin/sh", "/usr/bin/redis-server", "/usr/bin/wireguard-go")


def run(*argv, **kw):
    return subprocess.run(argv, cwd=TOP, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **kw)


def files_below(root):
    return sorted(os.path.relpath(os.path.join(folder, name), root)
                  for folder, _, names in os.walk(root) for name in names)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """What make install makes."""
    folder = str(tmp_path_factory.mktemp("root"))
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = run("make", "-s", "install", "B=" + Places().build, "DESTDIR=" + folder, "PREFIX=" + PREFIX, env=env)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def system(root, tmp_path_factory):
    """The same with what else a system has: systemd's own units, and programs of other packages."""
    merged = str(tmp_path_factory.mktemp("system"))
    subprocess.run(["cp", "-a", "--", root + "/.", merged], check=True)
    for name in FOREIGN:
        os.makedirs(os.path.dirname(merged + name), exist_ok=True)
        shutil.copy("/usr/bin/true", merged + name)
    for name in os.listdir(SYSTEM_UNITS):
        if name.endswith((".target", ".slice")):
            shutil.copy(os.path.join(SYSTEM_UNITS, name), merged + "/usr/lib/systemd/system")
    return merged


def test_everything_is_filled_in(root):
    names = files_below(root)
    for daemon in DAEMONS:
        assert "usr/sbin/" + daemon in names
    for name in names:
        with open(os.path.join(root, name), "rb") as src:
            text = src.read()
        if name.startswith("usr/sbin/") and not text.startswith(b"#!"):
            continue
        left = re.findall(rb"@[A-Z0-9]+@", text)
        assert not set(left) & {b"@SBINDIR@", b"@SYSCONFDIR@", b"@SHAREDIR@", b"@LIBEXECDIR@", b"@PREFIX@", b"@DAEMON@",
                                b"@HARDENING@", b"@TLS@", b"@PLAIN@"}, name
        later = ("culvert.acl", "/culvert-setup", "/nginx/culvert-vpn.conf", "/nginx/culvert-admin.conf", "/turnserver.conf")
        assert not left or name.endswith(later), "%s: %s" % (name, left)


def test_another_prefix_is_where_units_and_setup_look(tmp_path):
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = run("make", "-s", "install", "B=" + Places().build, "DESTDIR=%s" % tmp_path, "PREFIX=/opt/culvert", env=env)
    assert done.returncode == 0, done.stdout
    names = files_below(tmp_path)
    assert all(n.startswith(("opt/culvert/", "etc/")) for n in names), names
    unit = (tmp_path / "opt/culvert/lib/systemd/system/culvert-fwd.service").read_text()
    assert "ExecStart=/opt/culvert/sbin/fwd -c /etc/culvert/culvert.conf\n" in unit


@pytest.mark.parametrize("unit", UNITS + tuple(EXPOSED))
def test_exposure_is_low(root, unit):
    done = run("systemd-analyze", "security", "--offline=yes", "--root=" + root, "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout
    assert float(found.group(1)) <= EXPOSED.get(unit, EXPOSURE), done.stdout


def test_systemd_finds_nothing_wrong_in_the_units(system):
    done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "--root=" + system, *UNITS, *OTHERS)
    ours = [line for line in done.stdout.splitlines() if "culvert" in line]
    assert not ours, done.stdout


def test_users_are_one_per_daemon(root):
    with open(root + "/usr/lib/sysusers.d/culvert.conf", encoding="utf-8") as src:
        users = re.findall(r"^u (\S+)", src.read(), re.M)
    assert users == ["culvert-" + d for d in ("wgd", "fwd", "dnsd", "proxyd", "path", "apid", "syncd", "redis")]
    for unit in UNITS:
        path = root + "/usr/lib/systemd/system/" + re.sub("@.*", "@.service", unit)
        with open(path, encoding="utf-8") as src:
            user = re.search(r"^User=(\S+)$", src.read(), re.M).group(1)
        assert user in users
        if "wireguard" not in unit and "sync.service" not in unit:
            assert user == re.sub(r"[@.].*", "", unit)


def test_a_unit_has_no_secret_but_its_own(root):
    for unit in UNITS:
        path = root + "/usr/lib/systemd/system/" + re.sub("@.*", "@.service", unit)
        with open(path, encoding="utf-8") as src:
            given = re.findall(r"^LoadCredential=([^:]+):/etc/culvert/secrets/(.+)$", src.read(), re.M)
        assert all(a == b for a, b in given)
        name = re.search(r"culvert-([a-z]+)", unit).group(1)
        assert {a for a, _ in given if a.startswith("redis-")} <= {"redis-" + name}


def test_every_secret_that_the_example_names_is_handed_to_its_daemon(root):
    with open(os.path.join(TOP, "deploy/culvert.conf.example"), encoding="utf-8") as src:
        sections = re.split(r"^\[(\w+)[^]]*\]$", src.read(), flags=re.M)[1:]
    seen = 0
    for section, text in zip(sections[::2], sections[1::2]):
        for name in re.findall(r"^#?\w+_file = /etc/culvert/secrets/(\S+)$", text, re.M):
            unit = next(u for u in UNITS if re.match("culvert-%s[@.]" % section, u))
            with open(root + "/usr/lib/systemd/system/" + re.sub("@.*", "@.service", unit), encoding="utf-8") as src:
                assert "\nLoadCredential=%s:/etc/culvert/secrets/%s\n" % (name, name) in src.read(), unit
            seen += 1
    assert seen > 10


def test_the_sysctls_leave_forwarding_to_fwd(root):
    with open(root + "/usr/lib/sysctl.d/60-culvert.conf", encoding="utf-8") as src:
        keys = re.findall(r"^([a-z0-9._]+) = \d+$", src.read(), re.M)
    assert "kernel.pid_max" in keys
    assert not [k for k in keys if "forward" in k]
