"""Judges what became of a goal: drafted right, asked, refused, or silently wrong."""

from datetime import date
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

from pilot.engine.planner import plan
from pilot.errors import PilotError
from tests.engine.planner import running
from tests.written import read

FOLDER = Path(__file__).parent
OWNER = "owner@example.com"
TODAY = date(2026, 11, 21)
RIGHT, ASKED, REFUSED, WRONG = "right", "asked", "refused", "wrong"


def cases(name):
    """Return the goals of a file, each with what it must give."""
    return read(FOLDER / f"{name}.yaml")


def draft(case, known):
    """Return what the planner makes of a goal."""
    return plan(case["goal"], known, answers={}, zone="Europe/Berlin", owner_email=OWNER)


def judge(case, found, known, demo):
    """Return the verdict on a draft and, where it is not "right", why."""
    if found.document is None:
        texts = "; ".join(one.text for one in found.questions)
        if case.get("ask") and found.questions:
            return RIGHT, ""
        return (ASKED, texts) if found.questions else (REFUSED, found.refusal)
    if case.get("ask"):
        return WRONG, "it had to be asked about"
    differences = _differences(case, found.document, known, demo)
    return (WRONG, "; ".join(differences)) if differences else (RIGHT, "")


def _differences(case, document, known, demo):
    """Run the draft over a copy of the demo data; return what is not as the goal says."""
    with TemporaryDirectory() as folder:
        copytree(demo, folder, dirs_exist_ok=True)
        try:
            outputs = running.run(document, known, Path(folder), today=TODAY, owner=OWNER)
        except PilotError as error:
            return [f"it fails: {error}"]
    steps = {one["id"]: one for one in document["steps"]}
    send = steps["send"]["params"]
    table = steps["table"]["config"]
    got = {
        "rows": [row.get("Task") or row.get("Client") for row in outputs["rows"]],
        "to": outputs["send"]["accepted"],
        "columns": table["columns"],
        "empty": table["empty"],
        "cc": send.get("cc", []),
        "subject": send["subject"],
    }
    want = {name: case[name] for name in got if name in case}
    for name in ("to", "cc"):
        if name in want:
            want[name] = [OWNER if one == "me" else one for one in want[name]]
    if "cc" in want:
        want["to"] = [*want["to"], *want["cc"]]
    return [f"{name}: {got[name]}" for name in want if list(got[name]) != list(want[name])]
