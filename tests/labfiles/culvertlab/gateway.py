# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's daemons: configuration, start, readiness, and the launcher's WireGuard duty."""
import configparser
import http.client
import json
import os
import select
import shutil
import signal
import socket
import time

from .places import DAEMONS, GATEWAY, UIDS, LabError, make_dir, write_file
from .process import Process, wait_until
from .scenery import site_addresses
from .stores import as_uid, read_secret, redis_command

KEEP_ENV = ("ASAN_", "UBSAN_", "LSAN_", "TSAN_", "GCOV_", "LLVM_PROFILE_")
READY_S = 15
POLICY_OWNERS = ("apid", "syncd")


def wanted_daemons():
    """The daemons to start, in the order of DAEMONS; LAB_DAEMONS narrows them."""
    text = os.environ.get("LAB_DAEMONS")
    if text is None:
        return list(DAEMONS)
    words = text.replace(",", " ").split()
    for word in words:
        if word not in DAEMONS:
            raise LabError("LAB_DAEMONS: %s is no daemon" % word)
    return [name for name in DAEMONS if name in words]


def _read_config(text, what):
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#", ";"),
                                          default_section="\0", strict=False)
    parser.optionxform = str
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        raise LabError("%s: %s" % (what, exc)) from exc
    return parser


def write_config(places):
    """culvert.conf from the template, with the lines of LAB_CONF_EXTRA (text or @FILE) on top."""
    with open(os.path.join(places.files, "culvert.conf.in"), encoding="utf-8") as src:
        config = _read_config(src.read().replace("@RUN@", places.run), "culvert.conf.in")
    extra = os.environ.get("LAB_CONF_EXTRA", "")
    if extra.startswith("@"):
        with open(extra[1:], encoding="utf-8") as src:
            extra = src.read()
    extra = extra.replace("@RUN@", places.run)
    for section, rows in _read_config(extra, "LAB_CONF_EXTRA").items():
        if section != "\0" and not config.has_section(section):
            config.add_section(section)
        for key, value in rows.items():
            config.set(section, key, value)
    lines = []
    for section in config.sections():
        lines.append("[%s]" % section)
        lines += ["%s = %s" % item for item in config.items(section)] + [""]
    write_file(places.in_run("etc", "culvert.conf"), "\n".join(lines))


def install(places, names):
    """Directories, binaries, seed and lists, where the daemons' users can read them."""
    for kind in ("state", "cache"):
        make_dir(places.in_run(kind))
        for name in DAEMONS:
            make_dir(places.in_run(kind, name), 0o700, UIDS[name])
    make_dir(places.in_run("bin"))
    for name in names:
        copy_binary(places, name)
    seed = os.environ.get("LAB_SEED") or os.path.join(places.files, "seed.json")
    with open(seed, encoding="utf-8") as src:
        write_file(places.in_run("etc", "seed.json"), json.dumps(json.load(src), indent=1))
    shutil.copytree(os.path.join(places.files, "lists"), places.in_run("lists"))
    make_dir(places.in_run("lists"))
    for name in os.listdir(places.in_run("lists")):
        os.chmod(places.in_run("lists", name), 0o644)


def copy_binary(places, name):
    source = os.path.join(places.build, "bin", name)
    if not os.access(source, os.X_OK):
        raise LabError("%s is not built: make first, or narrow LAB_DAEMONS" % source)
    target = places.in_run("bin", name)
    shutil.copyfile(source, target + ".new")
    os.chmod(target + ".new", 0o755)
    os.rename(target + ".new", target)


def _environment():
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    env.update({k: v for k, v in os.environ.items() if k.startswith(KEEP_ENV)})
    return env


class Notified:
    """The socket on which a program says READY=1 (sd_notify)."""

    def __init__(self, path):
        self.path = path
        if os.path.exists(path):
            os.unlink(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.ready = False

    def is_ready(self):
        while not self.ready and select.select([self.sock], [], [], 0.05)[0]:
            self.ready = b"READY=1" in self.sock.recv(4096).split(b"\n")
        return self.ready

    def close(self):
        self.sock.close()
        os.unlink(self.path)


class Daemon(Process):
    """One Culvert daemon."""

    def launch(self):
        """Starts it; await_up waits for its word that it is ready."""
        self.notified = Notified(self.places.in_run("proc", self.name + ".notify"))
        env = dict(_environment(), NOTIFY_SOCKET=self.notified.path)
        self.start([self.places.in_run("bin", self.name), "-c",
                    self.places.in_run("etc", "culvert.conf")], env)

    def await_up(self):
        try:
            self.await_ready(self.notified.is_ready, READY_S)
        finally:
            self.notified.close()


def _has_kernel_wireguard():
    name = "lab-probe"
    made = os.system("ip link add %s type wireguard 2>/dev/null" % name) == 0
    if made:
        os.system("ip link del " + name)
    return made


def wireguard_kind(host):
    """kernel or go, by LAB_WG or by what this kernel can do."""
    kind = os.environ.get("LAB_WG", "auto")
    if kind not in ("auto", "kernel", "go"):
        raise LabError("LAB_WG is auto, kernel or go")
    has_kernel = host.call(_has_kernel_wireguard)
    if kind == "kernel" and not has_kernel:
        raise LabError("LAB_WG=kernel: this kernel has no WireGuard")
    if kind == "go" or not has_kernel:
        if not shutil.which("wireguard-go"):
            raise LabError("these packages are missing: wireguard-go")
        return "go"
    return "kernel"


def start_wireguard_go(host, interface, owner=None):
    """A userspace WireGuard whose socket lies in the host's own /var/run/wireguard."""
    process = Process(host, "wireguard-" + host.name)
    argv = ["wireguard-go", "-f", interface]
    if owner:
        argv = as_uid(owner, *argv, caps="net_admin")
    process.start(argv, dict(_environment(), LOG_LEVEL="error"))
    path = "/proc/%d/root/run/wireguard/%s.sock" % (host.pid(), interface)
    process.await_ready(lambda: os.path.exists(path))
    return process


def init_ca(places, host):
    """proxyd makes its CA as its own user; the root is copied for the clients."""
    host.run([places.in_run("bin", "proxyd"), "-c", places.in_run("etc", "culvert.conf"),
              "--init-ca"])
    shutil.copyfile(places.in_run("state", "proxyd", "ca", "root.pem"),
                    os.path.join(places.lab_dir, "culvert-ca.pem"))


def start_daemons(places, host, names):
    """Starts all at once and waits for each. Forwarding is fwd's to switch on (F8)."""
    if "proxyd" in names:
        init_ca(places, host)
    daemons = [Daemon(host, name) for name in names]
    for daemon in daemons:
        daemon.launch()
    for daemon in daemons:
        daemon.await_up()


def stop_daemons(places, host, seconds=5):
    """SIGTERM to all; gives name -> exit status of those that did not end well."""
    daemons = [Daemon(host, name) for name in DAEMONS]
    running = [daemon for daemon in daemons if daemon.pid() is not None]
    for daemon in running:
        daemon.send(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(d.pid() is not None for d in running) and time.monotonic() < deadline:
        time.sleep(0.02)
    return {d.name: d.status() if d.pid() is None else "none, killed" for d in running
            if d.status() != 0}


def _post(key, document):
    client = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
    client.request("POST", "/", json.dumps(document),
                   {"x-api-key": key, "Content-Type": "application/json"})
    answer = client.getresponse()
    return [answer.status, answer.read().decode("utf-8", "replace")]


def provision(places, host, document):
    """One provisioning call as K's app makes it: [HTTP status, body]."""
    return host.call(_post, read_secret(places, "api-key"), document)


def provision_device(places, host, name, public_key, address):
    """wg_upsert until it succeeds: wgd may still be taking its first policy."""
    last = []

    def attempt():
        try:
            last[:] = provision(places, host, {
                "task": "wg_upsert", "id": name, "publicKey": public_key, "address": address})
        except LabError as exc:
            last[:] = [0, str(exc)]
        if last[0] not in (0, 200, 503):
            raise LabError("wg_upsert %s: %d %s" % (name, last[0], last[1]), places.log("apid"))
        return last[0] == 200
    try:
        wait_until("wg_upsert " + name, attempt, 10, places.log("apid"))
    except LabError as exc:
        raise LabError("%s (last answer %s)" % (exc, last), exc.log) from exc


def _connects(address, port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def _resolves(host, name, want):
    text = host.run(["dig", "+short", "+tries=1", "+time=1", "@" + GATEWAY[0], name, "A"],
                    check=False)
    return want in text.split()


def _generations(places, host, owner):
    """Topic -> generation that the owner has published."""
    lines = redis_command(places, host, "HGETALL", "culvert:gens:" + owner).splitlines()
    return {lines[i]: json.loads(lines[i + 1])["gen"] for i in range(0, len(lines) - 1, 2)}


def lagging(places, host):
    """Which running daemon has not yet in force what is published, as its status says: texts."""
    running = [name for name in DAEMONS if Process(host, name).pid() is not None]
    published = {owner: _generations(places, host, owner) for owner in DAEMONS}
    late = []
    for name in running:
        text = redis_command(places, host, "GET", "culvert:status:%s:1" % name)
        if not text:
            late.append(name + " has no status")
            continue
        status = json.loads(text)
        applied = status.get("applied", {})
        for key, mirror in status.get("topics", {}).items():
            topic, owner = key.split(":")
            want = published[owner].get(topic, 0) if owner in POLICY_OWNERS else 0
            have = min(mirror["gen"], applied.get(key, mirror["gen"]))
            if have < want:
                late.append("%s has %s at %d of %d" % (name, key, have, want))
    return late


def await_policy(places, host, seconds=15):
    """Waits until every running daemon enforces what is published."""
    late = []

    def is_settled():
        late[:] = lagging(places, host)
        return not late
    try:
        wait_until("policy in force", is_settled, seconds)
    except LabError as exc:
        raise LabError("%s: %s" % (exc, "; ".join(late)),
                       places.log(late[0].split()[0])) from exc


def await_service(places, hosts, names):
    """Waits until a device gets what the policy says, for what the daemons at hand can give."""
    if names:
        await_policy(places, hosts["gw"])
    if not {"wgd", "fwd", "apid"} <= set(names):
        return
    phone = hosts["phone"]
    if "dnsd" in names:
        wait_until("phone: DNS answers", lambda: _resolves(
            phone, "allowed.example", site_addresses("allowed.example")[0]), 10,
            places.log("dnsd"))
        if "syncd" in names:
            wait_until("phone: list adblock in force", lambda: _resolves(
                phone, "ads.listed.example", "0.0.0.0"), 10, places.log("dnsd"))
    if "proxyd" in names:
        wait_until("phone: proxy accepts", lambda: phone.call(_connects, GATEWAY[0], 8080), 10,
                   places.log("proxyd"))
