# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies beside proxyd, each set up for speed by its own means, on one core, with one blocked name."""
import subprocess

from support.wait import wait_until

from .proxy_net import (BROKEN, CANNED, HOST, LISTED, PEER_FIRST, SITE, SMALL, Side, fetch, make_ca, most_files,
                        on_proxy_cpu)

BLOCKED = LISTED.partition(".")[2]  # with all below it


class Peer(Side):
    """conf and argv know %(dir)s, %(ca)s, %(internet)s, %(port)d (intercepted), %(explicit)d, and more."""
    argv, conf, package = (), "", ""
    intercepts = decrypts = True

    def __init__(self, net):
        self.net = net
        number = next(i for i, peer in enumerate(PEERS, 1) if isinstance(self, peer))
        self.source = "10.9.0.%d" % (PEER_FIRST + number)
        self.dir = net.dir / self.label
        self.dir.mkdir()
        self.dir.chmod(0o777)
        self.port = 5000 + number if self.intercepts else None
        self.explicit = ("10.9.0.1", 6000 + number)
        if self.decrypts:
            self.root = make_ca(self.dir, self.label)
        self.known = {"dir": self.dir, "port": 5000 + number, "explicit": self.explicit[1],
                      "internet": net.dir / "internet.pem", "blocked": BLOCKED, "canned": CANNED,
                      "site": SITE, "conf": self.dir / "conf",
                      "maxconn": most_files() // 2 - 2500}
        (self.dir / "conf").write_text(self.conf % self.known)
        if self.intercepts:
            net.intercept(self.source, 1, self.port)
        self.prepare()
        self.start()

    def prepare(self):
        pass

    def start(self):
        argv = [a % self.known for a in self.argv]
        with (self.dir / "log").open("a") as log:
            self.process = subprocess.Popen(
                self.net.gw.argv(*argv), cwd=self.dir,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=on_proxy_cpu)
        try:
            wait_until(self.answers, self.label)
        except AssertionError as e:
            raise RuntimeError("%s: %s" % (e, self.log())) from None

    def log(self):
        return "".join(f.read_text(errors="replace")[-1000:] for f in self.dir.glob("*log"))

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("%s ended: %s" % (self.label, self.log()))
        try:
            return fetch(self.net, self, HOST, SMALL, not self.decrypts and self.intercepts)[0] == 200
        except BROKEN:
            return False


class Squid(Peer):
    """Bumps what is asked for by CONNECT; peeks at what is intercepted and splices it."""
    label, package = "squid", "squid-openssl"
    argv = ("/usr/sbin/squid", "-N", "-f", "%(conf)s")
    conf = """http_port 10.9.0.1:%(explicit)d name=bump ssl-bump generate-host-certificates=on \
dynamic_cert_mem_cache_size=64MB tls-cert=%(dir)s/both.pem
https_port 10.9.0.1:%(port)d name=splice intercept ssl-bump tls-cert=%(dir)s/both.pem
acl step1 at_step SslBump1
acl listed ssl::server_name .%(blocked)s
acl listed_host dstdomain .%(blocked)s
acl spliced myportname splice
ssl_bump peek step1
ssl_bump terminate listed
ssl_bump splice spliced
ssl_bump bump all
http_access deny listed_host
http_access allow all
sslcrtd_program /usr/lib/squid/security_file_certgen -s %(dir)s/certificates -M 64MB
sslcrtd_children 4 startup=4 idle=1
tls_outgoing_options cafile=%(internet)s
dns_nameservers 127.0.0.1
hosts_file none
cache deny all
cache_mem 8 MB
access_log none
cache_log %(dir)s/cache.log
pid_filename none
coredump_dir %(dir)s
shutdown_lifetime 0 seconds
visible_hostname squid
via off
forwarded_for delete
"""

    def prepare(self):
        both = self.dir / "both.pem"
        both.write_text(self.root.read_text() + (self.dir / "squid.key").read_text())
        subprocess.run(["/usr/lib/squid/security_file_certgen", "-c", "-s", self.dir / "certificates", "-M",
                        "64MB"], check=True, capture_output=True)
        subprocess.run(["chown", "-R", "proxy", self.dir], check=True)


class Haproxy(Peer):
    """Looks at the name; where to is in its configuration."""
    label, package, decrypts = "haproxy", "haproxy", False
    argv = ("haproxy", "-f", "%(conf)s", "-db")
    conf = """global
 maxconn %(maxconn)d
 nbthread 1
defaults
 mode tcp
 timeout connect 5s
 timeout client 300s
 timeout server 300s
 option splice-auto
frontend devices
 bind 10.9.0.1:%(port)d
 tcp-request inspect-delay 5s
 tcp-request content reject if { req.ssl_sni -m end .%(blocked)s }
 tcp-request content accept if { req.ssl_hello_type 1 }
 use_backend canned if { req.ssl_sni -m end .canned.example }
 default_backend site
backend canned
 server origin %(canned)s:443
backend site
 server origin %(site)s:443
"""


class ByName(Peer):
    """Resolves names as programs do, from /etc/resolv.conf, which is one of its own here."""
    prefix = ("unshare", "-m", "sh", "-c", 'mount --bind "$0/resolv" /etc/resolv.conf && exec "$@"', "%(dir)s")

    def prepare(self):
        (self.dir / "resolv").write_text("nameserver 127.0.0.1\n")


class Tinyproxy(ByName):
    """Tunnels only."""
    label, package, decrypts, intercepts = "tinyproxy", "tinyproxy-bin", False, False
    argv = (*ByName.prefix, "tinyproxy", "-d", "-c", "%(conf)s")
    conf = """Port %(explicit)d
Listen 10.9.0.1
Timeout 600
MaxClients 4096
ConnectPort 443
LogLevel Critical
Filter "%(dir)s/filter"
FilterDefaultDeny No
DisableViaHeader Yes
"""

    def prepare(self):
        super().prepare()
        (self.dir / "filter").write_text(BLOCKED.replace(".", "\\.") + "$\n")


class Mitmproxy(ByName):
    """Decrypts, with an addon that looks for a word in pages."""
    label, package, intercepts = "mitmproxy", "mitmproxy", False
    argv = (*ByName.prefix, "mitmdump", "-q", "-s", "%(dir)s/addon.py", "--listen-host", "10.9.0.1",
            "--listen-port", "%(explicit)d", "--set", "confdir=%(dir)s", "--set", "flow_detail=0", "--set",
            "http2=false", "--set", "ssl_verify_upstream_trusted_ca=%(internet)s")
    addon = """from mitmproxy import http


class Words:
    def request(self, flow):
        if flow.request.pretty_host.endswith(%r):
            flow.response = http.Response.make(403, b"blocked")

    def response(self, flow):
        if flow.response.headers.get("content-type", "").startswith("text/html"):
            if b"forbiddenword" in flow.response.content:
                flow.response.content = flow.response.content.replace(b"forbiddenword", b"*")


addons = [Words()]
"""

    def prepare(self):
        super().prepare()
        (self.dir / "addon.py").write_text(self.addon % BLOCKED)
        (self.dir / "mitmproxy-ca.pem").write_text((self.dir / "mitmproxy.key").read_text()
                                                   + self.root.read_text())


PEERS = (Squid, Haproxy, Tinyproxy, Mitmproxy)
PACKAGES = tuple(p.package for p in PEERS)
