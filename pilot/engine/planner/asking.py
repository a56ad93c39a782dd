"""Turns doubts into questions, and answers back into decisions."""

import re
from collections.abc import Iterable, Sequence

from pilot.engine.language.catalogue import TableSample
from pilot.engine.planner.facts import ColumnRef, Sense, Unable
from pilot.engine.planner.vocabulary import Vocabulary
from pilot.engine.workflow.draft import Answers, Kind, Question
from pilot.errors import type_json

LEAVE_OUT = "Leave it out"
NO_SINK = "Show it as the result only"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_SENSE_WORDS = {"end": "ends", "start": "starts", "created": "was created"}


class Asking:
    """The questions of one round; an answered one is not asked again."""

    def __init__(self, answers: Answers) -> None:
        self.questions: list[Question] = []
        self.answers = answers

    def choose(self, name: str, text: str, why: str, options: Sequence[str]) -> str | None:
        """Return the chosen option, or ask."""
        answer = self.answers.get(name)
        if answer in options:
            return str(answer)
        self._ask(Question(name, text, why, "select", tuple(options)))
        return None

    def left_out(self) -> list[str]:
        """Return the texts that the user said to leave out."""
        return [
            name.partition(":")[2]
            for name, answer in self.answers.items()
            if name.startswith("unclear:") and answer == LEAVE_OUT
        ]

    def unclear(self, text: str, clause: str, options: Sequence[str] = ()) -> str | None:
        """Ask about words that nothing explains; they can only be left out or said otherwise."""
        why = f'The planner knows no step for it, in "{clause[:120]}".'
        name = f"unclear:{' '.join(text.lower().split())}"
        question = f'I do not understand "{text[:80]}". What shall I do with it?'
        return self.choose(name, question, why, [*options, LEAVE_OUT])

    def unable(self, wishes: Iterable[Unable]) -> None:
        """Ask whether wishes that cannot be drafted are left out."""
        for wish in wishes:
            text = f"I cannot draft {wish.text}. Shall I draft the rest without it?"
            self.choose(f"unable:{wish.text}", text, wish.why, [LEAVE_OUT])

    def column(self, ref: ColumnRef, use: str) -> str | None:
        """Return the column that is meant, or ask which of several."""
        if not ref.rivals:
            return ref.name
        names = (ref.name, *ref.rivals)
        text = f"Which column do you mean for {use}?"
        why = f"{' and '.join(names)} fit equally well."
        return self.choose(f"column:{'|'.join(sorted(names))}", text, why, names)

    def means(self, word: str, column: str, value: str) -> bool:
        """Say whether a word that is also plain English stands for a value of a column."""
        options = (f"{column} is {value}", "It is just a word")
        why = f'"{word}" is a value of the column {column} and an everyday word.'
        text = f'What does "{word}" mean here?'
        return self.choose(f"means:{word.lower()}", text, why, options) == options[0]

    def value(self, column: str, value: str, known: Sequence[str]) -> str | None:
        """Return the value of a column that is meant, or ask."""
        as_typed = f"Use {value} as it is"
        why = f"The column {column} holds: {', '.join(known)}."
        text = f'Which value of {column} do you mean by "{value}"?'
        answer = self.choose(f"value:{column}:{value}", text, why, [*known, as_typed])
        return value if answer == as_typed else answer

    def order_column(self, words: str) -> str | None:
        """Ask by which column the rows are sorted."""
        text = "By which column shall the rows be sorted?"
        return self.choose("order", text, f'"{words}" does not say it.', self._columns)

    def date_column(self, known: Vocabulary, sense: Sense | None, use: str) -> str | None:
        """Return the date column that says when something ends (starts, was created), or ask."""
        dates = [one.name for one in known.sample.columns if one.kind == "date"]
        fitting = known.sense_columns(sense) if sense else dates
        if len(fitting) == 1:
            return fitting[0]
        if not dates:
            text = f"Which column of {known.sample.tab} holds the date for {use}?"
            return self.choose("date", text, "No column holds dates.", self._columns)
        wanted = f"says when something {_SENSE_WORDS[sense]}" if sense else f"is meant for {use}"
        why = f"The date columns are: {', '.join(dates)}."
        return self.choose("date", f"Which date column {wanted}?", why, fitting or dates)

    def future_of(self, column: str, words: str) -> str | None:
        """Ask what days to come mean, where the only dates are those of a creation."""
        why = f"The only date is {column}, which lies in the past."
        text = f'What does "{words}" say?'
        answer = self.choose("date", text, why, [f"It is about {column}", LEAVE_OUT])
        return None if answer in {None, LEAVE_OUT} else column

    def columns(self, count: int, available: Sequence[str]) -> list[str]:
        """Ask for `count` columns."""
        answer = self.answers.get("columns")
        if isinstance(answer, list) and answer and all(one in available for one in answer):
            return list(dict.fromkeys(map(str, answer)))
        text = f"Which {count} columns shall the table have?"
        there = f"there are {len(available)}"
        why = f"The goal speaks of {count} columns and does not name as many; {there}."
        self._ask(Question("columns", text, why, "multiselect", tuple(available)))
        return []

    def only(self, names: list[str]) -> list[str]:
        """Ask whether columns that conditions speak of are the only ones to show."""
        options = ("All columns", f"Only {', '.join(names)}")
        why = "The goal names these columns, but also uses them in conditions."
        answer = self.choose("shown", "Which columns shall the table have?", why, options)
        return names if answer == options[1] else []

    def address(self, person: str, use: str) -> str | None:
        """Return the address of a person, or ask."""
        name = f"address:{person.lower()}"
        answer = self.answers.get(name)
        if isinstance(answer, str) and _ADDRESS.fullmatch(answer.strip()):
            return answer.strip()
        text = f"What is the e-mail address of {person}?"
        self._ask(Question(name, text, f"It is needed for {use}.", "email"))
        return None

    def recipients(self, count: int, found: list[str]) -> list[str]:
        """Ask who gets the mail when the goal names more or fewer than it says."""
        distinct = [one for at, one in enumerate(found) if one not in found[:at]]
        as_listed = f"Send it to these {len(distinct)}: {', '.join(distinct)}"
        text = f"The goal speaks of {count} people and names {len(distinct)}. Who gets the mail?"
        answer = self.choose("recipients", text, "The numbers differ.", [as_listed])
        return distinct if answer else found

    def contradiction(self, what: str) -> None:
        """Ask for a goal that does not contradict itself."""
        text = f"The goal asks for {what}. Please say which of them you want."
        self._ask(Question(f"contradiction:{what}", text, "Both cannot be.", "text"))

    def table(self, use: str, found: Sequence[TableSample]) -> TableSample | None:
        """Return the table that is meant, or ask which of several."""
        labels = {label(one): one for one in found}
        if not labels:
            self._ask(Question(use, "Which table do you mean?", "None has that name.", "text"))
            return None
        answer = self.choose(use, "Which table do you mean?", "Several fit.", list(labels))
        return labels.get(answer or "")

    def mapping(
        self, source: Vocabulary, target: TableSample, wanted: Sequence[str] | None
    ) -> dict[str, str]:
        """Return for each column of the target the column of the source that fills it, or ask."""
        available = list(wanted or [one.name for one in source.sample.columns])
        found: dict[str, str] = {}
        for column in target.columns:
            match = next((name for _, name in source.match(column.name) if name in available), None)
            if match is not None:
                found[column.name] = match
        if 2 * len(found) < len(target.columns):
            text = f"Which columns of {source.sample.tab} shall go to {target.tab}?"
            why = f"Only {', '.join(found) or 'none'} of {len(target.columns)} columns fit."
            self._ask(Question("contradiction:columns", text, why, "text"))
        left = [name for name in wanted or () if name not in found.values()]
        for name in left:
            options = [one.name for one in target.columns if one.name not in found]
            text = f"Into which column of {target.tab} shall {name} go?"
            why = f"{target.tab} has no column that is named like it."
            chosen = self.choose(f"fill:{name}", text, why, [*options, LEAVE_OUT])
            if chosen and chosen != LEAVE_OUT:
                found[chosen] = name
        return found

    def key_column(self, target: TableSample) -> str | None:
        """Return the column by which rows are known, or ask."""
        names = [one.name for one in target.columns]
        ids = [name for name in names if re.search(r"\bid\b", name, re.IGNORECASE)]
        if len(ids) == 1:
            return ids[0]
        text = "By which column is a row known to be there already?"
        return self.choose("key", text, f"{target.tab} has several columns.", ids or names)

    def over(self, sample: TableSample) -> None:
        """Name the columns that general questions offer."""
        self._columns = [one.name for one in sample.columns]

    def _ask(self, question: Question) -> None:
        if all(known.id != question.id for known in self.questions):
            self.questions.append(question)


def label(sample: TableSample) -> str:
    """Return how a question names a table."""
    stem = sample.table.rpartition(".")[0]
    return sample.table if stem == sample.tab else f"{sample.table}, tab {sample.tab}"


__all__ = ["LEAVE_OUT", "NO_SINK", "Asking", "Kind", "label", "type_json"]
