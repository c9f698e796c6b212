"""What the README says of the core: the picture of a job's phases, and the table of modules."""

import re
from pathlib import Path

from ffmesh_coordinator.core.lifecycle import ENDED, FIRST, LIFECYCLE, Phase

README = Path(__file__).parents[3] / "coordinator" / "README.md"


def drawn() -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {FIRST}"]
    lines += [f"    {phase} --> {after}: {step}" for phase, steps in LIFECYCLE.items() for step, after in steps.items()]
    lines += [f"    {phase} --> [*]" for phase in Phase if phase in ENDED]
    return "\n".join([*lines, "```"])


def test_the_readme_draws_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    picture = text.partition("<!-- lifecycle -->\n")[2].partition("\n<!-- /lifecycle -->")[0]
    assert picture == drawn()


def test_the_readme_says_of_every_module_of_the_core_what_it_is_about() -> None:
    table = README.read_text(encoding="utf-8").partition("| module |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:]))
    core = README.parent / "ffmesh_coordinator" / "core"
    assert sorted(named) == sorted(path.stem for path in core.glob("*.py") if path.stem != "__init__")
