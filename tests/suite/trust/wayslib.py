# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways round the filter, tried from a device of the lab: what is sent by hand, and whether it got anywhere."""
import random
import socket
import struct

from culvertlab import clients
from culvertlab.places import TUNNEL
from culvertlab.scenery import RESOLVERS, SITES
from lablib import site_addresses
from support.wait import wait_until
import walklib

LISTED = "ads.listed.example"
PATIENCE_S = 4


# ---- one connection; in a device's namespace ----

def _talk(address, port, parts):
    """Sends each part in a segment of its own. How it ended, and what came (hexadecimal)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    got = b""
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE_S)
        try:
            s.connect((address, port))
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                s.sendall(bytes.fromhex(part))
            while len(got) < 1 << 16:
                piece = s.recv(65536)
                if not piece:
                    return "closed", got.hex()
                got += piece
            return "open", got.hex()
        except socket.timeout:
            return "silence", got.hex()
        except OSError as exc:
            return walklib.REFUSALS.get(exc.errno, "reset"), got.hex()


def talk(lab, host, address, port, *parts):
    """(open|closed|reset|refused|silence, what came) of a connection on which these bytes are sent."""
    end, got = lab.hosts[host].call(_talk, address, port, [p.hex() for p in parts])
    return end, bytes.fromhex(got)


def reached(lab, host, data, address, port=443):
    """Whether anybody behind the gateway answered the hello (bytes, or segments of it), be it with an alert."""
    return bool(talk(lab, host, address, port, *([data] if isinstance(data, bytes) else data))[1])


def origin_saw(lab, name):
    """How many requests have reached the website's addresses, whatever host they named."""
    addresses = site_addresses(name) if name in SITES else RESOLVERS[name]
    return sum(q["dst"] in addresses for q in lab.http_requests())


# ---- packets ----

def _sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Packets:
    """Whole IP packets of a device into its tunnel. source: whose address they bear."""

    def __init__(self, lab, host, source=None):
        self.v4, self.v6 = TUNNEL[source or host]
        self.host, self.link, self.lab = host, clients.interface(host), lab

    def _pair(self, target):
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        return [socket.inet_pton(family, a) for a in (self.v6 if ":" in target else self.v4, target)]

    def ip(self, target, protocol, payload, extensions=b"", fragment=0, number=0, options=b""):
        source, to = self._pair(target)
        if ":" in target:
            body = extensions + payload
            return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + source + to + body
        words = (20 + len(options)) // 4
        head = struct.pack(">BBHHHBBH", 0x40 | words, 0, words * 4 + len(payload), number, fragment, 64, protocol, 0)
        head += source + to + options
        return head[:10] + struct.pack(">H", _sum(head)) + head[12:] + payload

    def udp(self, target, port, data, own_port=None):
        """The datagram without its IP header."""
        source, to = self._pair(target)
        head = struct.pack(">HHHH", own_port or random.randrange(20000, 60000), port, 8 + len(data), 0)
        length = struct.pack(">II", 8 + len(data), 17) if ":" in target else struct.pack(">HH", 17, 8 + len(data))
        return head[:6] + struct.pack(">H", _sum(source + to + length + head + data) or 0xFFFF) + data

    def fragments(self, target, payload, protocol=17, size=16):
        number, packets = random.getrandbits(16), []
        for at in range(0, len(payload), size):
            part, more = payload[at:at + size], at + size < len(payload)
            if ":" in target:
                head = struct.pack(">BBHI", protocol, 0, at | more, number)
                packets.append(self.ip(target, 44, part, head))
            else:
                packets.append(self.ip(target, protocol, part, fragment=at // 8 | (0x2000 if more else 0), number=number))
        return packets

    def send(self, packets):
        self.lab.hosts[self.host].call(_send_packets, self.link, [p.hex() for p in packets])


def _send_packets(link, packets):
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as s:
        for packet in packets:
            data = bytes.fromhex(packet)
            s.sendto(data, (link, 0x86DD if data[0] >> 4 == 6 else 0x0800))
    return True


# Says as soon as it hears; ends with the first datagram, protocol 17. Arguments: FILE FAMILY PROTOCOL…
HEAR_PROTOCOLS = """
import select, socket, sys
family = (socket.AF_INET, socket.AF_INET6)[int(sys.argv[2])]
ears = {socket.socket(family, socket.SOCK_RAW, n): n for n in map(int, sys.argv[3:] + ["17"])}
open(sys.argv[1], "w").close()
while True:
    for s in select.select(list(ears), [], [], 20)[0] or sys.exit("silence"):
        if s.recv(4096).endswith(b"the end") or ears[s] != 17:
            print(ears[s], flush=True)
            if ears[s] == 17: sys.exit()
"""


def site(name, family=0):
    return site_addresses(name)[family]


def asked_upstream(lab, name, since=0.0):
    """Questions for the name, or one below it, that left the gateway or the device since that time (time.time())."""
    return [q for q in lab.dns_queries()
            if q["t"] >= since and q["name"].lower().rstrip(".").endswith(name.lower().rstrip("."))]


def await_upstream(lab, name):
    return wait_until(lambda: asked_upstream(lab, name), name + " asked")
