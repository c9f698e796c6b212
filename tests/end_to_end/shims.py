"""The shim as a server finds it: a folder with ffmpeg and ffprobe, and beside it the real ones, called in the same way.

    with shim_in(mesh, folder) as shim:
        done = shim.ffmpeg("-i", film, …)

Here nothing falls back to the real programs in silence: a call that no agent takes fails. What stays on this machine by
rule leaves a mark (see `Shim.ran_here`). The helper that a shim has started ends with the block.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from end_to_end.outside import GENEROUS, Mesh, gone

REAL: Final = {name: Path(shutil.which(name) or f"/usr/bin/{name}") for name in ("ffmpeg", "ffprobe")}

PATIENT: Final = """
[shim]
wait_seconds = 60.0
fallback = false
"""
"""A machine that runs many tests at once is no mesh without room."""

WITH_A_STATE_OF_ITS_OWN: Final = """
import os, pathlib, sys
from ffmesh_client.supervisor import home
home.ROOTS_HOME = pathlib.Path(os.environ["HOME"])
from ffmesh_client.command_line import main
sys.exit(main(sys.argv[1:]))
"""
"""Root's list of shims would be the machine's."""

MARKING: Final = '#!/bin/sh\n[ -z "$FFMESH_TEST_MARKS" ] || echo "$*" >>"$FFMESH_TEST_MARKS"\nexec {real} "$@"\n'
"""A program of this machine that leaves a mark when it is called."""

Word = str | bytes | Path


class Programs:
    """ffmpeg and ffprobe of one side, and what surrounds them."""

    def __init__(self, side: str, paths: Mapping[str, Path], environment: Mapping[str, str]) -> None:
        self.side = side
        self.paths = paths
        self.environment = dict(environment)

    def line(self, name: str, *words: Word) -> list[Word]:
        return [self.paths[name], *words]

    def run(
        self, name: str, *words: Word, cwd: Path | None = None, stdin: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        """To its end, whatever that is."""
        return subprocess.run(
            self.line(name, *words),
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            timeout=GENEROUS,
            input=stdin,
            check=False,
        )

    def ffmpeg(self, *words: Word, cwd: Path | None = None, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        return self.run("ffmpeg", *words, cwd=cwd, stdin=stdin)

    def begin(
        self, *words: Word, cwd: Path | None = None, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE
    ) -> "subprocess.Popen[bytes]":
        """An ffmpeg that goes on; see `ending`."""
        return subprocess.Popen(
            self.line("ffmpeg", *words),
            cwd=cwd,
            env=self.environment,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            bufsize=0,
        )


LOCAL: Final = Programs("local", REAL, os.environ)


class Shim(Programs):
    """Made by `shim_in`."""

    def __init__(self, folder: Path, client: Path, marks: Path) -> None:
        super().__init__(
            "shim",
            {name: folder / name for name in REAL},
            {**os.environ, "FFMESH_TEST_MARKS": os.fspath(marks)},
        )
        self.folder = folder
        self.client = client
        self._marks = marks

    def ran_here(self) -> list[str]:
        """The arguments of what ran on this machine since the last look."""
        try:
            lines = self._marks.read_text(errors="surrogateescape").splitlines()
        except FileNotFoundError:
            return []
        self._marks.unlink()
        return lines

    def helpers(self) -> list[int]:
        """The pids of its helper; one that is about to take over, or to go, counts too."""
        return [pid for pid in _pids() if _is_helper(pid, self.client)]

    def kill_helpers(self) -> None:
        helpers = self.helpers()
        for pid in helpers:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        gone(*helpers)

    @property
    def socket(self) -> Path:
        """Where its helper listens, once there is one."""
        script = (self.folder / "ffmesh-shim").read_text()
        (key,) = re.findall(r"^key=(\w+)$", script, re.MULTILINE)
        user = os.geteuid()
        folders = Path(f"/run/user/{user}"), Path(f"/tmp/ffmesh-{user}")
        return next(folder / str(key) for folder in folders if (folder / str(key)).exists())


@contextmanager
def shim_in(mesh: Mesh, folder: Path, *, more: str = PATIENT) -> Generator[Shim, None, None]:
    """One that is installed in a folder of its own. `more` is what its client.toml has besides the mesh's."""
    folder.mkdir()
    client = folder / "client.toml"
    client.touch(0o600)
    client.write_text(mesh.client.read_text() + more)
    for name, real in REAL.items():
        program = folder / "real" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(MARKING.format(real=real))
        program.chmod(0o755)
    shim = Shim(folder / "shim", client, folder / "marks")
    _ffmesh(folder, "shim", "install", shim.folder, "--local", folder / "real" / "ffmpeg", "--config", client)
    shim.ran_here()
    try:
        yield shim
    finally:
        shim.kill_helpers()
        _ffmesh(folder, "shim", "remove", shim.folder)


def _ffmesh(folder: Path, *words: str | Path) -> None:
    home = os.fspath(folder / "state")
    done = subprocess.run(
        [sys.executable, "-c", WITH_A_STATE_OF_ITS_OWN, *words],
        env={**os.environ, "HOME": home, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=GENEROUS,
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _is_helper(pid: int, client: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"ffmesh_client.shim.helper" in words and os.fsencode(client) in words
