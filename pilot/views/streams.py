"""Live pages: one stream a page, told from the database; signals only wake it.

Each message carries the event number that it shows, so a reconnect goes on from the database and
loses nothing.
"""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from flask import Response, current_app, request, stream_with_context

from pilot import progress, strictjson
from pilot.engine import api_tokens, users
from pilot.errors import PilotError
from pilot.views import signed_in, visitor

MOST_IN_PROCESS, MOST_OF_USER = 500, 12  # streams; the others are told that they see changes late
RETRY_MS, LATE_RETRY_MS = 2_000, 10_000  # until the browser comes back
log = structlog.get_logger()

LOOK_S, PING_S = 1.0, 15.0  # between two looks without a signal; between two signs of life
SESSION_S = 20.0  # between two looks whether the visitor is still signed in and may see it
MERGE_S = 0.05  # what happens within it is one message
REST = 4  # times what a message took to make: one stream keeps no processor busy
FEWEST_LOOKS = 8  # a reader among many wakes every so many LOOK_S by itself
LONGEST_S = 1800.0  # then the browser connects again
ANNOUNCE_S = 5.0  # between two texts that screen readers speak


@dataclass(frozen=True)
class State:
    """Where the subject of a stream stands."""

    seq: int  # of its newest event
    final: bool


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


@dataclass
class _Subject:
    """What the streams of this process about one thing share: one look and one rendering for all.

    Whoever comes first looks, and renders for all who would see the very same.
    """

    about: UUID
    lock: threading.Lock = field(default_factory=threading.Lock)
    readers: int = 0
    state: State | None = None
    looked_at: float = 0.0  # monotonic; before the look
    told: dict[Hashable, tuple[int, str]] = field(default_factory=dict)

    def stand(self, look: Callable[[], State]) -> State:
        """Return where it stands: as somebody saw it after the last signal, not long ago."""
        with self.lock:
            now, before = time.monotonic(), self.state
            heard = self.looked_at <= progress.rung_at(self.about)
            if before is not None and not heard and now - self.looked_at < LOOK_S:
                return before
            self.state, self.looked_at = look(), now
            if before is not None and before != self.state and not heard:
                progress.ring_here(self.about)  # the signal was lost: the others wait for it
            return self.state

    def tell(self, kind: Hashable, seq: int, render: Callable[[], str]) -> str:
        """Return what readers of one kind are told of an event, rendered once."""
        with self.lock:
            known = self.told.get(kind)
            if known is None or known[0] < seq:
                known = self.told[kind] = (seq, render())
            return known[1]


_SUBJECTS: dict[UUID, _Subject] = {}
_SUBJECTS_LOCK = threading.Lock()


@contextmanager
def _subject(about: UUID) -> Iterator[_Subject]:
    with _SUBJECTS_LOCK:
        subject = _SUBJECTS.setdefault(about, _Subject(about))
        subject.readers += 1
    try:
        yield subject
    finally:
        with _SUBJECTS_LOCK:
            subject.readers -= 1
            if not subject.readers:
                del _SUBJECTS[about]


SEATS = _Seats()
NEVER = threading.Event()  # is never set: to wait a while
DONE = "event: done\ndata:\n\n"


@dataclass
class _Following(ABC):
    """What one reader follows: `look` reads where it stands; each kind has messages of its own."""

    about: UUID
    look: Callable[[], State]
    seen: int = field(default=0, kw_only=True)
    took_s: float = field(default=0.0, kw_only=True)  # to make the last message
    subject: _Subject | None = field(default=None, kw_only=True)

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
                with progress.listening(self.about) as ear, _subject(self.about) as subject:
                    self.subject = subject
                    yield from self._live(ear, subject)
        except PilotError as error:  # the database is away: the browser comes back
            log.warning("stream_ended", error=type(error).__name__)

    def _late(self) -> str:
        """Return the whole stream of a page for which there is no room: what it missed, for now."""
        state = self.look()
        end = DONE if state.final else "event: delayed\ndata:\n\n"
        return f"retry: {LATE_RETRY_MS}\n\n{self._news(state)}{end}"

    def _live(self, ear: threading.Event, subject: _Subject) -> Iterator[str]:
        is_let_in = _let_in()
        begun = pinged = time.monotonic()
        checked = begun - _some(SESSION_S / 2)  # not all of them in the same moment
        while time.monotonic() - begun < LONGEST_S:
            ear.clear()
            state, self.took_s = subject.stand(self.look), 0.0
            if news := self._news(state):
                yield news
            if state.final:
                yield DONE
                return
            now = time.monotonic()
            if now - pinged > PING_S:
                pinged = now
                yield "event: ping\ndata:\n\n"
            if now - checked > SESSION_S:
                checked = now
                if not is_let_in():
                    return
                self.look()  # in its own name: who may no longer see it, ends here
            if news:
                NEVER.wait(min(max(MERGE_S, REST * self.took_s), LOOK_S))
            # Together they look once a second, should a signal be lost.
            alone = subject.readers == 1
            ear.wait(LOOK_S if alone else _some(2 * LOOK_S * min(subject.readers, FEWEST_LOOKS)))

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
    silent: bool = False  # something changed and was not spoken yet
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
            begun = time.monotonic()
            lines = self.parts(speak).splitlines()
            self.took_s = time.monotonic() - begun
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


def _let_in() -> Callable[[], bool]:
    """Return what tells, later too, whether the session or token of this request still holds."""
    if visitor().token is None:
        cookie = request.cookies[current_app.config["SIGN_IN_COOKIE"]]
        return partial(_holds, cookie)
    token = request.headers["Authorization"].partition(" ")[2].strip()
    address = request.remote_addr or ""
    return lambda: api_tokens.user(token, address) is not None


_HELD: dict[str, float] = {}  # when a session held, of a person with several streams; monotonic


def _holds(cookie: str) -> bool:
    now = time.monotonic()
    if now - _HELD.get(cookie, 0.0) < SESSION_S / 2:
        return True
    _HELD.pop(cookie, None)
    if users.session_user(cookie, touch=False) is None:
        return False
    for old in [one for one, at in list(_HELD.items()) if now - at > SESSION_S]:
        _HELD.pop(old, None)
    _HELD[cookie] = now
    return True


def partials(parts: Iterable[tuple[str, str]]) -> str:
    """Return a message that puts each block of a page, named by its id, in its place."""
    return "".join(
        f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">{text}</hx-partial>'
        for name, text in parts
    )


def _some(seconds: float) -> float:
    """Return a part of a time, another one each time."""
    return random.uniform(0, seconds)  # noqa: S311 -- spreads load, guards nothing


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
