"""Operations on two lists as sets: set_difference, set_intersection, set_union."""

from pydantic import Field

from pilot.engine.transforms.fields import Column, Config, Expression, names
from pilot.engine.transforms.incoming import bounded, kind_of, padded, require
from pilot.engine.transforms.keys import Index, key_of
from pilot.engine.transforms.registry import Need, Run, operation, same
from pilot.engine.transforms.shapes import Shape
from pilot.errors import type_json


class Sets(Config):
    """The other list, and how elements are compared."""

    right: Expression = Field(description="The other list: objects, or just their keys.")
    by: Column | list[Column] | None = Field(
        None, description="Fields that are compared; without them, all of the element."
    )


def _rows_if_by(config: Sets) -> Need:
    return "rows" if config.by else "list"


@operation(Sets, need=_rows_if_by, shape=same)
def set_difference(values: list[type_json], config: Sets, run: Run) -> list[type_json]:
    """Keeps the elements that the other list does not have."""
    by, other = names(config.by), Index[None]()
    for key in _right_keys(config, run):
        other.add(key, None)
    return [value for value in values if key_of(value, by) not in other]


@operation(Sets, need=_rows_if_by, shape=same)
def set_intersection(values: list[type_json], config: Sets, run: Run) -> list[type_json]:
    """Keeps the elements that the other list has too."""
    by, other = names(config.by), Index[None]()
    for key in _right_keys(config, run):
        other.add(key, None)
    return [value for value in values if key_of(value, by) in other]


def _united(_shape: Shape, config: Sets) -> Shape:
    return Shape("rows") if config.by else Shape()


@operation(Sets, need=_rows_if_by, shape=_united)
def set_union(values: list[type_json], config: Sets, run: Run) -> list[type_json]:
    """Gives the elements of both lists, each once: of equal ones the first."""
    by, seen = names(config.by), Index[None]()
    right = _right(config, run)
    if by and not all(isinstance(value, dict) for value in right):
        raise run.failure("right must be a list of objects, as the input is.")
    require(right, by, run, "no row of right has")
    united = [value for value in (*values, *right) if len(seen.add(key_of(value, by), None)) == 1]
    return padded(united, run) if by else bounded(united, run)


def _right(config: Sets, run: Run) -> list[type_json]:
    right = run.value(config.right)
    if not isinstance(right, list):
        raise run.failure(f"right must be a list; it is {kind_of(right)}.")
    bounded(right, run)
    return padded(right, run) if all(isinstance(value, dict) for value in right) else right


def _right_keys(config: Sets, run: Run) -> list[type_json]:
    """Return the keys of the other list; without objects in it, its elements are the keys."""
    right, by = _right(config, run), names(config.by)
    found = {isinstance(value, dict) for value in right}
    if len(found) > 1:
        raise run.failure("right mixes objects with other values.")
    if not by or found == {False}:
        if len(by) > 1 and right:
            raise run.failure("right must be a list of objects when `by` has several fields.")
        return right
    require(right, by, run, "no row of right has")
    return [key_of(value, by) for value in right]
