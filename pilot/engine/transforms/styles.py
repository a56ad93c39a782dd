"""How numbers and dates are shown: an example such as 1.234,56, or a pattern such as DD.MM.YYYY."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

_EXAMPLE = re.compile(r"(?P<before>[^0-9]*)(?P<number>[0-9](?:[0-9.,' ]*[0-9])?)(?P<after>[^0-9]*)")
_SIGNS = re.compile(r"[.,' ]")
_NARROW = re.compile("[\u00a0\u202f]")  # spaces that keep a number in one line
_WIDE = Context(prec=400)  # of any JSON number
_DATE = re.compile(r"YYYY|MMM|MM|DD|HH|mm|ss")
_THOUSANDS = re.compile(r"(?<=[0-9])(?=(?:[0-9]{3})+$)")


@dataclass(frozen=True)
class NumberStyle:
    """The signs of a written number, and how many decimals it has."""

    before: str
    thousands: str
    point: str
    decimals: int
    after: str

    def read(self, text: str) -> Decimal | None:
        """Return the number that a text in this style is, or None.

        It may lack the signs of thousands, the decimals, and what stands before and after.
        """
        thousands, point = re.escape(self.thousands), re.escape(self.point)
        whole = rf"[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+|[0-9]+" if self.thousands else "[0-9]+"
        decimals = rf"(?:{point}([0-9]+))?" if self.point else "()"
        plain = _NARROW.sub(" ", text).strip()
        sign = "-" if plain.startswith("-") else ""
        plain = plain.removeprefix("-").removeprefix(self.before.strip()).strip()
        plain = plain.removesuffix(self.after.strip()).strip()
        found = re.fullmatch(rf"(-?)({whole}){decimals}", plain)
        if found is None or (sign and found[1]):
            return None
        digits = found[2].replace(self.thousands, "") if self.thousands else found[2]
        return Decimal(f"{sign or found[1]}{digits}.{found[3] or 0}")

    def show(self, number: Decimal) -> str:
        """Return a number in this style, rounded half up."""
        step = Decimal(1).scaleb(-self.decimals)
        rounded = number.quantize(step, ROUND_HALF_UP, _WIDE)
        whole, _, fraction = f"{abs(rounded):f}".partition(".")
        grouped = _THOUSANDS.sub(self.thousands, whole) if self.thousands else whole
        sign = "-" if rounded < 0 else ""
        point = self.point if fraction else ""
        return f"{sign}{self.before}{grouped}{point}{fraction}{self.after}"


def is_date_pattern(text: str) -> bool:
    """Say whether a format is for dates."""
    return _DATE.search(text) is not None and not any(map(str.isdecimal, text))


@lru_cache(256)
def number_style(example: str) -> NumberStyle:
    """Return the style that an example shows; of two different signs the last is the point.

    A single sign is the point unless three digits follow and the number before it is not 0: 1,234
    and 12.345.678 have thousands, 0.000 and 1,5 have decimals. What stands before and after the
    number is kept: $1,234.56.

    Raises:
        ValueError: it is no such example.
    """
    example = _NARROW.sub(" ", example)
    parts = _EXAMPLE.fullmatch(example)
    signs = _SIGNS.findall(parts["number"]) if parts else []
    if parts is None or len(set(signs)) > 2:
        raise ValueError(f"{example!r} is no example of a number, such as 1,234.56, 1.234,56 or 0.")
    thousands, point = _thousands_and_point(parts["number"], signs)
    whole, _, fraction = parts["number"].rpartition(point) if point else (parts["number"], "", "")
    groups = whole.split(thousands) if thousands else [whole]
    if any(len(group) != 3 for group in groups[1:]) or not whole.replace(thousands, "").isdecimal():
        raise ValueError(f"{example!r}: signs of thousands stand before three digits each.")
    return NumberStyle(parts["before"], thousands, point, len(fraction), parts["after"])


def _thousands_and_point(number: str, signs: list[str]) -> tuple[str, str]:
    if not signs:
        return "", ""
    if len(set(signs)) == 2:
        return signs[0], signs[-1]
    whole, _, last = number.rpartition(signs[0])
    if len(signs) > 1 or signs[0] not in ".," or (len(last) == 3 and whole != "0"):
        return signs[0], ""
    return "", signs[0]
