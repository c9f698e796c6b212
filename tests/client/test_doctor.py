"""`ffmesh doctor` on a mesh that is well, and on what can go wrong with one."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from ffmesh_client import agents_told
from ffmesh_client.fence_seen import fence_seen, fences_told
from ffmesh_protocol.messages.capability import AgentView, Load
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_warden import fences
from ffmesh_warden.fence import Kind
from support.mesh import RunningMesh, mesh_up, wait_until
from support.mounts import silent_mount

OF_BOTH = ["configuration", "permissions", "broker", "login", "access", "coordinator"]
OF_AGENTS = ["agents", "fences", "versions", "clock", "encoders", "mounts", "room"]
HERE = ["mosquitto", "programs", "roots"]
OF_A_CLIENT = [*OF_BOTH, "keys", *OF_AGENTS, *HERE]
OF_AN_AGENT = [*OF_BOTH, "agents", "versions", "clock", *HERE, "fence", "user", "encoders", "slots", "room"]
MAY_BE_BETTER = {"fences", "limits", "user", "agents"}

WITH_AGENT_ALONE = """
import sys
sys.modules["rich"] = sys.modules["aiosqlite"] = None
from ffmesh_client.command_line import main
sys.exit(main(sys.argv[1:]))
"""
"""As if no other extra were installed."""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningMesh, None, None]:
    folder = tmp_path_factory.mktemp("doctor")
    films = folder / "films"
    films.mkdir()
    with mesh_up(folder / "home", "--root", f"Films={films}") as running:
        yield running


@pytest.fixture(autouse=True)
def no_shims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this machine are none of the mesh's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    listed = json.loads(done.stdout)
    assert all(set(each) == {"check", "ok", "message", "mend"} for each in listed)
    assert all((each["mend"] is None) == each["ok"] for each in listed if each["check"] not in MAY_BE_BETTER)
    assert all(each["mend"] is not None for each in listed if not each["ok"])
    return {each["check"]: each for each in listed}


def wrong(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [check for check, finding in findings(done).items() if not finding["ok"]]


def changed(mesh: RunningMesh, file: Path, before: str, after: str) -> Path:
    """A copy of client.toml with another line."""
    text = mesh.client_toml.read_text(encoding="utf-8")
    lines = [after if line.startswith(before) else line for line in text.splitlines()]
    file.write_text("\n".join(lines), encoding="utf-8")
    file.chmod(0o600)
    return file


def test_a_mesh_that_is_well_has_nothing_wrong(mesh: RunningMesh) -> None:
    done = mesh.ffmesh("doctor", "--json")
    assert list(findings(done)) == OF_A_CLIENT
    assert wrong(done) == []
    assert done.returncode == 0


def test_people_get_a_line_for_each_check(mesh: RunningMesh) -> None:
    done = mesh.ffmesh("doctor", "--home", mesh.home)
    lines = [line.split()[:2] for line in done.stdout.splitlines() if not line.startswith(" ")]
    has_fence = bool(fences.found().kinds)
    assert lines == [["ok" if has_fence or check != "fences" else "note", check] for check in OF_A_CLIENT]
    assert (done.returncode, done.stderr) == (0, "")


def seen_agent(name: str, fence: str | None, unavailable: dict[str, str] | None = None) -> AgentView:
    return AgentView(
        name=name,
        state=AgentState.ONLINE,
        life=None,
        version=None,
        features=(),
        host=None,
        programs={},
        hwaccels=(),
        tried=False,
        roots={},
        slots={},
        fence=fence,
        load=Load(cpu_percent=None, memory_percent=None, temperature_c=None),
        running=(),
        last_seen_at=None,
        encoders=(),
        decoders=(),
        filters=(),
        unavailable=unavailable or {},
    )


def test_a_client_is_told_which_fence_each_agent_has(mesh: RunningMesh) -> None:
    kinds = fences.found().kinds
    said = findings(mesh.ffmesh("doctor", "--json"))["fences"]["message"]
    assert said.startswith(f"agent-1: {kinds[0] if kinds else 'none, because '}")
    why = {"fence": "this kernel has no Landlock"}
    agents = [seen_agent("pi", "landlock"), seen_agent("nas", "none", why), seen_agent("new", None)]
    seen = fences_told([*agents, structs.replace(seen_agent("off", "none"), state=AgentState.OFFLINE)])
    assert seen.ok, "it may be wanted"
    assert seen.message == "pi: landlock; nas: none, because this kernel has no Landlock"
    assert seen.mend == "on nas: `ffmesh doctor` says how to get one"
    assert fences_told(agents[:1]).mend is None


def test_limits_that_an_agent_cannot_keep_are_a_note() -> None:
    unkept = "memory: not in force, because its cgroup has no controller for memory"
    agents = [seen_agent("pi", "landlock"), seen_agent("nas", "landlock", {"limits": unkept})]
    (finding,) = agents_told.limits(agents)
    assert (finding.check, finding.ok, finding.message) == ("limits", True, f"nas: {unkept}")
    assert agents_told.limits(agents[:1]) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has an agent that runs as root, and may give it away")
def test_an_agent_that_runs_as_root_is_a_note_and_no_failure(mesh: RunningMesh, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text((mesh.home / "agents" / "agent-1" / "agent.toml").read_text(encoding="utf-8"), encoding="utf-8")
    file.chmod(0o600)
    done = mesh.ffmesh("doctor", "--config", file)
    assert done.returncode == 0
    assert "note   user" in done.stdout
    assert "better: make a user for it" in done.stdout
    os.chown(file, 65534, 65534)
    finding = findings(mesh.ffmesh("doctor", "--json", "--config", file))["user"]
    assert (finding["ok"], finding["mend"]) == (True, None)


def test_an_agents_file_is_checked_without_disturbing_the_agent(mesh: RunningMesh) -> None:
    file, pid = mesh.home / "agents" / "agent-1" / "agent.toml", mesh.pid("agent-1")
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert list(findings(done)) == OF_AN_AGENT
    assert done.returncode == 0
    assert mesh.pid("agent-1") == pid
    assert "superseded" not in (mesh.home / "logs" / "agent-1.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("wanted", "kinds", "ok", "said"),
    [
        ("on", ("landlock", "bubblewrap"), True, "landlock stands around programs"),
        ("required", ("bubblewrap",), True, "bubblewrap stands around programs"),
        ("on", (), False, "none stands around programs, which can read and write all that this agent can"),
        ("required", (), False, "it takes no work without a fence, and has none (landlock: not here"),
        ("bubblewrap", ("landlock",), False, "it takes no work without a fence, and has none (bubblewrap: not here)"),
        ("off", (), True, "none stands around programs: it is switched off"),
    ],
)
def test_the_fence_in_force_is_said_or_why_there_is_none(
    monkeypatch: pytest.MonkeyPatch, wanted: str, kinds: tuple[Kind, ...], ok: bool, said: str
) -> None:
    missing: dict[Kind, str] = {kind: "not here" for kind in fences.BEST_FIRST if kind not in kinds}
    monkeypatch.setattr(fences, "found", lambda: fences.Found(kinds, missing))
    seen = fence_seen(wanted)
    assert (seen.ok, seen.message[: len(said)]) == (ok, said)
    assert (seen.mend is None) == ok


def test_it_needs_no_other_extra_than_an_agents(mesh: RunningMesh) -> None:
    words = [sys.executable, "-c", WITH_AGENT_ALONE, "doctor", "--home", str(mesh.home)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_broker_that_is_not_there_is_said_soon_with_what_to_do(mesh: RunningMesh, tmp_path: Path) -> None:
    file = changed(mesh, tmp_path / "client.toml", "port =", "port = 1")
    done = mesh.ffmesh("doctor", "--json", "--config", file, seconds=15)
    assert done.returncode == 1
    assert wrong(done) == ["broker", "login", "access", "coordinator", "keys", "agents"]
    agents = mesh.home / "agents" / "agent-1" / "agent.toml"
    agent = tmp_path / "agent.toml"
    agent.write_text(re.sub("port = .*", "port = 1", agents.read_text(encoding="utf-8")), encoding="utf-8")
    agent.chmod(0o600)
    assert wrong(mesh.ffmesh("doctor", "--json", "--config", agent)) == [*wrong(done)[:4], "agents"]
    assert "ffmesh up" in findings(done)["broker"]["mend"]


def test_a_login_that_was_removed_is_told_from_a_broker_that_is_away(mesh: RunningMesh, tmp_path: Path) -> None:
    file = changed(mesh, tmp_path / "client.toml", "name =", 'name = "somebody-else"')
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert wrong(done)[0] == "login"
    assert "principal add somebody-else --role client" in findings(done)["login"]["mend"]


def test_an_agent_that_does_not_run_is_told_so_by_what_the_coordinator_sees(mesh: RunningMesh, tmp_path: Path) -> None:
    token = mesh.ffmesh("principal", "add", "pi-9", "--role", "agent", "--home", mesh.home).stdout.strip()
    mesh.ffmesh("join", token, "--home", tmp_path / "pi-9")
    done = mesh.ffmesh("doctor", "--json", "--home", tmp_path / "pi-9")
    finding = findings(done)["agents"]
    assert (done.returncode, finding["ok"]) == (0, True)
    assert "ffmesh-agent --config" in finding["mend"]


def test_what_an_agent_would_refuse_at_its_start_is_told_by_the_doctor(mesh: RunningMesh, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    agent = (mesh.home / "agents" / "agent-1" / "agent.toml").read_text(encoding="utf-8")
    file.write_text(f'fences = "on"\n{agent}', encoding="utf-8")
    file.chmod(0o600)
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert [each["check"] for each in json.loads(done.stdout)].count("configuration") == 1
    assert (done.returncode, wrong(done)) == (1, ["configuration", "roots"])
    assert "fences" in findings(done)["configuration"]["message"]
    assert "--roots" in findings(done)["roots"]["mend"]


def test_a_root_that_no_agent_has_is_wrong(mesh: RunningMesh, tmp_path: Path) -> None:
    file = changed(mesh, tmp_path / "client.toml", "Films =", f'Series = "{tmp_path}"')
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert wrong(done) == ["mounts"]
    assert "Series" in findings(done)["mounts"]["message"]


def test_a_root_that_is_other_storage_here_than_on_an_agent_is_wrong(tmp_path: Path) -> None:
    films, others = tmp_path / "films", tmp_path / "others"
    films.mkdir()
    others.mkdir()
    (others / ".ffmesh-storage").write_text("another\n")
    with mesh_up(tmp_path / "home", "--root", f"Films={films}") as mesh:
        toml = mesh.home / "agents" / "agent-1" / "agent.toml"
        plain = f'Films = "{films}"'
        toml.write_text(toml.read_text().replace(plain, f'Films = {{ path = "{films}", storage = true }}'))
        agent = mesh.pid("agent-1")
        os.kill(agent, signal.SIGKILL)
        mesh.wait_until_back("agent-1", other_than=agent)
        wait_until(lambda: (films / ".ffmesh-storage").exists(), "no nonce was made", 30.0)
        wait_until(lambda: _storage(mesh) is not None, "it is not told", 30.0)
        assert wrong(mesh.ffmesh("doctor", "--json")) == []
        file = changed(mesh, tmp_path / "client.toml", "Films =", f'Films = "{others}"')
        assert wrong(mesh.ffmesh("doctor", "--json", "--config", file)) == ["storage"]


def _storage(mesh: RunningMesh) -> str | None:
    roots: dict[str, dict[str, str | None]] = json.loads(mesh.ffmesh("agent", "agent-1", "--json").stdout)["roots"]
    return roots["Films"]["storage"]


def test_a_secret_that_is_an_old_one_is_a_login_that_is_refused(mesh: RunningMesh, tmp_path: Path) -> None:
    old = base64.b64encode(bytes(32)).decode()
    file = changed(mesh, tmp_path / "client.toml", "secret =", f'secret = "{old}"')
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert wrong(done) == ["login", "access", "coordinator", "keys", "agents"]
    assert "an old one" in findings(done)["login"]["message"]


def test_a_file_that_others_may_read_is_wrong(mesh: RunningMesh, tmp_path: Path) -> None:
    file = changed(mesh, tmp_path / "client.toml", "-", "-")
    file.chmod(0o644)
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert wrong(done) == ["permissions"]
    assert "chmod 600" in findings(done)["permissions"]["mend"]


def test_a_root_that_is_not_mounted_is_wrong(mesh: RunningMesh, tmp_path: Path) -> None:
    file = changed(mesh, tmp_path / "client.toml", "Films =", 'Films = "/there/is/no/such/folder"')
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert wrong(done) == ["roots"]


def an_agents_file(mesh: RunningMesh, file: Path, films: str) -> Path:
    """A copy of agent.toml with another table of its root."""
    agent = (mesh.home / "agents" / "agent-1" / "agent.toml").read_text(encoding="utf-8")
    path = mesh.home.parent / "films"
    assert f'Films = "{path}"' in agent
    file.write_text(agent.replace(f'Films = "{path}"', f"Films = {{ {films} }}"), encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("said", "message", "mend"),
    [
        ("mount_point = true", "nothing is mounted there", "mount them"),
        ('sentinel = ".mounted"', "the file .mounted is missing in it", "mount them"),
        ('keep_free = "99999 TB"', "free", "make room"),
    ],
)
def test_an_agents_roots_are_seen_as_the_agent_sees_them(
    mesh: RunningMesh, tmp_path: Path, said: str, message: str, mend: str
) -> None:
    films = mesh.home.parent / "films"
    file = an_agents_file(mesh, tmp_path / "agent.toml", f'path = "{films}", {said}')
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert wrong(done) == ["roots"]
    roots = findings(done)["roots"]
    assert message in roots["message"]
    assert mend in roots["mend"]


def test_to_look_at_an_agents_roots_changes_nothing_in_them(mesh: RunningMesh, tmp_path: Path) -> None:
    films = mesh.home.parent / "films"
    for said in ("storage = true", "read_only = true"):
        file = an_agents_file(mesh, tmp_path / "agent.toml", f'path = "{films}", {said}')
        before = films.stat().st_mtime_ns
        assert wrong(mesh.ffmesh("doctor", "--json", "--config", file)) == []
        assert films.stat().st_mtime_ns == before
        assert [each.name for each in tmp_path.iterdir()] == ["agent.toml"]


def test_a_mount_that_never_answers_does_not_keep_the_doctor_from_answering(mesh: RunningMesh, tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    agents = an_agents_file(mesh, tmp_path / "agent.toml", f'path = "{silent}"')
    clients = changed(mesh, tmp_path / "client.toml", "Films =", f'Films = "{silent}"')
    with silent_mount(silent):
        for file, said in ((agents, "it does not answer"), (clients, "does not answer")):
            done = mesh.ffmesh("doctor", "--json", "--config", file)
            assert wrong(done) == ["roots"]
            assert said in findings(done)["roots"]["message"]


def test_an_agent_without_its_programs_is_told_how_to_get_them(mesh: RunningMesh, tmp_path: Path) -> None:
    agent = (mesh.home / "agents" / "agent-1" / "agent.toml").read_text(encoding="utf-8")
    file = tmp_path / "agent.toml"
    file.write_text(agent.replace('ffmpeg = ""', 'ffmpeg = "/there/is/no/ffmpeg"'), encoding="utf-8")
    file.chmod(0o600)
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert wrong(done) == ["programs"]
    assert "/there/is/no/ffmpeg" in findings(done)["programs"]["message"]


def test_no_configuration_at_all_is_a_finding_too(tmp_path: Path) -> None:
    nowhere = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    nowhere.pop("FFMESH_CONFIG", None)
    for options in (["--home", str(tmp_path)], ["--config", str(tmp_path / "client.toml")]):
        words = [sys.executable, "-m", "ffmesh_client", "doctor", "--json", *options]
        done = subprocess.run(words, env=nowhere, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, wrong(done)) == (1, ["configuration"]), done.stderr


def test_a_file_that_is_no_configuration_is_one_finding_and_no_traceback(mesh: RunningMesh, tmp_path: Path) -> None:
    file = tmp_path / "client.toml"
    file.write_text("this is no TOML", encoding="utf-8")
    done = mesh.ffmesh("doctor", "--json", "--config", file)
    assert (done.returncode, wrong(done), done.stderr) == (1, ["configuration"], "")


def test_a_coordinator_that_is_stuck_does_not_answer(tmp_path: Path) -> None:
    with mesh_up(tmp_path / "home") as mesh:
        os.kill(mesh.pid("coordinator"), signal.SIGSTOP)
        done = mesh.ffmesh("doctor", "--json", seconds=20)
        assert wrong(done) == ["keys", "agents", "fences"]
        assert done.returncode == 1
