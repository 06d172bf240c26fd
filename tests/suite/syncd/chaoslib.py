# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything on the way of an appeal, each part of which can be killed and started again."""
import os
import pathlib
import shutil
import tempfile

import apidlib
import directuslib
import synclib

from support.bus import Probe

CONF = "directus_poll_s = 1\nallow_private = yes\n"


class Proxyd:
    """Its bus and its spool alone."""

    def __init__(self, redis, place):
        self.redis, self.place, self.probe = redis, place, None
        self.start()

    def start(self):
        self.probe = Probe("proxyd", f"unix:{self.redis.socket}", self.place)

    def kill(self):
        self.probe.process.kill()
        self.probe.process.wait()

    def post(self, record):
        """Until it is in the spool: from then on it must not be lost."""
        self.probe.do("queue_add", record=record, tag=record["uuid"])
        assert self.probe.wait("queued", tag=record["uuid"])["status"] == 0

    def spooled(self):
        return self.probe.ask("spooled", "spooled")["n"]


class StandIn:
    """Directus; its rows survive, as in a database."""

    def __init__(self):
        self.one = directuslib.Directus()

    def kill(self):
        self.one.close()

    def start(self):
        old, self.one = self.one, directuslib.Directus(self.one.port)
        self.one.rows, self.one.next_id, self.one.clock = old.rows, old.next_id, old.clock

    def uuids(self):
        with self.one.lock:
            return sorted(r["uuid"] for r in self.one.rows["vpn_appeals"].values())


class World:
    """All parts, running."""

    def __init__(self, place, redis):
        self.redis, self.stores = redis, []
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.db_dir = pathlib.Path(tempfile.mkdtemp(prefix="cvdb", dir=memory))
        self.db_dir.chmod(0o755)
        self.mariadb = apidlib.MariaDB(self.db_dir).start()
        self.mariadb.create()
        home = place / "apid-home"
        home.mkdir()
        self.apid = apidlib.Apid(apidlib.own(home), redis, self.mariadb, apidlib.SEED)
        self.apid.write_conf(f"seed_file = {self.apid.seed_file}\nappeals_requeue_s = 1\n")
        self.apid.start()
        self.directus = StandIn()
        self.dns = synclib.Dns()
        self.dns.start()
        synclib.make_certificate(place, "ca", "unused.test")
        self.syncd = synclib.Syncd(place, redis, self.dns.port)
        token = place / "token"
        token.write_text(directuslib.TOKEN + "\n")
        token.chmod(0o400)
        os.chown(token, synclib.UID, synclib.UID)
        self.syncd.private = False
        self.syncd.more = CONF + f"directus_url = {self.directus.one.url}\ndirectus_token_file = {token}\n"
        self.syncd.start()
        self.proxyd = Proxyd(redis, place)

    def part(self, name):
        return getattr(self, name)

    def start(self, name):
        if name == "apid":
            self.apid.launch()  # maybe without its database
        else:
            self.part(name).start()

    def in_mariadb(self):
        return sorted(r[0] for r in self.mariadb.sql("SELECT uuid FROM appeals", "culvert", check=False) or [])

    def close(self):
        self.proxyd.probe.quit()
        self.syncd.stop()
        self.apid.stop()
        self.directus.kill()
        self.mariadb.stop()
        self.dns.socket.close()
        shutil.rmtree(self.db_dir, ignore_errors=True)
