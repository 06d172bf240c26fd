# SPDX-License-Identifier: GPL-3.0-or-later
"""The same servers with their questions going over TLS (DoT): an upstream that answers everything at once, and the
peers that can ask it and check its name."""
import socket
import subprocess

from support.wait import wait_until

import upstream as certificates

from .dns_ours import Culvert
from .dns_peers import PATIENCE_S, Dnsdist, Smartdns, Unbound, on_client_cpu

DOT_PORT = 5397
NAME = "dot.test"


class DotUpstream:
    """dnsdist has 192.0.2.1 for every name."""
    conf = """setSecurityPollSuffix('')
setLocal('127.0.0.1:%(plain)d')
addTLSLocal('127.0.0.1:%(port)d', '%(dir)s/dot.pem', '%(dir)s/dot.key', {provider='openssl'})
addAction(AllRule(), SpoofAction('192.0.2.1'))
"""

    def __init__(self, directory):
        self.dir = directory / "dot"
        self.dir.mkdir()
        certificates.make_certificates(self.dir)
        (self.dir / "conf").write_text(self.conf % {"port": DOT_PORT, "plain": DOT_PORT - 1, "dir": self.dir})
        with (self.dir / "log").open("w") as log:
            self.process = subprocess.Popen(["dnsdist", "--supervised", "--disable-syslog", "-C", self.dir / "conf"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=on_client_cpu)
        wait_until(self._listens, "the TLS upstream", PATIENCE_S)

    def _listens(self):
        with socket.socket() as s:
            return not s.connect_ex(("127.0.0.1", DOT_PORT))

    def stop(self):
        self.process.kill()
        self.process.wait()


class _Tls:
    """A peer whose upstream is asked over TLS."""

    def __init__(self, directory, port, ca):
        self.conf = self.conf_with(ca)
        super().__init__(directory, port)


class TlsUnbound(_Tls, Unbound):
    def conf_with(self, ca):
        return Unbound.conf.replace("@%(upstream)d", "@%d#%s\n forward-tls-upstream: yes" % (DOT_PORT, NAME)).replace(
            " chroot:", ' tls-cert-bundle: "%s/ca.pem"\n chroot:' % ca, 1)


class TlsSmartdns(_Tls, Smartdns):
    def conf_with(self, ca):
        return Smartdns.conf.replace("server 127.0.0.1:%(upstream)d", (
            "ca-file %s/ca.pem\nserver-tls 127.0.0.1:%d -host-name %s -tls-host-verify %s" % (
                ca, DOT_PORT, NAME, NAME)))


class TlsDnsdist(_Tls, Dnsdist):
    def conf_with(self, ca):
        return Dnsdist.conf.replace("newServer({address='127.0.0.1:%(upstream)d', sockets=4, ", (
            "newServer({address='127.0.0.1:%d', tls='openssl', subjectName='%s', caStore='%s/ca.pem', " % (
                DOT_PORT, NAME, ca)))


PEERS = (TlsUnbound, TlsDnsdist, TlsSmartdns)


def culvert(names, ca):
    return Culvert(names, "tls://127.0.0.1:%d#%s" % (DOT_PORT, NAME), ca)
