"""`ffmesh up` from outside: real processes, a real Mosquitto, a real ffmpeg."""

import asyncio
import json
import os
import signal
import socket
import stat
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w

from ffmesh_protocol.bus import BrokerAddress, Subscription, connected
from ffmesh_protocol.topics import Topics
from support.mesh import RunningMesh, first_line, is_alive, mesh_starting, mesh_up, wait_until

FOR_EVER = ("ffmpeg", "-re", "-f", "lavfi", "-i", "testsrc", "-f", "null", "-")
SECONDS = 20.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "the häuschen"


def check_that_a_job_runs(mesh: RunningMesh) -> None:
    done = mesh.ffmesh("run", "--", "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=0.1", "-f", "null", "-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def runs_for_ever(mesh: RunningMesh) -> int:
    """Hands in a job without an end: the pid of its ffmpeg."""
    handed_in = mesh.ffmesh("submit", "--", *FOR_EVER)
    assert handed_in.returncode == 0, handed_in.stderr

    def ffmpegs() -> list[int]:
        return [pid for pid, words in mesh.living().items() if words.startswith("ffmpeg ") or "/ffmpeg " in words]

    wait_until(lambda: len(ffmpegs()) == 1, "ffmpeg does not run", SECONDS)
    return ffmpegs()[0]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_ready_is_the_one_line_on_standard_output_and_names_a_configuration_with_which_a_job_runs(home: Path) -> None:
    with mesh_up(home) as mesh:
        check_that_a_job_runs(mesh)
        assert mesh.stop() == 0
        assert mesh.process.stdout is not None
        assert mesh.process.stdout.read() == b""


def test_every_part_has_a_pid_file_that_names_it(home: Path) -> None:
    with mesh_up(home, "--agents", "2") as mesh:
        names = {part: mesh.living()[pid] for part, pid in mesh.pids().items()}
        assert set(names) == {"broker", "coordinator", "agent-1", "agent-2"}
        assert "mosquitto" in names["broker"]
        assert "ffmesh_coordinator" in names["coordinator"]
        assert "agents/agent-2/agent.toml" in names["agent-2"]


def test_secrets_are_for_their_owner_alone(home: Path) -> None:
    before = os.umask(0)
    try:
        with mesh_up(home):
            folders = [home, *(path for path in home.iterdir() if path.is_dir())]
            assert {str(path): oct(mode(path)) for path in folders if mode(path) != 0o700} == {}
            secret = [file for name in ("*.toml", "*.db*", "*.key", "passwords", "*.log") for file in home.rglob(name)]
            assert {str(path): oct(mode(path)) for path in secret if mode(path) != 0o600} == {}
    finally:
        os.umask(before)


async def test_the_watcher_is_told_a_broker_login(home: Path) -> None:
    with mesh_up(home) as mesh:
        login = tomllib.loads(mesh.watcher_toml.read_text(encoding="utf-8"))
        status = Subscription(topic=Topics(login.pop("cluster")).coordinator_status())
        async with connected(BrokerAddress(**login), client_id="watchers/watcher/test", subscriptions=[status]) as bus:
            async with asyncio.timeout(SECONDS):
                packets = await bus.received()
        assert b'"state":"online"' in packets[0].payload


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_all_and_the_files_stay(home: Path, number: signal.Signals) -> None:
    with mesh_up(home, "--agents", "2") as mesh:
        runs_for_ever(mesh)
        assert mesh.stop(number) == 0
        mesh.wait_until_gone()
        assert list((home / "run").glob("*.pid")) == []
        assert mesh.client_toml.exists()


def test_programs_are_asked_to_end_before_they_are_killed(home: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program = (
        "import pathlib, signal, sys; "
        "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('asked').touch(), sys.exit())); "
        "pathlib.Path('runs').touch(); signal.pause()"
    )
    with mesh_up(home, "--root", f"Here={tmp_path}", "--program", f"python={sys.executable}") as mesh:
        mesh.start("run", "--", "python", "-c", program, cwd=tmp_path)
        wait_until((tmp_path / "runs").exists, "the program does not run", SECONDS)
        assert not asked.exists()
        assert mesh.stop() == 0
        mesh.wait_until_gone()
        assert asked.exists()


def test_a_part_that_does_not_react_is_killed_after_a_moment(home: Path) -> None:
    with mesh_up(home) as mesh:
        os.kill(mesh.pid("coordinator"), signal.SIGSTOP)
        assert mesh.stop() == 0
        mesh.wait_until_gone()


def test_a_second_signal_is_no_failure_either(home: Path) -> None:
    with mesh_up(home) as mesh:
        os.kill(mesh.pid("coordinator"), signal.SIGSTOP)
        mesh.process.send_signal(signal.SIGINT)
        assert mesh.stop(signal.SIGINT) == 0
        mesh.wait_until_gone()


def test_killed_with_sigkill_it_leaves_nothing_behind(home: Path) -> None:
    with mesh_up(home, "--agents", "2") as mesh:
        ffmpeg = runs_for_ever(mesh)
        assert mesh.stop(signal.SIGKILL) == -signal.SIGKILL
        mesh.wait_until_gone()
        assert not is_alive(ffmpeg)


def test_after_a_sigkill_the_next_one_goes_on_at_once_on_the_same_port(home: Path) -> None:
    with mesh_up(home) as mesh:
        port = tomllib.loads(mesh.client_toml.read_text(encoding="utf-8"))["broker"]["port"]
        mesh.stop(signal.SIGKILL)
        with mesh_up(home) as next_mesh:
            client = tomllib.loads(next_mesh.client_toml.read_text(encoding="utf-8"))
            assert client["broker"]["port"] == port
            check_that_a_job_runs(next_mesh)


def test_the_death_of_its_warden_ends_it_all_and_is_a_failure(home: Path) -> None:
    with mesh_up(home) as mesh:
        ffmpeg = runs_for_ever(mesh)
        os.kill(mesh.warden_of(mesh.process.pid), signal.SIGKILL)
        assert mesh.process.wait(SECONDS) == 1
        mesh.wait_until_gone()
        assert not is_alive(ffmpeg)
        assert "was killed" in mesh.said()


@pytest.mark.parametrize("part", ["broker", "coordinator", "agent-1"])
def test_a_part_that_is_killed_is_back_and_the_others_never_left(home: Path, part: str) -> None:
    with mesh_up(home, "--agents", "2") as mesh:
        before = mesh.pids()
        os.kill(before[part], signal.SIGKILL)
        mesh.wait_until_back(part, other_than=before[part])
        after = mesh.pids()
        assert {each for each in before if before[each] != after.get(each)} == {part}
        check_that_a_job_runs(mesh)
        assert f"{part} was killed by SIGKILL" in mesh.said()


def test_a_program_does_not_outlive_its_agent(home: Path) -> None:
    with mesh_up(home) as mesh:
        ffmpeg, agent = runs_for_ever(mesh), mesh.pid("agent-1")
        os.kill(agent, signal.SIGKILL)
        wait_until(lambda: not is_alive(ffmpeg), "ffmpeg has outlived its agent", SECONDS)
        mesh.wait_until_back("agent-1", other_than=agent)


def test_an_agent_whose_warden_is_killed_is_started_again_and_its_program_is_gone(home: Path) -> None:
    with mesh_up(home) as mesh:
        ffmpeg, agent = runs_for_ever(mesh), mesh.pid("agent-1")
        os.kill(mesh.warden_of(agent), signal.SIGKILL)
        wait_until(lambda: not is_alive(ffmpeg), "ffmpeg has outlived its warden", SECONDS)
        mesh.wait_until_back("agent-1", other_than=agent)
        check_that_a_job_runs(mesh)


def test_a_broker_that_is_killed_again_and_again_comes_back_on_its_port(home: Path) -> None:
    with mesh_up(home) as mesh:
        port = tomllib.loads(mesh.client_toml.read_text(encoding="utf-8"))["broker"]["port"]
        for _ in range(3):
            pid = mesh.pid("broker")
            os.kill(pid, signal.SIGKILL)
            mesh.wait_until_back("broker", other_than=pid)
        socket.create_connection(("127.0.0.1", port), SECONDS).close()
        check_that_a_job_runs(mesh)


def test_a_home_in_use_is_refused_with_the_pid_of_who_uses_it(home: Path) -> None:
    with mesh_up(home) as mesh:
        second = mesh.ffmesh("up", "--home", home)
        assert (second.returncode, second.stdout) == (2, "")
        assert str(mesh.process.pid) in second.stderr
        check_that_a_job_runs(mesh)


def test_two_meshes_in_two_folders_live_side_by_side(tmp_path: Path) -> None:
    with mesh_up(tmp_path / "one") as one, mesh_up(tmp_path / "other") as other:
        check_that_a_job_runs(one)
        one.stop()
        one.wait_until_gone()
        check_that_a_job_runs(other)


def test_options_stay_until_they_are_said_anew(home: Path, tmp_path: Path) -> None:
    films, series = tmp_path / "films", tmp_path / "series"
    films.mkdir()
    series.mkdir()
    with mesh_up(
        home, "--agents", "2", "--slots", "3", "--root", f"Films={films}", "--root", f"agent-2:Films={series}"
    ):
        pass
    with mesh_up(home) as mesh:
        assert set(mesh.pids()) == {"broker", "coordinator", "agent-1", "agent-2"}
        tables = {
            name: tomllib.loads((home / "agents" / name / "agent.toml").read_text()) for name in ("agent-1", "agent-2")
        }
        assert {name: table["roots"] for name, table in tables.items()} == {
            "agent-1": {"Films": str(films)},
            "agent-2": {"Films": str(series)},
        }
        assert tables["agent-1"]["slots"] == {"cpu": 3}
        assert tomllib.loads(mesh.client_toml.read_text())["roots"] == {"Films": str(films)}
    with mesh_up(home, "--agents", "1", "--root", f"Series={series}") as mesh:
        assert set(mesh.pids()) == {"broker", "coordinator", "agent-1"}
        assert tomllib.loads(mesh.client_toml.read_text())["roots"] == {"Series": str(series)}
        agents = mesh.ffmesh("agent", "agent-1", "--json")
        assert '"total": 3' in agents.stdout


def test_what_a_person_wrote_into_an_agents_file_stays(home: Path, tmp_path: Path) -> None:
    films, series = tmp_path / "films", tmp_path / "series"
    films.mkdir()
    series.mkdir()
    file = home / "agents" / "agent-1" / "agent.toml"
    with mesh_up(home, "--root", f"Films={films}", "--root", f"Series={series}"):
        pass
    said = {"path": str(films), "sentinel": ".mounted"}
    table = tomllib.loads(file.read_text()) | {"reads": "inputs", "roots": {"Films": said, "Series": said}}
    file.write_text(f"# mine\n{tomli_w.dumps(table)}")
    file.chmod(0o600)
    with mesh_up(home) as mesh:
        agent = json.loads(mesh.ffmesh("agent", "agent-1", "--json").stdout)
        assert agent["roots"]["Films"]["why"] == "the file .mounted is missing in it"
        assert agent["roots"]["Series"]["mounted"]
    after = tomllib.loads(file.read_text())
    assert (after["reads"], after["roots"]) == ("inputs", {"Films": said, "Series": str(series)})
    file.write_text(f"# mine\n{tomli_w.dumps(after)}")
    with mesh_up(home, "--port", str(after["broker"]["port"])):
        pass
    assert file.read_text().startswith("# mine"), "nothing of it was to be changed"


def test_a_home_may_lie_deeper_than_the_address_of_a_socket_is_long(tmp_path: Path) -> None:
    with mesh_up(tmp_path / ("tief" * 30) / "am boden") as mesh:
        check_that_a_job_runs(mesh)


def test_a_demanded_port_that_is_taken_is_refused_and_named(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with mesh_starting(home, "--port", str(port)) as mesh:
            assert first_line(mesh.process, SECONDS) == b""
            assert mesh.process.wait(SECONDS) == 2
            assert str(port) in mesh.said()


def test_the_port_of_before_that_is_taken_meanwhile_is_not_insisted_on(home: Path) -> None:
    with mesh_up(home) as mesh:
        before = tomllib.loads(mesh.client_toml.read_text())["broker"]["port"]
        mesh.stop()
    with socket.create_server(("127.0.0.1", before)), mesh_up(home) as mesh:
        assert tomllib.loads(mesh.client_toml.read_text())["broker"]["port"] != before
        check_that_a_job_runs(mesh)


@pytest.mark.parametrize("part", ["broker", "coordinator", "agent-1"])
def test_a_signal_in_the_middle_of_the_start_ends_it_too(home: Path, part: str) -> None:
    with mesh_starting(home) as mesh:
        wait_until((home / "run" / f"{part}.pid").exists, f"{part} does not start", SECONDS)
        assert mesh.stop() == 0
        mesh.wait_until_gone()


def test_a_coordinator_that_cannot_start_ends_the_first_start_with_its_last_words(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "coordinator.toml").write_text('public_details = "perhaps"\n', encoding="utf-8")
    with mesh_starting(home) as mesh:
        assert first_line(mesh.process, SECONDS) == b""
        assert mesh.process.wait(SECONDS) == 1
        assert "public_details" in mesh.said()
        assert "Traceback" not in mesh.said()


def test_what_stands_in_the_coordinators_file_besides_stays(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "coordinator.toml").write_text('cluster = "studio"\npublic_details = true\n', encoding="utf-8")
    with mesh_up(home) as mesh:
        assert tomllib.loads((home / "coordinator.toml").read_text())["public_details"] is True
        assert tomllib.loads(mesh.client_toml.read_text())["cluster"] == "studio"
        check_that_a_job_runs(mesh)


def test_a_database_that_is_gone_makes_a_new_mesh_of_the_same_names(home: Path) -> None:
    with mesh_up(home) as mesh:
        mesh.stop()
    for name in ("coordinator.db", "coordinator.db-wal", "coordinator.db-shm", "master.key"):
        (home / name).unlink(missing_ok=True)
    with mesh_up(home) as mesh:
        check_that_a_job_runs(mesh)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--root", "Films"], "NAME=PATH"),
        (["--root", "Films=/there/is/no/such/folder"], "/there/is/no/such/folder"),
        (["--root", "agent-2:Films=/"], "agent-2"),
        (["--root", "two words=/"], "two words"),
        (["--program", "x264=/there/is/no/x264"], "/there/is/no/x264"),
        (["--program", "/usr/bin/true"], "--program"),
        (["--agents", "0"], "--agents"),
        (["--port", "70000"], "--port"),
        (["--slots", "many"], "--slots"),
        (["--listen", ""], "address"),
        (["--listen", "192.0.2.1"], "192.0.2.1"),
        (["--listen", "not an address"], "not an address"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(home: Path, options: list[str], word: str) -> None:
    with mesh_starting(home, *options) as mesh:
        assert mesh.process.wait(SECONDS) == 2
        assert word in mesh.said()
        assert len(mesh.said().splitlines()) == 1


@pytest.mark.parametrize("name", [b"two\nlines", b"not \xff UTF-8"])
def test_a_folder_whose_name_is_no_line_of_text_is_refused_in_one_line(tmp_path: Path, name: bytes) -> None:
    home = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))  # noqa: PTH118 - bytes
    with mesh_starting(home) as mesh:
        assert mesh.process.wait(SECONDS) == 2
        assert "plainer name" in mesh.said()
        assert len(mesh.said().splitlines()) == 1
    assert not home.exists()


def test_a_program_that_is_missing_is_said_and_keeps_nobody_from_starting(home: Path) -> None:
    with mesh_up(home, "--program", "no-such-program", "--program", f"python={sys.executable}") as mesh:
        assert "no-such-program" in mesh.said()
        done = mesh.ffmesh("run", "--", "python", "-c", "print(6 * 7)")
        assert (done.returncode, done.stdout) == (0, "42\n")


def test_a_root_whose_folder_is_gone_is_said_and_keeps_nobody_from_starting(home: Path, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    with mesh_up(home, "--root", f"Films={films}") as mesh:
        assert "Films" not in mesh.said()
        mesh.stop()
    films.rmdir()
    with mesh_up(home) as mesh:
        (line,) = (line for line in mesh.said().splitlines() if "Films" in line)
        assert line.startswith(f"ffmesh: root Films: {films} is not there; ")
        (agent,) = json.loads(mesh.ffmesh("agents", "--json").stdout)
        films_there = agent["roots"]["Films"]
        assert (films_there["mounted"], films_there["why"]) == (False, "there is no such folder")


def test_nobody_has_to_listen_to_what_it_says(home: Path) -> None:
    with mesh_starting(home) as mesh:
        assert mesh.process.stdout is not None
        mesh.process.stdout.close()
        wait_until(lambda: "ready" in mesh.said(), "it is never ready", SECONDS)
        check_that_a_job_runs(mesh)
        assert mesh.stop() == 0
