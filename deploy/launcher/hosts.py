# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts: per host a process that holds a network and a mount namespace."""
import ctypes
import json
import os
import signal
import stat
import subprocess
import time

from .places import UIDS, LaunchError, write_file

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000
MS_NOSUID = 2
TUN_DEVICE = (10, 200)

_libc = ctypes.CDLL(None, use_errno=True)


def _check(rc, what):
    if rc != 0:
        err = ctypes.get_errno()
        raise OSError(err, "%s: %s" % (what, os.strerror(err)))


def _unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def _setns(path, flag):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(fd, flag), "setns " + path)
    finally:
        os.close(fd)


def _mount(source, target, kind=None, flags=0, data=None):
    def enc(text):
        return None if text is None else text.encode()
    _check(_libc.mount(enc(source), enc(target), enc(kind), ctypes.c_ulong(flags), enc(data)),
           "mount " + target)


def _stat(pid):
    """Fields of /proc/PID/stat from the state on, or None."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as src:
            return src.read().rpartition(")")[2].split()
    except OSError:
        return None


def start_time(pid):
    """Start time of a process in clock ticks, or None; with the pid it names one process."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def _private_run(places, host):
    """A /run of the host's own: WireGuard's sockets lie below a fixed path there."""
    keep = [name for name in ("user", "lock") if os.path.isdir("/run/" + name)]
    staging = places.in_run("hosts", host)
    _mount("culvert", staging, "tmpfs", MS_NOSUID, "mode=0755,size=256m")
    for name in keep + [os.path.basename(places.run)]:
        os.mkdir(os.path.join(staging, name), 0o755)
        _mount("/run/" + name, os.path.join(staging, name), None, MS_BIND | MS_REC)
    os.mkdir(staging + "/wireguard", 0o700)
    if host == "gw":
        os.chown(staging + "/wireguard", UIDS["wgd"], UIDS["wgd"])
    os.mknod(staging + "/tun", 0o666 | stat.S_IFCHR, os.makedev(*TUN_DEVICE))
    os.chmod(staging + "/tun", 0o666)
    _mount(staging, "/run", None, MS_BIND | MS_REC)
    if os.path.exists("/dev/net/tun"):
        _mount("/run/tun", "/dev/net/tun", None, MS_BIND)


def _private_etc(places, host):
    for name in ("resolv.conf", "hosts"):
        target = os.path.realpath("/etc/" + name)
        if target.startswith("/run/"):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "a", encoding="ascii"):
                pass
        source = places.in_run("etc", host + "." + name)
        if os.path.exists(source) and os.path.exists(target):
            _mount(source, target, None, MS_BIND)


def _become_holder(places, host, report):
    """In the child: never returns."""
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        _unshare(CLONE_NEWNS | CLONE_NEWNET)
        _mount(None, "/", None, MS_REC | MS_SLAVE)
        _private_run(places, host)
        _private_etc(places, host)
        os.chdir("/")
        os.execv("/usr/bin/sleep", ["%s-%s" % (os.path.basename(places.run), host), "infinity"])
    except BaseException as exc:  # pylint: disable=broad-except
        os.write(report, ("%s: %s" % (host, exc)).encode())
        os._exit(1)


class Host:
    """One host. The holder's pid names its namespaces."""

    def __init__(self, places, name):
        self.places = places
        self.name = name

    def _state(self):
        return self.places.in_run("hosts", self.name + ".json")

    def start(self):
        """Makes the namespaces; returns when the mounts are in place."""
        os.makedirs(self.places.in_run("hosts", self.name), exist_ok=True)
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            # A second fork makes init the parent, so that nobody has to wait for it.
            inner = os.fork()
            if inner == 0:
                _become_holder(self.places, self.name, write_end)
            os.write(write_end, b"pid %d\n" % inner)
            os._exit(0)
        os.waitpid(pid, 0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as src:
            first, _, error = src.read().decode().partition("\n")
        if error or not first.startswith("pid "):
            raise LaunchError("cannot make host %s: %s" % (self.name, error or first))
        holder = int(first[4:])
        state = {"pid": holder, "start": start_time(holder)}
        for kind in ("net", "mnt"):
            state[kind] = os.stat("/proc/%d/ns/%s" % (holder, kind)).st_ino
        write_file(self._state(), json.dumps(state))

    def state(self):
        try:
            with open(self._state(), encoding="ascii") as src:
                return json.load(src)
        except (OSError, ValueError):
            return None

    def pid(self):
        """The holder's pid, or None when the host is not up."""
        state = self.state()
        if state is None or start_time(state["pid"]) != state["start"]:
            return None
        return state["pid"]

    def enter(self):
        """Moves the calling (single-threaded) process into the host."""
        pid = self.pid()
        if pid is None:
            raise LaunchError("host %s is not up (%s)" % (
                self.name, self.places.start_with))
        here = os.getcwd()
        _setns("/proc/%d/ns/net" % pid, CLONE_NEWNET)
        _setns("/proc/%d/ns/mnt" % pid, CLONE_NEWNS)
        try:
            os.chdir(here)
        except OSError:
            os.chdir("/")

    def popen(self, argv, **kwargs):
        return subprocess.Popen(argv, preexec_fn=self.enter, **kwargs)

    def run(self, argv, text=None, check=True, timeout=60):
        """Runs a command in the host; stdout as text. A failure is a LaunchError with its stderr."""
        done = subprocess.run(argv, preexec_fn=self.enter, input=text, text=True, timeout=timeout,
                              capture_output=True, check=False)
        if check and done.returncode != 0:
            raise LaunchError("%s: %s: status %d: %s" % (
                self.name, " ".join(argv[:4]), done.returncode,
                (done.stderr or done.stdout).strip()))
        return done.stdout

    def call(self, function, *args):
        """Runs function(*args) in the host in a child; gives what it returns (JSON)."""
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                self.enter()
                answer = {"result": function(*args)}
            except BaseException as exc:  # pylint: disable=broad-except
                answer = {"error": "%s: %s" % (type(exc).__name__, exc)}
            try:
                os.write(write_end, json.dumps(answer).encode())
            finally:
                os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as src:
            data = src.read()
        os.waitpid(pid, 0)
        answer = json.loads(data or '{"error": "died"}')
        if "error" in answer:
            raise LaunchError("%s: %s" % (self.name, answer["error"]))
        return answer["result"]


def _is_ours(pid, places, namespaces):
    """Whether pid lives in one of namespaces: (kind, inode) -> whether its holder lives."""
    for kind in ("net", "mnt"):
        try:
            inode = os.stat("/proc/%d/ns/%s" % (pid, kind)).st_ino
            if (kind, inode) not in namespaces:
                continue
            if namespaces[kind, inode]:
                return True
            # Without its holder the number may have been given to another namespace.
            with open("/proc/%d/mountinfo" % pid, encoding="utf-8", errors="replace") as src:
                return places.run in src.read()
        except OSError:
            continue
    return False


def kill_all(places):
    """Kills everything that lives in the hosts' namespaces, the holders last; gives the pids."""
    namespaces, holders = {}, set()
    for state in (Host(places, name).state() for name in places.hosts):
        if state is None:
            continue
        lives = start_time(state["pid"]) == state["start"]
        namespaces.update({(kind, state[kind]): lives for kind in ("net", "mnt")})
        if lives:
            holders.add(state["pid"])
    killed = set()
    deadline = time.monotonic() + 10
    while namespaces:
        left = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if pid != os.getpid() and start_time(pid) is not None and
                _is_ours(pid, places, namespaces)]
        if not left:
            break
        if time.monotonic() > deadline:
            raise LaunchError("processes do not die: %s" % left)
        for pid in [pid for pid in left if pid not in holders] or left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            killed.add(pid)
        time.sleep(0.01)
    return killed


def await_reaped(pids, seconds=5):
    """Waits until init has reaped them: until then ps shows them as defunct."""
    def is_left(pid):
        fields = _stat(pid)
        return fields is not None and fields[1] == "1"

    deadline = time.monotonic() + seconds
    while any(is_left(pid) for pid in pids):
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)
