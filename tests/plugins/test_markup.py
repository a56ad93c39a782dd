"""HTML that nests deeper than any page, and pages that only seem to."""

import time

import pytest

from pilot.plugins._markup import MOST_LEVELS, shallow
from pilot.plugins.http.pages import read_page
from pilot.plugins.mail.messages import compose, text_of
from pilot.web import kit

DEEP = {
    "open": "<div>",
    "closed in another order": "<div><table></div></table>",
    "buttons": "<p><button>",
    "as if closed": "<div/>",
    "capitals": "<DIV a=1>",
    "lists": "<ul><li>",
}


@pytest.mark.parametrize("name", DEEP)
def test_markup_nested_without_end_is_read_in_time(name):
    html = f"hello {DEEP[name] * (300_000 // len(DEEP[name]))}"
    start = time.thread_time()
    assert text_of(html).split() == ["hello"]
    assert read_page(html, "http://a.test/")[1].split() == ["hello"]
    compose({"Subject": "x"}, "", html)
    assert "hello" in kit._clean(html)  # what an approval shows of it
    assert time.thread_time() - start < 3


def test_what_any_page_has_is_kept():
    pictures = "<svg viewBox='0'><path d='M0'/><g/></svg>" * (2 * MOST_LEVELS)
    script = "<script>x = '<div>'</script>" * (2 * MOST_LEVELS)
    lists = "<ul><li>one<li>two</ul><p>three<br>" * (2 * MOST_LEVELS)
    cells = "<table><tr><td>a<td>b<tr><td>c</table>" * (2 * MOST_LEVELS)
    nested = "<div>" * 400 + "<a href='/x'>in</a>" + "</div>" * 400
    assert shallow(pictures + script + lists + cells + nested) == lists + cells + nested
    _, text, links = read_page(pictures + script + nested, "http://a.test/")
    assert (text, [one.url for one in links]) == ("in", ["http://a.test/x"])


def test_an_end_that_is_missing_takes_nothing_away():
    assert shallow("a<svg><script>b</svg>c<style>d") == "ac<style>d"
    assert text_of("<p>a<svg>b") == text_of(shallow("<p>a<svg>b"))
