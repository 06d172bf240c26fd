# SPDX-License-Identifier: GPL-3.0-or-later
"""The document that the API tells of itself with (SPEC A10)."""
import json
import os
import subprocess

import pytest

from support.npm import install

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def document(make_apid):
    status, doc = make_apid({}).start().client().get("/api/openapi.json")
    assert status == 200
    return doc


def bodies(document):
    """(operation, media type's object) of every JSON that is asked for or answered."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            contents = [operation.get("requestBody", {})]
            contents += [r for status, r in operation["responses"].items() if status.startswith("2")]
            for content in contents:
                for kind, one in content.get("content", {}).items():
                    if "json" in kind and path != "/api/openapi.json":
                        yield f"{method} {path}", one


def test_every_body_in_the_document_has_an_example(document):
    without = {name for name, one in bodies(document) if "example" not in one}
    assert not without


def test_every_operation_says_what_it_is_and_who_may(document):
    ids = set()
    for methods in document["paths"].values():
        for method, operation in methods.items():
            assert method in METHODS and operation["summary"] and operation["tags"] and "x-roles" in operation
            ids.add(operation["operationId"])
    assert len(ids) == sum(len(m) for m in document["paths"].values())


@pytest.mark.skipif(not os.environ.get("APID_PRISM"), reason="its 250 MB of modules belong to check-document")
def test_the_document_is_clean(document, tmp_path):
    """redocly's recommended rules. A WebSocket's answer is 101, which they do not know."""
    program = install("openapi") / "node_modules/@redocly/cli/bin/cli.js"
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    done = subprocess.run(["node", str(program), "lint", "--format", "json", str(file)], capture_output=True, text=True,
                          cwd=tmp_path, check=False, env={**os.environ, "REDOCLY_TELEMETRY": "off"})
    problems = json.loads(done.stdout)["problems"]
    found = {(p["ruleId"], p["location"][0]["pointer"]) for p in problems}
    assert found == {("operation-2xx-response", f"#/paths/~1ws~1{name}/get/responses") for name in ("live", "stats")}
    assert done.returncode == 0
