# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands behind `make up` and `make down`."""
import os
import signal
import subprocess
import sys

from .places import LaunchError
from .process import log_tail

USAGE = """usage: make up [HOST=name] | make down
       python3 deploy/launcher check          what make up looks at before it builds
       python3 deploy/launcher exec CMD...    a command in the gateway's namespaces
environment:
  B        build directory (build)
  HOST     name or address at which devices reach this machine (the uplink's address)
  UP_KEPT  directory of what outlives the gateway (/var/lib/culvert-up)
"""


def cmd_exec(host, argv):
    """Becomes argv in the host; gives an exit status only when that fails."""
    host.enter()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, the command may not
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        print("%s: %s: not found" % (host.places.program, argv[0]), file=sys.stderr)
        return 127
    except OSError as exc:
        print("%s: %s: %s" % (host.places.program, argv[0], exc.strerror), file=sys.stderr)
        return 126


def _on_end(number, _frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(128 + number)


def end_on_signals():
    """A signal ends the command; what cleans up after that is not to be interrupted."""
    os.umask(0o022)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _on_end)


def report(program, exc):
    """Tells the user why; gives the exit status."""
    print("%s: %s" % (program, exc), file=sys.stderr)
    if exc.log:
        sys.stderr.write("%s: the end of %s:\n%s" % (program, exc.log, log_tail(exc.log)))
    return 1


def main(args):
    command, rest = (args[0] if args else ""), args[1:]
    if command not in ("up", "down", "check", "exec") or bool(rest) != (command == "exec"):
        sys.stderr.write(USAGE)
        return 2
    if os.geteuid() != 0:
        print("culvert: needs root", file=sys.stderr)
        return 1
    from . import up  # late: the user is told first
    from .hosts import Host
    try:
        places = up.UpPlaces()
        if command == "exec":
            return cmd_exec(Host(places, "gw"), rest)
        end_on_signals()
        return {"up": up.up, "down": up.down, "check": up.check}[command](places)
    except LaunchError as exc:
        return report("culvert", exc)
    except (OSError, subprocess.SubprocessError) as exc:
        return report("culvert", LaunchError(exc))
