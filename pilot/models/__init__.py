"""Tables, one file per noun; importing this package registers them all."""

from pilot.models import (
    agent,
    approval,
    audit,
    call,
    execution,
    generation,
    outbox,
    setting,
    user,
    worker,
)

__all__ = [
    "agent",
    "approval",
    "audit",
    "call",
    "execution",
    "generation",
    "outbox",
    "setting",
    "user",
    "worker",
]
