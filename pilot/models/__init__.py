"""Tables, one file per noun; importing this package registers them all."""

from pilot.models import (
    action_use,
    agent,
    api_token,
    approval,
    audit,
    call,
    execution,
    flag_rule,
    generation,
    model,
    outbox,
    price,
    provider,
    setting,
    user,
    worker,
)

__all__ = [
    "action_use",
    "agent",
    "api_token",
    "approval",
    "audit",
    "call",
    "execution",
    "flag_rule",
    "generation",
    "model",
    "outbox",
    "price",
    "provider",
    "setting",
    "user",
    "worker",
]
