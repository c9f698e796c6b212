"""Who may take part: added, joined and removed while the mesh runs."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from end_to_end.outside import GENEROUS, Mesh, ending, finished, gone, mesh, programs_with, until
from end_to_end.watching import P, listening, retained_by, watching

NOT_A_MEMBER = 77


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("principals")
    (folder / "there").mkdir()
    with mesh(folder / "home", "--root", f"Place={folder / 'there'}", "--program", "sh") as running:
        yield running


@pytest.fixture
def there(running: Mesh) -> Path:
    return running.home.parent / "there"


def test_a_machine_joins_with_a_token_works_and_is_removed(running: Mesh, there: Path, tmp_path: Path) -> None:
    token = _added(running, "pi-9", "agent")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home = tmp_path / "pi"
    running.say("join", token, "--home", home, "--root", f"Place={elsewhere}", "--program", "sh")
    with _agent(home) as agent, watching(running) as watcher:
        running.until_agent("online", "pi-9")
        made = there / "made.txt"
        done = running.ffmesh("run", "--on", "pi-9", "--", "sh", "-c", 'echo yes > "$0"; pwd -P; exit 6', made)
        assert (done.returncode, (elsewhere / "made.txt").read_text(), made.exists()) == (6, "yes\n", False)
        line = ("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc", "-metadata", f"comment={tmp_path}")
        job = running.submit("--on", "pi-9", "--", *line, "-f", "null", "-")
        (program,) = until(lambda: programs_with("ffmpeg", str(tmp_path)), "ffmpeg runs")
        watcher.until_says(f"{P}/agents/pi-9/status", state="online")
        watcher.until(lambda now: now.last(f"{P}/agents/pi-9/progress/{job}"), "its progress")

        running.say("principal", "remove", "pi-9", "--home", running.home)

        assert running.ffmesh("agent", "pi-9").returncode == 1
        assert [each["name"] for each in running.json("agents")] == ["agent-1"]
        left = (f"{P}/agents/pi-9/status", f"{P}/agents/pi-9/advert", f"{P}/coordinator/agents/pi-9")
        until(lambda: not [topic for topic in retained_by(running) if topic.startswith(left)], "it is cleared")
        assert agent.wait(GENEROUS) == NOT_A_MEMBER
        gone(program)
        # Nobody can say so any more: it counts as running until the lease of that agent has run out.
        assert running.job(job)["state"] == "running"


def test_a_removed_client_is_thrown_out_at_once_and_let_in_no_more(running: Mesh, tmp_path: Path) -> None:
    home = tmp_path / "tv"
    running.say("join", _added(running, "tv", "client"), "--home", home)
    config = home / "client.toml"
    assert running.ffmesh("--config", config, "run", "--", "sh", "-c", "exit 3").returncode == 3
    line = ("ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc", "-metadata", f"comment={tmp_path}")
    with ending(running.begin("--config", config, "run", "--label", "title=tv", "--", *line, "-f", "null", "-")) as run:
        (program,) = until(lambda: programs_with("ffmpeg", str(tmp_path)), "ffmpeg runs")
        (job,) = running.jobs_called("tv")
        running.say("principal", "remove", "tv", "--home", running.home)
        gone(program)
        assert finished(run)[0] == 77
        assert running.until_job(job["id"], "cancelled")["reason_code"] == "client_gone"
    for words in (["jobs"], ["run", "--", "sh", "-c", "true"], ["submit", "--", "sh"], ["agents"]):
        done = running.ffmesh("--config", config, *words)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (77, b"", 1), done.stderr


def test_a_watcher_that_was_added_reads_at_once_and_nothing_after_it_was_removed(running: Mesh) -> None:
    login = running.json("principal", "add", "wall", "--role", "watcher", "--home", running.home)
    assert {"host", "port", "username", "password", "cluster"} <= set(login)
    known = (login["host"], login["port"], login["username"], login["password"])
    with listening(*known, ("#",)) as wall:
        wall.until_says(f"{P}/coordinator/status", state="online")
        running.say("principal", "remove", "wall", "--home", running.home)
        wall.until(lambda now: not now.is_connected, "it is thrown out")


def test_others_stay_connected_while_principals_come_and_go(running: Mesh, there: Path) -> None:
    script = 'while [ ! -e "$0" ]; do sleep 0.02; done; echo through'
    with ending(running.begin("run", "--", "sh", "-c", script, there / "go")) as command:
        running.until_agent("online")
        life = running.agent()["life"]
        for _ in range(3):
            _added(running, "passer-by", "client")
            running.say("principal", "remove", "passer-by", "--home", running.home)
        (there / "go").touch()
        assert finished(command) == (0, b"through\n", b"")
        assert running.agent()["life"] == life


def test_the_list_shows_who_takes_part_and_no_secret(running: Mesh) -> None:
    _added(running, "listed", "client")
    listed = running.json("principal", "list", "--home", running.home)
    roles = {each["name"]: each["role"] for each in listed}
    assert roles["local"] == roles["listed"] == "client"
    assert (roles["agent-1"], roles["watcher"]) == ("agent", "watcher")
    secret = running.config()["secret"]
    for words in (["--json"], []):
        shown = running.say("principal", "list", "--home", running.home, *words)
        assert secret not in shown
        assert "ffmesh1." not in shown


@pytest.mark.parametrize("name", ["local", "agent-1", "to", "coordinator", "a/b", "", "x" * 64, "Ünï"])
def test_a_name_that_is_taken_or_cannot_be_is_refused(running: Mesh, name: str) -> None:
    before = running.json("principal", "list", "--home", running.home)
    done = running.ffmesh("principal", "add", name, "--role", "client", "--home", running.home)
    assert done.returncode in (1, 2)
    assert (done.stdout, done.stderr.count(b"\n")) == (b"", 1), done.stderr
    assert running.json("principal", "list", "--home", running.home) == before


def test_to_remove_somebody_unknown_is_1(running: Mesh) -> None:
    done = running.ffmesh("principal", "remove", "nobody", "--home", running.home)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)


def test_a_token_that_is_cut_off_makes_no_file(running: Mesh, tmp_path: Path) -> None:
    token = _added(running, "cut", "agent")
    for wrong in (token[:-7], "ffmesh1.", "something else"):
        assert running.ffmesh("join", wrong, "--home", tmp_path / "home").returncode == 2
    assert not (tmp_path / "home" / "agent.toml").exists()


def test_what_join_writes_is_for_its_owner_alone(running: Mesh, tmp_path: Path) -> None:
    for name, role in (("mine", "client"), ("mine-too", "agent")):
        running.say("join", _added(running, name, role), "--home", tmp_path)
        assert (tmp_path / f"{role}.toml").stat().st_mode & 0o077 == 0


def _added(running: Mesh, name: str, role: str) -> str:
    """Its join token."""
    added = running.json("principal", "add", name, "--role", role, "--home", running.home)
    assert (added["name"], added["role"], set(added)) == (name, role, {"name", "role", "token"})
    token: str = added["token"]
    assert running.json("principal", "list", "--home", running.home)
    return token


@contextmanager
def _agent(home: Path) -> Generator["subprocess.Popen[bytes]", None, None]:
    """As a service runs it."""
    with (home / "log").open("wb") as log:
        command = [sys.executable, "-P", "-m", "ffmesh_agent", "--config", str(home / "agent.toml")]
        with ending(subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, env=dict(os.environ))) as agent:
            yield agent
