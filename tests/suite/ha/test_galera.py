# SPDX-License-Identifier: GPL-3.0-or-later
"""O4: apid on a real Galera cluster: one migrates, one publishes, what conflicts is run again, lost nodes are left."""
import threading
import time

import apidlib
import pytest

from support.wait import wait_until

PUBLISHES = "this process publishes\n"


@pytest.fixture(name="two", scope="module")
def _two(stores):
    """Two apid that begin at once on an empty database, each on a node of its own; logged in at both."""
    apids = [stores.add_apid(first=0), stores.add_apid(first=1)]
    for one in apids:
        one.launch()
    for one in apids:
        wait_until(lambda a=one: "database ready" in a.log(), "ready", 60)
    owner, other = stores.clients()
    yield apids, (owner, other)
    for one in apids:
        one.stop()


def test_one_migrates_the_cluster_and_one_publishes(two, stores):
    apids, _ = two
    logs = [a.log() for a in apids]
    assert sum("schema migration version=1" in text for text in logs) == 1, logs
    assert not any("schema migration failed" in text for text in logs), logs
    for node in stores.cluster.nodes:
        wait_until(lambda n=node: n.sql("SELECT COUNT(*) FROM devices", "culvert") == [["2"]], "rows on each node")
    wait_until(lambda: sum(PUBLISHES in a.log() for a in apids) == 1, "one publishes")
    wait_until(lambda: stores.cluster.sql("SELECT COUNT(*) FROM publisher WHERE expires_at > UNIX_TIMESTAMP() * 1000",
                                          "culvert") == [["1"]], "it is known at the node that is asked")


def test_what_is_in_conflict_with_another_node_is_run_again(two, stores):
    """A third node writes all the time to the one row that every change takes: certification refuses one of two."""
    apids, clients = two
    loop = ("BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; FOR i IN 1 .. 1000000 DO "
            "UPDATE change_seq SET seq = seq + 1; END FOR; END")
    busy = [node.busy(loop) for node in stores.cluster.nodes[2:] * 2]
    refused, done = {0: 0, 1: 0}, {}
    until = time.monotonic() + 60

    def times_anew():
        return sum(a.log().count("transaction begins anew") for a in apids)

    def change(which):
        n = 0
        while time.monotonic() < until and not (n >= 20 and times_anew() >= 3):
            status = clients[which].put(f"/api/v1/groups/g{which}-{n}", {"name": f"group {n}"})[0]
            assert status in (200, 201, 503)
            refused[which] += status == 503
            n += status != 503
        done[which] = n
    threads = [threading.Thread(target=change, args=(which,)) for which in (0, 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for one in busy:
        one.kill()
        one.wait()
    accepted = sum(done.values())
    anew = times_anew()
    print(f"{accepted} changes, {anew} times one was run again, {sum(refused.values())} were to be sent again")
    assert len(done) == 2 and anew
    count = str(accepted)
    assert stores.cluster.sql("SELECT COUNT(*) FROM audit WHERE action = 'groups_add' AND subject LIKE 'g_-%'",
                              "culvert") == [[count]], "each once"
    assert stores.cluster.sql("SELECT COUNT(*) FROM records WHERE topic = 'groups' AND id LIKE 'g_-%'",
                              "culvert") == [[count]]


def test_a_killed_node_is_left_and_comes_back(two, stores):
    apids, clients = two
    node = stores.cluster.nodes[0]
    before = apids[0].log().count("database ready")
    node.kill()
    wait_until(lambda: apids[0].log().count("database ready") > before, "another node")
    wait_until(lambda: clients[0].put("/api/v1/groups/after-kill", {"name": "kill"})[0] in (200, 201), "a change")
    stores.cluster.restart(node)
    assert node.sql("SELECT COUNT(*) FROM records WHERE id = 'after-kill'", "culvert") == [["1"]]


def test_a_node_outside_of_the_primary_component_is_not_used(two, stores):
    """Alone it keeps its rows and would answer; apid that has it as its first goes to the next."""
    away = stores.cluster.nodes[2]
    away.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
    third = stores.add_apid(first=2, seed=None)
    try:
        wait_until(lambda: away.status().get("WSREP_CLUSTER_STATUS") != "Primary", "it is alone")
        third.launch()
        wait_until(lambda: "database ready" in third.log(), "ready")
        assert f"database node is not used host={away.host()} it is=not in the primary component" in third.log()
        assert f"database connected host={stores.cluster.nodes[0].host()}" in third.log()
        assert away.sql("SELECT 1 FROM culvert.records LIMIT 1", check=False) is None, "it refuses statements"
    finally:
        away.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'", check=False)
        wait_until(away.is_synced, "back", 60)
    third.stop()
    stores.apids.remove(third)


def test_a_node_that_falls_out_is_left_by_who_uses_it(two, stores):
    apids, clients = two
    user = next(a for a in apids if f"host={stores.cluster.nodes[1].host()}" in a.log())
    client = clients[apids.index(user)]
    used = next(n for n in stores.cluster.nodes
                if user.log().rsplit("database connected host=", 1)[1].startswith(n.host()))
    before = user.log().count("database ready")
    used.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
    try:
        wait_until(lambda: user.log().count("database ready") > before, "another node")
        wait_until(lambda: client.put("/api/v1/groups/isolated", {"name": "x"})[0] in (200, 201), "a change")
    finally:
        used.sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'", check=False)
        wait_until(used.is_synced, "back", 60)


def test_without_any_node_apid_says_so(two, stores):
    """503 as without a database, and all goes on when the cluster is there again."""
    _, clients = two
    first, *others = stores.cluster.nodes
    for node in stores.cluster.nodes:
        node.kill()
    wait_until(lambda: clients[0].put("/api/v1/groups/none", {"name": "x"})[0] == 503, "503")
    grastate = first.dir / f"n{first.number}" / "grastate.dat"
    grastate.write_text(grastate.read_text().replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))
    first.start([], bootstrap=True)
    for node in others:
        stores.cluster.restart(node)
    for one in clients:
        wait_until(lambda c=one: c.put("/api/v1/groups/again", {"name": "x"})[0] in (200, 201), "a change")


def test_a_node_of_another_machine_is_inside_of_a_tunnel(stores):
    """bus.networks, as for Redis; else apid does not start."""
    one = stores.add_apid(seed=None)
    stores.apids.remove(one)
    text = one.conf.read_text()
    assert "networks = 10.8.0.0/24" in text
    apidlib.owned_file(one.conf, text.replace(f"db_hosts = {stores.cluster.hosts()}", "db_hosts = 203.0.113.7"), 0o444)
    one.launch()
    assert one.wait() != 0
    assert "apid.db_hosts: 203.0.113.7 is another machine, and in none of bus.networks" in one.log()
