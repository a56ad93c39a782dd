"""Rules of the whole repository that no linter knows: sizes, seams, names, files that belong."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.capabilities import TABLE, rows

ROOT = Path(__file__).parent.parent
PILOT = ROOT / "pilot"
FILE_LINES = 400
FUNCTION_LINES = 60

# Where a connection is committed: the one way to write, and the worker's group commit.
COMMITTERS = {"pilot/db.py", "pilot/engine/running/writer.py", "pilot/worker/writer.py"}
PROCESS_STARTERS = re.compile(r"pilot/(services|worker)(/|\.py$)")
CODE_FROM_DATA = {"eval", "exec", "compile", "__import__"}
CODE_MODULES = {"pickle", "marshal", "shelve", "dill"}
PROCESS_CALLS = re.compile(r"os\.(system|popen|exec\w+|spawn\w+|posix_spawn\w*|fork\w*)$")
OTHER_CLOCKS = re.compile(r"\bnow\(\)|\bCURRENT_TIMESTAMP\b|\bclock_timestamp\(\)", re.IGNORECASE)
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[abp]-[0-9A-Za-z-]{20,}"
)
NAMES_THAT_SAY_NOTHING = re.compile(r"(Service|Manager|Helper|Handler|Processor|Factory)s?$")
MODULES_THAT_SAY_NOTHING = {"utils", "util", "common", "misc", "helper", "helpers", "tools"}


@cache
def files():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def tracked(*suffixes):
    return [path for path in files() if path.name.endswith(suffixes) and "vendor" not in path.parts]


def sources(folder=PILOT):
    return sorted(path for path in tracked(".py") if path.is_relative_to(folder))


def short(path):
    return str(path.relative_to(ROOT))


@cache
def all_nodes(path):
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def nodes(path, *kinds):
    return [node for node in all_nodes(path) if isinstance(node, kinds)]


@cache
def calls(path):
    return [(ast.unparse(node.func), node) for node in nodes(path, ast.Call)]


def test_no_file_is_too_long():
    lengths = {short(path): len(path.read_text("utf-8").splitlines()) for path in tracked(".py")}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_function_is_too_long():
    found = [
        (short(path), node.name)
        for path in tracked(".py")
        for node in nodes(path, ast.FunctionDef, ast.AsyncFunctionDef)
        if node.end_lineno - node.lineno >= FUNCTION_LINES
    ]
    assert found == []


def test_only_the_known_seams_commit():
    found = {
        short(path)
        for path in sources()
        for name, _ in calls(path)
        if name.endswith(".commit") and short(path) not in COMMITTERS
    }
    assert found == set()


def test_data_never_becomes_code():
    found = [
        (short(path), name)
        for path in sources()
        for name, _ in calls(path)
        if name in CODE_FROM_DATA or name in {"yaml.load", "render_template_string"}
    ]
    assert found == []


def test_nothing_that_runs_code_when_it_is_read_is_imported():
    found = [
        (short(path), alias.name)
        for path in sources()
        for node in nodes(path, ast.Import, ast.ImportFrom)
        for alias in [ast.alias(getattr(node, "module", "") or ""), *node.names]
        if alias.name.partition(".")[0] in CODE_MODULES
    ]
    assert found == []


def test_only_services_and_worker_start_processes():
    found = [
        short(path)
        for path in sources()
        if not PROCESS_STARTERS.match(short(path))
        and (
            re.search(
                r"^(import|from) (subprocess|multiprocessing)\b", path.read_text(), re.MULTILINE
            )
            or any(PROCESS_CALLS.match(name) for name, _ in calls(path))
        )
    ]
    assert found == []


def test_sql_knows_one_clock():
    found = [
        (short(path), node.value[:60])
        for path in [*sources(), *sources(ROOT / "migrations")]
        for node in nodes(path, ast.Constant)
        if isinstance(node.value, str) and OTHER_CLOCKS.search(_without_comments(node.value))
    ]
    assert [each for each in found if each[0] != "migrations/versions/0001_people.py"] == []


def _without_comments(text):
    """Drop SQL comments, and the prose of docstrings, which has no statement in it."""
    statements = re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|DEFAULT)\b", text)
    return re.sub(r"--.*", "", text) if statements else ""


def test_every_route_goes_through_the_one_that_asks_who_may():
    found = [
        (short(path), name)
        for path in sources()
        for name, call in calls(path)
        if (
            re.search(r"\.(route|get|post|add_url_rule)$", name)
            and re.match(r"(bp|app|blueprint)\.", name)
        )
        or (name == "route" and "allow" not in {word.arg for word in call.keywords})
    ]
    allowed = {"pilot/views/__init__.py", "pilot/web/__init__.py", "pilot/api/__init__.py"}
    assert [each for each in found if each[0] not in allowed] == []


@pytest.mark.parametrize(
    ("folder", "mirror"),
    [
        ("engine/steps", "engine/steps"),
        ("llm/providers", "llm/providers"),
        ("plugins", "plugins"),
    ],
)
def test_every_variant_has_its_test_file(folder, mirror):
    variants = {path.stem for path in (PILOT / folder).glob("*") if path.stem[0] not in "_."}
    tested = {path.stem for path in (ROOT / "tests" / mirror).glob("test_*.py")}
    missing = {
        name for name in variants if not any(test.startswith(f"test_{name}") for test in tested)
    }
    assert missing == set()


def test_names_say_what_a_thing_is():
    modules = {path.stem for path in sources()} & MODULES_THAT_SAY_NOTHING
    classes = {
        (short(path), node.name)
        for path in sources()
        for node in nodes(path, ast.ClassDef)
        if NAMES_THAT_SAY_NOTHING.search(node.name)
    }
    assert (modules, classes) == (set(), set())


def test_no_work_is_left_as_a_note():
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    texts = tracked(".py", ".html", ".css", ".js", ".md")
    assert [short(path) for path in texts if marks.search(path.read_text("utf-8"))] == []


def test_no_secret_is_in_the_repository():
    texts = tracked(".py", ".md", ".toml", ".yaml", ".json", ".html", ".js", ".txt", ".lock")
    found = [short(path) for path in texts if SECRETS.search(path.read_text("utf-8"))]
    assert [name for name in found if not name.startswith("tests/")] == []


def test_templates_never_trust_a_value():
    found = [short(p) for p in tracked(".html") if re.search(r"\|\s*safe\b", p.read_text("utf-8"))]
    assert found == []


def test_every_folder_of_tests_is_a_package():
    folders = {path.parent for path in tracked(".py") if path.is_relative_to(ROOT / "tests")}
    assert [short(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_marks_name_rows_that_exist():
    known = set(rows(TABLE.read_text("utf-8")))
    for path in sources(ROOT / "tests"):
        for numbers in re.findall(r"mark\.capability\(([\d, ]+)\)", path.read_text("utf-8")):
            assert {int(number) for number in numbers.split(",") if number.strip()} <= known, path


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-uv"])
def test_every_locked_package_has_hashes(name):
    text = (ROOT / f"{name}.lock").read_text("utf-8")
    entries = re.split(r"^(?=[a-zA-Z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) >= 1
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_tests_run_with_the_versions_that_are_shipped():
    shipped, tested = (
        dict(
            re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
        )
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert len(shipped) > 20
    assert {name: pin for name, pin in shipped.items() if tested.get(name) != pin} == {}


def test_the_readme_is_short_and_its_commands_exist():
    readme = (ROOT / "README.md").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)(?:\w+=\S+ )*make ([a-z]+)", readme, re.MULTILINE))
    assert len(readme.splitlines()) < 120
    assert {"run", "test"} <= named <= targets
    links = re.findall(r"\]\((?!https?:)([^)#]+)", readme)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_tests_of_the_engine_stand_in_its_rooms():
    flat = {f"test_{path.name}" for path in (PILOT / "engine").glob("*.py")}
    assert {path.name for path in (ROOT / "tests" / "engine").glob("test_*.py")} <= flat
