#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for dnsd: reports a status, says that it is ready, ends on SIGTERM with 1 if a file
`leak` lies beside its configuration. Run as fake_daemon.py -c CONFIG."""
import json
import os
import signal
import socket
import subprocess
import sys

STATUS = {"applied": {"devices:apid": 3}, "topics": {"devices:apid": {"gen": 4}}}


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    etc = os.path.dirname(sys.argv[2])
    run = os.path.dirname(etc)
    with open(run + "/secrets/redis-dnsd", encoding="ascii") as src:
        password = src.read().strip()
    subprocess.run(["redis-cli", "-s", run + "/bus/redis.sock", "--user", "dnsd",
                    "--no-auth-warning", "SET", "culvert:status:dnsd:1", json.dumps(STATUS)],
                   env=dict(os.environ, REDISCLI_AUTH=password), check=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as tell:
        tell.sendto(b"STATUS=x\nREADY=1", os.environ["NOTIFY_SOCKET"])
    signal.sigwait([signal.SIGTERM])
    sys.exit(os.path.exists(etc + "/leak"))


if __name__ == "__main__":
    main()
