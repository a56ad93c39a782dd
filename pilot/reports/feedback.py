"""What people think of drafted workflows: thumbs by generator, and the newest reasons."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

NEWEST = 10
BY_GENERATOR = text("""
SELECT generator, count(*) FILTER (WHERE thumb = 'up') AS up,
       count(*) FILTER (WHERE thumb = 'down') AS down
  FROM generation
 WHERE created_at > pilot_now() - interval '30 days' AND thumb IS NOT NULL
 GROUP BY generator ORDER BY count(*) DESC, generator
""")
REASONS = text("""
SELECT id, owner_id, goal, generator, thumb, thumb_reason AS reason, thumb_at AS at
  FROM generation
 WHERE created_at > pilot_now() - interval '30 days' AND thumb IS NOT NULL AND thumb_reason <> ''
 ORDER BY thumb_at DESC, id LIMIT :most
""")


@dataclass(frozen=True)
class Thumbs:
    """How many workflows of a generator somebody liked, and how many not."""

    generator: str
    up: int
    down: int

    @property
    def all(self) -> int:
        """How many were judged."""
        return self.up + self.down


@dataclass(frozen=True)
class Feedback:
    """Thumbs of the generations of 30 days."""

    generators: list[Thumbs]
    reasons: list[Mapping[str, Any]]

    @property
    def total(self) -> Thumbs:
        """The sums over all generators."""
        up, down = (sum(getattr(one, name) for one in self.generators) for name in ("up", "down"))
        return Thumbs("", up, down)


def feedback(session: Session) -> Feedback:
    """Return what this session may see of it."""
    return Feedback(
        [Thumbs(**row) for row in session.execute(BY_GENERATOR).mappings()],
        [dict(row) for row in session.execute(REASONS, {"most": NEWEST}).mappings()],
    )


def facts(found: Feedback) -> dict[str, Any]:
    """Return what programs read of it; a share is None where nobody judged."""
    total = found.total
    return {
        "up": total.up,
        "down": total.down,
        "share_up": total.up / total.all if total.all else None,
        "generators": [asdict(one) for one in found.generators],
        "reasons": [
            {name: one[name] for name in one if name != "owner_id"} for one in found.reasons
        ],
    }
