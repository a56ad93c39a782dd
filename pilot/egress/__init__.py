"""The one client for foreign addresses: each is resolved once, checked, and then dialled."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pilot.egress.handles import Secret

if TYPE_CHECKING:
    from pilot.egress.client import Client
    from pilot.egress.wire import Wire

TOTAL_S = 30.0
MAX_REDIRECTS = 3
MAX_BODY_BYTES = 5_000_000  # decoded
MAX_WIRE_BYTES = 60_000_000  # of a connection that is not HTTP


@dataclass(frozen=True)
class Reply:
    """A complete answer: header names in lower case, the body decoded, and what it answers.

    After redirects that is another URL, and often a GET instead of the method that was sent first.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    method: str


@dataclass(frozen=True)
class Traffic:
    """One request sent (`status`) or refused (`blocked`: why), for the audit trail.

    Neither: a connection that is not HTTP was made.
    """

    method: str
    origin: str  # scheme, host and port; the path may hold secrets
    status: int | None = None
    blocked: str | None = None


class Egress:
    """Sends requests to public addresses only; safe to share between threads.

    Args:
        allow: entries `host:port` that an administrator opens, whatever their address.
        follows: redirects; without it they are answers like any other.
        report: is told of every request and every refusal.
    """

    def __init__(
        self,
        allow: Iterable[str] = (),
        *,
        follows: bool = True,
        report: Callable[[Traffic], None] | None = None,
    ) -> None:
        self._allow = frozenset(entry.strip().lower() for entry in allow)
        self._follows = follows
        self._report = report
        self._secrets: Mapping[str, Secret] = {}

    def with_secrets(self, secrets: Mapping[str, Secret]) -> "Egress":
        """Return a client that fills these in for their handles, as a request leaves."""
        if not secrets:
            return self
        filling = Egress(self._allow, follows=self._follows, report=self._report)
        filling._secrets = dict(secrets)
        return filling

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        deadline: float | None = None,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> Reply:
        """Return the answer after at most 3 redirects, each checked like the first address.

        A request with a body or an effect is never replayed to another origin, and no header
        but the harmless ones goes there. Nothing is retried; proxies, netrc and cookies are
        not used.

        Args:
            method: one of the usual seven, upper case.
            url: http or https, without user name.
            headers: refused when they hold control characters or would change the framing.
            content: the body.
            deadline: on time.monotonic(); without it 30 s from now.
            max_bytes: the decoded body may not be larger.

        Raises:
            StepError: input with code `egress_blocked` for every refusal, timeout, network,
                output_too_large, limit. `sent` is False when no request left.
        """
        ends = time.monotonic() + TOTAL_S if deadline is None else deadline
        return self._client.request(
            method, url, headers=headers, content=content, ends=ends, max_bytes=max_bytes
        )

    def post(
        self, url: str, *, headers: Mapping[str, str], content: bytes, deadline: float
    ) -> Reply:
        """Tell a receiver something, once: no redirect is followed, no body of an answer is read.

        What it answers beside the status cannot make a message that it took one that failed.

        Raises:
            StepError: as `request`.
        """
        return self._client.post(url, headers=headers, content=content, ends=deadline)

    def connect(
        self,
        host: str,
        port: int,
        *,
        ports: frozenset[int],
        deadline: float,
        max_bytes: int = MAX_WIRE_BYTES,
    ) -> "Wire":
        """Return a connection for a protocol that is not HTTP; addresses are checked alike.

        Args:
            host: a name or an address.
            port: below 1024 only one of `ports`, unless an administrator opened host:port.
            ports: the well-known ports of the protocol.
            deadline: on time.monotonic(); nothing on the connection outlives it.
            max_bytes: no more is read.

        Raises:
            StepError: input with code `egress_blocked`, timeout, network; nothing was sent.
        """
        return self._client.connect(host, port, ports=ports, ends=deadline, max_bytes=max_bytes)

    @cached_property
    def _client(self) -> "Client":
        # At the first request: what speaks HTTP takes a tenth of the start of a worker to load.
        from pilot.egress.client import Client  # noqa: PLC0415

        return Client(
            self._allow, follows=self._follows, report=self._report, secrets=self._secrets
        )
