"""`ffmesh principal`: the coordinator's command, by way of the client's."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from ffmesh_protocol.names import Role
from ffmesh_protocol.tokens import understood
from support.mesh import RunningMesh, mesh_up


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningMesh, None, None]:
    with mesh_up(tmp_path_factory.mktemp("principal") / "home") as running:
        yield running


def test_what_up_has_made_is_listed(mesh: RunningMesh) -> None:
    done = mesh.ffmesh("principal", "list", "--json", "--home", mesh.home)
    listed = {each["name"]: each["role"] for each in json.loads(done.stdout)}
    assert {"local": "client", "watcher": "watcher", "agent-1": "agent"}.items() <= listed.items()
    assert done.returncode == 0


def test_options_may_stand_before_and_behind_the_verb(mesh: RunningMesh) -> None:
    before = mesh.ffmesh("--json", "principal", "--home", mesh.home, "list")
    behind = mesh.ffmesh("principal", "list", "--home", mesh.home, "--json", "--config", "x")
    assert before.stdout == behind.stdout
    assert json.loads(before.stdout)


def test_an_agent_gets_a_token_alone_on_its_line(mesh: RunningMesh) -> None:
    done = mesh.ffmesh("principal", "add", "pi-1", "--role", "agent", "--home", mesh.home)
    token = understood(done.stdout)
    assert (token.role, token.name) == (Role.AGENTS, "pi-1")
    assert len(done.stdout.splitlines()) == 1


def test_a_controller_gets_a_login_and_no_token(mesh: RunningMesh) -> None:
    done = mesh.ffmesh("principal", "add", "wall", "--role", "controller", "--json", "--home", mesh.home)
    told = json.loads(done.stdout)
    assert told["username"] == "controllers/wall"
    assert "token" not in told


def test_who_is_removed_is_gone_and_cannot_be_removed_again(mesh: RunningMesh) -> None:
    mesh.ffmesh("principal", "add", "guest", "--role", "client", "--home", mesh.home)
    assert mesh.ffmesh("principal", "remove", "guest", "--home", mesh.home).returncode == 0
    again = mesh.ffmesh("principal", "remove", "guest", "--home", mesh.home)
    assert again.returncode == 1
    assert "guest" in again.stderr


def test_it_works_without_a_coordinator_that_runs(tmp_path: Path) -> None:
    with mesh_up(tmp_path / "home") as mesh:
        mesh.stop()
        mesh.wait_until_gone()
        added = mesh.ffmesh("principal", "add", "pi-1", "--role", "agent", "--home", mesh.home)
        assert (added.returncode, added.stderr) == (0, "")
        listed = mesh.ffmesh("principal", "list", "--home", mesh.home)
        assert "pi-1" in listed.stdout


def test_errors_begin_as_all_of_ffmesh_do(mesh: RunningMesh, tmp_path: Path) -> None:
    refused = mesh.ffmesh("principal", "remove", "nobody", "--home", mesh.home)
    elsewhere = mesh.ffmesh("principal", "list", "--home", tmp_path)
    odd = mesh.ffmesh("principal", "list", "--home=-x")
    assert (refused.returncode, elsewhere.returncode, odd.returncode) == (1, 2, 2)
    for done in (refused, elsewhere, odd):
        (line,) = done.stderr.splitlines()
        assert line.startswith("ffmesh: ")


@pytest.mark.parametrize(
    "words",
    [
        ("principal",),
        ("principal", "rotate"),
        ("principal", "add", "pi-1"),
        ("principal", "add", "pi-1", "--role", "king"),
        ("principal", "remove"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(mesh: RunningMesh, words: tuple[str, ...]) -> None:
    done = mesh.ffmesh(*words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_help_names_what_there_is(mesh: RunningMesh) -> None:
    done = mesh.ffmesh("principal", "--help")
    assert all(verb in done.stdout for verb in ("add", "list", "remove", "rotate"))


def test_who_is_rotated_gets_a_token_of_the_next_generation(mesh: RunningMesh) -> None:
    before = mesh.ffmesh("principal", "add", "pi-2", "--role", "agent", "--home", mesh.home)
    after = mesh.ffmesh("principal", "rotate", "pi-2", "--home", mesh.home)
    assert (after.returncode, after.stderr) == (0, "")
    assert (understood(before.stdout).kid, understood(after.stdout).kid) == (1, 2)
    again = json.loads(mesh.ffmesh("principal", "rotate", "pi-2", "--json", "--home", mesh.home).stdout)
    assert (again["name"], again["role"], understood(again["token"]).kid) == ("pi-2", "agent", 3)
