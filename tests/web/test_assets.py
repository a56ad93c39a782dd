import gzip
import re
from pathlib import Path

import pytest

import pilot

CSS = (Path(pilot.__file__).parent / "static" / "app.css").read_bytes()


def test_files_are_named_by_their_content(browse):
    links = re.findall(r'(?:href|src)="(/static/[^"#]+)', browse().get("/no-such-page").text)
    assert len(links) >= 6
    for link in links:
        assert re.search(r"\?v=[0-9a-f]{12}$", link)
        assert "immutable" in browse().get(link).headers["Cache-Control"]


def test_a_file_is_sent_compressed_to_who_can_read_it(browse):
    small = browse().get("/static/app.css", headers={"Accept-Encoding": "gzip"})
    full = browse().get("/static/app.css")
    assert gzip.decompress(small.data) == full.data == CSS
    assert small.headers["Content-Encoding"] == "gzip"
    assert small.headers["Vary"] == full.headers["Vary"] == "Accept-Encoding"
    assert small.headers["ETag"] != full.headers["ETag"]


def test_pages_are_never_compressed(browse):
    page = browse().get("/no-such-page", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in page.headers


@pytest.mark.capability(271)
def test_a_first_view_is_small(browse, world):
    browser = browse(world.viewer)
    page = browser.get("/account")
    links = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page.text))
    headers = {"Accept-Encoding": "gzip"}
    parts = [len(browser.get(link, headers=headers).data) for link in links]
    assert sum(parts) + len(gzip.compress(page.data)) <= 60 * 1024
