"""What tables are made of, and how large a file of them may be."""

MAX_FILE_BYTES = 50_000_000

Cell = str | int | float | bool | None
Rows = list[list[Cell]]
