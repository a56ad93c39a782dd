"""What commands write and read: lines for people, JSON for programs, questions on a terminal."""

import os
import signal
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from pilot import strictjson


def say(text: str) -> None:
    """Write one line for the person."""
    _write([text], sys.stdout)


def say_all(lines: Iterable[str]) -> None:
    """Write many lines for the person."""
    _write(lines, sys.stdout)


def complain(text: str) -> None:
    """Write one line about what went wrong."""
    _write([f"pilot: {text}"], sys.stderr)


def show(value: Any, *, stream: TextIO | None = None) -> None:
    """Write a value as JSON."""
    _write([strictjson.dumps(value)], stream or sys.stdout)


def answer(args: Any, value: Any, text: str) -> None:
    """Write the value where --json asks for it, else the text."""
    if args.json:
        show(value)
    else:
        say(text)


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask a person at the terminal; without one, or with `yes`, nothing is asked."""
    if yes or not sys.stdin.isatty():
        return True
    _write([f"{question} [y/N]"], sys.stderr)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def end_in_order() -> None:
    """Let SIGTERM and SIGHUP end the command as Ctrl+C does: what it wrote so far is taken away."""
    for one in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) is signal.SIG_DFL:  # nohup ignores one of them
            signal.signal(one, signal.default_int_handler)


def _write(lines: Iterable[str], stream: TextIO) -> None:
    try:
        stream.writelines(f"{line}\n" for line in lines)
        stream.flush()
    except OSError:
        # Python would say once more, as it ends, that the rest cannot be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise
