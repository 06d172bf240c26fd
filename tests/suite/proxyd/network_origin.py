# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server whose every byte the test decides: path → function(request)."""
import hashlib
import json
import socket
import threading

BLOCK = b"culvert-" * 8192  # 64 KiB


class Request:
    def __init__(self, conn, number, line, headers):
        self.conn = conn
        self.number = number  # of the connection
        self.method, self.target, _ = line.split()
        self.headers = headers
        self.body = b""

    def get(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    @property
    def host(self):
        return self.get("Host")

    def send(self, data):
        self.conn.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def answer(self, status=200, headers=(), body=b""):
        body = body.encode() if isinstance(body, str) else body
        lines = ["HTTP/1.1 %d Fine" % status, "Content-Length: %d" % len(body)]
        lines += ["%s: %s" % h for h in headers]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)


class Origin(threading.Thread):
    """Requests are noted in `requests`. A function that returns False closes the connection."""

    def __init__(self, listener, context):
        super().__init__(daemon=True)
        self.listener = listener
        self.context = context
        self.requests = []
        self.connections = 0
        self.open = set()
        self.routes = dict(ROUTES)
        self.stops = threading.Event()
        self.start()

    def run(self):
        while not self.stops.is_set():
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(conn, self.connections), daemon=True).start()

    def _serve(self, conn, number):
        conn.settimeout(60)
        try:
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True)
            self.open.add(conn)
            file = conn.makefile("rb")
            while self._one(conn, file, number):
                pass
            if self.context:
                conn.unwrap()
        except (OSError, ValueError):
            pass
        finally:
            self.open.discard(conn)
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            conn.close()

    def _one(self, conn, file, number):
        line = file.readline().decode("latin-1").strip()
        if not line:
            return False
        headers = []
        while True:
            header = file.readline().decode("latin-1").rstrip("\r\n")
            if not header:
                break
            name, _, value = header.partition(":")
            headers.append((name, value.strip()))
        request = Request(conn, number, line, headers)
        request.file = file
        request.origin = self
        route = self.routes.get(request.target.split("?")[0], answer_host)
        if not getattr(route, "early", False):
            request.body = self._body(request, file)
        self.requests.append(request)
        return route(request) is not False

    @staticmethod
    def _body(request, file):
        if (request.get("Transfer-Encoding") or "").lower() == "chunked":
            body = b""
            while True:
                size = int(file.readline(), 16)
                body += file.read(size)
                if not size:
                    request.trailers = []
                    while (line := file.readline().strip()):
                        request.trailers.append(line.decode("latin-1"))
                    return body
                file.readline()
        return file.read(int(request.get("Content-Length") or 0))

    def hang_up(self):
        """Closes what is open, idle connections too."""
        for conn in list(self.open):
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.stops.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.hang_up()


def early(function):
    """Answers before the body is read."""
    function.early = True
    return function


def answer_host(r):
    r.answer(headers=[("Content-Type", "text/html")], body="<p>This is %s" % r.host)


def answer_echo(r):
    r.answer(headers=[("Content-Type", "application/json"), ("X-Connection", str(r.number))],
             body=json.dumps({
                 "method": r.method, "target": r.target, "headers": r.headers, "length": len(r.body),
                 "sha256": hashlib.sha256(r.body).hexdigest(), "number": r.number}))


def answer_chunked(r):
    r.send("HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
    for part in (b"one", b"two", b"three"):
        r.send(b"%x\r\n%s\r\n" % (len(part), part))
    r.send("0\r\nX-Sum: 11\r\n\r\n")


def answer_no_content(r):
    r.send("HTTP/1.1 204 None\r\nX-Kept: yes\r\n\r\n")


def answer_not_modified(r):
    r.send('HTTP/1.1 304 Same\r\nETag: "e"\r\nContent-Length: 1234\r\n\r\n')


def answer_head(r):
    r.send("HTTP/1.1 200 Fine\r\nContent-Length: 4321\r\n\r\n" + ("x" * 4321 if r.method != "HEAD"
                                                                 else ""))


def answer_big(r):
    count = int(r.target.partition("?")[2] or 800)  # blocks of 64 KiB
    r.send("HTTP/1.1 200 Fine\r\nContent-Length: %d\r\n\r\n" % (count * len(BLOCK)))
    for done in range(count):
        r.send(BLOCK)
        r.origin.sent = done + 1


def answer_until_close(r):
    r.send("HTTP/1.1 200 Fine\r\n\r\nuntil the end")
    return False


def answer_cut(r):
    r.send("HTTP/1.1 200 Fine\r\nContent-Length: 100\r\n\r\nonly this")
    return False


def answer_nothing(_):
    return False


def answer_nonsense(r):
    r.send("220 mail.example ESMTP\r\n\r\n")
    return False


def answer_both_lengths(r):
    r.send("HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    return False


def answer_huge_head(r):
    r.send("HTTP/1.1 200 Fine\r\nX-A: %s\r\nContent-Length: 0\r\n\r\n" % ("a" * 100000))
    return False


def answer_alt_svc(r):
    r.answer(headers=[("Alt-Svc", 'h3=":443"; ma=86400'), ("alt-svc", "h2=x"), ("X-Kept", "yes")],
             body="here")


def answer_dns(r):
    r.answer(headers=[("Content-Type", "application/dns-message")], body=b"\0" * 12)


def answer_cookie(r):
    """What came, with a cookie made from it, so that a mix-up shows."""
    tag = "%s%s" % (r.host, r.target)
    r.answer(headers=[("Set-Cookie", "tag=" + tag)],
             body=json.dumps({"tag": tag, "cookie": r.get("Cookie"), "body": r.body.decode()}))


@early
def answer_early(r):
    r.send("HTTP/1.1 413 Enough\r\nContent-Length: 6\r\nConnection: close\r\n\r\nenough")
    return False


def answer_websocket(r):
    """Agrees and echoes."""
    r.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Accept: x\r\n\r\n" % (r.get("Upgrade") or "websocket"))
    while True:
        data = r.file.read1(65536)
        if not data:
            return False
        r.send(b"echo:" + data)


ROUTES = {
    "/echo": answer_echo, "/chunked": answer_chunked, "/204": answer_no_content,
    "/304": answer_not_modified, "/head": answer_head, "/big": answer_big,
    "/until-close": answer_until_close, "/cut": answer_cut, "/nothing": answer_nothing,
    "/nonsense": answer_nonsense, "/both-lengths": answer_both_lengths,
    "/huge-head": answer_huge_head, "/alt-svc": answer_alt_svc, "/dns": answer_dns,
    "/cookie": answer_cookie, "/early": answer_early, "/ws": answer_websocket,
}
