"""Live pages: one stream a page, told from the database; signals only wake it.

Each message carries the event number that it shows, so a reconnect goes on from the database and
loses nothing.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from flask import Response, current_app, request, stream_with_context

from pilot import strictjson
from pilot.engine.people import api_tokens, users
from pilot.errors import PilotError
from pilot.reports.standing import State
from pilot.views import signed_in, visitor, watch

MOST_IN_PROCESS, MOST_OF_USER = 500, 12  # streams; the others are told that they see changes late
RETRY_MS, LATE_RETRY_MS = 2_000, 10_000  # until the browser comes back
log = structlog.get_logger()

PING_S = 15.0  # between two signs of life
MERGE_S, MOST_MERGED_S = 0.05, 1.0  # what happens within it is one message
REST = 4  # times the work of making a message: one stream keeps no processor busy
ANNOUNCE_S = 5.0  # between two texts that screen readers speak


@dataclass
class _Seats:
    """The open streams of this process, by user."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    taken: Counter[UUID] = field(default_factory=Counter)

    @contextmanager
    def seat(self, user_id: UUID) -> Iterator[bool]:
        """Give whether there is room for one more."""
        with self.lock:
            room = self.taken.total() < MOST_IN_PROCESS and self.taken[user_id] < MOST_OF_USER
            self.taken[user_id] += room
        try:
            yield room
        finally:
            with self.lock:
                self.taken[user_id] -= room
                if not self.taken[user_id]:
                    del self.taken[user_id]


SEATS = _Seats()
NEVER = threading.Event()  # is never set: to wait a while
DONE = "event: done\ndata:\n\n"


@dataclass
class _Following(ABC):
    """What one reader follows; each kind of stream has messages of its own."""

    about: UUID
    standing: watch.Standing
    seen: int = field(default=0, kw_only=True)
    took_s: float = field(default=0.0, kw_only=True)  # the work of making the last message
    silent: bool = field(default=False, kw_only=True)  # something was not spoken yet
    subject: watch.Subject | None = field(default=None, kw_only=True)

    def response(self) -> Response:
        """Return the stream as the answer to this request."""
        numbers = [request.args.get("after", ""), request.headers.get("Last-Event-ID", "")]
        self.seen = max(_number(text) for text in numbers)
        answer = Response(stream_with_context(self._messages()), mimetype="text/event-stream")
        answer.headers["X-Accel-Buffering"] = "no"
        return answer

    def _messages(self) -> Iterator[str]:
        try:
            with SEATS.seat(signed_in()) as room:
                if not room:
                    yield self._late()
                    return
                yield f"retry: {RETRY_MS}\n\n"
                with watch.reading(self.about, self.standing, _credential(), _descriptor()) as one:
                    self.subject = one.subject
                    yield from self._live(one)
        except PilotError as error:  # the database is away: the browser comes back
            log.warning("stream_ended", error=type(error).__name__)

    def _late(self) -> str:
        """Return the whole stream of a page for which there is no room: what it missed, for now."""
        state = watch.Subject(self.about, self.standing).stand(_credential())
        end = DONE if state.final else "event: delayed\ndata:\n\n"
        return f"retry: {LATE_RETRY_MS}\n\n{self._news(state)}{end}"

    def _live(self, reader: watch.Reader) -> Iterator[str]:
        pinged = time.monotonic()
        while not reader.ended:
            reader.ear.clear()
            state, self.took_s = reader.subject.stand(reader.credential), 0.0
            if news := self._news(state):
                yield news
            if state.final:
                yield DONE
                return
            if time.monotonic() - pinged > PING_S:
                pinged = time.monotonic()
                yield "event: ping\ndata:\n\n"
            if news:
                NEVER.wait(min(max(MERGE_S, REST * self.took_s), MOST_MERGED_S))
            reader.ear.wait(min(ANNOUNCE_S, PING_S) if self.silent else PING_S)

    @abstractmethod
    def _news(self, state: State) -> str:
        """Return messages with what the reader does not know yet, or an empty text."""


@dataclass
class Stream(_Following):
    """What one page follows: `parts` renders what the page shows.

    `parts` is told whether to add what screen readers speak: every few seconds at most.
    """

    parts: Callable[[bool], str]
    kind: Hashable = None  # readers of one kind see the very same; None: nobody else does
    spoke_at: float = 0.0

    def _news(self, state: State) -> str:
        """Return a message with what the page does not show yet, or an empty text."""
        now = time.monotonic()
        quiet = now - self.spoke_at < ANNOUNCE_S
        if state.seq <= self.seen and not state.final and (quiet or not self.silent):
            return ""
        self.seen, self.silent = state.seq, quiet and not state.final
        if not self.silent:
            self.spoke_at = now
        return self._message(state.seq, speak=not self.silent)

    def _message(self, seq: int, *, speak: bool) -> str:
        def made() -> str:
            begun = time.thread_time()  # of the processor: to wait for others is no work
            lines = self.parts(speak).splitlines()
            self.took_s = time.thread_time() - begun
            return f"id: {seq}\n" + "".join(f"data: {line}\n" for line in lines) + "\n"

        if self.kind is None or self.subject is None:
            return made()
        return self.subject.tell((self.kind, speak), seq, made)


@dataclass
class EventStream(_Following):
    """What a program follows: `events` reads the lines after one of them, each is a message."""

    events: Callable[[int], list[dict[str, Any]]]

    def _news(self, state: State) -> str:
        """Return the new events up to the state, or an empty text."""
        text = ""
        while self.seen < state.seq and (batch := self.events(self.seen)):
            self.seen = batch[-1]["seq"]
            for one in batch:
                line = strictjson.dumps(strictjson.plain(one))
                text += f"id: {one['seq']}\nevent: {one['kind']}\ndata: {line}\n\n"
        return text


def _credential() -> watch.Credential:
    """Return what this request came with, to ask later too whether it still holds."""
    who, address = visitor(), request.remote_addr or ""
    if who.token is None:
        cookie = request.cookies[current_app.config["SIGN_IN_COOKIE"]]
        return watch.Credential(
            signed_in(),
            sees_all=who.sees_all,
            key=cookie,
            holds=lambda: users.session_user(cookie, touch=False) is not None,
        )
    token = request.headers["Authorization"].partition(" ")[2].strip()
    return watch.Credential(
        signed_in(),
        sees_all=False,
        key=(token, address),
        holds=lambda: api_tokens.user(token, address) is not None,
    )


def _descriptor() -> int | None:
    """Return the connection of this request, where the server tells it."""
    names = ("gunicorn.socket", "werkzeug.socket")
    sockets = (request.environ[name] for name in names if name in request.environ)
    return next((one.fileno() for one in sockets), None)


def partials(parts: Iterable[tuple[str, str]]) -> str:
    """Return a message that puts each block of a page, named by its id, in its place."""
    return "".join(
        f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">{text}</hx-partial>'
        for name, text in parts
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
