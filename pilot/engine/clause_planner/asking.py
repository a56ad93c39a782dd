"""The questions of the clause planner; what was answered is not asked again."""

from collections.abc import Sequence

from pilot.engine.clause_planner.described import Described, Parameter
from pilot.engine.workflow.draft import Answers, Kind, Question
from pilot.errors import type_json

MAX_QUESTIONS = 3
LEAVE_OUT = "Leave it out"
ALWAYS = "Do it in any case"
ONCE = "Do it once, for all together"
_IDS = ("effect:", "action:", "unclear:", "condition:", "each:", "param:")


class Asking:
    """One round of at most three questions, the weightiest first."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._asked: dict[str, Question] = {}
        self._second_round = any(name.startswith(_IDS) for name in answers)

    @property
    def questions(self) -> list[Question]:
        """What to ask now."""
        order = {name: place for place, name in enumerate(_IDS)}
        ranked = sorted(
            self._asked.values(), key=lambda one: order.get(one.id.partition(":")[0] + ":", 9)
        )
        return ranked[:MAX_QUESTIONS]

    def effect(self, action: Described, clause: str) -> bool:
        """Return whether an action that changes something is meant, though not clearly named."""
        yes = f"Yes: {action.title}"
        name = f"effect:{action.name}"
        text = f'Does "{clause[:120]}" ask for: {action.title}?'
        why = f"{action.name} changes something outside, and the goal does not name it clearly."
        return self._choose(name, text, why, [yes, LEAVE_OUT]) != LEAVE_OUT

    def action(self, clause: str, actions: Sequence[Described], *, must: bool) -> Described | None:
        """Return which of several actions a clause means; the first one while it is not said.

        `must`: it is asked in a second round too, since none of them is sure.
        """
        name = f"action:{' '.join(clause.lower().split())[:160]}"
        if self._second_round and not must and name not in self.answers:
            return actions[0]
        labels = {one.name: one for one in actions}
        text = f'Which action does "{clause[:120]}" ask for?'
        why = "Several fit nearly alike." if len(actions) > 1 else "It does not say it clearly."
        answer = self._choose(name, text, why, [*labels, LEAVE_OUT])
        return None if answer == LEAVE_OUT else labels.get(answer, actions[0])

    def unclear(self, clause: str) -> None:
        """Ask about a clause that no action does."""
        name = f"unclear:{' '.join(clause.lower().split())[:160]}"
        text = f'I know no action for "{clause[:120]}". What shall I do with it?'
        self._choose(name, text, "None of the actions that you may use does it.", [LEAVE_OUT])

    def condition(self, text: str) -> None:
        """Ask about a condition that speaks of nothing known."""
        question = f'I cannot check "{text[:120]}". What shall I do?'
        why = "No earlier step gives what it speaks of."
        self._choose(f"condition:{text.lower()[:160]}", question, why, [ALWAYS])

    def each(self, text: str) -> None:
        """Ask about a repetition, which no step type does."""
        question = f'I cannot draft steps that run for each of "{text[:120]}". What shall I do?'
        self._choose(f"each:{text.lower()[:160]}", question, "No step repeats others.", [ONCE])

    def parameter(self, action: Described, one: Parameter) -> type_json:
        """Return the answer for a parameter, or None: then it is asked at each start."""
        name = f"param:{action.name}.{one.name}"
        if name in self.answers:
            return _typed(one, self.answers[name])
        if not self._second_round:
            kinds: dict[str, Kind] = {"email": "email"}
            kind: Kind = "select" if one.choices else kinds.get(one.name.lower(), "text")
            text = f"{action.title}: what is the {' '.join(one.words)}?"
            why = "The goal does not say it. Left empty, it is asked at each start."
            self._ask(Question(name, text, why, kind, one.choices))
        return None

    def _choose(self, name: str, text: str, why: str, options: Sequence[str]) -> str:
        answer = self.answers.get(name)
        if answer in options:
            return str(answer)
        self._ask(Question(name, text, why, "select", tuple(options), options[0]))
        return options[0]

    def _ask(self, question: Question) -> None:
        self._asked.setdefault(question.id, question)


def _typed(one: Parameter, answer: type_json) -> type_json:
    """Return an answer as the parameter takes it, or None if it is empty or does not fit."""
    text = str(answer).strip() if answer is not None else ""
    if not text or "{{" in text or (one.choices and text not in one.choices):
        return None
    if one.kind in {"integer", "number"}:
        try:
            return int(text) if one.kind == "integer" else float(text)
        except ValueError:
            return None
    if one.kind == "boolean":
        return text.lower() in {"true", "yes", "1"}
    if one.kind == "array":
        return answer if isinstance(answer, list) else [text]
    return text if one.kind == "string" else None
