"""A real terminal for one test: tmux, with nobody in front of it.

    with terminal(tmp_path, "ffmesh top", environment, size=(120, 30)) as seen:
        seen.wait_for("live")
        seen.keys("q")

The command runs in a shell that says afterwards with which code it ended, and whether the terminal is as it was.
"""

import os
import shlex
import subprocess
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support.mesh import wait_until

SECONDS: Final = 20.0
ENDED: Final = "ended with"
SHELL: Final = """\
before=$(stty -g)
{command}
code=$?
after=$(stty -g)
test "$before" = "$after" && same=yes || same=no
echo "ended with $code, same settings: $same"
exec sleep 1000
"""


class Terminal:
    """Made by `terminal`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def text(self) -> str:
        return self._tmux("capture-pane", "-p")

    def with_escapes(self) -> str:
        return self._tmux("capture-pane", "-p", "-e")

    def keys(self, *keys: str) -> None:
        """By tmux's names: `q`, `Enter`, `Escape` …"""
        self._tmux("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def wait_for(self, *words: str) -> str:
        self.wait_until(lambda text: all(each in text for each in words), f"{words} are not to be seen")
        return self.text()

    def wait_until(self, true: Callable[[str], bool], otherwise: str) -> None:
        wait_until(lambda: true(self.text()), lambda: f"{otherwise}:\n{self.text()}", SECONDS)

    @property
    def is_on_alternate_screen(self) -> bool:
        return self._tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    @property
    def takes_the_mouse(self) -> bool:
        return self._tmux("display-message", "-p", "#{mouse_any_flag}").strip() == "1"

    @property
    def shows_a_cursor(self) -> bool:
        return self._tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def pid(self) -> int:
        """Of the command, while it runs."""
        shell = int(self._tmux("display-message", "-p", "#{pane_pid}"))
        return int(Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="ascii").split()[0])

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words], capture_output=True, text=True, check=True, timeout=SECONDS
        )
        return done.stdout


@contextmanager
def terminal(
    tmp_path: Path, command: Sequence[str], environment: Mapping[str, str], *, size: tuple[int, int] = (120, 30)
) -> Generator[Terminal, None, None]:
    socket = Path(os.path.relpath(tmp_path / "tmux"))  # a socket's path has room for 108 bytes
    script = tmp_path / "shell"
    script.write_text(SHELL.format(command=shlex.join(command)), encoding="utf-8")
    width, height = map(str, size)
    # TMUX: were the tests run inside of a tmux, ours would be taken for a nested one.
    clean = {name: value for name, value in environment.items() if name not in ("TMUX", "TMUX_PANE")}
    subprocess.run(
        ["tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, f"sh {script}"],
        env=clean,
        check=True,
        timeout=SECONDS,
    )
    try:
        yield Terminal(socket)
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], check=False, timeout=SECONDS)
