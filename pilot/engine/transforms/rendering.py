"""Operations that write text: render_table, render_text."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictStr

from pilot.engine.expressions.texts import as_text
from pilot.engine.transforms.amounts import number_of
from pilot.engine.transforms.dating import check_pattern, show_date
from pilot.engine.transforms.fields import Column, Config, MarkupTemplate, RowMarkup, TemplateText
from pilot.engine.transforms.incoming import Row
from pilot.engine.transforms.markup import WRITERS, Align, Grid, html_text, markdown_text
from pilot.engine.transforms.registry import Run, operation
from pilot.engine.transforms.rowwise import compute
from pilot.engine.transforms.shapes import RENDERED
from pilot.engine.transforms.styles import is_date_pattern, number_style
from pilot.errors import type_json

NO_ROWS = "No rows."
_EMPTY: dict[str, Callable[[str], str]] = {
    "html": lambda text: f"<p>{html_text(text)}</p>",
    "markdown": markdown_text,
}


def _check_format(text: str) -> str:
    if is_date_pattern(text):
        check_pattern(text, whole=False)
    else:
        number_style(text)
    return text


class ColumnStyle(Config):
    """One column and how it looks."""

    field: Column = Field(description="The field.")
    label: StrictStr | None = Field(None, description="Header; by default the field's name.")
    format: Annotated[StrictStr, AfterValidator(_check_format)] | None = Field(
        None, description="An example for numbers, such as 1,234.56, or a date as DD.MM.YYYY."
    )
    align: Align | None = Field(None, description="By default numbers stand right, texts left.")


class RenderTable(Config):
    """What the table shows, and how."""

    columns: list[Column | ColumnStyle] | None = Field(
        None, min_length=1, description="Names, or fields with label, format, align; default all."
    )
    format: Literal["html", "markdown", "csv", "text"] = Field("html", description="The format.")
    empty: TemplateText | None = Field(
        None, description=f"Text when there are no rows; {NO_ROWS!r} by default. A template."
    )
    title: TemplateText | None = Field(None, description="Above the table; a template.")

    def styles(self, rows: list[Row]) -> list[ColumnStyle]:
        """Return the columns to show, with their looks."""
        columns = self.columns or [Column(name) for name in (rows[0] if rows else ())]
        return [
            one if isinstance(one, ColumnStyle) else ColumnStyle.model_construct(field=one)
            for one in columns
        ]


@operation(RenderTable, need="rows", shape=RENDERED)
def render_table(rows: list[Row], config: RenderTable, run: Run) -> Row:
    """Writes rows as a table: {text, rows}, the text and the number of rows in it.

    Every cell is escaped, so that no value becomes markup or a formula. Null is a blank cell; a
    list of plain values is shown with commas. Without rows the text is that of `empty`.
    """
    styles = config.styles(rows)
    header = [style.field if style.label is None else style.label for style in styles]
    if not rows:
        return {"text": _without_rows(header, config, run), "rows": 0}
    columns = [_column(rows, style, run) for style in styles]
    title = "" if config.title is None else str(run.value(config.title))
    aligns = [style.align or _align([row[style.field] for row in rows]) for style in styles]
    grid = Grid(title, header, aligns, list(zip(*columns, strict=True)))
    return {"text": WRITERS[config.format](grid), "rows": len(rows)}


def _without_rows(header: list[str], config: RenderTable, run: Run) -> str:
    if config.empty is None and config.format == "csv":
        return WRITERS["csv"](Grid("", header, ["left"] * len(header), [])) if header else ""
    text = NO_ROWS if config.empty is None else str(run.value(config.empty))
    return _EMPTY.get(config.format, str)(text)


def _column(rows: list[Row], style: ColumnStyle, run: Run) -> list[str]:
    """Return the cells of a column; a value that its format does not fit stays as it is."""
    show = _shower(style, run)
    cells, unfit = [], 0
    for row in rows:
        value = row[style.field]
        shown = show(value) if value is not None and value != "" else ""
        unfit += shown is None
        cells.append(cell_text(value) if shown is None else shown)
    if unfit:
        run.note(
            f"{unfit} values of {style.field} do not fit {style.format!r} and stay as they are."
        )
    return cells


def _shower(style: ColumnStyle, run: Run) -> Callable[[type_json], str | None]:
    if style.format is None:
        return cell_text
    if is_date_pattern(style.format):
        pattern = style.format
        return lambda value: show_date(value, pattern, run.scope)
    number = number_style(style.format)

    def show(value: type_json) -> str | None:
        found = number_of(value)
        return None if found is None else number.show(found)

    return show


def cell_text(value: type_json) -> str:
    """Return a value as it stands in a table."""
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return ", ".join(map(as_text, value))
    return as_text(value)


def _align(values: list[type_json]) -> Align:
    present = [value for value in values if value is not None and value != ""]
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in present)
    return "right" if present and numbers else "left"


class RenderText(Config):
    """What is written for each element, and around all."""

    format: Literal["text", "html"] = Field(
        "text", description="In html the values put into the templates are escaped."
    )
    template: RowMarkup = Field(description="Template for each element, over `item` and `index`.")
    separator: StrictStr = Field("\n", description="Between two elements.")
    header: MarkupTemplate | None = Field(None, description="Before the first; a template.")
    footer: MarkupTemplate | None = Field(None, description="After the last; a template.")
    empty: MarkupTemplate | None = Field(
        None, description="The whole text when there are no elements; blank by default. A template."
    )


@operation(RenderText, need="list", shape=RENDERED)
def render_text(values: list[type_json], config: RenderText, run: Run) -> Row:
    """Writes each element by a template: {text, rows}, the text and the number of elements."""
    if not values:
        empty = "" if config.empty is None else _text(run.value(config.empty), config)
        return {"text": empty, "rows": 0}
    written = [_text(one, config) for one in compute(run, config.template, values)]
    parts = [config.separator.join(written)]
    if config.header is not None:
        parts.insert(0, _text(run.value(config.header), config))
    if config.footer is not None:
        parts.append(_text(run.value(config.footer), config))
    return {"text": "\n".join(parts), "rows": len(values)}


def _text(value: type_json, config: RenderText) -> str:
    """Return what a template gave as text; the template itself escapes texts, not other values."""
    if isinstance(value, str):
        return value
    return html_text(cell_text(value)) if config.format == "html" else cell_text(value)
