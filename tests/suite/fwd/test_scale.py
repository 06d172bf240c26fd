# SPDX-License-Identifier: GPL-3.0-or-later
"""F12: 50,000 devices and 1 M addresses; the figures stand in $B/evidence/fwd-scale.txt."""
import os
import subprocess

from support import BUILD, ROOT


def test_figures_at_scale():
    """F1, F12: one change costs the same at any size; limits are in the program."""
    program = BUILD / "tests/unit/fwd_scale"
    subprocess.run(["make", "-C", ROOT, "B=" + os.environ.get("B", "build"), str(
        program.relative_to(ROOT))], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False)
    (BUILD / "evidence").mkdir(exist_ok=True)
    (BUILD / "evidence/fwd-scale.txt").write_text(done.stdout)
    print(done.stdout)
    assert done.returncode == 0, done.stdout
