"""A person's terminal: ffmpeg's keys go through at once, and whatever ends `run`, the terminal is as it was."""

import fcntl
import os
import pty
import shlex
import signal
import subprocess
import termios
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from end_to_end.outside import GENEROUS, PYTHON, Mesh, ending, gone, mesh, state_of, until

FFMPEG = shlex.split("ffmpeg -re -f lavfi -i testsrc=size=64x64:rate=25 -f null -")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("terminal")
    with mesh(folder / "home", "--root", f"Place={folder}", "--program", "sh") as running:
        yield running


class Screen:
    """A terminal, and a `run` in its foreground. What `run` writes goes elsewhere."""

    def __init__(self, keyboard: int, command: "subprocess.Popen[bytes]") -> None:
        self.command = command
        self._keyboard = keyboard

    def type(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def said(self, word: bytes) -> bytes:
        """On standard error, up to this word."""
        assert self.command.stderr is not None
        said = b""
        while word not in said:
            block = os.read(self.command.stderr.fileno(), 65536)
            assert block, f"{word!r} was never said: {said!r}"
            said += block
        return said

    @property
    def takes_keys(self) -> bool:
        local = termios.tcgetattr(self._keyboard)[3]
        return not local & (termios.ICANON | termios.ECHO) and bool(local & termios.ISIG)

    @property
    def is_as_it_was(self) -> bool:
        local = termios.tcgetattr(self._keyboard)[3]
        return bool(local & termios.ICANON) and bool(local & termios.ECHO)


@contextmanager
def screen(running: Mesh, *line: str, shell: str = 'exec "$@"') -> Generator[Screen, None, None]:
    keyboard, terminal = pty.openpty()

    def in_its_foreground() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    try:
        command = subprocess.Popen(
            ["sh", "-c", shell, "sh", *PYTHON, "ffmesh_client", "run", "--", *line],
            env=running.environment(),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=in_its_foreground,
        )
        with ending(command):
            yield Screen(keyboard, command)
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_a_key_goes_through_without_a_line_end_and_the_terminal_is_given_back(running: Mesh) -> None:
    with screen(running, *FFMPEG) as here:
        here.said(b"frame=")
        until(lambda: here.takes_keys, "keys are taken")
        here.type(b"?")
        here.said(b"q      quit")
        here.type(b"q")
        assert here.command.wait(GENEROUS) == 0
        assert here.is_as_it_was


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_ends_it_with_the_terminal_given_back(running: Mesh, number: signal.Signals) -> None:
    with screen(running, *FFMPEG) as here:
        here.said(b"frame=")
        until(lambda: here.takes_keys, "keys are taken")
        here.command.send_signal(number)
        assert here.command.wait(GENEROUS) == 255
        assert here.is_as_it_was


def test_ctrl_c_is_a_signal_and_no_key(running: Mesh) -> None:
    with screen(running, *FFMPEG) as here:
        here.said(b"frame=")
        until(lambda: here.takes_keys, "keys are taken")
        here.type(b"\x03")
        assert here.command.wait(GENEROUS) == 255
        assert here.is_as_it_was


def test_another_program_gets_lines_as_from_any_terminal(running: Mesh) -> None:
    with screen(running, "sh", "-c", "echo ready >&2; read line; echo got $line >&2; cat >&2") as here:
        here.said(b"ready")
        assert here.is_as_it_was
        here.type(b"a line\n")
        here.said(b"got a line")
        here.type(b"another\n\x04")
        here.said(b"another")
        assert here.command.wait(GENEROUS) == 0


def test_an_ffmpeg_that_reads_no_keys_leaves_the_terminal_alone(running: Mesh) -> None:
    with screen(running, *FFMPEG, "-nostdin") as here:
        here.said(b"frame=")
        here.said(b"frame=")
        assert here.is_as_it_was
        here.command.send_signal(signal.SIGINT)
        assert here.command.wait(GENEROUS) == 255


def test_while_it_is_stopped_the_terminal_is_the_shells_and_afterwards_keys_go_through(running: Mesh) -> None:
    """A shell with jobs: Ctrl-Z gives the terminal back to it, `fg` lets the program go on."""
    script = 'set -m; "$@"; echo stopped >&2; read answer; fg >/dev/null; echo code $? >&2'
    with screen(running, *FFMPEG, shell=script) as here:
        here.said(b"frame=")
        until(lambda: here.takes_keys, "keys are taken")
        here.type(b"\x1a")
        here.said(b"stopped")
        assert here.is_as_it_was
        here.type(b"\n")
        until(lambda: here.takes_keys, "keys are taken again")
        here.said(b"frame=")
        here.type(b"q")
        here.said(b"code 0")
        assert here.command.wait(GENEROUS) == 0
        assert here.is_as_it_was


def test_in_the_background_it_neither_reads_nor_changes_the_terminal(running: Mesh, tmp_path: Path) -> None:
    script = f'set -m; "$@" & echo $! >"{tmp_path}/pid"; read line; echo got $line >&2; kill -INT $!; wait $!; exit $?'
    with screen(running, *FFMPEG, shell=script) as here:
        here.said(b"frame=")
        assert here.is_as_it_was
        here.said(b"frame=")
        pid = int((tmp_path / "pid").read_text())
        assert state_of(pid) in "RS"
        here.type(b"for the shell\n")
        here.said(b"got for the shell")
        assert here.command.wait(GENEROUS) == 255
        gone(pid)
