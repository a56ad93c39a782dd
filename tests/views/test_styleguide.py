import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import pilot
from pilot.views import formats
from tests.pages import check_accessible

ROOT = Path(pilot.__file__).parent
SCHEMES, WIDTHS = ("light", "dark"), (1280, 375, 320)


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def shown(browse, world):
    return browse(world.admin).get("/styleguide").text


def macro_calls(template):
    return set(re.findall(r"\b(\w+)\(", template))


def test_every_macro_stands_in_the_style_guide(app):
    templates = ROOT / "templates"
    direct = macro_calls((templates / "styleguide" / "index.html").read_text())
    frame = macro_calls((templates / "base.html").read_text())
    # A row stands in `step_table`; the others are parts of answers, tested with streams and toasts.
    assert app.config["MACROS"] - direct - frame == {"step_row", "toast_partial", "stream"}


def test_every_status_is_shown_by_shape_and_word(shown):
    for known in formats.STATUSES.values():
        for look in known.values():
            badge = rf'class="badge {look.tone}"><svg[^>]*><use href="[^"]*#{look.shape}"'
            assert re.search(rf"{badge}></use></svg>{look.word}<", shown)


def test_edge_values_are_shown_and_hostile_ones_are_text(shown):
    for text in ("$0.00026", "unpriced", "18.2k", "1m 12s", "in 2 h", "3.2 % (8 of 250)"):
        assert text in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script>alert" not in shown


def test_only_an_administrator_sees_it(browse, world):
    assert browse(world.operator).get("/styleguide").status_code == 403
    assert browse().get("/styleguide").status_code == 303


def test_the_filter_gets_its_rows_alone(browse, world):
    part = browse(world.admin).fragment("/styleguide?sort=cost").text
    assert 'aria-sort="ascending"' in part
    assert "<h1" not in part


def test_a_post_leaves_a_toast_on_the_next_page(browse, world):
    browser = browse(world.admin)
    response = browser.post("/styleguide/toast", follow_redirects=True)
    live = response.text.split('id="live"')[1].split("</footer>")[0]
    assert "switched off." in live
    assert "Undo" in live
    assert "switched off." not in browser.get("/styleguide").text.split('id="live"')[1]


def test_nothing_on_the_page_runs_or_styles_inline(shown):
    for tag, attributes in Elements(shown).found:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes["src"].startswith("/static/")


def test_every_element_with_htmx_attributes_carries_the_nonce(browse, world):
    response = browse(world.admin).get("/styleguide")
    nonce = re.search(r"'nonce-([^']+)'", response.headers["Content-Security-Policy"])[1]
    used = [a for _, a in Elements(response.text).found if any(n.startswith("hx-") for n in a)]
    assert len(used) >= 2
    assert all(attributes.get("hx-nonce") == nonce for attributes in used)


def test_ids_are_unique_and_what_points_to_them_exists(shown):
    elements = [attributes for _, attributes in Elements(shown).found]
    ids = [attributes["id"] for attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    names = ("for", "aria-labelledby", "aria-describedby", "popovertarget", "data-dialog")
    pointed = {word for a in elements for name in names for word in (a.get(name) or "").split()}
    targets = {a["hx-target"].removeprefix("#") for a in elements if "hx-target" in a}
    assert pointed | targets <= set(ids)


def test_no_component_uses_a_raw_colour():
    css = (ROOT / "static" / "app.css").read_text()
    tokens, rest = css.split("@layer base {", 1)
    assert "--accent:" in tokens
    assert not re.findall(r":[^;{}]*(?:#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch)\()", rest)
    assert "!important" not in css


def test_every_icon_used_is_in_the_sprite(shown):
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static" / "icons.svg").read_text()))
    templates = "".join(path.read_text() for path in ROOT.glob("templates/**/*.html"))
    assert set(re.findall(r'icons\.svg[^"#]*#([\w-]+)"', shown)) <= sprite
    assert set(re.findall(r'icon\("([\w-]+)"', templates)) <= sprite
    shapes = {look.shape for known in formats.STATUSES.values() for look in known.values()}
    assert shapes <= sprite


@pytest.mark.parametrize(("name", "most"), [("app.css", 8_192), ("app.js", 5_120)])
def test_our_own_files_stay_small(app, name, most):
    assert len(gzip.compress((ROOT / "static" / name).read_bytes())) <= most


def test_the_script_opens_no_sink():
    script = (ROOT / "static" / "app.js").read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"):
        assert word not in script


@pytest.mark.browser
@pytest.mark.capability(272)
def test_axe_finds_nothing_in_any_theme_or_width(window, world):
    page = window(world.admin, bypass_csp=True)
    page.goto("/styleguide")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            check_accessible(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_the_page_breaks_no_policy_and_logs_nothing(window, world):
    page = window(world.admin)
    hosts = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto("/styleguide")
    page.get_by_label("Search").fill("mail")
    page.wait_for_url("**q=mail**")
    assert page.complaints == []
    assert len(hosts) == 1


@pytest.mark.browser
def test_theme_keys_dialogs_and_copies_work(window, world):
    page = window(world.admin, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/styleguide")
    page.get_by_role("button", name="Account of Admin").click()
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard").get_by_role("button", name="Close").click()
    page.keyboard.press("/")
    assert page.locator(":focus").get_attribute("name") == "q"
    page.get_by_role("link", name="Delete agent").click()
    page.get_by_role("button", name="Keep as it is").click()
    page.get_by_role("button", name="Copy id").click()
    assert page.evaluate("navigator.clipboard.readText()").endswith("3f62c1d08e4b")
    assert page.complaints == []


@pytest.mark.browser
def test_an_undo_posts_with_its_token(window, world):
    page = window(world.admin)
    page.goto("/styleguide")
    page.get_by_role("button", name="Show a toast").click()
    page.locator("#live").get_by_role("button", name="Undo").click()
    page.locator("#live .toast").wait_for()
    assert page.locator("#live .toast").count() == 1


@pytest.mark.browser
def test_narrow_windows_fold_the_navigation(window, world):
    page = window(world.admin, viewport={"width": 375, "height": 700})
    page.goto("/styleguide")
    assert not page.get_by_role("navigation", name="Main").is_visible()
    page.locator("details.menu summary").click()
    assert page.get_by_role("navigation", name="Menu").is_visible()


@pytest.mark.browser
@pytest.mark.capability(271)
def test_without_script_the_page_reads_and_posts(window, world):
    page = window(world.admin, java_script_enabled=False)
    page.goto("/styleguide")
    page.get_by_label("Search").fill("mail")
    page.get_by_role("button", name="Filter").click()
    assert "q=mail" in page.url
    page.get_by_role("button", name="Show a toast").click()
    assert page.locator("#live").inner_text().startswith("Agent")
