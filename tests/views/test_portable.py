"""The pages that export and import agents; archives are refused whatever is in them."""

import io
import stat
import zipfile

import pytest

from tests.engine.agents.test_portable import TEXT
from tests.pages import check_looks


def archive(*entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for entry, content in entries:
            file.writestr(entry, content)
    return out.getvalue()


def link():
    entry = zipfile.ZipInfo("agent.yaml")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, "/etc/passwd"


ARCHIVES = {
    "a link": lambda: archive(link()),
    "a way out": lambda: archive(("../../evil.py", "x")),
    "100,000 entries": lambda: archive(("a", ""))[:31] * 100_000 + archive(("a", "")),
    "nested": lambda: archive(("inner.zip", archive(("0.bin", b"\0" * 10_000_000)))),
}


def send(browser, content, do="import", **more):
    data = {"file": (io.BytesIO(content), "agent.yaml"), "do": do, "text": ""} | more
    answer = browser.post("/agents/import", data, content_type="multipart/form-data")
    answer.request.environ["wsgi.input"].close()  # a large one is a file, which the client leaves
    return answer


@pytest.mark.capability(233)
def test_an_agent_leaves_as_a_file_and_comes_in_after_a_look(browse, world):
    operator, stranger = browse(world.operator), browse(world.stranger)
    url = send(operator, TEXT.encode()).location
    file = operator.get(f"{url}/export")
    assert "attachment" in file.headers["Content-Disposition"]
    look = send(stranger, file.data, do="check")
    assert look.status_code == 200
    assert "It makes a new agent" in look.text
    assert "<ins>+ kind: agent</ins>" in look.text
    assert "@@" not in look.text
    made = send(stranger, file.data)
    assert stranger.get(f"{made.location}/export").data == file.data
    again = send(stranger, file.data)
    assert again.status_code == 409
    assert "two\n  lines" in again.text, "nothing typed is lost"
    assert send(stranger, file.data, new_version="y").status_code == 303
    assert stranger.get(f"{url}/export").status_code == 404


def test_what_is_wrong_is_named_beside_the_text(browse, world):
    answer = browse(world.operator).post("/agents/import", {"text": "name: [x", "do": "import"})
    assert answer.status_code == 422
    assert "This cannot be read" in answer.text
    assert "name: [x" in answer.text


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_refused_and_nothing_of_it_is_read(browse, world, config, superuser, name):
    answer = send(browse(world.operator), ARCHIVES[name]())
    assert answer.status_code == 422
    assert "This is an archive" in answer.text
    assert len(answer.data) < 20_000, "nothing of it is shown"
    assert superuser.execute("SELECT count(*) FROM agent").fetchone() == (0,)
    assert list(config.data.rglob("evil.py")) == []


@pytest.mark.browser
def test_it_looks_right(window, world):
    page = window(world.operator)
    page.goto("/agents/import")
    check_looks(page)
    page.fill("textarea", TEXT)
    page.click("text=Show what would change")
    page.get_by_text("It makes a new agent").wait_for()
    assert page.complaints == []
