"""Cases that are written as YAML."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def read(path: Path) -> Any:
    """Return what a file holds, read once; without libyaml all of them take seconds."""
    return yaml.load(path.read_text(), yaml.CSafeLoader)
