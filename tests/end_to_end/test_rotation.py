"""Another secret for who takes part: the old one is good for nothing at once, and the new one goes on where it was."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from end_to_end.forging import Forger, forging, joined, submit
from end_to_end.outside import GENEROUS, Mesh, ending, finished, gone, mesh, number_in, until
from end_to_end.watching import P, listening
from ffmesh_protocol.keys import Label, derived
from ffmesh_protocol.tokens import JoinToken, spoken, understood
from ffmesh_protocol.topics import Verb
from support.mesh import RunningMesh, mesh_up

REFUSED = 77


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("rotation")
    (folder / "there").mkdir()
    with mesh(folder / "home", "--root", f"Place={folder / 'there'}", "--program", "sh") as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / "there" / tmp_path.name
    folder.mkdir()
    return folder


def test_an_agent_is_cut_off_and_goes_on_with_the_new_token_and_tells_the_results_that_it_kept(
    running: Mesh, place: Path, tmp_path: Path
) -> None:
    home = tmp_path / "pi"
    token = joined(running, "pi-9", "agent")
    _join(running, token, home, "--root", f"Place={running.home.parent / 'there'}", "--program", "sh")
    script = 'echo $$ > "$0/$1"; while [ ! -e "$0/go" ]; do sleep 0.02; done; echo done > "$0/made"; exit 6'
    endless = 'echo $$ > "$0/$1"; while :; do sleep 1; done'
    with _agent(home) as agent:
        running.until_agent("online", "pi-9")
        ends = running.submit("--on", "pi-9", "--", "sh", "-c", script, place, "ends")
        stays = running.submit("--on", "pi-9", "--", "sh", "-c", endless, place, "stays")
        number_in(place / "ends")
        program = number_in(place / "stays")
        running.say("drain", "pi-9")

        new = _rotated(running, "pi-9")

        assert (new.kid, new.secret == token.secret) == (2, False)
        assert running.agent("pi-9")["state"] == "offline", "at once"
        (place / "go").touch()
        until((place / "made").exists, "a program may end well meanwhile")
        assert agent.wait(GENEROUS) == REFUSED
        gone(program)
    assert running.job(ends)["state"] == running.job(stays)["state"] == "running", "nobody can say otherwise yet"
    _join(running, new, home)
    with _agent(home):
        assert running.wait(ends).returncode == 6
        running.until_agent("draining", "pi-9")
        assert running.until_job(stays, "failed")["reason_code"] in ("lost", "shutdown", "killed")
        assert running.agent("pi-9")["roots"]["Place"]["mounted"]
        running.say("resume", "pi-9")
        assert running.ffmesh("run", "--on", "pi-9", "--", "sh", "-c", "exit 3").returncode == 3
    running.say("principal", "remove", "pi-9", "--home", running.home)


def test_a_client_is_thrown_out_at_once_and_let_in_with_the_new_token(
    running: Mesh, place: Path, tmp_path: Path
) -> None:
    home = tmp_path / "tv"
    config = home / "client.toml"
    _join(running, joined(running, "tv", "client"), home, "--root", f"Place={running.home.parent / 'there'}")
    script = 'echo $$ > "$0/pid"; while :; do sleep 1; done'
    begun = running.begin("--config", config, "run", "--label", "title=tv", "--", "sh", "-c", script, place)
    with ending(begun) as run:
        program = number_in(place / "pid")
        (job,) = running.jobs_called("tv")
        new = _rotated(running, "tv")
        gone(program)
        assert finished(run)[0] == REFUSED
        assert running.until_job(job["id"], "cancelled")["reason_code"] == "client_gone"
    assert running.ffmesh("--config", config, "jobs").returncode == REFUSED
    _join(running, new, home)
    assert running.ffmesh("--config", config, "run", "--", "sh", "-c", "exit 4").returncode == 4


def test_what_is_signed_with_the_old_secret_is_forged_whatever_its_generation(running: Mesh) -> None:
    old = joined(running, "mallory", "client")
    with forging(old) as mallory:
        mallory.send(mallory.message(Verb.SUBMIT, submit()))
        new = _rotated(running, "mallory")
        mallory.line.until(lambda line: not line.is_connected, "it is thrown out")
    for reads_it_anew in (False, True):
        if reads_it_anew:
            running.until_back("coordinator", running.kill("coordinator"))
            running.until_agent("online")
        with forging(new) as mallory:
            before = _forged(mallory)
            key = derived(old.secret, old.cluster, mallory.me, Label.TO_COORDINATOR)
            mallory.send(mallory.message(Verb.SUBMIT, submit(), key=key, kid=1))
            mallory.send(mallory.message(Verb.SUBMIT, submit(), key=key, kid=2))
            mallory.send(mallory.message(Verb.SUBMIT, submit(), kid=1))
            until(lambda: _forged(mallory) == before + 3, "three forged messages")  # noqa: B023 - it waits here
            wanted = submit()
            mallory.send(mallory.message(Verb.SUBMIT, wanted, kid=2))
            running.until_job(wanted.job, "succeeded")
    assert _rotated(running, "mallory").kid == 3


def test_a_watcher_gets_another_login_and_the_old_one_ends(running: Mesh) -> None:
    old = running.json("principal", "add", "wall", "--role", "watcher", "--home", running.home)
    with listening(*_login(old), ("#",)) as wall:
        wall.until_says(f"{P}/coordinator/status", state="online")
        new = running.json("principal", "rotate", "wall", "--home", running.home)
        wall.until(lambda now: not now.is_connected, "it is thrown out")
    assert set(new) == set(old)
    assert new["password"] != old["password"]
    with listening(*_login(new), ("#",)) as wall:
        wall.until_says(f"{P}/coordinator/status", state="online")


def test_others_stay_connected(running: Mesh, place: Path) -> None:
    joined(running, "passer-by", "client")
    script = 'while [ ! -e "$0" ]; do sleep 0.02; done; echo through'
    with ending(running.begin("run", "--", "sh", "-c", script, place / "go")) as command:
        running.until_agent("online")
        life = running.agent()["life"]
        for _ in range(3):
            _rotated(running, "passer-by")
        (place / "go").touch()
        assert finished(command) == (0, b"through\n", b"")
        assert running.agent()["life"] == life


@pytest.mark.parametrize("name", ["nobody", "coordinator", "a/b", ""])
def test_nobody_unknown_can_be_given_a_secret(running: Mesh, name: str) -> None:
    before = running.json("principal", "list", "--home", running.home)
    done = running.ffmesh("principal", "rotate", name, "--home", running.home)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1), done.stderr
    assert running.json("principal", "list", "--home", running.home) == before


# --- what `up` has made itself


def test_what_up_has_made_goes_on_by_itself(running: Mesh) -> None:
    life = running.agent()["life"]
    for name in ("agent-1", "local", "watcher"):
        running.say("principal", "rotate", name, "--home", running.home)
    until(lambda: running.config()["kid"] == 2, "client.toml is new")
    until(lambda: running.agent()["life"] != life or None, "agent-1 was started anew")
    running.until_agent("online")
    assert running.ffmesh("run", "--", "sh", "-c", "exit 5").returncode == 5
    with listening(*_login(running.watcher), ("#",)) as watcher:
        watcher.until_says(f"{P}/agents/agent-1/status", state="online")


def test_without_a_coordinator_it_is_the_next_up_that_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with mesh_up(home, "--program", "sh") as before:
        before.stop()
        before.wait_until_gone()
        for name in ("agent-1", "local"):
            done = before.ffmesh("principal", "rotate", name, "--home", home)
            assert (done.returncode, done.stderr) == (0, "")
            assert understood(done.stdout).kid == 2
    with mesh_up(home) as after:
        assert _runs(after)
        pid = after.pid("coordinator")
        assert after.ffmesh("principal", "rotate", "agent-1", "--json", "--home", home).returncode == 0
        assert after.pid("coordinator") == pid


def _runs(running: RunningMesh) -> bool:
    return running.ffmesh("run", "--", "sh", "-c", "exit 7").returncode == 7


def _rotated(running: Mesh, name: str) -> JoinToken:
    """Its new token."""
    rotated: dict[str, Any] = running.json("principal", "rotate", name, "--home", running.home)
    assert (rotated["name"], set(rotated)) == (name, {"name", "role", "token"})
    return understood(rotated["token"])


def _join(running: Mesh, token: JoinToken, home: Path, *words: str | Path) -> None:
    running.say("join", spoken(token), "--home", home, *words)


def _forged(forger: Forger) -> int:
    summary = forger.line.until_says(f"{P}/coordinator/summary", life=forger.coordinator)
    count: int = summary["refused"]["forged"]
    return count


def _login(told: dict[str, Any]) -> tuple[str, int, str, str]:
    return told["host"], told["port"], told["username"], told["password"]


@contextmanager
def _agent(home: Path) -> Generator["subprocess.Popen[bytes]", None, None]:
    """As a service runs it, with two slots."""
    file = home / "agent.toml"
    if "[slots]" not in file.read_text():
        file.write_text(f"{file.read_text()}\n[slots]\ncpu = 2\n")
    with (home / "log").open("ab") as log:
        command = [sys.executable, "-P", "-m", "ffmesh_agent", "--config", str(file)]
        with ending(subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, env=dict(os.environ))) as agent:
            yield agent
