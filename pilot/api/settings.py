"""Settings and prices, read only: a change is made by a signed-in administrator."""

from typing import Any

from flask import Blueprint
from pydantic import BaseModel

from pilot import settings
from pilot.api import operation
from pilot.engine.people.api_tokens import Scope
from pilot.engine.providers import model_catalogue
from pilot.settings import SETTINGS
from pilot.views import reading

bp = Blueprint("api_settings", __name__)


class Settings(BaseModel):
    """All settings as of one version."""

    version: int
    items: list[dict[str, Any]]


class Models(BaseModel):
    """All models with their prices of today, USD per million tokens; null: unpriced."""

    items: list[dict[str, Any]]


@operation(bp, "/settings", scope=Scope.SETTINGS_READ, gives=Settings)
def index() -> dict[str, Any]:
    """List every setting with its value, default and bounds."""
    with reading() as session:
        values, version = settings.snapshot(session)
    items = [
        {"key": key, "group": one.group, "value": values[key], "default": one.default}
        | {"label": one.label, "bounds": one.bounds, "help": one.help}
        for key, one in SETTINGS.items()
    ]
    return {"version": version, "items": items}


@operation(bp, "/prices", scope=Scope.SETTINGS_READ, gives=Models)
def prices() -> dict[str, Any]:
    """List the models with their prices of today; keys are never told."""
    with reading() as session:
        known = model_catalogue.entries(session).values()
        return {
            "items": [
                {
                    "id": one.id,
                    "provider": one.provider.name,
                    "tier": one.model.tier,
                    "enabled": one.model.enabled,
                    "skipped": one.skipped[1] if one.skipped else None,
                    "input": None if one.price is None else one.price.input,
                    "output": None if one.price is None else one.price.output,
                    "valid_from": None if one.price is None else one.price.valid_from,
                }
                for one in known
            ]
        }
