# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk without room."""
import shutil
import subprocess


class FullDisk:
    """A small one in the place of a directory, what is there copied onto it, until the with ends: those who write
    there start after it and end before it."""

    def __init__(self, directory, kib=256):
        self.directory, self.kib = directory, kib
        self.ballast = directory / "ballast"

    def __enter__(self):
        state = self.directory.stat()
        kept = self.directory.with_name(self.directory.name + ".kept")
        subprocess.run(["cp", "-a", self.directory, kept], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.kib}k,mode={state.st_mode & 0o7777:o},"
                        f"uid={state.st_uid},gid={state.st_gid}", "tmpfs", self.directory], check=True)
        subprocess.run(["cp", "-a", f"{kept}/.", self.directory], check=True)
        shutil.rmtree(kept)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.directory], check=True)

    def fill(self):
        """To the last byte."""
        with self.ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def free(self):
        self.ballast.unlink()
