# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Internet's CA and certificates: made with openssl, kept in the build directory."""
import concurrent.futures
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time

from .places import LabError
from .scenery import EXPIRED, certificate_names

MAX_AGE_S = 20 * 86400
CA_CONF = """
[ca]
default_ca = lab
[lab]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
"""


def _openssl(cwd, *args):
    done = subprocess.run(["openssl", *args], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError("openssl %s: %s" % (args[0], done.stderr.strip()))


def _make_key(cwd, name):
    _openssl(cwd, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-out", name)


def _make_ca(cwd):
    _make_key(cwd, "ca.key")
    _openssl(cwd, "req", "-x509", "-new", "-key", "ca.key", "-days", "60", "-out", "ca.pem",
             "-subj", "/CN=Culvert lab Internet CA",
             "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")


def _make_leaf(cwd, name, alternatives):
    """NAME.pem, the chain; the key is server.key for all."""
    with open(os.path.join(cwd, name + ".ext"), "w", encoding="ascii") as out:
        out.write("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
                  "subjectAltName=%s\n" % ",".join(alternatives))
    _openssl(cwd, "req", "-new", "-key", "server.key", "-subj", "/CN=" + name,
             "-out", name + ".csr")
    work = tempfile.mkdtemp(dir=cwd)  # openssl ca keeps a database: one each
    with open(os.path.join(work, "index.txt"), "w", encoding="ascii"):
        pass
    with open(os.path.join(work, "ca.conf"), "w", encoding="ascii") as out:
        out.write(CA_CONF)
    now = time.time()
    start, end = (now - 60 * 86400, now - 86400) if name in EXPIRED else (
        now - 3600, now + 40 * 86400)
    stamp = "%Y%m%d%H%M%SZ"
    _openssl(work, "ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "../ca.pem",
             "-keyfile", "../ca.key", "-in", "../%s.csr" % name, "-extfile", "../%s.ext" % name,
             "-startdate", time.strftime(stamp, time.gmtime(start)),
             "-enddate", time.strftime(stamp, time.gmtime(end)), "-out", "leaf.pem")
    with open(os.path.join(cwd, name + ".pem"), "w", encoding="ascii") as out:
        for part in (os.path.join(work, "leaf.pem"), os.path.join(cwd, "ca.pem")):
            with open(part, encoding="ascii") as src:
                out.write(src.read())
    shutil.rmtree(work)


def make_certificates(cache):
    """Fills cache/internet when it is missing, old or made for other names; gives the directory."""
    os.makedirs(cache, exist_ok=True)
    names = certificate_names()
    want = hashlib.sha256(json.dumps([names, EXPIRED, CA_CONF]).encode()).hexdigest()
    target = os.path.join(cache, "internet")
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = os.path.join(target, "made-for")
        try:
            with open(mark, encoding="ascii") as src:
                if src.read() == want and time.time() - os.stat(mark).st_mtime < MAX_AGE_S:
                    return target
        except OSError:
            pass
        shutil.rmtree(target, ignore_errors=True)
        work = tempfile.mkdtemp(dir=cache)
        _make_ca(work)
        _make_key(work, "server.key")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda item: _make_leaf(work, *item), names.items()))
        with open(os.path.join(work, "made-for"), "w", encoding="ascii") as out:
            out.write(want)
        os.rename(work, target)
    return target
