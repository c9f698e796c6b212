"""The picture of a job's phases in the README is drawn from the table in the code."""

from pathlib import Path

from ffmesh_coordinator.core.lifecycle import ENDED, LIFECYCLE, Phase

README = Path(__file__).parents[3] / "coordinator" / "README.md"


def drawn() -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {Phase.QUEUED}"]
    lines += [f"    {phase} --> {after}: {step}" for phase, steps in LIFECYCLE.items() for step, after in steps.items()]
    lines += [f"    {phase} --> [*]" for phase in Phase if phase in ENDED]
    return "\n".join([*lines, "```"])


def test_the_readme_draws_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    picture = text.partition("<!-- lifecycle -->\n")[2].partition("\n<!-- /lifecycle -->")[0]
    assert picture == drawn()
