"""Compiles operations once, checks them against what is known, and runs them on data."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from pilot.engine.expressions import Scope
from pilot.engine.transforms.checks import column_issues, need_issue
from pilot.engine.transforms.config_issues import config_issues, operation_issues
from pilot.engine.transforms.fields import ROW_ROOTS, Config, Once, PerRow, walk
from pilot.engine.transforms.incoming import receive, require
from pilot.engine.transforms.registry import OPERATIONS, Need, Operation, Run
from pilot.engine.transforms.shapes import UNKNOWN, Shape
from pilot.errors import InvalidError, Issue, type_json

Path = tuple[str | int, ...]

MAX_ISSUES = 50  # of one transform: more than these are not looked for


@dataclass(frozen=True)
class Transformed:
    """What a pipeline gives, and what a person should know about it."""

    value: type_json
    notes: list[str]


@dataclass(frozen=True)
class Stage:
    """One operation with its configuration."""

    operation: Operation
    config: Config

    @cached_property
    def need(self) -> Need:
        """What it takes; where its expressions read fields of rows, objects."""
        need = self.operation.need(self.config)
        reads_fields = any(
            isinstance(used, PerRow) and used.columns() for _, used in walk(self.config)
        )
        return "rows" if need == "list" and reads_fields else need


@dataclass(frozen=True)
class Pipeline:
    """Operations in order, compiled; usable for many inputs and by many threads."""

    stages: tuple[Stage, ...]
    reads: frozenset[Path]

    @property
    def writes_html(self) -> bool:
        """Say whether `text` of the output is HTML in which every value is escaped."""
        last = self.stages[-1]
        rendered = last.operation.name in {"render_table", "render_text"}
        return rendered and getattr(last.config, "format", None) == "html"

    def run(self, value: type_json, scope: Scope) -> Transformed:
        """Return what the operations make of a value, which itself is not changed.

        Raises:
            StepError: class input, reference, expression or limit; it names operation and row.
        """
        notes: list[str] = []
        for stage in self.stages:
            run = Run(stage.operation.name, scope, notes)
            need = stage.need
            received = receive(value, need, run)
            if need == "rows":
                require(received, stage.config.required_columns(), run)
            value = stage.operation.run(received, stage.config, run)
        return Transformed(value, notes)

    def shape(self, shape: Shape = UNKNOWN) -> Shape:
        """Return what is known of the output, given what is known of the input."""
        for stage in self.stages:
            shape = stage.operation.shape(shape, stage.config)
        return shape

    def columns(self, columns: list[str] | None) -> list[str] | None:
        """Return the columns of the output, given those of the input; None: not known, or none."""
        found = self.shape(_shape_of(columns))
        return list(found.columns) if found.kind == "rows" and found.columns is not None else None

    def check(self, columns: list[str] | None, shape: Shape | None = None) -> list[Issue]:
        """Return what is wrong, given the columns of the input, or all that is known of it.

        Paths begin with the number of the operation: /0/config/condition.
        """
        known = shape or _shape_of(columns)
        issues: list[Issue] = []
        for number, stage in enumerate(self.stages):
            problem = need_issue(stage.operation.name, stage.need, known, number)
            if problem is not None:
                return [*issues, problem]
            issues += column_issues(stage.operation.name, stage.config, known, number)
            known = stage.operation.shape(known, stage.config)
        return issues


def compile_operations(operations: list[dict[str, Any]]) -> Pipeline:
    """Return a pipeline of operations: [{"operation": "limit", "config": {"count": 5}}, ..].

    Raises:
        InvalidError: every issue, with paths such as /0/config/count.
    """
    issues: list[Issue] = []
    stages: list[Stage] = []
    for number, written in enumerate(operations):
        problems = operation_issues(written, number)
        issues += problems
        if len(issues) >= MAX_ISSUES:
            break
        if problems:
            continue
        known = OPERATIONS[written["operation"]]
        config = written.get("config", {})
        try:
            stages.append(Stage(known, known.config.model_validate(config)))
        except ValidationError as error:
            issues += config_issues(error, known.config, config, number)
    if not operations:
        issues.append(Issue("E_SCHEMA", "", "A transform needs at least one operation."))
    if issues:
        raise InvalidError(issues)
    return Pipeline(tuple(stages), frozenset().union(*map(_reads, stages)))


def _reads(stage: Stage) -> frozenset[Path]:
    """Return what a stage reads of the scope; a row's own fields are none of it."""
    found: set[Path] = set()
    for _, used in walk(stage.config):
        if isinstance(used, Once):
            found |= used.compiled.reads
        elif isinstance(used, PerRow):
            found |= {path for path in used.compiled.reads if path[0] not in ROW_ROOTS}
    return frozenset(found)


def _shape_of(columns: list[str] | None) -> Shape:
    return UNKNOWN if columns is None else Shape("rows", tuple(columns))
