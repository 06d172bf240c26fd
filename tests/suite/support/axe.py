# SPDX-License-Identifier: GPL-3.0-or-later
"""axe-core, the accessibility checker, installed from npm once a build."""
import json
import pathlib
import shutil
import subprocess

import pytest

from . import BUILD

HERE = pathlib.Path(__file__).parent / "axe"
RUN = """(async () => {
	%s
	const found = await axe.run(document, {resultTypes: ["violations"]});
	return JSON.stringify(found.violations.map(v => [v.id, v.nodes.map(n => n.html)]));
})()"""


def source():
    """The script's text."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    place = BUILD / "axe"
    place.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "package-lock.json").read_text()
    installed = place / "installed"
    if not installed.exists() or installed.read_text() != lock:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, place)
        run = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place,
                             capture_output=True, text=True, check=False)
        if run.returncode:
            pytest.skip("npm cannot install axe-core: " + run.stderr[-300:])
        installed.write_text(lock)
    return (place / "node_modules/axe-core/axe.min.js").read_text()


def violations(browser, text):
    """What axe finds on the page that the browser shows; text: source(). Scripts are on afterwards."""
    browser.page("Emulation.setScriptExecutionDisabled", value=False)
    done = browser.page("Runtime.evaluate", expression=RUN.replace("%s", text), awaitPromise=True, returnByValue=True)
    assert "exceptionDetails" not in done, done
    return json.loads(done["result"]["value"])
