# SPDX-License-Identifier: GPL-3.0-or-later
"""A resolver on loopback for tests of dnsd: UDP, TCP, and TLS under a CA of its own."""
import contextlib
import socket
import ssl
import struct
import subprocess
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.test. host.test. 1 3600 600 86400 30"


def make_certificates(directory):
    """ca.pem, and dot.pem / other.pem with keys: leaves for dot.test and other.test."""
    def openssl(*argv):
        subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True, cwd=directory)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
            "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test CA", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign")
    for name in ("dot", "other"):
        (directory / f"{name}.ext").write_text(f"subjectAltName=DNS:{name}.test\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.csr", "-subj", f"/CN={name}.test")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "20", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def bind_both():
    """A listener and a datagram socket on one port, which nobody else may have of either."""
    while True:
        tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
            return tcp, udp
        except OSError:
            tcp.close()
            udp.close()


class Upstream:
    """kind: udp (with TCP on the same port) or tls (nobody reads what comes to the port over UDP). Records:
    zone[(name, type)] = [text …]; a name that is not there gets 192.0.2.1 / 2001:db8::1, names below nx. NXDOMAIN,
    below servfail. SERVFAIL, below silent. nothing, below cut. TC over UDP."""

    def __init__(self, kind="udp", directory=None, certificate="dot"):
        self.kind = kind
        self.zone = {}
        self.ttl = 300
        self.seen = []
        self.connections = 0
        self.resumed = []  # of each TLS connection: was it an old session
        self.mute = False
        self.closing = False
        self.open_streams = []
        self.context = None
        if kind == "tls":
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(directory / f"{certificate}.pem", directory / f"{certificate}.key")
        self.tcp, self.udp = bind_both()
        self.port = self.tcp.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        if kind == "udp":
            threading.Thread(target=self._datagrams, daemon=True).start()

    @property
    def url(self):
        return f"udp://127.0.0.1:{self.port}" if self.kind == "udp" else f"tls://127.0.0.1:{self.port}#dot.test"

    def close(self):
        self.end(self.tcp, self.udp, *self.open_streams)

    def end(self, *sockets):
        self.closing = True
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def drop_connections(self):
        streams, self.open_streams = self.open_streams, []
        for s in streams:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @contextlib.contextmanager
    def silence(self):
        """While it lasts nothing is answered: what dnsd says then it knows itself."""
        self.mute = True
        try:
            yield
        finally:
            self.mute = False

    def count(self, name):
        """Also how often it was asked once more, as a busy machine's upstream is."""
        return sum(1 for seen in self.seen if seen[0] == name)

    def _answer(self, wire, over):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text().lower().rstrip(".")
        self.seen.append((name, dns.rdatatype.to_text(question.rdtype), over))
        labels = name.split(".")
        if self.mute or "silent" in labels:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AD
        if "servfail" in labels:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif "nx" in labels:
            response.set_rcode(dns.rcode.NXDOMAIN)
            response.authority.append(dns.rrset.from_text(".", self.ttl, "IN", "SOA", SOA))
        else:
            self._fill(response, question, name)
        if over == "udp" and "cut" in labels:
            response.flags |= dns.flags.TC
            response.answer = []
        return response.to_wire(max_size=65535)

    def _fill(self, response, question, name):
        rdtype = dns.rdatatype.to_text(question.rdtype)
        owner = question.name
        for _ in range(8):
            alias = self.zone.get((name, "CNAME"))
            if not alias or rdtype == "CNAME":
                break
            response.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", "CNAME", alias[0]))
            owner = dns.name.from_text(alias[0])
            name = alias[0].rstrip(".")
        texts = self.zone.get((name, rdtype), {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]}.get(rdtype))
        if texts:
            response.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", rdtype, *texts))
        else:
            response.authority.append(dns.rrset.from_text(".", self.ttl, "IN", "SOA", SOA))

    def _datagrams(self):
        while not self.closing:
            try:
                wire, peer = self.udp.recvfrom(4096)
                answer = self._answer(wire, "udp") if wire else None
                if answer:
                    self.udp.sendto(answer, peer)
            except OSError:
                if self.closing:
                    return

    def _accept(self):
        while not self.closing:
            try:
                s, _ = self.tcp.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._stream, args=(s,), daemon=True).start()

    def _stream(self, s):
        try:
            if self.context:
                s = self.context.wrap_socket(s, server_side=True)
                self.resumed.append(s.session_reused)
            self.open_streams.append(s)
            data = b""
            while True:
                chunk = s.recv(65536)
                if not chunk:
                    return
                data += chunk
                while len(data) >= 2 and len(data) >= 2 + struct.unpack("!H", data[:2])[0]:
                    size = struct.unpack("!H", data[:2])[0]
                    answer = self._answer(data[2:2 + size], self.kind if self.context else "tcp")
                    data = data[2 + size:]
                    if answer:
                        s.sendall(struct.pack("!H", len(answer)) + answer)
        except OSError:
            pass
        finally:
            s.close()
