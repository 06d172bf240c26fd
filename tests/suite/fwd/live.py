# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows that go on by themselves, as the tests of live changes watch them."""
import json
import os
import subprocess

from support import DEADLINE_S
from support.network import TUNNEL
from world import DEVICES, PYTHON

HERE = os.path.dirname(os.path.realpath(__file__))

SERVE = """
import socket, sys, threading
def tcp(s):
    while True:
        c, _ = s.accept()
        threading.Thread(target=pour, args=(c,), daemon=True).start()
def pour(c):
    try:
        while True:
            c.sendall(b'd' * 262144)
    except OSError:
        pass
def udp(s):
    while True:
        _, who = s.recvfrom(2000)
        threading.Thread(target=drip, args=(s, who), daemon=True).start()
def drip(s, who):
    import time
    for _ in range(2000):
        s.sendto(b'u' * 1000, who)
        time.sleep(0.005)
port = int(sys.argv[1])
for address in sys.argv[2:]:
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    t = socket.socket(family, socket.SOCK_STREAM)
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    t.bind((address, port)); t.listen(50)
    u = socket.socket(family, socket.SOCK_DGRAM)
    u.bind((address, port))
    threading.Thread(target=tcp, args=(t,), daemon=True).start()
    threading.Thread(target=udp, args=(u,), daemon=True).start()
print('ready', flush=True)
threading.Event().wait()
"""

# Only receives. Prints what ended it, when (monotonic), bytes, and how long the last wait was.
RECEIVE = """
import errno, json, socket, sys, time
kind = socket.SOCK_STREAM if sys.argv[4] == 'tcp' else socket.SOCK_DGRAM
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, kind)
s.settimeout(30)
s.bind((sys.argv[1], 0))
s.connect((sys.argv[2], int(sys.argv[3])))
s.settimeout(float(sys.argv[5]))
if sys.argv[4] == 'udp':
    s.send(b'?')
got, last, said = 0, time.monotonic(), False
while True:
    try:
        data = s.recv(1 << 20)
        end = '' if data else 'closed'
    except socket.timeout:
        end = 'silence'
    except OSError as e:
        end = errno.errorcode.get(e.errno, str(e.errno))
    if end:
        break
    got += len(data)
    last = time.monotonic()
    if not said and got > (1000000 if sys.argv[4] == 'tcp' else 5000):
        said = True
        print('flows', flush=True)
print(json.dumps({'end': end, 'at': time.monotonic(), 'last': last, 'bytes': got}), flush=True)
"""


def serve(world, host, port, addresses):
    child = host.start(PYTHON, "-c", SERVE, str(port), *addresses, stdout=subprocess.PIPE,
                       text=True)
    world.children.append(child)
    assert child.stdout.readline() == "ready\n"


class Download:
    """A device that receives and says nothing itself."""
    SOURCES = TUNNEL

    def __init__(self, world, who, to, port, protocol="tcp", patience=5):
        source = self.SOURCES[6 if ":" in to else 4] % DEVICES[who]
        self.child = world.client.start(PYTHON, "-c", RECEIVE, source, to, str(port), protocol,
                                        str(patience), stdout=subprocess.PIPE, text=True)
        assert self.child.stdout.readline() == "flows\n"

    def wait(self):
        """What ended it."""
        self.child.wait(DEADLINE_S)
        return json.loads(self.child.stdout.readline())

    def is_running(self):
        return self.child.poll() is None

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def flows(world, *words):
    """Connections of the gateway that show all of the words."""
    text = world.gw.run("conntrack", "-L") + world.gw.run("conntrack", "-L", "-f", "ipv6")
    return [line for line in text.splitlines() if all(word in line.split() for word in words)]


