"""The fields that every step has, and the kinds of fields that hold expressions."""

from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializeAsAny,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

ID_PATTERN = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
SECONDS_PER_DAY = 86_400
YEAR_S = 365 * SECONDS_PER_DAY
MODEL_STEPS = frozenset({"ai_processing", "llm_decision"})  # types that ask a model


class Kind(Enum):
    """What the texts in a field are."""

    EXPRESSION = "expression"  # each text is one expression: steps.read.output.rows
    TEMPLATE = "template"  # each text may hold expressions: Due {{inputs.days}}
    CONDITION = "condition"  # an expression or a structured condition, true or false
    ITEM_CONDITION = "item condition"  # the same, with the root item
    EVENT_CONDITION = "event condition"  # the same, with the root event
    OPERATION = "operation"  # operations of a transform, which hold expressions of their own


def _condition(value: Any) -> Any:
    if not isinstance(value, str | bool | dict):
        expected = "an expression as text, a structured condition, true or false"
        raise PydanticCustomError("condition_type", "{expected}", {"expected": expected})
    return value


def _seconds(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 <= value <= YEAR_S) and not isinstance(value, str):
        expected = "a number of seconds, 0 to one year, or a template"
        raise PydanticCustomError("seconds_type", "{expected}", {"expected": expected})
    return value


CONDITIONS = frozenset({Kind.CONDITION, Kind.ITEM_CONDITION, Kind.EVENT_CONDITION})
_CONDITION_SCHEMA = {"type": ["string", "boolean", "object"]}

Expression = Annotated[Any, Kind.EXPRESSION]
Template = Annotated[Any, Kind.TEMPLATE]
TemplateText = Annotated[StrictStr, Kind.TEMPLATE]
Condition = Annotated[
    Any, AfterValidator(_condition), WithJsonSchema(_CONDITION_SCHEMA), Kind.CONDITION
]
ItemCondition = Annotated[
    Any, AfterValidator(_condition), WithJsonSchema(_CONDITION_SCHEMA), Kind.ITEM_CONDITION
]
EventCondition = Annotated[
    Any, AfterValidator(_condition), WithJsonSchema(_CONDITION_SCHEMA), Kind.EVENT_CONDITION
]
Schema = dict[str, Any]  # JSON Schema 2020-12
_FILLED_IN = r"user:.{0,254}\{\{.{1,500}\}\}.{0,254}"  # is looked at when it is
Approver = Annotated[
    StrictStr,
    Field(pattern=rf"^(owner|user:\S{{1,254}}|{_FILLED_IN}|role:[a-z]{{1,40}})$"),
    Kind.TEMPLATE,
]
Seconds = Annotated[StrictFloat, Field(ge=0, le=YEAR_S)]
SecondsOrTemplate = Annotated[
    Any, AfterValidator(_seconds), WithJsonSchema({"type": ["number", "string"]}), Kind.TEMPLATE
]
StepId = Annotated[StrictStr, Field(pattern=f"^{ID_PATTERN}$")]
EffectName = Literal["pure", "keyed", "probe", "once"]
Intent = Literal[
    "extract",
    "summarize",
    "generate",
    "validate",
    "send",
    "transform",
    "conditional",
    "aggregate",
    "filter",
    "enrich",
]


class Part(BaseModel):
    """Base of all parts of a document: unknown keys are refused, values do not change.

    Its checks are built with its first use: those of one that holds steps hold those of all types.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Retry(Part):
    """How often a failed attempt is repeated, and after which delay."""

    max_attempts: StrictInt = Field(3, ge=1, le=10, description="The first attempt included.")
    base_s: Seconds = Field(1, description="Longest delay before the second attempt.")
    factor: Annotated[StrictFloat, Field(ge=1, le=10)] = 2
    max_s: Seconds = Field(60, description="Longest delay before any attempt.")
    retry_on: list[Literal["timeout", "rate_limit", "network", "server", "conflict", "schema"]] = (
        Field(["timeout", "rate_limit", "network", "server"])
    )


class Compensate(Part):
    """The action that undoes a finished step if the execution fails or is cancelled."""

    plugin: StrictStr
    action: StrictStr
    params: dict[str, Any] = Field(
        {}, description="Templates; they may read the step's own output, inputs and execution."
    )
    connection: Annotated[StrictStr, Field(min_length=1, max_length=80)] | None = None

    @property
    def action_name(self) -> str:
        """The full name of the action, e.g. `http.request`."""
        return f"{self.plugin}.{self.action}"


class Tolerated(Part):
    """What takes the place of a failed step's output."""

    output: Template = None


class Continue(Part):
    """The step may fail; the execution goes on with this output in its place."""

    tolerated: Tolerated = Field(alias="continue")


class Branch(Part):
    """Steps that run when this one fails, or when nothing came in time."""

    branch: "Body" = Field(min_length=1)


def _failure_tag(value: Any) -> str | None:
    if isinstance(value, Branch) or (isinstance(value, dict) and "branch" in value):
        return "#branch"
    return "#continue" if isinstance(value, dict | Continue) else "#mode"


def _timeout_tag(value: Any) -> str | None:
    return "#branch" if isinstance(value, Branch | dict) else "#mode"


# Tags begin with # so that they can be told from keys in the places of errors.
OnError = Annotated[
    Annotated[Literal["fail", "continue"], Tag("#mode")]
    | Annotated[Continue, Tag("#continue")]
    | Annotated[Branch, Tag("#branch")],
    Discriminator(_failure_tag),
]


OnTimeout = Annotated[
    Annotated[Literal["fail", "continue"], Tag("#mode")] | Annotated[Branch, Tag("#branch")],
    Discriminator(_timeout_tag),
]


ApprovalTimeout = Annotated[
    Annotated[Literal["reject", "approve", "escalate", "fail"], Tag("#mode")]
    | Annotated[Branch, Tag("#branch")],
    Discriminator(_timeout_tag),
]


class StepFields(Part):
    """What every step has besides the fields of its type."""

    id: StepId
    type: StrictStr
    name: Annotated[StrictStr, Field(max_length=120)] | None = None
    dependencies: list[StrictStr] = Field([], description="Ids of steps in the same list.")
    execute_if: Condition | None = Field(None, description="False: the step is skipped.")
    on_error: OnError | None = Field(None, description="Without it, the default of the workflow.")
    retry: Retry | None = None
    timeout_s: Annotated[StrictFloat, Field(gt=0, le=YEAR_S)] | None = Field(
        None, description="Of one attempt; steps that hold others make none."
    )
    compensate: Compensate | None = Field(
        None, description="Undoes it if the execution fails or is cancelled: the latest first."
    )
    effect: EffectName | None = Field(None, description="Only stricter than that of the action.")
    metadata: dict[str, Any] = Field({}, description="To 8 KiB; not read by the engine.")


class Cache(Part):
    """Takes an equal result of before instead of asking again."""

    ttl_s: Annotated[StrictFloat, Field(ge=1, le=30 * SECONDS_PER_DAY)] = Field(
        description="How old a result may be, to 30 days."
    )
    scope: Literal["agent", "user"] = Field(
        "agent", description="Whose results: this agent's, or those of all agents of its owner."
    )


class CachedFields(StepFields):
    """What steps have besides that asks something without changing it."""

    cache: Cache | None = Field(
        None, description="Only where nothing is changed; a hit calls nobody and costs nothing."
    )


Body = list[SerializeAsAny[StepFields]]
Branch.model_rebuild()
