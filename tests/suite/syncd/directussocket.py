# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in's WebSocket: authentication, subscriptions, events, as a real Directus was seen to do it."""
import json
import socket
import threading

import wsproto
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage


class Session:
    """One connection, in the thread that serves its request."""

    def __init__(self, server, handler):
        self.server, self.socket = server, handler.connection
        self.lock = threading.Lock()
        self.subscribed, self.messages = set(), []
        self.ws = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        head = f"{handler.command} {handler.path} HTTP/1.1\r\n" + "".join(
            f"{k}: {v}\r\n" for k, v in handler.headers.items()) + "\r\n"
        self.ws.receive_data(head.encode())

    def run(self):
        for event in self.ws.events():
            assert isinstance(event, Request)
        self.transmit(AcceptConnection())
        with self.server.lock:
            self.server.sockets.append(self)
        try:
            while data := self.socket.recv(65536):
                with self.lock:
                    self.ws.receive_data(data)
                    events = list(self.ws.events())
                for event in events:
                    if isinstance(event, CloseConnection):
                        return
                    if isinstance(event, TextMessage):
                        self.take(json.loads(event.data))
        except OSError:
            pass
        finally:
            with self.server.lock:
                self.server.sockets.remove(self)

    def transmit(self, event):
        with self.lock:
            self.socket.sendall(self.ws.send(event))

    def say(self, **message):
        self.transmit(TextMessage(json.dumps(message)))

    def take(self, message):
        self.messages.append(message)
        kind = message["type"]
        if kind == "auth" and (message["access_token"] in self.server.tokens or message["access_token"] in self.server.refreshes):
            self.say(type="auth", status="ok")
        elif kind == "auth":
            self.say(type="auth", status="error", error={"code": "AUTH_FAILED", "message": "Authentication failed."})
            self.close()
        elif kind == "ping":
            self.say(type="pong")
        elif kind == "subscribe" and message["collection"] in self.server.rows:
            with self.server.lock:
                self.subscribed.add(message["collection"])
            self.say(type="subscription", event="init", data=[], uid=message["uid"])
        elif kind == "subscribe":
            self.say(type="subscribe", status="error", error={"code": "INVALID_COLLECTION"}, uid=message["uid"])

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
