"""The registry of operations, and what each may use while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import getdoc
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from pilot.engine.expressions import Scope
from pilot.engine.transforms.fields import Config, Once
from pilot.engine.transforms.shapes import Shape
from pilot.errors import ErrorClass, ExpressionError, StepError, type_json

# What an operation takes: anything, a list, a list of objects, a list of lists.
Need = Literal["any", "list", "rows", "table"]

C = TypeVar("C", bound=Config)


@dataclass
class Run:
    """One operation at work: its name, the scope it reads, the notes it leaves."""

    operation: str
    scope: Scope
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Leave a sentence for the step's page."""
        self.notes.append(f"{self.operation}: {text}")

    def failure(self, message: str, error_class: ErrorClass = ErrorClass.INPUT) -> StepError:
        """Return the error to raise."""
        return StepError(error_class, f"{self.operation}: {message}")

    def value(self, once: Once) -> type_json:
        """Compute a value that is the same for all rows.

        Raises:
            StepError: the expression fails.
        """
        try:
            return once.compiled.evaluate(self.scope)
        except ExpressionError as error:
            raise self.failure(error.message, error.error_class) from error


@dataclass(frozen=True)
class Operation:
    """One kind of change to data; its docstring is its documentation."""

    name: str
    doc: str
    config: type[Config]
    need: Callable[[Any], Need]
    run: Callable[[Any, Any, Run], type_json]
    shape: Callable[[Shape, Any], Shape]

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return self.doc.partition("\n")[0]


_operations: dict[str, Operation] = {}
OPERATIONS: Mapping[str, Operation] = MappingProxyType(_operations)


def operation(
    config: type[C],
    *,
    need: Need | Callable[[C], Need],
    shape: Shape | Callable[[Shape, C], Shape],
) -> Callable[[Callable[[Any, C, Run], type_json]], Callable[[Any, C, Run], type_json]]:
    """Register a function as the operation of its name (a `_` at the end is dropped).

    Args:
        config: model of its configuration; every field has a description.
        need: what it takes; the pipeline checks that before it runs.
        shape: what comes out, given the shape of what goes in.
    """

    def register(run: Callable[[Any, C, Run], type_json]) -> Callable[[Any, C, Run], type_json]:
        name = run.__name__.rstrip("_")
        _operations[name] = Operation(
            name=name,
            doc=getdoc(run) or "",
            config=config,
            need=need if callable(need) else lambda _: need,
            run=run,
            shape=shape if callable(shape) else lambda _, __: shape,
        )
        return run

    return register


def same(shape: Shape, _config: Config) -> Shape:
    """Return the shape unchanged: rows leave as they came."""
    return shape
