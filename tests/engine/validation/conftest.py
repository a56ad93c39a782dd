"""The catalogue that documents are checked against."""

import pytest

from pilot.engine.language import catalogue
from pilot.engine.language.catalogue import Column, TableSample
from pilot.engine.validation import validate


def sample(table, tab, *columns):
    return TableSample(table, tab, tuple(Column(name, "text") for name in columns), 5)


@pytest.fixture(scope="session")
def known():
    """Every action, and samples of two tables."""
    return catalogue.load().with_samples(
        [
            sample("gantt.csv", "gantt", "Task", "Priority", "End", "Owner"),
            sample("leads.xlsx", "Leads", "Name", "Stage", "Notes"),
        ]
    )


@pytest.fixture
def check(known):
    """Return code and path of every issue of a document."""

    def found(document, **kwargs):
        return [(issue.code, issue.path) for issue in validate(document, known, **kwargs)]

    return found


@pytest.fixture
def issue(known):
    """Return the only issue with this code."""

    def found(document, code):
        (one,) = [one for one in validate(document, known) if one.code == code]
        return one

    return found
