# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP/2 client through the proxy, on python3-h2: streams by hand, windows too."""
import ssl

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from proxylib import DEADLINE_S


class Answer:
    def __init__(self):
        self.headers, self.body, self.trailers = [], bytearray(), []
        self.interims = []
        self.is_ended, self.reset = False, None

    @property
    def status(self):
        return int(self.get(":status") or 0)

    def get(self, name):
        return next((v for k, v in self.headers if k == name), None)

    def __repr__(self):
        return "%r %r reset=%r" % (self.headers, self.body[:1500], self.reset)


def connect_tls(world, host, who="internet", alpn=("h2", "http/1.1"), context=None):
    """A TLS socket through CONNECT."""
    c, r = world.tunnel("%s:443" % host, who)
    assert r.status == 200, r
    context = context or ssl.create_default_context(cafile=str(world.root))
    context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(c.socket, server_hostname=host)


class Client:
    """windows=False: bytes received are not given back, so that a stream stalls once its window is used up."""

    def __init__(self, world, host="allowed.example", who="internet", windows=True, sock=None, checks=True):
        self.host, self.windows = host, windows
        self.socket = sock or connect_tls(world, host, who)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=checks, normalize_outbound_headers=checks))
        self.answers, self.goaway, self.pings = {}, None, 0
        self.is_closed, self.error = False, None
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.send(data)

    def send(self, data):
        """Raw bytes."""
        self.socket.sendall(data)

    def request(self, path="/", method="GET", headers=(), body=None, authority=None, ends=True):
        """The stream's number."""
        n = self.h2.get_next_available_stream_id()
        self.h2.send_headers(n, [(":method", method), (":scheme", "https"), (":authority", authority or self.host),
                                 (":path", path), *headers], end_stream=body is None and ends)
        self.answers[n] = Answer()
        self.flush()
        if body is not None:
            self.write(n, body, ends)
        return n

    def write(self, n, body, ends=True):
        """As the windows allow."""
        while body:
            room = min(self.h2.local_flow_control_window(n), self.h2.max_outbound_frame_size)
            if not room:
                assert self.step(), "connection over: goaway=%r" % self.goaway
                continue
            self.h2.send_data(n, body[:room])
            body = body[room:]
            self.flush()
        if ends:
            self.h2.end_stream(n)
            self.flush()

    def step(self):
        """Takes what comes next; False when the connection is over."""
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError) as e:
            self.error, data = e, b""
        if not data:
            self.is_closed = True
            return False
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as e:
            self.error, self.is_closed = e, True
            return False
        for event in events:
            self._take(event)
        try:
            self.flush()
        except (ConnectionError, ssl.SSLError) as e:
            self.error, self.is_closed = e, True
        return not self.is_closed

    def _take(self, e):
        answer = self.answers.setdefault(getattr(e, "stream_id", None) or 0, Answer())
        if isinstance(e, h2.events.ResponseReceived):
            answer.headers = e.headers
        elif isinstance(e, h2.events.InformationalResponseReceived):
            answer.interims.append(e.headers)
        elif isinstance(e, h2.events.DataReceived):
            answer.body += e.data
            if self.windows:
                self.h2.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
        elif isinstance(e, h2.events.TrailersReceived):
            answer.trailers = e.headers
        elif isinstance(e, h2.events.StreamEnded):
            answer.is_ended = True
        elif isinstance(e, h2.events.StreamReset):
            answer.reset = e.error_code
        elif isinstance(e, h2.events.ConnectionTerminated):
            self.goaway = e.error_code
        elif isinstance(e, h2.events.PingAckReceived):
            self.pings += 1

    def until(self, condition):
        self.socket.settimeout(DEADLINE_S)
        while not condition():
            assert self.step(), "connection over: goaway=%r error=%r %r" % (self.goaway, self.error, self.answers)

    def wait(self, n):
        """The whole answer, or its reset."""
        answer = self.answers[n]
        self.until(lambda: answer.is_ended or answer.reset is not None)
        return answer

    def get(self, path="/", **more):
        return self.wait(self.request(path, **more))

    def wait_closed(self):
        self.socket.settimeout(DEADLINE_S)
        while self.step():
            pass
        return self.goaway
