# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of a Galera cluster with directories of their own, on one address of this machine."""
import os
import shutil
import subprocess

import apidlib
from support.net import free_port
from support.wait import wait_until

START_S = 90
STATUS = ("SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN "
          "('WSREP_READY', 'WSREP_CLUSTER_STATUS', 'WSREP_LOCAL_STATE', 'WSREP_CLUSTER_SIZE')")


class Node:
    def __init__(self, directory, number, address):
        self.dir, self.number, self.address = directory, number, address
        self.socket = directory / f"n{number}.sock"
        self.port, self.group, self.ist, self.sst = (free_port() for _ in range(4))
        self.process = None

    def host(self):
        return f"{self.address}:{self.port}"

    def group_address(self):
        return f"{self.address}:{self.group}"

    def start(self, others, bootstrap=False):
        """Joins others, or begins a cluster. Waits until it is synced."""
        where = "" if bootstrap else ",".join(o.group_address() for o in others)
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        with (self.dir / f"n{self.number}.log").open("a") as log:
            self.process = subprocess.Popen([
                "mariadbd", "--no-defaults", *user, f"--datadir={self.dir}/n{self.number}", f"--socket={self.socket}",
                f"--pid-file={self.dir}/n{self.number}.pid", f"--bind-address={self.address}", f"--port={self.port}",
                "--skip-name-resolve", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M",
                "--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync",
                "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--wsrep-on=ON",
                "--wsrep-provider=/usr/lib/galera/libgalera_smm.so", f"--wsrep-cluster-address=gcomm://{where}",
                "--wsrep-cluster-name=culvert", f"--wsrep-node-name=n{self.number}",
                f"--wsrep-node-address={self.group_address()}", "--wsrep-sst-method=rsync",
                f"--wsrep-sst-receive-address={self.address}:{self.sst}",
                "--wsrep-provider-options=" + ";".join((
                    f"gmcast.listen_addr=tcp://{self.group_address()}", f"ist.recv_addr={self.address}:{self.ist}",
                    "gcache.size=16M", "evs.suspect_timeout=PT3S"))],
                stdout=log, stderr=log, cwd="/")
        wait_until(self.is_synced, "synced", START_S)
        return self

    def status(self):
        return {k: v for k, v in self.sql(STATUS, check=False) or []}

    def is_synced(self):
        assert self.process.poll() is None, (self.dir / f"n{self.number}.log").read_text()[-3000:]
        s = self.status()
        return s.get("WSREP_LOCAL_STATE") == "4" and s.get("WSREP_READY") == "ON"

    def sql(self, statement, database="", check=True):
        return apidlib.ask_once(self.socket, statement, database, check)

    def busy(self, statement):
        """A client that runs a statement in that database, until it is killed."""
        return subprocess.Popen(["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--delimiter=//",
                                 "--execute", statement, "culvert"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Cluster:
    """Three nodes; the accounts as an administrator makes them for apid."""

    def __init__(self, directory, address="127.0.0.1", nodes=3):
        self.dir = directory
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        if user:
            shutil.chown(directory, "mysql")
        with (directory / "install.log").open("w") as log:
            subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={directory}/n0", "--skip-test-db",
                            "--auth-root-authentication-method=normal", "--skip-name-resolve",
                            "--innodb-log-file-size=8M", *user], check=True, stdout=log, stderr=log, cwd="/")
        for n in range(1, nodes):
            subprocess.run(["cp", "-a", directory / "n0", directory / f"n{n}"], check=True)
        self.nodes = [Node(directory, n, address) for n in range(nodes)]

    def start(self):
        for n, node in enumerate(self.nodes):
            node.start(self.nodes[:n], bootstrap=n == 0)
        self.nodes[0].sql(
            f"CREATE DATABASE culvert CHARACTER SET utf8mb4; CREATE USER 'culvert-apid'@'%' IDENTIFIED BY "
            f"'{apidlib.DB_PASSWORD}'; GRANT ALL ON culvert.* TO 'culvert-apid'@'%'")
        return self

    def hosts(self, first=0):
        """As db_hosts has them."""
        return ", ".join(n.host() for n in self.nodes[first:] + self.nodes[:first])

    def restart(self, node):
        node.start([n for n in self.nodes if n is not node])

    def sql(self, statement, database="", check=True):
        """By any node that is there."""
        alive = [n for n in self.nodes if n.process.poll() is None and n.status().get("WSREP_READY") == "ON"]
        return alive[0].sql(statement, database, check)

    def stop(self):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.kill()
