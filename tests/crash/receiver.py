"""The judge outside: a web server that writes down every request before it does anything.

`/read/<id>` only reads, `/keyed/<id>/<step>` honours the Idempotency-Key, `/probe/...` can be asked
with GET whether a key was applied, `/once/...` does whatever it is told. `?wait_ms=` answers late,
`?flaky=4` answers the first four requests of a key with 500, `?drop=1` applies it and hangs up.
"""

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Receiver(ThreadingHTTPServer):
    """Knows what it applied, by mode, execution, step and key."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, journal):
        super().__init__(("127.0.0.1", 0), Requests)
        self.journal = journal
        self.lock = threading.Lock()
        self.applied = {}
        self.seen = Counter()

    def note(self, **facts):
        print(json.dumps(facts), file=self.journal, flush=True)

    def handle_error(self, request, client_address):
        """A client that was killed is no news."""


class Requests(BaseHTTPRequestHandler):
    """Answers without date and server lines, so that equal requests have equal answers."""

    def do_GET(self):
        mode, name, _, asked = self._asked()
        if mode == "read":
            self._answer(200, {"id": name, "value": len(name)}, asked)
        else:
            known = self.server.applied.get((mode, self.headers["idempotency-key"]))
            self._answer(200 if known else 404, known or {}, asked)

    def do_POST(self):
        mode, name, step, asked = self._asked()
        self.rfile.read(int(self.headers.get("content-length", 0)))
        key = self.headers.get("idempotency-key", "")
        result = {"id": name, "step": step, "mode": mode}
        server = self.server
        with server.lock:
            first = not server.seen[mode, key]
            server.seen[mode, key] += 1
            refusals = int(asked.get("flaky", ["0"])[0])
            refused = server.seen[mode, key] <= refusals
            new = not refused and (mode == "once" or (mode, key) not in server.applied)
            if new:
                server.applied[mode, key] = result
            server.note(mode=mode, id=name, step=step, key=key, applied=new)
        if first and "drop" in asked:
            self.connection.close()
            return
        self._answer(500 if refused else 200, {} if refused else result, asked)

    def _asked(self):
        parts = urlsplit(self.path)
        mode, name, step = [*parts.path.strip("/").split("/"), "", ""][:3]
        return mode, name, step, parse_qs(parts.query)

    def _answer(self, status, result, asked):
        time.sleep(int(asked.get("wait_ms", ["0"])[0]) / 1000)
        body = json.dumps(result).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    with Path(sys.argv[1]).open("a", encoding="utf-8") as journal, Receiver(journal) as receiver:
        print(receiver.server_address[1], flush=True)
        receiver.serve_forever(0.05)
