"""What `run` and its companions do not do, and the exit code and the sentence that say so."""

import shutil
import socket
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
import tomli_w

from end_to_end.outside import Mesh, ending, finished, mesh


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("refused")
    (folder / "films" / "below").mkdir(parents=True)
    with mesh(
        folder / "home", "--root", f"Films={folder / 'films'}", "--program", "cat", "--program", "true"
    ) as running:
        yield running


@pytest.fixture
def films(running: Mesh) -> Path:
    return running.home.parent / "films"


def test_an_absolute_path_under_no_root_is_refused_and_named(running: Mesh) -> None:
    _refuses(running.run("cat", "/etc/passwd"), 77, "/etc/passwd")
    _refuses(running.ffmesh("submit", "--", "cat", "/etc/passwd"), 77, "/etc/passwd")


def test_a_path_that_only_looks_like_one_under_a_root_is_refused(running: Mesh, films: Path) -> None:
    _refuses(running.run("cat", f"{films}/../home/client.toml"), 77, "client.toml")
    _refuses(running.run("cat", f"{films}-and-more"), 77, "and-more")


def test_a_relative_path_that_leads_out_of_the_root_is_refused(running: Mesh, films: Path) -> None:
    (films / "here").write_bytes(b"here")
    assert running.run("cat", "../here", cwd=films / "below").stdout == b"here"
    _refuses(running.run("cat", "../../home/client.toml", cwd=films / "below"), 77, "../../home/client.toml")
    _refuses(running.run("cat", "../home/client.toml", cwd=films), 77, "../home/client.toml")


def test_a_relative_path_that_leads_out_of_the_private_folder_is_refused(running: Mesh) -> None:
    _refuses(running.run("cat", "../../agent.toml", cwd=Path("/")), 77, "../../agent.toml")


def test_a_program_that_no_agent_lists_is_refused_and_named(running: Mesh) -> None:
    _refuses(running.run("rm", "-rf", "x"), 77, "rm")
    _refuses(running.ffmesh("submit", "--", "ffplay"), 77, "ffplay")


def test_nothing_that_was_refused_became_a_job(running: Mesh) -> None:
    before = running.json("jobs", "--limit", "1000")
    running.run("cat", "/etc/passwd")
    running.run("rm")
    running.ffmesh("submit", "--timeout", "0", "--", "true")
    assert running.json("jobs", "--limit", "1000") == before


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "--"],
        ["run", "true"],
        ["run", "--no-such-option", "--", "true"],
        ["run", "--", "/bin/true"],
        ["run", "--timeout", "soon", "--", "true"],
        ["run", "--need", "libx264", "--", "true"],
        ["run", "--root", "Films", "--", "true"],
        ["submit", "--priority", "high", "--", "true"],
        ["submit", "--label", "title", "--", "true"],
        ["jobs", "--state", "lost"],
        ["jobs", "--limit", "0"],
        ["wait"],
        ["no-such-command"],
        [],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_2(running: Mesh, words: list[str]) -> None:
    _refuses(running.ffmesh(*words), 2, "ffmesh")


def test_a_configuration_that_is_missing_or_makes_no_sense_is_2_and_named(running: Mesh, tmp_path: Path) -> None:
    bad = tmp_path / "client.toml"
    bad.write_text("cluster = [")
    for file in (bad, tmp_path / "none.toml"):
        _refuses(running.ffmesh("jobs", "--config", file), 2, file.name)


def test_a_login_that_is_not_known_is_77(running: Mesh, tmp_path: Path) -> None:
    stranger = tmp_path / "client.toml"
    stranger.write_text(tomli_w.dumps({**running.config(), "name": "stranger"}))
    for words in (["jobs"], ["run", "--", "true"], ["agents"]):
        _refuses(running.ffmesh("--config", stranger, *words), 77, "stranger")


def test_without_a_broker_every_command_gives_up_with_69(running: Mesh, tmp_path: Path) -> None:
    """All at once: each keeps trying for ten seconds."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]  # nobody listens there
        nowhere = tmp_path / "client.toml"
        nowhere.write_text(tomli_w.dumps({**running.config(), "broker": {"host": "127.0.0.1", "port": port}}))
        commands = (["run", "--", "true"], ["submit", "--", "true"], ["jobs"], ["agents"], ["wait", "0" * 26])
        started = [running.begin("--config", nowhere, *words) for words in commands]
        for words, process in zip(commands, started, strict=True):
            with ending(process):
                code, stdout, stderr = finished(process)
                assert (code, stdout) == (69, b""), (words, stderr)
                assert str(port).encode() in stderr
                assert stderr.count(b"\n") == 1, stderr


def test_a_program_that_is_on_the_list_but_gone_ends_the_job_with_a_sentence(tmp_path: Path) -> None:
    there = tmp_path / "tool"
    shutil.copy("/bin/true", there)
    with mesh(tmp_path / "home", "--program", f"tool={there}") as running:
        assert running.run("tool").returncode == 0
        there.unlink()
        _refuses(running.run("tool"), 1, "tool")


def _refuses(done: "subprocess.CompletedProcess[bytes]", code: int, named: str) -> None:
    """With that exit code, and one line on standard error that names what was wrong."""
    sentence = done.stderr.decode()
    assert (done.returncode, done.stdout) == (code, b""), sentence
    assert sentence.count("\n") == 1, sentence
    assert sentence.endswith("\n"), sentence
    assert named in sentence
