"""References that lead somewhere: to a root, a step, a field that exists."""

import re
from collections.abc import Iterator
from typing import Any

from pilot.engine.language import spelling
from pilot.engine.language.step_fields import Kind
from pilot.engine.validation import repeats, schemas, types
from pilot.engine.validation.context import Context, Use
from pilot.engine.workflow import fields
from pilot.engine.workflow.faults import Read
from pilot.engine.workflow.outline import AFTER, Node
from pilot.errors import Issue

ROOTS = ("inputs", "steps", "execution", "memory")
_PARTS = ("output", "status", "error", "resume_url")
_RENAMED = {"input": "inputs", "step": "steps", "current": "item"}
Patch = list[dict[str, Any]]


def check(context: Context) -> Iterator[Issue]:
    """Yield E_REF_ROOT, E_REF_STEP, E_REF_SCOPE and E_REF_FIELD."""
    for use in context.uses:
        for read in sorted(use.compiled.reads, key=str):
            issue = _read(context, use, read)
            if issue is not None:
                yield issue


def _read(context: Context, use: Use, read: Read) -> Issue | None:
    root = str(read[0])
    if root not in _roots(use):
        return _unknown_root(context, use, root, read)
    if root == "inputs":
        return _field(use, read, context.inputs, 1, "The inputs have")
    return _step(context, use, read) if root == "steps" and len(read) > 1 else None


def _step(context: Context, use: Use, read: Read) -> Issue | None:
    name = str(read[1])
    source = context.by_id.get(name)
    if source is None:
        return _unknown_step(context, use, name)
    outer = repeats.closed_to(use, source)
    if outer is not None:
        return _closed(use, name, outer)
    if len(read) > 2 and read[2] not in _PARTS:
        return _without_output(context, use, source, read)
    if read[2:3] == ("resume_url",) and source.type != "wait_for_event":
        message = f"Only steps of type wait_for_event have a resume_url; {name} has none."
        written = f"steps.{name}.resume_url"
        return Issue("E_REF_FIELD", _place(use, written), message, got=written)
    if len(read) > 2 and read[2] == "output":
        schema = types.output_of(context, source)
        return _field(use, read, schema, 3, f"The output of {name} has")
    return None


def _roots(use: Use) -> set[str]:
    found = set(ROOTS)
    if use.written.kind is Kind.ITEM_CONDITION:
        found.add("item")
    if use.written.kind is Kind.EVENT_CONDITION:
        found.add("event")
    if use.node is not None and _after_failure(use.node):
        found.add("error")
    for loop in repeats.rounds_of(use):
        found |= {"item", "index"}
        found |= {"loop"} if loop.type == "loop" else set()
        name = loop.step.get("item_name")
        found |= {name} if isinstance(name, str) else set()
    return found


def _after_failure(node: Node) -> bool:
    return any(one.segment in AFTER for one in [node, *node.containers])


def _unknown_root(context: Context, use: Use, root: str, read: Read) -> Issue:
    """A step without `steps.`, an input without `inputs.`, a text without quotes."""
    known, ways = sorted(_roots(use)), []
    if root in context.by_id:
        rest = "" if len(read) > 1 and read[1] in _PARTS else ".output"
        if len(read) > 2 and read[1] == "data":  # as older builders wrote it
            ways.append((f"{root}.data", f"steps.{root}.output"))
        else:
            ways.append((root, f"steps.{root}{rest}"))
    if root in context.inputs.get("properties", {}):
        ways.append((root, f"inputs.{root}"))
    meant = _RENAMED.get(root) or spelling.meant(root, known)
    if meant in known and _leads_on(context, meant, read):
        ways.append((root, meant))
    if not ways and len(read) == 1 and use.written.kind is not Kind.TEMPLATE:
        ways.append((root, f"'{root}'"))
    fix = _rewritten(use, *ways[0]) if len(ways) == 1 else None
    hint = f" Did you mean {ways[0][1]}?" if ways else ""
    message = f"There is no root {root}. Roots here: {', '.join(known)}.{hint}"
    expected = ways[0][1] if ways else None
    return Issue("E_REF_ROOT", _place(use, root), message, expected=expected, got=root, fix=fix)


def _leads_on(context: Context, root: str, read: Read) -> bool:
    """Say whether the rest of a path exists under another root, as far as that is known."""
    names = {"steps": context.by_id, "inputs": context.inputs.get("properties", {})}
    return len(read) > 1 and (root not in names or str(read[1]) in names[root])


def _unknown_step(context: Context, use: Use, name: str) -> Issue:
    known = list(context.by_id)
    sure = spelling.meant(name, known)
    fix = _rewritten(use, f"steps.{name}", f"steps.{sure}") if sure else None
    message = f"There is no step {name[:60]!r}.{spelling.suggestion(name, known)}"
    place = _place(use, f"steps.{name}")
    return Issue("E_REF_STEP", place, message, expected=sure, got=f"steps.{name}", fix=fix)


def _closed(use: Use, name: str, outer: Node) -> Issue:
    way = f"steps.{outer.id}.output.items"
    message = (
        f"{name} runs once for each item of {outer.id}: outside there is only {way}, of which "
        f"the field output of {outer.id} decides what it holds."
    )
    written = f"steps.{name}"
    return Issue("E_REF_SCOPE", _place(use, written), message, expected=way, got=written)


def _without_output(context: Context, use: Use, source: Node, read: Read) -> Issue:
    """`.output` is missing, if the output has such a field or may have any."""
    name, part = source.id, read[2]
    written = f"steps.{name}.{part}"
    found = schemas.follow(types.output_of(context, source), read[2:])
    message = f"{written}: of a step there are {', '.join(_PARTS)}."
    sure = spelling.meant(str(part), _PARTS)
    if not isinstance(found, schemas.Missing):
        way, message = f"steps.{name}.output.{part}", f"{message} Insert .output."
        if isinstance(part, int):
            written, way = f"steps.{name}[{part}]", f"steps.{name}.output[{part}]"
    elif part == "data" and len(read) > 3:
        way = f"steps.{name}.output"
    elif sure:
        way = f"steps.{name}.{sure}"
    else:
        return Issue("E_REF_FIELD", _place(use, written), message, got=written)
    fix = _rewritten(use, written, way)
    return Issue("E_REF_FIELD", _place(use, written), message, expected=way, got=written, fix=fix)


def _field(use: Use, read: Read, schema: schemas.Schema, start: int, owner: str) -> Issue | None:
    found = schemas.follow(schema, read[start:])
    if not isinstance(found, schemas.Missing):
        return None
    stop = start + found.depth
    written, name = _written(read[: stop + 1]), str(read[stop])
    if found.depth:
        owner = f"{_written(read[:stop])} has"
    if not found.known and found.kinds:
        what = " or ".join(schemas.WORDS[kind] for kind in sorted(found.kinds))
        message = f"{_written(read[:stop])} is {what}: it has no {name[:60]!r}."
        if found.kinds == {"array"}:
            message += " Take one element with [0] or first(), a column with pluck()."
        return Issue("E_REF_FIELD", _place(use, written), message, got=written)
    sure = spelling.meant(name, found.known)
    way = _written((*read[:stop], sure)) if sure else None
    fix = _rewritten(use, written, way) if way else None
    message = f"{owner} no field {name[:60]!r}.{spelling.suggestion(name, found.known)}"
    return Issue("E_REF_FIELD", _place(use, written), message, expected=way, got=written, fix=fix)


def _written(read: Read) -> str:
    """Return a path as it is usually written."""
    text = str(read[0])
    for key in read[1:]:
        plain = isinstance(key, str) and key.isidentifier()
        text += f".{key}" if plain else f"[{key!r}]"
    return text


def _pattern(written: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.'\"]){re.escape(written)}(?![\w(])")


def _place(use: Use, written: str) -> str:
    """Return the place of the text that holds the reference."""
    pattern = _pattern(written)
    for inner, text in use.texts:
        if inner and pattern.search(text):
            start = use.node.path if use.node is not None else ""
            return start + fields.within(use.written, inner)
    return use.path


def _rewritten(use: Use, written: str, way: str) -> Patch | None:
    """Write a reference another way, wherever the value has it within an expression."""
    start, pattern = use.node.path if use.node is not None else "", _pattern(written)
    fix: Patch = []
    for inner, text in use.texts:
        if use.written.kind is Kind.TEMPLATE or "{{" in text:
            changed = re.sub(r"\{\{.*?\}\}", lambda found: pattern.sub(way, found[0]), text)
        else:
            changed = pattern.sub(way, text)
        if changed != text:
            path = start + fields.within(use.written, inner) if inner else use.path
            fix.append({"op": "replace", "path": path, "value": changed})
    return fix or None
