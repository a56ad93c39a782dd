"""What the wire formats of providers have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from pilot.llm.messages import Model, Request, ToolSpec, Usage
from pilot.llm.reasons import FailureReason, ModelFaultError

# No window of any model comes near: who says more tokens than that for one request errs, and sums
# of it would fit nowhere.
MOST_TOKENS = 100_000_000
UNUSABLE = "usage_unusable"
# What the strict modes of all providers understand.
_STRICT = frozenset(
    {"additionalProperties", "anyOf", "const", "description", "enum", "items", "properties"}
    | {"required", "title", "type"}
)


def is_strict(schema: Mapping[str, Any]) -> bool:
    """Tell whether a provider can hold a model to this schema: a closed object all the way down."""
    return schema.get("type") == "object" and _is_strict(schema)


def _is_strict(schema: Any) -> bool:
    if not isinstance(schema, dict) or not set(schema) <= _STRICT:
        return False
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not kinds and not {"anyOf", "const", "enum"} & set(schema):
        return False
    properties = schema.get("properties", {})
    if "object" in kinds and not _is_closed(schema, properties):
        return False
    if "array" in kinds and "items" not in schema:
        return False
    parts = [*properties.values(), *schema.get("anyOf", ())]
    parts += [schema["items"]] if "items" in schema else []
    return all(map(_is_strict, parts))


def _is_closed(schema: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    closed = schema.get("additionalProperties") is False
    return closed and set(schema.get("required", ())) == set(properties)


def max_output(request: Request, model: Model) -> int:
    """Return the tokens that the answer may have, as far as the model can give them."""
    return min(request.max_output, model.max_output or request.max_output)


def effort(request: Request, model: Model) -> str | None:
    """Return the effort to ask for; None: the model knows none."""
    return request.effort if request.effort in model.flags.get("effort", ()) else None


def tools(request: Request, model: Model) -> Sequence[ToolSpec]:
    """Return the actions to offer.

    Raises:
        ModelFaultError: config; the model cannot ask for actions.
    """
    if request.tools and not model.flags.get("tools", True):
        text = f"{model.id} cannot call actions: choose another model for this step."
        raise ModelFaultError(FailureReason.CONFIG, text)
    return request.tools


def tool_name(name: str) -> str:
    """Return the name of an action as providers accept it: without dots."""
    return name.replace(".", "-")


def action_name(said: Any, request: Request) -> str:
    """Return the action that a model means; what was not offered keeps its name."""
    known = {tool_name(one.name): one.name for one in request.tools}
    return known.get(str(said), str(said))


def part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a member that is an object; empty if it is missing or something else."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def parts(of: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the objects in a member that is a list."""
    found = of.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def count(of: Mapping[str, Any], name: str) -> int | None:
    """Return a number of tokens; None if it is missing, negative or no whole number."""
    found = of.get(name)
    return found if type(found) is int and found >= 0 else None


def usage(found: Usage, *, conflict: bool) -> tuple[Usage | None, tuple[str, ...]]:
    """Return what a provider says that a request took, with flags; None: that cannot be."""
    if found.total > MOST_TOKENS:
        return None, (UNUSABLE,)
    return found, ("usage_conflict",) if conflict else ()


def billed(body: Mapping[str, Any], model: Model) -> tuple[str, tuple[str, ...]]:
    """Return the model that a reply names, and a flag if it is not the one that was asked."""
    said = body.get("model")
    if not isinstance(said, str) or not said:
        return model.name, ()
    return said[:200], () if model.answering(said) == model.name else ("other_model",)
