"""One real call that shows whether a model answers: estimated first, booked like every call."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from pilot import db
from pilot.engine.providers import model_catalogue
from pilot.engine.providers.ledger import DirectBooking
from pilot.errors import ConflictError, ModelError, NotFoundError
from pilot.llm import calls, tokens
from pilot.llm.messages import Message, Reply, Request, Usage
from pilot.models.call import Call

REQUEST = Request(
    system="You are asked whether you can be reached.",
    messages=(Message("user", "Answer with the one word: ok"),),
    name="test",
    role="test",
    max_output=200,  # room for models that think before they answer
    timeout_s=20,
)
# What a person can do about each reason; see `pilot.llm.reasons`.
REMEDIES = {
    "schema": ("The answer was empty.", "Test again; if it stays so, choose another model."),
    "refusal": ("The model refused to answer.", "Choose another model."),
    "truncated": ("The answer was cut at the output limit.", "Choose another model."),
    "timeout": ("The model did not answer in time.", "Test again later; look at the address."),
    "rate_limit": ("The provider is busy, or its limit is reached.", "Test again in a minute."),
    "api": ("The provider failed or cannot be reached.", "Check the address; test again later."),
    "auth": ("The provider does not accept the key.", "Set a new key of this provider."),
    "config": (
        "The provider refused the request.",
        "Check the model's name, the address and whether the account is paid.",
    ),
}


@dataclass(frozen=True)
class Result:
    """How the newest test of a model went."""

    at: datetime
    ok: bool
    latency_ms: int | None
    tokens: int
    cost: Decimal | None  # None: unpriced
    model_billed: str | None
    request_id: str | None
    http_status: int | None
    what: str = ""  # went wrong
    remedy: str = ""


def estimate(entry: model_catalogue.Entry) -> Decimal | None:
    """Return what a test costs at most, in USD; None: unpriced."""
    if entry.rates is None:
        return None
    return entry.rates.cost(Usage(input=tokens.at_most(REQUEST), output=REQUEST.max_output))


def run(model_id: str, *, user_id: UUID) -> None:
    """Ask a model once; how it went is in the ledger, see `newest`.

    Raises:
        NotFoundError: there is no such model.
        ConflictError: it cannot be asked, with the reason; nothing was sent.
    """
    with db.reading(user_id) as session:
        if model_id not in model_catalogue.entries(session):
            raise NotFoundError(f"There is no model {model_id!r}.")
        chain = model_catalogue.chain(session, [model_id])
    if not chain.models:
        raise ConflictError(f"Nothing was sent. {chain.skipped[0].reason}", {})
    try:
        calls.complete(REQUEST, chain.models, DirectBooking(user_id, chain), _read)
    except ModelError:
        return  # the ledger tells it


def newest(session: Session, model_id: str) -> Result | None:
    """Return how the newest test of a model went; None: none was made."""
    query = (
        select(Call)
        .where(Call.role == "test", Call.model_asked == model_id, Call.state != "reserved")
        .order_by(Call.at.desc(), Call.id.desc())
        .limit(1)
    )
    row = session.scalar(query)
    if row is None:
        return None
    used: list[int] = [
        row.input_tokens,
        row.cache_read_tokens,
        row.cache_write_tokens,
        row.cache_write_long_tokens,
        row.output_tokens,
        row.reasoning_tokens,
    ]
    what, remedy = REMEDIES.get(row.reason or "", ("", ""))
    return Result(
        row.at,
        row.outcome == "ok",
        row.latency_ms,
        sum(used),
        row.cost,
        row.model_billed,
        row.request_id,
        row.http_status,
        what,
        remedy,
    )


def _read(reply: Reply) -> calls.Reading:
    text = reply.text.strip()
    return calls.Reading(text, [] if text else ["The answer is empty."])
