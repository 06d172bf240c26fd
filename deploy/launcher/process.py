# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running programs: started in a host, known by pid, their exit status kept."""
import os
import signal
import time

from .hosts import start_time
from .places import LaunchError, write_file

# The shell stays as the parent: it reaps the program and keeps its exit status.
_KEEPER = ('rm -f "$1.rc"; "${@:3}" & echo $! >"$1.pid.new"; mv "$1.pid.new" "$1.pid"; '
           'wait $!; rc=$?; echo $rc >"$1.rc.new"; mv "$1.rc.new" "$1.rc"')


# How many times as long everything may take: where programs run under valgrind, say.
PATIENCE = float(os.environ.get("CULVERT_PATIENCE", "1"))


def wait_until(what, predicate, seconds, log=None):
    """Polls until predicate() is true and gives its value; a LaunchError after the deadline."""
    deadline = time.monotonic() + seconds * PATIENCE
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LaunchError("%s: not within %g s" % (what, seconds), log)
        time.sleep(0.02)


class Process:
    """One named program. Its files lie below run/proc."""

    def __init__(self, host, name):
        self.host = host
        self.places = host.places
        self.name = name
        self.base = self.places.in_run("proc", name)
        self.log = self.places.log(name)

    def _read(self, suffix):
        try:
            with open(self.base + suffix, encoding="ascii") as src:
                return int(src.read())
        except (OSError, ValueError):
            return None

    def pid(self):
        """The pid while the program runs, else None."""
        pid = self._read(".pid")
        if pid is None or self._read(".rc") is not None or start_time(pid) is None:
            return None
        return pid

    def status(self):
        """The shell's idea of the exit status (128 + signal), None before the end."""
        return self._read(".rc")

    def has_ended(self):
        """Whether it has run and ended; its status is known then."""
        return self.pid() is None and self.status() is not None

    def start(self, argv, env=None):
        """Starts it in its host with the log as stdout and stderr; waits for nothing else."""
        if self.pid() is not None:
            raise LaunchError("%s runs already" % self.name)
        for suffix in (".pid", ".rc"):
            if os.path.exists(self.base + suffix):
                os.unlink(self.base + suffix)
        with open(self.log, "ab") as log:
            keeper = self.host.popen(
                ["/bin/bash", "-c", _KEEPER, "keeper", self.base, self.name] + argv,
                stdin=-3, stdout=log, stderr=log, env=env, cwd="/", start_new_session=True)
        keeper.returncode = 0  # it outlives us: init waits for it
        wait_until(self.name + ": start", lambda: self._read(".pid"), 10, self.log)

    def check_alive(self):
        if self.pid() is None:
            wait_until(self.name + ": its status", self.has_ended, 10, self.log)
            raise LaunchError("%s ended with status %s" % (self.name, self.status()), self.log)
        return True

    def await_ready(self, predicate, seconds=10):
        wait_until(self.name + ": ready", lambda: self.check_alive() and predicate(), seconds,
                   self.log)

    def send(self, number):
        pid = self.pid()
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def stop(self, number=signal.SIGTERM, seconds=30):
        """Ends it and gives the exit status; None when it was not running."""
        if self.pid() is None:
            return None
        self.send(number)
        wait_until("%s: end after signal %d" % (self.name, number), self.has_ended, seconds,
                   self.log)
        return self.status()


def log_tail(path, lines=15):
    try:
        with open(path, encoding="utf-8", errors="replace") as src:
            return "".join(src.readlines()[-lines:])
    except OSError:
        return ""


def truncate_log(path):
    write_file(path, b"", 0o644)
