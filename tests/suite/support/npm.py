# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools from npm, installed once a build from a lock file beside the tests."""
import pathlib
import shutil
import subprocess

import pytest

from . import BUILD

HERE = pathlib.Path(__file__).parent


def install(name):
    """The directory with node_modules of support/NAME/package-lock.json."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    place = BUILD / name
    place.mkdir(parents=True, exist_ok=True)
    lock = (HERE / name / "package-lock.json").read_text()
    installed = place / "installed"
    if not installed.exists() or installed.read_text() != lock:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name / file, place)
        run = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place,
                             capture_output=True, text=True, check=False)
        if run.returncode:
            pytest.skip("npm cannot install %s: %s" % (name, run.stderr[-300:]))
        installed.write_text(lock)
    return place
