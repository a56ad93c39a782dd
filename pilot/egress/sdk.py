"""The one client in the form that SDKs take; nothing of the environment is used."""

from collections.abc import Mapping

import httpx2

from pilot.egress import Egress

# What an SDK says about its body. All else it sends may come from the environment.
_KEPT = frozenset({"accept", "content-type"})
_OF_THE_WIRE = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding"})


class _Transport(httpx2.BaseTransport):
    def __init__(
        self, egress: Egress, headers: Mapping[str, str], deadline: float, max_bytes: int
    ) -> None:
        self._egress = egress
        self._headers = headers
        self._deadline = deadline
        self._max_bytes = max_bytes

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        kept = {name: request.headers[name] for name in _KEPT & set(request.headers)}
        reply = self._egress.request(
            request.method,
            str(request.url),
            headers={**kept, **self._headers},
            content=request.read(),
            deadline=self._deadline,
            max_bytes=self._max_bytes,
        )
        headers = {name: reply.headers[name] for name in set(reply.headers) - _OF_THE_WIRE}
        return httpx2.Response(reply.status, headers=headers, content=reply.body, request=request)


def client(
    egress: Egress, headers: Mapping[str, str], *, deadline: float, max_bytes: int
) -> httpx2.Client:
    """Return a client whose every request passes `egress`, with these headers and no others.

    Its requests raise the StepErrors of `Egress.request`, bare or as the
    cause of what an SDK makes of them.

    Args:
        egress: decides what may be reached.
        headers: sent with every request, the credentials among them.
        deadline: on time.monotonic(); name, connection, headers and body have come by then.
        max_bytes: the decoded body of a reply may not be larger.
    """
    transport = _Transport(egress, headers, deadline, max_bytes)
    return httpx2.Client(transport=transport, trust_env=False, follow_redirects=False)
