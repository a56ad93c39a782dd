"""Web pages as a reader sees them: title, text, links."""

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from pydantic import Field

from pilot.plugins import Model
from pilot.plugins._markup import shallow

MAX_LINKS = 1_000
MAX_HTML_CHARACTERS = 500_000
_BLOCKS = frozenset(
    {"p", "div", "br", "tr", "li", "table", "ul", "ol", "section", "article", "header", "footer"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "nav", "main", "dt", "dd", "hr"}
)
_UNSEEN = {"script", "style", "template", "noscript", "svg"}


class Link(Model):
    """A link of a page."""

    url: str = Field(description="The whole address it leads to.")
    text: str = Field(description="The words of the link.")


class _Reader(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.title: list[str] = []
        self.parts: list[str] = []
        self.links: list[tuple[str, list[str]]] = []
        self._in_title = False
        self._in_link = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "a":
            self._open_link(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "a":
            self._in_link = False
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
            return
        self.parts.append(re.sub(r"\s+", " ", data))
        if self._in_link:
            self.links[-1][1].append(data)

    def _open_link(self, href: str) -> None:
        self._in_link = False
        try:
            url = urljoin(self.base, href.strip())
            is_web = urlsplit(url).scheme in {"http", "https"}
        except ValueError:
            return
        if href and is_web and len(self.links) < MAX_LINKS:
            self.links.append((url, []))
            self._in_link = True


def read_page(html: str, base: str) -> tuple[str, str, list[Link]]:
    """Return title, text and links of a page; links are made whole with `base`.

    The page is cleaned first: the parser of the standard library needs quadratic time for
    damaged markup. Only the first 500,000 characters count.
    """
    import nh3  # noqa: PLC0415

    clean = nh3.clean(
        shallow(html[:MAX_HTML_CHARACTERS]),
        tags={*_BLOCKS, "a", "title"},
        clean_content_tags=_UNSEEN,
        attributes={"a": {"href"}},
        url_schemes={"http", "https"},
        link_rel=None,
    )
    reader = _Reader(base)
    reader.feed(clean)
    reader.close()
    lines = (_folded([line]) for line in "".join(reader.parts).split("\n"))
    links = [Link(url=url, text=_folded(words)) for url, words in reader.links]
    return _folded(reader.title), "\n".join(line for line in lines if line), links


def _folded(parts: list[str]) -> str:
    return " ".join("".join(parts).split())
