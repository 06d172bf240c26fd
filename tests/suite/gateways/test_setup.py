# SPDX-License-Identifier: GPL-3.0-or-later
"""A second gateway is set up by culvert-setup --gateway, as gateways.md has it (SPEC O4)."""
import os
import re
import shlex
import subprocess

import pytest

from support import BUILD, ROOT
from support.net import Host
from support.wait import wait_until

GUIDE = (ROOT / "deploy/doc/gateways.md").read_text()
CONF, COMMAND = re.findall(r"^```\w+\n(.*?)^```", GUIDE, re.S | re.M)[:2]
OWN = ["wgd", "fwd", "dnsd", "proxyd", "path"]
# What it has systemd do is written down; whether a unit of this machine's runs is not asked.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>/run/systemctl.log
case $1 in show) echo active ;; esac
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What make install makes."""
    folder = tmp_path_factory.mktemp("root")
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    subprocess.run(["make", "-s", "install", f"B={BUILD}", f"DESTDIR={folder}", "PREFIX=/opt/culvert"], cwd=ROOT, env=env,
                   check=True, stdout=subprocess.DEVNULL)
    return folder


class Machine:
    """One with Culvert installed: its /etc, /var and /run are its own, and so is its network."""

    def __init__(self, place, name, installed):
        self.name, self.host, self.log = name, Host(mounts=True), ""
        self.layers = place / name
        self.layers.mkdir()
        # Mounted within: what is changed is gone with the namespace.
        self.sh("mount --make-rprivate / && mount -t tmpfs none %s && cd %s && mkdir etc etc.w opt var.lib var.log var.cache && "
                "mount -t overlay none -o lowerdir=/etc,upperdir=etc,workdir=etc.w /etc && "
                "for d in var.lib var.log var.cache; do mount --bind $d /$(echo $d | tr . /); done && "
                "mount -t tmpfs none /opt && mkdir -p /opt/culvert && mount --bind %s/opt/culvert /opt/culvert && "
                "mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/bin && "
                # The kernel is everybody's.
                "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys" % (
                    self.layers, self.layers, installed))
        self.write("/run/bin/systemctl", SYSTEMCTL)
        self.sh("chmod 755 /run/bin/systemctl; : >/run/systemctl.log")

    def sh(self, script, check=True):
        return self.host.run("sh", "-c", script, check=check)

    def write(self, path, text):
        self.host.run("sh", "-c", 'mkdir -p "${1%/*}" && cat >"$1"', "sh", path, text=text)

    def read(self, path):
        return self.host.run("cat", path)

    def setup(self, *args):
        """Status and what it said."""
        done = subprocess.run(self.host.argv("env", "PATH=/run/bin:/opt/culvert/sbin:" + os.environ["PATH"], "culvert-setup", *args),
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def secret(self, user):
        return self.read("/etc/culvert/secrets/redis-" + user).strip()

    def units(self):
        """What is enabled, and what is off."""
        calls = [line.split() for line in self.read("/run/systemctl.log").splitlines()]
        return [{u for c in calls if c[:len(verb)] == verb for u in c[len(verb):]} for verb in
                (["-q", "enable"], ["-q", "disable", "--now"])]

    def close(self):
        self.host.close()


@pytest.fixture
def north(place, installed):
    """Has the bus."""
    one = Machine(place, "north", installed)
    one.write("/etc/culvert/culvert.conf", configuration("north"))
    yield one
    one.close()


@pytest.fixture
def south(place, installed):
    """At one end of a tunnel to where the bus is."""
    one = Machine(place, "south", installed)
    one.sh("ip tuntap add dev bus mode tun && ip address add 10.200.0.2/24 dev bus && ip link set bus up")
    one.write("/etc/culvert/culvert.conf", configuration("north").replace("[bus]\nredis = tcp:10.200.0.1:6379\n", "[bus]\n#redis =\n"))
    yield one
    one.close()


def configuration(name):
    """The guide's, of the gateway of that name, with the example's sections of daemons."""
    example = (ROOT / "deploy/culvert.conf.example").read_text()
    daemons = example[example.index("[wgd]"):]
    return re.sub("^gateway = south\n", f"gateway = {name}\n", CONF.replace("[culvert]\n", "", 1), count=1).join(["[culvert]\n", daemons])


def digests(said):
    return re.findall(rf"^(?:{'|'.join(OWN)}) [0-9a-f]{{64}}$", said, re.M)


def test_a_gateway_has_its_name_the_bus_and_secrets_of_its_own_alone(south):
    status, said = south.setup(*shlex.split(COMMAND)[1:], "--no-start")
    assert status == 0, said
    conf = south.read("/etc/culvert/culvert.conf")
    assert re.search(r"^\[culvert\]\ngateway = south\n", conf, re.M)
    assert "\nredis = tcp:10.200.0.1:6379\n" in conf and "\nnetworks = 10.200.0.0/24\n" in conf
    assert set(south.sh("ls /etc/culvert/secrets").split()) == {"redis-" + u for u in OWN}
    assert [d.split()[0] for d in digests(said)] == OWN
    assert not [u for u in OWN if south.secret(u) in said]
    # The CA is a copy, made by root.
    south.sh("chown -R root:root /var/lib/culvert/proxyd/ca && chmod 700 /var/lib/culvert/proxyd/ca")
    root = south.sh("sha256sum </var/lib/culvert/proxyd/ca/root.pem").split()[0]
    again = south.setup("--no-start")
    assert again[0] == 0 and digests(again[1]) == digests(said)
    assert again[1].rstrip().endswith(root) and south.sh("sha256sum </var/lib/culvert/proxyd/ca/root.pem").split()[0] == root
    assert set(south.sh("stat -c %U /var/lib/culvert/proxyd/ca /var/lib/culvert/proxyd/ca/*").split()) == {"culvert-proxyd"}
    assert south.read("/etc/culvert/culvert.conf") == conf
    assert south.units() == [set(), set()]


def test_no_bus_is_used_beside_a_tunnel(south):
    """Neither over the default route nor over a wire."""
    before = south.read("/etc/culvert/culvert.conf")
    south.sh("ip link add wire type veth peer name eriw && ip link set eriw up && ip address add 192.0.2.2/24 dev wire && ip link set wire up && "
             "ip route add default via 192.0.2.1")
    for bus, why in (("198.51.100.1:6379", "nothing but the default route"), ("192.0.2.1:6379", "over wire, which is no tunnel")):
        status, said = south.setup("--gateway", "south", "--bus", bus, "--no-start")
        assert status == 1 and why in said, said
    assert south.read("/etc/culvert/culvert.conf") == before


def test_a_gateway_that_has_no_tunnel_for_devices_is_refused(south):
    before = south.read("/etc/culvert/culvert.conf")
    status, said = south.setup("--gateway", "west", "--bus", "10.200.0.1:6379", "--no-start")
    assert status == 1 and "no tunnel is of gateway west" in said
    assert south.read("/etc/culvert/culvert.conf") == before
    assert not south.sh("ls /var/lib/culvert/gateway", check=False)


@pytest.mark.parametrize("args", [["--gateway", "so/uth"], ["--gateway", "a" * 17], ["--gateway", "south", "--bus", "north:6379"],
                                  ["--bus", "10.200.0.1:6379"], ["--gateway", "south", "--admin", "0.0.0.0:8443"]])
def test_what_is_no_gateway_is_refused(south, args):
    assert south.setup(*args, "--no-start")[0] == 1


def test_the_access_list_takes_the_digests_in_and_each_gateway_gets_in_as_itself_alone(north, south):
    said = south.setup("--gateway", "south", "--bus", "10.200.0.1:6379", "--no-start")[1]
    north.write("/etc/culvert/gateways/south", "".join(d + "\n" for d in digests(said)))
    assert north.setup("--unattended")[0] == 0
    users = north.read("/var/lib/culvert/redis/users.acl")
    assert "@PASSWORD" not in users
    names = set(re.findall(r"^user (\S+) on #", users, re.M))
    assert names == {f"{u}@{g}" for u in OWN for g in ("north", "south")} | {"apid", "syncd", "operator", "selftest"}
    # The shared Redis, where south sees it: it starts once that lets it in.
    south.write("/run/users.acl", "user default off\n")
    south.sh("ip address add 10.200.0.1/32 dev bus")
    redis = south.host.start("redis-server", "--bind", "10.200.0.1", "--port", "6379", "--aclfile", "/run/users.acl", "--dir", "/run",
                             "--save", "", "--unixsocket", "/run/redis.sock", stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: south.sh("redis-cli -h 10.200.0.1 ping 2>&1", check=False).startswith("NOAUTH"), "redis")
        status, told = south.setup()
        assert status == 1 and "does not let wgd@south in yet: nothing is started" in told
        assert south.units() == [set(), set()]
        south.write("/run/users.acl", users + "user root on >root ~* &* +@all\n")
        redis.kill()
        redis.wait()
        redis = south.host.start("redis-server", "--bind", "10.200.0.1", "--port", "6379", "--aclfile", "/run/users.acl", "--dir", "/run",
                                 "--save", "", stdout=subprocess.DEVNULL)
        as_root = "redis-cli -h 10.200.0.1 --user root --pass root --no-auth-warning "
        wait_until(lambda: south.sh(as_root + "ping 2>&1", check=False) == "PONG\n", "redis with the list")
        for machine in (north, south):
            for user in OWN:
                got = south.sh(f"redis-cli -h 10.200.0.1 --user {user}@{machine.name} --pass {machine.secret(user)} --no-auth-warning ping")
                assert got == "PONG\n", (machine.name, user)
        assert "WRONGPASS" in south.sh(f"redis-cli -h 10.200.0.1 --user wgd@north --pass {south.secret('wgd')} ping 2>&1")
        south.sh("ip tuntap add dev wg0 mode tun && ip link set wg0 up")
        status, told = south.setup("--processes", "2")
        assert (status, told.splitlines()[-1]) == (0, "Gateway south runs.")
        on, off = south.units()
        assert on == {"culvert.target", "culvert-fwd.service", "culvert-wgd.service", "culvert-path.service",
                      "culvert-wireguard@wg0.service", *(f"culvert-{d}@{n}.service" for d in ("dnsd", "proxyd") for n in (1, 2))}
        assert {"culvert-redis.service", "culvert-syncd.service", "culvert-selftest.timer"} <= off
        unit = south.read("/opt/culvert/lib/systemd/system/culvert-redis.service")
        assert "\nConditionPathExists=!/var/lib/culvert/gateway\n" in unit
        assert south.read("/var/lib/culvert/gateway") == "south\n"
    finally:
        redis.kill()
        redis.wait()


@pytest.mark.parametrize("name, text", [("south", "wgd nothing\n"), ("south", "operator %s\n" % ("0" * 64)), ("so_uth", "wgd %s\n" % ("0" * 64)),
                                        ("north", "wgd %s\n" % ("0" * 64)), ("south", "")])
def test_what_is_no_gateways_file_gets_nobody_in(north, name, text):
    north.write("/etc/culvert/gateways/" + name, text)
    status, said = north.setup("--no-start")
    assert status == 1 and "is not what culvert-setup --gateway" in said
    status, said = north.setup("--unattended")
    assert status == 0 and "is not what culvert-setup --gateway" in said
    users = north.read("/var/lib/culvert/redis/users.acl")
    assert set(re.findall(r"^user (\S+@\S+) on", users, re.M)) == {u + "@north" for u in OWN}
    assert "0" * 64 not in users
