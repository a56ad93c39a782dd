from threading import Event

import pytest
from flask import Blueprint, Response, request

from pilot.views import VIEW, render, route
from tests.patience import LONG_S

HIDDEN = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s})"
PAGE = """{% extends "base.html" %}{% block title %}Stream{% endblock %}
{% block live %}{{ live_badge() }}{% endblock %}
{% block main %}<h1>Stream</h1><p id="first">old</p><p id="second">old</p>
{{ stream("/stream-lab/events?after=7") }}{% endblock %}"""
PART = 'id: {}\ndata: <hx-partial hx-target="#{}" hx-swap="innerHTML">{}</hx-partial>\n\n'


@pytest.fixture
def heard(app, tmp_path):
    """What the server heard from the stream's client, and the signal that ends the stream."""
    heard = {"asked": [], "end": Event()}
    bp = Blueprint("stream_lab", __name__, url_prefix="/stream-lab")

    @route(bp, "/page", allow=VIEW)
    def page():
        return render("stream.html")

    @route(bp, "/events", allow=VIEW)
    def events():
        heard["asked"].append((request.args["after"], request.headers.get("Last-Event-ID")))

        def lines():
            yield PART.format(8, "first", "<b>new</b>")
            yield PART.format(9, "second", "newer")
            if heard["end"].wait(LONG_S):
                yield "event: done\ndata:\n\n"

        return Response(lines(), mimetype="text/event-stream")

    (tmp_path / "stream.html").write_text(PAGE)
    app.jinja_loader.searchpath.append(str(tmp_path))
    app.register_blueprint(bp)
    yield heard
    heard["end"].set()


@pytest.mark.browser
def test_a_stream_fills_its_parts_and_ends(window, world, heard):
    page = window(world.viewer)
    page.goto("/stream-lab/page")
    page.locator("#first b", has_text="new").wait_for()
    page.locator("#second", has_text="newer").wait_for()
    page.locator("[data-live=live]").wait_for()
    heard["end"].set()
    page.locator("[data-live=off]").wait_for()
    assert heard["asked"] == [("7", None)]
    assert page.complaints == []


@pytest.mark.browser
def test_a_tab_opened_in_the_background_connects_when_it_is_seen(window, world, heard):
    page = window(world.viewer)
    page.add_init_script(HIDDEN % "true")
    page.goto("/stream-lab/page")
    page.wait_for_timeout(300)
    assert heard["asked"] == []
    page.evaluate(HIDDEN % "false" + "; document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("#second", has_text="newer").wait_for()
    assert len(heard["asked"]) == 1


@pytest.mark.browser
def test_a_hidden_tab_lets_go_and_comes_back_where_it_was(window, world, heard):
    page = window(world.viewer)
    page.goto("/stream-lab/page")
    page.locator("#second", has_text="newer").wait_for()
    page.evaluate(HIDDEN % "true" + "; document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("[data-live=paused]").wait_for()
    page.evaluate(HIDDEN % "false" + "; document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("[data-live=live]").wait_for()
    assert heard["asked"] == [("7", None), ("7", "9")]
