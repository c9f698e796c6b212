"""A Raspberry Pi that only works installs `ffmesh[agent]`: what that needs, and what works with it alone.

And a checkout, wherever it lies, finds its own packages.
"""

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"
NOT_FOR_AGENTS = ("aiosqlite", "rich", "textual")

WITHOUT = f"""
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_FOR_AGENTS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())

import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {NOT_FOR_AGENTS!r} else find(name, package)
"""
"""As if only the extra `agent` were installed."""


def test_the_extra_agent_pulls_in_no_database_and_nothing_that_draws() -> None:
    needed = set(_needed("ffmesh", "agent"))
    assert {"msgspec", "aiomqtt", "paho-mqtt", "psutil"} <= needed
    assert not set(NOT_FOR_AGENTS) & needed


def test_the_other_extras_bring_what_their_commands_need() -> None:
    assert {"aiosqlite", "rich", "psutil"} <= set(_needed("ffmesh", "all"))
    assert "aiosqlite" in set(_needed("ffmesh", "coordinator"))
    assert {"rich", "textual"} <= set(_needed("ffmesh", "client"))


@pytest.mark.parametrize(
    "module",
    ["ffmesh_agent.__main__", "ffmesh_agent.shell.runtime", "ffmesh_warden.process", "ffmesh_client.__main__"],
)
def test_what_an_agent_runs_can_be_imported_with_its_extra_alone(module: str) -> None:
    done = _python(f"import importlib; importlib.import_module({module!r})")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["join", "doctor"])
def test_a_command_that_an_agents_machine_needs_works_with_its_extra_alone(command: str) -> None:
    done = _ffmesh(command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: ffmesh {command}")


def test_doctor_examines_with_the_extra_agent_alone() -> None:
    done = _ffmesh("doctor", "--json", "--config", "/nowhere/agent.toml")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("[")


@pytest.mark.parametrize(
    "words", [["jobs"], ["run", "--", "ffmpeg"], ["wait", "x"], ["agents", "--json"]], ids=" ".join
)
def test_any_other_command_names_the_extra_that_it_needs(words: list[str]) -> None:
    done = _ffmesh(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "ffmesh[client]" in done.stderr


@pytest.mark.parametrize(
    ("words", "extra"), [(["up"], "all"), (["principal", "list"], "coordinator")], ids=["up", "principal"]
)
def test_a_command_of_the_coordinators_machine_names_its_extra(words: list[str], extra: str) -> None:
    done = _ffmesh(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"ffmesh[{extra}]" in done.stderr or "ffmesh[client]" in done.stderr


def test_the_overview_needs_no_extra() -> None:
    assert _ffmesh("--help").returncode == 0
    assert _ffmesh("--version").returncode == 0


def test_a_checkout_whose_path_is_not_ascii_works_in_every_locale(tmp_path: Path) -> None:
    checkout = tmp_path / "Töpfe # & Pfannen"  # sed would take # for an end and & for the match
    environment, source = checkout / ".venv", checkout / "agent"
    source.mkdir(parents=True)
    (source / "of_this_checkout.py").touch()
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/python3.*/site-packages")
    (packages / "_editable_impl_ffmesh.pth").write_bytes(os.fsencode(f"{source}\n{source}"))
    subprocess.run(["sh", SCRIPTS / "relative-imports", ".venv"], cwd=checkout, check=True)
    for locale in ("C", "C.UTF-8"):
        done = subprocess.run(
            [environment / "bin" / "python", "-c", "import of_this_checkout"],
            env={"LC_ALL": locale},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")


def _ffmesh(*words: str) -> "subprocess.CompletedProcess[str]":
    return _python(
        f"import sys; sys.argv = ['ffmesh', *{words!r}]; import ffmesh_client.__main__ as m; sys.exit(m.main())"
    )


def _python(program: str) -> "subprocess.CompletedProcess[str]":
    assert all(map(find_spec, NOT_FOR_AGENTS)), "else nothing is shown"
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _needed(distribution: str, *extras: str) -> Iterator[str]:
    """All distributions that are needed with these extras, found in what is installed."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    ahead = [(distribution, extras)]
    while ahead:
        name, wanted = ahead.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        if name != distribution:
            yield name
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue  # for another system
        for line in lines:
            requirement, _, marker = line.partition(";")
            if "extra" in marker and not any(re.search(rf"""extra == ["']{each}["']""", marker) for each in wanted):
                continue
            found = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?", requirement)
            assert found is not None, line
            more = tuple(each.strip() for each in (found[2] or "").split(",") if each.strip())
            ahead.append((re.sub(r"[-_.]+", "-", found[1]).lower(), more))
