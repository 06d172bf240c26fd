# SPDX-License-Identifier: GPL-3.0-or-later
"""deploy/doc/asvs.md: the tests it names are there, and those that are nowhere else."""
import re
import subprocess

import pytest

from apidlib import OWNER, PASSWORD, started, wait_until
from support import ROOT

TABLE = (ROOT / "deploy/doc/asvs.md").read_text()


@pytest.fixture
def owner(apid):
    return apid.owner()


def test_every_test_that_the_table_names_is_there():
    named = re.findall(r"`(\w+/test_\w+\.py)::(test_\w+)`", TABLE)
    assert len(named) > 60
    for file, test in named:
        text = (ROOT / "tests/suite" / file).read_text()
        assert re.search(rf"^def {test}\(", text, re.M), (file, test)


def test_a_session_ends_unused_and_after_its_longest_time(make_apid, wgd, database):
    apid = started(make_apid, "session_idle_min = 30\nsession_max_h = 8\n")
    owner, minute = apid.owner(), 60_000

    def age(column, minutes):
        """The session again, as if so long had passed since."""
        apid.stop()
        database.sql(f"UPDATE sessions SET seen_at = UNIX_TIMESTAMP() * 1000, created_at = UNIX_TIMESTAMP() * 1000; "
                     f"UPDATE sessions SET {column} = {column} - {minutes * minute}", "culvert")
        apid.start()
        owner.conn = None
        return owner.get("/auth/me")[0]
    assert [age("seen_at", 28), age("seen_at", 31)] == [200, 401]
    assert owner.login(OWNER, PASSWORD)[0] == 200
    assert [age("created_at", 8 * 60 - 2), age("created_at", 8 * 60 + 1)] == [200, 401]


def test_a_parameter_that_stands_twice_is_refused(owner):
    assert owner.get("/api/v1/devices?limit=1")[0] == 200
    for query in ("limit=1&limit=2", "limit=1&limit=1", "limit=1&lim%69t=2"):
        status, problem = owner.get(f"/api/v1/devices?{query}")
        assert (status, problem["errors"][0]["pointer"]) == (400, "limit"), query


def test_no_answer_leads_to_another_host(owner):
    for path in ("/", "//evil.example/", "/%2f%2fevil.example", "/auth/me?next=https://evil.example", "/nothing"):
        owner.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "evil.example" not in str(owner.headers), path
    owner.post("/api/v1/devices", {"id": "t"}, headers={"Host": "evil.example"})
    assert owner.headers["Location"] == "/api/v1/devices/t"
    assert "evil.example" not in owner.post("/api/v1/devices/t/enrolment", headers={"Host": "evil.example"})[1]["url"]


def test_a_name_brings_no_line_into_the_log(owner, apid):
    line = "<1>apid: forged"
    apid.client().login(f"eve\n{line}", "a guess of mine")
    owner.put("/api/v1/groups/kids", {"name": f"Kids\n{line}"})
    owner.get("/api/v1/devices/%0a" + line.replace(" ", "%20"))
    apid.request(body={"task": "wg_upsert", "id": f"x\n{line}", "publicKey": "x", "address": "10.9.0.7"})
    wait_until(lambda: "eve" in str(apid.database.sql("SELECT subject FROM audit", "culvert")), "the login is audited")
    assert not [one for one in apid.log().splitlines() if one.startswith(line)]


def test_an_error_tells_nothing_of_the_inside(owner, apid, database):
    seen = []
    for path in ("/nothing", "/api/v1/devices/none", "/api/v1/devices?limit=x", "/%", "/" + "x" * 9000):
        seen.append((*owner.get(path), str(owner.headers)))
    database.kill()
    seen.append((*owner.put("/api/v1/groups/kids", {"name": "Kids"}), str(owner.headers)))
    assert seen[-1][0] == 503 and all(status >= 400 for status, *_ in seen)
    text = str(seen).lower()
    for word in ("mariadb", "mysql", "select ", "insert ", ".c:", "/run/", "/var/", str(apid.dir), "libuv", "server:",
                 "apid/", "0.1.0"):
        assert word not in text, word


def test_old_tls_is_not_spoken(apid):
    for version, good in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_2 -cipher RC4:3DES:NULL", False),
                          ("-tls1_2 -cipher AES128-SHA", False)):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{apid.admin_port}", *version.split(),
                               *([] if good or "-cipher" in version else ["-cipher", "ALL:@SECLEVEL=0"])],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert ("Verify return code" in done.stdout and "Cipher is (NONE)" not in done.stdout) == good, (version, done)


def test_every_kind_of_answer_has_the_headers_that_browsers_need(owner, apid):
    link = owner.put("/api/v1/devices/t", {}) and owner.post("/api/v1/devices/t/enrolment")[1]["url"]
    paths = ["/", "/auth/me", "/nothing", "/api/openapi.json", "/api/v1/export/words?format=csv",
             "/enrol/" + link.split("/enrol/")[1]]
    for path in paths:
        owner.get(path, headers={"Accept": "text/html"})
        headers = owner.headers
        assert "charset=utf-8" in headers["Content-Type"] or "json" in headers["Content-Type"], path
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer", path
        assert headers["Strict-Transport-Security"].startswith("max-age=31536000"), path
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy and "*" not in policy, path


def test_other_origins_are_told_nothing_by_cors(owner, apid):
    for origin in ("https://evil.example", "null", f"https://127.0.0.1:{apid.admin_port}"):
        for method in ("GET", "OPTIONS"):
            owner.request(method, "/api/v1/devices", headers={"Origin": origin,
                                                             "Access-Control-Request-Method": "POST"})
            assert not [name for name in owner.headers if name.lower().startswith("access-control-")]
