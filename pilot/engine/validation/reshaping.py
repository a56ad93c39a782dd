"""Transforms against what is known of their input: its kind and its columns."""

from collections.abc import Iterator

from pilot.engine.language.step_fields import Kind
from pilot.engine.validation import rows, types
from pilot.engine.validation.context import Context, Use, moved
from pilot.engine.workflow import fields
from pilot.errors import Issue


def check(context: Context) -> Iterator[Issue]:
    """Yield E_REF_FIELD and E_TYPE of transforms."""
    for use in context.uses:
        if use.node is not None and use.compiled.pipeline is not None:
            shape = rows.shape_of(types.input_of(context, use.node))
            for issue in use.compiled.pipeline.check(None, shape):
                yield placed(use, issue)


def placed(use: Use, issue: Issue) -> Issue:
    """Return an issue of a written value, and its fix, with places in the document."""
    start = use.node.path if use.node is not None else ""

    def place(inner: str) -> str:
        return start + fields.within(use.written, inner)

    moved_issue = moved(issue, place)
    only = use.written.kind is Kind.OPERATION and use.written.path == ""
    touched = [one[key] for one in issue.fix or () for key in ("path", "from") if key in one]
    if only and "/0" in touched:  # the single operation is the step itself
        message = f"{issue.message} Write operations as a list for that."
        return Issue(issue.code, moved_issue.path or start, message, issue.expected, issue.got)
    return moved_issue
