# SPDX-License-Identifier: GPL-3.0-or-later
"""wgd with a real Redis and a real WireGuard in namespaces of the test's own: wireguard-go, or the
kernel's with WG_BACKEND=kernel (make check-kernel).

The test plays apid: it publishes its topics and asks wgd's requests.
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from support import DEADLINE_S
from support.bus import Owner
from support.net import Host
from support.process import Daemon
from support.redis import Redis
from support.wait import wait_until

UID = 64101


def _kernel_has_wireguard():
    return subprocess.run(["unshare", "-n", "ip", "link", "add", "wgprobe", "type", "wireguard"],
                          capture_output=True, check=False).returncode == 0


KERNEL = os.environ.get("WG_BACKEND") == "kernel"
# Where the kernel could carry WireGuard, wgd must be told not to use it.
BACKEND = "auto" if KERNEL or not _kernel_has_wireguard() else "uapi"
kernel_only = pytest.mark.skipif(not KERNEL, reason="about the kernel's WireGuard: make check-kernel")
# In an emulated machine all takes some ten times as long.
EMULATED = "QEMU TCG" in pathlib.Path("/proc/cpuinfo").read_text()
userspace_only = pytest.mark.skipif(KERNEL, reason="about the userspace program")
CONF = """[culvert]
state_dir={run}/state
cache_dir={run}/cache
log_level={log_level}
[bus]
redis=unix:{run}/redis.sock
[tunnel mitm]
interface=wgt0
addresses={addresses}
port=51820
mtu=1380
[wgd]
user={uid}
redis_password_file={password}
backend={backend}
need_rules={need_rules}
{extra}"""


def genkey():
    """(private, public), base64."""
    private = subprocess.check_output(["wg", "genkey"], text=True).strip()
    return private, subprocess.check_output(["wg", "pubkey"], input=private, text=True).strip()


KEYS = [genkey() for _ in range(6)]
PUB = [public for _, public in KEYS]


class Apid(Owner):
    """apid's topics and requests."""

    def __init__(self, redis):
        super().__init__(redis, ("groups", "settings", "device_prefs", "device_keys", "devices"))
        self.connect = redis.connect
        self.calls = 0

    def put_device(self, name, public_key, *addresses, **fields):
        """Key first, then the device, as apid does; the generation of devices."""
        self.set("device_keys", {name: {"id": name, "public_key": public_key}})
        return self.set("devices", {name: dict(
            {"id": name, "addresses": list(addresses), "active": True}, **fields)})

    def remove_device(self, name):
        self.remove("device_keys", name)
        return self.remove("devices", name)

    def request(self, op, **args):
        """One request to wgd: its answer."""
        self.calls += 1
        channel = "culvert:reply:apid:test%d" % self.calls
        message = {"v": 1, "id": "test-%d" % self.calls, "op": op, "args": args,
                   "reply": channel}
        with self.connect() as ear:
            ear("SUBSCRIBE", channel)
            wait_until(lambda: self.redis("PUBLISH", "culvert:req:wgd:apid", json.dumps(message)),
                       "wgd listens")
            return json.loads(ear.read()[2])

    def applied_once(self, name, gen, **args):
        return self.request("peer_applied", id=name, gen=gen, **args)

    def applied(self, name, gen, **args):
        """Asked again as long as the answer is that the 2 s of a request were too few."""
        until = time.monotonic() + DEADLINE_S
        while True:
            answer = self.applied_once(name, gen, **args)
            if answer.get("ok") or answer["error"]["code"] != "timeout" or time.monotonic() > until:
                return answer


class Gateway:
    """The namespaces with Redis, WireGuard and wgd."""

    def __init__(self, backend=BACKEND, need_rules="no", addresses="10.9.0.1/24, fd09::1/64",
                 log_level="debug", extra=""):
        """extra: lines for [wgd] and sections behind it."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="culvert-wgd-", dir="/tmp"))
        self.dir.chmod(0o755)
        for name in ("state", "cache"):
            (self.dir / name / "wgd").mkdir(parents=True)
            (self.dir / name / "wgd").chmod(0o700)
            os.chown(self.dir / name / "wgd", UID, UID)
        self.redis = Redis(self.dir).start()
        (self.dir / "culvert.conf").write_text(CONF.format(
            run=self.dir, uid=UID, password=self.redis.password_file("wgd", UID), backend=backend,
            need_rules=need_rules, addresses=addresses, log_level=log_level,
            extra=extra))
        self.host = Host(mounts=True)
        self.host.run("sh", "-c", "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && "
                      "chown %d /run/wireguard && mount -t tmpfs tmpfs /dev/net && "
                      "mknod -m 666 /dev/net/tun c 10 200" % UID)
        self.run = self.host.run
        self.wgd = Daemon("wgd", self.dir / "culvert.conf", self.dir / "wgd.log", self.host)
        self.wireguard = None
        self.more_wireguards = []
        self.bus = Apid(self.redis)

    def start_wireguard(self, *more):
        """For wgt0, and the further interfaces. The kernel's are made by wgd."""
        if KERNEL:
            return
        self.wireguard = self._start_wireguard("wgt0")
        self.more_wireguards += [self._start_wireguard(name) for name in more]

    def _start_wireguard(self, name):
        """Until it answers; starts it again when it ends, as its unit would: the former one's device may be busy."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            program = self._start_wireguard_once(name)
            wait_until(lambda: program.poll() is not None or self.run("wg", "show", name, check=False),
                       "wireguard-go for " + name)
            if program.poll() is None:
                return program
        raise AssertionError("wireguard-go does not start for " + name)

    def _start_wireguard_once(self, name):
        return self.host.start(
            "setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--inh-caps",
            "-all,+net_admin", "--ambient-caps", "-all,+net_admin", "--", "wireguard-go", "-f",
            name, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop_wireguard(self):
        if KERNEL:
            self.run("ip", "link", "del", "wgt0")
            return
        self.wireguard.kill()
        self.wireguard.wait()

    def a_pass(self):
        """A full one that began after this call and is through: the interface was read."""
        self.run("ip", "link", "set", "wgt0", "mtu", "1300")
        wait_until(lambda: "mtu 1380" in self.run("ip", "link", "show", "wgt0"), "a pass")
        assert self.bus.applied("nobody", 0)["ok"]

    def peers(self, name="wgt0"):
        """Public key -> sorted allowed prefixes, as `wg show` says; none without interface."""
        text = self.run("wg", "show", name, "allowed-ips", check=False)
        rows = [line.split() for line in text.splitlines()]
        return {row[0]: sorted(word for word in row[1:] if word != "(none)") for row in rows}

    def await_peers(self, want, seconds=20):
        want = {key: sorted(prefixes) for key, prefixes in want.items()}
        try:
            wait_until(lambda: self.peers() == want, "peers", seconds)
        except AssertionError as exc:
            raise AssertionError("%s\nwant %r\nhave %r\n%s" % (
                exc, want, self.peers(), self.wgd.log()[-3000:])) from exc

    def status(self):
        return self.redis.status("wgd")

    def close(self):
        try:
            self.wgd.stop()
        finally:
            if self.wireguard:
                self.stop_wireguard()
            for one in self.more_wireguards:
                one.kill()
                one.wait()
            self.redis.stop()
            self.host.close()
            shutil.rmtree(self.dir, ignore_errors=True)
