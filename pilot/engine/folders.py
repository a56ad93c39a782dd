"""Where an owner's private files lie: tables, mail and what actions store."""

from pathlib import Path
from uuid import UUID


def private(data: Path, owner_id: UUID) -> Path:
    """Return the private folder of an owner below the data folder; it may not exist yet."""
    return data / "users" / str(owner_id)
