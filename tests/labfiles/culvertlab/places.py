# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one lab keeps things, and the fixed numbers of every lab."""
import hashlib
import os

HOSTS = ("gw", "phone", "laptop", "lan", "inet")
CLIENTS = ("phone", "laptop")
DAEMONS = ("wgd", "fwd", "dnsd", "proxyd", "apid", "syncd")
UIDS = {
    "wgd": 64101, "fwd": 64102, "dnsd": 64103, "proxyd": 64104, "apid": 64105,
    "syncd": 64106, "redis": 64107, "mariadb": 64108,
}
MOBILE = {"phone": ("172.31.1.1", "172.31.1.2"), "laptop": ("172.31.2.1", "172.31.2.2")}
TUNNEL = {"phone": ("10.9.0.2", "fd09::2"), "laptop": ("10.9.0.3", "fd09::3")}
GATEWAY = ("10.9.0.1", "fd09::1")
UPLINK = ("203.0.113.2", "2001:db8:1::2")
UPLINK_PEER = ("203.0.113.1", "2001:db8:1::1")
LAN = ("10.77.0.5", "fd77::5")
LAN_GATEWAY = ("10.77.0.1", "fd77::1")
WG_PORT = 51820


class LabError(Exception):
    """Something the lab cannot do, told to the user as it is; log names a file worth reading."""

    def __init__(self, text, log=None):
        super().__init__(text)
        self.log = log


class Places:
    """The paths of one lab. The same LAB_DIR is the same lab."""

    def __init__(self, env=None):
        env = os.environ if env is None else env
        self.top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
            os.path.realpath(__file__)))))
        self.files = os.path.join(self.top, "tests", "labfiles")
        self.build = os.path.realpath(os.path.join(self.top, env.get("B") or "build"))
        self.lab_dir = os.path.realpath(env.get("LAB_DIR") or os.path.join(self.build, "lab"))
        self.cache = os.path.join(self.build, "lab-cache")
        self.logs = os.path.join(self.lab_dir, "logs")
        self.id = hashlib.sha256(self.lab_dir.encode()).hexdigest()[:8]
        self.run = "/run/culvert-lab-" + self.id

    def in_run(self, *parts):
        return os.path.join(self.run, *parts)

    def log(self, name):
        return os.path.join(self.logs, name + ".log")

    def secret(self, name):
        return self.in_run("secrets", name)


def write_file(path, data, mode=0o644, uid=0):
    """Writes a file that nobody can read before mode and owner are right."""
    tmp = path + ".new"
    if os.path.exists(tmp):
        os.unlink(tmp)
    fd = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(data.encode() if isinstance(data, str) else data)
    os.chown(tmp, uid, uid)
    os.chmod(tmp, mode)
    os.rename(tmp, path)


def make_dir(path, mode=0o755, uid=0):
    os.makedirs(path, exist_ok=True)
    os.chown(path, uid, uid)
    os.chmod(path, mode)
    return path
