# SPDX-License-Identifier: GPL-3.0-or-later
"""W3, DESIGN 4: what wgd does to its peers while Redis, its state or wgd itself breaks."""
import json
import secrets

from support.bus import Owner
from support.wait import wait_until
from wgdlib import Apid, genkey

KEYS = [genkey()[1] for _ in range(30)]
TOPICS = ("groups", "settings", "device_prefs", "device_keys", "devices")


class Partial(Owner):
    """apid of a new epoch that has not published everything: no generation is `full`."""

    def __init__(self, redis):  # pylint: disable=super-init-not-called
        self.redis, self.owner = redis.connect(), "apid"
        self.epoch, self.gen = secrets.token_hex(16), 0
        self.stamps = {t: {"gen": 0, "wid": secrets.token_hex(16), "full": 0} for t in TOPICS}
        self.records = {t: {} for t in TOPICS}
        self.redis("SET", "culvert:epoch:apid", self.epoch)


def devices(count):
    return {f"d{i}": {"id": f"d{i}", "addresses": [f"10.9.0.{i + 2}"]} for i in range(count)}


def keys(count):
    return {f"d{i}": {"id": f"d{i}", "public_key": KEYS[i]} for i in range(count)}


def want(count):
    return {KEYS[i]: [f"10.9.0.{i + 2}/32"] for i in range(count)}


def fill(gateway, count=30):
    gateway.bus.set("device_keys", keys(count))
    gen = gateway.bus.set("devices", devices(count))
    gateway.await_peers(want(count))
    wait_until(lambda: gateway.redis.applied("wgd", "devices") == gen, "applied")


def a_pass(gateway):
    """A full pass that began after this call; gateway.a_pass() waits for its end, with Redis."""
    gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")
    wait_until(lambda: "mtu 1380" in gateway.run("ip", "link", "show", "wgt0"), "a pass")


def new_redis(gateway):
    """Redis comes back without its data."""
    gateway.redis.stop()
    gateway.redis.start()


def forget_status(gateway):
    """What the daemon that was killed had said of itself."""
    gateway.redis("DEL", "culvert:status:wgd:1")


def test_redis_that_went_and_returned_empty_purges_nobody(gateway):
    fill(gateway)
    gateway.redis.stop()
    a_pass(gateway)
    assert gateway.peers() == want(30)
    gateway.redis.start()
    wait_until(lambda: gateway.redis("HEXISTS", "culvert:state:tunnels:wgd", "mitm"), "back")
    a_pass(gateway)
    assert gateway.peers() == want(30)


def test_partial_state_of_a_new_epoch_never_purges_more_than_half(gateway):
    fill(gateway)
    new_redis(gateway)
    partial = Partial(gateway.redis)
    for topic in TOPICS:
        partial.set(topic, {})
    partial.set("device_keys", keys(4))
    partial.set("devices", devices(4))
    wait_until(lambda: gateway.redis("HEXISTS", "culvert:state:tunnels:wgd", "mitm"), "back")
    for _ in range(3):
        a_pass(gateway)
        assert gateway.peers() == want(30)
    # Then the owner says that this is all.
    for topic in ("groups", "settings", "device_prefs"):
        partial.replace(topic, {})
    partial.replace("device_keys", keys(4))
    partial.replace("devices", devices(4))
    gateway.await_peers(want(4))


def test_strangers_that_are_the_majority_stay_until_the_state_is_complete(gateway):
    """wgd knows its devices from the disk only: that is no ground for a purge of most."""
    fill(gateway, 5)
    gateway.wgd.stop()
    gateway.redis.stop()
    for i in range(5, 30):
        gateway.run("wg", "set", "wgt0", "peer", KEYS[i], "allowed-ips", f"10.9.0.{i + 2}/32")
    gateway.wgd.start()
    wait_until(lambda: "purge held back" in gateway.wgd.log(), "held back")
    assert gateway.peers() == want(30)
    gateway.redis.start()
    gateway.bus = Apid(gateway.redis)
    gateway.bus.replace("device_keys", keys(5))
    gateway.bus.replace("devices", devices(5))
    gateway.await_peers(want(5))


def test_killed_in_the_middle_of_changes_it_comes_back_right(gateway):
    fill(gateway)
    for count in (3, 25, 9, 30, 17):
        gateway.bus.replace("device_keys", keys(count))
        gateway.bus.replace("devices", devices(count))
        gateway.wgd.kill()
        forget_status(gateway)
        gateway.wgd.start()
        gateway.await_peers(want(count))
    wait_until(lambda: gateway.status().get("peers") == 17, "counted")


def test_killed_right_after_a_change_it_touches_no_live_peer(gateway):
    """W3: the last good state on disk lacks the newest devices; their sessions live on."""
    gateway.bus.replace("device_keys", keys(20))
    gateway.bus.replace("devices", devices(20))
    gateway.await_peers(want(20))
    gateway.wgd.stop()  # writes the last good state
    gateway.wgd.start()
    gateway.bus.replace("device_keys", keys(30))
    gateway.bus.replace("devices", devices(30))
    gateway.await_peers(want(30))
    gateway.wgd.kill()
    forget_status(gateway)
    seen = len(gateway.wgd.log())
    gateway.wgd.start()
    wait_until(lambda: gateway.status().get("peers") == 30, "the state of Redis is in force")
    a_pass(gateway)
    assert gateway.peers() == want(30)
    assert "peers changed" not in gateway.wgd.log()[seen:]


def test_lost_state_on_disk_leaves_the_peers_alone_until_redis_answers(gateway):
    fill(gateway)
    gateway.wgd.kill()
    gateway.redis.stop()
    (gateway.dir / "state/wgd/last-good").unlink(missing_ok=True)
    gateway.wgd.start()
    a_pass(gateway)
    assert gateway.peers() == want(30)
    gateway.redis.start()
    gateway.bus = Apid(gateway.redis)
    gateway.bus.replace("device_keys", keys(3))
    gateway.bus.replace("devices", devices(3))
    gateway.await_peers(want(3))


def test_usage_is_published_again_into_an_empty_redis(gateway):
    """W7: who was cut stays cut when Redis lost its data."""
    over = {"id": "d0", "addresses": ["10.9.0.2"], "quota_bytes": 1}
    gateway.bus.set("device_keys", keys(1))
    gateway.bus.set("devices", {"d0": over})
    gateway.await_peers(want(1))
    gateway.run("ip", "addr", "add", "192.0.2.9/32", "dev", "lo")
    gateway.run("wg", "set", "wgt0", "peer", KEYS[0], "endpoint", "192.0.2.9:9")
    # A handshake that nobody answers is what the gateway sent.
    gateway.run("ping", "-c", "1", "-W", "1", "10.9.0.2", check=False)

    def cut():
        gateway.run("ip", "link", "set", "wgt0", "mtu", "1300")
        return gateway.redis("HGET", "culvert:state:usage:wgd", "d0")
    record = wait_until(cut, "cut")
    assert json.loads(record)["over_quota"] is True
    new_redis(gateway)
    wait_until(lambda: gateway.redis("HGET", "culvert:state:usage:wgd", "d0") == record, "again")
