# SPDX-License-Identifier: GPL-3.0-or-later
"""A private Redis with the generated ACL."""
import json
import os
import re
import signal
import socket
import subprocess
import time

from . import BUILD, DEADLINE_S
from .wait import wait_until


class Redis:
    """redis-server on a unix socket; restartable, with or without its data."""

    def __init__(self, directory, gateways=()):
        """gateways: the names of several."""
        self.dir = directory
        self.port = 0
        self.socket = directory / "redis.sock"
        self.acl = directory / "culvert.acl"
        self.process = None
        text = subprocess.run([BUILD / "bin/bus-acl", *gateways], check=True, capture_output=True, text=True).stdout
        self.acl.write_text(re.sub(r"@PASSWORD_([\w.-]+)@", r"secret-\1", text) + "user root on >root ~* &* +@all\n")

    def start(self):
        """Until it answers; once more where the machine let the first not come up."""
        if not self._comes_up():
            print("redis-server did not come up (exit status %s): once more" % self.process.poll())
            self.stop()
            assert self._comes_up(), (self.dir / "redis.log").read_text()
        return self

    def _command(self):
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket,
                "--unixsocketperm", "777", "--dir", self.dir, "--save", "",
                "--aclfile", self.acl, "--daemonize", "no", "--appendonly", "no", "--loglevel", "warning",
                "--dbfilename", "dump.rdb"]

    def _comes_up(self):
        with (self.dir / "redis.log").open("a") as log:
            self.process = subprocess.Popen([str(c) for c in self._command()], stdout=log)
        try:
            wait_until(lambda: self.process.poll() is not None or self._answers(), "redis")
        except AssertionError:
            return False
        return self.process.poll() is None

    def _answers(self):
        try:
            return self("PING") == "PONG"
        except (OSError, RedisError):  # it may be loading its data
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
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

    def password_file(self, daemon, uid):
        """The daemon's password, readable by its user alone."""
        path = self.dir / f"redis-{daemon}"
        path.unlink(missing_ok=True)
        path.write_text(f"secret-{daemon}\n")
        path.chmod(0o400)
        if os.geteuid() == 0:
            os.chown(path, uid, uid)
        return path

    def status(self, daemon):
        """What the daemon says of itself."""
        return json.loads(self("GET", f"culvert:status:{daemon}:1") or "{}")

    def status_now(self, daemon):
        """What the daemon says of itself from here on: what it said before may be a moment old."""
        asked = time.time() * 1000
        return wait_until(lambda: (s := self.status(daemon)).get("at", 0) > asked and s, "a new status of " + daemon)

    def applied(self, daemon, topic, owner="apid"):
        """The generation of the topic that the daemon enforces."""
        return self.status(daemon).get("applied", {}).get(f"{topic}:{owner}", 0)


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
