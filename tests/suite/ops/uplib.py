# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine to run `make up` on: a namespace whose uplink leads to the simulated Internet, and a
phone out there. Nothing here touches the real machine's network."""
import json
import os
import re
import shutil
import subprocess

from lablib import FOREIGN_ENV, TOP
from culvertlab import internet
from culvertlab.places import Places, make_dir, write_file
from culvertlab.scenery import inet_addresses
from launcher.hosts import Host, kill_all, await_reaped
from launcher.network import SYSCTLS, ip_batch, set_sysctls

MACHINE, INSIDE = "203.0.113.2", "203.0.113.1"
PHONE, PHONE_GATEWAY = "172.31.1.2", "172.31.1.1"
KEPT = "/mnt/culvert-up"
CAS = "/etc/ssl/certs/ca-certificates.crt"


class Land(Places):
    """Where the machine, the phone and the Internet keep their things."""

    hosts = ("machine", "inet", "phone")

    def __init__(self, folder):
        super().__init__(dict(os.environ, LAB_DIR=str(folder)))
        for path in (self.run, self.in_run("hosts"), self.in_run("proc"), self.in_run("etc"),
                     self.lab_dir, self.logs):
            make_dir(path)


class Machine:
    """The machine on which somebody types make up."""

    def __init__(self, folder):
        self.land = Land(folder)
        self.host, self.inet, self.phone = (Host(self.land, name) for name in Land.hosts)
        self.env = {k: v for k, v in os.environ.items() if k not in FOREIGN_ENV and
                    k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "HOST")}
        self.env.update(UP_KEPT=KEPT, LANG="C.UTF-8")
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        for host in (self.host, self.inet, self.phone):
            write_file(self.land.in_run("etc", host.name + ".resolv.conf"), "nameserver 1.1.1.1\n")
            host.start()
            set_sysctls(host, *SYSCTLS)
        self._wire()
        internet.start_internet(self.land, self.inet)
        # The machine trusts the simulated Internet's CA as a real one trusts Debian's.
        self.host.run(["mount", "--bind", self.land.in_run("etc", "internet-ca.pem"), CAS])
        self.host.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "culvert-test", "/mnt"])

    def _wire(self):
        ip_batch(self.inet, [
            "link set lo up", "link add to-machine type veth peer name eth0 netns %d" % self.host.pid(),
            "link add to-phone type veth peer name mobile netns %d" % self.phone.pid(),
            "address add %s/24 dev to-machine" % INSIDE, "address add %s/24 dev to-phone" % PHONE_GATEWAY,
            "link set to-machine up", "link set to-phone up"] +
            ["address add %s dev lo" % address for address in inet_addresses()])
        set_sysctls(self.inet, "net/ipv4/ip_forward=1")
        ip_batch(self.host, ["link set lo up", "address add %s/24 dev eth0" % MACHINE,
                             "link set eth0 up"])
        self.set_uplink(True)
        ip_batch(self.phone, [
            "link set lo up", "address add %s/24 dev mobile" % PHONE, "link set mobile up",
            "route add %s via %s" % (MACHINE, PHONE_GATEWAY)])

    def set_uplink(self, has):
        ip_batch(self.host, ["route %s default via %s" % ("add" if has else "del", INSIDE)])

    def make(self, *words, **env):
        """make WORDS in the repository; the finished process, stderr in stdout."""
        return self.run("make", *words, **env)

    def run(self, *argv, **env):
        return subprocess.run(
            argv, preexec_fn=self.host.enter, cwd=TOP, env=dict(self.env, **env), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=300, check=False)

    def setting(self, name):
        """The value of one of apid's settings, as the gateway's bus has it."""
        password = self.host.run(["cat", KEPT + "/secrets/redis-launcher"]).strip()
        text = self.run("python3", "deploy/launcher", "exec", "redis-cli", "-s",
                        "/run/culvert-up/bus/redis.sock", "--user", "launcher", "HGET",
                        "culvert:state:settings:apid", name, REDISCLI_AUTH=password).stdout
        return json.loads(text)["value"]

    def traces(self):
        """What a gateway leaves on the machine while it is up; empty when none is there."""
        found = re.findall(r"table \S+ \S+", self.run("nft", "list", "tables").stdout)
        found += [l["ifname"] for l in json.loads(self.host.run(["ip", "-j", "link"]))
                  if l["ifname"] not in ("lo", "eth0")]
        found += [line for line in self.host.run(["ls", "/run"]).split() if "culvert-up" in line]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/mountinfo" % pid, encoding="utf-8", errors="replace") as src:
                    mounts = src.read()
                # The gateway's mounts are the machine's and /run/culvert-up.
                if " /run/culvert-up " in mounts and " culvert-test " in mounts:
                    found.append("process " + pid)
            except OSError:
                continue
        return found

    def forwarding(self):
        """What the machine's kernel forwards: sysctl lines."""
        return self.host.run(["sysctl", "-a", "-r", "^net.ipv4.(ip_forward$|conf.*forwarding)"])

    def close(self):
        if self.host.pid() is not None:
            self.make("down")
        await_reaped(kill_all(self.land))
        shutil.rmtree(self.land.run, ignore_errors=True)


class Phone:
    """A device that knows nothing but the file that make up printed."""

    def __init__(self, machine, config):
        self.host, self.land = machine.phone, machine.land
        self.text = machine.host.run(["cat", config])
        self.dns = re.search(r"^DNS = (\S+)$", self.text, re.M).group(1)
        path = self.land.in_run("phone.conf")
        write_file(path, self.text, 0o600)
        self.host.run(["wireguard-go", "wgphone"])
        self.stripped = self.land.in_run("wgphone.conf")
        write_file(self.stripped, self.host.run(["wg-quick", "strip", path]), 0o600)
        self.reconnect()
        addresses = re.search(r"^Address = (.+)$", self.text, re.M).group(1).split(", ")
        ip_batch(self.host, ["address add %s dev wgphone" % a for a in addresses] +
                 ["link set wgphone mtu 1420 up", "route add default dev wgphone",
                  "route add ::/0 dev wgphone"])

    def reconnect(self):
        """As switching the tunnel off and on does: a new handshake at once."""
        self.host.run(["wg", "setconf", "wgphone", "/dev/null"])
        self.host.run(["wg", "setconf", "wgphone", self.stripped])

    def has_handshake(self):
        text = self.host.run(["wg", "show", "wgphone", "latest-handshakes"])
        return any(line.split()[1] != "0" for line in text.splitlines())

    def resolve(self, name, kind="A"):
        return self.host.run(["dig", "+short", "+tries=2", "+time=5", "@" + self.dns, name, kind],
                             check=False).split()

    def curl(self, url, *options):
        """(curl's exit status, HTTP status, body)."""
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}", *options, url],
            preexec_fn=self.host.enter, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={k: v for k, v in os.environ.items() if k not in FOREIGN_ENV}, check=False)
        body, _, status = done.stdout.rpartition("\n")
        return done.returncode, int(status or 0), body
