# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A7, DESIGN 2 and 4: what is in MariaDB is on the bus, and stays there when MariaDB goes."""
import json
import signal
import subprocess

from apidlib import KEYS, SEED, TOPICS, wait_until

SUCCESS = (200, {"status": "success"})


def test_every_kept_topic_is_published_even_if_empty(apid):
    topics = set(apid.gens())
    assert topics >= TOPICS
    assert "watch" not in topics and "lists" not in topics
    assert apid.state("settings") == {"endpoint": {"id": "endpoint", "value": "gw.example"}}
    assert apid.state("devices")["phone"]["addresses"] == ["10.9.0.2", "fd09::2"]


def test_a_restart_publishes_what_was_there(apid):
    apid.upsert()
    devices, keys = apid.state("devices"), apid.state("device_keys")
    apid.stop()
    apid.start()
    assert apid.state("devices") == devices and apid.state("device_keys") == keys
    assert apid.upsert() == SUCCESS


def test_migrations_run_once(empty_database, apid, database):
    versions = database.sql("SELECT version FROM schema_versions ORDER BY version", "culvert")
    assert versions == [[str(n + 1)] for n in range(len(versions))] != []
    apid.stop()
    apid.start()
    assert database.sql("SELECT version FROM schema_versions ORDER BY version", "culvert") == versions
    assert apid.log().count("schema migration version=1\n") == 1


def test_mariadb_killed_and_back(apid, database):
    apid.upsert()
    devices, gens = apid.state("devices"), apid.gens()
    database.kill()
    status, body = apid.upsert("b", KEYS[1], "10.9.0.6")
    assert status == 503 and body["status"] == "failure"
    assert apid.state("devices") == devices and apid.gens() == gens
    database.start()
    wait_until(lambda: apid.upsert("b", KEYS[1], "10.9.0.6") == SUCCESS, "upsert succeeds again")
    apid.await_state("devices", lambda devices: set(devices) == {"phone", "a", "b"})


def test_started_without_mariadb_publishes_nothing(apid, database):
    apid.upsert()
    devices, gens = apid.state("devices"), apid.gens()
    apid.stop()
    database.kill()
    apid.launch()
    wait_until(lambda: "provisioning listens" in apid.log().rsplit("stopping", 1)[1], "apid listens")
    wait_until(lambda: "database does not answer" in apid.log().rsplit("stopping", 1)[1], "apid tried")
    assert apid.request("GET") == (200, {"status": "ok"})
    assert apid.upsert()[0] == 503
    assert apid.state("devices") == devices and apid.gens() == gens
    database.start()
    wait_until(lambda: apid.upsert() == SUCCESS, "upsert succeeds again")
    assert apid.state("devices") == devices


def test_a_change_beside_apid_is_published_after_a_reconnect(apid, database):
    """A commit whose answer was lost is found again."""
    database.sql("UPDATE devices SET record = JSON_SET(record, '$.name', 'Other') WHERE id = 'phone'", "culvert")
    database.kill()
    database.start()
    apid.await_state("devices", lambda devices: devices.get("phone", {}).get("name") == "Other")


def test_redis_emptied_is_filled_again(apid, redis):
    apid.upsert()
    devices = apid.state("devices")
    redis.kill()
    redis.start()
    wait_until(lambda: apid.state("devices") == devices, "published again")


def test_api_keys_are_stored_hashed(apid, database):
    rows = database.sql("SELECT name, HEX(hash), revoked_at FROM api_keys", "culvert")
    assert len(rows) == 1 and rows[0][0] == "file" and len(rows[0][1]) == 64
    assert "0123456789abcdef0123456789abcdef" not in json.dumps(rows).lower()


def test_a_revoked_key_is_401_and_stays_revoked(apid, database):
    database.sql("UPDATE api_keys SET revoked_at = 1", "culvert")
    apid.stop()
    apid.start()
    assert apid.upsert()[0] == 401


def test_another_key_in_the_file_replaces_the_first(apid):
    from apidlib import owned_file
    owned_file(apid.dir / "api-key", "another-key\n")
    apid.send(signal.SIGHUP)
    wait_until(lambda: apid.request(body={"task": "wg_remove", "id": "x"}, key="another-key") == SUCCESS, "new key")
    assert apid.upsert()[0] == 401


def test_changes_are_audited(apid, database):
    apid.upsert()
    apid.upsert(address="10.9.0.6")
    apid.remove()
    rows = database.sql("SELECT action, subject FROM audit WHERE subject = 'a' ORDER BY id", "culvert")
    assert rows == [["device_add", "a"], ["device_change", "a"], ["device_remove", "a"]]


def test_an_end_while_the_database_is_set_up_is_clean(make_apid, wgd, database):
    """What it was when it was found: the set-up that failed by the end began the closed connection anew."""
    apid = make_apid(SEED)
    apid.start()
    apid.stop()
    holder = subprocess.Popen(["mariadb", "--no-defaults", f"--socket={database.socket}", "--user=root", "culvert"],
                              stdin=subprocess.PIPE, text=True)
    waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = 'culvert' AND state LIKE 'Waiting for table%'"
    try:
        holder.stdin.write("LOCK TABLES api_keys WRITE;\n")
        holder.stdin.flush()
        held = "SHOW OPEN TABLES FROM culvert WHERE `Table` = 'api_keys' AND In_use > 0"
        wait_until(lambda: database.sql(held), "it is held")
        begun = apid.log().count("database ready")
        apid.launch()
        wait_until(lambda: int(database.sql(waits)[0][0]) >= 1, "the set-up waits")
        assert apid.log().count("database ready") == begun
        apid.stop()
    finally:
        holder.stdin.close()
        holder.wait()


def test_two_apids_start_at_once(empty_database, make_apid, wgd, place, redis, database):
    """Migrations run under a lock (C3: several apid processes)."""
    import apidlib
    one = make_apid(SEED)
    other_dir = place / "second"
    other_dir.mkdir()
    other = apidlib.Apid(other_dir, redis, database, SEED)
    one.launch()
    other.launch()
    try:
        for a in (one, other):
            wait_until(lambda a=a: not a.is_running() or "database ready" in a.log(), "ready")
            assert a.is_running(), a.log()
    finally:
        other.stop()
    wait_until(lambda: set(one.state("devices")) == {"phone"}, "it is published")
