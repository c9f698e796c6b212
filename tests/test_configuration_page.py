"""docs/configuration.md has every key of every file, as the code reads them, and says what each means."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
INTERNAL = {"FFMESH_LD_LIBRARY_PATH", "FFMESH_LD_PRELOAD", "FFMESH_PROGRAM"}
"""Between two processes of the shim, which take them from each other alone."""


@pytest.fixture(scope="module")
def configuration() -> ModuleType:
    spec = importlib.util.spec_from_file_location("configuration", ROOT / "scripts" / "configuration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names of annotations
    spec.loader.exec_module(module)
    return module


def test_every_key_has_a_meaning_and_nothing_else_has(configuration: ModuleType) -> None:
    assert configuration.missing() == []


def test_the_page_is_what_the_code_says_now(configuration: ModuleType) -> None:
    assert configuration.PAGE.read_text(encoding="utf-8") == configuration.page(), "run `make pages`"


def test_keys_of_tables_within_tables_are_found(configuration: ModuleType) -> None:
    paths = {key.path for key in configuration.keys(configuration.STRUCTS["agent.toml"])}
    assert {"broker.port", "limits.nice", "roots.NAME", "roots.NAME.mount_point", "programs.NAME"} <= paths


def test_a_meaning_may_be_one_for_all_tables_that_have_the_key(configuration: ModuleType) -> None:
    said = {"a.*.c": "for each", "a.b.c": "for this one", "c": "at the top"}
    assert [configuration.meant(path, said) for path in ("a.b.c", "a.x.c", "c", "a.c", "b.x.c")] == [
        "a.b.c",
        "a.*.c",
        "c",
        None,
        None,
    ]


def test_every_variable_of_the_environment_that_is_looked_at_is_on_the_page(configuration: ModuleType) -> None:
    sources = [path for path in ROOT.glob("*/ffmesh_*/**/*") if path.suffix in (".py", ".sh")]
    variable = re.compile(r"\b(?:FFMESH|NOTIFY|WATCHDOG|XDG)_[A-Z_]*[A-Z]\b")
    names = {name for path in sources for name in variable.findall(path.read_text())}
    assert names - INTERNAL == configuration.meanings()["environment"].keys()


def test_the_help_of_the_coordinator_names_every_key_of_its_file(configuration: ModuleType) -> None:
    from ffmesh_coordinator.__main__ import EPILOG

    shown = tomllib.loads("".join(line for line in EPILOG.splitlines(keepends=True) if line.startswith("  ")))
    named = {f"broker.{key}" for key in shown.pop("broker")} | shown.keys()
    assert named == {key.path for key in configuration.keys(configuration.STRUCTS["coordinator.toml"])}
