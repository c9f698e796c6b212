"""The coordinator's page says what happens when something fails, and which test shows it. Those tests are there."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
README = TESTS.parent / "coordinator" / "README.md"


def told() -> set[str]:
    text = README.read_text(encoding="utf-8")
    section = text.partition("## What happens when something fails\n")[2].partition("\n## ")[0]
    return set(re.findall(r"`(test_\w+)`", section))


def named_in(*files: Path) -> set[str]:
    trees = [ast.parse(file.read_bytes()) for file in files]
    functions = [
        node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {function.name for function in functions if function.name.startswith("test_")}


def test_every_test_that_is_said_to_show_what_happens_is_there() -> None:
    assert told()
    assert told() - named_in(*TESTS.rglob("test_*.py")) == set()


def test_every_fault_that_is_tested_on_the_real_mesh_is_told_of() -> None:
    faults = named_in(*Path(__file__).parent.glob("test_faults_*.py")) - named_in(Path(__file__))
    assert faults - told() == set()
