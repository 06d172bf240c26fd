# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 deploy/launcher up | down | exec CMD…, behind `make up` and `make down`."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from launcher.cli import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
