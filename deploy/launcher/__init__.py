# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a whole gateway in a network namespace: for `make up`, and for the lab's gw."""
