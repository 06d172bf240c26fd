# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsd with all that stands before it, as the peers of dns_peers are run: lists by way of syncd and
Redis, a device that asks; and the bare echo."""
import pathlib
import shutil
import subprocess
import tempfile
import time

from support import BUILD
from support.wait import wait_until

import dnsdlib
import upstream as certificates

from .dns_peers import PATIENCE_S, UPSTREAM_PORT, Server, on_server_cpu


class Culvert(Server):
    label, address, source, reloads = "culvert", dnsdlib.GATEWAY, dnsdlib.PHONE, True

    def __init__(self, names, upstream="udp://127.0.0.1:%d" % UPSTREAM_PORT, ca=None):
        """ca: a directory with the ca.pem of a TLS upstream."""
        self.last = names[-1]
        self.certificates = pathlib.Path(tempfile.mkdtemp(prefix="culvert-bench-"))
        if not ca:
            certificates.make_certificates(self.certificates)
        self.world = dnsdlib.World([upstream], ca or self.certificates)
        conf = self.world.run / "culvert.conf"
        conf.write_text(conf.read_text().replace("log_level=debug", "log_level=notice"))
        self.port = self.world.port
        self.write(names)
        self.world.redis.start()
        self.world.publish_policy()
        self.world.syncd.start()
        self.world.dnsd.start(preexec_fn=on_server_cpu)
        self.await_block(self.last)
        # What it starts from later: the state and the image on its own disk.
        wait_until(lambda: (self.world.run / "state/dnsd/last-good").exists(), "last good", PATIENCE_S)

    @property
    def pid(self):
        return self.world.dnsd.process.pid

    def write(self, names):
        part = self.world.run / "lists/.part"
        part.write_text("".join("||%s^\n" % n for n in ["listed.example", *names]))
        part.rename(self.world.run / "lists/adblock.txt")
        self.last = names[-1]

    def start(self):
        """As after a crash: seconds until it blocks the last name."""
        self.world.dnsd.stop()
        begun = time.perf_counter()
        self.world.dnsd.start(preexec_fn=on_server_cpu)
        self.await_block(self.last, self.world.dnsd.is_running)
        return time.perf_counter() - begun

    def reload(self):
        """syncd watches the file."""

    def stop(self):
        self.world.close()
        shutil.rmtree(self.certificates, ignore_errors=True)


class Echo(Server):
    """The kernel's UDP path and nothing else."""
    label, port = "echo", 5398

    def __init__(self):
        self.process = run_echo(self.port, "echo", preexec_fn=on_server_cpu)
        self.pid = self.process.pid

    def stop(self):
        self.process.kill()
        self.process.wait()


def run_echo(port, kind, **more):
    return subprocess.Popen([str(BUILD / "bin/dns-echo"), "127.0.0.1", str(port), "batch", kind],
                            **more)
