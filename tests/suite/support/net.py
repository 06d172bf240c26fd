# SPDX-License-Identifier: GPL-3.0-or-later
import collections
import pathlib
import random
import socket
import subprocess

from .wait import wait_until

PORTS = range(10000, 32000)  # below those that outgoing connections get
given = collections.deque(maxlen=2000)


def free_port():
    """A port of loopback that nobody has, UDP and TCP, and hardly anybody gets before the caller: none of those that it gave
    last, whose owner may not have come yet."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        if port in given:
            continue
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            try:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
        given.append(port)
        return port


class Host:
    """A network namespace, with mounts of its own if wanted, alive as long as its sleeper."""

    def __init__(self, mounts=False):
        self.flags = ["-n", "-m"] if mounts else ["-n"]
        self.sleeper = subprocess.Popen(["unshare", *self.flags, "--", "sleep", "infinity"])
        comm = pathlib.Path(f"/proc/{self.sleeper.pid}/comm")
        wait_until(lambda: comm.read_text() == "sleep\n", "namespace")
        self.run("ip", "link", "set", "lo", "up")

    def argv(self, *argv):
        return ["nsenter", "-t", str(self.sleeper.pid), *self.flags, "--", *map(str, argv)]

    def run(self, *argv, text=None, check=True):
        done = subprocess.run(self.argv(*argv), input=text, text=True, check=False,
                              capture_output=True)
        assert not check or done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout

    def start(self, *argv, **options):
        return subprocess.Popen(self.argv(*argv), **options)

    def write(self, path, value):
        self.run("sh", "-c", 'echo "$1" > "$2"', "sh", str(value), path)

    def read(self, path):
        return self.run("cat", path).strip()

    def close(self):
        self.sleeper.kill()
        self.sleeper.wait()
