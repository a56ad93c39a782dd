"""`steps.<id>.resume_url`: the address that resolves a step that waits for an event.

It can be read from the start, by any step: its token is derived from the installation's key, the
execution, the step's path and how often that ran again as if it never had, so every worker gives
the same, and none is stored; the hash of a token is committed with the first checkpoint after the
list of steps was begun, before any effect that could carry it away.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence

import structlog

from pilot import vault
from pilot.engine import steps
from pilot.engine.language import references
from pilot.engine.language.step_fields import StepFields
from pilot.engine.running.plan import Plan
from pilot.engine.running.run import Frame, Run
from pilot.engine.workflow import fields
from pilot.engine.workflow.document import bodies, walk
from pilot.engine.workflow.faults import Read
from pilot.engine.workflow.outline import AFTER
from pilot.errors import ConfigError

log = structlog.get_logger()

PART = "resume_url"


def offer(run: Run, body: Sequence[StepFields], frame: Frame) -> None:
    """Let expressions read the addresses of the steps in a list, and of those within them."""
    wanted = _wanted(run.plan)
    if not wanted:
        return
    for path, step in _waiting(body, frame.prefix):
        seen = frame.scope.roots["steps"].get(step.id, {})
        if step.id not in wanted or PART in seen:
            continue
        try:
            token = _token(run, path)
        except ConfigError as error:
            log.warning("no_resume_url", reason=error.message)
            return
        url = f"{run.ports.resources.url}/resume/{token}"
        frame.scope.roots["steps"][step.id] = seen | {PART: url}
        if run.history.latest(path) is None and run.simulated is None:
            run.links.append({"path": path, "link": hash_of(token).hex()})


def hash_of(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _token(run: Run, path: str) -> str:
    whose = run.held.id if run.replay is None else run.replay.execution_id
    reruns = run.history.reruns(path)
    anew = [str(reruns)] if reruns else []  # what was used is dead: who is asked anew gets another
    derived = vault.derive("resume", str(whose), path, *anew)
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


def _wanted(plan: Plan) -> frozenset[str]:
    """Return the ids of the steps whose address is read anywhere in the document."""
    key = (PART, "")
    if key not in plan.cache:
        reads = frozenset[Read]()
        if any(step.type == "wait_for_event" for step in walk(plan.workflow.steps)):
            top = [step.model_dump(by_alias=True) for step in plan.workflow.steps]
            reads = reads.union(*map(fields.reads, top))
            reads |= references.compile_template(plan.workflow.output).reads
        named = {str(read[1]) for read in reads if read[0] == "steps" and read[2:3] == (PART,)}
        plan.cache[key] = frozenset(named)
    found: frozenset[str] = plan.cache[key]
    return found


def _waiting(body: Sequence[StepFields], prefix: str) -> Iterator[tuple[str, StepFields]]:
    """Yield path and step of what waits for events in a list, without the rounds of loops."""
    for step in body:
        path = prefix + step.id
        if step.type == "wait_for_event":
            yield path, step
        for segment, inner in bodies(step):
            if segment in AFTER:
                yield from _waiting(inner, f"{path}/{segment}/")
            elif not hasattr(steps.load(step.type), "REPEATS"):
                yield from _waiting(inner, f"{path}/")
