# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections from the gateway as one of its users."""
import json

from world import PYTHON

CONNECT = """
import json, socket, sys
out = []
for address, protocol, port in json.loads(sys.argv[1]):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                      socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    s.settimeout(5)
    try:
        s.connect((address, port))
        if protocol == "udp":
            s.send(b"x"); s.recv(100)
        out.append("answer")
    except OSError as error:
        out.append(type(error).__name__)
print(json.dumps(out))
"""


def connect_as(world, uid, *targets):
    return json.loads(world.gw.run("setpriv", "--reuid", str(uid), "--clear-groups", PYTHON, "-c",
                                   CONNECT, json.dumps(targets)))
