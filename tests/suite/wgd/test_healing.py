# SPDX-License-Identifier: GPL-3.0-or-later
"""W2, W3: what other programs do to the interface, its name and its routes."""
import subprocess

import pytest

from support.wait import wait_until
from wgdlib import EMULATED, PUB, UID, Gateway, userspace_only

ROUTES = [("-4", "10.9.0.0/24", []), ("-6", "fd09::/64", ["metric", "256"])]


def fill(gateway):
    gen = gateway.bus.put_device("phone", PUB[0], "10.9.0.2")
    assert gateway.bus.applied("phone", gen)["ok"]


@pytest.mark.parametrize("family,to,more", ROUTES, ids=["v4", "v6"])
def test_route_that_leads_elsewhere_is_put_right(gateway, family, to, more):
    """W1: one of the same subnet through another interface is as good as none."""
    gateway.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up1")
    for name in ("up0", "up1"):
        gateway.run("ip", "link", "set", name, "up")
    # At one go, lest wgd's own pass comes between.
    gateway.run("ip", family, "-batch", "-", text="route del %s dev wgt0\nroute add %s dev up0 %s\n" % (
        to, to, " ".join(more)))
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")  # a pass at once, not in 10 s
    wait_until(lambda: "dev wgt0" in gateway.run("ip", family, "route", "show", to), "route")
    assert f"a route led elsewhere, it is put right to={to}" in gateway.wgd.log()


def test_a_machine_without_ipv6_has_the_tunnel_over_ipv4():
    """W1: and over both once it has it."""
    one = Gateway()

    def switch(value):
        one.run("sysctl", "-q", "net.ipv6.conf.all.disable_ipv6=" + value, "net.ipv6.conf.default.disable_ipv6=" + value)
    try:
        switch("1")
        one.start_wireguard()
        one.wgd.start()
        gen = one.bus.put_device("phone", PUB[0], "10.9.0.2", "fd09::2")
        assert one.bus.applied("phone", gen)["ok"]
        text = one.run("ip", "addr", "show", "wgt0")
        assert "10.9.0.1/24" in text and ",UP" in text and "inet6" not in text
        assert one.wgd.log().count("no IPv6 on this machine, the tunnel goes without name=mitm interface=wgt0") == 1
        switch("0")
        one.run("ip", "link", "set", "wgt0", "mtu", "1300")  # a pass at once, not in 10 s
        wait_until(lambda: "fd09::1/64" in one.run("ip", "addr", "show", "wgt0"), "IPv6")
        wait_until(lambda: "fd09::/64" in one.run("ip", "-6", "route", "show", "dev", "wgt0"), "route")
    finally:
        one.close()


def test_address_of_link_scope_is_removed_too(gateway):
    gateway.run("ip", "addr", "add", "10.66.0.1/24", "dev", "wgt0", "scope", "link")
    wait_until(lambda: "10.66" not in gateway.run("ip", "addr", "show", "wgt0"), "purge")


@pytest.mark.skipif(EMULATED, reason="Linux before 6.2 renames no interface that is up, and wgd is quicker")
def test_renamed_interface_gets_its_name_back(gateway):
    """It keeps the port under any name: a new one beside it would never work."""
    fill(gateway)
    gateway.run("sh", "-c", "ip link set wgt0 down && ip link set wgt0 name other0")
    wait_until(lambda: ",UP" in gateway.run("ip", "link", "show", "wgt0", check=False), "up again")
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"]})
    wait_until(lambda: "10.9.0.0/24" in gateway.run("ip", "route"), "route")
    assert "interface was renamed, its name is given back" in gateway.wgd.log()


@userspace_only
def test_interface_of_another_kind_is_named_and_left_alone(gateway):
    fill(gateway)
    gateway.stop_wireguard()
    wait_until(lambda: gateway.status()["tunnels"][0]["state"] == "waiting", "noticed")
    gateway.run("ip", "link", "add", "wgt0", "type", "veth", "peer", "name", "up1")
    wait_until(lambda: "no WireGuard, it is left alone interface=wgt0 kind=veth" in gateway.wgd.log(),
               "said")
    assert "10.9.0.1" not in gateway.run("ip", "addr", "show", "wgt0")
    gateway.run("ip", "link", "del", "wgt0")
    gateway.start_wireguard()
    gateway.await_peers({PUB[0]: ["10.9.0.2/32"]})


@userspace_only
def test_interface_of_another_kind_at_the_start_decides_nothing():
    one = Gateway(backend="auto")
    try:
        one.run("ip", "link", "add", "wgt0", "type", "veth", "peer", "name", "up1")
        one.wgd.start()
        wait_until(lambda: "it is left alone interface=wgt0 kind=veth" in one.wgd.log(), "said")
        one.run("ip", "link", "del", "wgt0")
        one.start_wireguard()
        wait_until(lambda: "tunnel ready" in one.wgd.log(), "ready")
    finally:
        one.close()


@userspace_only
def test_start_beside_a_userspace_program_that_starts(gateway):
    """W2: auto must not take an interface that appears at that moment for the kernel's."""
    for _ in range(12):
        gateway.wgd.stop()
        gateway.stop_wireguard()
        gateway.start_wireguard()
        seen = len(gateway.wgd.log())
        gateway.wgd.start()
        wait_until(lambda at=seen: "tunnel ready name=mitm interface=wgt0 backend=uapi"
                   in gateway.wgd.log()[at:], "ready")


@userspace_only
@pytest.mark.parametrize("answer", ["garbage\\n\\n", "listen_port=99999999\\nerrno=0\\n\\n", ""])
def test_socket_that_answers_nonsense_harms_nothing(answer):
    """W2: requests are answered meanwhile, and the true socket is taken when it comes."""
    one = Gateway()
    server = None
    try:
        one.run("ip", "tuntap", "add", "wgt0", "mode", "tun")
        server = one.host.start("/usr/bin/python3", "-c", (
            "import os, socket\ns = socket.socket(socket.AF_UNIX)\n"
            "s.bind('/run/wireguard/wgt0.sock')\nos.chown('/run/wireguard/wgt0.sock', %d, %d)\n"
            "s.listen()\nwhile True:\n  c = s.accept()[0]\n  c.recv(9999)\n  c.sendall(b'%s')\n"
            "  c.close()" % (UID, UID, answer)), stderr=subprocess.DEVNULL)
        one.wgd.start()
        wait_until(lambda: (one.status() or {}).get("tunnels", [{"failures": 0}])[0]["failures"] > 1, "tried")
        assert one.bus.applied_once("phone", 1)["error"]["code"] == "timeout"
        server.kill()
        server.wait()
        one.run("ip", "link", "del", "wgt0")
        one.run("rm", "/run/wireguard/wgt0.sock")
        one.start_wireguard()
        wait_until(lambda: one.status()["tunnels"][0]["state"] == "ready", "ready")
    finally:
        if server and server.poll() is None:
            server.kill()
            server.wait()
        one.close()
