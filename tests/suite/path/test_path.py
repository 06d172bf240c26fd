# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPS judged in the path of its packets (SPEC P20, F15): what passes, what is refused."""
import os
import signal
import socket
import threading
import time

import interceptlib as lib
import pytest
from pathlab import get
from proxylib import SITE, SITE6
from support import DEADLINE_S
from support.wait import wait_until

PASSED = 0x10000000
READER_GRACE_S = 2  # of 3, in which it was seen last up to half a second ago


@pytest.mark.parametrize("to", [SITE, SITE6])
def test_an_allowed_name_passes_in_the_path(world, to):
    """P20: proxyd has nothing of it, the kernel forwards it."""
    before = world.path_status().get("allowed", 0)
    with lib.tls(world, "allowed.example", to=to) as c:
        assert c.ask("GET", "/", "allowed.example").status == 200
        assert any(mark & PASSED for mark in world.marks(to)), world.marks(to)
        world.await_nothing_spliced()
    world.wait_path_status(lambda s: s.get("allowed", 0) > before)


@pytest.mark.parametrize("to", [SITE, SITE6])
def test_a_listed_name_is_reset_and_never_delivered(world, to):
    before = world.secure.connections
    assert lib.is_refused(world, "ads.listed.example", to=to)
    assert get(world, "allowed.example").status == 200
    assert world.secure.connections >= before
    assert "ads.listed.example" not in str(world.secure.requests[-2:])


def test_the_kernel_s_own_queue_is_used_where_there_is_one(world):
    """F15: else the target of iptables, which nft does not print."""
    has_native = world.lan.run("sh", "-c", "nft 'add table t; add chain t c; add rule t c queue' && echo yes",
                               check=False) == "yes\n"
    rules = world.nft("list", "chain", "inet", "culvert", "path_queue")
    assert ("queue flags bypass to 3129" in rules) == has_native


def is_refused_without_reader(world):
    """Of a reader that was killed; it comes back if the machine stood still, so that nothing was seen of the time that it has."""
    killed = time.monotonic()
    world.reader.kill()
    try:
        lib.connect(world).close()
    except ConnectionRefusedError:
        return True
    assert time.monotonic() - killed > READER_GRACE_S, "it was connected"
    world.start_reader()
    return False


def test_a_dead_reader_closes_at_once_and_established_connections_go_on(world):
    """P20: fails closed; then proxyd takes over, and a new reader comes back by itself."""
    with lib.tls(world, "allowed.example") as c:
        assert c.ask("GET", "/", "allowed.example").status == 200
        world.await_judged()
        # Within the time that a reader has to come back nothing goes the other way.
        wait_until(lambda: is_refused_without_reader(world), "a look in time")
        assert c.ask("GET", "/", "allowed.example").status == 200
        world.wait_inline(False)
        assert get(world, "allowed.example").status == 200
        assert c.ask("GET", "/", "allowed.example").status == 200
        world.start_reader()
        assert get(world, "allowed.example").status == 200
        assert c.ask("GET", "/", "allowed.example").status == 200


def test_a_stopped_reader_lets_nothing_new_pass(world):
    with lib.tls(world, "allowed.example") as c:
        world.reader.send(signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                world.client_place.call(socket.create_connection, (SITE, 443), 1, ("10.9.0.3", 0))
            assert c.ask("GET", "/", "allowed.example").status == 200
        finally:
            world.reader.send(signal.SIGCONT)
    wait_until(lambda: get(world, "allowed.example").status == 200, "recovery")


def test_a_slow_reader_loses_nothing_and_lets_nothing_through(world):
    """Stopped for half of the time, as on a machine that has too much to do."""
    over = threading.Event()

    def slow_down():
        while not over.wait(0.03):
            world.reader.send(signal.SIGSTOP)
            over.wait(0.03)
            world.reader.send(signal.SIGCONT)
    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        for _ in range(5):
            assert get(world, "allowed.example").status == 200
            assert lib.is_refused(world, "ads.listed.example")
    finally:
        over.set()
        thread.join()


def test_a_reader_that_hangs_is_noticed_ended_and_replaced(world, tmp_path):
    """The unit's WatchdogSec: it says that it is alive while it is, and no more; what systemd does then, the test does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, lib.tls(world, "allowed.example") as c:
        told.bind(str(tmp_path / "notify"))
        (tmp_path / "notify").chmod(0o777)
        for parent in (tmp_path, *tmp_path.parents[:3]):
            parent.chmod(parent.stat().st_mode | 0o011)
        told.settimeout(DEADLINE_S)
        world.await_judged()
        world.reader.stop()
        world.start_reader(env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"})
        while b"WATCHDOG=1" not in told.recv(4096):
            pass
        world.reader.send(signal.SIGSTOP)
        told.settimeout(2)
        with pytest.raises(TimeoutError):
            while True:
                told.recv(4096)
        with pytest.raises(TimeoutError):
            world.client_place.call(socket.create_connection, (SITE, 443), 1, ("10.9.0.3", 0))
        assert c.ask("GET", "/", "allowed.example").status == 200
        world.reader.kill()
        world.start_reader()
        assert get(world, "allowed.example").status == 200
        assert c.ask("GET", "/", "allowed.example").status == 200


def test_a_restart_of_fwd_leaves_connections_and_judging_alone(world):
    with lib.tls(world, "allowed.example") as c:
        assert c.ask("GET", "/", "allowed.example").status == 200
        world.fwd.stop()
        assert c.ask("GET", "/", "allowed.example").status == 200
        assert get(world, "allowed.example").status == 200
        assert lib.is_refused(world, "ads.listed.example")
        world.fwd.start()
        wait_until(lambda: world.fwd.log().count("started version=") > 1, "fwd")
        assert c.ask("GET", "/", "allowed.example").status == 200
        with lib.tls(world, "allowed.example") as other:
            assert other.ask("GET", "/", "allowed.example").status == 200
            world.await_nothing_spliced()
    world.wait_inline()


def test_it_can_be_switched_off(world):
    """fwd.path: what passed goes on, what is new is proxyd's."""
    text = world.conf.read_text()
    with lib.tls(world, "allowed.example") as c:
        assert c.ask("GET", "/", "allowed.example").status == 200
        world.conf.write_text(text.replace("[fwd]\n", "[fwd]\npath = no\n"))
        world.fwd.send(signal.SIGHUP)
        world.wait_inline(False)
        assert c.ask("GET", "/", "allowed.example").status == 200
        with lib.tls(world, "allowed.example") as other:
            assert other.ask("GET", "/", "allowed.example").status == 200
            assert world.spliced()
        world.conf.write_text(text)
        world.fwd.send(signal.SIGHUP)
        world.wait_inline()
        assert c.ask("GET", "/", "allowed.example").status == 200


def test_names_of_chosen_clients_are_logged(world):
    """P12, as on the way through proxyd."""
    text = world.conf.read_text()
    world.reader.stop()
    world.conf.write_text(text.replace("[path]\n", "[path]\nsni_log_ips = 10.9.0.3\n"))
    world.start_reader()
    assert get(world, "allowed.example").status == 200
    assert lib.is_refused(world, "ads.listed.example")
    for line in ("name=ads.listed.example alpn= ech=0 verdict=block",
                 "name=allowed.example alpn=http/1.1, ech=0 verdict=allow"):
        wait_until(lambda line=line: line in world.reader.log(), line)
    world.conf.write_text(text)
