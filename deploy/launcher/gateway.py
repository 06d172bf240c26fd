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
import ssl
import time

from .hosts import start_time
from .places import DAEMONS, PATH, TOP, UIDS, LaunchError, make_dir, write_file
from .process import PATIENCE, Process, wait_until
from .stores import as_uid, read_secret, redis_command

KEEP_ENV = ("ASAN_", "UBSAN_", "LSAN_", "TSAN_", "GCOV_", "LLVM_PROFILE_")
READY_S = 15
CLOCK_SLACK_MS = 20  # the kernel tells of a start in hundredths of a second
POLICY_OWNERS = ("apid", "syncd")
FILTERS = ("wgd", "fwd", "dnsd", "proxyd")


def read_config(text, what):
    """INI text as a parser object; a LaunchError that names what."""
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#", ";"),
                                          default_section="\0", strict=False)
    parser.optionxform = str
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        raise LaunchError("%s: %s" % (what, exc)) from exc
    return parser


def merge_config(text, *extra):
    """The configuration text with further (what, text) pairs put on top, key by key."""
    config = read_config(text, "culvert.conf.in")
    for what, more in extra:
        for section, rows in read_config(more, what).items():
            if section != "\0" and not config.has_section(section):
                config.add_section(section)
            for key, value in rows.items():
                config.set(section, key, value)
    lines = []
    for section in config.sections():
        lines.append("[%s]" % section)
        lines += ["%s = %s" % item for item in config.items(section)] + [""]
    return "\n".join(lines)


def write_config(places, *extra):
    """culvert.conf from the template, with the (what, text) pairs of extra on top."""
    with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "culvert.conf.in"),
              encoding="utf-8") as src:
        text = merge_config(src.read(), *extra)
    for name, value in (("RUN", places.run), ("KEPT", places.kept),
                        ("PROVISION", "%s:%d" % places.provision), ("ADMIN", "%s:%d" % places.admin),
                        ("ADMIN_HOST", ", ".join(places.admin_hosts))):
        text = text.replace("@%s@" % name, value)
    write_file(places.in_run("etc", "culvert.conf"), text)


def install(places, names, lists, seed):
    """Directories and binaries, the lists' directory and the seed, where the daemons' users can
    read them. seed is a document."""
    for kind in ("state", "cache"):
        make_dir(places.in_kept(kind))
        for name in (*DAEMONS, PATH):
            make_dir(places.in_kept(kind, name), 0o700, UIDS[name])
    make_dir(places.in_run("bin"))
    for name in names:
        copy_binary(places, name)
    write_file(places.in_run("etc", "seed.json"), json.dumps(seed, indent=1))
    for source, name in ((lists, "lists"), (os.path.join(TOP, "deploy", "texts"), "texts")):
        shutil.copytree(source, places.in_run(name))
        make_dir(places.in_run(name))
        for file in os.listdir(places.in_run(name)):
            os.chmod(places.in_run(name, file), 0o644)


def copy_binary(places, name):
    source = os.path.join(places.build, "bin", name)
    if not os.access(source, os.X_OK):
        raise LaunchError("%s is not built: make first" % source)
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
        program = ["proxyd", "--path"] if self.name == PATH else [self.name]
        self.start([self.places.in_run("bin", program[0]), *program[1:], "-c",
                    self.places.in_run("etc", "culvert.conf")], env)

    def await_up(self):
        try:
            self.await_ready(self.notified.is_ready, READY_S)
        finally:
            self.notified.close()


def _has_kernel_wireguard():
    name = "culvert-probe"
    made = os.system("ip link add %s type wireguard 2>/dev/null" % name) == 0
    if made:
        os.system("ip link del " + name)
    return made


def wireguard_kind(host, kind="auto"):
    """kernel or go: which one of the two this host is to use."""
    has_kernel = host.call(_has_kernel_wireguard)
    if kind == "kernel" and not has_kernel:
        raise LaunchError("this kernel has no WireGuard")
    if kind == "go" or not has_kernel:
        if not shutil.which("wireguard-go"):
            raise LaunchError("these packages are missing: wireguard-go")
        return "go"
    return "kernel"


def _listens(path):
    """The file alone may be that of a process that was killed."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def start_wireguard_go(host, interface, owner=None):
    """A userspace WireGuard whose socket lies in the host's own /var/run/wireguard."""
    process = Process(host, "wireguard-" + host.name)
    argv = ["wireguard-go", "-f", interface]
    if owner:
        argv = as_uid(owner, *argv, caps="net_admin")
    process.start(argv, dict(_environment(), LOG_LEVEL="error"))
    path = "/proc/%d/root/run/wireguard/%s.sock" % (host.pid(), interface)
    process.await_ready(lambda: _listens(path))
    return process


def init_ca(places, host, copy):
    """proxyd makes its CA as its own user, if it has none; the root is copied for the clients."""
    host.run([places.in_run("bin", "proxyd"), "-c", places.in_run("etc", "culvert.conf"),
              "--init-ca"])
    with open(places.in_kept("state", "proxyd", "ca", "root.pem"), "rb") as src:
        write_file(copy, src.read())


def start_daemons(places, host, names):
    """Starts all at once and waits for each. Forwarding is fwd's to switch on (F8)."""
    daemons = [Daemon(host, name) for name in names]
    for daemon in daemons:
        daemon.launch()
    for daemon in daemons:
        daemon.await_up()


def stop_daemons(places, host, seconds=5):
    """SIGTERM to all; gives name -> exit status of those that did not end well."""
    daemons = [Daemon(host, name) for name in (*DAEMONS, PATH)]
    running = [daemon for daemon in daemons if daemon.pid() is not None]
    for daemon in running:
        daemon.send(signal.SIGTERM)
    deadline = time.monotonic() + seconds * PATIENCE
    while not all(d.has_ended() for d in running) and time.monotonic() < deadline:
        time.sleep(0.02)
    return {d.name: d.status() if d.has_ended() else "none, killed" for d in running
            if d.status() != 0}


def _post(where, key, document):
    client = http.client.HTTPConnection(*where, timeout=10)
    client.request("POST", "/", json.dumps(document),
                   {"x-api-key": key, "Content-Type": "application/json"})
    answer = client.getresponse()
    return [answer.status, answer.read().decode("utf-8", "replace")]


def admin_ca(places):
    """File of the certificate that the administration's is signed by."""
    return places.in_kept("state", "apid", "admin-ca.pem")


def setup_link(places):
    """The link that makes the first account; None when there is one."""
    try:
        with open(places.in_kept("state", "apid", "setup-link"), encoding="ascii") as src:
            return src.read().strip()
    except FileNotFoundError:
        return None


def _administer(where, ca, method, path, document, headers):
    context = ssl.create_default_context(cadata=ca)
    client = http.client.HTTPSConnection(*where, timeout=15, context=context)
    client.request(method, path, None if document is None else json.dumps(document),
                   dict(headers, **({} if document is None else {"Content-Type": "application/json"})))
    answer = client.getresponse()
    return [answer.status, answer.read().decode("utf-8", "replace"), answer.headers.get_all("Set-Cookie") or []]


def administer(places, host, method, path, document=None, session=None):
    """One call of the administration's API: [HTTP status, body, cookies]. session is make_owner's."""
    with open(admin_ca(places), encoding="ascii") as src:
        return host.call(_administer, places.admin, src.read(), method, path, document, session or {})


def make_owner(places, host, user, password):
    """The first account, by the setup link; gives the headers of its session."""
    link = wait_until("a setup link", lambda: setup_link(places), 10, places.log("apid"))
    status, text, cookies = administer(places, host, "POST", "/auth/setup", {
        "token": link.rsplit("/", 1)[1], "user": user, "password": password})
    if status != 200:
        raise LaunchError("setup: %d %s" % (status, text), places.log("apid"))
    return {"Cookie": "; ".join(cookie.split(";")[0] for cookie in cookies), "X-CSRF-Token": json.loads(text)["csrf"]}


def enrolment_link(places, host, session, device):
    """The one-time link of a device; None when there is no such device."""
    status, text, _ = administer(places, host, "POST", "/api/v1/devices/%s/enrolment" % device, session=session)
    if status not in (201, 404):
        raise LaunchError("enrolment of %s: %d %s" % (device, status, text), places.log("apid"))
    return json.loads(text)["url"] if status == 201 else None


class Refused(LaunchError):
    """apid answered that it will not."""


def provision(places, host, document):
    """One provisioning call as K's app makes it: [HTTP status, body]."""
    return host.call(_post, places.provision, read_secret(places, "api-key"), document)


def provision_device(places, host, name, public_key, address):
    """wg_upsert until it succeeds: wgd may still be taking its first policy. A Refused when apid
    will not have it."""
    last = []

    def attempt():
        try:
            last[:] = provision(places, host, {
                "task": "wg_upsert", "id": name, "publicKey": public_key, "address": address})
        except LaunchError as exc:
            last[:] = [0, str(exc)]
        if last[0] not in (0, 200, 503):
            raise Refused("wg_upsert %s: %d %s" % (name, last[0], last[1]), places.log("apid"))
        return last[0] == 200
    try:
        wait_until("wg_upsert " + name, attempt, 10, places.log("apid"))
    except Refused:
        raise
    except LaunchError as exc:
        raise LaunchError("%s (last answer %s)" % (exc, last), exc.log) from exc


def _generations(places, host, owner):
    """Topic -> generation that the owner has published."""
    lines = redis_command(places, host, "HGETALL", "culvert:gens:" + owner).splitlines()
    return {lines[i]: json.loads(lines[i + 1])["gen"] for i in range(0, len(lines) - 1, 2)}


def _began_ms(pid):
    """When the process began, as its clock says."""
    ago = time.clock_gettime(time.CLOCK_BOOTTIME) - (start_time(pid) or 0) / os.sysconf("SC_CLK_TCK")
    return (time.time() - ago) * 1000


def lagging(places, host):
    """Which running daemon has not yet in force what is published, as its status says: texts."""
    running = {name: pid for name in (*DAEMONS, PATH) if (pid := Process(host, name).pid()) is not None}
    published = {owner: _generations(places, host, owner) for owner in DAEMONS}
    late = []
    for name, pid in running.items():
        text = redis_command(places, host, "GET", "culvert:status:" + ("proxyd:path1" if name == PATH else name + ":1"))
        if not text:
            late.append(name + " has no status")
            continue
        status = json.loads(text)
        if status.get("at", _began_ms(pid)) < _began_ms(pid) - CLOCK_SLACK_MS:
            late.append(name + " has said nothing since it began")
            continue
        applied = status.get("applied", {})
        for key, mirror in status.get("topics", {}).items():
            topic, owner = key.split(":")
            want = published[owner].get(topic, 0) if owner in POLICY_OWNERS else 0
            # Some never say what they have in force; a filter that has not said it has nothing in force yet.
            unsaid = 0 if key == "devices:apid" and name in FILTERS else mirror["gen"]
            have = min(mirror["gen"], applied.get(key, unsaid))
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
    except LaunchError as exc:
        raise LaunchError("%s: %s" % (exc, "; ".join(late)),
                       places.log(late[0].split()[0])) from exc
