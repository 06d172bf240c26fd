# SPDX-License-Identifier: GPL-3.0-or-later
"""What Redis may do to the bus: vanish, come back empty, old or slow (SPEC W2, W3; DESIGN 4)."""
import json
import socket
import threading

import buslib

from support.net import free_port
from support.wait import wait_until


def records_after(p, start):
    p.drain()
    return [e for e in p.seen[start:] if e["ev"] == "record"]


def test_restart_empty_is_filled_by_the_owner_and_unseen_by_the_consumer(redis, pair):
    apid, fwd = pair
    start = len(fwd.seen)
    redis.kill()
    redis.start()
    fwd.wait("batch", current=True)
    assert not records_after(fwd, start)
    assert redis("HLEN", "culvert:state:devices:apid") == 30


def test_restart_with_data_changes_nothing(redis, pair):
    apid, fwd = pair
    stamp = redis("HGET", "culvert:gens:apid", "devices")
    start = len(fwd.seen)
    redis.save()
    redis.kill()
    redis.start()
    fwd.wait("batch", current=True)
    apid.drain()
    assert redis("HGET", "culvert:gens:apid", "devices") == stamp
    assert not records_after(fwd, start)


def test_changes_made_while_redis_is_gone_arrive_later(redis, pair):
    apid, fwd = pair
    redis.kill()
    apid.wait_log("connection lost")
    apid.do("set", topic="devices", id="late", record=buslib.device("late", 99))
    apid.do("del", topic="devices", id="d3")
    apid.drain()
    redis.start()
    fwd.wait("record", id="late")
    assert "d3" not in fwd.records["devices:apid"] or fwd.wait("record", id="d3")["rec"] is None


def test_a_lost_tail_is_published_again(redis, pair):
    """A failover to a replica that missed the last writes."""
    apid, fwd = pair
    redis.save()
    apid.do("set", topic="devices", id="tail", record=buslib.device("tail", 99))
    fwd.wait("batch", gen=apid.flush("devices"))
    start = len(fwd.seen)
    redis.kill()
    redis.start()
    fwd.wait("batch", current=True)
    wait_until(lambda: redis("HEXISTS", "culvert:state:devices:apid", "tail") == 1)
    gen = apid.flush("devices")
    fwd.wait_gen("devices", "apid", gen)
    assert "tail" in fwd.records["devices:apid"]
    lost = [e for e in records_after(fwd, start) if e["id"] != "tail"]
    assert not lost


def test_what_redis_has_evicted_is_published_again(redis, pair):
    """Keys that went without a generation."""
    apid, _ = pair
    redis("DEL", "culvert:state:devices:apid")
    wait_until(lambda: redis("HLEN", "culvert:state:devices:apid") == 30, "devices again")
    assert "redis has lost records" in apid.text()


def test_what_redis_has_evicted_is_not_gone(redis, probe):
    """All but one that was written later. Few records: no mass removal that is refused. Who has them keeps them, who has none does not know."""
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    fwd.wait("batch", gen=apid.replace("devices", buslib.devices(8)), current=True)
    start = len(fwd.seen)
    apid.kill()  # else it is healed
    redis("HDEL", "culvert:state:devices:apid", *[f"d{i}" for i in range(1, 8)])
    stored = json.loads(redis("HGET", "culvert:gens:apid", "devices"))
    redis("HSET", "culvert:gens:apid", "devices", json.dumps({**stored, "wid": "0" * 32}))  # it is read again
    late = probe("dnsd")
    late.subscribe("devices", "apid")
    for one in (fwd, late):
        one.wait_log("other records than its owner has published")
    assert not records_after(fwd, start)
    assert not late.ask("find", "find", topic="devices", owner="apid", id="")["known"]
    probe("apid", sub="apid-next").replace("devices", buslib.devices(8))
    late.wait("batch", current=True)
    assert len(late.records["devices:apid"]) == 8
    assert not records_after(fwd, start)


def test_partition_is_noticed_and_healed(redis, pair):
    """A server that holds the connection but says nothing."""
    apid, fwd = pair
    redis.pause()
    apid.wait_log("no answer for 2 s")
    fwd.wait_log("no answer for 2 s")
    apid.do("set", topic="devices", id="during", record=buslib.device("during", 99))
    apid.drain()
    redis.resume()
    fwd.wait("record", id="during")


def test_a_request_fails_at_once_without_redis(redis, probe):
    redis.kill()
    apid = probe("apid")
    apid.drain()  # it is up
    apid.do("request", op="syncd.sync_now", args={}, tag="r")
    assert apid.wait("reply", tag="r", timeout=2)["status"] == -107
    redis.start()


class SlowProxy:
    """Hands bytes on, late."""

    def __init__(self, redis, path, delay_s):
        self.target, self.delay_s = str(redis.socket), delay_s
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            b = socket.socket(socket.AF_UNIX)
            b.connect(self.target)
            for x, y in ((a, b), (b, a)):
                threading.Thread(target=self.copy, args=(x, y), daemon=True).start()

    def copy(self, x, y):
        try:
            while data := x.recv(65536):
                threading.Event().wait(self.delay_s)
                y.sendall(data)
        except OSError:
            pass
        x.close()
        y.close()

    def close(self):
        self.listener.close()


def test_a_slow_redis_is_only_slow(redis, probe, place):
    proxy = SlowProxy(redis, place / "slow.sock", 0.1)
    apid = probe("apid", f"unix:{place}/slow.sock")
    fwd = probe("fwd", f"unix:{place}/slow.sock")
    fwd.subscribe("devices", "apid")
    gen = apid.replace("devices", buslib.devices(300))
    fwd.wait_gen("devices", "apid", gen)
    assert len(fwd.records["devices:apid"]) == 300
    assert fwd.ask("stats", "stats")["busy_max_ms"] < 500
    assert "no answer" not in fwd.text()
    proxy.close()


def test_two_owners_have_their_own_state(probe):
    apid, syncd, proxyd = probe("apid"), probe("syncd"), probe("proxyd")
    for owner in ("apid", "syncd"):
        proxyd.subscribe("categories", owner)
    apid.do("set", topic="categories", id="c", record={"id": "c", "name": "local"})
    syncd.do("set", topic="categories", id="c", record={"id": "c", "name": "directus"})
    proxyd.wait_gen("categories", "apid", apid.flush("categories"))
    proxyd.wait_gen("categories", "syncd", syncd.flush("categories"))
    assert proxyd.records["categories:apid"]["c"]["name"] == "local"
    assert proxyd.records["categories:syncd"]["c"]["name"] == "directus"


def test_two_consumers_and_a_second_instance_agree(probe):
    apid, fwd, one, two = probe("apid"), probe("fwd"), probe("dnsd"), probe("dnsd", instance="2")
    for p in (fwd, one, two):
        p.subscribe("devices", "apid")
    apid.do("replace", topic="devices", records=buslib.devices(20))
    for i in range(20):
        apid.do("set", topic="devices", id=f"d{i}", record=buslib.device(f"d{i}", 200 - i))
    gen = apid.flush("devices")
    for p in (fwd, one, two):
        p.wait_gen("devices", "apid", gen)
    assert fwd.records == one.records == two.records
    assert fwd.records["devices:apid"]["d5"]["addresses"] == ["10.9.0.195"]


def test_state_while_it_is_being_read_is_consistent(probe):
    """Changes during a long read are laid over it; nothing is lost, nothing comes twice."""
    apid, fwd = probe("apid"), probe("fwd")
    fwd.do("quiet")
    apid.do("fill", n=20000, name="x")
    apid.flush("devices")
    fwd.subscribe("devices", "apid")
    for i in range(200):
        apid.do("set", topic="devices", id=f"d{i}", record=buslib.device(f"d{i}", i % 200 + 1))
        if i % 20 == 0:
            apid.flush("devices")
    apid.do("del", topic="devices", id="d19999")
    gen = apid.flush("devices")
    fwd.wait_gen("devices", "apid", gen)
    for i in (0, 100, 199):
        assert f'"10.9.0.{i + 1}"' in fwd.ask("find", "find", topic="devices", owner="apid", id=f"d{i}")["rec"]
    assert fwd.ask("find", "find", topic="devices", owner="apid", id="d19999")["rec"] is None


def test_the_owner_restarts_and_only_differences_arrive(probe):
    apid, fwd = probe("apid"), probe("fwd")
    fwd.subscribe("devices", "apid")
    apid.do("replace", topic="devices", records=buslib.devices(30))
    fwd.wait("batch", gen=apid.flush("devices"))
    apid.quit()
    start = len(fwd.seen)
    again = probe("apid", sub="apid2")
    records = buslib.devices(30)
    records["d7"] = buslib.device("d7", 99)
    again.do("replace", topic="devices", records=records)
    fwd.wait_gen("devices", "apid", again.flush("devices"))
    assert [e["id"] for e in records_after(fwd, start)] == ["d7"]


def test_a_lost_script_cache_does_not_matter(redis, pair):
    apid, fwd = pair
    redis("SCRIPT", "FLUSH")
    apid.do("set", topic="devices", id="d1", record=buslib.device("d1", 44))
    fwd.wait("batch", gen=apid.flush("devices"))


def test_flushall_under_a_live_connection_is_repaired(redis, pair):
    apid, fwd = pair
    start = len(fwd.seen)
    redis("FLUSHALL")
    gen = apid.set("devices", "d1", buslib.device("d1", 44))
    fwd.wait_gen("devices", "apid", gen)
    assert redis("HLEN", "culvert:state:devices:apid") == 30
    assert [e["id"] for e in records_after(fwd, start)] == ["d1"]


def test_over_tcp(redis, probe):
    redis.port = free_port()
    redis.kill()
    redis.start()
    apid, fwd = (probe(d, server=f"tcp:127.0.0.1:{redis.port}") for d in ("apid", "fwd"))
    fwd.subscribe("devices", "apid")
    apid.do("replace", topic="devices", records=buslib.devices(3))
    fwd.wait_gen("devices", "apid", apid.flush("devices"))


def test_a_wrong_password_is_logged_and_tried_again(redis, probe):
    apid = probe("apid", password="wrong")
    apid.wait_log("WRONGPASS")
    redis("ACL", "SETUSER", "apid", ">wrong")
    apid.do("replace", topic="devices", records={})
    apid.flush("devices")
