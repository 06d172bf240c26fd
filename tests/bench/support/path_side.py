# SPDX-License-Identifier: GPL-3.0-or-later
"""Culvert's fwd and proxyd --path beside the other sides: on a tunnel interface of their own, so that its rules are
in nobody else's way."""
import os
import subprocess

from support.process import Daemon
from support.wait import wait_until

from .proxy_net import BROKEN, HOST, SMALL, Direct, Side, fetch, on_proxy_cpu

FWD_UID, PATH_UID = 64102, 64108
DEVICES = 20
CONF = """[culvert]
state_dir = %(place)s/state
cache_dir = %(place)s/cache
log_level = notice
[bus]
redis = unix:%(redis)s
[tunnel mitm]
interface = wgP
addresses = 10.8.0.1/24
[fwd]
user = %(fwd)d
redis_password_file = %(fwd_secret)s
[path]
user = %(path)d
redis_password_file = %(path_secret)s
"""


def devices():
    return [{"id": "path%d" % i, "active": True, "tunnel": "mitm", "profile": "internet",
             "addresses": ["10.8.0.%d" % (20 + i)], "unknown_sites": "block"} for i in range(DEVICES)]


def prepare(net):
    """A second tunnel between the devices and the gateway, and masquerading for what is on the first."""
    net.gw.run("ip", "link", "add", "wgP", "type", "veth", "peer", "name", "wg1", "netns", net.client.sleeper.pid)
    net.gw.run("ip", "address", "add", "10.8.0.1/24", "dev", "wgP")
    net.gw.run("ip", "link", "set", "wgP", "up")
    net.client.run("ip", "link", "set", "wg1", "up")
    for i in range(DEVICES):
        net.client.run("ip", "address", "add", "10.8.0.%d/32" % (20 + i), "dev", "wg1")
    net.client.run("ip", "route", "add", "default", "via", "10.8.0.1", "dev", "wg1", "onlink", "table", "8")
    net.client.run("ip", "rule", "add", "from", "10.8.0.0/24", "lookup", "8")
    net.gw.run("nft", "add chain ip bench post { type nat hook postrouting priority srcnat; }; "
               "add rule ip bench post iifname wgT oifname up0 masquerade")


class Masquerade(Direct):
    label = "masquerade"


class Path(Side):
    """`process` is the reader."""
    label, source, sources = "path", "10.8.0.20", DEVICES

    def __init__(self, net, build):
        self.net, self.program = net, build / "bin/proxyd"
        place = net.dir / "path"
        for kind in ("state", "cache"):
            (place / kind).mkdir(parents=True)
        secret = net.dir / "redis-path"
        secret.write_text("secret-path\n")
        secret.chmod(0o400)
        os.chown(secret, PATH_UID, PATH_UID)
        self.conf = place / "culvert.conf"
        self.conf.write_text(CONF % {
            "place": place, "redis": net.redis.socket, "fwd": FWD_UID, "path": PATH_UID, "path_secret": secret,
            "fwd_secret": net.redis.password_file("fwd", FWD_UID)})
        self.log_file = place / "path.log"
        self.fwd = Daemon("fwd", self.conf, place / "fwd.log", net.gw).start()
        wait_until(lambda: net.redis.status("fwd").get("known"), "fwd")
        self.start()

    def start(self):
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(self.net.gw.argv(self.program, "--path", "-c", self.conf),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=on_proxy_cpu)
        try:
            wait_until(self._is_on, "the path")
        except AssertionError as e:
            raise RuntimeError("%s: %s" % (e, self.log_file.read_text()[-2000:])) from None

    def _is_on(self):
        rules = self.net.gw.run("nft", "list", "chain", "inet", "culvert", "redirect_port")
        try:
            return "@prove4" in rules and fetch(self.net, self, HOST, SMALL)[0] == 200
        except BROKEN:
            return False

    def down(self):
        self.stop()
        self.fwd.stop()
