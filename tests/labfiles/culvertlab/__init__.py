# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab. Its gateway is started by deploy/launcher, as that of `make up` is."""
import os
import sys

_HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(_HERE, "..", "..", "..", "deploy"))
