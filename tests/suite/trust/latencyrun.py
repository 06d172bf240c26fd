# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole run of latencylib's changes, in a lab of its own with many devices and a stand-in for Directus."""
import contextlib
import os

import latencylib
from crowdlib import Many, Owner, new_lab, place
from directuslib import Directus
from support.wait import wait_until


@contextlib.contextmanager
def _directus(lab):
    gw = place(lab, "gw")
    # It asks for what there is as soon as it begins; one that had begun before would be gone with what it listens to.
    lab.daemon("syncd", "stop")
    one = gw.call(Directus, latencylib.DIRECTUS_PORT)
    try:
        lab.daemon("syncd", "start")
        wait_until(lambda: any(s.subscribed >= {"mitm_block_domains", "vpn_site_overrides"} for s in list(one.sockets)),
                   "syncd listens to Directus", 60)
        yield one
    finally:
        one.close()
        gw.close()


def measure(lab, changes, devices, rate):
    """The Meter after so many changes, with traffic of so many devices; and what became of their traffic."""
    with contextlib.ExitStack() as stack:
        owner = Owner(lab)
        stack.callback(owner.close)
        many = Many(lab, owner, devices)
        stack.callback(many.close)
        directus = stack.enter_context(_directus(lab))
        lab.settle(60)
        many.start(rate)
        wait_until(lambda: many.seen()["up"] > devices * 0.9 - 1 and many.seen()["blocked"], "traffic", 300)
        places = [place(lab, "phone") for _ in range(5)]
        for one in places:
            stack.callback(one.close)
        meter = latencylib.Meter(lab, owner, places)
        kinds = latencylib.CHANGES + latencylib.directus_changes(directus)
        for n in range(max(len(kinds), changes // 2)):
            kinds[n % len(kinds)](meter)
        return meter, many.seen(), 2 * max(len(kinds), changes // 2)


def run(folder, changes, devices, rate):
    """Lines of the report."""
    lab = new_lab(folder, latencylib.seed, latencylib.directus_conf(folder))
    try:
        meter, seen, done = measure(lab, changes, devices, rate)
    finally:
        lab.down()
    yield "%d changes, %d devices, %d questions a second of theirs, load %.1f on %d cores" % (
        done, devices, rate, os.getloadavg()[0], os.cpu_count())
    yield from meter.table()
    yield "traffic meanwhile: " + ", ".join("%s %s" % pair for pair in seen.items())
