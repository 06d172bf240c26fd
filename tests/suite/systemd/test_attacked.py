# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on real machines while the package is installed, set up, upgraded and taken away, and whether anything
leaks meanwhile. Each test goes on where the one before it ended."""
import re
import socket

import pytest

from bootlib import await_core, main_pid, package, running_units, traces, unit_of
from crowdlib import place
from culvertlab.places import CLIENTS
from lablib import DAEMONS
from launcher.process import wait_until
from leakwatch import LeakWatch
from walklib import API, CORE, key_of, peers

CONF = "/etc/culvert/culvert.conf"
SETUP = ("culvert-setup", "--endpoint", "203.0.113.2", "--admin", "0.0.0.0:8443")
SECRETS = ["redis-" + name for name in DAEMONS + ("path", "operator", "selftest")] + ["api-key", "turn"]


def state_of(lab, unit):
    return lab.show(unit, "ActiveState")["ActiveState"]


def read(lab, path):
    return lab.inside("cat", path, check=False).stdout


def configured(lab):
    """Is the configuration there, then it is whole."""
    text = read(lab, CONF)
    whole = "\nproxyd_user = culvert-proxyd\n" in text and "\nseed_file = /etc/culvert/seed.json\n" in text
    assert whole or "No such file" in text, text[-300:]
    return whole


def assert_nothing_half_made(lab):
    """Secrets are whole or not there; no drafts lie about."""
    configured(lab)
    text = lab.inside("sh", "-c", "cd /etc/culvert/secrets && wc -c *; find /etc/culvert -name '*.new'; ls -d /tmp/tmp.* 2>&1",
                      check=False).stdout
    sizes = dict(line.split()[::-1] for line in text.splitlines() if line.split()[0].isdigit())
    assert {n: s for n, s in sizes.items() if n in SECRETS and s != "49"} == {}
    assert ".new" not in text, text


def assert_all_made(lab):
    assert configured(lab)
    assert_nothing_half_made(lab)
    have = lab.inside("ls", "/etc/culvert/secrets").stdout.split()
    assert set(SECRETS) <= set(have)
    acl = read(lab, "/var/lib/culvert/redis/users.acl")
    assert all("user %s on #" % name in acl for name in DAEMONS + ("path", "operator", "selftest")) and "@PASSWORD" not in acl
    lab.inside("openssl", "x509", "-noout", "-in", "/var/lib/culvert/proxyd/ca/root.pem")


def test_a_disk_without_room_is_told_and_configuring_again_finishes(lab):
    lab.inside("mkdir", "-p", "/etc/culvert")
    lab.inside("mount", "-t", "tmpfs", "-o", "size=16k,mode=755", "small", "/etc/culvert")
    done, fails = None, 0
    for room in range(16, 400, 16):
        lab.inside("mount", "-o", "remount,size=%dk" % room, "/etc/culvert")
        done = lab.inside("dpkg", *(["--configure", "culvert"] if fails else ["--install", lab.copy_in(package("culvert"))]),
                          check=False)
        if done.returncode == 0:
            break
        fails += 1
        assert "disk full" in done.stdout or "No space left" in done.stdout, done.stdout
        assert_nothing_half_made(lab)
    assert done.returncode == 0 and fails >= 3, done.stdout
    assert_all_made(lab)
    lab.inside("sh", "-ec", "cp -a /etc/culvert /srv/etc-culvert; umount /etc/culvert; cp -aT /srv/etc-culvert /etc/culvert; "
               "rm -r /srv/etc-culvert")
    assert running_units(lab) == [] and traces(lab) == []


FAULT = """#!/bin/sh
# The whole of culvert-setup dies before its FAULT_AT-th file is put in place.
n=$(($(cat /srv/fault/count) + 1))
echo $n >/srv/fault/count
[ $n != "$FAULT_AT" ] || kill -9 0
exec /bin/mv "$@"
"""
FRESH = "rm -rf /etc/culvert /var/lib/culvert/redis/users.acl /var/lib/culvert/proxyd /var/lib/culvert/forwarding"


def run_until(lab, fault):
    """culvert-setup, killed at that file; False: it has not that many."""
    lab.inside("sh", "-ec", "mkdir -p /srv/fault; echo 0 >/srv/fault/count; cat >/srv/fault/mv; chmod 755 /srv/fault/mv",
               data=FAULT)
    done = lab.inside("setsid", "-w", "env", "FAULT_AT=%d" % fault, "PATH=/srv/fault:/usr/sbin:/usr/bin:/sbin:/bin",
                      "culvert-setup", "--no-start", check=False)
    assert done.returncode in (0, 137, -9), done.stdout
    return done.returncode != 0


def test_a_setup_that_was_killed_is_finished_by_the_next(lab):
    whole = lab.inside("sh", "-ec", FRESH + "; culvert-setup --no-start; cat " + CONF).stdout
    fault = 1
    while True:
        lab.inside("sh", "-c", FRESH)
        if not run_until(lab, fault):
            break
        configured(lab)
        lab.inside("culvert-setup", "--no-start")
        assert_all_made(lab)
        assert read(lab, CONF) == whole[-len(read(lab, CONF)):]
        fault += 1
    assert fault > 15


@pytest.mark.parametrize("words,status,text", [
    (("--admin", "0.0.0.0:99999"), 1, "culvert.conf"),
    (("--admin", "nonsense"), 1, "culvert.conf"),
    (("--endpoint", "my gateway"), 1, "is no host name"),
    (("--processes", "0"), 1, "is no number above 0"),
    (("--processes", "two"), 1, "is no number above 0"),
    (("--nginx", "one.example"), 2, "usage"),
    (("--nginx", "one.example", "one.example"), 1, "names of their own"),
    (("--sart",), 2, "usage"),
    (("--endpoint",), 2, "usage"),
])
def test_a_slip_of_the_hand_changes_nothing(lab, words, status, text):
    before = lab.inside("sh", "-c", "cd /etc/culvert && find . -type f -exec sha256sum {} + | sort").stdout
    done = lab.inside("culvert-setup", *words, check=False)
    assert done.returncode == status and text in done.stdout, done.stdout
    assert lab.inside("sh", "-c", "cd /etc/culvert && find . -type f -exec sha256sum {} + | sort").stdout == before
    assert running_units(lab) == []


def test_a_slip_in_the_configuration_is_told_with_its_line(lab):
    lab.inside("cp", "-a", CONF, "/srv/conf")
    lab.inside("sed", "-i", r"s/^proxyd_user = /proxyd_usr = /", CONF)
    done = lab.inside(*SETUP, check=False)
    assert done.returncode == 1 and "culvert.conf:" in done.stdout and "proxyd_usr" in done.stdout, done.stdout
    assert running_units(lab) == []
    lab.inside("mv", "/srv/conf", CONF)


def test_keys_are_read_as_the_daemons_read_them(lab):
    lab.inside("cp", "-a", CONF, "/srv/conf")
    lab.inside("sed", "-i", r"s/^\[tunnel mitm\]$/&\nport=51999 ; of ours/", CONF)
    done = lab.inside("sh", "-c", "culvert-setup --no-start && /usr/sbin/wgd -c %s --check" % CONF)
    assert done.returncode == 0
    lab.inside("mv", "/srv/conf", CONF)


def test_a_clock_that_is_not_set_makes_no_certificates(lab):
    lab.inside("sh", "-ec", "cp -a /usr/sbin/proxyd /srv/proxyd; touch -d '+2 years' /usr/sbin/proxyd; "
               "rm -r /var/lib/culvert/proxyd/ca")
    done = lab.inside(*SETUP, check=False)
    assert done.returncode == 1 and "the clock says" in done.stdout, done.stdout
    lab.inside("culvert-setup", "--unattended")
    assert "No such file" in lab.inside("ls", "/var/lib/culvert/proxyd/ca", check=False).stdout
    lab.inside("sh", "-c", "mv /srv/proxyd /usr/sbin/proxyd && culvert-setup --no-start")
    assert_all_made(lab)


def test_nginx_that_is_broken_already_is_not_broken_more(lab):
    lab.inside("tee", "/etc/nginx/conf.d/broken.conf", data="nonsense;\n")
    before = read(lab, CONF)
    done = lab.inside("culvert-setup", "--no-start", "--nginx", "vpn.example", "admin.example", check=False)
    assert done.returncode == 1 and "switched off again" in done.stdout, done.stdout
    assert read(lab, CONF) == before
    assert "culvert" not in lab.inside("ls", "/etc/nginx/sites-enabled").stdout
    lab.inside("sh", "-c", "rm /etc/nginx/conf.d/broken.conf /etc/nginx/sites-available/culvert* /etc/nginx/conf.d/culvert.conf")


def test_without_an_uplink_nothing_is_made_that_would_listen_everywhere(lab):
    """The tunnel's addresses are proxyd's."""
    routes = [(family, line.split()) for family in ("-4", "-6")
              for line in lab.run("gw", "ip", family, "route", "show", "default").stdout.splitlines()]
    assert routes
    lab.run("gw", "sh", "-c", "ip -4 route flush default; ip -6 route flush default")
    try:
        for words in (("--nginx", "vpn.example", "admin.example"), ("--coturn", "turn.example")):
            done = lab.inside("culvert-setup", "--no-start", *words, check=False)
            assert done.returncode == 1 and "no default route" in done.stdout, done.stdout
    finally:
        for family, line in routes:
            lab.run("gw", "ip", family, "route", "replace", *[word for word in line if word not in ("linkdown", "pref", "medium")])
    assert "culvert" not in lab.inside("ls", "/etc/nginx/sites-enabled", "/etc/nginx/sites-available").stdout
    assert "No such file" in lab.inside("ls", "/etc/culvert/turnserver.conf", check=False).stdout


def test_two_setups_at_once_are_one_after_the_other(lab):
    done = lab.inside("sh", "-c", FRESH + "; culvert-setup --no-start & culvert-setup --no-start & wait $!; a=$?; wait; exit $a")
    assert done.returncode == 0
    assert_all_made(lab)


def listen(kind, port):
    s = socket.socket(socket.AF_INET, kind)
    s.bind(("0.0.0.0", port))
    if kind == socket.SOCK_STREAM:
        s.listen()
    return s


@pytest.mark.parametrize("kind,port,unit", [
    (socket.SOCK_DGRAM, 53, "dnsd"), (socket.SOCK_STREAM, 53, "dnsd"), (socket.SOCK_STREAM, 443, "proxyd"),
    (socket.SOCK_STREAM, 8443, "apid"), (socket.SOCK_DGRAM, 51820, "wgd")])
def test_a_port_that_is_taken_is_told_and_taken_once_it_is_free(lab, kind, port, unit):
    lab.prepare_policy()
    lab.inside("systemctl", "stop", unit_of(unit), *([unit_of("wireguard-gw")] if unit == "wgd" else []))
    there = place(lab, "gw")
    taken = there.call(listen, kind, port)
    try:
        done = lab.inside(*SETUP, check=False)
        told = re.search("cannot listen .*%d|another program has the port" % port, done.stdout)
        assert done.returncode == 1 and told, done.stdout
        assert "culvert-setup: %s: %s: " % (unit_of(unit), unit) in done.stdout or unit == "wgd"
    finally:
        taken.close()
        there.close()
    wait_until(unit, lambda: state_of(lab, unit_of(unit)) == "active", 30)
    lab.inside(*SETUP)


def test_set_up_after_all_that_it_is_a_gateway(lab):
    lab.inside("tee", "/etc/culvert/selftest.env", data="CANARY=ads.listed.example\n")
    text = lab.inside(*SETUP).stdout
    assert "Administration    https://203.0.113.2:8443/ " in text and "https://203.0.113.2:8443/setup/cvs_" in text
    lab.connect()
    await_core(lab, dict(CORE, **API))


def test_a_secret_that_was_lost_is_made_again_for_all_who_need_it(lab):
    lab.inside("rm", "/etc/culvert/secrets/redis-dnsd")
    lab.inside("systemctl", "restart", unit_of("dnsd"), check=False)
    assert state_of(lab, unit_of("dnsd")) != "active"
    lab.inside("culvert-setup")
    lab.settle()
    await_core(lab, dict(CORE, **API))


def test_a_secret_that_was_changed_is_taken_by_a_daemon_that_runs(lab):
    before = main_pid(lab, unit_of("dnsd")), main_pid(lab, unit_of("redis"))
    lab.inside("rm", "/etc/culvert/secrets/redis-dnsd")
    lab.inside("culvert-setup")
    assert main_pid(lab, unit_of("dnsd")) != before[0] and main_pid(lab, unit_of("redis")) == before[1]
    lab.settle()
    await_core(lab, dict(CORE, **API))


def test_setup_again_restarts_nothing(lab):
    before = {name: main_pid(lab, unit_of(name)) for name in DAEMONS + ("redis",)}
    lab.inside("culvert-setup")
    assert {name: main_pid(lab, unit_of(name)) for name in before} == before


def test_a_change_that_was_not_taken_yet_is_by_the_next_setup(lab):
    before = main_pid(lab, unit_of("apid"))
    lab.inside("sh", "-c", "sleep 1.1; touch " + CONF)
    lab.inside("culvert-setup")
    assert main_pid(lab, unit_of("apid")) != before
    lab.settle()
    await_core(lab, dict(CORE, **API))


def restart_all(lab):
    for name in DAEMONS:
        lab.inside("systemctl", "restart", unit_of(name))


def addresses6(lab):
    """Commands that give the gateway the IPv6 addresses and the way out that it has."""
    text = lab.run("gw", "ip", "-6", "-o", "address", "show", "scope", "global").stdout
    found = [line.split() for line in text.splitlines()]
    way = lab.run("gw", "ip", "-6", "route", "show", "default").stdout.split()
    return ["ip address add %s dev %s nodad" % (words[3], words[1]) for words in found if not words[1].startswith("wg")] + [
        "ip -6 route replace default via %s dev %s" % (way[2], way[4])]


def test_a_machine_without_ipv6_is_a_gateway(lab):
    again = addresses6(lab)
    lab.run("gw", "sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
    try:
        lab.inside("systemctl", "restart", unit_of("wireguard-gw"))
        restart_all(lab)
        lab.settle()
        await_core(lab, dict(CORE, **API))
    finally:
        lab.run("gw", "sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0")
        lab.run("gw", "sh", "-ec", "\n".join(again))
        lab.inside("systemctl", "restart", unit_of("wireguard-gw"))
        restart_all(lab)
    lab.settle()
    await_core(lab, dict(CORE, **API))


def test_without_the_bus_the_last_good_policy_holds_also_after_a_restart(lab):
    with LeakWatch(lab) as watch:
        lab.inside("systemctl", "mask", "--runtime", "--now", "culvert-redis.service")
        try:
            restart_all(lab)
            await_core(lab, CORE)
        finally:
            lab.inside("systemctl", "unmask", "--runtime", "culvert-redis.service")
            lab.inside("systemctl", "start", "culvert-redis.service")
        lab.settle()
        await_core(lab, dict(CORE, **API))
    watch.check()


def test_a_database_elsewhere_is_told_and_used_when_it_is_named(lab):
    other = "/etc/mysql/mariadb.conf.d/99-elsewhere.cnf"
    lab.inside("tee", other, data="[mariadbd]\nsocket=/run/mysqld/other.sock\n")
    lab.inside("systemctl", "restart", "mariadb.service")
    done = lab.inside("culvert-setup", check=False)
    assert done.returncode == 1 and "/run/mysqld/mysqld.sock" in done.stdout, done.stdout
    lab.inside("cp", "-a", CONF, "/srv/conf")
    lab.inside("sed", "-i", r"s,^\[apid\]$,&\ndb_socket=/run/mysqld/other.sock,", CONF)
    lab.inside("culvert-setup")
    await_core(lab, dict(CORE, **API))
    lab.inside("sh", "-c", "rm %s; mv /srv/conf %s; touch %s; systemctl restart mariadb.service" % (other, CONF, CONF))
    lab.inside("culvert-setup")
    await_core(lab, dict(CORE, **API))


def test_another_name_of_the_machine_changes_nothing(lab):
    lab.inside("sh", "-c", "echo renamed >/etc/hostname; hostname renamed")
    restart_all(lab)
    lab.settle()
    await_core(lab, dict(CORE, **API))


ADMINS_RULES = """#!/usr/sbin/nft -f
flush ruleset
table inet filter {
	chain forward { type filter hook forward priority filter; policy accept; }
}
"""


def test_the_admins_own_firewall_is_restarted_and_nothing_leaks(lab):
    """F11: each stop and each start of nftables.service flushes everybody's rules."""
    def table():
        return lab.run("gw", "nft", "list", "table", "inet", "culvert", check=False).stdout
    lab.inside("cp", "-a", "/etc/nftables.conf", "/srv/nftables.conf")
    lab.inside("tee", "/etc/nftables.conf", data=ADMINS_RULES)
    before = main_pid(lab, unit_of("fwd"))
    with LeakWatch(lab) as watch:
        for action in ("start", "restart", "restart", "stop"):
            lab.inside("systemctl", action, "nftables.service")
            wait_until("Culvert's rules", lambda: "chain nat_out" in table(), 30)
            assert (action != "stop") == ("table inet filter" in lab.run("gw", "nft", "list", "tables").stdout)
            looks = watch.looks
            wait_until("two looks", lambda: watch.looks >= looks + 2, 120)
            await_core(lab, CORE)
    watch.check(moments=True)
    assert main_pid(lab, unit_of("fwd")) == before
    assert 'restoring them program="nft"' in lab.log("fwd") and watch.works()
    lab.inside("mv", "/srv/nftables.conf", "/etc/nftables.conf")


@pytest.mark.parametrize("name", DAEMONS + ("redis", "wireguard-gw"))
def test_nothing_leaks_while_a_unit_is_stopped(lab, name):
    with LeakWatch(lab) as watch:
        lab.inside("systemctl", "stop", unit_of(name))
        looks = watch.looks
        wait_until("two looks", lambda: watch.looks >= looks + 2, 120)
        lab.inside("systemctl", "start", unit_of(name))
        await_core(lab, dict(CORE, **API))
    watch.check()


def test_nothing_leaks_while_the_whole_target_is_stopped_and_started(lab):
    with LeakWatch(lab) as watch:
        lab.inside("systemctl", "stop", "culvert.target")
        # The target is stopped before its units are.
        wait_until("no unit", lambda: running_units(lab) == [], 120)
        looks = watch.looks
        wait_until("two looks", lambda: watch.looks >= looks + 2, 120)
        lab.inside("systemctl", "start", "culvert.target")
        for name in DAEMONS:
            wait_until(name, lambda n=name: state_of(lab, unit_of(n)) == "active", 60)
        lab.settle()
        await_core(lab, dict(CORE, **API))
    watch.check()


def test_nothing_leaks_on_a_forwarding_machine_that_boots_with_a_firewall_that_fails(lab):
    """Docker's machines forward from the first second."""
    drop = "/etc/systemd/system/culvert-fwd.service.d"
    lab.inside("sh", "-c", "mkdir -p %s; printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' >%s/fails.conf; "
               "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/90-docker.conf" % (drop, drop))
    with LeakWatch(lab) as watch:
        lab.shut_down()
        lab.boot()
        assert lab.run("gw", "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "1\n"
        wait_until("wgd", lambda: state_of(lab, unit_of("wgd")) == "active", 60)
        looks = watch.looks
        wait_until("two looks", lambda: watch.looks >= looks + 2, 120)
        assert not watch.works()
        lab.inside("sh", "-c", "rm -r %s /etc/sysctl.d/90-docker.conf; systemctl daemon-reload; "
                   "systemctl restart culvert-fwd.service" % drop)
        lab.settle(60)
        await_core(lab, dict(CORE, **API))
    watch.check()


@pytest.mark.parametrize("seconds", [0.3, 1, 2, 4])
def test_an_upgrade_that_was_killed_is_finished_by_the_next_and_leaks_nothing(lab, seconds):
    lab.install(package("culvert", previous=True))
    handed = lab.copy_in(package("culvert"))
    with LeakWatch(lab) as watch:
        lab.inside("timeout", "-s", "KILL", str(seconds), "dpkg", "--install", handed, check=False)
        lab.inside("sh", "-c", "dpkg --configure -a; dpkg --install " + handed)
        lab.settle(60)
        await_core(lab, dict(CORE, **API))
    watch.check()
    for name in DAEMONS:
        exe = lab.inside("readlink", "/proc/%s/exe" % main_pid(lab, unit_of(name))).stdout.strip()
        assert exe == "/usr/sbin/" + name


def test_removed_and_installed_again_it_has_the_same_keys_and_devices(lab):
    def keys():
        return lab.inside("sh", "-c", "sha256sum /etc/culvert/secrets/* /var/lib/culvert/proxyd/ca/* "
                          "/var/lib/culvert/wgd/keys/*").stdout
    before = keys()
    with LeakWatch(lab) as watch:
        lab.inside("dpkg", "--remove", "culvert")
        assert traces(lab) == []
        looks = watch.looks
        wait_until("two looks", lambda: watch.looks >= looks + 2, 120)
        assert not watch.works()
        lab.install(package("culvert"))
        lab.inside("culvert-setup")
        lab.settle(60)
        assert {key_of(lab, name) for name in CLIENTS} <= set(peers(lab))
        await_core(lab, dict(CORE, **API))
    watch.check()
    assert keys() == before


def test_purged_without_a_database_server_it_says_what_stays(lab):
    lab.inside("systemctl", "stop", "mariadb.service")
    text = lab.inside("dpkg", "--purge", "culvert").stdout
    assert "MariaDB does not answer" in text
    assert running_units(lab) == [] and traces(lab) == []
