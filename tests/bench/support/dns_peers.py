# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS servers beside dnsd: each with a list of blocked names by its best means, a cache, and one
upstream on loopback; one thread, no validation. All files below a directory of its own."""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

SERVER_CPU, CLIENT_CPU, LOOPBACK = 1, 0, "127.0.0.1"
NICE = -15  # servers and those who ask them, before whatever else the machine does
UPSTREAM_PORT = 5399
PATIENCE_S = 120


def question(name, number=0x1234):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0\0\x01\0\x01"


def is_block(answer):
    """NXDOMAIN, REFUSED, no address or 0.0.0.0."""
    return bool(answer) and (answer[3] & 15 in (3, 5) or not answer[3] & 15 and (
        answer[6:8] == b"\0\0" or b"\0\x04\0\0\0\0" in answer[12:]))


def is_passed(answer):
    return bool(answer) and not answer[3] & 15 and b"\0\x04\xc0\0\x02\x01" in answer


def on_server_cpu():
    os.sched_setaffinity(0, {SERVER_CPU})
    os.setpriority(os.PRIO_PROCESS, 0, NICE)


def on_client_cpu():
    os.sched_setaffinity(0, {CLIENT_CPU})
    os.setpriority(os.PRIO_PROCESS, 0, NICE)


class Server:
    """What is measured: a process, where it is asked, and from which address."""
    label, address, source = "", LOOPBACK, LOOPBACK
    port = pid = None

    def ask(self, name, patience=0.005):
        """The answer, None when there is none at once."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(patience)
            s.bind((self.source, 0))
            s.connect((self.address, self.port))
            try:
                s.send(question(name))
                return s.recv(4096)
            except OSError:
                return None

    def await_block(self, name, alive=lambda: True):
        deadline = time.monotonic() + PATIENCE_S
        while not is_block(self.ask(name)):
            if time.monotonic() > deadline or not alive():
                raise RuntimeError("%s does not block %s" % (self.label, name))
            time.sleep(0.002)


    def await_reload(self):
        self.await_block(self.last)


class Peer(Server):
    """conf and argv know %(dir)s, %(port)d, %(upstream)d and %(names)s, the file that names_text
    fills."""
    argv, conf, package = (), "", ""
    reloads = False  # without a new process

    def __init__(self, directory, port):
        self.dir = pathlib.Path(directory) / self.label
        self.dir.mkdir()
        self.port, self.process = port, None
        self.known = {"dir": self.dir, "port": port, "upstream": UPSTREAM_PORT,
                      "names": self.dir / "names", "conf": self.dir / "conf"}
        (self.dir / "conf").write_text(self.conf % self.known)

    @property
    def pid(self):
        return self.process.pid

    def names_text(self, names):
        return "\n".join(names) + "\n"

    def write(self, names):
        part = self.dir / "names.part"
        part.write_text(self.names_text(names))
        part.rename(self.known["names"])
        self.last = names[-1]

    def start(self):
        """Seconds until it blocks the last name."""
        begun = time.perf_counter()
        with (self.dir / "log").open("w") as log:
            self.process = subprocess.Popen([a % self.known for a in self.argv], cwd=self.dir,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=on_server_cpu)
        try:
            self.await_block(self.last, lambda: self.process.poll() is None)
        except RuntimeError as e:
            self.stop()
            raise RuntimeError("%s: %s" % (e, (self.dir / "log").read_text()[-600:])) from None
        return time.perf_counter() - begun

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Dnsmasq(Peer):
    label, package, reloads = "dnsmasq", "dnsmasq-base", True
    argv = ("dnsmasq", "-k", "-C", "%(conf)s")
    conf = ("no-resolv\nno-hosts\nport=%(port)d\nlisten-address=127.0.0.1\nbind-interfaces\nuser=\n"
            "pid-file=\ncache-size=200000\ndns-forward-max=10000\nserver=127.0.0.1#%(upstream)d\n"
            "servers-file=%(names)s\n")  # which a SIGHUP reads again, unlike local=

    def names_text(self, names):
        return "".join("server=/%s/\n" % n for n in names)


class Unbound(Peer):
    label, package, reloads = "unbound", "unbound", True
    argv = ("unbound", "-d", "-c", "%(conf)s")
    conf = """server:
 interface: 127.0.0.1@%(port)d
 use-syslog: no
 logfile: ""
 chroot: ""
 username: ""
 pidfile: ""
 directory: "%(dir)s"
 num-threads: 1
 module-config: "iterator"
 do-not-query-localhost: no
 msg-cache-size: 128m
 rrset-cache-size: 256m
 outgoing-range: 8192
 num-queries-per-thread: 4096
 so-rcvbuf: 4m
 qname-minimisation: no
 include: "%(names)s"
remote-control:
 control-enable: no
forward-zone:
 name: "."
 forward-addr: 127.0.0.1@%(upstream)d
"""

    def names_text(self, names):
        return "server:\n" + "".join('local-zone: "%s." always_nxdomain\n' % n for n in names)


class Rpz(Peer):
    def names_text(self, names):
        return ("$TTL 60\n$ORIGIN rpz.\n@ SOA ns. host. %d 3600 600 86400 60\n@ NS ns.\n"
                % (time.time_ns() // 10 ** 6 % 2 ** 31)
                + "".join("%s CNAME .\n" % n for n in names))


class PdnsRecursor(Rpz):
    label, package, reloads = "pdns-recursor", "pdns-recursor", True
    argv = ("pdns_recursor", "--config-dir=%(dir)s")
    settings = """local-address=127.0.0.1
local-port=%(port)d
socket-dir=%(dir)s
daemon=no
threads=1
pdns-distributes-queries=no
dnssec=off
quiet=yes
loglevel=3
disable-syslog=yes
security-poll-suffix=
dont-query=
forward-zones-recurse=.=127.0.0.1:%(upstream)d
max-cache-entries=2000000
max-packetcache-entries=1000000
max-mthreads=4096
lua-config-file=%(conf)s
"""
    conf = 'rpzFile("%(names)s", {policyName="listed"})\n'

    def __init__(self, directory, port):
        super().__init__(directory, port)
        (self.dir / "recursor.conf").write_text(self.settings % self.known)

    def reload(self):
        """Waits for the end: to ask for a name before would put it into the cache of packets."""
        subprocess.run(["rec_control", "--config-dir=%s" % self.dir, "--socket-dir=%s" % self.dir,
                        "--timeout=%d" % PATIENCE_S, "reload-lua-config"], check=True, timeout=PATIENCE_S,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class KnotResolver(Rpz):
    label, package, reloads = "knot-resolver", "knot-resolver", True
    argv = ("kresd", "-n", "-c", "%(conf)s", "%(dir)s")
    conf = """net.listen('127.0.0.1', %(port)d)
cache.size = 300 * MB
trust_anchors.remove('.')
policy.add(policy.rpz(policy.DENY, '%(names)s', true))
policy.add(policy.all(policy.STUB({'127.0.0.1@%(upstream)d'})))
"""

    def reload(self):
        """It watches the file."""


class Dnsdist(Peer):
    label, package = "dnsdist", "dnsdist"
    argv = ("dnsdist", "--supervised", "--disable-syslog", "-C", "%(conf)s")
    conf = """setSecurityPollSuffix('')
setLocal('127.0.0.1:%(port)d')
setMaxUDPOutstanding(65535)
newServer({address='127.0.0.1:%(upstream)d', sockets=4, healthCheckMode='up'})
getServer(0):setUp()
getPool(''):setCache(newPacketCache(1000000, {maxTTL=86400}))
listed = newSuffixMatchNode()
for line in io.lines('%(names)s') do listed:add(newDNSName(line)) end
addAction(SuffixMatchNodeRule(listed), RCodeAction(DNSRCode.NXDOMAIN))
"""


class Smartdns(Peer):
    label, package = "smartdns", "smartdns"
    argv = ("smartdns", "-f", "-c", "%(conf)s", "-p", "%(dir)s/pid")
    conf = """bind 127.0.0.1:%(port)d
server 127.0.0.1:%(upstream)d
cache-size 1000000
cache-persist no
prefetch-domain no
serve-expired no
speed-check-mode none
dualstack-ip-selection no
log-level error
log-file %(dir)s/smartdns.log
domain-set -name listed -file %(names)s
address /domain-set:listed/#
"""


PEERS = (Dnsmasq, Unbound, PdnsRecursor, KnotResolver, Dnsdist, Smartdns)
