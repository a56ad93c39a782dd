"""Steps that run once for each item: who may read them, how often they run, what that costs."""

from collections.abc import Iterator

from pilot.engine import steps
from pilot.engine.language.step_fields import MODEL_STEPS
from pilot.engine.validation import schemas, types
from pilot.engine.validation.context import Context, Use, effect_of
from pilot.engine.workflow.outline import AFTER, Node
from pilot.errors import Issue


def check(context: Context) -> Iterator[Issue]:
    """Yield E_TYPE, E_REF_SCOPE of guards, E_UNBOUNDED_LOOP, W_RETRY_ONCE and W_LLM_IN_LOOP."""
    for node in context.nodes:
        if node.type == "loop" and "while" in node.step and "max_iterations" not in node.step:
            message = "A loop with while needs max_iterations: how often it may run at most."
            path = f"{node.path}/max_iterations"
            yield Issue("E_UNBOUNDED_LOOP", path, message, expected="a number to 10,000")
        yield from _run_over(context, node)
        yield from _guarded_from_outside(context, node)
        yield from _once_again(context, node)
        yield from _model_per_item(context, node)


def around(node: Node) -> Iterator[Node]:
    """Yield the loops and scatters that run a step once for each item, the innermost first."""
    inner = node
    for container in node.containers:
        if inner.segment not in AFTER and is_repeating(container):
            yield container
        inner = container


def item_names(node: Node) -> set[str]:
    """Return how a step may call the items that it runs for."""
    loops = list(around(node))
    names = {name for loop in loops for name in _names(loop)}
    return names | {"item", "index"} if loops else set()


def is_repeating(node: Node) -> bool:
    """Say whether a step runs the steps inside it once for each item."""
    return bool(node.type) and hasattr(steps.load(node.type), "REPEATS")


def rounds_of(use: Use) -> list[Node]:
    """Return the loops and scatters for each of whose items a text is evaluated."""
    if use.node is None:
        return []
    own = [use.node] if is_per_item(use) else []
    return [*own, *around(use.node)]


def is_per_item(use: Use, marks: str = "REPEATS") -> bool:
    """Say whether a text stands in a field of a loop or scatter that belongs to its items."""
    if use.node is None or not is_repeating(use.node):
        return False
    field = use.path.removeprefix(f"{use.node.path}/").partition("/")[0]
    return field in getattr(steps.load(use.node.type), marks)


def sees_inside(use: Use) -> bool:
    """Say whether a text of a loop or scatter may read the steps inside it."""
    return is_per_item(use, "READS_INNER")


def closed_to(use: Use, source: Node) -> Node | None:
    """Return the outermost loop or scatter that keeps a text from reading a step inside it."""
    inside = set(around(use.node)) if use.node is not None else set()
    if use.node is not None and sees_inside(use):
        inside.add(use.node)
    closed = [one for one in around(source) if one not in inside]
    return closed[-1] if closed else None


def _run_over(context: Context, node: Node) -> Iterator[Issue]:
    """What a step repeats for, or asks about row by row, has to be a list; null may become one."""
    batch = node.step.get("batch") if node.type in MODEL_STEPS else None
    holder, place = (batch, "batch/items") if batch is not None else (node.step, "items")
    if not (batch is not None or is_repeating(node)) or not isinstance(holder, dict):
        return
    given = types.of_items(context, node, place, holder.get("items"))
    if schemas.kinds(given) != frozenset({"null"}) and not schemas.fits(given, {"type": "array"}):
        got = schemas.in_words(given)
        message = f"items must be a list, each of whose elements gets its turn; this is {got}."
        yield Issue("E_TYPE", f"{node.path}/{place}", message, expected="a list", got=got)


def _guarded_from_outside(context: Context, node: Node) -> Iterator[Issue]:
    """What an approval shows must be known when it asks: of items only within their round."""
    guards = node.step.get("guards")
    for number, name in enumerate(guards if isinstance(guards, list) else ()):
        guarded = context.by_id.get(name) if isinstance(name, str) else None
        if guarded is None or set(around(guarded)) <= set(around(node)):
            continue
        message = f"{name} runs once for each item: put this approval beside it, in the same list."
        path = f"{node.path}/guards/{number}"
        yield Issue("E_REF_SCOPE", path, message, got=str(name))


def _once_again(context: Context, node: Node) -> Iterator[Issue]:
    action = context.action(node)
    if action is None or effect_of(action, node.step.get("params")) != "once":
        return
    loops = list(around(node))
    if loops:
        message = (
            f"{action.name} can neither be repeated safely nor asked about, and runs for each "
            f"item of {loops[0].id}: after a crash a person is asked about each open item."
        )
        yield Issue("W_RETRY_ONCE", f"{node.path}/action", message, severity="warning")


def _model_per_item(context: Context, node: Node) -> Iterator[Issue]:
    if node.type not in MODEL_STEPS or node.step.get("batch") is not None:
        return
    loops = list(around(node))
    alone = loops and len(loops[0].step.get("steps") or ()) == 1
    reads = {str(path[0]) for path in context.reads(node)}
    if alone and node.type == "ai_processing" and reads <= {"item", *_names(loops[0])}:
        message = (
            f"A model is asked for each item of {loops[0].id} by itself: one ai_processing step "
            "with batch {items} asks about many at once and costs less, unless each item is a "
            "document of its own."
        )
        yield Issue("W_LLM_IN_LOOP", node.path, message, severity="warning")


def _names(loop: Node) -> set[str]:
    name = loop.step.get("item_name")
    return {name} if isinstance(name, str) else set()
