"""How many goals that the planner was not tuned on it drafts right, and how long a draft takes.

The goals are G8 and G10 in the words of people who had not seen the grammar; a draft counts as
right when it, run over the demo data, gives the rows, recipients, columns and text the goal asks
for. A question is not right, but harmless; a draft that does something else is wrong.
"""

import logging
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from benchmarks.figures import figure, percentile, timed_ms
from pilot.engine.language import catalogue
from pilot.engine.demo import make_demo
from pilot.engine.planner import plan
from pilot.plugins.tables.sampling import sample
from tests.engine.planner import judging

GOAL_RIGHT = 16
GOAL_WRONG = 0
RUNS = 5


def main() -> None:
    """Print the figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with TemporaryDirectory() as folder:
        make_demo(Path(folder), judging.TODAY, judging.OWNER)
        known = catalogue.load().with_samples(sample(Path(folder)))
        cases = judging.cases("unseen")
        drafts = [(case, judging.draft(case, known)) for case in cases]
        verdicts = Counter(judging.judge(*one, known, folder)[0] for one in drafts)
    right, wrong = verdicts[judging.RIGHT], verdicts[judging.WRONG]
    figure(
        "planner_unseen_right", right, "goals", len(cases), None, GOAL_RIGHT, higher_is_better=True
    )
    figure("planner_unseen_wrong", wrong, "goals", len(cases), None, GOAL_WRONG)

    def draft(goal: str) -> None:
        plan(goal, known, answers={}, zone="Europe/Berlin", owner_email=judging.OWNER)

    taken = [timed_ms(lambda goal=one["goal"]: draft(goal)) for _ in range(RUNS) for one in cases]
    figure("planner_draft_p95_ms", percentile(taken, 95), "ms", len(taken))


if __name__ == "__main__":
    main()
