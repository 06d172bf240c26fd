# SPDX-License-Identifier: GPL-3.0-or-later
import pathlib
import signal
import subprocess

from . import BUILD, DEADLINE_S
from .wait import wait_until

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def set_limit(pid, uid, what, soft):
    """prlimit's --WHAT of a process, as its own user, who may change what is its own. False: the process is gone."""
    return subprocess.run(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "prlimit", "--pid",
                           str(pid), "--%s=%s:" % (what, soft)], check=False, stderr=subprocess.DEVNULL).returncode == 0


def holds_signal(process, number):
    """The signal, sent now, does not end a program that has hardly begun: it waits, or is caught. True also of one
    that has ended."""
    try:
        status = pathlib.Path("/proc/%d/status" % process.pid).read_text()
    except OSError:
        status = ""
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigBlk:", "SigCgt:"))]
    return any(mask >> number - 1 & 1 for mask in masks) or process.poll() is not None


class Daemon:
    """One of Culvert's daemons, in a host or here; start, stop and kill it as often as needed.

    However it ends, somebody asks how: stop() demands status 0, wait() gives the status.
    """

    def __init__(self, name, conf, log, host=None):
        self.name, self.conf, self.log_file, self.host = name, conf, log, host
        self.process = None

    def start(self, **options):
        """Waits for nothing."""
        argv = [str(BUILD / "bin" / self.name), "-c", str(self.conf)]
        with self.log_file.open("a") as log:
            self.process = subprocess.Popen(self.host.argv(*argv) if self.host else argv,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        return self

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def send(self, number):
        if number in CAUGHT:
            wait_until(lambda: holds_signal(self.process, number), f"{self.name} begins")
        self.process.send_signal(number)

    def wait(self):
        """The status of one that ends by itself; a sanitizer has nothing to say in any case."""
        status = self.process.wait(DEADLINE_S)
        self.process = None
        assert "Sanitizer" not in self.log() and "runtime error:" not in self.log(), self.log()
        return status

    def kill(self):
        self.send(signal.SIGKILL)
        status = self.wait()
        assert status == -signal.SIGKILL, f"{self.name} had ended with {status}:\n{self.log()[-6000:]}"

    def stop(self):
        """A clean end, if it was started: no handle is left."""
        if self.process:
            self.send(signal.SIGTERM)
            status = self.wait()
            assert status == 0, f"{self.name} ended with {status}:\n{self.log()[-6000:]}"

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
