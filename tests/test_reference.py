import re

import pytest

from docs import generate
from pilot.audit import Event
from pilot.cli import names as commands
from pilot.engine import steps
from pilot.engine.language import catalogue
from pilot.errors import ErrorClass
from pilot.settings import SETTINGS


@pytest.mark.capability(312)
@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_the_reference_is_what_the_code_says(name):
    written = (generate.FOLDER / f"{name}.md").read_text("utf-8")
    assert written == generate.PAGES[name](), "run make reference"


@pytest.mark.capability(312)
def test_nothing_is_left_out():
    headings = {
        name: set(re.findall(r"^###? (.+)$", page(), re.MULTILINE))
        for name, page in generate.PAGES.items()
    }
    assert headings["settings"] == set(SETTINGS)
    assert headings["steps"] == {"Every step", *steps.names()}
    assert headings["plugins"] >= set(catalogue.load().actions)
    assert headings["cli"] == {f"pilot {name.replace('_', '-')}" for name in commands()}
    assert all(f"| {event.name} |" in generate.events() for event in Event)
    assert all(f"| {one.value} |" in generate.errors() for one in ErrorClass)
    assert "| 404 | not_found |" in generate.errors()
