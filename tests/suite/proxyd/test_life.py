# SPDX-License-Identifier: GPL-3.0-or-later
"""proxyd through the loss of its bus, restarts and its end (SPEC C1, P17; DESIGN 2)."""
import subprocess
import threading

import pytest
from support import BUILD
from support.wait import wait_until


def is_in_force(w):
    assert w.get_secure("https://allowed.example/").status == 200
    assert w.get_secure("https://blocked.example/").status == 451
    assert w.get_secure("https://ads.listed.example/").status == 451
    assert w.get("http://unknown.example/").status == 451
    return True


def test_goes_on_without_redis(new_world):
    w = new_world
    w.redis.kill()
    assert is_in_force(w)


def test_last_good_is_in_force_after_a_restart_without_redis(new_world):
    """DESIGN 2.3: last good wins, also across a restart."""
    w = new_world
    w.proxyd.stop()
    w.redis.kill()
    w.start_proxyd()
    assert is_in_force(w)


def test_killed_and_started_again(new_world):
    """The root stays the same; the policy comes back."""
    w = new_world
    w.proxyd.kill()
    w.start_proxyd()
    assert is_in_force(w)


def test_no_policy_is_closed(new_world):
    """DESIGN 2.3: no policy at all means closed."""
    w = new_world
    w.proxyd.stop()
    w.redis.kill()
    for kind in ("state/proxyd", "cache/proxyd"):
        subprocess.run(["find", w.dir / kind, "-type", "f", "-not", "-path", "*/ca/*", "-delete"], check=True)
    w.start_proxyd(wait=False)
    wait_until(lambda: w.proxyd.log().count("started version") == 2, "start")

    def is_refused():
        with w.connect() as c:
            try:
                c.send("GET http://allowed.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n")
                return c.is_closed()
            except OSError:
                return True
    wait_until(lambda: _can_connect(w), "listener")
    assert is_refused()


def _can_connect(w):
    try:
        w.connect().close()
        return True
    except OSError:
        return False


def test_ends_cleanly_under_load(new_world):
    """SIGTERM with requests, tunnels, uploads, downloads, dials and handshakes under way: status 0."""
    w = new_world
    stop = threading.Event()

    def load(i):
        while not stop.is_set():
            try:
                if i % 4 == 0:
                    w.get_secure("https://s%d.test.example/echo" % i, method="POST", body=b"x" * 100000)
                elif i % 4 == 1:
                    w.get("http://allowed.example/big?20")
                else:
                    w.get_secure("https://blocked.example/")
            except (OSError, EOFError, AssertionError, ValueError):
                pass
    threads = [threading.Thread(target=load, args=(i,)) for i in range(8)]
    kept = []
    for text in ("GET http://silent.test.example/ HTTP/1.1\r\nHost: silent.test.example\r\n\r\n",
                 "GET http://deaf.test.example/ HTTP/1.1\r\nHost: deaf.test.example\r\n\r\n",
                 "CONNECT deaf.test.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
                 "GET http://allowed.example/big?2000 HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
                 "POST http://allowed.example/echo HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 9\r\n\r\nab",
                 "CONNECT allowed.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", "GET ", ""):
        c = w.connect()
        c.send(text)
        kept.append(c)
    c, _ = w.tunnel("allowed.example:443")
    c.send(b"\x16\x03\x01\x02\x00")
    kept.append(c)
    kept.append(w.tunnel("bank.example:443")[0])
    idle = w.secure_to("allowed.example")
    idle.ask("GET", "/", "allowed.example")
    socket = w.secure_to("allowed.example")
    socket.send("GET /ws HTTP/1.1\r\nHost: allowed.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert socket.read_head().status == 101
    kept += [idle, socket]
    for t in threads:
        t.start()
    wait_until(lambda: len(w.secure.requests) > 30, "load")
    try:
        w.proxyd.stop()
    finally:
        stop.set()
        for t in threads:
            t.join()
        for c in kept:
            c.close()


def test_status_counts(new_world):
    w = new_world
    w.get("http://blocked.example/")
    w.get_secure("https://allowed.example/")

    def counted():
        s = w.status()
        return s and s["blocked"] >= 1 and s["allowed"] >= 1 and s["leaves_made"] >= 1 and s["accepted"] >= 3
    wait_until(counted, "counters")


def test_keys_are_private(new_world):
    """P2: keys 0400, and only for proxyd; the certificate is for all."""
    ca = new_world.dir / "state/proxyd/ca"
    modes = subprocess.run(["stat", "-c", "%n %a %u", *[ca / n for n in (
        "root.key", "intermediate.key", "root.pem", "intermediate.pem")]], check=True, capture_output=True,
        text=True).stdout
    assert [line.split("/")[-1] for line in modes.splitlines()] == [
        "root.key 400 64104", "intermediate.key 400 64104", "root.pem 444 64104", "intermediate.pem 444 64104"]


def test_without_a_ca_it_says_what_to_do(new_world):
    w = new_world
    w.proxyd.stop()
    subprocess.run(["rm", "-r", w.dir / "state/proxyd/ca"], check=True)
    done = subprocess.run(w.gw.argv(BUILD / "bin/proxyd", "-c", w.conf), capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and "--init-ca" in done.stderr, done


def test_root_may_be_taken_offline(new_world):
    """P2: without root.key the gateway goes on with its intermediate."""
    w = new_world
    w.proxyd.stop()
    subprocess.run(["rm", w.dir / "state/proxyd/ca/root.key"], check=True)
    w.start_proxyd()
    assert is_in_force(w)


@pytest.mark.parametrize("bad", ["port = 0", "connect_ports = 443, 70000", "resolver = nowhere", "upstream_ca = /nowhere"])
def test_bad_configuration_is_named(new_world, bad):
    w = new_world
    w.proxyd.stop()
    w.conf.write_text(w.conf.read_text() + bad + "\n")
    done = subprocess.run(w.gw.argv(BUILD / "bin/proxyd", "-c", w.conf), capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1 and bad.split()[0] in done.stderr, done
