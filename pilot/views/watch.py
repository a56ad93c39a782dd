"""What the streams of this process share, so that a reader who waits costs next to nothing.

One thread looks once a second at all that is followed, in one query, and wakes the readers of what
has changed without a signal. It asks for each credential whether it still holds, and whether its
person may still see what they follow; it ends streams whose reader is gone. A stream itself sleeps.
"""

import random
import select
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from pilot import db, progress
from pilot.errors import NotFoundError, UnavailableError
from pilot.reports.standing import State

log = structlog.get_logger()

LOOK_S = 1.0  # between two looks without a signal
SESSION_S = 20.0  # between two looks whether a visitor is still signed in and may see it
LONGEST_S = 1800.0  # then the browser connects again

Standing = Callable[[Session, Collection[UUID]], dict[UUID, State]]  # see reports/standing.py


@dataclass(frozen=True)
class Credential:
    """What opens streams: the rights of a person, as long as a session or token holds."""

    user_id: UUID
    sees_all: bool
    key: Hashable
    holds: Callable[[], bool] = field(compare=False)


@dataclass(eq=False)
class Subject:
    """What the readers of one thing share: one look after a signal, one rendering of a kind.

    Whoever comes first looks, and renders for all who would see the very same.
    """

    about: UUID
    standing: Standing
    lock: threading.Lock = field(default_factory=threading.Lock)
    readers: int = 0
    state: State | None = None
    looked_at: float = 0.0  # monotonic; before the look
    told: dict[Hashable, tuple[int, str]] = field(default_factory=dict)

    def stand(self, credential: Credential) -> State:
        """Return where it stands, as somebody saw it after the last signal.

        Raises:
            NotFoundError: it is gone, or not for this person any more.
        """
        with self.lock:
            if self.state is None or self.looked_at <= progress.rung_at(self.about):
                self.looked_at = time.monotonic()
                with db.reading(credential.user_id, sees_all=credential.sees_all) as session:
                    self.state = self.standing(session, [self.about]).get(self.about)
            if self.state is None:
                raise NotFoundError("It is gone.")
            return self.state

    def tell(self, kind: Hashable, seq: int, render: Callable[[], str]) -> str:
        """Return what readers of one kind are told of an event, rendered once."""
        with self.lock:
            known = self.told.get(kind)
            if known is None or known[0] < seq:
                known = self.told[kind] = (seq, render())
            return known[1]


@dataclass(eq=False)
class Reader:
    """One open stream: its thread sleeps on the ear, and returns once `ended`."""

    subject: Subject
    credential: Credential
    ear: threading.Event
    descriptor: int | None  # of its connection
    begun: float = field(default_factory=time.monotonic)
    ended: bool = False

    def end(self) -> None:
        """Let the stream end now."""
        self.ended = True
        self.ear.set()


class _Process:
    lock = threading.Lock()
    subjects: dict[UUID, Subject] = {}  # noqa: RUF012 -- one process, one of each
    readers: set[Reader] = set()  # noqa: RUF012
    checked: dict[Credential, float] = {}  # noqa: RUF012 -- when it held, monotonic
    thread: threading.Thread | None = None


@contextmanager
def reading(
    about: UUID, standing: Standing, credential: Credential, descriptor: int | None
) -> Iterator[Reader]:
    """Be one of the readers of a thing; the caller has just seen that they may."""
    with progress.listening(about) as ear:
        with _Process.lock:
            subject = _Process.subjects.setdefault(about, Subject(about, standing))
            subject.readers += 1
            reader = Reader(subject, credential, ear, descriptor)
            _Process.readers.add(reader)
            # Not all of them are asked in the same moment.
            early = random.uniform(0, SESSION_S / 2)  # noqa: S311 -- guards nothing
            _Process.checked.setdefault(credential, time.monotonic() - early)
            if _Process.thread is None:
                _Process.thread = threading.Thread(target=_watch, name="watch", daemon=True)
                _Process.thread.start()
        try:
            yield reader
        finally:
            with _Process.lock:
                _Process.readers.discard(reader)
                subject.readers -= 1
                if not subject.readers:
                    del _Process.subjects[about]


def _watch() -> None:
    """Look after all readers until there are none."""
    pause = threading.Event()
    while True:
        pause.wait(LOOK_S)
        with _Process.lock:
            readers = list(_Process.readers)
            if not readers:
                _Process.thread = None
                _Process.checked.clear()
                return
        try:
            _end_gone(readers)
            _ring_changed(readers)
            _check(readers)
        except Exception as error:  # nobody stays whose rights are not looked at
            known = isinstance(error, UnavailableError)
            log.warning("streams_ended", error=type(error).__name__, exc_info=not known)
            _end(readers)


def _end(readers: Iterable[Reader]) -> None:
    for reader in readers:
        reader.end()


def _end_gone(readers: list[Reader]) -> None:
    """End the streams that last too long, and those whose browser has closed its connection."""
    now, poll = time.monotonic(), select.poll()
    by_descriptor = {one.descriptor: one for one in readers if one.descriptor is not None}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLRDHUP)
    _end(by_descriptor[descriptor] for descriptor, _ in poll.poll(0))
    _end(one for one in readers if now - one.begun > LONGEST_S)


def _ring_changed(readers: list[Reader]) -> None:
    """Wake the readers of what stands elsewhere than they know: its signal was lost."""
    with db.reading(None, sees_all=True) as session:  # numbers alone; each is told in their name
        found = _stand(session, {one.subject for one in readers})
    for subject, state in found.items():
        if subject.state is not None and subject.state != state:
            progress.ring_here(subject.about)


def _check(readers: list[Reader]) -> None:
    """End the streams of who is not signed in any more, and those that are not for them now."""
    mine: defaultdict[Credential, list[Reader]] = defaultdict(list)
    for one in readers:
        mine[one.credential].append(one)
    with _Process.lock:
        for old in _Process.checked.keys() - mine.keys():
            del _Process.checked[old]
        due = [(one, _Process.checked.get(one, 0.0)) for one in mine]
    for credential, checked in due:
        now = time.monotonic()
        if now - checked < SESSION_S:
            continue
        if not credential.holds():
            _end(mine[credential])
            continue
        with db.reading(credential.user_id, sees_all=credential.sees_all) as session:
            seen = _stand(session, {one.subject for one in mine[credential]})
        _end(one for one in mine[credential] if seen[one.subject] is None)
        with _Process.lock:
            _Process.checked[credential] = now


def _stand(session: Session, subjects: set[Subject]) -> dict[Subject, State | None]:
    """Return where each of them stands; None: the session's user does not see it."""
    kinds: defaultdict[Standing, list[Subject]] = defaultdict(list)
    for one in subjects:
        kinds[one.standing].append(one)
    found: dict[Subject, State | None] = {}
    for standing, some in kinds.items():
        states = standing(session, [one.about for one in some])
        found |= {one: states.get(one.about) for one in some}
    return found
