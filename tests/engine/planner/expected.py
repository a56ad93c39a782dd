"""What each goal gives on the demo data, computed from the tables by plain Python."""

from datetime import date, timedelta

from pilot.plugins.tables.books import read

G8_COLUMNS = ["Task", "Owner", "Priority", "Start date", "End date", "Status"]


def table(folder, name, tab):
    path = folder / "tables" / name
    header, *rows = read(path, path.read_bytes()).tabs[tab]
    return [dict(zip(header, row, strict=False)) for row in rows]


def g8(folder, today):
    """Tasks, Critical or High, that end in the next three full days; soonest first."""
    until = [(today + timedelta(days=n)).isoformat() for n in (1, 2, 3)]
    rows = [
        row
        for row in table(folder, "Gantt.xlsx", "Project plan")
        if row["Task"] and row["Priority"] in {"Critical", "High"} and row["End date"] in until
    ]
    return [row["Task"] for row in sorted(rows, key=lambda row: row["End date"])]


def g10(folder):
    """Clients of leads in stage 4, in the order of the sheet."""
    rows = table(folder, "Leads.xlsx", "Leads")
    return [(row["Client"], row["Company"]) for row in rows if str(row["Stage"]).strip() == "4"]


def g4(folder, today):
    """Active contracts that end within ten days."""
    found = set()
    for row in table(folder, "contracts.csv", "contracts"):
        day = [int(part) for part in row["End date"].split("/") if part]
        end = date(*reversed(day)) if day else None
        if end and row["Status"] == "Active" and today <= end <= today + timedelta(days=10):
            found.add(row["Contract"])
    return found
