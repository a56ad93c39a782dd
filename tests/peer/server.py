"""The server of the peer: routes, counts, ledger."""

import hashlib
import json
import os
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.peer import answers, faults, formats
from tests.peer.answers import Answer, Asked

FORMATS = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic"}
KEYS = frozenset({"authorization", "x-api-key"})


class Peer(ThreadingHTTPServer):
    """What all requests share."""

    daemon_threads = True

    def __init__(self, ledger: Path, rules: list[dict]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._ledger = ledger.open("a", encoding="utf-8")
        self.number = 0
        self.load(rules)

    def load(self, rules: list[dict]) -> None:
        """Take a new script and forget what was counted and kept."""
        with self._lock:
            self.rules, self.counts, self.bodies = rules, {}, []

    def note(self, form: str, body: dict) -> Asked:
        """Count a request."""
        model = str(body.get("model"))
        with self._lock:
            self.number += 1
            self.counts[model] = self.counts.get(model, 0) + 1
            self.bodies.append(body)
            sent = "\n".join(answers.texts(body))
            return Asked(form, model, self.counts[model], sent, body, self.number)

    def book(self, line: dict) -> None:
        """Write a line of the ledger through to the disk."""
        with self._lock:
            self._ledger.write(json.dumps(line) + "\n")
            self._ledger.flush()
            os.fsync(self._ledger.fileno())

    def handle_error(self, request, client_address) -> None:
        """Say nothing: callers that go away are part of the game."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    number = 0  # of what was asked of a model

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            data = [{"id": name, "object": "model", "type": "model"} for name in answers.PRICES]
            self.reply(200, json.dumps({"object": "list", "data": data}).encode())
        elif self.path == "/control/bodies":
            self.reply(200, json.dumps(self.server.bodies).encode())
        else:
            self.reply(404, b"{}")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/control/script":
            self.server.load(json.loads(raw)["rules"])
            self.reply(200, b"{}")
        elif self.path in FORMATS:
            self.model(FORMATS[self.path], raw)
        else:
            self.refuse("openai", raw, None, 404, message=f"no such path {self.path}")

    def model(self, form: str, raw: bytes) -> None:
        body = json.loads(raw)
        asked = self.server.note(form, body)
        self.number = asked.number
        if not self.key():
            self.refuse(form, raw, asked, 401, message="No key was sent.")
            return
        wrong = formats.complaint(form, body)
        if wrong:
            self.refuse(form, raw, asked, 400, message=wrong)
            return
        rule = answers.matching(self.server.rules, asked)
        fault = rule.get("fault")
        kind, given = answers.kind_of(fault), fault if isinstance(fault, dict) else {}
        if kind == "status":
            told = {
                name: given[name] for name in ("code", "message", "retry_after") if name in given
            }
            self.refuse(form, raw, asked, given["status"], **told)
            return
        self.answer(form, raw, asked, answers.answer(rule, asked), (kind, given))

    def answer(self, form, raw, asked: Asked, found: Answer, fault) -> None:
        kind, given = fault
        usage = None if kind in faults.UNBILLED else found.usage
        self.book(raw, asked, found.model, usage, kind or "200")
        body = faults.body_of(kind, given, formats.encode(form, found, asked.number))
        if kind == "reset":
            faults.reset(self)
        elif kind == "hang":
            faults.hang(self)
        else:
            if kind == "delay":
                self.server.stopped.wait(given["s"])
            self.send(body, kind, given)

    def send(self, body: bytes, kind: str | None, given: dict) -> None:
        self.head(200, len(body))
        with suppress(OSError):
            if kind == "trickle":
                faults.trickle(self, body)
            elif kind == "cut":
                self.wfile.write(body[: given.get("after", 20)])
            else:
                self.wfile.write(body)

    def refuse(
        self, form, raw, asked, status, *, code=None, message="no", retry_after=None
    ) -> None:
        key = (self.headers.get("authorization") or self.headers.get("x-api-key") or "").split()
        text = message.replace("{key}", key[-1] if key else "")
        self.book(raw, asked, asked and asked.model, None, str(status))
        body = json.dumps(formats.error(form, status, code, text)).encode()
        headers = faults.retry_headers(retry_after)
        if 300 <= status < 400:
            headers["Location"] = "http://127.0.0.1:9/elsewhere"
        self.reply(status, body, headers)

    def book(self, raw: bytes, asked: Asked | None, model, usage, answered: str) -> None:
        kept = {k.lower(): v for k, v in self.headers.items() if k.lower() not in KEYS}
        self.server.book(
            {
                "number": self.number,
                "format": asked and asked.format,
                "headers": kept,
                "key_hash": self.key(),
                "model": asked and asked.model,
                "billed": model,
                "body_sha256": hashlib.sha256(raw).hexdigest(),
                "usage": usage,
                "cost": format(answers.cost(model, usage), "f"),
                "answered": answered,
            }
        )

    def key(self) -> str | None:
        given = (self.headers.get("authorization") or self.headers.get("x-api-key") or "").split()
        return hashlib.sha256(given[-1].encode()).hexdigest()[:12] if given else None

    def reply(self, status: int, body: bytes, headers: dict | None = None) -> None:
        self.head(status, len(body), headers or {})
        with suppress(OSError):
            self.wfile.write(body)

    def head(self, status: int, size: int, headers: dict | None = None) -> None:
        self.send_response_only(status)
        known = {"Content-Type": "application/json", "Content-Length": str(size)}
        known |= {"x-request-id": f"req_{self.number}", "request-id": f"req_{self.number}"}
        for name, value in {**known, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args) -> None:
        """Say nothing."""
