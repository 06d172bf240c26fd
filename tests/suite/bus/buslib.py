# SPDX-License-Identifier: GPL-3.0-or-later
"""A private Redis with the generated ACL, and probes: daemons that are nothing but their bus."""
import json
import os
import pathlib
import queue
import re
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / os.environ.get("B", "build")
DEADLINE_S = 20


class Redis:
    """redis-server on a unix socket; restartable, with or without its data."""

    def __init__(self, directory):
        self.dir = directory
        self.port = 0
        self.socket = directory / "redis.sock"
        self.acl = directory / "culvert.acl"
        self.process = None
        text = subprocess.run([BUILD / "bin/bus-acl"], check=True, capture_output=True, text=True).stdout
        self.acl.write_text(re.sub(r"@PASSWORD_(\w+)@", r"secret-\1", text) + "user root on >root ~* &* +@all\n")

    def start(self):
        command = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket,
                   "--dir", self.dir, "--save", "",
                   "--aclfile", self.acl, "--daemonize", "no", "--appendonly", "no", "--loglevel", "warning",
                   "--dbfilename", "dump.rdb"]
        self.process = subprocess.Popen([str(c) for c in command], stdout=(self.dir / "redis.log").open("a"))
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            try:
                if self("PING") == "PONG":
                    return self
            except OSError:
                time.sleep(0.01)
        raise AssertionError("redis does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def save(self):
        self("SAVE")

    def forget(self):
        (self.dir / "dump.rdb").unlink(missing_ok=True)

    def connect(self, user="root", password="root"):
        return Client(self.socket, user, password)

    def __call__(self, *command):
        with self.connect() as c:
            return c(*command)


class RedisError(Exception):
    pass


class Client:
    """The few lines of RESP that the tests need."""

    def __init__(self, path, user, password):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")
        self("AUTH", user, password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def __call__(self, *command):
        parts = [c if isinstance(c, bytes) else str(c).encode() for c in command]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line:
            raise OSError("redis closed the connection")
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RedisError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        return rest


class Probe:
    """A bus-probe process: commands in, events out."""

    def __init__(self, daemon, server, directory, instance="1", password=None, sub=None):
        self.daemon = daemon
        self.dir = directory / (sub or daemon)
        (self.dir / "state").mkdir(parents=True, exist_ok=True)
        (self.dir / "cache").mkdir(exist_ok=True)
        command = [BUILD / "bin/bus-probe", daemon, server, self.dir / "state", self.dir / "cache", instance,
                   password or f"secret-{daemon}"]
        self.log = self.dir / f"log-{instance}"
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log.open("a"), text=True, bufsize=1)
        self.events = queue.Queue()
        self.seen = []
        self.records = {}
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def do(self, what, **args):
        self.process.stdin.write(json.dumps({"do": what, **args}) + "\n")
        self.process.stdin.flush()

    def _note(self, e):
        if e["ev"] == "record":
            key = f'{e["topic"]}:{e["owner"]}'
            here = self.records.setdefault(key, {})
            if e["rec"] is None:
                here.pop(e["id"], None)
            else:
                here[e["id"]] = e["rec"]
        self.seen.append(e)
        return e

    def wait(self, ev, timeout=DEADLINE_S, **match):
        """The next event of that kind whose members match."""
        until = time.monotonic() + timeout
        while True:
            try:
                e = self._note(self.events.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"{self.daemon}: no {ev} {match}; log:\n{self.text()[-3000:]}") from None
            if e["ev"] == ev and all(e.get(k) == v for k, v in match.items()):
                return e

    def ask(self, what, answer, **args):
        self.do(what, **args)
        return self.wait(answer)

    def drain(self):
        """Everything that happened until now."""
        start = len(self.seen)
        self.do("ping", tag="drain")
        self.wait("pong", tag="drain")
        return self.seen[start:-1]

    def flush(self, topic):
        self.do("flush", topic=topic, tag=topic)
        e = self.wait("flushed", tag=topic)
        assert e["status"] == 0
        return e["gen"]

    def subscribe(self, topic, owner):
        self.do("subscribe", topic=topic, owner=owner)

    def wait_gen(self, topic, owner, gen):
        """Until the mirror is at that generation, from Redis."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            f = self.ask("find", "find", topic=topic, owner=owner, id="")
            if f["gen"] == gen and f["current"]:
                return f
            try:
                self._note(self.events.get(timeout=0.2))
            except queue.Empty:
                pass
        raise AssertionError(f"{self.daemon}: {topic} is not at {gen} but {f}; log:\n{self.text()[-3000:]}")

    def wait_log(self, text):
        until = time.monotonic() + DEADLINE_S
        while text not in self.text():
            assert time.monotonic() < until, f"no {text!r} in:\n{self.text()[-3000:]}"
            time.sleep(0.02)

    def text(self):
        return self.log.read_text()

    def quit(self):
        """A clean end: no handle left, nothing for the sanitizer to say."""
        if self.process.poll() is None:
            try:
                self.do("quit")
            except BrokenPipeError:
                pass
        status = self.process.wait(timeout=DEADLINE_S)
        assert status == 0, f"{self.daemon} ended with {status}:\n{self.text()[-4000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()


def device(name, n=1, **more):
    return {"id": name, "name": name, "active": True, "addresses": [f"10.9.0.{n}"], **more}


def devices(count, **more):
    return {f"d{i}": device(f"d{i}", i % 250 + 1, **more) for i in range(count)}
