# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian that boots: its systemd is the first process of a container (systemd-nspawn) whose network is the
lab's gw, so that the lab's devices, LAN and Internet are around it. The packages are installed into it as
anybody installs them."""
import copy
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import time

from lablib import Lab
from culvertlab import clients, gateway, life
from culvertlab.places import DAEMONS, Places, make_dir, write_file
from launcher.hosts import CLONE_NEWNET, CLONE_NEWNS, Host, _setns, await_reaped, kill_all, start_time
from launcher.places import LaunchError
from launcher.process import wait_until
from walklib import recovery

PASSWORD = "a long enough password"
TEMPLATES = ("dnsd", "proxyd", "apid")
# What the tests use in it besides the packages' own dependencies.
EXTRA = ("systemd-sysv", "dbus", "udev", "wireguard-go", "wireguard-tools", "iputils-ping", "logrotate", "adduser",
         "findutils", "nginx-light", "openssl", "coturn")
INTERNET_CA = "/etc/lab-internet-ca.pem"
CONFIG = r"s,^#\(upstream_ca\|list_ca\) = .*,\1 = %s," % INTERNET_CA


BUILD = Places().build


def package(name, previous=False):
    """The file of a package: this version's, or that of the version before."""
    found = glob.glob(os.path.join(BUILD, *["previous"] * previous, name + "_*.deb"))
    assert len(found) == 1, "make deb first, once: %s" % found
    return found[0]


def version(path):
    return subprocess.run(["dpkg-deb", "-f", path, "Version"], text=True, capture_output=True,
                          check=True).stdout.strip()


def unit_of(name):
    """The unit of a daemon (its first process) or of redis, mariadb, wireguard-gw."""
    if name in TEMPLATES:
        return "culvert-%s@1.service" % name
    return {"mariadb": "mariadb.service", "wireguard-gw": "culvert-wireguard@wg0.service"}.get(
        name, "culvert-%s.service" % name)


class Image:
    """The root that every boot begins with: a Debian of this machine's release with what the package depends
    on, made once per build directory and set of dependencies."""

    def __init__(self, build, package):
        depends = subprocess.run(["dpkg-deb", "-f", package, "Depends"], text=True, capture_output=True,
                                 check=True).stdout
        self.names = sorted({re.split(r"[ (|]", d.strip())[0] for d in depends.split(",")} | set(EXTRA))
        digest = hashlib.sha256(" ".join(self.names).encode()).hexdigest()[:12]
        self.path = os.path.join(build, "systemd-root-" + digest)
        self.log = os.path.join(build, "systemd-root.log")

    def make(self):
        if os.path.exists(self.path):
            return
        new = self.path + ".new"
        shutil.rmtree(new, ignore_errors=True)
        with open("/etc/os-release", encoding="ascii") as src:
            codename = re.search(r"^VERSION_CODENAME=(\w+)", src.read(), re.M).group(1)
        sites = self._run("apt-get", "indextargets", "--format", "$(SITE) $(SUITE) $(RELEASE)",
                          "Created-By: Packages").split("\n")
        site = next(line.split()[0] for line in sites if codename in line.split()[1:])
        self._run("debootstrap", "--variant=minbase", codename, new, site)
        for name in os.listdir("/etc/apt/sources.list.d"):
            if name.startswith("debian") and name.endswith((".sources", ".list")):
                shutil.copy("/etc/apt/sources.list.d/" + name, new + "/etc/apt/sources.list.d/")
        write_file(new + "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        self._run("chroot", new, "apt-get", "update", "-qq")
        self._run("chroot", new, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq",
                  "--no-install-recommends", *self.names)
        os.unlink(new + "/usr/sbin/policy-rc.d")
        # nginx' first site listens everywhere on port 80, where the gateway's own pages are.
        os.unlink(new + "/etc/nginx/sites-enabled/default")
        for name in ("nginx", "redis-server", "coturn"):
            self._run("chroot", new, "systemctl", "-q", "disable", name)
        os.rename(new, self.path)

    def _run(self, *argv):
        with open(self.log, "a", encoding="utf-8") as log:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                                  check=False)
            log.write(done.stdout)
        if done.returncode != 0:
            raise LaunchError("%s: status %d" % (" ".join(argv[:4]), done.returncode), self.log)
        return done.stdout


class BootedPlaces(Places):
    """The lab's, with the gateway's files where a package has them."""

    admin = ("203.0.113.2", 8443)
    bus_user = "operator"
    bus_socket = "/run/culvert/redis.sock"
    root = None

    def in_root(self, *parts):
        return os.path.join(self.root, *parts)

    def in_kept(self, *parts):
        return self.in_root(*{"secrets": ("etc", "culvert", "secrets"), "state": ("var", "lib", "culvert")}[parts[0]],
                            *parts[1:])

    def in_run(self, *parts):
        if parts in (("etc", "seed.json"), ("etc", "culvert.conf")):
            return self.in_root("etc", "culvert", parts[1])
        if parts[0] == "lists":
            return self.in_root("etc", "culvert", *parts)
        return super().in_run(*parts)


class BootedHost(Host):
    """The container: its first process's network and mounts."""

    leader = None

    def pid(self):
        return self.leader

    def enter(self):
        _setns("/proc/%d/ns/net" % self.leader, CLONE_NEWNET)
        _setns("/proc/%d/ns/mnt" % self.leader, CLONE_NEWNS)
        os.chdir("/")

    def call(self, function, *args):
        """In its network only: Python and its modules are this machine's."""
        return _NetworkOf(self).call(function, *args)


class _NetworkOf(Host):
    def __init__(self, host):
        super().__init__(host.places, host.name)
        self.leader = host.leader

    def enter(self):
        _setns("/proc/%d/ns/net" % self.leader, CLONE_NEWNET)


class BootedLab(Lab):
    """The lab with a booted gw."""

    def __init__(self, folder, image, evidence, name="systemd"):
        super().__init__(folder)
        self.places = BootedPlaces(self.env)
        self.hosts["gw"] = BootedHost(self.places, "gw")
        self.image = image
        self.console = os.path.join(evidence, name + ".log")
        self.session = self.nspawn = None
        self.holder = Host(self.places, "gw")
        self.places.root = self.places.in_run("root")

    @classmethod
    def attached(cls, text):
        """The one that another process has started and told of by ticket()."""
        ticket = json.loads(text)
        one = cls(ticket["folder"], None, os.path.dirname(ticket["console"]))
        one.hosts["gw"].leader = ticket["leader"]
        return one

    def ticket(self):
        return json.dumps({"folder": self.dir, "console": self.console, "leader": self.hosts["gw"].leader})

    # ---- its life ----

    def start(self):
        """The world, and a machine in it that has booted; nothing of Culvert yet."""
        hosts = life.start_world(self.places)
        clients.make_keys(self.places)
        clients.start_interfaces(self.places, hosts, gateway.wireguard_kind(hosts["phone"]))
        layers = make_dir(self.places.in_run("layers"))
        make_dir(self.places.root)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3g,mode=0755", "culvert-test", layers], check=True)
        for name in ("upper", "work"):
            make_dir(os.path.join(layers, name))
        subprocess.run(["mount", "-t", "overlay", "-o", "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (
            self.image.path, layers, layers), "culvert-test", self.places.root], check=True)
        shutil.copy(self.file("internet-ca.pem"), self.places.in_root(INTERNET_CA.lstrip("/")))
        self.boot()

    def boot(self):
        with open(self.console, "ab") as log:
            self.nspawn = subprocess.Popen(
                ["systemd-nspawn", "-q", "-D", self.places.root, "--register=no", "--keep-unit", "-M", "gw-" + self.places.id,
                 "--network-namespace-path=/proc/%d/ns/net" % self.holder.pid(), "--capability=CAP_NET_ADMIN", "--resolv-conf=off",
                 "--bind=/dev/net/tun", "--console=pipe", "-b"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=self._enter_cgroup,
                env=dict(os.environ, SYSTEMD_NSPAWN_API_VFS_WRITABLE="network"))
        self.hosts["gw"].leader = wait_until("the first process", self._find_leader, 30, self.console)
        wait_until("the system runs", lambda: self.system_state() in ("running", "degraded"), 120, self.console)

    def _cgroups(self):
        """One of its own in each tree that systemd uses: two machines would mistake each other's units for theirs."""
        name = "culvert-boot-" + self.places.id
        trees = [t for t in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified") if os.path.isdir(t)] or ["/sys/fs/cgroup"]
        return [os.path.join(tree, name) for tree in trees]

    def _enter_cgroup(self):
        for path in self._cgroups():
            os.makedirs(path, exist_ok=True)
            with open(path + "/cgroup.procs", "w", encoding="ascii") as out:
                out.write("0")

    def _drop_cgroups(self):
        for top in self._cgroups():
            for path, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:  # what ends at the last moment: the next boot's name is another
                    pass

    def _find_leader(self):
        """The one of nspawn's children that is a first process and has become systemd."""
        assert self.nspawn.poll() is None, "systemd-nspawn ended: see " + self.console
        with open("/proc/%d/task/%d/children" % (self.nspawn.pid, self.nspawn.pid), encoding="ascii") as src:
            children = src.read().split()
        for pid in children:
            with open("/proc/%s/status" % pid, encoding="ascii") as src:
                if re.search(r"^Name:\s+systemd$.*^NSpid:.*\s1$", src.read(), re.M | re.S):
                    return int(pid)
        return None

    def system_state(self):
        return self.inside("systemctl", "is-system-running", check=False).stdout.strip()

    def shut_down(self):
        if self.nspawn.poll() is None and self.hosts["gw"].leader:
            self.inside("systemctl", "--no-block", "poweroff", check=False)
        try:
            self.nspawn.wait(90 if self.hosts["gw"].leader else 0)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()
        self.hosts["gw"].leader = None
        self._forget_kernel()

    def _forget_kernel(self):
        """What a machine that is switched off forgets; the network namespace is the lab's and goes on."""
        subprocess.run(["sh", "-c", "nft flush ruleset; for i in $(ls /sys/class/net); do case $i in wg*) ip link delete $i ;; esac; "
                        "done; conntrack -F; sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0"],
                       preexec_fn=self.holder.enter, check=False, capture_output=True)

    def close(self):
        if self.nspawn and self.nspawn.poll() is None:
            self.shut_down()
        await_reaped(kill_all(self.places))
        self._drop_cgroups()
        for path in (self.places.root, self.places.in_run("layers")):
            subprocess.run(["umount", "-l", path], check=False, capture_output=True)
        shutil.rmtree(self.places.run, ignore_errors=True)

    # ---- inside ----

    def inside(self, *argv, check=True, data=None, timeout=300):
        """A command in the container, with its processes; the finished process, stderr in stdout."""
        with open(self.console, "a", encoding="utf-8") as log:
            log.write("# %s\n" % " ".join(argv))
        done = subprocess.run(
            ["nsenter", "--target", str(self.hosts["gw"].leader), "--all", "--", "env", "-i", "-C", "/",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", *argv],
            input=data, stdin=None if data is not None else subprocess.DEVNULL, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
        with open(self.console, "a", encoding="utf-8") as log:
            log.write("%s# status %d\n" % (done.stdout, done.returncode))
        assert not check or done.returncode == 0, "%s: status %d\n%s" % (
            " ".join(argv), done.returncode, done.stdout)
        return done

    def copy_in(self, path):
        """A file of this machine, where the container has it."""
        shutil.copy(path, self.places.in_root("srv"))
        return "/srv/" + os.path.basename(path)

    def install(self, *packages):
        """dpkg --install of files of this machine."""
        return self.inside("dpkg", "--install", *[self.copy_in(path) for path in packages]).stdout

    def prepare_policy(self):
        """The lab's policy and lists, and its Internet's CA, in the configuration that setup made."""
        etc = self.places.in_root("etc", "culvert")
        shutil.copy(os.path.join(self.places.files, "seed.json"), etc + "/seed.json")
        for name in os.listdir(os.path.join(self.places.files, "lists")):
            shutil.copy(os.path.join(self.places.files, "lists", name), etc + "/lists")
        self.inside("sed", "-i", CONFIG, "/etc/culvert/culvert.conf")

    def connect(self):
        """The first account and the devices, as in the lab."""
        self.session = gateway.make_owner(self.places, self.hosts["gw"], life.ADMIN_USER, PASSWORD)
        write_file(self.file("env"), "ADMIN_URL=https://%s:%d\nADMIN_USER=%s\nADMIN_PASSWORD=%s\n" % (
            *self.places.admin, life.ADMIN_USER, PASSWORD), 0o600)
        shutil.copyfile(gateway.admin_ca(self.places), self.file("admin-ca.pem"))
        shutil.copyfile(self.places.in_kept("state", "proxyd", "ca", "root.pem"), self.file("culvert-ca.pem"))
        clients.connect_clients(self.places, self.hosts, self.session)
        self.settle()

    # ---- what suites ask of a lab ----

    def settle(self, seconds=30):
        self.note_pids()
        super().settle(seconds)

    def note_pids(self):
        """Where the lab's tools look for the daemons' processes."""
        groups, mine = {}, os.stat("/proc/%d/ns/pid" % self.hosts["gw"].leader).st_ino
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cgroup" % pid, encoding="ascii", errors="replace") as src:
                    found = re.search(r"/(culvert-[a-z]+(?:@1)?\.service)$", src.read(), re.M)
                if found and os.stat("/proc/%s/ns/pid" % pid).st_ino == mine:
                    groups[found.group(1)] = int(pid)
            except OSError:
                continue
        for name in DAEMONS + ("redis",):
            base = self.places.in_run("proc", name)
            pid = groups.get(unit_of(name))
            if pid and start_time(pid):
                write_file(base + ".pid", str(pid))
            elif os.path.exists(base + ".pid"):
                os.unlink(base + ".pid")

    def daemon(self, name, action, check=True):
        unit = unit_of(name)
        if action == "pid":
            self.note_pids()
            path = self.places.in_run("proc", name + ".pid")
            return open(path, encoding="ascii").read() if os.path.exists(path) else ""
        if action == "kill":  # and it stays so, which systemd would not have
            self.inside("systemctl", "kill", "--signal=KILL", "--kill-who=main", unit, check=check)
            action = "stop"
        text = self.inside("systemctl", "restart" if action == "update" else action, unit, check=check).stdout
        self.note_pids()
        return text.strip()

    def curl(self, host, *args, **kwargs):
        """From gw with this machine's files, where the CAs are."""
        beside = copy.copy(self)
        beside.hosts = dict(self.hosts, gw=self.holder)
        return Lab.curl(beside, host, *args, **kwargs)

    def log(self, name):
        if name in DAEMONS:
            return self.inside("journalctl", "--no-pager", "-o", "cat", "-u", unit_of(name)).stdout
        return super().log(name)

    def sql(self, statement):
        done = self.inside("mariadb", "--batch", "--skip-column-names", "culvert", data=statement)
        return done.stdout.strip()

    def show(self, unit, *keys):
        """Properties of a unit."""
        text = self.inside("systemctl", "show", unit, "-p", ",".join(keys)).stdout
        return dict(line.split("=", 1) for line in text.splitlines())

    def evidence(self):
        """The journal of this boot, beside the console."""
        text = self.inside("journalctl", "--no-pager", "-o", "short-monotonic", check=False).stdout
        write_file(self.console.replace(".log", "-journal.log"), text)


def await_core(lab, checks, seconds=60):
    """All of walklib's checks pass; gives the seconds that took."""
    return recovery(lab, time.monotonic(), checks, seconds)


def traces(lab):
    """What a gateway leaves in the kernel."""
    links = lab.run("gw", "ls", "/sys/class/net").stdout.split()
    table = lab.run("gw", "nft", "list", "tables").stdout
    return [l for l in links if l.startswith("wg")] + [t for t in table.splitlines() if "culvert" in t]


def running_units(lab):
    text = lab.inside("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "culvert*").stdout
    return [line.split()[0] for line in text.splitlines()]


def main_pid(lab, unit):
    return lab.show(unit, "MainPID")["MainPID"]
