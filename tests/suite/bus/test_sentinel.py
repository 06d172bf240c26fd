# SPDX-License-Identifier: GPL-3.0-or-later
"""O4: the bus follows the master that Redis Sentinel names; what a failover lost is published again."""
import re
import subprocess

import buslib
import pytest

from support import BUILD, ROOT
from support.net import free_port
from support.sentinel import Replicated, TcpClient
from support.wait import wait_until


@pytest.fixture(name="replicated")
def _replicated(place):
    one = Replicated(place)
    try:
        yield one.start()
    finally:
        one.stop()


@pytest.fixture(name="followers")
def _followers(replicated, probe):
    """apid with thirty devices, and fwd that has them, by the Sentinels; apid's first one is not there."""
    apid = probe("apid", "unix:/nowhere", sentinels=["127.0.0.1:1", *replicated.where()])
    fwd = probe("fwd", "unix:/nowhere", sentinels=replicated.where())
    fwd.subscribe("devices", "apid")
    fwd.wait("batch", gen=apid.replace("devices", buslib.devices(30)), current=True)
    return apid, fwd


def test_a_killed_master_is_left_for_the_next_and_its_lost_tail_is_published_again(replicated, followers):
    """The replicas are stopped while the tail is written: what the next master has lacks it."""
    apid, fwd = followers
    old = replicated.servers[0]
    # Nobody has the tail but the master, which must take it all the same.
    old("CONFIG", "SET", "min-replicas-to-write", "0")
    for one in replicated.servers[1:]:
        one.pause()
    tail = apid.set("devices", "tail", buslib.device("tail", 99))
    apid.do("queue_add", record={"uuid": "u-1", "device": "d1", "host": "a.example"}, tag="q")
    fwd.wait("batch", gen=tail)
    seen = len(fwd.seen)
    old.kill()
    for one in replicated.servers[1:]:
        one.resume()
    wait_until(lambda: replicated.master() is not old and replicated.master().role() == "master", "a new master", 90)
    new = replicated.master()
    wait_until(lambda: new("HEXISTS", "culvert:state:devices:apid", "tail") == 1, "the tail is there again")
    fwd.wait_gen("devices", "apid", apid.flush("devices"))
    assert not [e for e in fwd.seen[seen:] if e["ev"] == "record" and e["id"] != "tail"], "nothing else was touched"


def test_a_server_that_follows_another_is_no_master(replicated, probe):
    """READONLY: with one address and no Sentinels, as behind a load balancer."""
    apid = probe("apid", f"unix:{replicated.servers[1].socket}")
    apid.do("set", topic="devices", id="a", record=buslib.device("a"))
    apid.wait_log("the server follows another")


def test_the_commands_and_files_of_the_guide_make_a_server_and_its_sentinel(place):
    """deploy/doc/operations.md, as somebody types it (cd, for, sed, rm), with this test's paths and ports."""
    guide = (ROOT / "deploy/doc/operations.md").read_text()
    block = re.search(r"<!-- run by: tests/suite/bus/test_sentinel.py -->\n```sh\n(.*?)\n```", guide, re.S).group(1)
    secrets, share, data = place / "secrets", place / "share", place / "data"
    for one in (secrets, share, data):
        one.mkdir()
    for name in ("wgd", "fwd", "dnsd", "proxyd", "path", "apid", "syncd"):
        (secrets / f"redis-{name}").write_text(f"secret-{name}\n")
    for kind in ("replicated", "sentinel"):
        text = subprocess.run([BUILD / "bin/bus-acl", kind], check=True, capture_output=True, text=True).stdout
        (share / f"culvert-{kind}.acl").write_text(text)
    port, other = free_port(), free_port()
    for name in ("redis-replicated.conf", "sentinel.conf"):
        text = (ROOT / "deploy/systemd" / name).read_text()
        for old, new in (("10.8.0.1 6379", f"127.0.0.1 {port}"), ("10.8.0.1", "127.0.0.1"), ("6379", str(port)),
                         ("/var/lib/redis-culvert", str(data))):
            text = text.replace(old, new)
        (share / name).write_text(re.sub(r"^port .*", f"port {port if 'redis' in name else other}", text, flags=re.M))
    for old, new in (("/var/lib/redis-culvert", data), ("/etc/culvert/secrets", secrets), ("/usr/share/culvert", share)):
        block = block.replace(old, str(new))
    subprocess.run(["bash", "-euc", block], check=True)
    assert not list(data.glob("*.sed")) and "@PASSWORD" not in "".join(f.read_text() for f in data.iterdir())
    server = subprocess.Popen(["redis-server", data / "redis.conf"], stdout=subprocess.DEVNULL)
    watch = subprocess.Popen(["redis-server", data / "sentinel.conf", "--sentinel"], stdout=subprocess.DEVNULL)

    def knows():
        try:
            with TcpClient("127.0.0.1", other, "apid", "secret-apid") as c:
                state = dict(zip(*[iter(c("SENTINEL", "MASTER", "culvert"))] * 2))
        except OSError:
            return False
        return state["flags"] == "master" and state["role-reported"] == "master"
    try:
        wait_until(knows, "the Sentinel is at the server, by its own user")
        with TcpClient("127.0.0.1", port, "apid", "secret-apid") as c:
            assert c("ROLE")[0] == "master"
    finally:
        for one in (server, watch):
            one.kill()
            one.wait()
