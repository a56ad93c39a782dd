"""The shared set of attack inputs, by category."""

from pathlib import Path
from typing import Any

from tests.written import read

FILE = Path(__file__).parents[2] / "data/attacks.yaml"
ALL: list[dict[str, Any]] = read(FILE)["cases"]


def literals(category: str) -> dict[str, Any]:
    """Return the inputs of a category that are sent as they are, by id."""
    return {
        one["id"]: _joined(one)
        for one in ALL
        if one["category"] == category and one["kind"] != "scenario"
    }


def _joined(case: dict[str, Any]) -> Any:
    given = case["input"]
    return "".join(text * count for text, count in given) if case["kind"] == "repeat" else given
