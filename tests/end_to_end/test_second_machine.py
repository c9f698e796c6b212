"""A second machine joins the first by docs/second-machine.md: its lines are run as they stand there, one by one."""

import hashlib
import json
from collections.abc import Generator
from pathlib import Path

import pytest

from support.mesh import wait_until
from support.two_machines import Machine, two_machines

PAGE = Path(__file__).parents[2] / "docs" / "second-machine.md"
LINES_AT_MOST = 10

FIRST, SECOND = "192.168.1.10", "192.168.1.11"
MAKE_FILM = "ffmpeg -v error -f lavfi -i testsrc=duration=1:size=64x64:rate=5 -bitexact"


@pytest.fixture
def machines() -> Generator[tuple[Machine, Machine], None, None]:
    with two_machines(FIRST, SECOND) as both:
        yield both


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second):
        (home / "films").mkdir(parents=True)
    return first, second


def blocks() -> list[list[str]]:
    """The lines to type, in the order of the page."""
    found: list[list[str]] = [[]]
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("    "):
            found[-1].append(line.strip())
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


def test_the_page_has_ten_lines_at_most() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line]
    assert len(lines) <= LINES_AT_MOST, lines


def test_a_second_machine_joins_by_the_lines_of_the_page(
    machines: tuple[Machine, Machine], homes: tuple[Path, Path]
) -> None:
    at_first, at_second, at_last = blocks()
    token = typed(machines[0], homes[0], at_first)
    assert token.startswith("ffmesh1.")
    typed(machines[1], homes[1], [line.replace("TOKEN", token.strip()) for line in at_second])
    typed(machines[0], homes[0], at_last)
    wait_until(lambda: states(machines[0], homes[0]) == {"pi-1": "online"}, "pi-1 is not online", 30.0)
    # What they were brought together for: the first asks, the second works, and the bytes come back.
    typed(machines[0], homes[0], [f"ffmesh run -- {MAKE_FILM} -c:v mpeg4 -f avi - >film.avi"])
    typed(machines[0], homes[0], [f"{MAKE_FILM} -c:v mpeg4 -f avi - >same.avi"])
    assert _hash(homes[0] / "film.avi") == _hash(homes[0] / "same.avi")


def test_a_broker_that_listens_everywhere_is_found_by_the_address_of_its_network(
    machines: tuple[Machine, Machine], homes: tuple[Path, Path]
) -> None:
    home = homes[0] / "ffmesh"
    told = json.loads(typed(machines[0], homes[0], [f"ffmesh-coordinator init --home {home} --listen 0.0.0.0 --json"]))
    assert told["address"] == FIRST
    typed(machines[0], homes[0], [f"ffmesh-coordinator --config {home}/coordinator.toml &"])
    token = typed(machines[0], homes[0], [f"ffmesh principal add laptop --role client --home {home}"]).strip()
    typed(machines[1], homes[1], [f"ffmesh join {token}"])
    wait_until(
        lambda: machines[1].run("ffmesh agents --json", home=homes[1]).stdout.strip() == "[]", "nobody answers", 30.0
    )


def typed(machine: Machine, home: Path, lines: list[str]) -> str:
    """What the last of them printed."""
    said = ""
    for line in lines:
        done = machine.run(line, home=home)
        assert done.returncode == 0, (line, done.stderr)
        said = done.stdout
    return said


def states(machine: Machine, home: Path) -> dict[str, str]:
    done = machine.run("ffmesh agents --json", home=home)
    return {agent["name"]: agent["state"] for agent in json.loads(done.stdout or "[]")}


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
