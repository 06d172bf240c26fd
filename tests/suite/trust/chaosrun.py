# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole run of chaos, in a lab of its own with many devices."""
import contextlib

import faults
import latencylib
from chaos import Chaos
from crowdlib import Many, Owner, new_lab
from relaylib import relayed
from support.wait import wait_until


def run(folder, seconds, seed, devices, tell):
    # Appeals enough that their limit for a device is none here.
    lab = new_lab(folder, latencylib.seed, "[proxyd]\nappeals_per_hour = 10000\n")
    try:
        torment(lab, folder, seconds, seed, devices, tell)
    finally:
        lab.down()


def torment(lab, folder, seconds, seed, devices, tell):
    """Faults in a lab that latencylib.seed has been put in force in; its programs are others afterwards."""
    with contextlib.ExitStack() as stack:
        owner = Owner(lab)
        stack.callback(owner.close)
        many = Many(lab, owner, devices)
        stack.callback(many.close)
        shim, clock = faults.prepare(lab, folder)
        stack.callback(shim.close)
        relays = stack.enter_context(relayed(lab, seed))
        many.start(50, churn=max(1, devices // 100), endpoint=relays.endpoint("laptop"))
        wait_until(lambda: many.seen()["up"] > devices // 2, "traffic", 300)
        one = Chaos(lab, owner, many, clock, relays, seed)
        stack.callback(one.close)
        try:
            one.run(seconds, tell)
        finally:
            for line in one.report() if one.recoveries else ():
                tell(line)
