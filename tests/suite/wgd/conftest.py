# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import subprocess

import pytest

from support.wait import wait_until
from wgdlib import KEYS, PUB, Gateway


@contextlib.contextmanager
def running(*interfaces, **options):
    """A gateway with wgd and WireGuard up. wgd must end with status 0: no handle leaks."""
    one = Gateway(**options)
    try:
        one.start_wireguard(*interfaces)
        one.wgd.start()
        wait_until(lambda: all(t["state"] == "ready" for t in one.status().get("tunnels", [{"state": ""}])),
                   "tunnels ready")
        yield one
    except AssertionError as exc:
        raise AssertionError("%s\n%s" % (exc, one.wgd.log()[-3000:])) from exc
    finally:
        one.close()


@pytest.fixture
def make_gateway():
    """running(*further interfaces, **options of Gateway) as a context."""
    return running


@pytest.fixture
def gateway():
    with running() as one:
        yield one


@pytest.fixture
def session(gateway):
    """A device with a live session, over a wireguard-go beside the gateway's interface, on loopback."""
    gen = gateway.bus.put_device("phone", PUB[0], "10.9.0.2")
    assert gateway.bus.applied("phone", gen)["ok"]
    client = gateway.host.start("wireguard-go", "-f", "wgc0", stdin=subprocess.DEVNULL)
    wait_until(lambda: gateway.run("wg", "show", "wgc0", check=False), "client")
    key = gateway.dir / "client.key"
    key.write_text(KEYS[0][0])
    gateway.run("wg", "set", "wgc0", "private-key", key, "peer",
                gateway.run("wg", "show", "wgt0", "public-key").strip(), "endpoint",
                "127.0.0.1:51820", "persistent-keepalive", "1", "allowed-ips", "10.9.0.1/32")
    gateway.run("ip", "link", "set", "wgc0", "up")

    def handshakes():
        rows = gateway.run("wg", "show", "wgt0", "latest-handshakes").split("\n")
        return {row.split()[0]: int(row.split()[1]) for row in rows if row}
    wait_until(lambda: handshakes().get(PUB[0]), "handshake")
    yield handshakes
    client.terminate()
    client.wait()
