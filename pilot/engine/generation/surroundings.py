"""What a goal is read against: the owner's actions and tables, the day, who "me" is."""

from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from pilot import db, settings
from pilot.engine import folders
from pilot.engine.language import catalogue
from pilot.engine.language.catalogue import Catalogue
from pilot.engine.language.effects_rule import EffectsRule
from pilot.engine.secrets import connections
from pilot.models.user import User
from pilot.plugins.tables.sampling import sample


def known_actions(data: Path, owner_id: UUID) -> Catalogue:
    """Return the catalogue with samples of the owner's tables, their connections, the settings."""
    with db.reading(owner_id) as session:
        labels = connections.labels(session, owner_id)
        values, _ = settings.snapshot(session)
    known = catalogue.load().with_samples(sample(folders.private(data, owner_id)))
    return known.with_connections(labels).with_effects_rule(EffectsRule.of(values))


def facts(owner: User) -> dict[str, str]:
    """Return what is so today, for the owner."""
    zone = owner.zone or "UTC"
    today = db.now().astimezone(ZoneInfo(zone)).date().isoformat()
    return {"today": f"{today} ({zone})", "me": owner.email}
