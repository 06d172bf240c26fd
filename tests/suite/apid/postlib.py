# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is notified: a web server, a mail server, and a mail server that plays from a script."""
import email
import email.policy
import http.server
import socket
import ssl
import subprocess
import threading
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from support.net import free_port

warnings.filterwarnings("ignore", category=DeprecationWarning, module="aiosmtpd")
USER, PASSWORD = "gateway", "mail password"


def make_certificate(directory):
    """ca.pem, and cert.pem with key.pem for 127.0.0.1."""
    def run(*words):
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
        "ca.pem", "-subj", "/CN=Test CA", "-days", "2", "-addext", "basicConstraints=critical,CA:true")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out",
        "cert.csr", "-subj", "/CN=127.0.0.1")
    (directory / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "ext", "-out", "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return context


class Web:
    """Keeps what is posted: (headers, body). statuses: what it answers, in order; then 200."""

    def __init__(self, context=None):
        self.posts, self.statuses = [], []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.posts.append((dict(self.headers), body))
                self.send_response(owner.statuses.pop(0) if owner.statuses else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Mail:
    """A real mail server. letters: the messages that came, with the envelope's from and to."""

    def __init__(self, context=None, implicit=False, **more):
        self.letters, self.port = [], free_port()
        options = {"hostname": "127.0.0.1", "port": self.port, **more}
        if implicit:
            options["ssl_context"] = context
        elif context:
            options.update(tls_context=context, require_starttls=True)
        self.controller = Controller(self, **options)
        self.controller.start()

    async def handle_DATA(self, server, session, envelope):  # pylint: disable=invalid-name
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.letters.append((envelope.mail_from, envelope.rcpt_tos, letter))
        return "250 taken"

    def close(self):
        self.controller.stop()


def authenticator(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))


class Script:
    """A mail server that says what it is told: a list of texts, each the answer to one line ("" waits for none).
    heard: what the client said."""

    def __init__(self, *answers):
        self.answers, self.heard = answers, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            conn, _ = self.listener.accept()
            with conn:
                conn.settimeout(20)
                lines = conn.makefile("rb")
                for i, answer in enumerate(self.answers):
                    if i:
                        self.heard.append(lines.readline())
                    conn.sendall(answer.encode() if isinstance(answer, str) else answer)
                while line := lines.readline():
                    self.heard.append(line)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        self.thread.join()
