# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of every kind, good and bad, by openssl."""
import subprocess
import time

CONF = """[ca]
default_ca = it
[it]
database = %(base)s.index
new_certs_dir = %(dir)s
rand_serial = yes
policy = any
unique_subject = no
[any]
commonName = supplied
"""
KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["-newkey", "rsa:2048"], "rsa1024": ["-newkey", "rsa:1024"],
        "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]}
CA = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
LEAF = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature,keyEncipherment",
        "extendedKeyUsage=serverAuth")


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class Certificate:
    """`file` holds it alone, `key` its private key."""

    def __init__(self, file, key, issuer=None):
        self.file, self.key, self.issuer = file, key, issuer

    @property
    def pem(self):
        return self.file.read_text()


class Maker:
    def __init__(self, place):
        self.place = place
        self.count = 0

    def make(self, name, issuer=None, ext=(), key="ec", md="sha256", days=(-9, 9)):
        """Signed by `issuer`, or by itself; valid between so many days from now."""
        self.count += 1
        base = self.place / ("made-%d" % self.count)
        made = Certificate(base.with_suffix(".pem"), base.with_suffix(".key"), issuer)
        for suffix, text in ((".index", ""), (".cnf", CONF % {"base": base, "dir": self.place}),
                             (".ext", "\n".join(ext) + "\n")):
            base.with_suffix(suffix).write_text(text)
        openssl("req", *KEYS[key], "-nodes", "-subj", "/CN=" + name, "-keyout", made.key,
                "-out", base.with_suffix(".csr"))
        signer = ["-cert", issuer.file, "-keyfile", issuer.key] if issuer else \
            ["-selfsign", "-keyfile", made.key]
        start, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d * 86400)) for d in days)
        openssl("ca", "-batch", "-notext", "-config", base.with_suffix(".cnf"), "-md", md, *signer,
                "-in", base.with_suffix(".csr"), "-extfile", base.with_suffix(".ext"),
                "-startdate", start, "-enddate", end, "-out", made.file)
        return made

    def authority(self, name, issuer=None, ext=(), **more):
        return self.make(name, issuer, CA + tuple(ext), **more)

    def leaf(self, host, issuer=None, names=None, ext=LEAF, **more):
        """`names` None: the host; "": no alternative name at all."""
        names = "DNS:" + host if names is None else names
        return self.make(host, issuer, tuple(ext) + (("subjectAltName=" + names,) if names else ()), **more)

    def bundle(self, leaf, *above):
        """What a server loads: the key, the leaf, and what it shows above it."""
        file = leaf.file.with_suffix(".bundle")
        file.write_text(leaf.key.read_text() + leaf.pem + "".join(a.pem for a in above))
        return file
