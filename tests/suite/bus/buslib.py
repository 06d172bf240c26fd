# SPDX-License-Identifier: GPL-3.0-or-later
"""Records for the tests of the bus."""


def device(name, n=1, **more):
    return {"id": name, "name": name, "active": True, "addresses": [f"10.9.0.{n}"], **more}


def devices(count, **more):
    return {f"d{i}": device(f"d{i}", i % 250 + 1, **more) for i in range(count)}
