# SPDX-License-Identifier: GPL-3.0-or-later
"""Intercepted connections in every state when something breaks off (SPEC P3, C2)."""
import os
import random
import socket
import threading

import interceptlib as lib
from interceptlib import RAW, RAW_NAME, hello, sni
from support.wait import wait_until

ROUNDS = int(os.environ.get("INTERCEPT_ROUNDS", "150"))  # of each thread
THREADS = 6


def _stalled(w, raw):
    """An open one whose client takes nothing."""
    c, server = lib.open_raw(w, raw)
    server.setblocking(False)
    try:
        while True:
            server.send(bytes(1 << 20))
    except BlockingIOError:
        pass
    return c, server


def test_ends_cleanly_with_connections_in_every_state(new_world):
    """SIGTERM: status 0, no handle is left, and clients see a reset."""
    w = new_world
    lib.redirect(w)
    with lib.Raw(w) as raw:
        kept = [lib.connect(w, to=RAW) for _ in range(3)]  # no hello, part of one, nothing but a FIN
        kept[1].send(hello(sni(RAW_NAME))[:40])
        kept[2].socket.shutdown(socket.SHUT_WR)
        for name in ("silent.test.example", "deaf.test.example"):  # a name, an address that does not answer
            kept.append(lib.connect(w, to=RAW))
            kept[-1].send(hello(sni(name)))
        kept.append(lib.connect(w, to=RAW))  # no answer to the hello
        kept[-1].send(hello(sni(RAW_NAME)))
        servers = [raw.accept()]
        kept.append(lib.connect(w, to=RAW))  # a second hello is waited for
        kept[-1].send(hello(sni(RAW_NAME)))
        servers.append(raw.accept())
        servers[-1].sendall(lib.server_hello(lib.RETRY))
        assert kept[-1].socket.recv(1)
        for open_one in (lib.open_raw, _stalled):
            c, server = open_one(w, raw)
            kept.append(c)
            servers.append(server)
        with lib.connect(w, to=RAW, port=80) as http:
            http.send("GET /silent HTTP/1.1\r\nHost: silent.test.example\r\n\r\n")
            wait_until(lambda: "silent.test.example" in w.dns.asked, "asked")
            w.proxyd.stop()
        for one in [*kept, *servers]:
            one.close()


def _client(w, seed):
    """One connection that goes as far as chance lets it."""
    dice = random.Random(seed)
    data = hello(sni(dice.choice([RAW_NAME, RAW_NAME, "ads.listed.example", "nosuch.example"])))
    try:
        with lib.connect(w, dice.choice(["internet", "full"]), RAW) as c:
            c.socket.settimeout(5)
            at = 0
            while at < len(data):
                n = dice.choice([1, 7, 100, len(data)])
                c.send(data[at:at + n])
                at += n
                if dice.random() < 0.05:
                    break
            else:
                for _ in range(dice.randrange(4)):
                    c.send(bytes(dice.choice([1, 5000, 200000])))
                    if dice.random() < 0.5 and not c.socket.recv(65536):
                        break
            if dice.random() < 0.5:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    except OSError:
        pass


def _server(raw, seed, stop):
    dice = random.Random(seed)
    raw.listener.settimeout(0.1)
    while not stop.is_set():
        try:
            s, _ = raw.listener.accept()
        except TimeoutError:
            continue
        threading.Thread(target=_serve, args=(s, dice.random()), daemon=True).start()


def _serve(s, chance):
    dice = random.Random(chance)
    s.settimeout(5)
    try:
        with s:
            s.recv(65536)
            answer = lib.server_hello(lib.RETRY if dice.random() < 0.2 else bytes(32))
            answer = dice.choice([answer, answer, answer[:9], b"garbage", b""])
            for i in range(0, len(answer), dice.choice([1, 20, 100])):
                s.sendall(answer[i:i + 20])
            for _ in range(dice.randrange(4)):
                s.sendall(bytes(dice.choice([1, 5000, 300000])))
                if dice.random() < 0.5 and not s.recv(65536):
                    break
            if dice.random() < 0.5:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    except OSError:
        pass


def test_chance_leaves_nothing_behind(new_world):
    """Clients and servers that end anywhere, while policy changes: nothing is left, and the next works."""
    w = new_world
    lib.redirect(w)
    with lib.Raw(w) as raw:
        stop = threading.Event()
        server = threading.Thread(target=_server, args=(raw, 7, stop))
        server.start()
        clients = [threading.Thread(target=lambda t=t: [_client(w, (t, i).__hash__()) for i in range(ROUNDS)])
                   for t in range(THREADS)]
        for one in clients:
            one.start()
        changes = 0
        while any(one.is_alive() for one in clients):
            w.set("sni_block", {"id": "x", "domain": RAW_NAME if changes % 4 == 3 else "other.example"})
            changes += 1
        stop.set()
        server.join()
        w.wait_applied("sni_block", w.publish("sni_block", []))
        wait_until(lambda: w.redis.status_now("proxyd")["spliced_now"] == 0, "nothing left", 60)
        assert changes > 3 and w.status()["spliced_bytes"] > 100000
        raw.forget_who_came()  # the server ended with its clients, not after the last of them
        c, s = lib.open_raw(w, raw)
        c.close()
        s.close()
