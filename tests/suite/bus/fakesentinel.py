# SPDX-License-Identifier: GPL-3.0-or-later
"""What says that it is a Sentinel, and answers what a test wants."""
import socket
import threading
import time


def bulk(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(str(w)), str(w).encode()) for w in words)


class FakeSentinel:
    """`says`: (address, port, epoch) of the master; bytes, which are each answer; None for no answer at all."""

    def __init__(self, says):
        self.says, self.asked, self.came = says, 0, []  # came: when each connection did
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.where = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            self.came.append(time.monotonic())
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with conn, conn.makefile("rb") as lines:
            try:
                while head := lines.readline():
                    words = []
                    for _ in range(int(head[1:])):
                        words.append(lines.read(int(lines.readline()[1:]) + 2)[:-2].upper())
                    if answer := self._answer(words):
                        conn.sendall(answer)
            except OSError:
                pass

    def _answer(self, words):
        if words[0] != b"SENTINEL":
            return b"+OK\r\n"
        self.asked += 1
        if self.says is None or isinstance(self.says, bytes):
            return self.says
        address, port, epoch = self.says
        return bulk(address, port) if words[1] == b"GET-MASTER-ADDR-BY-NAME" else bulk(
            "ip", address, "port", port, "flags", "master", "config-epoch", epoch)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # ends accept()
        self.socket.close()
