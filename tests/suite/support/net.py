# SPDX-License-Identifier: GPL-3.0-or-later
import pathlib
import socket
import subprocess

from .wait import wait_until


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
