# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's private Redis and MariaDB, and the secrets of everybody there."""
import os
import secrets
import shutil
import subprocess

from .places import DAEMONS, PATH, UIDS, LaunchError, make_dir, write_file
from .process import Process

REDIS_CONF = """
port 0
unixsocket {run}/bus/redis.sock
unixsocketperm 777
aclfile {run}/redis/users.acl
dir {run}/redis/data
save ""
appendonly no
loglevel notice
"""
DB_INIT = """
CREATE DATABASE IF NOT EXISTS culvert CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'culvert-apid'@'localhost' IDENTIFIED BY '{apid}';
ALTER USER 'culvert-apid'@'localhost' IDENTIFIED BY '{apid}';
GRANT ALL PRIVILEGES ON culvert.* TO 'culvert-apid'@'localhost';
CREATE USER IF NOT EXISTS 'launcher'@'localhost' IDENTIFIED BY '{launcher}';
ALTER USER 'launcher'@'localhost' IDENTIFIED BY '{launcher}';
GRANT ALL PRIVILEGES ON *.* TO 'launcher'@'localhost' WITH GRANT OPTION;
ALTER USER 'root'@'localhost' ACCOUNT LOCK;
"""


def as_uid(name, *argv, caps=""):
    """argv run as the uid of name with no capability but caps."""
    uid = str(UIDS[name])
    sets = "-all" + "".join(",+" + cap for cap in caps.split())
    return ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--inh-caps", sets,
            "--ambient-caps", sets, "--", *argv]


def make_secrets(places):
    """Random secrets, each 0400 and readable by the one user that needs it; kept ones stay."""
    make_dir(places.in_kept("secrets"))
    owners = {"redis-" + name: name for name in DAEMONS + (PATH,)}
    owners.update({"db-apid": "apid", "api-key": "apid", "redis-launcher": None,
                   "db-launcher": None})
    for name, owner in owners.items():
        if not os.path.exists(places.secret(name)):
            write_file(places.secret(name), secrets.token_hex(24) + "\n", 0o400,
                       UIDS[owner] if owner else 0)


def read_secret(places, name):
    with open(places.secret(name), encoding="ascii") as src:
        return src.read().strip()


def _acl_rules(places):
    """User name -> rules. The build writes them from the schema as `user NAME RULES` lines."""
    path = os.path.join(places.build, "culvert.acl")
    rules = {name: "~* &* +@all" for name in DAEMONS}
    if os.path.exists(path):
        with open(path, encoding="ascii") as src:
            for line in src:
                words = line.split()
                if len(words) > 2 and words[0] == "user" and words[1] != "default":
                    keep = [w for w in words[2:] if w[0] not in "><#" and
                            w not in ("on", "off", "nopass", "resetpass")]
                    rules[words[1]] = " ".join(keep)
    return rules


def _write_acl(places):
    lines = ["user default off",
             "user launcher on >%s ~* &* +@all" % read_secret(places, "redis-launcher")]
    for user, rules in _acl_rules(places).items():
        name = user[len("culvert-"):] if user.startswith("culvert-") else user
        if name in DAEMONS + (PATH,):
            lines.append("user %s on >%s %s" % (
                user, read_secret(places, "redis-" + name), rules))
    write_file(places.in_run("redis", "users.acl"), "\n".join(lines) + "\n", 0o400,
               UIDS["redis"])


def redis_command(places, host, *words):
    """Runs one command as the gateway's operator and gives redis-cli's raw answer."""
    env = dict(os.environ, REDISCLI_AUTH=read_secret(places, "redis-" + places.bus_user))
    done = subprocess.run(
        ["redis-cli", "-s", places.bus_socket, "--user", places.bus_user,
         "--no-auth-warning", *words],
        preexec_fn=host.enter, env=env, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def start_redis(places, host):
    process = Process(host, "redis")
    make_dir(places.in_run("redis"))
    make_dir(places.in_run("redis", "data"), 0o700, UIDS["redis"])
    make_dir(places.in_run("bus"), 0o755, UIDS["redis"])
    _write_acl(places)
    write_file(places.in_run("redis", "redis.conf"), REDIS_CONF.format(run=places.run))
    run_redis(process)


def run_redis(process):
    places = process.places
    config = places.in_run("redis", "redis.conf")
    process.start(as_uid("redis", "redis-server", config))
    process.await_ready(lambda: redis_command(places, process.host, "PING") == "PONG")


def start_mariadb(places, host):
    """Starts the server, on what is kept or on an empty database; mariadb_ready waits for it."""
    make_dir(places.in_run("db"), 0o755, UIDS["mariadb"])
    make_dir(places.in_kept("db"), 0o755, UIDS["mariadb"])
    write_file(places.in_run("db", "init.sql"),
               DB_INIT.format(apid=read_secret(places, "db-apid"),
                              launcher=read_secret(places, "db-launcher")), 0o400,
               UIDS["mariadb"])
    _make_database(places, host)
    launch_mariadb(Process(host, "mariadb"))


def _make_database(places, host):
    """The whole directory or nothing: it gets its name when it is complete."""
    data, new = places.in_kept("db", "data"), places.in_kept("db", "data.new")
    if os.path.exists(data):
        return
    shutil.rmtree(new, ignore_errors=True)
    make_dir(new, 0o700, UIDS["mariadb"])
    with open(places.log("mariadb"), "ab") as log:
        done = subprocess.run(
            as_uid("mariadb", "mariadb-install-db", "--no-defaults", "--datadir=" + new,
                   "--auth-root-authentication-method=normal", "--skip-test-db",
                   "--skip-name-resolve", "--innodb-log-file-size=8M"),
            preexec_fn=host.enter, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
            cwd="/")
    if done.returncode != 0:
        raise LaunchError("mariadb-install-db failed", places.log("mariadb"))
    os.rename(new, data)


def launch_mariadb(process):
    run = process.places.in_run("db")
    data = process.places.in_kept("db", "data")
    process.start(as_uid(
        "mariadb", "mariadbd", "--no-defaults", "--datadir=" + data,
        "--socket=%s/db.sock" % run, "--pid-file=%s/db.pid" % run, "--skip-networking",
        "--init-file=%s/init.sql" % run, "--innodb-log-file-size=8M",
        "--innodb-buffer-pool-size=32M", "--skip-log-bin", "--plugin-maturity=unknown",
        "--tmpdir=" + run))


def mariadb_ready(process):
    places = process.places
    process.await_ready(lambda: sql(places, process.host, "SELECT 1 FROM information_schema."
                                    "schemata WHERE schema_name='culvert'") == "1", 60)


def sql(places, host, statement):
    """Runs one statement as the launcher's own user; rows as text, None when refused."""
    env = dict(os.environ, MYSQL_PWD=read_secret(places, "db-launcher"))
    done = subprocess.run(
        ["mariadb", "--no-defaults", "--socket=" + places.in_run("db", "db.sock"),
         "--user=launcher", "--batch", "--skip-column-names", "culvert"], input=statement, text=True,
        preexec_fn=host.enter, env=env, capture_output=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
