# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one lab keeps things, and the fixed numbers of every lab."""
import hashlib
import os

from launcher import places
from launcher.places import LaunchError as LabError  # noqa: F401
from launcher.places import (DAEMONS, GATEWAY, PATH, TOP, UIDS, WG_PORT, make_dir,  # noqa: F401
                             write_file)

HOSTS = ("gw", "phone", "laptop", "lan", "inet")
CLIENTS = ("phone", "laptop")
MOBILE = {"phone": ("172.31.1.1", "172.31.1.2"), "laptop": ("172.31.2.1", "172.31.2.2")}
TUNNEL = {"phone": ("10.9.0.2", "fd09::2"), "laptop": ("10.9.0.3", "fd09::3")}
UPLINK = ("203.0.113.2", "2001:db8:1::2")
UPLINK_PEER = ("203.0.113.1", "2001:db8:1::1")
LAN = ("10.77.0.5", "fd77::5")
LAN_GATEWAY = ("10.77.0.1", "fd77::1")


class Places(places.Places):
    """The paths of one lab. The same LAB_DIR is the same lab. Nothing of its gateway is kept."""

    program = "lab"
    start_with = "tests/lab up"
    hosts = HOSTS

    def __init__(self, env=None):
        env = os.environ if env is None else env
        build = os.path.realpath(os.path.join(TOP, env.get("B") or "build"))
        self.lab_dir = os.path.realpath(env.get("LAB_DIR") or os.path.join(build, "lab"))
        self.id = hashlib.sha256(self.lab_dir.encode()).hexdigest()[:8]
        run = "/run/culvert-lab-" + self.id
        super().__init__(build, run, run, os.path.join(self.lab_dir, "logs"))
        self.files = os.path.join(self.top, "tests", "labfiles")
        self.cache = os.path.join(self.build, "lab-cache")
