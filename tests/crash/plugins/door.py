"""An outside system with an account; only the crash tests load it."""

from pilot.plugins.receiver import Applied, Apply, apply, was_applied

from pilot.errors import ErrorClass, PluginError
from pilot.plugins import Account, Call, Category, Effect, Model, Plugin

OPENS = "the-right-secret"


class Fields(Model):
    """Nothing besides the secret."""


def _signs_in(call: Call) -> str:
    if call.credentials is None or call.credentials.secret != OPENS:
        raise PluginError(ErrorClass.AUTH, "The door stays shut.", code="shut", sent=False)
    return "door"


plugin = Plugin(
    name="door",
    version="1.0",
    title="Door",
    category=Category.OTHER,
    summary="A door of the crash tests.",
    account=Account("api_key", Fields, "Secret", _signs_in),
)


@plugin.action(
    effect=Effect.PROBE,
    was_applied=was_applied,
    success="Applied {step}",
    errors={"shut": "Mend the connection."},
    guidance="Use it in crash tests only.",
)
def enter(call: Call, params: Apply) -> Applied:
    """Apply something behind the door, once a key if asked first."""
    _signs_in(call)
    return apply(call, params)
