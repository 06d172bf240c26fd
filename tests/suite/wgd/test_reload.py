# SPDX-License-Identifier: GPL-3.0-or-later
"""C2, W1: SIGHUP takes over what can change at run time and names what cannot."""
import json
import os
import signal

from clientlib import Client
from support.wait import wait_until
from wgdlib import UID, genkey

PRIVATE, PUBLIC = genkey()


def reload(gateway, *changes):
    """Edits the configuration (old text, new text) and sends SIGHUP; what was logged."""
    file = gateway.dir / "culvert.conf"
    text = file.read_text()
    for old, new in changes:
        assert old in text, text
        text = text.replace(old, new)
    file.write_text(text)
    before = len(gateway.wgd.log())
    gateway.wgd.send(signal.SIGHUP)
    wait_until(lambda: "reload" in gateway.wgd.log()[before:], "reload")
    wait_until(lambda: "reloaded" in gateway.wgd.log()[before:] or
               "reload refused" in gateway.wgd.log()[before:], "end of the reload")
    return gateway.wgd.log()[before:]


def tunnel(gateway):
    return json.loads(gateway.redis("HGET", "culvert:state:tunnels:wgd", "mitm"))


def test_mtu_port_and_addresses_change_and_peers_follow(gateway):
    gateway.bus.put_device("phone", PUBLIC, "10.9.0.2")
    gateway.await_peers({PUBLIC: ["10.9.0.2/32"]})
    reload(gateway, ("mtu=1380", "mtu=1400"), ("port=51820", "port=51999"),
           ("10.9.0.1/24", "10.9.7.1/24"))
    wait_until(lambda: "mtu 1400" in gateway.run("ip", "link", "show", "wgt0"), "mtu")
    wait_until(lambda: gateway.run("wg", "show", "wgt0", "listen-port").strip() == "51999", "port")
    wait_until(lambda: "10.9.7.1/24" in gateway.run("ip", "addr", "show", "wgt0"), "address")
    assert "10.9.0.1/24" not in gateway.run("ip", "addr", "show", "wgt0")
    wait_until(lambda: tunnel(gateway)["port"] == 51999, "published")
    assert tunnel(gateway)["addresses"] == ["10.9.7.1/24", "fd09::1/64"]
    gateway.await_peers({})  # outside the tunnel now
    wait_until(lambda: gateway.status().get("peers_refused") == {"address_outside_tunnel": 1},
               "refused by name")
    gen = gateway.bus.put_device("phone", PUBLIC, "10.9.7.2")
    assert gateway.bus.applied("phone", gen)["ok"]


def test_what_cannot_change_is_named(gateway):
    log = reload(gateway, ("user=64101", "user=64199"), ("backend=", "uapi_dir=/nowhere\nbackend="),
                 ("[wgd]", "[tunnel more]\ninterface=wgt9\naddresses=10.66.0.1/24\nport=51821\n[wgd]"),
                 ("interface=wgt0", "interface=wgt7"))
    for name in ("wgd.user", "wgd.uapi_dir", "mitm.interface", "tunnel=more"):
        assert any(name in line and "restart" in line for line in log.splitlines()), (name, log)
    assert gateway.run("wg", "show", "interfaces").split() == ["wgt0"]


def test_broken_file_leaves_what_is_in_force(gateway):
    log = reload(gateway, ("mtu=1380", "mtu=big"))
    assert "culvert.conf:11" in log and "big is not a whole number" in log, log
    assert "reload refused" in log
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")
    wait_until(lambda: "mtu 1380" in gateway.run("ip", "link", "show", "wgt0"), "mtu")
    assert "silent_hours" in reload(gateway, ("mtu=big", "mtu=1380"),
                                    ("[wgd]", "[wgd]\nsilent_hours=1"))


def test_new_private_key_is_in_force_and_published(gateway):
    gen = gateway.bus.put_device("phone", PUBLIC, "10.9.0.2")
    assert gateway.bus.applied("phone", gen)["ok"]
    private, public = genkey()
    file = gateway.dir / "state/wgd/keys/mitm.key"
    file.write_text(private + "\n")
    log = reload(gateway)
    wait_until(lambda: gateway.run("wg", "show", "wgt0", "public-key").strip() == public, "key")
    wait_until(lambda: tunnel(gateway)["public_key"] == public, "published")
    gateway.await_peers({PUBLIC: ["10.9.0.2/32"]})
    assert private not in gateway.wgd.log() and "new private key tunnel=mitm" in log
    client = Client(gateway, 2, PRIVATE, "10.9.0.2")
    try:
        wait_until(lambda: "\t0" not in gateway.run("wg", "show", "wgt0", "latest-handshakes"),
                   "handshake with the new key")
    finally:
        client.close()
    # A device with the gateway's own new key is refused.
    gen = gateway.bus.put_device("thief", public, "10.9.0.3")
    assert gateway.bus.applied("thief", gen)["error"]["detail"] == "own_key"
    # A bad file, an open one, none: the key in force stays, and no other is made.
    file.write_text("nonsense\n")
    assert "the file holds no key" in reload(gateway)
    file.write_text(private + "\n")
    file.chmod(0o644)
    assert "mode 0600" in reload(gateway)
    file.unlink()
    assert "No such file" in reload(gateway)
    assert not file.exists()
    assert gateway.run("wg", "show", "wgt0", "public-key").strip() == public
    file.write_text(private + "\n")
    file.chmod(0o600)
    os.chown(file, UID, UID)
