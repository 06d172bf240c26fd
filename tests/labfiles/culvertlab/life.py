# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a lab: up, down, status, and its programs one by one."""
import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import sys
import time

from launcher import stores
from launcher.hosts import Host, await_reaped, kill_all
from launcher.process import Process, log_tail

from . import clients, gateway, network
from .places import DAEMONS, HOSTS, PATH, LabError, make_dir, write_file

TOOLS = {
    "redis-server": "redis-server", "redis-cli": "redis-tools", "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server", "mariadb": "mariadb-client", "nginx": "nginx-light",
    "wg": "wireguard-tools", "ip": "iproute2", "setpriv": "util-linux", "openssl": "openssl",
    "dig": "bind9-dnsutils", "curl": "curl", "wg-quick": "wireguard-tools",
}
MODULES = {"dns": "python3-dnspython", "PIL": "python3-pil"}


def locked(function):
    """One up or down at a time per lab."""
    def run(places):
        os.makedirs(places.lab_dir, exist_ok=True)
        with open(os.path.join(places.lab_dir, ".lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return function(places)
    return run


def _hosts(places):
    return {name: Host(places, name) for name in HOSTS}


def is_up(places):
    return os.path.exists(places.in_run("up")) and all(
        host.pid() is not None for host in _hosts(places).values())


def _make_directories(places):
    make_dir(places.run)
    for name in ("hosts", "proc", "etc"):
        make_dir(places.in_run(name))
    os.makedirs(places.logs, exist_ok=True)
    for name in os.listdir(places.logs):
        os.unlink(os.path.join(places.logs, name))
    link = os.path.join(places.lab_dir, "run")
    if os.path.islink(link):
        os.unlink(link)
    os.symlink(places.run, link)


def _write_host_files(places):
    servers = {"phone": "10.9.0.1", "laptop": "10.9.0.1", "gw": "1.1.1.1", "lan": "1.1.1.1",
               "inet": "1.1.1.1"}
    own = socket.gethostname()  # or curl would ask DNS for it
    for name, server in servers.items():
        write_file(places.in_run("etc", name + ".resolv.conf"), "nameserver %s\n" % server)
        write_file(places.in_run("etc", name + ".hosts"),
                   "127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 %s\n" % own)


ADMIN_USER = "lab"


def _write_env(places):
    password = secrets.token_urlsafe(24)
    write_file(os.path.join(places.lab_dir, "env"),
               "API_KEY=%s\nPROVISION_URL=http://127.0.0.1:8000/\nPROXY=http://10.9.0.1:8080\n"
               "ADMIN_URL=https://%s:%d\nADMIN_USER=%s\nADMIN_PASSWORD=%s\n"
               % (stores.read_secret(places, "api-key"), *places.admin, ADMIN_USER, password), 0o600)
    return password


def _check_machine(places, names):
    """Says what is missing before anything is made."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    missing |= {package for module, package in MODULES.items()
                if not importlib.util.find_spec(module)}
    if missing:
        raise LabError("these packages are missing: " + " ".join(sorted(missing)))
    for name in names:
        if not os.access(os.path.join(places.build, "bin", name), os.X_OK):
            raise LabError("%s/bin/%s is not built: make first, or narrow LAB_DAEMONS"
                           % (places.build, name))


def start_world(places):
    """Everything but a gateway: the hosts, wired, the Internet and the LAN. Gives the hosts."""
    from . import internet  # late: it needs MODULES
    _make_directories(places)
    _write_host_files(places)
    hosts = _hosts(places)
    for host in hosts.values():
        host.start()
    network.connect(hosts)
    internet.start_internet(places, hosts["inet"])
    internet.start_lan(places, hosts["lan"])
    return hosts


def _start(places):
    names = gateway.wanted_daemons()
    _check_machine(places, names)
    hosts = start_world(places)
    stores.make_secrets(places)
    admin_password = _write_env(places)
    stores.start_redis(places, hosts["gw"])
    stores.start_mariadb(places, hosts["gw"])
    gateway.install(places, names)
    gateway.write_config(places)
    kind = gateway.wireguard_kind(hosts["gw"])
    clients.make_keys(places)
    clients.start_interfaces(places, hosts, kind)
    if kind == "go":
        gateway.start_wireguard_go(hosts["gw"], "wg0", "wgd")
    stores.mariadb_ready(Process(hosts["gw"], "mariadb"))
    gateway.start_daemons(places, hosts["gw"], names)
    session = None
    if "apid" in names:
        session = gateway.make_owner(places, hosts["gw"], ADMIN_USER, admin_password)
        shutil.copyfile(gateway.admin_ca(places), os.path.join(places.lab_dir, "admin-ca.pem"))
    if "wgd" in names:
        clients.connect_clients(places, hosts, session)
    gateway.await_service(places, hosts, names)
    write_file(places.in_run("up"), "")


@locked
def up(places):
    if is_up(places):
        print("lab: already up in " + places.run)
        return 0
    remove(places)
    begin = time.monotonic()
    try:
        _start(places)
    except BaseException as exc:
        if isinstance(exc, LabError):
            print("lab: %s" % exc, file=sys.stderr)
            if exc.log:
                print("lab: the end of %s:\n%s" % (exc.log, log_tail(exc.log)), file=sys.stderr)
        if os.environ.get("LAB_KEEP"):
            print("lab: left as it is for a look, LAB_KEEP is set", file=sys.stderr)
        else:
            remove(places)
        if isinstance(exc, LabError):
            return 1
        raise
    print("lab: up in %.1f s, %s" % (time.monotonic() - begin, places.run))
    return 0


def remove(places):
    """Ends every process of the lab and removes what it made, logs excepted."""
    gw = Host(places, "gw")
    unclean = gateway.stop_daemons(places, gw) if gw.pid() is not None else {}
    killed = kill_all(places)
    shutil.rmtree(places.run, ignore_errors=True)
    if os.path.exists(places.run):
        raise LabError("cannot remove " + places.run)
    for name in ("env", "run", "internet-ca.pem", "culvert-ca.pem", "admin-ca.pem", "both-cas.pem"):
        path = os.path.join(places.lab_dir, name)
        if os.path.lexists(path):
            os.unlink(path)
    return unclean, killed


@locked
def down(places):
    unclean, killed = remove(places)
    await_reaped(killed)
    for name, ended in sorted(unclean.items()):
        print("lab: %s ended with status %s" % (name, ended), file=sys.stderr)
    return 0


def status(places):
    if not is_up(places):
        print("lab: down")
        return 1
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print("lab: up in " + places.run)
    for entry in sorted(os.listdir(places.in_run("proc"))):
        name, dot, suffix = entry.rpartition(".")
        if suffix == "pid" and dot:
            process = Process(Host(places, "gw"), name)
            state = process.pid() or "ended with status %s" % process.status()
            print("  %-20s %s" % (name, state))
    return 0


def _start_one(places, process):
    if process.name in (*DAEMONS, PATH):
        process.launch()
        process.await_up()
    elif process.name == "redis":
        stores.run_redis(process)
    elif process.name == "mariadb":
        stores.launch_mariadb(process)
        stores.mariadb_ready(process)
    elif process.name == "wireguard-gw":
        gateway.start_wireguard_go(process.host, "wg0", "wgd")


def daemon(places, name, action):
    """Exit status: stop 0 only if the program ended with 0; pid 0 only if it runs."""
    if name not in DAEMONS + (PATH, "redis", "mariadb", "wireguard-gw"):
        raise LabError("no program %s" % name)
    host = Host(places, "gw")
    if host.pid() is None:
        raise LabError("not up")
    process = gateway.Daemon(host, name)
    ended = 0
    if action == "pid":
        pid = process.pid()
        print(pid or "")
        return 0 if pid else 1
    if action == "reload":
        process.send(signal.SIGHUP)
        return 0
    if action in ("stop", "restart", "update"):
        ended = process.stop() or 0
    elif action == "kill":
        process.stop(signal.SIGKILL)
    elif action != "start":
        raise LabError("no action %s" % action)
    if ended:
        print("lab: %s ended with status %s" % (name, ended), file=sys.stderr)
    if action == "update":
        gateway.copy_binary(places, "proxyd" if name == PATH else name)
    if action in ("start", "restart", "update"):
        _start_one(places, process)
    return 1 if ended else 0


