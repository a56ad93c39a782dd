"""All functions of the language by name."""

from collections.abc import Mapping

from pilot.engine.expressions import dates, general, lists, numbers, texts
from pilot.engine.expressions.function import Function

FUNCTIONS: Mapping[str, Function] = (
    general.TABLE | texts.TABLE | numbers.TABLE | lists.TABLE | dates.TABLE
)
