"""The section "Workflow Pilot": models chosen, compared in money, saved as one change."""

import re
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

import pilot
from pilot import db, settings, vault
from pilot.engine.providers import model_catalogue, own_models, provider_keys
from pilot.engine.providers.ledger import DirectBooking
from pilot.engine.providers.model_catalogue import Baseline, Chain, NewPrice
from pilot.engine.providers.own_models import NewModel
from pilot.llm.calls import Attempt
from pilot.llm.messages import Model, Usage
from tests.pages import LOOKS, check_accessible
from tests.views.test_system_config import UNDO, stored, version_of

URL = "/system-config/workflow-pilot"
PRIMARY, FALLBACK = "orchestrator_primary_model", "orchestrator_fallback_model"
SWITCH, FURTHER = "orchestrator_enable_fallback", "orchestrator_further_models"
LUNA, SONNET, RETIRED = "gpt-6-luna", "claude-sonnet-5-5", "claude-sonnet-4"
CHOICE = {PRIMARY: LUNA, FALLBACK: SONNET, SWITCH: "y"}
TEMPLATES = Path(pilot.__file__).parent / "templates"
USUAL = Usage(input=2_000, output=500)
# With 1,200 tokens in and 250 out a generation costs $0.001 and $0.03.
CLASSIC = {LUNA: ("0.5", "1.6"), SONNET: ("15", "48")}


@pytest.fixture
def admin(browse, world):
    """Give an administrator's browser."""
    return browse(world.admin)


@pytest.fixture
def keys(app, world, config):
    """Give keys to the two providers."""
    vault.configure(config.secret_keys)
    for name in ("openai", "anthropic"):
        provider_keys.set_key(name, f"key-of-{name}", by=world.admin.actor)
    yield
    vault.configure([])


@pytest.fixture
def classic(world):
    """Price the pair as in the classic example."""
    for model_id, (given, output) in CLASSIC.items():
        new = NewPrice({"input": given, "output": output}, "an example")
        model_catalogue.add_price(model_id, new, by=world.admin.actor)


@pytest.fixture
def drafted(world, superuser):
    """Give a function that books generations: how many, and how many of them fell back."""

    def book(asked, fell=0, usage=USUAL, free=0):
        with db.reading(None) as session:
            prices = {one: model_catalogue.price_at(session, one) for one in (LUNA, SONNET)}
        models = [
            Model(one, name, one, prices[one], offered_by=name)
            for one, name in ((LUNA, "openai"), (SONNET, "anthropic"))
        ]
        chain = Chain(models, baseline=Baseline(SONNET, prices[SONNET]))
        for number in range(asked + free):
            row_id = superuser.execute(
                "INSERT INTO generation (owner_id, goal, goal_hash, answers, text, issues,"
                " questions, clauses, generator, confidence, duration_ms, outcome, fallback_reason)"
                " VALUES (%s, 'g', 'h', '{}', '', '[]', '[]', '[]', 'planner', 1, 1, 'offered',"
                " %s) RETURNING id",
                [world.operator.id, "schema" if number < fell else None],
            ).fetchone()[0]
            gate = DirectBooking(world.operator.id, chain, row_id)
            if number < asked:
                gate.close(ended(models[0], "draft", usage))
            if number < fell:
                gate.close(ended(models[1], "fallback", usage))

    return book


def ended(model, role, usage):
    cost = model.price.cost(usage)
    name = model.offered_by
    attempt = Attempt(uuid4(), 1, role, None, name, model.id, "", cost, ended=True)
    return Attempt(**vars(attempt) | {"usage": usage, "cost": cost})


def cells(page, name):
    """Return the texts of the comparison's row of this name."""
    table = page.text.split('id="comparison"')[1].split("</table>")[0]
    rows = [one for one in table.split("<tr")[1:] if name in one]
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in rows[0].split("<td")[1:]]


def figures(page, name):
    return [one.partition(">")[2] if ">" in one else one for one in cells(page, name)]


def save(admin, **changed):
    version = version_of(admin.get(URL))
    return admin.post(URL, {"version": version} | CHOICE | changed)


@pytest.mark.capability(103, 105, 115)
def test_the_classic_example_is_computed(admin, classic):
    page = admin.get(f"{URL}?volume=10000&rate=5")
    both = figures(page, "GPT-6 Luna, then")
    assert both == ["$25.00", "$300.00", "$3,300.00", "91.7 %"]
    assert figures(page, "Sonnet 5.5 alone")[:2] == ["$300.00", "$3,600.00"]
    assert figures(page, "Luna alone")[:2] == ["$10.00", "$120.00"]
    assert figures(page, "Your selection") == both
    assert "10,000 x (1 - 0) x ($0.001 + 0.05 x $0.03)" in page.text
    assert "about 500 of 10,000 fail" in page.text
    assert "at most 96.7 %" in page.text
    assert "The primary model is paid also where it fails." in page.text


def test_no_figure_is_typed_into_a_template():
    texts = [
        re.sub(r"{[%#].*?[%#]}", "", one.read_text())
        for one in TEMPLATES.glob("system_config/*.html")
    ]
    assert [found for text in texts for found in re.findall(r"\$ ?\d|\d ?%(?!})", text)] == []


@pytest.mark.capability(103)
def test_measured_figures_take_the_place_of_assumed_ones(admin, classic, drafted):
    drafted(30, fell=3, free=10)
    page = admin.get(URL)
    assert 'value="40"' in page.text
    assert 'value="10"' in page.text  # 3 of 30
    assert "Fallback, last 7 days: 10.0 % (3 of 30)" in page.text
    assert "Drafted without a model: 25.0 % (10 of 40)" in page.text
    # 2,000 in and 500 out: $0.0018 and $0.054
    assert "40 x (1 - 0.25) x ($0.0018 + 0.1 x $0.054)" in page.text
    assert figures(page, "Your selection")[0] == "$0.216"
    assert "2,000 tokens sent and 500 answered (measured)" in page.text
    assert "first drafts valid: 100.0 % (30 of 30)" in page.text


def test_until_there_are_twenty_generations_figures_are_assumed(admin, drafted):
    assert "the volume is assumed" in admin.get(URL).text
    drafted(19, fell=10)
    page = admin.get(URL)
    assert 'value="19"' in page.text
    assert "10 of 19, too few to rate; 5 % is assumed" in page.text
    assert "1,200 tokens sent and 250 answered (assumed)" in page.text


@pytest.mark.parametrize(
    ("asked", "fell", "said"),
    [(30, 6, "improve the prompt"), (60, 0, "consider switching"), (19, 19, "Too few")],
)
def test_a_measured_rate_that_is_high_or_low_gives_advice(admin, drafted, asked, fell, said):
    drafted(asked, fell=fell)
    assert said in admin.get(URL).text


@pytest.mark.capability(100)
def test_the_choices_are_the_models_of_the_catalogue_with_their_facts(admin, keys, drafted):
    drafted(20)
    page = admin.get(URL)
    with db.reading(None) as session:
        known = model_catalogue.entries(session)
    chosen = page.text.split(f'name="{PRIMARY}"')[1].split("</select>")[0]
    assert set(re.findall(r'<option value="([^"]+)"', chosen)) == set(known)
    assert f'value="{LUNA}" selected>GPT-6 Luna: $0.10 in, $0.50 out, $0.00045 a draft' in chosen
    assert "(retired 2026-06-15)" in chosen
    assert 'label="OpenAI"' in chosen
    assert 'label="Google, no key"' in chosen


@pytest.mark.capability(106, 107)
def test_the_choice_is_saved_as_one_change_and_read_back(admin, keys):
    answer = save(admin, **{PRIMARY: "claude-haiku-5-5", FURTHER: "gpt-6.1-sol"})
    assert answer.status_code == 303
    page = admin.get(URL)
    assert "Stored. Primary model: claude-haiku-5-5; Further models: gpt-6.1-sol." in page.text
    assert 'value="claude-haiku-5-5" selected' in page.text
    assert (stored()[PRIMARY], stored()[FALLBACK]) == ("claude-haiku-5-5", SONNET)
    admin.post(UNDO.search(page.text)[1])
    assert (stored()[PRIMARY], stored()[FURTHER]) == (LUNA, [])


@pytest.mark.capability(101, 102)
def test_a_fallback_that_is_switched_off_stays_visible_with_its_value(admin, keys):
    version = version_of(admin.get(URL))
    admin.post(URL, {"version": version, PRIMARY: LUNA, FALLBACK: "gpt-6.1-sol"})
    assert (stored()[SWITCH], stored()[FALLBACK]) == (False, "gpt-6.1-sol")
    page = admin.get(URL)
    select = re.search(rf'<select id="{FALLBACK}"[^>]*>.*?</select>', page.text, re.DOTALL)[0]
    assert " disabled" in select.split(">")[0]
    assert 'value="gpt-6.1-sol" selected' in select
    assert "Currently disabled" in page.text
    assert f'type="hidden" name="{FALLBACK}" value="gpt-6.1-sol"' in page.text
    assert " checked" not in re.search(rf'<input[^>]*id="{SWITCH}"[^>]*>', page.text)[0]
    save(admin, **{FALLBACK: "gpt-6.1-sol"})
    assert (stored()[SWITCH], stored()[FALLBACK]) == (True, "gpt-6.1-sol")


@pytest.mark.capability(104)
def test_the_help_follows_a_choice_that_is_not_saved(admin, keys, classic):
    page = admin.get(f"{URL}?{PRIMARY}=claude-haiku-5-5&{FALLBACK}={SONNET}&volume=10000")
    assert "Anthropic, fast, key present. $0.10 in and $0.50 out per million tokens" in page.text
    assert "Off: about 500 of 10,000 generations a month fail" in page.text
    assert "<del>gpt-6-luna</del> <ins>claude-haiku-5-5</ins>" in page.text
    assert "<del>on</del> <ins>off</ins>" in page.text
    assert stored()[PRIMARY] == LUNA


def test_refresh_leads_to_the_url_of_the_choice(admin):
    answer = admin.post(f"{URL}/refresh", CHOICE | {PRIMARY: "gpt-5-nano", "version": "1"})
    assert answer.status_code == 303
    assert answer.location == f"{URL}?{PRIMARY}=gpt-5-nano&{FALLBACK}={SONNET}&{SWITCH}=y"
    assert 'value="gpt-5-nano" selected' in admin.get(answer.location).text
    assert stored()[PRIMARY] == LUNA


@pytest.mark.parametrize("place", [PRIMARY, FALLBACK, FURTHER])
def test_a_retired_model_needs_a_confirmation(admin, keys, place):
    answer = save(admin, **{place: RETIRED})
    assert answer.status_code == 422
    assert "Calls will fail: Claude Sonnet 4 is retired" in answer.text
    assert f'value="{RETIRED}" selected' in answer.text
    assert RETIRED not in str(stored())
    answer = save(admin, **{place: RETIRED, "confirm_retired": "y"})
    assert answer.status_code == 303
    assert RETIRED in str(stored()[place])
    assert save(admin, **{place: RETIRED}).status_code == 303  # it is the stored one


def test_a_fallback_equal_to_the_primary_warns_and_is_mended_with_one_click(admin, keys):
    page = admin.get(f"{URL}?{PRIMARY}={LUNA}&{FALLBACK}={LUNA}&{SWITCH}=y")
    assert "Primary and fallback model are the same" in page.text
    save(admin, **{FALLBACK: LUNA})
    page = admin.get(URL)
    assert "Primary and fallback model are the same" in page.text
    fix = {"code": "same_model", "setting": FALLBACK}
    assert 'name="code" value="same_model"' in page.text
    assert admin.post(f"{URL}/fix", fix).status_code == 303
    assert stored()[FALLBACK] == SONNET
    assert "Stored. Fallback model: claude-sonnet-5-5." in admin.get(URL).text
    assert admin.post(f"{URL}/fix", fix).status_code == 409
    assert admin.post(f"{URL}/fix").status_code == 409


@pytest.mark.capability(111)
def test_presets_fill_the_form_and_warn(admin, keys, classic):
    page = admin.get(f"{URL}?volume=10000&rate=5&{PRIMARY}={LUNA}&{FALLBACK}={SONNET}&{SWITCH}=y")
    text = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    assert "Recommended chosen $25.00 a month" in text
    assert "nobody else is asked. About 500 of 10,000 generations a month fail." in text
    assert "It costs 12 times as much as the recommended choice." in text
    for name, expected in (
        ("Maximum savings", (LUNA, False)),
        ("Maximum quality", (SONNET, False)),
        ("Recommended", (LUNA, True)),
    ):
        url = re.search(rf'href="([^"]+)">{name}</a>', page.text)[1].replace("&amp;", "&")
        filled = admin.get(url).text
        assert f'value="{expected[0]}" selected' in filled.split(f'name="{FALLBACK}"')[0]
        is_on = " checked" in re.search(rf'<input[^>]*id="{SWITCH}"[^>]*>', filled)[0]
        assert is_on is expected[1]
    assert stored()[PRIMARY] == LUNA


@pytest.mark.parametrize("query", ["volume=x", "volume=-1", "volume=1.5", "rate=101", "rate=²",
                                   "volume=1e9", "rate=NaN", f"{PRIMARY}=nothing"])  # fmt: skip
def test_what_means_nothing_is_told_and_ignored(admin, query):
    page = admin.get(f"{URL}?{query}")
    assert page.status_code == 200
    assert "Not a known value" in page.text
    assert figures(page, "Your selection")[0].startswith("$")


def test_two_admins_that_save_at_once_do_not_overwrite_each_other(admin, keys, world):
    version = version_of(admin.get(URL))
    settings.change(PRIMARY, "gpt-5-nano", by=world.admin.actor)
    answer = admin.post(URL, {"version": version} | CHOICE | {PRIMARY: "claude-haiku-5-5"})
    assert answer.status_code == 409
    assert "<td>claude-haiku-5-5</td><td>gpt-5-nano</td><td>gpt-6-luna</td>" in answer.text
    assert 'value="claude-haiku-5-5" selected' in answer.text
    assert stored()[PRIMARY] == "gpt-5-nano"


def test_a_model_that_does_not_exist_is_refused(admin):
    answer = save(admin, **{PRIMARY: "gpt-99"})
    assert answer.status_code == 422
    assert "there is no model" in answer.text
    assert stored()[PRIMARY] == LUNA


def test_an_unpriced_model_is_never_free(admin, world):
    new = NewModel("new-one", "openai", "new-one", "New one", "fast", 9_000, 900)
    own_models.add_model(new, by=world.admin.actor)
    page = admin.get(f"{URL}?{PRIMARY}=new-one&{FALLBACK}={SONNET}")
    assert figures(page, "Your selection")[0] == "unpriced"
    assert "its calls count as unpriced, never as free" in page.text


@pytest.mark.parametrize("role", ["operator", "approver", "viewer"])
def test_nobody_else_sees_or_changes_the_models(browse, world, role):
    browser = browse(getattr(world, role))
    assert browser.get(URL).status_code == 403
    for path in ("", "/refresh", "/fix"):
        assert browser.post(URL + path, CHOICE).status_code == 403
    assert stored()[PRIMARY] == LUNA


def test_a_fragment_is_the_section_alone(admin):
    answer = admin.fragment(f"{URL}?volume=10000&rate=5")
    assert answer.text.lstrip().startswith('<div id="pilot"')
    assert "<html" not in answer.text


def test_the_projection_of_a_selection_is_computed_from_what_was_measured(admin, keys, drafted):
    drafted(60, fell=5, free=40)
    page = admin.fragment(f"{URL}?volume=1000&{PRIMARY}=claude-haiku-5-5&{FALLBACK}={SONNET}")
    assert "Not saved yet" in page.text
    chosen, twice = (
        figures(page, "Your selection"),
        admin.fragment(f"{URL}?volume=2000&{PRIMARY}=claude-haiku-5-5&{FALLBACK}={SONNET}"),
    )
    month = Decimal(chosen[0].strip("$"))
    assert month > 0
    assert Decimal(figures(twice, "Your selection")[0].strip("$")) == 2 * month
    assert stored()[PRIMARY] == LUNA


@pytest.mark.browser
@pytest.mark.capability(105, 119)
def test_the_projection_follows_without_a_reload(window, world, keys, classic):
    page = window(world.admin)
    page.goto(f"/system-config#{URL.rsplit('/', 1)[1]}")
    page.evaluate("document.documentElement.dataset.kept = 'yes'")
    selection = page.locator("#comparison tr.selected")
    page.get_by_label("Generations a month").fill("10000")
    selection.get_by_text("$25.00").wait_for()
    assert "91.7 %" in selection.inner_text()
    page.get_by_label("Automatic fallback").uncheck()
    page.get_by_text("Currently disabled").wait_for()
    assert page.get_by_label("Fallback model").is_disabled()
    selection.get_by_text("$10.00").wait_for()
    page.get_by_label("Automatic fallback").check()
    selection.get_by_text("$25.00").wait_for()
    page.get_by_label("Primary model").select_option("claude-haiku-5-5")
    page.get_by_text("Not saved yet").wait_for()
    assert page.get_by_label("Fallback model").input_value() == SONNET
    assert page.evaluate("document.documentElement.dataset.kept") == "yes"
    page.get_by_role("button", name="Save models").click()
    page.get_by_text("Stored. Primary model: claude-haiku-5-5.").wait_for()
    assert stored()[PRIMARY] == "claude-haiku-5-5"
    section = page.locator("details#workflow-pilot")
    section.locator("> summary").click()
    assert not page.get_by_label("Primary model").is_visible()
    assert page.complaints == []


@pytest.mark.browser
@pytest.mark.capability(105)
def test_everything_works_without_script(window, world, keys, classic):
    page = window(world.admin, java_script_enabled=False)
    page.goto(URL)
    page.get_by_label("Generations a month").fill("10000")
    page.get_by_role("button", name="Compute").click()
    assert "91.7 %" in page.locator("#comparison tr.selected").inner_text()
    page.get_by_label("Primary model").select_option("claude-haiku-5-5")
    page.get_by_role("button", name="Refresh").click()
    page.get_by_text("Not saved yet").wait_for()
    page.get_by_role("button", name="Save models").click()
    page.get_by_text("Stored. Primary model: claude-haiku-5-5.").wait_for()
    assert stored()[PRIMARY] == "claude-haiku-5-5"


@pytest.mark.browser
@pytest.mark.capability(102)
def test_the_toggle_moves_only_for_those_who_like_motion(window, world):
    for wish, expected in (("no-preference", True), ("reduce", False)):
        page = window(world.admin, reduced_motion=wish)
        page.goto(URL)
        style = "node => getComputedStyle(node, '::before').transitionDuration"
        lasting = page.get_by_label("Automatic fallback").evaluate(style)
        assert any(float(part.strip("s ")) > 0 for part in lasting.split(",")) is expected


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_axe_finds_nothing_in_the_section(window, world, width, scheme):
    query = f"?{PRIMARY}={RETIRED}&{FALLBACK}={RETIRED}&volume=10000"
    size = {"width": width, "height": 900}
    page = window(world.admin, color_scheme=scheme, viewport=size, bypass_csp=True)
    page.goto(URL + query)
    check_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
