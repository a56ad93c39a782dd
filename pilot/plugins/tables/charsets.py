"""The charset of a text that is not UTF-8 and has no byte order mark."""

import re

SAMPLE_BYTES = 262_144
FEW = 4  # characters beyond ASCII: fewer are no evidence
ENOUGH = 20  # from which on the letters of a language show
# The letters of languages beyond ASCII: by them alone these charsets differ from cp1252.
EASTERN = {
    "cp1250": ("áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "ąćęłńóśźż", "áéíóöőúüű", "ćčđšž", "ăâîşţ"),
    "cp1254": ("âçîığöşûü",),
}
WESTERN = (
    *("äéöüß", "àâæçèéêëîïôùûüÿœ", "áéíñóúü", "àáâãçéêíóôõúü", "àèéìíîòóùú", "àçèéíïñòóúü"),
    *("äåéöü", "åæèéêòóôø", "áæéíðóöúýþ", "áèéëíïóöü", "äõöüšž"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PART = re.compile(
    r"[^\x00-@\[-`{-\x7f\s\u2018\u2019\u2013\u2014·\xad]+"
)  # of letters and of signs next to them
_BEYOND = re.compile(r"[^\x00-\x7f]")
_FOREIGN = re.compile(
    r"[^\x00-\x7f]{3}"  # other scripts use letters beyond ASCII one after another
    r"|^(?=[^\x00-\x7f]{2}$)[^\W\d_]{2}"  # or for a whole short word
    r"|[^\W\d_][^\w\x00-\x7f]+[^\W\d_]"  # and a sign inside a word is a letter of another charset
    r"|[^\W\d_][¹²³]+[^\W\d_]"
)


def guess(data: bytes) -> str:
    """Return cp1252 unless the evidence for another charset is strong."""
    sample = data[:SAMPLE_BYTES]
    western = _western(sample)
    beyond = len(_BEYOND.findall(western))
    if western and (beyond < FEW or _reads_well(western)):
        return (_eastern(sample) if beyond >= ENOUGH else None) or "cp1252"
    from charset_normalizer import from_bytes  # noqa: PLC0415

    best = from_bytes(sample).best()
    return best.encoding if best else "cp1252"


def _western(sample: bytes) -> str:
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return ""
    return "" if _CONTROL.search(text) else text


def _reads_well(text: str) -> bool:
    """Tell whether letters beyond ASCII stand among those of ASCII, as in Western languages."""
    parts = [part for part in _PART.findall(text) if _BEYOND.search(part)]
    foreign = sum(bool(_FOREIGN.search(part)) for part in parts)
    return foreign * 4 <= len(parts)


def _eastern(sample: bytes) -> str | None:
    """Return the charset in which all letters are of one language, if they are not in cp1252."""
    if _of_one(sample, "cp1252", WESTERN):
        return None
    return next((name for name, known in EASTERN.items() if _of_one(sample, name, known)), None)


def _of_one(sample: bytes, charset: str, alphabets: tuple[str, ...]) -> bool:
    text = sample.decode(charset, "replace").lower()
    letters = {one for one in text if one.isalpha() and not one.isascii()} - set("ªº")
    return any(letters <= set(alphabet) for alphabet in alphabets)
