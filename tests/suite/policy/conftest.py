# SPDX-License-Identifier: GPL-3.0-or-later
import json
import subprocess
import tempfile

import pytest

from support import BUILD


@pytest.fixture(scope="session")
def probe():
    """Cases to the program, answers back: [[decision per ask], …] in order."""
    def run(cases):
        with tempfile.TemporaryDirectory(prefix="culvert-policy-", dir="/dev/shm") as images:
            done = subprocess.run([BUILD / "bin/policy-probe", images], check=True, text=True, timeout=300,
                                  input="".join(json.dumps(c) + "\n" for c in cases),
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(cases)
        return answers
    return run
