# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes act at once, nothing leaks or is lost under faults, nothing grows under load: short runs of tests/latency,
tests/chaos and tests/soak, in one lab. TRUST_CHANGES, TRUST_CHAOS_S, TRUST_SEED, TRUST_SOAK_S, TRUST_DEVICES make them
longer."""
import os
import random
import tempfile

import chaosrun
import latencylib
import latencyrun
import pytest
import walklib
from chaos import find_leaks, write
from crowdlib import new_lab, place
from culvertlab.pages import BIG_BYTES
from relaylib import relayed
from soaklib import Soak
from support.wait import wait_until

DEVICES = int(os.environ.get("TRUST_DEVICES", "20"))


def _number(name, default):
    return int(os.environ.get(name, default))


def _evidence(lab, name):
    return os.path.join(lab.places.build, "evidence", "trust-%s-run.txt" % name)


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="culvert-trust-") as path:
        os.chmod(path, 0o755)  # daemons are others
        yield path


@pytest.fixture(scope="module")
def own_lab(folder):
    one = new_lab(folder, latencylib.seed, latencylib.directus_conf(folder) + "[proxyd]\nappeals_per_hour = 10000\n")
    yield one
    one.down()


def test_every_kind_of_change_is_in_force_soon(own_lab):
    meter, seen, _ = latencyrun.measure(own_lab, _number("TRUST_CHANGES", 24), DEVICES, 50)
    write(_evidence(own_lab, "latency"), meter.table())
    slow = [s for s in meter.samples if s[-1] > 10]
    assert not slow, slow
    assert seen["leaks"] == 0 and seen["blocked"], seen


def test_nothing_grows_under_load(own_lab):
    soak = Soak(own_lab)
    soak.run(_number("TRUST_SOAK_S", 9), 4)
    write(_evidence(own_lab, "soak"), soak.report())
    soak.check()


PART_BYTES = 2 << 20
HEAVY = {"late": 0.5, "twice": 0.2}


@pytest.fixture
def tangled(own_lab):
    """Of the packets of the tunnels half are held back for others to overtake them, and a fifth comes twice."""
    with relayed(own_lab, _number("TRUST_SEED", 1)) as relays:
        relays.disturb(**HEAVY)
        yield relays


@pytest.mark.parametrize("proxy", [True, False], ids=["by-the-proxy", "as-an-app"])
def test_what_is_allowed_loads_though_packets_overtake_each_other(own_lab, tangled, proxy):
    page = own_lab.curl("phone", "https://allowed.example/", proxy=proxy, seconds=120)
    assert page.status == 200 and "<h1>allowed.example</h1>" in page.text, page
    page = own_lab.curl("phone", "https://big.example/10m", "-r", "0-%d" % (PART_BYTES - 1), proxy=proxy, seconds=120)
    wanted = random.Random(1).randbytes(BIG_BYTES)[:PART_BYTES]
    assert page.status == 206 and page.body == wanted, (page.exit, page.status, len(page.body))
    seen = tangled.straighten()
    assert seen["overtaken"] > seen["passed"] / 10 and seen["twice"] > seen["passed"] / 20, seen


def test_what_is_listed_does_not_though_packets_overtake_each_other(own_lab, tangled):
    phone = place(own_lab, "phone")

    def is_tried():
        leaks = phone.call(find_leaks)
        assert not leaks
        return tangled.disturb(**HEAVY)["overtaken"] > 100
    try:
        wait_until(is_tried, "packets that others overtook", 120)
        for server in ("10.9.0.1", "8.8.8.8"):
            wait_until(lambda s=server: phone.call(walklib.ask_once, s, walklib.fresh("listed.example"), 5) == ["0.0.0.0"],
                       "blocked at " + server)
    finally:
        phone.close()
    page = own_lab.curl("phone", "http://blocked.example/", proxy=True, seconds=120)
    assert page.status == 451, page
    page = own_lab.curl("phone", "https://ads.listed.example/", "--connect-to", "::93.184.216.16:", seconds=120)
    assert page.status == 0 and page.exit in (35, 56), page  # refused, not late


def test_the_watch_of_chaos_notices_what_gets_through(own_lab):
    """On the laptop, whose list is off."""
    laptop, found = place(own_lab, "laptop"), []

    def is_all_noticed():
        found.extend(laptop.call(find_leaks))  # a try that is too late sees nothing
        return {f.split(":")[0] for f in found} >= {"app80", "app443", "proxy"} and any("resolves" in f for f in found)
    try:
        wait_until(is_all_noticed, "it is noticed")
    finally:
        laptop.close()


def test_nothing_leaks_and_nothing_is_lost_whatever_fails(own_lab, folder):
    lines = []
    try:
        chaosrun.torment(own_lab, folder, _number("TRUST_CHAOS_S", 15), _number("TRUST_SEED", 1), DEVICES, lines.append)
    finally:
        write(_evidence(own_lab, "chaos"), lines)
