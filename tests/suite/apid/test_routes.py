# SPDX-License-Identifier: GPL-3.0-or-later
"""Every route of the document (SPEC A10, A12): who may, and what wrong requests are answered; never 5xx."""
import re
import urllib.parse

import pytest

import answerer
from apidlib import OWNER, PASSWORD, SEED
from livelib import report

ROLES = ["viewer", "helper", "admin", "owner"]
SECOND = "another long password"
LOGGED_OUT = {"/auth/logout", "/auth/password"}  # not asked as somebody who must stay logged in


@pytest.fixture(scope="module")
def world(mariadb, tmp_path_factory):
    """One apid for the module, with an account per role, whole and limited to a group."""
    import os
    import pathlib
    import tempfile

    import apidlib
    from support.redis import Redis
    with tempfile.TemporaryDirectory(prefix="culvert-") as d:
        os.chmod(d, 0o755)
        mariadb.clear()
        place = pathlib.Path(d)
        redis = Redis(place).start()
        wgd = apidlib.Wgd(redis)
        others = [answerer.Answerer(redis, "proxyd", {"pem": "", "sha256": ""}),
                  answerer.Answerer(redis, "syncd", {"lists": 0})]
        apid = apidlib.Apid(place, redis, mariadb, SEED).start()
        report(redis, "fwd")
        owner = apid.owner()
        owner.put("/api/v1/groups/kids", {})
        clients = {}
        for role in ROLES:
            for groups in (None, ["kids"]):
                name = role + ("-kids" if groups else "")
                assert owner.post("/api/v1/admins", {"name": name, "password": SECOND, "role": role,
                                                     "groups": groups})[0] == 201
                clients[role, bool(groups)] = apid.client(name, SECOND)
        yield apid, owner, clients
        apid.stop()
        for one in (wgd, *others):
            one.close()
        redis.stop()


def document(apid):
    status, doc = apid.client().get("/api/openapi.json")
    assert status == 200 and doc["openapi"] == "3.1.0"
    return doc


def operations(apid):
    """(method, path with its parameters filled in, operation)"""
    for path, methods in document(apid)["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), re.sub(r"\{\w+\}", "no-such-record", path), operation


def is_account(operation):
    return operation["security"] and "device" not in operation["security"][0]


def test_every_role_may_what_the_document_says(world):
    """Every route x role x group: refused with 403 exactly where it says so."""
    apid, _, clients = world
    seen = 0
    for method, path, operation in operations(apid):
        if not is_account(operation) or path in LOGGED_OUT:
            continue
        for (role, limited), client in clients.items():
            allowed = role in operation["x-roles"] and not (limited and operation["x-reach"] == "all")
            status, body = client.request(method, path, {} if "requestBody" in operation else None)
            assert status < 500, (method, path, role, body)
            if allowed:
                # By groups: the record decides, and this one has none.
                assert status != 401 and (status != 403 or operation["x-reach"] == "groups"), (method, path, role, body)
            else:
                assert status == 403, (method, path, role, limited, status, body)
            seen += 1
    assert seen > 800


def test_nothing_is_open_but_what_the_document_says(world):
    apid, _, _ = world
    stranger, device = apid.client(), apid.client(token="cvd_" + "A" * 43)
    for method, path, operation in operations(apid):
        body = {} if "requestBody" in operation else None
        status, _ = stranger.request(method, path, body)
        assert (status == 401) == bool(operation["security"]), (method, path, status)
        if operation["security"]:
            assert device.request(method, path, body)[0] == 401, (method, path)


def test_a_change_without_its_csrf_token_is_refused_everywhere(world):
    apid, owner, _ = world
    for method, path, operation in operations(apid):
        if method != "GET" and is_account(operation):
            status, _ = owner.request(method, path, {}, headers={"X-CSRF-Token": None})
            assert status == 403, (method, path, status)


def test_methods_that_are_not_there_are_405(world):
    apid, owner, _ = world
    paths = {}
    for method, path, _ in operations(apid):
        paths.setdefault(path, set()).add(method)
    for path, there in paths.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - there:
            status, _ = owner.request(method, path)
            assert status == 405, (method, path, status)
            assert set(owner.headers["Allow"].split(", ")) - {"HEAD"} == there, path


WRONG = [b"", b"{", b"[]", b"null", b"1", b'"x"', b'{"a":1,"a":2}', b'{"\xff":1}', b'{"no_such_field":1}',
         b'{"id":5}', b'{"id":null}', b'{"name":{}}', b'{"name":"\\u0000"}', b'{"id":"a b"}', b"{" + b" " * 70000 + b"}",
         b"[" * 2000, b'{"expires_at":1e400}', b'{"id":"x","id":"y"}', b'{"name":"\\ud800"}']


def test_wrong_bodies_are_4xx_everywhere(world):
    apid, owner, _ = world
    for method, path, operation in operations(apid):
        if "requestBody" not in operation or path in LOGGED_OUT or path == "/device/key":
            continue
        for body in WRONG:
            status, _ = owner.request(method, path, body, headers={"Content-Type": "application/json"})
            assert 400 <= status < 500, (method, path, body[:40], status)
            if len(body) > 65536:
                # The import takes more, and looks for the resource first.
                assert status in (413, 410, 429) or (status == 404 and "/import/" in path), (method, path, status)
        status, _ = owner.request(method, path, b"{}", headers={"Content-Type": "text/plain"})
        assert status == 415, (method, path, status)


def test_a_body_where_none_belongs_is_refused(world):
    apid, owner, _ = world
    for method, path, operation in operations(apid):
        if "requestBody" not in operation and is_account(operation) and path not in LOGGED_OUT and method != "GET":
            assert owner.request(method, path, {"a": 1})[0] == 400, (method, path)


HOSTILE_IDS = ["../../etc/passwd", "a b", "%", "a/b", "'; --", "\u202e", "x" * 400, ".", "..", "<b>", "\x01"]


def test_hostile_ids_and_parameters_are_no_server_error(world):
    apid, owner, _ = world
    for path, methods in document(apid)["paths"].items():
        for hostile in HOSTILE_IDS:
            at = re.sub(r"\{\w+\}", urllib.parse.quote(hostile, safe=""), path)
            for method in methods:
                if path in LOGGED_OUT or (method == "get" and "{" not in path):
                    continue
                status, body = owner.request(method.upper(), at, {} if "requestBody" in methods[method] else None)
                assert status < 500, (method, at, status, body)
        if "get" in methods and is_account(methods["get"]):
            for query in ("?limit=-1", "?limit=9999999999999999999", "?cursor=%00", "?limit=%ff", "?nothing=1", "?%",
                          "?" + "a=b&" * 30, "?limit=1&limit=2x"):
                status, _ = owner.get(re.sub(r"\{\w+\}", "x", path) + query)
                assert status < 500, (path, query, status)


@pytest.mark.parametrize("path", ["//", "/api/v1/devices/", "/api/v1//devices", "/api/../auth/me", "/api/v1/%2e%2e",
                                  "/" + "a/" * 20, "/api/v1/devices%2fx", "/" + "x" * 5000])
def test_paths_that_are_none(world, path):
    assert 400 <= world[1].get(path)[0] < 500


def test_the_provisioning_listener_has_no_other_route(world):
    apid, _, _ = world
    for path in ("/auth/login", "/api/v1/devices", "/api/openapi.json", "/device"):
        assert apid.request("GET", path=path)[0] == 404


def test_put_gives_back_what_it_got(world):
    """Every resource that has a PUT, with the document's own example."""
    apid, owner, _ = world
    doc = document(apid)
    owner.put("/api/v1/categories/games", {"name": "Games"})
    owner.put("/api/v1/categories/news", {"name": "News"})
    tried = 0
    for path, methods in doc["paths"].items():
        if "put" not in methods or not path.startswith("/api/v1/"):
            continue
        name = methods["put"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        for example in doc["components"]["schemas"][name]["examples"]:
            key = "name" if "id" not in example else "id"
            at = path.replace("{id}", example[key])
            status, body = owner.put(at, example)
            assert status in (200, 201), (at, body)
            got = owner.get(at)[1]
            assert {k: got[k] for k in example} == example
            etag = owner.headers["ETag"]
            assert owner.put(at, example)[0] == 200 and owner.headers["ETag"] == etag
            assert owner.put(at, example, headers={"If-Match": '"0000000000000000"'})[0] == 412
            assert got in owner.get(path.removesuffix("/{id}") + "?limit=500")[1]["items"]
            tried += 1
    assert tried >= 18
    assert owner.login(OWNER, PASSWORD)[0] in (200, 429)
