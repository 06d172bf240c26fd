# SPDX-License-Identifier: GPL-3.0-or-later
"""A WebSocket server as a route of network_origin: it echoes messages, answers pings and says goodbye."""
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, TextMessage


def echo(extensions=()):
    """extensions: classes of wsproto's, accepted where the client wants them."""
    def serve(r):
        ws = WSConnection(ConnectionType.SERVER)
        ws.receive_data(("GET %s HTTP/1.1\r\n" % r.target + "".join("%s: %s\r\n" % h for h in r.headers)
                         + "\r\n").encode())
        next(ws.events())
        r.send(ws.send(AcceptConnection(extensions=[e() for e in extensions])))
        while data := r.file.read1(65536):
            ws.receive_data(data)
            for event in ws.events():
                if isinstance(event, (TextMessage, BytesMessage)):
                    r.send(ws.send(type(event)(data=event.data, message_finished=event.message_finished)))
                elif isinstance(event, Ping):
                    r.send(ws.send(event.response()))
                elif isinstance(event, CloseConnection):
                    r.send(ws.send(event.response()))
                    return False
        return False
    return serve
