# SPDX-License-Identifier: GPL-3.0-or-later
"""Redis servers of which one is the master, and Sentinels that watch over them, on loopback."""
import re
import socket
import subprocess

from . import BUILD, DEADLINE_S
from .net import free_port
from .redis import Client, Redis
from .wait import wait_until

MASTER = "culvert"
DOWN_MS = 1000


class TcpClient(Client):
    def __init__(self, address, port, user, password):  # pylint: disable=super-init-not-called
        self.socket = socket.create_connection((address, port), DEADLINE_S)
        self.file = self.socket.makefile("rb")
        self("AUTH", user, password)


def acl(kind, gateways=()):
    text = subprocess.run([BUILD / "bin/bus-acl", kind, *gateways], check=True, capture_output=True, text=True).stdout
    return re.sub(r"@PASSWORD_([\w.-]+)@", r"secret-\1", text)


def _on(host, *argv):
    """host: one of net.Network's, or this machine."""
    return host.argv(*argv) if host else list(argv)


class Server(Redis):
    """One of the servers; after a restart it is what the Sentinels made of it."""

    def __init__(self, directory, master=None, address="127.0.0.1", gateways=(), host=None):
        directory.mkdir()
        super().__init__(directory)
        self.port, self.host = free_port(), host
        root = "user root on >root ~* &* +@all\n"
        self.acl.write_text(acl("replicated", gateways) + root)
        self.conf = directory / "redis.conf"
        self.conf.write_text(
            f"port {self.port}\nbind {address}\nunixsocket {self.socket}\nunixsocketperm 777\ndir {directory}\n"
            f"aclfile {self.acl}\nsave \"\"\nappendonly no\nloglevel notice\nmasteruser replica\n"
            f"masterauth secret-replica\nmin-replicas-to-write 1\nmin-replicas-max-lag 3\nrepl-timeout 3\n"
            f"repl-ping-replica-period 1\nrepl-diskless-sync-delay 0\n" +
            (f"replicaof {address} {master.port}\n" if master else ""))

    def _command(self):
        return _on(self.host, "redis-server", self.conf)

    def role(self):
        """None while it changes it, which ends connections."""
        try:
            return self("ROLE")[0]
        except OSError:
            return None

    def info(self, field):
        return re.search(rf"^{field}:(.*?)\r?$", self("INFO"), re.M).group(1)


class Sentinel:
    def __init__(self, directory, master, quorum, address="127.0.0.1", gateways=(), host=None):
        directory.mkdir()
        self.host = host
        self.dir, self.port, self.process, self.address = directory, free_port(), None, address
        self.where = f"{address}:{self.port}"
        (directory / "users.acl").write_text(acl("sentinel", gateways) + "user root on >root ~* &* +@all\n")
        (directory / "sentinel.conf").write_text(
            f"port {self.port}\nbind {address}\ndir {directory}\naclfile {directory}/users.acl\n"
            f"sentinel monitor {MASTER} {address} {master.port} {quorum}\n"
            f"sentinel auth-user {MASTER} sentinel\nsentinel auth-pass {MASTER} secret-sentinel\n"
            f"sentinel sentinel-user sentinel\nsentinel sentinel-pass secret-sentinel\n"
            f"sentinel down-after-milliseconds {MASTER} {DOWN_MS}\nsentinel failover-timeout {MASTER} 4000\n"
            f"sentinel parallel-syncs {MASTER} 2\n")

    def start(self):
        with (self.dir / "sentinel.log").open("a") as log:
            self.process = subprocess.Popen(_on(self.host, "redis-server", str(self.dir / "sentinel.conf"), "--sentinel"),
                                            stdout=log)
        return self

    def __call__(self, *command):
        with TcpClient(self.address, self.port, "root", "root") as c:
            return c(*command)

    def knows(self, servers, sentinels):
        """All of them, and that nothing is down."""
        try:
            master = dict(zip(*[iter(self("SENTINEL", "MASTER", MASTER))] * 2))
        except OSError:
            return False
        return (master["flags"] == "master" and int(master["num-slaves"]) == servers - 1
                and int(master["num-other-sentinels"]) == sentinels - 1)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Replicated:
    """Three servers and three Sentinels that know each other."""

    def __init__(self, directory, servers=3, sentinels=3, address="127.0.0.1", gateways=()):
        self.servers = [Server(directory / "r0", None, address, gateways)]
        for n in range(1, servers):
            self.servers.append(Server(directory / f"r{n}", self.servers[0], address, gateways))
        self.sentinels = [Sentinel(directory / f"s{n}", self.servers[0], sentinels // 2 + 1, address, gateways)
                          for n in range(sentinels)]

    def start(self):
        for one in self.servers:
            one.start()
        wait_until(lambda: self.servers[0].info("connected_slaves") == str(len(self.servers) - 1), "replicas")
        for one in self.sentinels:
            one.start()
        wait_until(self.is_settled, "sentinels")
        return self

    def is_settled(self):
        return all(s.knows(len(self.servers), len(self.sentinels)) for s in self.sentinels)

    def where(self):
        return [s.where for s in self.sentinels]

    def master(self):
        """By the Sentinels' word, once it is what they say."""
        for one in self.sentinels:
            if one.process.poll() is None:
                try:
                    port = one("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1]
                except OSError:
                    continue
                return next(s for s in self.servers if str(s.port) == port)
        raise AssertionError("no sentinel")

    def stop(self):
        for one in self.sentinels + self.servers:
            if one.process and one.process.poll() is None:
                one.kill()
