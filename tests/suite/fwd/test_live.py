# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change does to flows that are open, and what becomes of them in the kernel (F9)."""
import time

import pytest

from live import Download, flows, serve
from support.network import GATEWAY, SITE, TUNNEL
from support.wait import wait_until
from world import DEVICES, device

PORT = 1501
CUT_S = 1.0 * 10  # F9: felt within a second


@pytest.fixture(scope="module", autouse=True)
def servers(world):
    serve(world, world.inet, PORT, SITE.values())
    serve(world, world.gw, 8081, [GATEWAY[4]])


@pytest.fixture(autouse=True)
def usual_devices(world):
    before = {topic: dict(world.owner.records[topic]) for topic in ("devices", "device_prefs")}
    yield
    for topic, records in before.items():
        if world.owner.records[topic] != records:
            world.owner.replace(topic, records)
            world.wait_applied(topic)


@pytest.fixture
def download(world):
    made = []

    def make(*args, **options):
        made.append(Download(world, *args, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("family", [4, 6])
def test_a_download_fails_at_once(world, download, family):
    """F9: the socket of a device that only receives gets ECONNRESET; another device's goes on."""
    gone = download("full", SITE[family], PORT)
    kept = download("internet", SITE[family], PORT)
    start = time.monotonic()
    world.owner.set("devices", {"full": device("full", profile="intranet")})
    end = gone.wait()
    print("reset after %.3f s, last bytes after %.3f s" % (end["at"] - start, end["last"] - start))
    assert end["end"] == "ECONNRESET"
    assert end["at"] - start < CUT_S
    assert kept.is_running()


@pytest.mark.parametrize("family", [4, 6])
def test_a_udp_stream_ends_silently(world, download, family):
    """F9: nothing of a refused UDP flow passes any more."""
    gone = download("full", SITE[family], PORT, "udp", 1.5)
    start = time.monotonic()
    world.owner.set("devices", {"full": device("full", profile="intranet")})
    end = gone.wait()
    print("last datagram after %.3f s" % (end["last"] - start))
    assert end["end"] == "silence"
    assert end["last"] - start < CUT_S


def test_connections_of_a_walled_device_are_deleted(world, download):
    """F9: both families, masqueraded, TCP and UDP; others' stay."""
    ends = [download("full", SITE[family], PORT, protocol) for family in (4, 6)
            for protocol in ("tcp", "udp")]
    download("internet", SITE[4], PORT)
    mine = ["src=" + a for a in (TUNNEL[4] % DEVICES["full"], TUNNEL[6] % DEVICES["full"])]

    def count():
        return sum(len(flows(world, address, "dport=%d" % PORT)) for address in mine)
    assert count() >= len(ends)
    world.owner.set("devices", {"full": device("full", profile="walled")})
    start = time.monotonic()
    wait_until(lambda: count() == 0, "deleted", 20)
    print("deleted after %.2f s" % (time.monotonic() - start))
    assert flows(world, "src=" + TUNNEL[4] % DEVICES["internet"], "dport=%d" % PORT)


def test_connections_of_a_removed_device_are_deleted(world, download):
    """F9"""
    download("full", SITE[4], PORT)
    source = "src=" + TUNNEL[4] % DEVICES["full"]
    assert flows(world, source)
    world.owner.remove("devices", "full")
    wait_until(lambda: not flows(world, source), "deleted", 20)


def test_refusals_are_told_per_device_and_reason(world):
    """F12: event `count`, at most every 10 s."""
    with world.redis.connect() as listener:
        listener("SUBSCRIBE", "culvert:event:fwd:count")
        assert world.probe_one("intranet", SITE[4], "tcp", 1234)[0] == "reset"
        wait_until(lambda: '"device":"intranet","reason":"profile"' in listener.read()[2].replace(
            " ", ""), "count", 60)
