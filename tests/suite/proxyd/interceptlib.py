# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices' ports 80 and 443 redirected to proxyd, as fwd does it; and what speaks TLS by hand."""
import ssl
import struct

from proxylib import SITE, Conn
from support import DEADLINE_S
from support.bus import Probe
from support.wait import wait_until

RULES = """
table inet intercept {
	chain incoming {
		type nat hook prerouting priority dstnat
		iifname "wgT" ip daddr 10.9.0.1 return
		iifname "wgT" ip6 daddr fd09::1 return
		iifname "wgT" tcp dport 443 dnat ip to 10.9.0.1:3129
		iifname "wgT" tcp dport 443 dnat ip6 to [fd09::1]:3129
		iifname "wgT" tcp dport 80 dnat ip to 10.9.0.1:3128
		iifname "wgT" tcp dport 80 dnat ip6 to [fd09::1]:3128
	}
}
"""


def redirect(world):
    world.gw.run("nft", "-f", "-", text=RULES)


def firewall(world):
    """Answers in fwd's place what proxyd asks."""
    probe = Probe("fwd", "unix:%s" % world.redis.socket, world.dir)
    world.probes.append(probe)
    probe.do("serve", op="fwd.reach", result={"allowed": False})
    probe.drain()
    wait_until(lambda: world.redis("PUBSUB", "NUMSUB", "culvert:req:fwd:proxyd")[1], "somebody who is asked")
    return probe


def extension(kind, data):
    return struct.pack(">HH", kind, len(data)) + data


def sni(name):
    name = name.encode()
    return extension(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name)


def alpn(*names):
    listed = b"".join(bytes([len(n)]) + n.encode() for n in names)
    return extension(16, struct.pack(">H", len(listed)) + listed)


ECH = extension(0xfe0d, b"\x00" * 32)


def message(*extensions):
    """A ClientHello, without record headers."""
    exts = b"".join(extensions)
    body = b"\x03\x03" + bytes(range(32)) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + \
        struct.pack(">H", len(exts)) + exts
    return b"\x01" + struct.pack(">I", len(body))[1:] + body


def record(content, kind=22):
    return struct.pack(">BHH", kind, 0x0301, len(content)) + content


def hello(*extensions, cut=16384):
    """A ClientHello in records of at most cut bytes."""
    whole = message(*extensions)
    return b"".join(record(whole[i:i + cut]) for i in range(0, len(whole), cut))


def connect(world, who="internet", to=SITE, port=443):
    """A connection from a device to anywhere, as an app opens it."""
    return world.connect(who, (to, port))


def tls(world, name, who="internet", to=SITE, **options):
    """TLS with the site itself: its certificate is the Internet's, not the gateway's."""
    context = ssl.create_default_context(cafile=str(world.dir / "internet.pem"))
    context.set_alpn_protocols(["http/1.1"])
    c = connect(world, who, to)
    if name is None:
        context.check_hostname = False
    try:
        return Conn(context.wrap_socket(c.socket, server_hostname=name, **options))
    except BaseException:
        c.close()
        raise


def get(world, name, who="internet", to=SITE, path="/"):
    with tls(world, name, who, to) as c:
        return c.ask("GET", path, name)


def is_reset(c):
    """The device sees a reset (c: a Conn)."""
    try:
        return bool(c.socket.recv(1)) and False
    except ConnectionResetError:
        return True


def is_over(sock):
    """Reset or ended, after what was still on its way (a socket)."""
    sock.settimeout(DEADLINE_S)
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def is_turned_away(world, who, to, port):
    """Reset as soon as it came, or before."""
    try:
        with connect(world, who, to, port) as c:
            return is_reset(c)
    except ConnectionResetError:
        return True


def is_refused(world, name, who="internet", to=SITE, *extensions):
    """A hello for the name is answered by a reset."""
    with connect(world, who, to) as c:
        c.send(hello(*([sni(name)] if name else []), *extensions))
        return is_reset(c)


# What is no HelloRetryRequest, and what is one.
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def server_hello(random=bytes(32)):
    body = b"\x03\x03" + random + b"\x00\x13\x01\x00\x00\x00"
    return record(b"\x02" + struct.pack(">I", len(body))[1:] + body)


def open_raw(world, raw, *extensions, who="internet"):
    """(client, server) of a connection that was allowed; both have seen the other's hello."""
    c = connect(world, who, RAW)
    sent = hello(sni(RAW_NAME), *extensions)
    c.send(sent)
    server = raw.accept()
    assert read_exactly(server, len(sent)) == sent
    server.sendall(server_hello())
    assert read_exactly(c.socket, len(server_hello())) == server_hello()
    return c, server


RAW, RAW_NAME = "198.51.100.20", "raw.test.example"


class Raw:
    """The site RAW_NAME, whose every byte a test sends by hand."""

    def __init__(self, world, address=RAW):
        world.inet.run("ip", "address", "replace", address, "dev", "lo")
        world.dns.names[RAW_NAME] = [address]
        self.listener = world.inet_place.listen(address, 443)
        self.listener.settimeout(DEADLINE_S)

    def forget_who_came(self):
        """Connections that nobody has accepted yet: whoever made them may be gone."""
        while not self.nobody_came():
            pass

    def nobody_came(self):
        self.listener.settimeout(0)
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return True
        finally:
            self.listener.settimeout(DEADLINE_S)
        return False

    def accept(self):
        s, _ = self.listener.accept()
        s.settimeout(DEADLINE_S)
        return s

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError("%d of %d bytes" % (len(data), n))
        data += part
    return data
