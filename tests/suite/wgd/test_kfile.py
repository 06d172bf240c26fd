# SPDX-License-Identifier: GPL-3.0-or-later
"""W5: K's WireGuard file, with real Redis, MariaDB, apid, wgd and WireGuard."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "apid"))
import apidlib  # noqa: E402

from support import BUILD  # noqa: E402
from support.wait import wait_until  # noqa: E402
from wgdlib import UID, Gateway, genkey, userspace_only  # noqa: E402

pytestmark = userspace_only

KEYS = [genkey() for _ in range(40)]
PUB = [public for _, public in KEYS]
PRIVATE, SERVER = genkey()
PSK = subprocess.check_output(["wg", "genpsk"], text=True).strip()
HOLD_S = 8


def peer(name, number, address=None, psk=None):
    """One block as K writes it."""
    lines = ["# device:%s" % name, "[Peer]", "PublicKey = %s" % PUB[number]]
    lines += ["PresharedKey = %s" % psk] if psk else []
    return "\n".join(lines + ["AllowedIPs = %s" % (address or "10.9.0.%d/32" % (number + 2))]) + "\n"


def interface(private=PRIVATE, port=51820, address="10.9.0.1/24"):
    return ("[Interface]\nAddress = %s\nListenPort = %d\nPrivateKey = %s\nSaveConfig = false\n"
            % (address, port, private))


GOOD = "\n".join([interface(), peer("phone", 0, psk=PSK), peer("laptop", 1, "10.9.0.3/32, fd09::3/128"),
                  peer("tv", 2)])


@pytest.fixture(scope="module")
def mariadb():
    with tempfile.TemporaryDirectory(prefix="cvdb") as d:
        os.chmod(d, 0o755)
        database = apidlib.MariaDB(pathlib.Path(d)).start()
        yield database
        database.stop()


class World(Gateway):
    """A gateway whose topics apid publishes, and K's file."""

    def __init__(self, database, extra=""):
        super().__init__(extra=extra.replace("@K@", "/tmp/culvert-none"))
        self.redis("FLUSHALL")  # the publisher in apid's place
        self.k_dir = self.dir / "k"
        self.k_dir.mkdir()
        self.k = self.k_dir / "wg-mitm.conf"
        conf = self.dir / "culvert.conf"
        conf.write_text(conf.read_text().replace("/tmp/culvert-none", str(self.k)))
        database.create()
        (self.dir / "apid").mkdir()
        self.apid = apidlib.Apid(self.dir / "apid", self.redis, database, None)
        self.start_wireguard()

    def write(self, text):
        """As an editor or K's server replaces it."""
        fresh = self.k_dir / "new"
        fresh.write_text(text)
        os.chown(fresh, UID, UID)
        fresh.chmod(0o600)
        fresh.rename(self.k)

    def command(self, *argv, text=None):
        """(status, standard output, standard error)."""
        done = subprocess.run(self.host.argv(BUILD / "bin/wgd", "-c", self.dir / "culvert.conf", *argv), text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def watch(self):
        return self.status().get("watch", {})

    def await_watch(self, **want):
        try:
            wait_until(lambda: want.items() <= self.watch().items(), "watch")
        except AssertionError as exc:
            raise AssertionError("%s\nwant %r\nhave %r\n%s" % (
                exc, want, self.watch(), self.wgd.log()[-3000:])) from exc

    def dump(self):
        """What `wg show` says: public key -> preshared key, allowed prefixes."""
        rows = [line.split("\t") for line in self.run("wg", "show", "wgt0", "dump", check=False).splitlines()[1:]]
        return {r[0]: (r[1], sorted(r[3].split(","))) for r in rows}

    def devices(self):
        return self.apid.state("devices")

    def close(self):
        try:
            self.apid.stop()
        finally:
            super().close()


@pytest.fixture
def make_world(mariadb):
    made = []

    def make(extra=""):
        made.append(World(mariadb, extra))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def world(make_world):
    """Nothing runs yet but WireGuard and the servers."""
    return make_world()


@pytest.fixture
def watching(make_world):
    """All run; the file is followed and holds GOOD."""
    one = make_world("watch=@K@\nwatch_hold_s=%d" % HOLD_S)
    one.write(GOOD)
    one.apid.start()
    one.wgd.start()
    one.await_watch(state="good", devices=3, pending=0)
    return one


def want(text):
    """What `wg show` of an interface that runs this file says."""
    blocks = re.findall(r"PublicKey = (\S+)\n(?:PresharedKey = (\S+)\n)?AllowedIPs = (.*)\n", text)
    return {key: (psk or "(none)", sorted(a if "/" in a else a + "/32" for a in ips.split(", ")))
            for key, psk, ips in blocks}


def await_dump(world, text):
    try:
        wait_until(lambda: world.dump() == want(text), "peers")
    except AssertionError as exc:
        raise AssertionError("%s\nwant %r\nhave %r\n%s\n%s" % (
            exc, want(text), world.dump(), world.wgd.log()[-3000:], world.apid.log()[-2000:])) from exc


# ---- import ----

def test_import_yields_the_same_devices_and_keeps_the_key(world):
    world.write(GOOD)
    seed = world.dir / "imported.json"
    status, out, err = world.command("--import", world.k, "--output", seed)
    assert (status, out) == (0, ""), err
    assert "3 devices for tunnel mitm" in err and PSK not in err and PRIVATE not in err
    assert seed.stat().st_mode & 0o777 == 0o600
    key = world.dir / "state/wgd/keys/mitm.key"
    assert key.read_text().strip() == PRIVATE
    assert key.stat().st_mode & 0o777 == 0o600 and key.stat().st_uid == UID
    world.apid.seed(seed.read_text())
    world.apid.write_conf("seed_file = %s" % world.apid.seed_file)
    world.apid.start()
    world.wgd.start()
    await_dump(world, GOOD)
    # The phones' server key, so that their configuration stays good.
    assert world.run("wg", "show", "wgt0", "public-key").strip() == SERVER


def test_import_to_standard_output_gives_the_seed(world):
    world.write(GOOD)
    target = world.dir / "out.json"
    with target.open("w") as out:
        subprocess.run(world.host.argv(BUILD / "bin/wgd", "-c", world.dir / "culvert.conf", "--import", world.k),
                       stdout=out, stderr=subprocess.DEVNULL, check=True)
    assert target.stat().st_mode & 0o777 == 0o600
    seed = json.loads(target.read_text())
    assert seed["devices"][1] == {"id": "laptop", "active": True, "tunnel": "mitm",
                                  "addresses": ["10.9.0.3", "fd09::3"]}
    assert seed["device_keys"][0] == {"id": "phone", "public_key": PUB[0], "preshared_key": PSK}


def test_import_writes_no_keys_to_a_terminal(world):
    world.write(GOOD)
    out = world.run("script", "-qec", "%s -c %s --import %s" % (
        BUILD / "bin/wgd", world.dir / "culvert.conf", world.k), "/dev/null", check=False)
    assert "not for a terminal" in out and PSK not in out


@pytest.mark.parametrize("text,line,reason", [
    (GOOD.replace(PUB[1], "nonsense"), 15, "PublicKey: not a WireGuard key"),
    (GOOD.replace(PUB[1], PUB[0]), 15, "PublicKey: the same key as in line 9"),
    (GOOD.replace("10.9.0.4/32", "10.9.0.2/32"), 21, "AllowedIPs: the same address as in line 11"),
    (GOOD.replace("device:tv", "device:phone"), 18, "device:phone: is there twice, first in line 7"),
    (GOOD.replace("10.9.0.4/32", "10.8.0.4/32"), 21, "AllowedIPs: outside tunnel mitm"),
    (GOOD.replace("10.9.0.4/32", "10.9.0.0/24"), 21, "AllowedIPs: /24 is not one address (/32, /128)"),
    (GOOD + "Colour = red\n", 22, "Colour: no directive of [Peer]"),
    (GOOD.replace("# device:laptop\n", ""), 13, "[Peer]: has no line `# device:ID`"),
    (GOOD.replace("51820", "51821"), 3, "ListenPort: 51821 is not tunnel mitm's, which is 51820"),
    (GOOD.replace("10.9.0.1/24", "10.9.0.1/16"), 2, "Address: 10.9.0.1/16 is not one of tunnel mitm"),
], ids=["key", "same-key", "same-address", "same-device", "outside", "prefix", "directive", "no-device", "port",
        "interface-address"])
def test_a_broken_file_is_refused_whole(world, text, line, reason):
    """W8: named with its line; nothing is written."""
    world.write(text)
    seed = world.dir / "imported.json"
    status, out, err = world.command("--import", world.k, "--output", seed)
    assert (status, out) == (1, "")
    assert err == "%s:%d: %s\n" % (world.k, line, reason)
    assert not seed.exists() and not list((world.dir / "state/wgd").iterdir())


def test_import_never_replaces_a_key(world):
    world.write(GOOD)
    keys = world.dir / "state/wgd/keys"
    keys.mkdir(mode=0o700)
    (keys / "mitm.key").write_text(KEYS[39][0] + "\n")
    (keys / "mitm.key").chmod(0o600)
    for path in (keys, keys / "mitm.key"):
        os.chown(path, UID, UID)
    seed = world.dir / "imported.json"
    status, _, err = world.command("--import", world.k, "--output", seed)
    assert status == 1 and not seed.exists()
    assert err.startswith("%s:4: PrivateKey: tunnel mitm has another key, %s/mitm.key" % (world.k, keys))
    assert (keys / "mitm.key").read_text().strip() == KEYS[39][0]
    # The same key is no obstacle.
    (keys / "mitm.key").write_text(PRIVATE + "\n")
    assert world.command("--import", world.k, "--output", seed)[0] == 0


# ---- export ----

def test_export_round_trips(world):
    """import → export → import is identical; the file is stable; from Redis and without it."""
    world.write(GOOD)
    seed, again, exported = (world.dir / n for n in ("seed.json", "again.json", "exported.conf"))
    assert world.command("--import", world.k, "--output", seed)[0] == 0
    world.apid.seed(seed.read_text())
    world.apid.write_conf("seed_file = %s" % world.apid.seed_file)
    world.apid.start()
    world.wgd.start()
    await_dump(world, GOOD)
    status, out, err = world.command("--export", exported)
    assert (status, out) == (0, ""), err
    assert "3 devices of tunnel mitm\n" in err
    assert exported.stat().st_mode & 0o777 == 0o600
    first = exported.read_text()
    assert re.findall("# device:(.*)", first) == ["phone", "laptop", "tv"]
    assert want(first) == want(GOOD) and "PrivateKey = " + PRIVATE in first
    assert world.command("--import", exported, "--output", again)[0] == 0
    assert again.read_text() == seed.read_text()
    # The last good state is written within a second or two.
    last_good = world.dir / "state/wgd/last-good"
    wait_until(lambda: last_good.exists() and all(
        word in last_good.read_bytes() for word in (PUB[2].encode(), b"10.9.0.4")), "last good state")
    world.redis.kill()
    status, _, err = world.command("--export", exported)
    assert status == 0 and "from the last good state" in err
    assert exported.read_text() == first
    world.redis.start()


def test_export_without_any_state_says_so(world):
    world.redis.kill()
    target = world.dir / "exported.conf"
    status, _, err = world.command("--export", target)
    assert status == 1 and "no last good state" in err and not target.exists()
    world.redis.start()


# ---- watch ----

def test_watch_makes_what_the_file_holds(watching):
    await_dump(watching, GOOD)
    assert watching.devices()["laptop"]["addresses"] == ["10.9.0.3", "fd09::3"]
    assert watching.devices()["phone"]["addresses"] == ["10.9.0.2"]


def test_watch_follows_changes_however_they_are_written(watching):
    grown = GOOD + "\n" + peer("new", 3)
    watching.write(grown)  # renamed into place
    await_dump(watching, grown)
    moved = grown.replace("10.9.0.4/32", "10.9.0.44/32").replace("PresharedKey = %s\n" % PSK, "")
    with watching.k.open("r+") as k:  # written in place
        k.write(moved)
        k.truncate()
    await_dump(watching, moved)
    watching.write(GOOD)  # and one removed
    await_dump(watching, GOOD)
    watching.await_watch(state="good", pending=0, removals=1)
    assert set(watching.devices()) == {"phone", "laptop", "tv"}


def write_slowly(file, text, last):
    """Line by line, for longer than wgd waits for a writer's next word; how long it had to wait at most, from the
    last one on."""
    longest = 0
    for line in text.splitlines(keepends=True):
        file.write(line)
        file.flush()
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
        time.sleep(0.02)  # the writer's pace
    return longest


def write_while_it_stands_still(wgd, file, text, at):
    """Until at, then wgd stands still while it waits for the writer's next word; when it goes on, that is over."""
    last = time.monotonic()
    file.write(text[:at])
    file.flush()
    time.sleep(0.05)
    wgd.send(signal.SIGSTOP)
    awake = time.monotonic() - last
    time.sleep(0.4)
    last = time.monotonic()
    wgd.send(signal.SIGCONT)
    return max(awake, write_slowly(file, text[at:], last))


@pytest.mark.parametrize("stands_still", [False, True], ids=["writer alone", "wgd stands still"])
def test_file_that_is_being_written_is_not_taken_half(watching, stands_still):
    """W5: half of it is a good file, too; nobody is removed meanwhile."""
    grown = GOOD + "\n" + peer("new", 3)
    for _ in range(40):
        await_dump(watching, GOOD)
        watching.await_watch(state="good", pending=0, devices=3)
        before = watching.watch()
        with watching.k.open("w") as k:
            if stands_still:
                longest = write_while_it_stands_still(watching.wgd, k, grown, GOOD.index("# device:laptop"))
            else:
                longest = write_slowly(k, grown, time.monotonic())
        await_dump(watching, grown)
        if longest < 0.15:  # else the machine has made it a writer who rests
            break
        watching.write(GOOD)
    watching.await_watch(state="good", pending=0, removals=before["removals"], upserts=before["upserts"] + 1)


def test_addresses_and_keys_may_wander(watching):
    """One leaves, another gets its address, a third that one's."""
    text = "\n".join([interface(), peer("laptop", 1, "10.9.0.2/32"), peer("tv", 2, "10.9.0.3/32"),
                      peer("fresh", 0, "10.9.0.4/32")])
    watching.write(text)
    await_dump(watching, text)


def test_a_broken_file_changes_nothing(watching):
    await_dump(watching, GOOD)
    with watching.redis.connect() as ear:
        ear("SUBSCRIBE", "culvert:event:wgd:alarm")
        watching.write(GOOD.replace(PUB[1], "nonsense"))
        alarm = ear.read()[2]
    watching.await_watch(state="broken", line=15, error="PublicKey: not a WireGuard key", devices=3)
    assert "watch_broken" in alarm and "wg-mitm.conf:15: PublicKey: not a WireGuard key" in alarm
    assert "%s:15 reason=PublicKey: not a WireGuard key" % watching.k in watching.wgd.log()
    assert watching.dump() == want(GOOD)
    watching.k.unlink()
    watching.await_watch(state="broken", line=0, error="No such file or directory")
    assert watching.dump() == want(GOOD)
    grown = GOOD + "\n" + peer("new", 3)
    watching.write(grown)
    await_dump(watching, grown)
    watching.await_watch(state="good", pending=0)
    assert PSK not in watching.wgd.log() and PRIVATE not in watching.wgd.log()


def test_directory_that_is_replaced_is_watched_again(watching):
    await_dump(watching, GOOD)
    grown = GOOD + "\n" + peer("new", 3)
    watching.k_dir.rename(watching.dir / "former")
    watching.k_dir.mkdir()
    watching.write(grown)
    await_dump(watching, grown)
    for text in (GOOD, grown, GOOD):  # each would take 30 s without events
        start = time.monotonic()
        watching.write(text)
        await_dump(watching, text)
        assert time.monotonic() - start < 15


def test_what_is_no_file_is_named(watching):
    await_dump(watching, GOOD)
    watching.k.unlink()
    watching.k.mkdir()
    watching.await_watch(state="broken", error="is no regular file", devices=3)
    watching.k.rmdir()
    watching.write(GOOD)
    watching.await_watch(state="good", removals=0)


def test_a_removal_while_wgd_was_down_is_noticed(watching):
    await_dump(watching, GOOD)
    watching.wgd.stop()
    smaller = GOOD.replace(peer("tv", 2), "")
    watching.write(smaller)
    watching.wgd.start()
    await_dump(watching, smaller)
    wait_until(lambda: "tv" not in watching.devices(), "its record goes, too")


def test_a_device_of_somebody_else_is_never_removed(make_world):
    one = make_world("watch=@K@")
    one.write(GOOD)
    one.apid.start()
    # wgd is not up: apid says so, and has stored it.
    one.apid.upsert("tv", PUB[2], "10.9.0.4")
    one.apid.upsert("other", PUB[5], "10.9.0.77")
    one.wgd.start()
    one.await_watch(state="good", devices=3, pending=0)
    one.write(GOOD.replace(peer("tv", 2), "").replace(peer("laptop", 1, "10.9.0.3/32, fd09::3/128"), ""))
    one.await_watch(devices=1, pending=0, removals=1)
    assert set(one.devices()) == {"phone", "tv", "other"}


def test_an_imported_device_leaves_with_the_file(world):
    """Import first, follow then: what the import made is the file's."""
    world.write(GOOD)
    seed = world.dir / "imported.json"
    assert world.command("--import", world.k, "--output", seed)[0] == 0
    world.apid.seed(seed.read_text())
    world.apid.write_conf("seed_file = %s" % world.apid.seed_file)
    world.apid.start()
    conf = world.dir / "culvert.conf"
    conf.write_text(conf.read_text().replace("[wgd]\n", "[wgd]\nwatch=%s\n" % world.k))
    world.wgd.start()
    world.await_watch(state="good", devices=3, pending=0)
    smaller = GOOD.replace(peer("tv", 2), "")
    world.write(smaller)
    await_dump(world, smaller)


def test_requests_outlast_apid_and_redis(watching):
    await_dump(watching, GOOD)
    watching.apid.stop()
    grown = GOOD.replace(peer("tv", 2), "") + "\n" + peer("new", 3)
    watching.write(grown)
    wait_until(lambda: watching.watch().get("failures", 0) > 0, "tried in vain")
    watching.apid.start()
    await_dump(watching, grown)
    watching.redis.kill()
    watching.write(GOOD)
    watching.redis.start()
    await_dump(watching, GOOD)
    watching.await_watch(state="good", pending=0)


def test_a_file_that_lost_most_devices_is_held(watching):
    many = GOOD + "\n" + "\n".join(peer("d%d" % i, i) for i in range(3, 30))
    watching.write(many)
    watching.await_watch(devices=30, pending=0)
    few = interface() + peer("phone", 0)

    def times_held():
        return watching.wgd.log().count("the followed file lost most devices")

    watching.write(few)
    wait_until(lambda: times_held() == 1, "held")
    assert watching.dump() == want(many)
    watching.write(many)
    wait_until(lambda: "good again" in watching.wgd.log(), "restored")
    assert watching.dump() == want(many) and watching.watch().get("removals") == 0
    # One that stays so is believed.
    watching.write(few)
    wait_until(lambda: times_held() == 2, "held again")
    assert watching.dump() == want(many)
    await_dump(watching, few)


def test_what_apid_refuses_is_counted_and_tried_again(watching):
    watching.apid.upsert("other", PUB[5], "10.9.0.77")
    grown = GOOD + "\n" + peer("new", 3, "10.9.0.77/32")
    watching.write(grown)
    watching.await_watch(state="good", refused=1, pending=1)
    assert "device=new reason=address: another device's" in watching.wgd.log()
    watching.apid.remove("other")
    await_dump(watching, grown)
    watching.await_watch(refused=0, pending=0)


def test_option_goes_before_the_knob_of_k_before_the_configuration(world):
    """C1: WG_CONFIG_PATH."""
    world.write(GOOD)
    world.apid.start()
    world.wgd.start(env={**os.environ, "WG_CONFIG_PATH": str(world.k)})
    world.await_watch(state="good", devices=3, pending=0)
    world.wgd.stop()
    status, _, err = world.command("--watch", "relative.conf")
    assert status == 1 and "not an absolute path" in err


def test_a_command_without_its_file_is_wrong_usage(world):
    """C1: and starts no daemon, whatever else was given."""
    for option in ("--import", "--export", "--watch", "--output"):
        status, _, err = world.command(option)
        assert status == 2 and "requires an argument" in err
    assert world.command("--version")[0] == 0
