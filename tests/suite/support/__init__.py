# SPDX-License-Identifier: GPL-3.0-or-later
"""What the suites that start daemons themselves have in common."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / os.environ.get("B", "build")
DEADLINE_S = 30
