# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of tests/lab."""
import os
import signal
import sys

from launcher.hosts import Host
from launcher.process import log_tail

from .places import HOSTS, LabError, Places

USAGE = """usage: tests/lab up | down | status
       tests/lab exec HOST CMD...           HOST: gw phone laptop lan inet
       tests/lab daemon NAME start|stop|kill|restart|reload|update|pid
environment:
  B               build directory (build)
  LAB_DIR         where env, certificates and logs go ($B/lab); each is a lab of its own
  LAB_DAEMONS     which daemons to start (all); "" for none
  LAB_WG          auto, kernel or go: whose WireGuard
  LAB_CONF_EXTRA  lines (or @FILE) put on top of culvert.conf; @RUN@ is the lab's directory
  LAB_SEED        a seed file in place of tests/labfiles/seed.json
  LAB_KEEP        leave a lab that failed to come up as it is
"""


def cmd_exec(places, name, *argv):
    if name not in HOSTS or not argv:
        sys.stderr.write(USAGE)
        return 2
    Host(places, name).enter()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, the command may not
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        print("lab: %s: not found" % argv[0], file=sys.stderr)
        return 127
    except OSError as exc:
        print("lab: %s: %s" % (argv[0], exc.strerror), file=sys.stderr)
        return 126


def _on_end(number, _frame):
    """Ends up or down; what cleans up after that is not to be interrupted."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(128 + number)


def main(args):
    places = Places()
    commands = {"up": 0, "down": 0, "status": 0, "exec": None, "daemon": 2}
    command, rest = (args[0] if args else ""), args[1:]
    if command not in commands or commands[command] not in (None, len(rest)) or (
            command == "exec" and len(rest) < 2):
        sys.stderr.write(USAGE)
        return 2
    if os.geteuid() != 0:
        print("lab: needs root", file=sys.stderr)
        return 1
    try:
        if command == "exec":
            return cmd_exec(places, *rest)
        os.umask(0o022)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _on_end)
        from . import life  # late: exec is to be quick
        return {"up": life.up, "down": life.down, "status": life.status,
                "daemon": life.daemon}[command](places, *rest)
    except LabError as exc:
        print("lab: %s" % exc, file=sys.stderr)
        if exc.log:
            sys.stderr.write(log_tail(exc.log))
        return 1
