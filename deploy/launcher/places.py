# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one gateway keeps things, and the fixed numbers of every gateway."""
import os

DAEMONS = ("wgd", "fwd", "dnsd", "proxyd", "apid", "syncd")
PATH = "path"  # proxyd --path, a daemon of its own with a user of its own on the bus
UIDS = {
    "wgd": 64101, "fwd": 64102, "dnsd": 64103, "proxyd": 64104, "apid": 64105,
    "syncd": 64106, "redis": 64107, "mariadb": 64108,
    PATH: 64109,
}
GATEWAY = ("10.9.0.1", "fd09::1")
WG_PORT = 51820
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class LaunchError(Exception):
    """Something that cannot be done, told to the user as it is; log names a file worth reading."""

    def __init__(self, text, log=None):
        super().__init__(text)
        self.log = log


class Places:
    """The paths of one gateway.

    build: where its binaries are. run: below /run, goes when the gateway goes. kept: what outlives
    it, if it is another directory than run. hosts: its network namespaces, gw among them.
    """

    program = "culvert"  # in messages and names of processes
    start_with = "make up"
    hosts = ("gw",)
    provision = ("127.0.0.1", 8000)
    admin = ("127.0.0.1", 8443)
    admin_hosts = ("127.0.0.1",)  # in its certificate, the first in its links
    bus_user = "launcher"  # whose Redis password the secret redis-USER is

    def __init__(self, build, run, kept, logs):
        self.top = TOP
        self.build = build
        self.run = run
        self.kept = kept
        self.logs = logs

    def in_run(self, *parts):
        return os.path.join(self.run, *parts)

    def in_kept(self, *parts):
        return os.path.join(self.kept, *parts)

    def log(self, name):
        return os.path.join(self.logs, name + ".log")

    @property
    def bus_socket(self):
        return self.in_run("bus", "redis.sock")

    def secret(self, name):
        return self.in_kept("secrets", name)


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
