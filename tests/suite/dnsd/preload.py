# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that a daemon under test runs with: C files that stand before the C library."""
import os
import pathlib
import subprocess
import tempfile

from support import BUILD

HERE = pathlib.Path(__file__).parent


class Preload:
    """env: for the daemon; any user may read the library. Its source is in folder, by default this one. is_first: it
    stands before the sanitizer's memory, too."""

    def __init__(self, name, folder=HERE, is_first=False, **variables):
        self.directory = tempfile.TemporaryDirectory(prefix="cvpre", dir="/tmp")
        library = pathlib.Path(self.directory.name) / (name + ".so")
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-Wall", "-Werror", "-o", library,
                        folder / (name + ".c"), "-ldl"], check=True)
        os.chmod(self.directory.name, 0o755)
        libraries, options = [str(library)], os.environ.get("ASAN_OPTIONS", "")
        if is_first:
            options += ":verify_asan_link_order=0"
        if "asan" in BUILD.name:  # the sanitizer wants to be loaded first
            sanitizer = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
            libraries.insert(1 if is_first else 0, sanitizer.stdout.strip())
        self.env = {**os.environ, "LD_PRELOAD": ":".join(libraries), "ASAN_OPTIONS": options,
                    **{k: str(v) for k, v in variables.items()}}

    def file(self, variable):
        """A place for a file that the library finds by the variable; it does not exist yet."""
        path = pathlib.Path(self.directory.name) / variable.lower()
        self.env[variable] = str(path)
        return path

    def close(self):
        self.directory.cleanup()
