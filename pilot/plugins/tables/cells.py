"""What tables are made of, and how large a file of them may be."""

MAX_FILE_BYTES = 50_000_000
MAX_CSV_CHARACTERS = 131_072  # of a cell: what the reader of CSV takes
MAX_XLSX_CHARACTERS = 32_767  # of a cell, by the file format, counted in UTF-16

Cell = str | int | float | bool | None
Rows = list[list[Cell]]
