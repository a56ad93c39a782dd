"""What pilot steps cost besides the same calls: a workflow against the simple loop of one model.

Both ask a model six times and search a mailbox five times. Answers are recorded and come at once,
so what is left is Pilot's own work; the two take turns.
"""

from collections.abc import Callable
from uuid import UUID

import psycopg

from benchmarks.figures import commit_probe, figure, percentile, wait_for_quiet
from benchmarks.installation import installed
from pilot import strictjson

ACTIONS = 5
STEPS = 2 * ACTIONS + 1
RUNS, WARM = 40, 5
GOAL_RATIO = 1.25
TOOK = "SELECT extract(epoch FROM finished_at - started_at) * 1000 FROM execution WHERE id = %s"


def workflow() -> list[dict]:
    """Return pilot steps: a model is asked, an action follows, again and again."""
    steps: list[dict] = []
    for number in range(STEPS):
        step = {"id": f"s{number}", "type": "ai_processing", "prompt": "Go on."}
        if number % 2:
            search = {"plugin": "mail", "action": "search", "params": wanted(number // 2)}
            step = {"id": f"s{number}", "type": "action"} | search
        steps.append(step | {"dependencies": [steps[-1]["id"]] if steps else []})
    return steps


def simple_loop() -> list[dict]:
    """Return the document of one step that makes the same calls."""
    loop = {"type": "llm_decision", "prompt": "Choose.", "actions": ["mail.search"]}
    return [{"id": "loop"} | loop]


def wanted(number: int) -> dict:
    """Return the parameters of one search."""
    return {"text_words": [f"invoice {number}"]}


def answers() -> str:
    """Return the recorded answers of both, as a file holds them."""
    calls = [
        {
            "match": {"text": "Choose.", "nth": number + 1},
            "answer": "Go on.",
            "calls": [{"action": "mail.search", "params": wanted(number)}],
        }
        for number in range(ACTIONS)
    ]
    return strictjson.dumps({"rules": [*calls, {"answer": "Done."}]})


def compare(
    connection: psycopg.Connection, run: Callable[[str], UUID], runs: int = RUNS, warm: int = WARM
) -> float:
    """Print what a step takes in both, and the ratio, which is returned.

    `run` brings one execution of `pilot steps` or of the `simple loop` to its end.
    """
    took: dict[str, list[float]] = {"pilot steps": [], "simple loop": []}
    for number in range(warm + runs):
        for name, times in took.items():
            found = connection.execute(TOOK, (run(name),)).fetchone()
            if number >= warm:
                times.append(float(found[0]) / STEPS)
    steps, loop = (percentile(times, 50) for times in took.values())
    figure("overhead: simple loop, a step, p50", loop, "ms", runs)
    figure("overhead: pilot steps, a step, p50", steps, "ms", runs, loop)
    figure("overhead: pilot steps to simple loop", steps / loop, "", runs, None, GOAL_RATIO)
    return steps / loop


def main() -> None:
    """Print the figures."""
    with installed() as pilot:
        commit_probe(pilot.superuser_url)
        script = pilot.folder / "answers.json"
        script.write_text(answers())
        agents = {
            "pilot steps": pilot.agent(*workflow()),
            "simple loop": pilot.agent(*simple_loop()),
        }
        done = dict.fromkeys(agents, 0)
        with pilot.worker(PILOT_SCRIPT=str(script)), pilot.looking() as look:

            def run(name: str) -> UUID:
                started = pilot.start(agents[name])
                done[name] += 1
                look.wait_done(agents[name], done[name], every_s=0.002)
                return started

            look.wait_for_worker()
            wait_for_quiet()
            compare(look.connection, run)
        commit_probe(pilot.superuser_url)


if __name__ == "__main__":
    main()
