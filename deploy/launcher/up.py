# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of the gateway of `make up`."""
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from . import cli, gateway, sample, stores, uplink
from .hosts import Host, await_reaped, kill_all
from .places import (DAEMONS, GATEWAY, PATH, TOP, WG_PORT, LaunchError, Places, make_dir, write_file)
from .process import Process

TOOLS = {
    "redis-server": "redis-server", "redis-cli": "redis-tools", "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server", "mariadb": "mariadb-client", "nft": "nftables",
    "wg": "wireguard-tools", "ip": "iproute2", "setpriv": "util-linux", "qrencode": "qrencode",
}
EXAMPLES = os.path.join(TOP, "deploy", "examples")


class UpPlaces(Places):
    """One gateway per machine."""

    def __init__(self):
        kept = os.path.realpath(os.environ.get("UP_KEPT") or "/var/lib/culvert-up")
        super().__init__(os.path.realpath(os.path.join(TOP, os.environ.get("B") or "build")),
                         "/run/culvert-up", kept, os.path.join(kept, "logs"))

    @property
    def ca(self):
        return self.in_kept("culvert-ca.pem")


def locked(function):
    """One up or down at a time. The lock leaves no file behind."""
    def run(places):
        lock = os.open("/run", os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return function(places)
        finally:
            os.close(lock)
    return run


def _is_up(places):
    return os.path.exists(places.in_run("up")) and Host(places, "gw").pid() is not None


def _check_tools():
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    if missing:
        raise LaunchError("these packages are missing: " + " ".join(sorted(missing)))


def _check_free(places):
    if _is_up(places):
        raise LaunchError("already up. make down stops it")
    if os.path.exists(places.run):
        _remove(places)  # what a gateway that died has left


@locked
def check(places):
    """Before anything is built: is there a reason why it could not come up?"""
    if shutil.which("ip") and shutil.which("nft"):
        _check_free(places)
        uplink.check()
    return 0


def _make_directories(places):
    make_dir(places.run)
    for name in ("hosts", "proc", "etc"):
        make_dir(places.in_run(name))
    make_dir(places.kept)
    make_dir(places.logs)
    for name in os.listdir(places.logs):
        os.unlink(os.path.join(places.logs, name))
    if not os.path.exists(places.in_kept("policy")):
        new = places.in_kept("policy.new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(os.path.join(EXAMPLES, "policy"), new)
        os.rename(new, places.in_kept("policy"))


def _seed(places, endpoint):
    """The policy that is kept, with the endpoint of this time."""
    path = places.in_kept("policy", "seed.json")
    try:
        with open(path, encoding="utf-8") as src:
            seed = json.load(src)
        settings = [s for s in seed.get("settings", []) if s["id"] != "endpoint"]
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as exc:
        raise LaunchError("%s: %s" % (path, getattr(exc, "strerror", None) or exc)) from exc
    seed["settings"] = settings + [{"id": "endpoint", "value": endpoint}]
    return seed


def _write_config(places):
    """The launcher's configuration with the user's lines on top; gives its DNS-over-TLS servers."""
    path = places.in_kept("policy", "culvert.conf")
    text = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as src:
            text = src.read()
    gateway.write_config(places, (path, text))
    config = gateway.read_config(text, path)
    given = config.get("dnsd", "upstreams", fallback="tls://1.1.1.1:853, tls://1.0.0.1:853")
    servers = []
    for word in given.replace(",", " ").split():
        address, _, port = word.partition("#")[0].removeprefix("tls://").rpartition(":")
        if word.startswith("tls://") and port.isdigit():
            servers.append([address, int(port)])
    return [server for server in servers if "[" not in server[0]]  # the uplink has IPv4 only


def _start(places):
    _check_tools()
    _check_free(places)
    uplink.check()
    for name in DAEMONS:
        if not os.access(os.path.join(places.build, "bin", name), os.X_OK):
            raise LaunchError("%s/bin/%s is not built" % (places.build, name))
    link = uplink.find()
    endpoint = os.environ.get("HOST") or link["address"]
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", endpoint):
        raise LaunchError("HOST=%s is no host name or address" % endpoint)
    _make_directories(places)
    try:
        _start_gateway(places, link, endpoint)
    except BaseException:
        _remove(places)
        raise


def _start_gateway(places, link, endpoint):
    host = Host(places, "gw")
    host.start()
    uplink.connect(places, host, link)
    places.provision = (link["inside"], 8000)
    places.admin = (link["inside"], 8443)
    # A name is for others; from this machine an address always leads there.
    places.admin_hosts = tuple(dict.fromkeys((endpoint, link["address"], link["inside"])))
    stores.make_secrets(places)
    gateway.install(places, DAEMONS, places.in_kept("policy", "lists"), _seed(places, endpoint))
    uplink.check_internet(host, link, _write_config(places))
    stores.start_redis(places, host)
    stores.start_mariadb(places, host)
    if gateway.wireguard_kind(host) == "go":
        gateway.start_wireguard_go(host, "wg0", "wgd")
    stores.mariadb_ready(Process(host, "mariadb"))
    gateway.init_ca(places, host, places.ca)
    gateway.start_daemons(places, host, (*DAEMONS, PATH))
    device = sample.make(places, host, endpoint)
    gateway.await_policy(places, host)
    write_file(places.in_run("up"), "")
    _tell(places, endpoint, device)


def admin_url(host):
    return "https://%s:%d" % (sample.bracket(host), uplink.ADMIN_PORT)


def _tell(places, endpoint, device):
    rows = []
    if device.config:
        subprocess.run(["qrencode", "-t", "ANSIUTF8", "-r", device.config], check=False)
        rows.append(("Sample device", "%s (WireGuard; or scan the code)" % device.config))
    else:
        rows.append(("Sample device", "none: " + device.why))
    rows += [
        ("Tunnel", "%s, UDP port %d (make up HOST=name for another endpoint)" % (endpoint, WG_PORT)),
        ("CA to install", places.ca),
        ("Set-up page", "http://%s/ (from a device: certificate, proxy, policies of browsers)" % GATEWAY[0]),
        ("Explicit proxy", "http://%s:8080 (from a device, through its tunnel)" % GATEWAY[0]),
        ("Administration", "%s (certificate: %s)" % (
            admin_url(endpoint), gateway.admin_ca(places))),
    ]
    setup = gateway.setup_link(places)
    if setup:
        rows.append(("Setup link", setup + " (makes the first account)"))
    rows += [
        ("Provisioning API", "http://%s:%d/ (from this machine)" % places.provision),
        ("API key file", places.secret("api-key")),
        ("Policy", places.in_kept("policy")),
        ("Logs", places.logs),
        ("Stop", "make down"),
    ]
    print("Culvert is up.\n")
    for name, text in rows:
        print("  %-17s %s" % (name, text))
    print("\n" + sample.TRY)


@locked
def up(places):
    begin = time.monotonic()
    try:
        _start(places)
    except LaunchError as exc:
        return cli.report(places.program, exc)
    print("\nStarted in %.1f s." % (time.monotonic() - begin))
    return 0


def _remove(places):
    """Ends every process of the gateway and gives the machine back what up took from it."""
    host = Host(places, "gw")
    unclean, killed = {}, set()
    if host.pid() is not None:
        unclean = gateway.stop_daemons(places, host)
        for name in ("wireguard-gw", "mariadb", "redis"):
            try:
                Process(host, name).stop(signal.SIGTERM, 30)
            except LaunchError as exc:
                print("%s: %s" % (places.program, exc), file=sys.stderr)
    if os.path.exists(places.run):
        killed = kill_all(places)
    uplink.remove(places)
    await_reaped(killed)
    shutil.rmtree(places.run, ignore_errors=True)
    if os.path.exists(places.run):
        raise LaunchError("cannot remove " + places.run)
    return unclean


@locked
def down(places):
    if not os.path.exists(places.run) and not (shutil.which("nft") and uplink.has_table()):
        print("culvert: not up")
        return 0
    for name, ended in sorted(_remove(places).items()):
        print("%s: %s ended with status %s" % (places.program, name, ended), file=sys.stderr)
    print("Culvert is down. Devices, CA, policy and logs are kept in %s." % places.kept)
    return 0
