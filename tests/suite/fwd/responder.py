# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers on TCP and UDP ports of some addresses: `responder.py NAME PORTS ADDRESS...`.

Says "NAME PORT PEER" to whoever connects or sends a datagram, once more for each further one.
"""
import selectors
import socket
import sys


def listen(sel, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        sock = socket.socket(family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(1024)
        sel.register(sock, selectors.EVENT_READ, (kind, port))


def main():
    name, ports, addresses = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
    sel = selectors.DefaultSelector()
    for address in addresses:
        for port in ports:
            listen(sel, address, int(port))
    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            kind, port = key.data
            sock = key.fileobj
            if kind == socket.SOCK_DGRAM:
                _, peer = sock.recvfrom(2048)
                sock.sendto(("%s %d %s" % (name, port, peer[0])).encode(), peer)
            elif port is None:
                try:
                    data = sock.recv(2048)
                    if data:
                        sock.sendall(b"again")
                        continue
                except OSError:
                    pass
                sel.unregister(sock)
                sock.close()
            else:
                conn, peer = sock.accept()
                conn.sendall(("%s %d %s" % (name, port, peer[0])).encode())
                sel.register(conn, selectors.EVENT_READ, (kind, None))


if __name__ == "__main__":
    main()
