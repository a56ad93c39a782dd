"""A connection for protocols other than HTTP, in the form that smtplib and imaplib take."""

import io
import ssl
from collections.abc import Callable
from typing import Any

import httpcore2

from pilot.errors import ErrorClass, StepError

CHUNK_BYTES = 65_536


class Wire:
    """What a mail client of the standard library takes for its socket.

    Nothing outlives the deadline that it was dialled with, and no more than `max_bytes` are read
    until `renew`.
    Its StepErrors pass through those clients, which catch errors of the system only.
    """

    def __init__(
        self,
        stream: httpcore2.NetworkStream,
        host: str,
        tls: Callable[[], ssl.SSLContext],
        max_bytes: int,
    ) -> None:
        self._stream = stream
        self._host = host
        self._tls = tls
        self._max_bytes = self._left_bytes = max_bytes

    def makefile(self, *_: Any) -> io.BufferedReader:
        """Return what it receives as a file."""
        return io.BufferedReader(_Received(self))

    def receive(self, size: int) -> bytes:
        """Return what has come, at most `size` bytes, b"" at the end.

        Raises:
            StepError: timeout, network, output_too_large.
        """
        try:
            data = self._stream.read(min(size, CHUNK_BYTES))
        except httpcore2.ReadTimeout:
            raise self._error(ErrorClass.TIMEOUT, "did not answer in time") from None
        except httpcore2.ReadError:
            raise self._error(ErrorClass.NETWORK, "broke the connection") from None
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise self._too_much()
        return data

    def expect(self, size: int) -> None:
        """Refuse what is announced and could never be read, before memory is taken for it.

        Raises:
            StepError: output_too_large.
        """
        if size > self._max_bytes:
            raise self._too_much()

    def sendall(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            StepError: timeout, network.
        """
        try:
            self._stream.write(data)
        except httpcore2.WriteTimeout:
            raise self._error(ErrorClass.TIMEOUT, "took nothing more in time") from None
        except httpcore2.WriteError:
            raise self._error(ErrorClass.NETWORK, "broke the connection") from None

    def secure(self) -> "Wire":
        """Return the same connection inside TLS; the server has proved its name.

        Raises:
            StepError: timeout or network; the connection is closed.
        """
        try:
            stream = self._stream.start_tls(self._tls(), self._host)
        except httpcore2.ConnectTimeout:
            error = self._error(ErrorClass.TIMEOUT, "did not finish the TLS handshake in time")
            raise error from None
        except httpcore2.ConnectError as problem:
            error = self._error(ErrorClass.NETWORK, f"is not safe by TLS: {problem}")
            raise error from None
        return Wire(stream, self._host, self._tls, self._max_bytes)

    def renew(self) -> None:
        """Let `max_bytes` be read again: what came so far has been dealt with."""
        self._left_bytes = self._max_bytes

    def wrap_socket(self, wire: "Wire", **_: Any) -> "Wire":
        """Stand for an SSL context, which is how mail clients ask for TLS."""
        return wire.secure()

    def settimeout(self, seconds: float | None) -> None:
        """Change nothing: the deadline rules."""

    def shutdown(self, how: int) -> None:
        """Change nothing: `close` follows."""

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def _too_much(self) -> StepError:
        return self._error(ErrorClass.OUTPUT_TOO_LARGE, "sent more than was asked for")

    def _error(self, error_class: ErrorClass, what: str) -> StepError:
        return StepError(error_class, f"{self._host} {what}.")


class _Received(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._wire.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)
