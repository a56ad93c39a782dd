"""The catalogue of models: which can be asked, what they cost at a moment, and who changed that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pilot import audit
from pilot.audit import Actor, Event
from pilot.db import transaction
from pilot.engine.providers import provider_keys
from pilot.errors import ConfigError, InvalidError, Issue, NotFoundError
from pilot.llm import messages, prices, shipped
from pilot.models.model import Model
from pilot.models.price import Price
from pilot.models.provider import Provider

SHIPPED = "shipped"  # author of the prices that Pilot brings along
KEYLESS = "keyless"  # flag of a provider that asks for no key, such as a server of one's own


@dataclass(frozen=True)
class Entry:
    """One model with its provider and its prices, as of one moment."""

    model: Model
    provider: Provider
    price: Price | None  # in force; None: unpriced, which is not free
    next_price: Price | None  # the next one that is known
    today: date

    @property
    def id(self) -> str:
        """As people choose it."""
        return self.model.id

    @property
    def retired(self) -> bool:
        """Whether the provider answers it no more."""
        return self.model.retired_on is not None and self.model.retired_on <= self.today

    @property
    def has_key(self) -> bool:
        """Whether its provider can be asked."""
        return self.provider.key_set_at is not None or bool(self.provider.flags.get(KEYLESS))

    @cached_property
    def rates(self) -> messages.Price | None:
        """Its price as costs are counted with it; None: unpriced."""
        return None if self.price is None else _price(self.price)

    @property
    def skipped(self) -> tuple[str, str] | None:
        """Why it is not asked: a code and a sentence; None if it is."""
        label = self.provider.label
        if not self.model.enabled:
            return "disabled", f"{self.model.label} is switched off."
        if not self.provider.enabled:
            return "provider_off", f"{label} is switched off."
        if not self.has_key:
            return "no_key", f"{label} has no key."
        if self.retired:
            instead = self.model.replaced_by
            text = f"{self.model.label} was retired on {self.model.retired_on}"
            return "retired", f"{text}; use {instead}." if instead else f"{text}."
        return None


@dataclass(frozen=True)
class Skipped:
    """An id that is passed over, and why."""

    model_id: str
    code: str  # unknown, disabled, provider_off, no_key, bad_key, retired
    reason: str


@dataclass(frozen=True)
class Baseline:
    """A model whose price of today is copied to compare with."""

    model_id: str
    price: messages.Price


@dataclass(frozen=True)
class Chain:
    """The models to ask, in order, and those that are passed over."""

    models: list[messages.Model]
    skipped: list[Skipped] = field(default_factory=list)
    baseline: Baseline | None = None

    @property
    def why_none(self) -> str:
        """Say why no model can be asked, and what to do."""
        told = "".join(f" {one.model_id}: {one.reason}" for one in self.skipped)
        return f"No model can be asked.{told} See System config, Workflow Pilot."

    def of(self, model_id: str) -> messages.Model | None:
        """Return the model with this id."""
        return next((one for one in self.models if one.id == model_id), None)


@dataclass(frozen=True)
class Initialised:
    """How many rows were new."""

    providers: int
    models: int
    prices: int


def initialise(session: Session) -> Initialised:
    """Write what Pilot brings along and the database does not have; rows that are there stay.

    A model that an administrator has priced gets no more prices of ours.
    """
    ours = shipped.load()
    providers = [one.model_dump() | {"flags": {}} for one in ours.provider]
    added = session.scalars(
        insert(Provider).values(providers).on_conflict_do_nothing().returning(Provider.name)
    ).all()
    known = {row.id: row for row in session.scalars(select(Model))}
    for one in ours.model:
        if one.id not in known:
            session.add(Model(**one.model_dump(exclude={"price"}), enabled=True))
        elif known[one.id].retired_on is None:  # the one thing about a model that becomes known
            known[one.id].retired_on = one.retired_on
            known[one.id].replaced_by = known[one.id].replaced_by or one.replaced_by
    session.flush()
    own = set(session.scalars(select(Price.model_id).where(Price.author != SHIPPED)))
    rows = [
        each.numbers
        | {"model_id": one.id, "valid_from": datetime.combine(each.valid_from, time.min, UTC)}
        for one in ours.model
        if one.id not in own
        for each in one.price
    ]
    facts = {"source": ours.source, "checked_on": ours.checked_on, "author": SHIPPED}
    priced = 0
    for row in rows:
        statement = insert(Price).values(row | facts).on_conflict_do_nothing()
        priced += len(session.scalars(statement.returning(Price.id)).all())
    return Initialised(len(added), sum(one.id not in known for one in ours.model), priced)


def entries(session: Session, at: datetime | None = None) -> dict[str, Entry]:
    """Return all models by id, cheapest first, as of now or another moment."""
    moment = at or now(session)
    current: dict[str, Price] = {}
    coming: dict[str, Price] = {}
    for row in session.scalars(select(Price).order_by(Price.valid_from)):
        if row.valid_from <= moment:
            current[row.model_id] = row
        else:
            coming.setdefault(row.model_id, row)
    query = select(Model, Provider).join(Provider, Provider.name == Model.provider)
    found = [
        Entry(model, provider, current.get(model.id), coming.get(model.id), moment.date())
        for model, provider in session.execute(query)
    ]
    return {one.id: one for one in sorted(found, key=_by_cost)}


def provider(session: Session, name: str) -> Provider:
    """Return one provider; its key stays where it is.

    Raises:
        NotFoundError: there is no such provider.
    """
    row = session.get(Provider, name)
    if row is None:
        raise NotFoundError(f"There is no provider {name!r}; /prices lists them.")
    return row


def price_at(session: Session, model_id: str, at: datetime | None = None) -> messages.Price | None:
    """Return the price of a model at a moment (now); None: it had none.

    Raises:
        NotFoundError: there is no such model.
    """
    if session.get(Model, model_id) is None:
        raise _unknown(model_id)
    query = (
        select(Price)
        .where(Price.model_id == model_id, Price.valid_from <= (at or func.pilot_now()))
        .order_by(Price.valid_from.desc())
        .limit(1)
    )
    row = session.scalar(query)
    return None if row is None else _price(row)


def history(session: Session, model_id: str) -> list[Price]:
    """Return all prices of a model, the newest date first.

    Raises:
        NotFoundError: there is no such model.
    """
    if session.get(Model, model_id) is None:
        raise _unknown(model_id)
    query = select(Price).where(Price.model_id == model_id).order_by(Price.valid_from.desc())
    return list(session.scalars(query))


@dataclass(frozen=True)
class NewPrice:
    """What somebody says that a model costs, from a moment on."""

    numbers: Mapping[str, Any]  # USD per million tokens, see `pilot.llm.prices.FIELDS`
    source: str  # where they are from
    valid_from: datetime | None = None  # aware; None: now
    checked_on: date | None = None  # when they were looked up; None: today
    free: bool = False  # the model costs nothing; the only way to say 0


def add_price(model_id: str, new: NewPrice, *, by: Actor) -> UUID:
    """Add a price of a model; what was called before keeps its own.

    Raises:
        InvalidError: a number is missing, zero or negative, dates overlap, the source is missing.
        NotFoundError: there is no such model.
    """
    numbers = prices.read(new.numbers, free=new.free)
    with transaction("prices.add", by.user_id) as session:
        # One writer for each model, so that two that save at once see each other's date.
        if session.get(Model, model_id, with_for_update=True) is None:
            raise _unknown(model_id)
        begins, checked = check_price(session, model_id, new)
        before = price_at(session, model_id)
        row = Price(
            model_id=model_id,
            valid_from=begins,
            **numbers,
            source=new.source.strip(),
            checked_on=checked,
            author=by.name,
        )
        session.add(row)
        session.flush()
        details = {
            "price_id": str(row.id),
            "valid_from": begins.isoformat(),
            "before": None if before is None else _told(vars(before)),
            "after": _told(numbers),
            "source": row.source,
        }
        audit.record(
            session, Event.PRICE_ADDED, actor=by, about=("model", model_id), details=details
        )
        return row.id


def check_price(session: Session, model_id: str, new: NewPrice) -> tuple[datetime, date]:
    """Return from when a price would count and when it was looked up, if it could be added.

    Raises:
        InvalidError: dates overlap, the source is missing.
        NotFoundError: there is no such model.
    """
    if session.get(Model, model_id) is None:
        raise _unknown(model_id)
    moment = now(session)
    begins, checked = new.valid_from or moment, new.checked_on or moment.date()
    _check_facts(begins, new.source, checked, moment.date())
    dates = session.scalars(select(Price.valid_from).where(Price.model_id == model_id)).all()
    prices.refuse_overlap(begins, dates, moment)
    return begins, checked


def set_enabled(model_id: str, enabled: bool, *, by: Actor) -> None:  # noqa: FBT001 -- the value
    """Switch a model on or off; one that is off is passed over in every chain.

    Raises:
        NotFoundError: there is no such model.
    """
    with transaction("models.set_enabled", by.user_id) as session:
        row = session.get(Model, model_id, with_for_update=True)
        if row is None:
            raise _unknown(model_id)
        if row.enabled != enabled:
            details = {"before": {"enabled": row.enabled}, "after": {"enabled": enabled}}
            row.enabled = enabled
            about = ("model", model_id)
            audit.record(session, Event.MODEL_CHANGED, actor=by, about=about, details=details)


def chain(session: Session, ids: Iterable[str], baseline_id: str | None = None) -> Chain:
    """Return the models of these ids that can be asked, with price and key, in this order.

    What cannot be asked is passed over with its reason: nothing else stands for it. The price of
    the baseline, if it has one, is what savings are counted against.
    """
    known = entries(session)
    compared = known.get(baseline_id or "")
    baseline = None
    if compared is not None and compared.price is not None:
        baseline = Baseline(compared.id, _price(compared.price))
    result = Chain([], [], baseline)
    for model_id in dict.fromkeys(ids):
        entry = known.get(model_id)
        why = ("unknown", f"There is no model {model_id!r}.") if entry is None else entry.skipped
        if entry is not None and why is None:
            try:
                result.models.append(_askable(session, entry, known.values()))
            except ConfigError as error:
                why = ("bad_key", error.message)
        if why is not None:
            result.skipped.append(Skipped(model_id, *why))
    return result


def chosen(values: Mapping[str, Any]) -> list[str]:
    """Return the ids that the settings choose, the primary model first."""
    ids = [values["orchestrator_primary_model"]]
    if values["orchestrator_enable_fallback"]:
        ids += [values["orchestrator_fallback_model"], *values["orchestrator_further_models"]]
    return list(dict.fromkeys(ids))


def now(session: Session) -> datetime:
    """Return the moment of the product's one clock."""
    moment: datetime = session.execute(select(func.pilot_now())).scalar_one()
    return moment


def _askable(session: Session, entry: Entry, known: Iterable[Entry]) -> messages.Model:
    model, provider = entry.model, entry.provider
    # Of a name that several providers offer its own one counts, else the dearest.
    own_last = sorted(known, key=lambda one: one.provider.name == provider.name)
    others = {one.model.name: one.rates for one in own_last if one.rates is not None}
    others.pop(model.name, None)
    return messages.Model(
        model.id,
        provider.adapter,
        model.name,
        None if entry.price is None else _price(entry.price),
        provider_keys.connection(session, provider.name),
        offered_by=provider.name,
        tier=model.tier,
        window=model.window,
        max_output=model.max_output,
        flags=model.flags,
        others=others,
    )


def _price(row: Price) -> messages.Price:
    return prices.price({name: getattr(row, name) for name in prices.FIELDS}, row.id)


def _by_cost(entry: Entry) -> tuple[bool, Any, Any, str]:
    if entry.price is None:
        return (True, 0, 0, entry.id)
    return (False, entry.price.input, entry.price.output, entry.id)


def _check_facts(begins: datetime, source: str, checked: date, today: date) -> None:
    issues = []
    if begins.tzinfo is None:
        text = "The moment needs its zone, such as 2027-01-01T00:00Z."
        issues.append(Issue("price_date", "/valid_from", text, "an aware moment"))
    if not 0 < len(source.strip()) <= 200:
        text = "Say where the numbers are from, in at most 200 characters."
        issues.append(Issue("price_source", "/source", text, "a text"))
    if checked > today:
        text = "The numbers cannot have been looked up in the future."
        issues.append(Issue("price_date", "/checked_on", text, f"at most {today}"))
    if issues:
        raise InvalidError(issues)


def _told(numbers: Mapping[str, Any]) -> dict[str, str]:
    names: Sequence[str] = prices.FIELDS
    return {name: str(numbers[name]) for name in names if numbers.get(name) is not None}


def _unknown(model_id: str) -> NotFoundError:
    return NotFoundError(f"There is no model {model_id!r}: pilot prices list names them.")
