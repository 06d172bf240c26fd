# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of tests/lab."""
import os
import sys

from launcher import cli as launcher
from launcher.hosts import Host

from .places import HOSTS, LabError, Places

USAGE = """usage: tests/lab up | down | status
       tests/lab exec HOST CMD...           HOST: gw phone laptop lan inet
       tests/lab daemon NAME start|stop|kill|restart|reload|update|pid
environment:
  B               build directory (build)
  LAB_DIR         where env, certificates and logs go ($B/lab); each is a lab of its own
  LAB_DAEMONS     which daemons to start (all); "" for none
  LAB_PATH        yes: proxyd --path, too, when fwd and proxyd are there
  LAB_WG          auto, kernel or go: whose WireGuard
  LAB_CONF_EXTRA  lines (or @FILE) put on top of culvert.conf; @RUN@ is the lab's directory
  LAB_SEED        a seed file in place of tests/labfiles/seed.json
  LAB_KEEP        leave a lab that failed to come up as it is
"""


def cmd_exec(places, name, *argv):
    if name not in HOSTS or not argv:
        sys.stderr.write(USAGE)
        return 2
    return launcher.cmd_exec(Host(places, name), argv)


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
        launcher.end_on_signals()
        from . import life  # late: exec is to be quick
        return {"up": life.up, "down": life.down, "status": life.status,
                "daemon": life.daemon}[command](places, *rest)
    except LabError as exc:
        return launcher.report("lab", exc)
