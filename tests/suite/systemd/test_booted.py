# SPDX-License-Identifier: GPL-3.0-or-later
"""The package's life on a booted system: each test goes on where the one before it ended."""
import base64
import hmac
import json
import os
import re
import subprocess
import sys
import time

import pytest

from bootlib import INTERNET_CA, await_core, main_pid, package, running_units, traces, unit_of, version
from culvertlab import clients
from culvertlab.places import CLIENTS
from lablib import DAEMONS, TOP
from launcher.process import wait_until
from walklib import API, CORE, key_of, peers


SYSCTLS = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.accept_redirects",
           "net.ipv6.conf.all.accept_redirects", "net.ipv4.conf.default.accept_redirects")


def kernel_of(lab):
    """What setup and the daemons change of the machine's network."""
    return [lab.run("gw", *words).stdout for words in (
        ("sysctl", *SYSCTLS), ("ip", "rule"), ("ip", "-6", "rule"), ("ip", "route", "show", "table", "all"),
        ("nft", "list", "ruleset"))]


def test_the_package_installs_and_starts_nothing(lab):
    lab.kernel_before = kernel_of(lab)
    text = lab.install(package("culvert", previous=True))
    assert "culvert-setup starts it" in text
    assert running_units(lab) == [] and traces(lab) == []
    assert lab.inside("systemctl", "is-enabled", "culvert.target", check=False).stdout.strip() == "disabled"
    assert lab.run("gw", "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"


def test_installed_again_nothing_changes(lab):
    def digest():
        return lab.inside("sh", "-c", "cd /etc/culvert && find . -type f -exec sha256sum {} + | sort; "
                          "sha256sum /var/lib/culvert/redis/users.acl /var/lib/culvert/proxyd/ca/*").stdout
    before = digest()
    lab.inside("culvert-setup", "--unattended")
    assert digest() == before and "secrets/redis-wgd" in before


def test_setup_starts_a_gateway_and_prints_its_link(lab):
    lab.prepare_policy()
    text = lab.inside("culvert-setup", "--endpoint", "203.0.113.2", "--admin", "0.0.0.0:8443").stdout
    assert "https://203.0.113.2:8443/setup/cvs_" in text
    for name in DAEMONS + ("redis",):
        assert lab.show(unit_of(name), "ActiveState")["ActiveState"] == "active", text
    lab.connect()
    await_core(lab, dict(CORE, **API))


def session_of(lab, client):
    return lab.run(client, "wg", "show", clients.interface(client), "latest-handshakes").stdout


def kept_files(lab):
    text = lab.inside("sh", "-c", "find /etc/culvert/secrets /etc/culvert/*.conf -type f -exec sha256sum {} +").stdout
    return set(text.splitlines())


def test_an_upgrade_keeps_policy_devices_and_tunnels(lab):
    before = {name: main_pid(lab, unit_of(name)) for name in DAEMONS + ("redis",)}
    secrets = kept_files(lab)
    handshake = session_of(lab, "phone")
    lab.inside("sh", "-ec", "mkdir /srv/before; cp %s /usr/share/culvert/culvert.acl /srv/before" % " ".join(
        "/usr/sbin/" + name for name in DAEMONS))
    lab.install(package("culvert"))
    assert lab.inside("dpkg-query", "-W", "-f", "${Version}", "culvert").stdout == version(package("culvert"))
    assert version(package("culvert")) != version(package("culvert", previous=True))
    after = {name: main_pid(lab, unit_of(name)) for name in before}
    assert [n for n in DAEMONS if after[n] in ("0", before[n])] == [], "all run the new programs"
    assert after["redis"] == before["redis"]
    assert secrets and secrets <= kept_files(lab)
    lab.settle()
    await_core(lab, dict(CORE, **API))
    assert session_of(lab, "phone") == handshake, "the tunnel's session went on"


MIXED = DAEMONS + ("path",)


def run_before(lab, names):
    """These run as the version before has them, the others as this one."""
    changed = []
    for name in MIXED:
        folder = "/run/systemd/system/%s.d" % unit_of(name)
        have = lab.inside("test", "-e", folder + "/before.conf", check=False).returncode == 0
        if have == (name in names):
            continue
        changed.append(unit_of(name))
        if have:
            lab.inside("rm", "-r", folder)
            continue
        program = {"path": "proxyd --path"}.get(name, name)
        text = "[Service]\nExecStart=\nExecStart=/srv/before/%s -c /etc/culvert/culvert.conf\n" % program
        if name == "path" and "user path " not in lab.inside("cat", "/srv/before/culvert.acl").stdout:
            # The first packages' had proxyd's user on the bus.
            text += "LoadCredential=redis-path:/etc/culvert/secrets/redis-proxyd\n"
        lab.inside("mkdir", "-p", folder)
        lab.inside("tee", folder + "/before.conf", data=text)
    lab.inside("systemctl", "daemon-reload")
    lab.inside("systemctl", "restart", *changed)


def running_version(lab, name):
    """As its status on the bus says."""
    text = lab.redis("GET", "culvert:status:" + {"path": "proxyd:path1"}.get(name, name + ":1"))
    return json.loads(text)["version"] if text else None


def await_versions(lab, before):
    old, new = (version(package("culvert", previous=p)) for p in (True, False))
    for name in MIXED:
        wait_until(name, lambda n=name: running_version(lab, n) == (old if n in before else new), 30, lab.console)
    lab.settle()
    await_core(lab, dict(CORE, **API))


@pytest.mark.parametrize("name", MIXED)
def test_one_of_the_version_before_runs_beside_the_others(lab, name):
    run_before(lab, [name])
    await_versions(lab, [name])


@pytest.mark.parametrize("name", MIXED)
def test_one_of_this_version_runs_beside_those_before(lab, name):
    before = [n for n in MIXED if n != name]
    run_before(lab, before)
    await_versions(lab, before)


def test_all_of_this_version_run_again(lab):
    run_before(lab, [])
    await_versions(lab, [])


ALL_UNITS = [unit_of(name) for name in ("redis", "fwd", "wireguard-gw", "wgd", "dnsd", "proxyd", "path", "syncd", "apid")]
# wireguard-go is not ours.
FILTERED = [unit for unit in ALL_UNITS if "wireguard" not in unit]
KILLING = "/run/systemd/system/%s.d"
# Suite walk without those that need a lab's own processes (chaos), browsers, or a machine for themselves.
WALK = ("test_tunnel.py", "test_dns.py", "test_dns_paths.py", "test_intercept.py", "test_proxy.py", "test_portal_walk.py",
        "test_device_listener.py")


@pytest.fixture
def killing_filters(lab):
    """A system call that a unit's filter does not know ends the process, in place of an error that could be hidden."""
    for unit in FILTERED:
        lab.inside("mkdir", "-p", KILLING % unit)
        lab.inside("tee", KILLING % unit + "/kill.conf", data="[Service]\nSystemCallErrorNumber=\n")
    lab.inside("systemctl", "daemon-reload")
    lab.inside("systemctl", "restart", *FILTERED)
    lab.settle()
    yield
    for unit in FILTERED:
        lab.inside("rm", "-r", KILLING % unit)
    lab.inside("systemctl", "daemon-reload")
    lab.inside("systemctl", "restart", *FILTERED)
    lab.settle()


def test_the_labs_suite_passes_on_it_without_a_system_call_that_is_filtered(lab, killing_filters):
    for unit in FILTERED:
        shown = lab.show(unit, "SystemCallErrorNumber", "ActiveState")
        assert shown == {"SystemCallErrorNumber": str(2**31 - 2), "ActiveState": "active"}, (unit, shown)
    # Its device is in no seed.
    lab.inside("systemctl", "stop", "culvert-selftest.timer")
    lab.provision("wg_remove", "culvert-selftest")
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
            *(os.path.join(TOP, "tests/suite/walk", name) for name in WALK)]
    done = subprocess.run(argv, env=dict(os.environ, BOOTED_LAB=lab.ticket()), cwd=TOP, text=True, timeout=900,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    with open(os.path.join(os.path.dirname(lab.console), "systemd-walk.log"), "w", encoding="utf-8") as out:
        out.write(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "status=31/SYS" not in lab.inside("journalctl", "--no-pager", "-u", "culvert-*").stdout
    lab.inside("systemctl", "start", "culvert-selftest.timer")
    lab.note_pids()
    await_core(lab, dict(CORE, **API))


@pytest.mark.parametrize("unit", ALL_UNITS)
def test_a_running_unit_is_little_exposed(lab, unit):
    text = lab.inside("systemd-analyze", "security", "--no-pager", unit).stdout
    assert float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", text).group(1)) <= 2.0, text


@pytest.mark.parametrize("name", MIXED)
def test_a_process_has_its_own_user_and_no_more_than_its_capability(lab, name):
    pid = lab.show(unit_of(name), "MainPID")["MainPID"]
    text = lab.inside("cat", "/proc/%s/status" % pid).stdout
    uid = lab.inside("id", "-u", "culvert-" + name).stdout.strip()
    want = {"wgd": 1 << 12, "fwd": 1 << 12, "path": 1 << 12, "dnsd": 1 << 10, "proxyd": 1 << 10}.get(name, 0)
    assert re.search(r"^Uid:\t(\d+)", text, re.M).group(1) == uid != "0"
    for caps in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
        assert int(re.search(caps + r":\t(\w+)", text).group(1), 16) == want, text
    assert "NoNewPrivs:\t1" in text and "Seccomp:\t2" in text


def as_user(lab, name, *argv, data=None):
    """As a process of a daemon's user outside of its sandbox, which could only help it."""
    user = "culvert-" + name
    return lab.inside("setpriv", "--reuid", user, "--regid", user, "--init-groups", "--inh-caps=-all", *argv,
                      check=False, data=data)


@pytest.mark.parametrize("name", MIXED + ("redis",))
def test_a_daemons_user_reads_no_secret_but_its_own(lab, name):
    secrets = lab.inside("sh", "-c", "find /etc/culvert/secrets /var/lib/culvert /run/credentials -type f").stdout.split()
    assert len(secrets) > 20
    allowed = ("/var/lib/culvert/%s/" % name, "/run/credentials/culvert-%s.service/" % name,
               "/run/credentials/culvert-%s@1.service/" % name)
    script = "for f in $(cat); do head -c1 $f >/dev/null 2>&1 && echo $f; done; true"
    read = as_user(lab, name, "sh", "-c", script, data="\n".join(secrets)).stdout.split()
    assert [f for f in read if not f.startswith(allowed)] == []
    if name != "redis":
        assert [f for f in read if f.endswith("/redis-" + name)], "it reads its own"
    assert "Permission denied" in as_user(lab, name, "ls", "/etc/culvert/secrets/").stdout


def redis_as(lab, name, *words):
    password = lab.inside("cat", "/etc/culvert/secrets/redis-" + name).stdout.strip()
    return as_user(lab, name, "env", "REDISCLI_AUTH=" + password, "redis-cli", "-s", "/run/culvert/redis.sock",
                   "--user", name, "--no-auth-warning", *words).stdout.strip()


@pytest.mark.parametrize("name", MIXED)
def test_a_daemons_user_has_its_own_keys_only(lab, name):
    assert redis_as(lab, name, "PING") == "PONG"
    for key in ("culvert:state:devices:apid", "culvert:state:tunnels:wgd", "culvert:state:lists:syncd",
                "culvert:state:pinned:proxyd"):
        owner = key.rsplit(":", 1)[1]
        if owner != name:
            assert "NOPERM" in redis_as(lab, name, "HSET", key, "x", "{}"), key
            assert "NOPERM" in redis_as(lab, name, "PUBLISH", key, "{}"), key
    if name not in ("wgd", "apid"):
        assert "NOPERM" in redis_as(lab, name, "HGETALL", "culvert:state:device_keys:apid")
    for words in (("KEYS", "*"), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("FLUSHALL",), ("EVAL", "return 1", "1", "x")):
        assert "NOPERM" in redis_as(lab, name, *words), words
    other = "fwd" if name != "fwd" else "dnsd"
    stolen = as_user(lab, name, "env", "REDISCLI_AUTH=guess", "redis-cli", "-s", "/run/culvert/redis.sock", "--user", other,
                     "PING").stdout
    assert "PONG" not in stolen


def test_strangers_do_not_reach_the_bus(lab):
    text = lab.inside("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "redis-cli", "-s",
                      "/run/culvert/redis.sock", "PING", check=False).stdout
    assert "Permission denied" in text
    assert "NOAUTH" in lab.inside("redis-cli", "-s", "/run/culvert/redis.sock", "PING", check=False).stdout


def test_the_path_judge_says_what_it_judged_and_nothing_else(lab):
    for words in (("XADD", "culvert:queue:appeals", "*", "m", "{}"), ("PUBLISH", "culvert:reply:apid:1", "{}"),
                  ("PUBLISH", "culvert:req:fwd:proxyd", "{}"), ("SUBSCRIBE", "culvert:req:proxyd:apid"),
                  ("PUBLISH", "culvert:event:proxyd:pinned", "{}"), ("SET", "culvert:status:proxyd:1", "{}")):
        assert "NOPERM" in redis_as(lab, "path", *words), words
    assert redis_as(lab, "path", "PUBLISH", "culvert:event:proxyd:count", "{}") != ""
    # It waits for the whole policy first, ten seconds where some of it has never been.
    wait_until("the path judge reads", lambda: json.loads(lab.redis("GET", "culvert:status:proxyd:path1"))["reading"], 100,
               lab.console)


@pytest.mark.parametrize("name", MIXED)
def test_the_databases_socket_is_in_apids_sandbox_alone(lab, name):
    pid = main_pid(lab, unit_of(name))
    done = lab.inside("nsenter", "-t", pid, "-m", "--", "setpriv", "--reuid", "culvert-" + name, "--regid", "culvert-" + name,
                      "--clear-groups", "--inh-caps=-all", "test", "-S", "/run/mysqld/mysqld.sock", check=False)
    assert (done.returncode == 0) == (name == "apid")


@pytest.mark.parametrize("name", MIXED + ("redis",))
def test_mariadb_is_apids_alone(lab, name):
    for user in ("culvert-apid", "root", "culvert-" + name):
        done = as_user(lab, name, "mariadb", "--no-defaults", "--protocol=socket", "--user=" + user, "-e",
                       "SELECT COUNT(*) FROM culvert.devices")
        let_in = name == "apid" and user == "culvert-apid"
        assert (done.returncode == 0) == let_in, "%s as %s: %s" % (name, user, done.stdout)
        assert let_in or "Access denied" in done.stdout
    grants = lab.sql("SHOW GRANTS FOR 'culvert-apid'@'localhost'")
    assert "ON `culvert`.*" in grants and "GRANT OPTION" not in grants and "ALL PRIVILEGES ON *.*" not in grants


def selftest(lab):
    """(state of the unit afterwards, what it said)"""
    lab.inside("systemctl", "start", "culvert-selftest.service", check=False)
    text = lab.inside("journalctl", "--no-pager", "-o", "cat", "-u", "culvert-selftest.service", "-n", "20").stdout
    said = [line for line in text.splitlines() if line.startswith("selftest: ")]
    return lab.show("culvert-selftest.service", "Result")["Result"], said[-1] if said else text


def test_the_self_test_comes_in_through_the_tunnel_and_finds_what_is_open(lab):
    assert "culvert-selftest.timer" in running_units(lab)
    lab.inside("tee", "/etc/culvert/selftest.env", data="CANARY=ads.listed.example\n")
    result, text = selftest(lab)
    assert result == "success" and text.count("=blocked") == 7, text
    lab.inside("tee", "/etc/culvert/selftest.env", data="CANARY=allowed.example\n")
    result, text = selftest(lab)
    assert result == "exit-code" and "is not blocked by way of dns" in text
    lab.inside("tee", "/etc/culvert/selftest.env", data="CANARY=ads.listed.example\n")
    assert selftest(lab)[0] == "success"


TESTSSL = ("-p", "-s", "-S", "-P", "-U", "--quiet", "--warnings", "off", "--color", "0", "--nodns", "none", "--severity",
           "MEDIUM")


def grade(lab, name, at, *more):
    """testssl.sh's findings from the Internet, MEDIUM and worse; all of it is kept."""
    evidence = os.path.dirname(lab.console)
    found = os.path.join(evidence, "testssl-%s.json" % name)
    if os.path.exists(found):
        os.unlink(found)
    done = lab.run("inet", "testssl", *TESTSSL, "--jsonfile", found, *more, at, timeout=550, check=False)
    with open(os.path.join(evidence, "testssl-%s.log" % name), "w", encoding="utf-8") as out:
        out.write(done.stdout)
    with open(found, encoding="utf-8") as src:
        return [f["id"] for f in json.load(src) if f["severity"] != "WARN"]  # that is: could not be tried


# A certificate of one's own CA, and none that certbot has fetched yet: nobody in the world knows the CA.
OWN_CA = {"cert_chain_of_trust", "cert_trust", "cert_notAfter", "cert_expirationStatus", "cert_crlDistributionPoints",
          "cert_revocation", "DNS_CAArecord", "OCSP_stapling", "cert_ocspURL", "cert_validityPeriod",
          "cert_subjectAltName", "engine_problem", "scanProblem_DNS",
          # "/" is the UI's page, compressed and the same for everybody: no secret is in it.
          "BREACH"}


def test_the_administrations_own_tls_has_no_weakness(lab):
    found = [i for i in grade(lab, "admin", "203.0.113.2:8443") if i.split(" ")[0] not in OWN_CA]
    assert found == []


@pytest.mark.parametrize("name", DAEMONS + ("redis", "wireguard-gw"))
def test_a_killed_process_is_started_again(lab, name):
    unit = unit_of(name)
    before = main_pid(lab, unit)
    lab.inside("systemctl", "kill", "--signal=KILL", "--kill-who=main", unit)
    wait_until(unit, lambda: main_pid(lab, unit) not in ("0", before) and
               lab.show(unit, "ActiveState")["ActiveState"] == "active", 30, lab.console)
    await_core(lab, dict(CORE, **API))


def test_the_watchdog_ends_a_process_that_hangs(lab):
    unit = unit_of("dnsd")
    assert lab.show(unit, "WatchdogUSec")["WatchdogUSec"] == "1min"
    lab.inside("mkdir", "-p", "/run/systemd/system/%s.d" % unit)
    lab.inside("tee", "/run/systemd/system/%s.d/quick.conf" % unit, data="[Service]\nWatchdogSec=2\n")
    lab.inside("systemctl", "daemon-reload")
    lab.inside("systemctl", "restart", unit)
    before = main_pid(lab, unit)
    lab.inside("systemctl", "kill", "--signal=STOP", "--kill-who=main", unit)
    wait_until("another process", lambda: main_pid(lab, unit) not in ("0", before), 60, lab.console)
    assert "Watchdog timeout" in lab.inside("journalctl", "--no-pager", "-u", unit).stdout
    lab.inside("rm", "-r", "/run/systemd/system/%s.d" % unit)
    lab.inside("systemctl", "daemon-reload")
    lab.inside("systemctl", "restart", unit)
    await_core(lab, CORE)


def test_a_reload_is_heard_by_all(lab):
    for name in DAEMONS:
        lab.inside("systemctl", "reload", unit_of(name))
        assert lab.show(unit_of(name), "ActiveState")["ActiveState"] == "active"
    lab.inside("systemctl", "start", "culvert-sync.service")
    lab.inside("systemctl", "start", "culvert-backup.service")  # no key, no backup
    timers = lab.inside("systemctl", "list-timers", "--no-pager", "--all").stdout
    assert "culvert-sync.timer" in timers and "culvert-backup.timer" in timers


RESTORED = ("rm -rf /etc/culvert.before-restore-* /var/lib/culvert.before-restore-* /var/backups/culvert "
            "/etc/culvert/secrets/backup; mariadb -N -e \"SHOW DATABASES LIKE 'culvert_before%'\" | "
            "while read -r d; do mariadb -e \"DROP DATABASE $d\"; done")


def test_what_the_backup_timer_saved_is_restored(lab):
    def keys():
        return lab.inside("sh", "-c", "sha256sum /etc/culvert/secrets/redis-* /etc/culvert/secrets/api-key "
                          "/var/lib/culvert/proxyd/ca/* /var/lib/culvert/wgd/keys/*").stdout
    lab.inside("sh", "-ec", "umask 077; echo nine words that nobody will ever guess right now >/etc/culvert/secrets/backup")
    folder = "/run/systemd/system/culvert-backup.timer.d"
    lab.inside("mkdir", "-p", folder)
    lab.inside("tee", folder + "/soon.conf", data="[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\n")
    lab.inside("systemctl", "daemon-reload")
    lab.inside("systemctl", "restart", "culvert-backup.timer")

    def saved():
        return lab.inside("find", "/var/backups/culvert", "-name", "*.backup", check=False).stdout.split("\n")[0]
    wait_until("a backup", lambda: saved().endswith(".backup"), 60, lab.console)
    lab.inside("rm", "-r", folder)
    lab.inside("systemctl", "daemon-reload")
    before = keys()
    refused = lab.inside("culvert-restore", saved(), check=False)
    assert refused.returncode == 1 and "Culvert runs here" in refused.stdout
    lab.inside("systemctl", "stop", "--all", "culvert*")
    lab.inside("sh", "-ec", "cp /etc/culvert/secrets/backup /srv/key; rm -r /var/lib/culvert /etc/culvert; "
               "mariadb -e 'DROP DATABASE culvert'")
    text = lab.inside("culvert-restore", "-k", "/srv/key", saved()).stdout
    assert "all is in place" in text
    lab.inside("culvert-setup")
    lab.settle()
    await_core(lab, dict(CORE, **API))
    assert keys() == before and {key_of(lab, name) for name in CLIENTS} <= set(peers(lab))
    lab.inside("sh", "-ec", RESTORED + "; rm /srv/key")


def test_the_access_log_is_rotated(lab):
    log = "/var/log/culvert/access.log"
    lab.curl("phone", "https://allowed.example/", proxy=True, ca=lab.file("culvert-ca.pem"))
    wait_until("a line", lambda: lab.inside("cat", log, check=False).stdout, 30)
    lab.inside("logrotate", "--force", "/etc/logrotate.d/culvert")
    lab.curl("phone", "https://allowed.example/", proxy=True, ca=lab.file("culvert-ca.pem"))
    wait_until("another line", lambda: lab.inside("cat", log, check=False).stdout.strip(), 30)
    assert lab.inside("cat", log + ".1").stdout.strip()
    assert lab.inside("stat", "-c", "%U %G %a", log).stdout.strip() == "culvert-proxyd adm 640"


def started_at(lab, unit):
    return int(lab.show(unit, "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"])


def test_it_is_there_again_after_a_boot_the_firewall_before_the_tunnel(lab):
    lab.shut_down()
    lab.boot()
    for name in DAEMONS + ("redis",):
        wait_until(name, lambda n=name: lab.show(unit_of(n), "ActiveState")["ActiveState"] == "active", 60, lab.console)
    assert started_at(lab, unit_of("fwd")) < started_at(lab, unit_of("wgd"))
    lab.settle()
    await_core(lab, dict(CORE, **API))


def test_processes_share_their_ports_and_one_may_be_of_the_version_before(lab):
    lab.inside("culvert-setup", "--processes", "2")
    assert len([u for u in running_units(lab) if u.endswith("@2.service")]) == 3
    unit = "culvert-dnsd@2.service"
    lab.inside("mkdir", "-p", "/run/systemd/system/%s.d" % unit)
    lab.inside("tee", "/run/systemd/system/%s.d/before.conf" % unit,
               data="[Service]\nExecStart=\nExecStart=/srv/before/dnsd -c /etc/culvert/culvert.conf\n")
    lab.inside("systemctl", "daemon-reload")
    lab.inside("systemctl", "restart", unit)
    assert lab.inside("readlink", "/proc/%s/exe" % main_pid(lab, unit)).stdout.strip() == "/srv/before/dnsd"
    wait_until("its status", lambda: lab.redis("GET", "culvert:status:dnsd:2"), 20)
    for _ in range(3):
        await_core(lab, dict(CORE, **API))
    lab.inside("rm", "-r", "/run/systemd/system/%s.d" % unit)
    lab.inside("culvert-setup", "--processes", "1")
    assert [u for u in running_units(lab) if u.endswith("@2.service")] == []
    await_core(lab, CORE)


def test_the_openssl_programs_run_in_place_of_the_others_and_go_again(lab):
    lab.install(package("culvert-openssl"))
    for name in ("dnsd", "proxyd", "apid", "syncd"):
        exe = lab.inside("readlink", "/proc/%s/exe" % main_pid(lab, unit_of(name))).stdout.strip()
        assert exe == "/usr/lib/culvert/openssl/" + name
    lab.settle()
    await_core(lab, dict(CORE, **API))
    lab.inside("dpkg", "--purge", "culvert-openssl")
    exe = lab.inside("readlink", "/proc/%s/exe" % main_pid(lab, unit_of("proxyd"))).stdout.strip()
    assert exe == "/usr/sbin/proxyd"
    lab.settle()
    await_core(lab, CORE)


VPN, ADMIN = "vpn.culvert.example", "admin.culvert.example"


def site(lab, host, path, *options, port=443):
    scheme = "https" if port == 443 else "http"
    return lab.curl("inet", "%s://%s%s" % (scheme, host, path), "-k", "--resolve", "%s:%d:203.0.113.2" % (host, port),
                    *options)


def test_nginx_serves_both_hosts_and_leaves_the_tunnels_addresses_alone(lab):
    """O3"""
    text = lab.inside("culvert-setup", "--nginx", VPN, ADMIN).stdout
    assert "certbot certonly" in text and "https://%s/ (nginx)" % ADMIN in text
    wait_until("apid behind it", lambda: site(lab, ADMIN, "/auth/me").status == 401, 30)
    assert site(lab, VPN, "/api").text == '{"status":"ok"}'
    assert site(lab, VPN, "/", port=80).headers["location"] == "https://%s/" % VPN
    assert site(lab, ADMIN, "/directus/").headers["location"] == "/"
    # The gateway's own page, on port 80 of the tunnel.
    page = lab.curl("phone", "http://10.9.0.1/")
    assert page.status == 200 and "nginx" not in page.raw_headers.lower()
    await_core(lab, dict(CORE, **API))


def test_certbots_hook_puts_a_new_certificate_in_place(lab):
    new = "/srv/renewed"
    lab.inside("mkdir", new)
    lab.inside("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
               "/CN=renewed", "-keyout", new + "/privkey.pem", "-out", new + "/fullchain.pem")
    lab.inside("env", "RENEWED_DOMAINS=" + ADMIN, "RENEWED_LINEAGE=" + new, "/usr/share/culvert/nginx/certbot-deploy")

    def subject():
        return lab.run("inet", "sh", "-c", "openssl s_client -connect 203.0.113.2:443 -servername %s </dev/null 2>/dev/null"
                       " | openssl x509 -noout -subject" % ADMIN, check=False).stdout.strip()
    wait_until("the new certificate", lambda: subject().endswith("CN = renewed"), 20)


def test_nginx_has_no_weakness(lab):
    found = [i for i in grade(lab, "nginx", VPN + ":443", "--ip", "203.0.113.2") if i.split(" ")[0] not in OWN_CA]
    assert found == []


def turn(lab, user, secret):
    """O3: what coturn's own client says of an allocation with credentials made as apid makes them."""
    password = base64.b64encode(hmac.new(secret.encode(), user.encode(), "sha1").digest()).decode()
    return lab.run("inet", "turnutils_uclient", "-u", user, "-w", password, "-n", "2", "-m", "1", "-e", "203.0.113.1",
                   "203.0.113.2", check=False, timeout=60)


def test_coturn_takes_credentials_that_have_not_ended(lab):
    lab.inside("culvert-setup", "--coturn", "turn.culvert.example")
    assert lab.show("coturn.service", "ActiveState")["ActiveState"] == "active"
    secret = lab.inside("cat", "/etc/culvert/secrets/turn").stdout.strip()
    later, before = int(time.time()) + 3600, int(time.time()) - 3600
    peer = lab.popen("inet", "turnutils_peer", "-L", "203.0.113.1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        done = turn(lab, "%d:phone" % later, secret)
        assert done.returncode == 0 and "Total lost packets 0" in done.stdout, done.stdout + done.stderr
        for user, key in (("%d:phone" % before, secret), ("%d:phone" % later, "guess")):
            refused = turn(lab, user, key)
            assert refused.returncode != 0 and "Cannot complete Allocation" in refused.stdout, refused.stdout
    finally:
        peer.kill()
        peer.wait()


def test_removed_it_is_gone_from_the_network_and_keeps_its_data(lab):
    lab.inside("dpkg", "--remove", "culvert")
    assert running_units(lab) == [] and traces(lab) == []
    assert lab.run("gw", "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n"
    assert "culvert" not in lab.inside("ps", "-eo", "user:32,args").stdout.replace("culvert-lab", "").replace("ps -eo", "")
    assert lab.inside("ls", "/etc/culvert/culvert.conf", "/var/lib/culvert/proxyd/ca/root.pem").returncode == 0


def test_installed_again_it_is_as_it_was(lab):
    lab.install(package("culvert"))
    lab.inside("culvert-setup")
    lab.settle()
    assert {key_of(lab, name) for name in CLIENTS} <= set(peers(lab))
    await_core(lab, dict(CORE, **API))


def test_purged_it_leaves_nothing(lab):
    lab.inside("dpkg", "--purge", "culvert")
    found = lab.inside("find", "/etc", "/var", "/usr", "/run", "/lib", "-xdev", "-iname", "*culvert*").stdout.split()
    assert found == []
    assert lab.inside("dpkg-query", "-W", "-f", "${db:Status-Status}", "culvert", check=False).returncode != 0
    assert "culvert" not in lab.inside("sh", "-c", "getent passwd; getent group").stdout
    assert "culvert" not in lab.inside("mariadb", "--batch", "-e", "SHOW DATABASES; SELECT user FROM mysql.user").stdout
    # The databases of users keep their last version (passwd-).
    text = lab.inside("grep", "-rIli", "culvert", "/etc", "/var/lib", "/var/spool", "/usr/share", "/usr/lib", "--exclude=*-",
                      "--exclude-dir=mysql", "--exclude-dir=dpkg", "--exclude-dir=apt", check=False).stdout.split()
    # logrotate notes when it rotated what, and forgets it by itself.
    assert [f for f in text if f not in (INTERNET_CA, "/var/lib/logrotate/status")] == []
    assert kernel_of(lab) == lab.kernel_before
    assert running_units(lab) == [] and traces(lab) == []
