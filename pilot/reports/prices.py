"""Models with what they cost today, and what a new price would have changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from pilot.llm.messages import Usage
from pilot.llm.prices import price
from pilot.reports.listing import Listed, Sort, Source, Wanted, fetch
from pilot.reports.spending import ago

SORTS = {
    # What is used without a price comes first: its cost is unknown.
    "attention": Sort(
        "(CASE WHEN c.id IS NULL AND u.calls > 0 THEN '0' ELSE '1' END"
        " || lower(p.label) || ' ' || lower(m.label))",
        "text",
    ),
    "model": Sort("lower(m.label)", "text"),
    "input": Sort("coalesce(c.input, -1)", "numeric"),
    "output": Sort("coalesce(c.output, -1)", "numeric"),
    "valid": Sort("coalesce(c.valid_from, '-infinity')", "timestamptz"),
    "used": Sort("u.calls", "int8"),
}
SOURCE = Source(
    columns="""m.id, m.label, m.tier, m.enabled, m.retired_on, m.replaced_by,
      coalesce(m.retired_on <= pilot_now()::date, false) AS retired,
      p.name AS provider, p.label AS provider_label, p.enabled AS provider_enabled,
      c.input, c.cache_read, c.cache_write, c.cache_write_long, c.output,
      c.long_from, c.long_input, c.long_output, c.valid_from, c.source, c.checked_on,
      c.checked_on < pilot_now()::date - 60 AS old, n.next_from,
      u.calls AS used_calls, u.cost AS used_cost, u.unpriced AS used_unpriced""",
    tables=f"""model m JOIN provider p ON p.name = m.provider
      LEFT JOIN LATERAL (SELECT * FROM price x WHERE x.model_id = m.id
          AND x.valid_from <= pilot_now() ORDER BY x.valid_from DESC LIMIT 1) c ON true
      LEFT JOIN LATERAL (SELECT min(x.valid_from) AS next_from FROM price x
          WHERE x.model_id = m.id AND x.valid_from > pilot_now()) n ON true
      LEFT JOIN (SELECT k.model_asked, count(*) AS calls, sum(k.cost) AS cost,
            count(*) FILTER (WHERE k.cost IS NULL) AS unpriced
          FROM call k WHERE k.state <> 'reserved' AND k.provider <> 'scripted' AND k.at > {ago(30)}
          GROUP BY k.model_asked) w ON w.model_asked = m.id
      CROSS JOIN LATERAL (SELECT coalesce(w.calls, 0) AS calls, coalesce(w.cost, 0) AS cost,
            coalesce(w.unpriced, 0) AS unpriced) u""",  # noqa: S608 -- constants
    id="m.id",
    id_type="text",
    sorts=SORTS,
)
STATES = {
    "unpriced": "c.id IS NULL",
    "old": "c.checked_on < pilot_now()::date - 60",
    "retired": "m.retired_on IS NOT NULL",
    "off": "NOT m.enabled OR NOT p.enabled",
}
SUMS = text(f"""
SELECT long, kind, count(*) AS calls, coalesce(sum(cost), 0) AS cost,
       sum(input_tokens)::bigint AS input, sum(cache_read_tokens)::bigint AS cache_read,
       sum(cache_write_tokens)::bigint AS cache_write,
       sum(cache_write_long_tokens)::bigint AS cache_write_long,
       sum(output_tokens)::bigint AS output, sum(reasoning_tokens)::bigint AS reasoning
  FROM (SELECT k.*, input_tokens + cache_read_tokens + cache_write_tokens
               + cache_write_long_tokens > coalesce(cast(:long_from AS bigint), 1e12) AS long,
               CASE WHEN cost IS NULL THEN 'unpriced'
                    WHEN cast(flags AS jsonb) @> '["cost_estimated"]' THEN 'estimated'
                    ELSE 'counted' END AS kind
          FROM call k WHERE k.model_asked = :model AND k.state <> 'reserved'
           AND k.provider <> 'scripted' AND k.at > {ago(30)}) one
 GROUP BY long, kind
""")  # noqa: S608 -- constants


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to."""

    q: str = ""  # part of a label or id
    provider: str = ""
    state: str = ""  # one of STATES


@dataclass(frozen=True)
class Compared:
    """What calls cost, and would have cost at another price."""

    calls: int = 0
    cost: Decimal = Decimal(0)
    then: Decimal = Decimal(0)


@dataclass(frozen=True)
class Effect:
    """What a price would have changed for the calls of the last 30 days."""

    counted: Compared  # of known tokens and price
    estimated: Compared  # at their worst, as nobody knows what they took: no price changes that
    unpriced: Compared  # cost nothing that is known


def listed(session: Session, filters: Filters, wanted: Wanted) -> Listed:
    """Return one page of models with their prices of today."""
    conditions, values = [], dict[str, Any]()
    if filters.q:
        conditions.append("strpos(lower(m.label || ' ' || m.id), lower(:q)) > 0")
        values["q"] = filters.q
    if filters.provider:
        conditions.append("m.provider = :provider")
        values["provider"] = filters.provider
    if filters.state:
        conditions.append(STATES[filters.state])
    return fetch(session, SOURCE, conditions, values, wanted)


def people(session: Session) -> dict[str, str]:
    """Return the names of who added prices, by the author that a price keeps."""
    query = text(
        "SELECT DISTINCT x.author, u.name FROM price x"
        " JOIN app_user u ON 'user:' || u.id = x.author"
    )
    return {row.author: row.name for row in session.execute(query)}


def effect(session: Session, model_id: str, numbers: Mapping[str, Any]) -> Effect:
    """Return what checked numbers of a price would have changed; nothing is booked again."""
    new = price(numbers)
    found = dict.fromkeys(("counted", "estimated", "unpriced"), Compared())
    given = {"model": model_id, "long_from": numbers.get("long_from")}
    for row in session.execute(SUMS, given):
        rates = new.long if row.long and new.long is not None else new
        usage = Usage(
            row.input,
            row.cache_read,
            row.cache_write,
            row.cache_write_long,
            row.output,
            row.reasoning,
        )
        # The rates are chosen already: sums of many calls are longer than any one of them.
        then = replace(rates, long_from=None, long=None).cost(usage)
        one = found[row.kind]
        found[row.kind] = Compared(one.calls + row.calls, one.cost + row.cost, one.then + then)
    return Effect(**found)
