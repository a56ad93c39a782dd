"""Goals that are refused before they are read: empty, too long, not English, an injection."""

import re
from collections.abc import Sequence

from pilot.engine.planner.text import Token, set_of

MAX_CHARACTERS = 8_000
MAX_TOKENS = 400
_OTHER_LANGUAGES = {
    "German": "und der die das mit von ist nicht für aus bitte alle auf den dem sende schicke wenn"
    " keine zum zur eine einen mir oder tage aufgaben sind ein ich im in bis nach tabelle nächsten",
    "Spanish": "el la los las con por para que del una un y de en si no hay tareas días correo"
    " próximos mis envía envíame sin son todas todos prioridad hoja cuyo",
    "French": "le la les des avec pour dans qui une un et de sur si envoie envoyez moi tâches jours"
    " prochains sont pas ne du au aux mes feuille tableau priorité",
    "Italian": "il lo gli con per che della del una un di e se non ci sono invia inviami tutte"
    " attività giorni prossimi tabella foglio mi",
    "Portuguese": "o os as com por para que da do uma um e de em se não há envie tarefas dias"
    " próximos todas tabela planilha prioridade",
    "Dutch": "het een van met voor uit die dat niet alle stuur mij als geen zijn de en taken dagen"
    " komende naar tabel",
}
_ENGLISH = set_of(
    """
    the a an of to and or in is are that which with for from me my if not please mail send email
    table rows all next days who whose there none each by on be at as it i we you them have has
    only when where this these those within end due stage priority leads tasks sheet tab
    """
)
_AGAINST = re.compile(
    r"\b(ignor\w*|disregard\w*|forget\w*|overrid\w*|bypass\w*|circumvent\w*|disobey\w*|violat\w*|"
    r"disabl\w*|switch off|turn off)\b[^.;\n]{0,40}?"
    r"\b(rules?|instructions?|prompts?|guard ?rails?|polic(?:y|ies)|restrictions?|safeguards?|"
    r"limits? of|permissions?|validator|validation|security|grants?)\b",
    re.IGNORECASE,
)
_IMPERSONATION = re.compile(
    r"\b(system prompts?|jailbreak\w*|developer mode|you are now|you are no longer"
    r"|act as (?:an?|the)|pretend (?:to be|that|you)|new instructions?|admin(?:istrator)? mode"
    r"|sudo|drop table|rm -rf"
    r"|api keys?|secret keys?|credentials|password hash(?:es)?|passwords of|all passwords"
    r"|env(?:ironment)? variables?|(?:whole|entire|complete) database"
    r"|database dump|dump (?:of )?the|exfiltrat\w*)\b",
    re.IGNORECASE,
)


def refusal(goal: str, text: str, tokens: Sequence[Token]) -> str | None:
    """Return why a goal is not planned at all, or None.

    Args:
        goal: as typed.
        text: normalised.
        tokens: of the text.
    """
    if not text:
        return "The goal is empty. Say which table to read, which rows you want, and who gets them."
    if len(goal) > MAX_CHARACTERS:
        return (
            f"The goal has {len(goal):,} characters; {MAX_CHARACTERS:,} is the limit. Say in a few"
            " sentences what the workflow shall do, and keep data in tables."
        )
    if len(tokens) > MAX_TOKENS:
        return (
            f"The goal has {len(tokens)} words and signs; the planner reads {MAX_TOKENS}. Say in a"
            " few sentences what the workflow shall do, and keep data in tables."
        )
    found = _AGAINST.search(text) or _IMPERSONATION.search(text)
    if found:
        part = " ".join(found.group().split())[:80]
        return (
            f'"{part}" is no step of a workflow: a goal can use tables, mail and the other granted'
            " actions, and cannot change rules or reach the system's own data. Take it out of the"
            " goal."
        )
    language = _other_language(text, tokens)
    if language:
        return (
            f"This looks like {language}. The planner reads English only: please write the goal in"
            " English."
        )
    return None


def _other_language(text: str, tokens: Sequence[Token]) -> str | None:
    letters = [sign for sign in text if sign.isalpha()]
    if not letters:
        return "signs without words"
    if sum(ord(sign) > 0x24F for sign in letters) > len(letters) / 3:
        return "a language with other letters"
    words = [token.word for token in tokens if token.kind == "word"]
    english = sum(word in _ENGLISH for word in words)
    counts = {
        name: sum(word in text.split() for word in words) for name, text in _OTHER_LANGUAGES.items()
    }
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] > 2 and counts[best] > 2 * english else None
