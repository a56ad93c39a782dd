"""Two providers at the peer, chosen as primary and fallback model, and a worker that asks them."""

from pilot import db, settings
from pilot.audit import Actor
from pilot.engine.generation import drafts
from pilot.engine.providers import model_catalogue, own_models, provider_keys
from pilot.engine.providers.model_catalogue import NewPrice
from pilot.engine.providers.own_models import NewModel, NewProvider
from tests.patience import until
from tests.peer.answers import PRICES
from tests.peer.fixture import KEY

BY = Actor("cli:admin")
GOAL = "Sum up my last 10 mails and mail the summary to ann@example.com."
FLAGS = {"strict_schema": True, "tools": True}


def flat(*steps, **fields):
    """Return an answer in the flat shape."""
    plain = {"reasoning": "", "name": "Summary", "description": "", "inputs": [], "output": None}
    return plain | {"steps": list(steps), "questions": [], "confidence": 91} | fields


def step(name, kind, params=None, **fields):
    """Return a flat step."""
    none = {"action": None, "parent": None, "needs": [], "when": None, "intent": None}
    pairs = [{"name": key, "value": value} for key, value in (params or {}).items()]
    return {"id": name, "type": kind, "prompt": None} | none | {"params": pairs} | fields


SEARCH = step("search", "action", {"limit": "10"}, action="mail.search")
SUM_UP = step(
    "sum_up",
    "ai_processing",
    {"input": "steps.search.output.messages"},
    prompt="Summarize these mails in five sentences.",
    intent="summarize",
)
TO_ANN = {"to": '["ann@example.com"]', "subject": "Summary", "text": "{{steps.sum_up.output.text}}"}
SEND = step("send", "action", TO_ANN, action="mail.send")
GOOD = flat(SEARCH, SUM_UP, SEND)
FORGETFUL = flat(SEARCH, SUM_UP)  # nothing is sent
WRONG = flat(SEARCH, step("fly", "action", {"where": "far"}, action="rocket.launch"), SEND)


def set_up(peer, primary="openai", fallback="anthropic"):
    """Add a cheap and a strong model at the peer and choose them."""
    for name, form, strength in (("cheap", primary, "fast"), ("strong", fallback, "powerful")):
        url = peer.connection(form)["base_url"]
        own_models.add_provider(NewProvider(f"peer-{name}", name, url, form), by=BY)
        provider_keys.set_key(f"peer-{name}", KEY, by=BY)
        provider_keys.change(f"peer-{name}", {"enabled": True}, by=BY)
        new = NewModel(name, f"peer-{name}", name, name.title(), strength, 200_000, 8_000, FLAGS)
        own_models.add_model(new, by=BY)
        numbers = dict(
            zip(
                ("input", "cache_read", "cache_write", "cache_write_long", "output"),
                PRICES[name],
                strict=False,
            )
        )
        model_catalogue.add_price(name, NewPrice(numbers, "the peer's list"), by=BY)
    choice = {"orchestrator_primary_model": "cheap", "orchestrator_fallback_model": "strong"}
    settings.change_all(choice, by=BY)


def drafted(user, data, goal=GOAL):
    """Draft a goal and return the row once nobody is asked any more."""
    return done(user, drafts.begin(goal, data=data, by=user.actor, user_id=user.id))


def done(user, generation_id):
    """Return the row of a generation once nobody is asked any more."""

    def over():
        with db.reading(user.id) as session:
            row = drafts.load(session, generation_id)
        return row if row.stage == "done" else None

    return until(over)
