# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP client whose every packet a test makes by hand, from a device's address that no kernel has; and a server
of an ordinary kernel that answers a whole hello, whatever it came in."""
import contextlib
import json
import random
import select
import socket
import struct
import threading
import time

import interceptlib as lib
from interceptlib import RETRY, record, server_hello
from quiclib import SO_RCVBUFFORCE
from support import DEADLINE_S
from support.wait import wait_until

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
SECRET = record(b"what only a passed connection brings", 23)
NUMBER = 90
SITES = {4: "198.51.100.30", 6: "2001:db8:100::30"}
RETRIES = {4: "198.51.100.31", 6: "2001:db8:100::31"}
GOOD, EVIL = "allowed.example", "badname.example"  # of one length, so that either stands in the other's place
FAR = """
table inet far {
	chain incoming {
		type filter hook prerouting priority -400
		ip ttl 1 drop
		ip6 hoplimit 1 drop
	}
}
"""


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Wire:
    """Packets of the device NUMBER into the tunnel, and out of it."""

    def __init__(self, world):
        self.world = world
        mac, far = [json.loads(host.run("ip", "-j", "link", "show", "dev", name))[0]["address"]
                    for host, name in ((world.client, "wg0"), (world.gw, "wgT"))]
        for address in ("10.9.0.%d" % NUMBER, "fd09::%x" % NUMBER):
            world.gw.run("ip", "neighbour", "replace", address, "lladdr", mac, "dev", "wgT")
        world.client.write("/proc/sys/net/ipv4/conf/all/forwarding", 0)
        gw = bytes.fromhex(far.replace(":", ""))
        me = bytes.fromhex(mac.replace(":", ""))
        self.heads = {4: gw + me + b"\x08\x00", 6: gw + me + b"\x86\xdd"}

        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            # What nobody reads for a while is not to get lost: a reset comes once.
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            s.bind(("wg0", 0))
            return s
        self.socket = world.client_place.call(make)

    def send(self, packet):
        self.socket.send(self.heads[packet[0] >> 4] + packet)

    def drain(self):
        """What came is of no interest; the buffer has room again."""
        while select.select([self.socket], [], [], 0.1)[0]:
            self.socket.recv(70000)

    def take(self, port, v6, deadline):
        """(header, payload) of the next TCP packet to the port over IPv6, or IPv4, or None."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            frame, where = self.socket.recvfrom(70000)
            if where[2] == socket.PACKET_OUTGOING or frame[12:14] not in (b"\x08\x00", b"\x86\xdd"):
                continue
            packet = frame[14:]
            if packet[0] >> 4 != (6 if v6 else 4) or (packet[6] if v6 else packet[9]) != 6:
                continue
            end = 40 + struct.unpack(">H", packet[4:6])[0] if v6 else struct.unpack(">H", packet[2:4])[0]
            tcp = packet[40 if v6 else (packet[0] & 15) * 4:end]
            if struct.unpack(">H", tcp[2:4])[0] == port:
                return tcp[:(tcp[12] >> 4) * 4], tcp[(tcp[12] >> 4) * 4:]

    def close(self):
        self.socket.close()


class Tcp:
    """One connection; offsets count the client's bytes from 0."""
    ports = random.randrange(20000, 50000)

    def __init__(self, wire, site, port=None, timestamps=False, mss=1400, window=60000):
        self.wire, self.site, self.v6 = wire, site, ":" in site
        if port is None:
            Tcp.ports = port = 20000 + (Tcp.ports + 1) % 30000
        self.port, self.timestamps, self.mss, self.window = port, timestamps, mss, window
        self.isn = random.getrandbits(32)
        self.ack, self.peer_ts, self.now = 0, 0, 100000
        self.received, self.is_reset, self.is_over = b"", False, False
        me = ("fd09::%x" if self.v6 else "10.9.0.%d") % NUMBER
        family = socket.AF_INET6 if self.v6 else socket.AF_INET
        self.addresses = socket.inet_pton(family, me) + socket.inet_pton(family, site)

    # ---- packets ----

    def segment(self, offset, payload=b"", flags=ACK | PSH, ack=None, spoil=0, options=None, urgent=0, age=0, seq=None):
        if options is None:
            options = b"\x01\x01\x08\x0a" + struct.pack(">II", (self.now - age) & 0xFFFFFFFF, self.peer_ts) \
                if self.timestamps else b""
        options += b"\x01" * (-len(options) % 4)
        seq = (self.isn + 1 + offset if seq is None else seq) & 0xFFFFFFFF
        head = struct.pack(">HHIIBBHHH", self.port, 443, seq, self.ack if ack is None else ack,
                           (20 + len(options)) // 4 << 4, flags, self.window, 0, urgent) + options
        tcp = head + payload
        pseudo = self.addresses + (struct.pack(">II", len(tcp), 6) if self.v6 else struct.pack(">HH", 6, len(tcp)))
        total = checksum(pseudo + tcp) ^ spoil
        return tcp[:16] + struct.pack(">H", total) + tcp[18:]

    def packet(self, tcp, ttl=64, extensions=b"", next_header=6, fragment=0, number=0, options=b""):
        if self.v6:
            body = extensions + tcp
            return struct.pack(">IHBB", 0x60000000, len(body), next_header, ttl) + self.addresses + body
        size = 20 + len(options)
        head = struct.pack(">BBHHHBBH", 0x40 | size // 4, 0, size + len(tcp), number, fragment, ttl, 6, 0) + \
            self.addresses + options
        return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + tcp

    def send(self, offset, payload=b"", ttl=64, **more):
        self.wire.send(self.packet(self.segment(offset, payload, **more), ttl))

    def fragments(self, tcp, size=40):
        """The packets that the segment comes in."""
        parts = [(i, tcp[i:i + size]) for i in range(0, len(tcp), size)]
        number = random.getrandbits(16)
        for at, part in parts:
            more = at + len(part) < len(tcp)
            if self.v6:
                head = struct.pack(">BBHI", 6, 0, at | more, number)
                yield self.packet(part, extensions=head, next_header=44)
            else:
                yield self.packet(part, fragment=at // 8 | (0x2000 if more else 0), number=number)

    # ---- a life ----

    def connect(self, flags=SYN, payload=b"", extra=b"", seconds=DEADLINE_S):
        options = struct.pack(">BBH", 2, 4, self.mss) + extra
        if self.timestamps:
            options += b"\x01\x01\x08\x0a" + struct.pack(">II", self.now, 0)
        self.wire.send(self.packet(self.segment(-1, payload, flags, 0, options=options)))
        return self.await_answer(seconds)

    def await_answer(self, seconds):
        """Whether the first packet is answered, and not by a reset; the answer is acknowledged."""
        deadline = time.monotonic() + seconds
        while True:
            got = self.wire.take(self.port, self.v6, deadline)
            if got is None:
                return False
            head, _ = got
            if head[13] & RST:
                self.is_reset = True
                return False
            if head[13] & SYN:
                break
        self.server_seq = struct.unpack(">I", head[4:8])[0]
        self.ack = (self.server_seq + 1) & 0xFFFFFFFF
        self._note_time(head)
        self.send(0, flags=ACK)
        return True

    def _note_time(self, head):
        at = 20
        while at < len(head) and head[at]:
            if head[at] == 1:
                at += 1
                continue
            if head[at] == 8:
                self.peer_ts = struct.unpack(">I", head[at + 2:at + 6])[0]
            at += head[at + 1]

    def read(self, until, seconds, offset=0):
        """Takes what comes and acknowledges it, until the bytes are there, or a reset, or the time is over."""
        deadline = time.monotonic() + seconds
        while until not in self.received and not self.is_reset:
            got = self.wire.take(self.port, self.v6, deadline)
            if got is None:
                break
            head, payload = got
            if head[13] & RST:
                self.is_reset = True
                break
            self._note_time(head)
            seq = struct.unpack(">I", head[4:8])[0]
            if payload and seq == self.ack:
                self.received += payload
                self.ack = (self.ack + len(payload)) & 0xFFFFFFFF
                self.now += 1
                self.send(offset, flags=ACK)
        return until in self.received


def whole_hello(data):
    """Length of the records that a whole ClientHello stands in, or 0."""
    at, message = 0, b""
    while len(data) - at >= 5 and data[at] in (20, 22, 23):
        size = struct.unpack(">H", data[at + 3:at + 5])[0]
        part = data[at + 5:at + 5 + size]
        if len(part) < size:
            return 0
        at += 5 + size
        if data[at - size - 5] == 22:
            message += part
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return at
    return 0


class Server:
    """Port 443 of an address. retry: asks once for another hello. Bytes of each connection are in `heard`."""

    def __init__(self, world, address, retry=False):
        self.retry, self.heard = retry, []
        world.inet.run("ip", "address", "replace", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        self.listener = world.inet_place.listen(address, 443)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        data, retry, done = bytearray(), self.retry, 0
        self.heard.append(data)
        s.settimeout(DEADLINE_S)
        try:
            while True:
                part = s.recv(65536)
                if not part:
                    return
                data += part
                size = whole_hello(bytes(data[done:]))
                if size and retry:
                    retry, done = False, size
                    s.sendall(server_hello(RETRY))
                elif size:
                    done = len(data)
                    s.sendall(server_hello() + SECRET)
        except OSError:
            pass
        finally:
            s.close()

    def close(self):
        # The thread in accept wakes up.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def hello(name):
    return lib.hello(lib.sni(name))


def outcome(c, offset=0, seconds=DEADLINE_S):
    """Did the server's answer to a whole hello come? A reset says at once that it does not."""
    return c.read(SECRET, seconds, offset)


@contextlib.contextmanager
def raw_net(world):
    """The device NUMBER, servers that it may try, and names that it may and may not."""
    device = world.set("devices", {**world.device("internet"), "id": "raw", "addresses": [
        "10.9.0.%d" % NUMBER, "fd09::%x" % NUMBER]})
    gen = world.set("sni_block", {"id": EVIL, "domain": EVIL})
    world.wait_path_applied("sni_block", gen)
    everywhere = [*SITES.values(), *RETRIES.values()]
    world.dns.names.update({GOOD: everywhere, EVIL: everywhere})
    world.servers = {a: Server(world, a, a in RETRIES.values()) for a in everywhere}
    # The next router's part: what has no hop left goes no further.
    world.inet.run("nft", "-f", "-", text=FAR)
    world.wire = Wire(world)
    wait_until(lambda: world.redis.applied("fwd", "devices") >= device, "the device at fwd")
    try:
        yield world
    finally:
        world.wire.close()
        for server in world.servers.values():
            server.close()
