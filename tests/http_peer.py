"""An HTTP peer on loopback that answers as the path says, hostile answers included."""

import gzip
import socket
import struct
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Peer(BaseHTTPRequestHandler):
    """Answers as the path says and notes what arrived."""

    def do_GET(self):
        if self.path == "/reset":
            self.reset()
            return
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        getattr(self, f"answer_{self.path.strip('/').split('?')[0]}", self.answer)()

    def reply(self, status, headers, body=b""):
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        self.reply(200, {"Content-Type": "text/plain"}, b"hello")

    def redirect(self, status):
        self.reply(status, {"Location": self.path.split("to=", 1)[1]})

    def answer_r301(self):
        self.redirect(301)

    def answer_r302(self):
        self.redirect(302)

    def answer_r303(self):
        self.redirect(303)

    def answer_r307(self):
        self.redirect(307)

    def answer_status(self):
        query = parse_qs(urlsplit(self.path).query)
        headers = {"Date": "Sat, 21 Nov 2026 10:00:00 GMT"}
        if "retry-after" in query:
            headers["Retry-After"] = query["retry-after"][0].replace("_", " ")
        self.reply(int(query["code"][0]), headers)

    def answer_json(self):
        body = unquote(self.path.split("body=")[1]).encode()
        self.reply(200, {"Content-Type": "application/problem+json"}, body)

    def answer_charset(self):
        query = parse_qs(urlsplit(self.path).query)
        name, body = query.get("name", ["none"])[0], query.get("body", ["grüß"])[0]
        self.reply(200, {"Content-Type": f"text/plain; charset={name}"}, body.encode())

    def answer_binary(self):
        self.reply(200, {"Content-Type": "image/png"}, b"\x89PN")

    def answer_page(self):
        self.reply(200, {"Content-Type": "text/html; charset=utf-8"}, self.server.page)

    def answer_bomb(self):
        body = gzip.compress(b"\0" * 50_000_000)
        self.reply(200, {"Content-Encoding": "gzip"}, body)

    def answer_brotli(self):
        self.reply(200, {"Content-Encoding": "br"}, b"abc")

    def answer_packed(self):
        """Give a body of the test's own."""
        self.reply(200, {"Content-Encoding": self.server.packed[0]}, self.server.packed[1])

    def answer_damaged(self):
        self.reply(200, {"Content-Encoding": "gzip"}, b"no gzip")

    def answer_headers(self):
        self.reply(200, {f"x-{number}": "v" * 1000 for number in range(80)})

    def answer_endless_headers(self):
        self.reply(200, {"x-big": "v" * 1_000_000})

    def answer_drip(self):
        self.send_response(200)
        self.end_headers()
        while not self.server.stopped.wait(0.05):
            self.wfile.write(b".")

    def answer_held(self):
        self.server.let_go.wait(30)
        self.answer()

    def answer_echo(self):
        """Tell what came, in two pieces that part the body in its middle."""
        *_, headers, body = self.server.seen[-1]
        told = headers.get("Authorization", "").encode() + b" " + body
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-16-le")
        self.end_headers()
        told = told.decode().encode("utf-16-le")
        for part in (told[: len(told) // 2], told[len(told) // 2 :]):
            self.wfile.write(part)
            self.wfile.flush()

    def answer_cut(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x")

    def reset(self):
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def log_message(self, *args):
        pass


for verb in ("HEAD", "POST", "PUT", "PATCH", "DELETE"):
    setattr(Peer, f"do_{verb}", Peer.do_GET)


class Server(ThreadingHTTPServer):
    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Peer)
        self.seen = []
        self.stopped = threading.Event()
        self.let_go = threading.Event()
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request, client_address):
        pass


@contextmanager
def serving(context=None):
    server = Server(context)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.let_go.set()
        server.shutdown()
        thread.join()
        server.server_close()
