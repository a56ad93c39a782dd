"""Waits until people approve or reject what will happen next.

They see the rendered parameters of the guarded steps; other parameters later void the approval.
Output: `{approved, decision, votes, values, comment, expired}`; a refusal fails it (rejected).
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from pilot.engine.acting import asking
from pilot.engine.acting.history import WaitRow
from pilot.engine.acting.outcomes import Done, StepContext, Wait
from pilot.engine.approvals import excerpts
from pilot.engine.language import wording
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.references import compile_template
from pilot.engine.language.step_fields import (
    ID_PATTERN,
    SECONDS_PER_DAY,
    YEAR_S,
    ApprovalTimeout,
    Approver,
    Part,
    StepFields,
    Template,
    TemplateText,
)
from pilot.errors import ErrorClass, StepError

IO = False
OUTPUT = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "decision": {"type": "string"},
        "votes": {"type": "array"},
        "values": {},
        "comment": {"type": ["string", "null"]},
        "expired": {"type": "boolean"},
    },
    "additionalProperties": False,
}


Timeout = Annotated[float, Field(gt=0, le=YEAR_S, strict=True)]

Place = Annotated[StrictStr, Field(pattern=rf"^{ID_PATTERN}\.[A-Za-z_]\w{{0,62}}$")]
Share = Annotated[float, Field(gt=0, lt=1, strict=True)]


class Channel(Part):
    """By what people are told; with a secret of the agent's owner, to another address."""

    kind: Literal["mail", "webhook", "slack", "teams"]
    secret: StrictStr | None = Field(None, description="Name of the secret that is the address.")
    signing: StrictStr | None = Field(None, description="Name of the secret that signs a webhook.")


class Level(Part):
    """People who are asked in place of those who did not decide in time."""

    approvers: list[Approver] = Field(min_length=1, max_length=50)
    timeout_s: Timeout = SECONDS_PER_DAY


class Params(StepFields):
    """Who is asked what, and what counts as an answer."""

    type: Literal["human_approval"]
    title: TemplateText = Field(min_length=1, max_length=200)
    message: TemplateText | None = Field(None, max_length=4_000)
    context: Template = Field(None, description="Data that approvers see.")
    approvers: list[Approver] = Field(min_length=1, max_length=50)
    rule: Literal["any", "all", "majority", "quorum"] = "any"
    k: StrictInt | None = Field(None, ge=1, le=50, description="Approvals that a quorum needs.")
    self_approval: StrictBool = Field(
        default=True, description="False: neither the starter nor the version's author decides."
    )
    require_comment: Literal["never", "reject", "always"] = "never"
    allow_delegate: StrictBool = Field(
        default=False, description="Who is asked may hand it to one other person."
    )
    editable: list[Place] = Field(
        [], max_length=50, description="What approvers may change: step.parameter of guarded ones."
    )
    channels: list[Channel] | None = Field(
        None, min_length=1, max_length=10, description="By what it is told; without it, by all."
    )
    guards: list[StrictStr] | None = Field(
        None, description="Steps it guards; without it, its direct dependents with effects."
    )
    timeout_s: Timeout = 7 * SECONDS_PER_DAY
    on_timeout: ApprovalTimeout = Field(
        "reject", description="What counts then, or the steps that run instead."
    )
    escalation: list[Level] = Field(
        [], max_length=10, description="Who is asked instead, one level after the other."
    )
    then: Literal["reject", "fail"] = Field("reject", description="After the last level.")
    reminders: list[Share] = Field(
        [0.5, 0.9], max_length=5, description="When who has not voted is told again, of the time."
    )

    @model_validator(mode="after")
    def _has_k_for_a_quorum(self) -> "Params":
        if (self.rule == "quorum") != (self.k is not None):
            raise ValueError(
                "The rule quorum needs k, how many must approve; other rules have none."
            )
        return self


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return who is asked what."""
    people = wording.people(step.get("approvers"))
    return f"Ask {people} to approve: {wording.template(step.get('title', ''))}"


def run(step: Params, context: StepContext) -> Wait:
    """Ask: what is shown are the bytes that are hashed."""
    texts = context.compiled(
        step.id,
        "texts",
        lambda: compile_template(
            {"title": step.title, "message": step.message, "context": step.context}
        ),
    )
    shown = texts.evaluate(context.scope)
    timeouts_s = asking.in_time(
        [step.timeout_s, *(level.timeout_s for level in step.escalation)], context
    )
    shown |= excerpts.cost_so_far(context.scope.roots["execution"])
    question = excerpts.asked(shown, context.render_guarded(step.id))
    asked = question | {
        "rule": step.rule,
        "k": step.k,
        "approvers": asking.people(step.id, "approvers", step.approvers, context),
        "self_approval": step.self_approval,
        "require_comment": step.require_comment,
        "on_timeout": step.on_timeout if isinstance(step.on_timeout, str) else "branch",
        "timeout_s": timeouts_s[0],
        "terms": question["terms"]
        | {
            "k": step.k,
            "self_approval": step.self_approval,
            "escalation": _levels(step, timeouts_s[1:], context),
            "then": step.then,
            "allow_delegate": step.allow_delegate,
            "editable": step.editable,
            "reminders": sorted(set(step.reminders)),
        },
    }
    if step.channels:
        asked["terms"]["channels"] = [one.model_dump() for one in step.channels]
    return Wait("approval", approval=asked)


def _levels(step: Params, timeouts_s: list[float], context: StepContext) -> list[dict[str, Any]]:
    """Return who is asked instead, one level after the other, for how long."""
    return [
        {
            "approvers": asking.people(step.id, f"escalation/{n}", level.approvers, context),
            "timeout_s": timeout_s,
        }
        for n, (level, timeout_s) in enumerate(zip(step.escalation, timeouts_s, strict=True))
    ]


def resume(step: Params | None, _context: StepContext, wait: WaitRow, _now: datetime) -> Done:
    """Go on after the decision, or after its time ran out."""
    found = wait.resolution or {}
    decision, then = found.get("decision"), found.get("then")
    if decision == "nobody":
        k = step.k if step is not None else None
        few = "Nobody may" if k is None else f"Fewer than the {k} who have to approve may"
        text = (
            f"{few} decide this: name people who exist, are more than viewers and, where "
            "self approval is off, neither started it nor wrote the workflow."
        )
        raise StepError(ErrorClass.CONFIG, text)
    if decision == "rejected":
        who = found.get("by") or "an approver"
        comment = f": {found['comment']}" if found.get("comment") else "."
        raise StepError(ErrorClass.REJECTED, f"Rejected by {who}{comment}")
    if decision == "expired" and then == "reject":
        raise StepError(ErrorClass.REJECTED, "Nobody decided in time: counted as rejected.")
    if decision == "expired" and then in {"fail", "branch"}:
        raise StepError(ErrorClass.EXPIRED, "Nobody decided in time.")
    return Done(
        {
            "approved": True,
            "decision": "approved",
            "votes": found.get("votes", []),
            "values": found.get("values", {}),
            "comment": found.get("comment"),
            "expired": decision == "expired",
        }
    )


def late(_step: Params, _context: StepContext) -> dict[str, Any]:
    """Return the output of a step whose other steps ran because nobody decided."""
    nothing: dict[str, Any] = {"votes": [], "values": {}, "comment": None}
    return {"approved": False, "decision": "expired", "expired": True} | nothing
