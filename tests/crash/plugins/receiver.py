"""An outside system that can be asked whether a key was applied; only the crash tests load it."""

import signal
import threading

from pydantic import Field

from pilot import strictjson
from pilot.plugins import Call, Category, Confirm, Effect, Limit, Model, Plugin

plugin = Plugin(
    name="receiver",
    version="1.0",
    title="Receiver",
    category=Category.OTHER,
    summary="The receiver of the crash tests.",
)


class Apply(Model):
    """What to apply."""

    url: str = Field(description="The address.", json_schema_extra={"format": "uri"})


class Applied(Model):
    """What was applied."""

    id: str = Field(description="Of the execution.")
    step: str = Field(description="Of the step.")


def was_applied(call: Call, params: Apply) -> Applied | None:
    headers = {"idempotency-key": call.key}
    reply = call.http.request("GET", params.url, headers=headers, deadline=call.deadline)
    return _read(reply.body) if reply.status == 200 else None


@plugin.action(
    effect=Effect.PROBE,
    was_applied=was_applied,
    success="Applied {step}",
    guidance="Use it in crash tests only.",
)
def apply(call: Call, params: Apply) -> Applied:
    """Apply something, once a key if asked first."""
    headers = {"idempotency-key": call.key}
    reply = call.http.request("POST", params.url, headers=headers, deadline=call.deadline)
    return _read(reply.body)


@plugin.action(
    effect=Effect.PROBE,
    was_applied=was_applied,
    success="Applied {step}",
    guidance="Use it in crash tests only.",
    rules=(Confirm("params.url != ''", "Apply it?"), Limit(1_000_000, per="day")),
)
def guarded(call: Call, params: Apply) -> Applied:
    """Apply something, which a person is asked about first, and which is counted."""
    return apply(call, params)


class Nothing(Model):
    """Nothing to say."""


class Lived(Model):
    """It went well."""

    lived: bool = Field(description="True.")


@plugin.action(effect=Effect.PURE, success="Lived: {lived}", guidance="Use it in crash tests only.")
def die(call: Call, params: Nothing) -> Lived:
    """Kill the worker while the owner's folder holds a file `deadly`."""
    if (call.folder / "deadly").exists():
        signal.pthread_kill(threading.get_ident(), signal.SIGKILL)
    return Lived(lived=True)


def _read(body: bytes) -> Applied:
    found = strictjson.loads(body)
    return Applied(id=found["id"], step=found["step"])
