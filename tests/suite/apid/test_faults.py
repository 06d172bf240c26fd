# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A7, C3: MariaDB and Redis go and come back while the API is in use."""
import json
import threading

from apidlib import OWNER, PASSWORD, wait_until

DEVICES = "/api/v1/devices"


class Load:
    """Threads that write and read until stop(): what was confirmed, and every answer that may not be."""

    def __init__(self, apid, owner):
        self.stopped, self.confirmed, self.bad, self.reads, self.refused = False, {}, [], 0, 0
        self.clients = []
        for _ in range(3):
            one = apid.client()
            one.cookie, one.csrf = owner.cookie, owner.csrf
            self.clients.append(one)
        self.threads = [threading.Thread(target=self._write, args=(n, self.clients[n])) for n in range(2)]
        self.threads.append(threading.Thread(target=self._read, args=(self.clients[2],)))
        for t in self.threads:
            t.start()

    def _write(self, number, client):
        n = 0
        while not self.stopped:
            name = f"load-{number}-{n % 20}"
            n += 1
            status, body = client.put(f"{DEVICES}/{name}", {"name": f"round {n}"})
            if status in (200, 201):
                self.confirmed[name] = f"round {n}"
            elif status == 503 and client.headers["Content-Type"] == "application/problem+json":
                self.refused += 1
                self.confirmed.pop(name, None)  # it may have been committed, or not
            else:
                self.bad.append((status, body))

    def _read(self, client):
        while not self.stopped:
            status, body = client.get(f"{DEVICES}/phone")
            self.reads += 1
            if status != 200 or body["id"] != "phone":
                self.bad.append((status, body))

    def stop(self):
        self.stopped = True
        for t in self.threads:
            t.join()
        assert not self.bad, self.bad[:3]

    def wait_for(self, more):
        seen = len(self.confirmed), self.reads
        wait_until(lambda: self.reads > seen[1] + more, "reads go on")


def agree(apid, owner, database, load):
    """Database, API and bus say the same, and all that was confirmed is there."""
    def is_same():
        rows = {r[0]: json.loads(r[1]) for r in database.sql("SELECT id, record FROM devices", "culvert")}
        bus, api = apid.state("devices"), {d["id"]: d for d in owner.get(f"{DEVICES}?limit=500")[1]["items"]}
        return set(rows) == set(bus) == set(api) and all(
            rows[i].get("name") == bus[i].get("name") == api[i].get("name") for i in rows) and all(
            api[i]["name"] == name for i, name in load.confirmed.items())
    wait_until(is_same, "database, API and bus agree")
    assert not database.sql("SELECT d.id FROM devices d LEFT JOIN device_addresses a ON a.device = d.id "
                            "WHERE a.device IS NULL", "culvert"), "half-written"


def test_mariadb_killed_and_back_under_load(apid, database):
    owner = apid.owner()
    load = Load(apid, owner)
    try:
        wait_until(lambda: len(load.confirmed) > 5, "writes")
        for _ in range(2):
            database.kill()
            refused = load.refused
            wait_until(lambda: load.refused > refused, "writes are refused")
            load.wait_for(20)
            database.start()
            load.confirmed.clear()
            wait_until(lambda: len(load.confirmed) > 5, "writes again")
    finally:
        load.stop()
    agree(apid, owner, database, load)
    assert apid.client(OWNER, PASSWORD).get("/auth/me")[0] == 200


def test_redis_killed_and_back_under_load(apid, database, redis):
    owner = apid.owner()
    load = Load(apid, owner)
    try:
        wait_until(lambda: len(load.confirmed) > 5, "writes")
        redis.kill()
        load.wait_for(50)
        confirmed = len(load.confirmed)
        redis.start()
        wait_until(lambda: len(load.confirmed) >= confirmed, "writes")
        load.wait_for(20)
    finally:
        load.stop()
    agree(apid, owner, database, load)


def test_what_is_past_its_retention_goes(apid, database):
    apid.stop()
    database.sql("INSERT INTO audit (at, actor, action, subject) VALUES (5, 'x', 'ancient', 'x'); "
                 "INSERT INTO changes (seq, topic, id, at) VALUES (-1, 'groups', 'x', 5)", "culvert")
    apid.start()
    wait_until(lambda: not database.sql("SELECT 1 FROM audit WHERE action = 'ancient'", "culvert") and not
               database.sql("SELECT 1 FROM changes WHERE seq = -1", "culvert"), "old rows are gone")
    assert database.sql("SELECT COUNT(*) FROM audit WHERE action = 'seed_read'", "culvert") == [["1"]]


def test_the_audit_keeps_to_its_bytes(apid, database):
    apid.stop()
    apid.write_conf(f"seed_file = {apid.seed_file}\naudit_mib = 1")
    database.sql("INSERT INTO audit (at, actor, action, subject, new) SELECT UNIX_TIMESTAMP() * 1000, 'x', 'big', seq, "
                 "CONCAT('\"', REPEAT('x', 40000), '\"') FROM seq_1_to_60", "culvert")
    apid.start()
    wait_until(lambda: int(database.sql("SELECT SUM(LENGTH(new)) FROM audit", "culvert")[0][0]) <= 1 << 20, "trimmed")
    left = [int(r[0]) for r in database.sql("SELECT subject FROM audit WHERE action = 'big'", "culvert")]
    assert left and min(left) > 30 and max(left) == 60, "the oldest go first"
