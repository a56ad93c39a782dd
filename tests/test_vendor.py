import hashlib
from pathlib import Path

import pilot

VENDOR = Path(pilot.__file__).parent / "static" / "vendor"


def entries():
    lines = (VENDOR / "vendor.txt").read_text().splitlines()
    return [line.split(" | ") for line in lines if line and not line.startswith("#")]


def test_vendored_files_are_those_that_were_vetted():
    for _, _, _, digest, name in entries():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_every_vendored_file_is_listed_with_its_licence():
    found = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert found - {"vendor.txt"} == {name for *_, name in entries()}
    for version, package, licence, _, name in entries():
        folder = VENDOR / Path(name).parent
        assert folder.name.endswith(f"-{version}")
        assert package.endswith(f"@{version}")
        assert licence
        assert (folder / "LICENSE").is_file()


def test_vendored_scripts_load_nothing_from_elsewhere():
    for path in VENDOR.rglob("*.js"):
        text = path.read_text()
        assert "sourceMappingURL" not in text
        assert "importScripts" not in text
        assert "https://" not in text.replace("https://four.htmx.org", "")
