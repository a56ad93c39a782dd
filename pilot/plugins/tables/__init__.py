"""Tables in CSV and XLSX files of the owner's private folder."""

from pilot.plugins import Category, Plugin

plugin = Plugin(
    name="tables",
    version="1.0",
    title="Tables",
    category=Category.DATA,
    summary="Reads and writes tables in CSV and XLSX files.",
)
