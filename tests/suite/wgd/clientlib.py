# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices with a WireGuard of their own, each in its namespace behind a link of its own."""
import subprocess

from support.net import Host
from support.wait import wait_until
from wgdlib import KERNEL

SINK = """import socket
s = socket.create_server(("0.0.0.0", 9000))
while True:
    c = s.accept()[0]
    while c.recv(65536):
        pass
    c.close()
"""
SEND = """import socket, sys
s = socket.create_connection(("10.9.0.1", 9000), 60)
s.sendall(bytes(int(sys.argv[1])))
s.shutdown(socket.SHUT_WR)
s.recv(1)
"""


class Client:
    """A device at 192.0.NUMBER.2, its tunnel to the gateway's wgt0."""

    def __init__(self, gateway, number, private, address):
        self.gateway, self.number = gateway, number
        self.host = Host(mounts=True)
        self.wireguard = self.sink = None
        self.run = self.host.run
        self._link()
        self._start_wireguard()
        key = gateway.dir / f"client{number}.key"
        key.write_text(private)
        self.run("wg", "set", "wgc0", "private-key", key)
        self.run("ip", "addr", "add", address + "/24", "dev", "wgc0")
        self.run("ip", "link", "set", "wgc0", "mtu", "1380", "up")
        self.connect()

    def _link(self):
        name = f"up{self.number}"
        self.gateway.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0",
                         "netns", self.host.sleeper.pid)
        self.gateway.run("ip", "addr", "add", f"192.0.{self.number}.1/24", "dev", name)
        self.gateway.run("ip", "link", "set", name, "up")
        self.run("ip", "addr", "add", f"192.0.{self.number}.2/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def _start_wireguard(self):
        if KERNEL:
            self.run("ip", "link", "add", "wgc0", "type", "wireguard")
            return
        self.run("sh", "-c", "mkdir -p /run/wireguard && mount -t tmpfs tmpfs /run/wireguard && "
                 "mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200")
        self.wireguard = self.host.start("wireguard-go", "-f", "wgc0", stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.run("wg", "show", "wgc0", check=False), "client's interface")

    def connect(self):
        """To the key that the gateway has at present."""
        public = self.gateway.run("wg", "show", "wgt0", "public-key").strip()
        if self.run("wg", "show", "wgc0", "peers").strip() not in ("", public):
            self.run("wg", "set", "wgc0", "peer", self.run("wg", "show", "wgc0", "peers").strip(),
                     "remove")
        self.run("wg", "set", "wgc0", "peer", public, "endpoint",
                 f"192.0.{self.number}.1:51820", "persistent-keepalive", "1", "allowed-ips",
                 "10.9.0.1/32")

    def reconnect(self):
        """At once, where WireGuard itself takes 15 s to find that its session is no more."""
        self.run("wg", "set", "wgc0", "peer", self.run("wg", "show", "wgc0", "peers").strip(), "remove")
        self.connect()

    def send(self, count):
        """So many bytes through the tunnel to the gateway, by TCP: none is lost."""
        if not self.sink:
            self.sink = self.gateway.host.start("/usr/bin/python3", "-c", SINK)
            wait_until(lambda: ":9000" in self.gateway.run("ss", "-ltn"), "sink")
        self.run("/usr/bin/python3", "-c", SEND, count)

    def close(self):
        for process in filter(None, (self.wireguard, self.sink)):
            process.kill()
            process.wait()
        self.host.close()
