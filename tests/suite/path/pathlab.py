# SPDX-License-Identifier: GPL-3.0-or-later
"""proxyd, fwd and proxyd --path on one gateway: HTTPS of devices is judged in the path of its packets.

Everything else is as proxylib has it. A device's https_path may be given to `device`.
"""
import contextlib
import json
import re

import interceptlib as lib
from proxylib import DEVICES, SITE, SITE6, World
from support import BUILD, ROOT
from support.process import Daemon
from support.wait import wait_until

FWD_UID, PATH_UID = 64102, 64108
READS = "path: reading queue="
CONF = """
[fwd]
user = %d
redis_password_file = %s
proxyd_user = 64104
[path]
user = %d
redis_password_file = %s
"""


class Reader(Daemon):
    """proxyd --path; a Daemon with one word more."""

    def start(self, **options):
        name = self.name
        self.name = "proxyd"
        host, self.host = self.host, _Words(self.host)
        try:
            return super().start(**options)
        finally:
            self.name, self.host = name, host


class _Words:
    """A host whose proxyd is given --path."""

    def __init__(self, host):
        self.host = host

    def argv(self, program, *words):
        return self.host.argv(program, "--path", *words)


class PathWorld(World):
    def up(self):
        self.fwd = self.reader = None
        super().up()
        self.dns.names.update({"allowed.example": [SITE, SITE6], "s1.test.example": [SITE, SITE6]})
        self.start_fwd()
        self.start_reader()

    def down(self):
        try:
            for daemon in (self.reader, self.fwd):
                if daemon:
                    daemon.stop()
        finally:
            super().down()

    def _configure(self):
        super()._configure()
        secret = self.dir / "redis-path"
        password = self.redis.password_file("fwd", FWD_UID)
        secret.write_text("secret-path\n")
        secret.chmod(0o400)
        __import__("os").chown(secret, PATH_UID, PATH_UID)
        self.conf.write_text(self.conf.read_text() + CONF % (FWD_UID, password, PATH_UID, secret))

    def start_fwd(self):
        self.fwd = Daemon("fwd", self.conf, self.dir / "fwd.log", self.gw)
        self.fwd.start()
        wait_until(lambda: self.redis.status("fwd").get("known") or not self.fwd.is_running(), "fwd")
        assert self.fwd.is_running(), self.fwd.log()

    def start_reader(self, wait=True, **options):
        self.reader = self.reader or Reader("path", self.conf, self.dir / "path.log", self.gw)
        before = self.reader.log().count(READS)
        self.reader.start(**options)
        if wait:
            wait_until(lambda: self.reader.log().count(READS) > before or not self.reader.is_running(), "reading")
            self.wait_inline()

    def wait_inline(self, inline=True):
        """Until new connections are judged in the path, or are not."""
        def is_so():
            assert self.fwd.is_running() and (not inline or self.reader.is_running()), \
                self.fwd.log() + self.reader.log()
            return ("@prove4" in self.nft("list", "chain", "inet", "culvert", "redirect_port")) == inline
        try:
            wait_until(is_so, "inline: %s" % inline)
        except AssertionError as late:
            raise AssertionError("%s\n%s\n%s" % (late, self.fwd.log()[-2000:], self.reader.log()[-3000:])) from None

    def nft(self, *words):
        return self.gw.run("nft", *words)

    def path_status(self):
        return json.loads(self.redis("GET", "culvert:status:proxyd:path1") or "{}")

    def wait_path_status(self, condition, what="status"):
        wait_until(lambda: condition(self.path_status()), what)
        return self.path_status()

    def wait_path_applied(self, topic, gen, owner="apid"):
        if topic == "websites":
            topic, gen, owner = "webset", self.webset_of(gen), "syncd"

        def applied():
            return self.path_status().get("applied", {}).get(f"{topic}:{owner}", 0) >= gen
        wait_until(applied, "%s at %d in %r" % (topic, gen, self.path_status()))

    def owner_device(self, name, **fields):
        """Its record with these fields; in force with fwd on return."""
        gen = self.set("devices", self.device(name, **fields))
        wait_until(lambda: self.redis.applied("fwd", "devices") >= gen, "devices at fwd")

    def marks(self, address, port=443, protocol="tcp", source=None):
        """ct marks of the connections to there, or of the one from that port."""
        family = "ipv6" if ":" in address else "ipv4"
        text = self.gw.run("conntrack", "-L", "-f", family, "-p", protocol, "-d", address, "--dport", port, check=False)
        lines = [line for line in text.splitlines() if source is None or "sport=%d " % source in line]
        return [int(word.split("=")[1]) for word in " ".join(lines).split() if word.startswith("mark=")]

    def spliced(self):
        """Connections that proxyd has taken over."""
        return [line for line in self.gw.run("ss", "-Htn", "sport", "=", ":3129").splitlines() if "ESTAB" in line]

    def stamp(self):
        """proxyd/path_tidy.c's, of what Redis has."""
        followed, stamp = self.path_status().get("topics", {}), 0
        gens = {owner: self.gens(owner) for owner in ("apid", "syncd")}
        for topic in re.findall(r"^TOPIC\((\w+)", (ROOT / "common/bus_schema.def").read_text(), re.M):
            for owner, has in gens.items():
                stamp = stamp * 31 + (has.get(topic, 0) if "%s:%s" % (topic, owner) in followed else 0)
        return stamp % 2 ** 64

    def gens(self, owner):
        flat = self.redis("HGETALL", "culvert:gens:" + owner)
        return {topic: json.loads(stamp)["gen"] for topic, stamp in zip(flat[::2], flat[1::2])}

    def await_judged(self):
        """Until the reader's successor can know that all was judged under what Redis has: else it would cut."""
        judged = self.dir / "state/path/judged"
        # Nothing changes by itself then.
        wait_until(lambda: "in_force_at" in json.loads(self.redis("HGET", "culvert:state:lists:syncd", "adblock")),
                   "the list is told to be in force")
        wait_until(lambda: judged.exists() and judged.read_text().strip() == str(self.stamp()), "it is noted")

    def await_known(self, topic, gen):
        """Until the reader knows of it; it may not be in force."""
        wait_until(lambda: self.path_status()["topics"][topic + ":syncd"]["gen"] >= gen, "the reader knows of it")

    @contextlib.contextmanager
    def late_blobs(self):
        """The reader is given none meanwhile."""
        rules = next(line for line in self.redis("ACL", "LIST") if line.startswith("user path "))
        selectors = re.findall(r"\([^)]*\)", rules)
        kept = [s for s in selectors if "getrange" not in s]
        assert len(kept) == len(selectors) - 1
        self.redis("ACL", "SETUSER", "path", "clearselectors", *kept)
        try:
            yield
        finally:
            self.redis("ACL", "SETUSER", "path", "clearselectors", *selectors)

    def await_nothing_spliced(self):
        """Nothing that is open is, and what was may be over in a moment."""
        wait_until(lambda: not self.spliced(), "nothing that proxyd has")


def get(world, name, who="internet", to=SITE, path="/"):
    return lib.get(world, name, who, to, path)


__all__ = ["BUILD", "DEVICES", "PathWorld", "get"]
