"""`ffmesh top` in a real terminal, on a real mesh with a real encode, and with what goes wrong meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import pytest

from support.mesh import RunningMesh, mesh_up
from support.terminal import ENDED, Terminal, terminal

TOP: Final = (sys.executable, "-m", "ffmesh_client", "top")
RESTORED: Final = "same settings: yes"
BOOM: Final = """
from ffmesh_client.tui.pages.fleet import FleetPage
from ffmesh_client.command_line import main

def boom(page):
    raise ZeroDivisionError("of a test")

FleetPage.searched = lambda page, words: boom(page)
raise SystemExit(main(["top"]))
"""
"""As if a page of ours had a fault, which shows when somebody searches."""

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningMesh, None, None]:
    folder = tmp_path_factory.mktemp("mesh")
    films = folder / "films"
    films.mkdir()
    source = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=300")
    subprocess.run(["ffmpeg", "-v", "error", *source, "-c:v", "mpeg4", films / "in.mkv"], check=True)
    with mesh_up(folder / "home", "--agents", "2", "--root", f"Films={films}") as mesh:
        for number in (1, 2):
            line = ("ffmpeg", "-y", "-re", "-i", films / "in.mkv", "-c:v", "mpeg4", films / f"out-{number}.mkv")
            assert mesh.ffmesh("submit", "--label", f"title=Holiday {number}", "--", *line).returncode == 0
        yield mesh


def environment(mesh: RunningMesh, **changes: str) -> Mapping[str, str]:
    kept = {name: value for name, value in mesh.environment.items() if not name.startswith(("LC_", "LANG", "NO_COLOR"))}
    return kept | {"LANG": "C.UTF-8"} | changes


def is_given_back(seen: Terminal) -> bool:
    return not seen.is_on_alternate_screen and not seen.takes_the_mouse and seen.shows_a_cursor


def test_a_real_encode_is_watched_through_the_death_of_coordinator_and_broker(
    mesh: RunningMesh, tmp_path: Path
) -> None:
    with terminal(tmp_path, TOP, environment(mesh, COLUMNS="80", LINES="24")) as seen:  # which are not true
        seen.wait_for("● live", "2 running", "● agent-1", "● agent-2", "▸ Holiday 1", " fps ")
        assert seen.is_on_alternate_screen
        seen.keys("j", "Enter")
        seen.wait_for("› Holiday", "▸ running on agent-1", "$Films/in.mkv", "why there: agent-1", "frame=")
        seen.resize(80, 24)
        seen.wait_for("▸ running on agent-1")
        seen.resize(200, 60)
        seen.wait_for("▸ running on agent-1", "frame=")
        seen.keys("1")
        seen.wait_for("AGENT", "SLOTS")
        with mesh.nothing_restarted():
            coordinator = mesh.pid("coordinator")
            os.kill(coordinator, signal.SIGKILL)
            seen.wait_for("✗ coordinator away", "● agent-1", "▸ Holiday 1")
        mesh.wait_until_back("coordinator", other_than=coordinator)
        seen.wait_for("● live", "▸ Holiday 1")
        with mesh.nothing_restarted():
            broker = mesh.pid("broker")
            os.kill(broker, signal.SIGKILL)
            seen.wait_for("✗ no broker since", "agent-1", "Holiday 1")
        mesh.wait_until_back("broker", other_than=broker)
        seen.wait_for("● live", "● agent-1", "▸ Holiday 1")
        seen.keys("4")
        seen.wait_for("events since this was opened")
        seen.keys("q")
        seen.wait_for(f"{ENDED} 0", RESTORED)
        assert is_given_back(seen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(mesh: RunningMesh, tmp_path: Path, number: signal.Signals) -> None:
    with terminal(tmp_path, TOP, environment(mesh)) as seen:
        seen.wait_for("● live", "▸ Holiday 1", "▸ Holiday 2")
        os.kill(seen.pid(), number)
        seen.wait_for(f"{ENDED} {128 + number}", RESTORED)
        assert is_given_back(seen)


def test_a_fault_of_ours_is_one_line_and_leaves_the_terminal_as_it_was(mesh: RunningMesh, tmp_path: Path) -> None:
    with terminal(tmp_path, (sys.executable, "-c", BOOM), environment(mesh)) as seen:
        seen.wait_for("● live")
        seen.keys("/", "x")
        text = seen.wait_for("please report it: ZeroDivisionError: of a test", f"{ENDED} 1", RESTORED)
        assert "Traceback" not in text
        assert is_given_back(seen)


def test_a_terminal_with_neither_unicode_nor_colours_gets_none(mesh: RunningMesh, tmp_path: Path) -> None:
    with terminal(tmp_path, TOP, environment(mesh, LANG="C", NO_COLOR="1"), size=(80, 24)) as seen:
        text = seen.wait_for("* live", "* agent-1")
        assert text.isascii()
        assert not _colours(seen.with_escapes())
        seen.keys("q")
        seen.wait_for(f"{ENDED} 0", RESTORED)


def _colours(text: str) -> list[str]:
    """Of the escape sequences those that choose a colour: 30 and above, the default ones aside."""
    codes = [code for part in text.split("\x1b[")[1:] for code in part.partition("m")[0].split(";") if code.isdecimal()]
    return [code for code in codes if int(code) >= 30 and code not in ("39", "49")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(("--json",), 2, "top draws for people"), ((), 2, "top needs a terminal")],
)
def test_who_is_no_person_is_told_what_to_use_instead(
    mesh: RunningMesh, words: tuple[str, ...], code: int, said: str
) -> None:
    done = mesh.ffmesh("top", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert said in done.stderr


def test_a_login_that_is_refused_is_one_line(mesh: RunningMesh, tmp_path: Path) -> None:
    config = tmp_path / "client.toml"
    text = mesh.client_toml.read_text(encoding="utf-8")
    secret = next(line for line in text.splitlines() if line.startswith("secret"))
    config.write_text(text.replace(secret, f'secret = "{"A" * 43}="'), encoding="utf-8")
    with terminal(tmp_path, (*TOP, "--config", str(config)), environment(mesh)) as seen:
        text = seen.wait_for("ffmesh: ", f"{ENDED} 77", RESTORED)
        assert "Traceback" not in text
        assert is_given_back(seen)
