"""What an e-mail address of an account or an input may look like; mail itself is stricter."""

import re

MAX_CHARACTERS = 254
_WORD = r"[^\s@,;:<>()\[\]\"\\.]+"
_ADDRESS = re.compile(rf"{_WORD}(\.{_WORD})*@{_WORD}(\.{_WORD})*")


def is_email(text: str) -> bool:
    """Say whether a text is one bare address."""
    is_short = len(text) <= MAX_CHARACTERS and text.isprintable()
    return is_short and _ADDRESS.fullmatch(text) is not None
