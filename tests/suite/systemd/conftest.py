# SPDX-License-Identifier: GPL-3.0-or-later
"""`lab`: a machine that boots, one for each file of tests, each of which goes on where the one before it ended."""
import os

import pytest

from bootlib import BUILD, BootedLab, Image, package


@pytest.fixture(scope="module")
def lab(request, tmp_path_factory):
    evidence = os.path.join(BUILD, "evidence")
    os.makedirs(evidence, exist_ok=True)
    image = Image(BUILD, package("culvert"))
    image.make()
    name = request.module.__name__.rsplit(".", 1)[-1].replace("test_", "systemd-")
    one = BootedLab(tmp_path_factory.mktemp("lab"), image, evidence, name)
    if os.path.exists(one.console):
        os.unlink(one.console)
    try:
        one.start()
        yield one
        one.evidence()
    finally:
        one.close()
