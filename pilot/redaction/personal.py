"""Personal data by their form: mail addresses, telephone numbers, accounts (IBAN), cards."""

from collections.abc import Callable
from typing import Any

import re2

_MAIL = re2.compile(r"[\pL\pN._%+'-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)+")
_IBAN = re2.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b")
_CARD = re2.compile(r"\b[0-9](?:[ -]?[0-9]){12,18}\b")
_PHONE = re2.compile(  # from abroad, or with the zero of the own country and a gap
    r"(?:\+|\b00)[1-9](?:[ ()./-]{0,2}[0-9]){6,14}\b"
    r"|\(?\b0[1-9][0-9]{1,4}\)?[ /-][0-9](?:[ -]?[0-9]){4,10}\b"
)
SHORTEST_IBAN = 15


def hide(text: str) -> str:
    """Return the text with personal data replaced by `[redacted:KIND]`."""
    if "@" in text:
        text = _MAIL.sub("[redacted:mail]", text)
    text = _IBAN.sub(_iban, text)
    text = _CARD.sub(_where(_is_card, "card"), text)
    return str(_PHONE.sub("[redacted:phone]", text))


def _where(holds: Callable[[str], bool], kind: str) -> Callable[[Any], str]:
    return lambda found: f"[redacted:{kind}]" if holds(found.group()) else found.group()


def _iban(found: Any) -> str:
    """Hide the longest beginning that is an account: capital letters may follow it."""
    text = found.group()
    for end in range(len(text), SHORTEST_IBAN - 1, -1):
        if text[end - 1] != " " and _is_iban(text[:end]):
            return f"[redacted:iban]{text[end:]}"
    return str(text)


def _is_iban(text: str) -> bool:
    """Check by ISO 13616: the digits, country and check digits last, leave 1 over 97."""
    plain = text.replace(" ", "")
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(one, 36)) for one in turned)) % 97 == 1


def _is_card(text: str) -> bool:
    """Check by Luhn (ISO/IEC 7812): every second digit from the right counts double."""
    digits = [int(one) for one in reversed(text) if one.isdigit()]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
