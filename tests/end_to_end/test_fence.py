"""The fence around programs, as the users of a mesh see it."""

import os
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import tomli_w

from end_to_end.outside import PYTHON, Mesh, mesh, until
from ffmesh_warden import fences

SECRET = "The canary sings."
BEST = next(iter(fences.found().kinds), "none")

fenced = pytest.mark.skipif(BEST == "none", reason=f"no fence here: {fences.found().missing}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("fence")
    (folder / "films").mkdir()
    (folder / "outside").mkdir()
    (folder / "outside" / "canary").write_text(f"{SECRET}\n", encoding="utf-8")
    with mesh(folder / "home", "--root", f"Films={folder / 'films'}", "--program", "sh", "--program", "cat") as running:
        yield running


@pytest.fixture
def films(running: Mesh) -> Path:
    return running.home.parent / "films"


@pytest.fixture
def canary(running: Mesh) -> Path:
    return running.home.parent / "outside" / "canary"


def said(done: "subprocess.CompletedProcess[bytes]") -> str:
    return (done.stdout + done.stderr).decode(errors="replace")


def test_an_agent_says_which_fence_is_in_force(running: Mesh) -> None:
    assert running.agent()["fence"] == BEST
    fence = next(line for line in running.say("agent", "agent-1").splitlines() if line.startswith("fence"))
    assert fence.split() == ["fence", BEST]


def test_a_link_that_leads_out_is_refused_with_a_sentence(running: Mesh, films: Path, canary: Path) -> None:
    (films / "link").symlink_to(canary)
    done = running.run("cat", films / "link")
    assert done.returncode == 1
    assert "$Films/link leads out of $Films through a link" in said(done)
    assert SECRET not in said(done)


def test_a_url_is_refused_with_a_sentence_and_nobody_is_called(running: Mesh, films: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        done = running.run("ffmpeg", "-i", url, films / "x.mkv")
        assert done.returncode == 1
        assert "it would open the network (tcp:)" in said(done)
        with pytest.raises(BlockingIOError):
            listening.accept()


@fenced
def test_what_no_word_tells_is_held_by_the_fence(running: Mesh, films: Path, canary: Path) -> None:
    secrets = (canary, "/etc/hostname", running.home / "agents" / "agent-1" / "agent.toml")
    done = running.run("sh", "-c", "".join(f"cat {secret}; " for secret in secrets), cwd=films)
    assert done.returncode != 0
    assert SECRET not in said(done)
    assert "secret" not in said(done)
    assert done.stdout == b""


@fenced
def test_what_a_job_writes_in_its_roots_it_may(running: Mesh, films: Path) -> None:
    done = running.run("sh", "-c", "mkdir -p a/b && echo written >a/b/c && mv a/b/c d && cat d", cwd=films)
    assert (done.returncode, done.stdout, (films / "d").read_text()) == (0, b"written\n", "written\n")


def test_an_agent_that_demands_a_fence_and_has_none_is_online_and_takes_no_work(running: Mesh, tmp_path: Path) -> None:
    """It demands bubblewrap, and finds no bwrap."""
    home = running.home / "far" / "careful"
    token = running.json("principal", "add", "careful", "--role", "agent", "--home", running.home)["token"]
    running.say("join", token, "--home", home, "--program", "sh")
    config = tomllib.loads((home / "agent.toml").read_text())
    (home / "agent.toml").write_text(tomli_w.dumps(config | {"fence": "bubblewrap"}))
    with agent_without_bwrap(home, tmp_path):
        running.until_agent("online", "careful")
        shown = until(
            lambda: agent if (agent := running.agent("careful"))["unavailable"] else None, "its programs are known"
        )
        assert shown["fence"] == "none"
        assert "bwrap is not installed" in shown["unavailable"]["fence"]
        job = running.submit("--on", "careful", "--", "sh", "-c", "true")
        waiting = until(lambda: _why(running, job), "it was offered and declined")
        assert "it takes no work without a fence around programs, and has none: bwrap is not installed" in waiting
        running.say("cancel", job)
    assert "no fence stands around the programs of jobs" in (home / "said").read_text()
    done = running.ffmesh("doctor", "--json", "--config", home / "agent.toml", env={"PATH": str(tmp_path / "bin")})
    assert "it takes no work without a fence, and has none" in done.stdout.decode()


def _why(running: Mesh, job: str) -> str | None:
    shown = running.say("job", job)
    return shown if "without a fence" in shown else None


@contextmanager
def agent_without_bwrap(home: Path, folder: Path) -> Generator[None, None, None]:
    (folder / "bin").mkdir()
    for name in ("sh", "ffmpeg", "ffprobe"):
        (folder / "bin" / name).symlink_to(str(shutil.which(name)))
    line: list[str | Path] = [*PYTHON, "ffmesh_agent", "--config", home / "agent.toml"]
    environment = os.environ | {"PATH": str(folder / "bin")}
    with (
        (home / "said").open("ab") as said,
        subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=said, env=environment) as agent,
    ):
        try:
            yield
        finally:
            agent.terminate()
