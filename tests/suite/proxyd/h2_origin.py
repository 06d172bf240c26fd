# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server of HTTP/2 on python3-h2: a thread for each connection, a route for each path.

A route gets a Stream when its request is whole (or, marked `early`, when its head is there) and answers by
Stream.answer, or by the connection's h2 itself.
"""
import hashlib
import json
import socket
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions


class Stream:
    def __init__(self, conn, number, headers):
        self.conn, self.number, self.headers = conn, number, headers
        self.body, self.trailers = bytearray(), []
        self.out, self.out_trailers, self.ended = bytearray(), None, False
        self.is_whole = threading.Event()

    def get(self, name):
        return next((v for k, v in self.headers if k == name), None)

    @property
    def path(self):
        return self.get(":path")

    def answer(self, status=200, headers=(), body=b"", trailers=None):
        self.start(status, headers)
        if self.get(":method") != "HEAD":
            self.write(body.encode() if isinstance(body, str) else body)
        self.end(trailers)

    def start(self, status=200, headers=()):
        with self.conn.lock:
            self.conn.h2.send_headers(self.number, [(":status", str(status)), *headers])
            self.conn.flush()

    def write(self, body):
        with self.conn.lock:
            self.out += body
            self.conn.pump(self)

    def end(self, trailers=None):
        with self.conn.lock:
            self.ended, self.out_trailers = True, trailers
            self.conn.pump(self)

    def reset(self, code):
        with self.conn.lock:
            self.conn.h2.reset_stream(self.number, code)
            self.conn.flush()


class Conn:
    def __init__(self, origin, sock):
        self.origin, self.socket, self.streams = origin, sock, {}
        self.lock = threading.RLock()
        self.resets, self.error = 0, None
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.local_settings.max_concurrent_streams = origin.max_streams
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        with self.lock:
            data = self.h2.data_to_send()
            if data:
                self.socket.sendall(data)

    def pump(self, s):
        """Sends what the windows allow."""
        with self.lock:
            try:
                while s.out:
                    room = min(self.h2.local_flow_control_window(s.number), self.h2.max_outbound_frame_size)
                    if not room:
                        return
                    self.h2.send_data(s.number, bytes(s.out[:room]))
                    del s.out[:room]
                    self.flush()
                if s.ended:
                    s.ended = False
                    if s.out_trailers:
                        self.h2.send_headers(s.number, s.out_trailers, end_stream=True)
                    else:
                        self.h2.end_stream(s.number)
                self.flush()
            except (h2.exceptions.ProtocolError, KeyError, OSError) as e:
                self.error = e

    def run(self):
        try:
            while data := self.socket.recv(65536):
                with self.lock:
                    events = self.h2.receive_data(data)
                    for event in events:
                        self._take(event)
                    self.flush()
                    for s in list(self.streams.values()):
                        self.pump(s)
        except (OSError, h2.exceptions.ProtocolError) as e:
            self.error = e
        self.socket.close()

    def _take(self, e):
        s = self.streams.get(getattr(e, "stream_id", None))
        if isinstance(e, h2.events.RequestReceived):
            s = self.streams[e.stream_id] = Stream(self, e.stream_id, e.headers)
            self.origin.requests.append(s)
            if getattr(self._route(s), "early", False):
                self._call(s)
        elif isinstance(e, h2.events.DataReceived) and s:
            s.body += e.data
            if not getattr(self._route(s), "deaf", False):
                self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
        elif isinstance(e, h2.events.TrailersReceived) and s:
            s.trailers = e.headers
        elif isinstance(e, h2.events.StreamEnded) and s:
            s.is_whole.set()
            if not getattr(self._route(s), "early", False):
                self._call(s)
        elif isinstance(e, h2.events.StreamReset):
            self.resets += 1

    def _route(self, s):
        return self.origin.routes.get(s.path.split("?")[0], answer_echo)

    def _call(self, s):
        """On a thread of its own: a route may wait."""
        threading.Thread(target=self._route(s), args=(s,), daemon=True).start()


class H2Origin:
    """Beside what network_origin's has: connections, requests, routes."""

    def __init__(self, listener, context, max_streams=100):
        self.listener, self.context, self.max_streams = listener, context, max_streams
        self.routes, self.requests, self.conns = {}, [], []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            sock = self.context.wrap_socket(sock, server_side=True)
            if sock.selected_alpn_protocol() != "h2":
                self._serve_http1(sock)
                return
            conn = Conn(self, sock)
            self.conns.append(conn)
            conn.run()
        except OSError:
            pass

    @staticmethod
    def _serve_http1(sock):
        file = sock.makefile("rb")
        while line := file.readline().strip():
            while file.readline().strip():
                pass
            body = b"by HTTP/1.1: " + line
            sock.sendall(b"HTTP/1.1 200 Fine\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for conn in self.conns:
            try:
                conn.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def answer_echo(s):
    s.answer(headers=[("content-type", "application/json")], body=json.dumps({
        "headers": s.headers, "length": len(s.body), "sha256": hashlib.sha256(s.body).hexdigest(),
        "trailers": s.trailers}))
