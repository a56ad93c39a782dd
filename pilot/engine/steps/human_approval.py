"""Waits until people approve or reject what will happen next.

They see the rendered parameters of the guarded steps; other parameters later void the approval.
Output: `{approved, decision, votes, values, comment, expired}`; a refusal fails it (rejected).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from pilot.engine import wording
from pilot.engine.catalogue import Catalogue
from pilot.engine.step_fields import (
    SECONDS_PER_DAY,
    YEAR_S,
    StepFields,
    Template,
    TemplateText,
)

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
Approver = Annotated[StrictStr, Field(pattern=r"^(owner|user:\S{1,254}|role:[a-z]{1,40})$")]


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
    guards: list[StrictStr] | None = Field(
        None, description="Steps it guards; without it, its direct dependents with effects."
    )
    timeout_s: Annotated[float, Field(gt=0, le=YEAR_S, strict=True)] = 7 * SECONDS_PER_DAY
    on_timeout: Literal["reject", "approve", "fail"] = "reject"

    @model_validator(mode="after")
    def _has_k_for_a_quorum(self) -> "Params":
        if (self.rule == "quorum") != (self.k is not None):
            raise ValueError(
                "The rule quorum needs k, how many must approve; other rules have none."
            )
        return self


def describe(step: dict[str, Any], _: Catalogue) -> str:
    """Return who is asked what."""
    listed = step.get("approvers")
    names = [str(one) for one in listed] if isinstance(listed, list) else []
    people = ", ".join(one.removeprefix("user:").replace("role:", "any ") for one in names)
    return f"Ask {people or 'nobody'} to approve: {wording.template(step.get('title', ''))}"
