# SPDX-License-Identifier: GPL-3.0-or-later
"""SPEC A7, C3: MariaDB gives a transaction up, as it does for a deadlock with another apid's. It begins anew, and whoever asked
is told of it only when that does not help.

A trigger says what the server says then, in the midst of the change: a real deadlock comes when the scheduler likes.
"""
import pytest

DEADLOCK, LOCK_TIMEOUT, TOO_LONG = 1213, 1205, 1406
# Path → (topic, id, table that the change is written to, name before).
PLACES = {"/api/v1/devices/phone": ("devices", "phone", "devices", "Phone"),
          "/api/v1/categories/games": ("categories", "games", "records", "Games")}


@pytest.fixture(params=PLACES, ids=[p.split("/")[3] for p in PLACES])
def path(request):
    return request.param


@pytest.fixture
def give_up(database, path):
    """give_up(times, number): writes to the table end in that error so often. What is left of them: give_up.left()."""
    def arm(times, number):
        # Not of InnoDB: what is counted stays counted when the transaction is rolled back.
        database.sql(f"CREATE OR REPLACE DATABASE faults; CREATE TABLE faults.n (left_over INT) ENGINE=MyISAM; "
                     f"INSERT INTO faults.n VALUES ({times})")
        database.sql(f"""DELIMITER //
CREATE OR REPLACE TRIGGER culvert.give_up BEFORE INSERT ON culvert.{PLACES[path][2]} FOR EACH ROW BEGIN
    IF (SELECT left_over FROM faults.n) > 0 THEN
        UPDATE faults.n SET left_over = left_over - 1;
        SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'as the test wants it';
    END IF;
END//
DELIMITER ;""")
    arm.left = lambda: int(database.sql("SELECT left_over FROM faults.n")[0][0])
    yield arm
    database.sql("DROP TRIGGER IF EXISTS culvert.give_up; DROP DATABASE IF EXISTS faults")


def await_name(apid, path, name):
    topic, record, _, _ = PLACES[path]
    apid.await_state(topic, lambda records: records[record]["name"] == name)


def audits(database, path):
    """Of changes; what the seed wrote is none."""
    return len(database.sql(f"SELECT id FROM audit WHERE subject LIKE '%{PLACES[path][1]}' AND actor LIKE '%olga%'", "culvert"))


def test_a_change_given_up_twice_is_made_once(apid, database, path, give_up):
    owner = apid.owner()
    give_up(2, DEADLOCK)
    status, body = owner.patch(path, {"name": "Renamed"})
    assert (status, body.get("name"), give_up.left()) == (200, "Renamed", 0), body
    await_name(apid, path, "Renamed")
    assert audits(database, path) == 1
    assert apid.log().count("transaction begins anew") == 2


def test_a_change_given_up_time_and_again_is_refused_and_changes_nothing(apid, database, path, give_up):
    owner = apid.owner()
    give_up(3, DEADLOCK)
    status, body = owner.patch(path, {"name": "Renamed"})
    assert (status, body.get("detail"), owner.headers["Retry-After"]) == (503, "another change is under way", "1")
    await_name(apid, path, PLACES[path][3])
    assert audits(database, path) == 0 and give_up.left() == 0
    assert owner.patch(path, {"name": "Renamed"})[0] == 200
    await_name(apid, path, "Renamed")


@pytest.mark.parametrize("number, told", [(LOCK_TIMEOUT, (503, "another change is under way")),
                                          (TOO_LONG, (400, "the database refuses it"))], ids=["lock", "data"])
def test_another_error_is_told_at_once(apid, database, path, give_up, number, told):
    owner = apid.owner()
    give_up(2, number)
    status, body = owner.patch(path, {"name": "Renamed"})
    assert (status, body.get("detail")) == told
    assert give_up.left() == 1 and "begins anew" not in apid.log()
    await_name(apid, path, PLACES[path][3])
    assert audits(database, path) == 0
