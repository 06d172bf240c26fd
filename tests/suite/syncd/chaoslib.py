# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything on the way of an appeal, each part of which can be killed and started again."""
import contextlib
import os
import pathlib
import random
import shutil
import socket
import tempfile
import threading
import time

import apidlib
import directuslib
import portallib
import proxylib
import synclib

from support import BUILD, DEADLINE_S
from support.net import Host
from support.process import Daemon
from support.wait import wait_until

CONF = "directus_poll_s = 1\nallow_private = yes\n"
PHONE = "10.9.0.2"  # of apid's seed


class Proxyd(Daemon):
    """proxyd, and a device that asks its portal, in a namespace of their own."""

    def __init__(self, place, redis, ends):
        self.ends, self.dir, self.failure = ends, place / "proxyd-home", None
        for kind in ("state", "cache"):
            (self.dir / kind).mkdir(parents=True)
        self.host = Host()
        self.ends.callback(self.host.close)
        self.host.run("ip", "link", "add", "wgT", "type", "veth", "peer", "name", "wgP")
        self.host.run("ip", "link", "set", "wgP", "up")
        for address in ("10.9.0.1/24", f"{PHONE}/24", "fd09::1/64"):
            self.host.run("ip", "addr", "add", address, "dev", "wgT", *["nodad"][:":" in address])
        self.host.run("ip", "link", "set", "wgT", "up")
        self.inside = proxylib.Place(self.host)
        self.ends.callback(self.inside.close)
        super().__init__("proxyd", self.dir / "culvert.conf", self.dir / "proxyd.log", self.host)
        self.conf.write_text(f"""[culvert]
state_dir = {self.dir}/state
cache_dir = {self.dir}/cache
[bus]
redis = unix:{redis.socket}
[tunnel mitm]
interface = wgT
addresses = 10.9.0.1/24, fd09::1/64
[proxyd]
user = {proxylib.UID}
redis_password_file = {redis.password_file("proxyd", proxylib.UID)}
upstream_ca = {place}/ca.pem
ca_dir = {self.dir}/state/proxyd/ca
appeals_per_hour = 1000
""")
        self.host.run(BUILD / "bin/proxyd", "-c", self.conf, "--init-ca")

    def get(self, url, _who=None, method="GET", headers=(), body=None):
        """As portallib has it."""
        def make():
            s = socket.socket()
            s.settimeout(DEADLINE_S)
            s.bind((PHONE, 0))
            s.connect(proxylib.PROXY)
            return s
        with proxylib.Conn(self.inside.call(make)) as c:
            return c.ask(method, url, url.split("/")[2], headers, body)

    def form(self, n):
        """The form for the appeal of that number; None: there is none now."""
        try:
            page = portallib.fetch(self, form_address(n))
        except (OSError, EOFError) as e:
            self.failure = e
            return None
        return page if page.status == 200 and page.form else None

    def submit(self, n, page):
        """True: it says that it has it, and from then on it must not be lost. False: nobody answered."""
        try:
            done = portallib.submit(self, page, form_address(n), reason=reason(n))
        except (OSError, EOFError) as e:
            self.failure = e
            return False
        assert done.title == "Submitted", done.text
        return True

    def spooled(self):
        return len(list((self.dir / "state/proxyd/queue-appeals").glob("*.json")))


def reason(n):
    return f"number {n}"


def form_address(n):
    return portallib.address(host=f"a{n}.example", url=f"http://a{n}.example/", mode="appeal")


class StandIn:
    """Directus; its rows survive, as in a database."""

    def __init__(self):
        self.one = directuslib.Directus()

    def kill(self):
        self.one.close()

    def start(self):
        self.one = directuslib.Directus(self.one.port, self.one)

    @property
    def url(self):
        return self.one.url

    def appeals(self):
        """(reason, uuid) of each row."""
        with self.one.lock:
            return sorted((r["reason"], r["uuid"]) for r in self.one.rows["vpn_appeals"].values())


class World:
    """All parts, running."""

    def __init__(self, place, redis, directus=None):
        self.redis, self.ends = redis, contextlib.ExitStack()
        try:
            self._start(place, redis, directus)
        except BaseException:
            self.close()
            raise

    def _start(self, place, redis, directus):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.db_dir = pathlib.Path(tempfile.mkdtemp(prefix="cvdb", dir=memory))
        self.ends.callback(shutil.rmtree, self.db_dir, ignore_errors=True)
        self.db_dir.chmod(0o755)
        self.mariadb = apidlib.MariaDB(self.db_dir).start()
        self.ends.callback(self.mariadb.stop)
        self.mariadb.create()
        home = place / "apid-home"
        home.mkdir()
        self.apid = apidlib.Apid(apidlib.own(home), redis, self.mariadb, apidlib.SEED)
        self.apid.write_conf(f"seed_file = {self.apid.seed_file}\nappeals_requeue_s = 1\n")
        self.ends.callback(self.apid.stop)
        self.apid.start()
        self.directus = directus or StandIn()
        self.ends.callback(self.directus.kill)
        self.dns = synclib.Dns()
        self.ends.callback(self.dns.close)
        self.dns.start()
        synclib.make_certificate(place, "ca", "unused.test")
        self.syncd = synclib.Syncd(place, redis, self.dns.port)
        token = place / "token"
        token.write_text(directuslib.TOKEN + "\n")
        token.chmod(0o400)
        os.chown(token, synclib.UID, synclib.UID)
        self.syncd.private = False
        self.syncd.more = CONF + f"directus_url = {self.directus.url}\ndirectus_token_file = {token}\n"
        self.ends.callback(self.syncd.stop)
        self.syncd.start()
        self.proxyd = Proxyd(place, redis, self.ends)
        self.ends.callback(self.proxyd.stop)
        self.proxyd.start()

    def part(self, name):
        return getattr(self, name)

    def start(self, name):
        if name == "apid":
            self.apid.launch()  # maybe without its database
        else:
            self.part(name).start()

    def in_mariadb(self):
        rows = self.mariadb.sql("SELECT reason, uuid FROM appeals", "culvert", check=False)
        return sorted(tuple(r) for r in rows or [])

    def close(self):
        self.ends.close()


PATIENCE_S = 5
PARTS = ("proxyd", "redis", "syncd", "apid", "directus", "mariadb")


def insist(world, down, ask, what):
    """Until ask() gives something. Who restarts beside an empty Redis and without apid knows no device, and answers
    nobody: then what is away comes back, part by part."""
    patience = time.monotonic() + PATIENCE_S

    def look():
        nonlocal patience
        if down and time.monotonic() > patience:
            world.start(down.pop(0))
            patience = time.monotonic() + PATIENCE_S
        return ask()
    try:
        return wait_until(look, what, 4 * DEADLINE_S)
    except AssertionError as e:
        raise AssertionError(f"{e}\n{world.proxyd.failure!r}\n{world.proxyd.log()[-4000:]}") from None


def send(world, n, rng, down, kills_proxyd):
    """The appeal of that number, and proxyd killed after it, or while it is on its way: then the device, which
    knows nothing, sends its form again."""
    page = insist(world, down, lambda: world.proxyd.form(n), "a form")
    killer = threading.Timer(rng.random() * 0.03, world.proxyd.kill) if kills_proxyd and rng.random() < 0.7 else None
    if killer:
        killer.start()
    answered = world.proxyd.submit(n, page)
    if killer:
        killer.join()
    elif kills_proxyd:
        world.proxyd.kill()
    if kills_proxyd:
        world.proxyd.start()
    insist(world, down, lambda: answered or world.proxyd.submit(n, page), "the appeal is taken")


def run(world, rounds, seed):
    """Each round one part is killed, and one that was killed before comes back: up to three are away. Then all come
    back, and each appeal is once in both stores."""
    rng = random.Random(seed)
    down, kills, began = [], dict.fromkeys(PARTS, 0), time.monotonic()
    for n in range(rounds):
        name = rng.choice([p for p in PARTS if p not in down])
        before = rng.random() < 0.5
        kills[name] += 1
        if name == "proxyd":
            send(world, n, rng, down, True)
        else:
            if not before:
                send(world, n, rng, down, False)
            world.part(name).kill()
            down.append(name)
            if before:
                send(world, n, rng, down, False)
        while len(down) > rng.randrange(3):
            world.start(down.pop(0))
    for name in down:
        world.start(name)
    want = sorted(reason(n) for n in range(rounds))
    wait_until(lambda: world.proxyd.spooled() == 0, "the spool is empty", 120)
    wait_until(lambda: [r for r, _ in world.in_mariadb()] == want, "MariaDB has them", 120)
    wait_until(lambda: {r for r, _ in world.directus.appeals()} == set(want), "Directus has them", 180)
    wait_until(lambda: not world.mariadb.sql("SELECT uuid FROM appeals WHERE directus_at IS NULL", "culvert"),
               "apid knows that Directus has them", 180)
    assert [r for r, _ in world.directus.appeals()] == want
    assert world.in_mariadb() == world.directus.appeals()
    print(f"rounds {rounds} seed {seed}: kills {kills}; {rounds} appeals once in MariaDB, once in Directus; "
          f"{time.monotonic() - began:.0f} s")
