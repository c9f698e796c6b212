"""A mesh of its own for a benchmark: `ffmesh up` in a temporary folder, ended with the block.

Its only root is `Bench`, a folder that is the same for the agent and for the client here.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.measure import ended

from ffmesh_client.config import ClientConfig, load

FFMESH: Final = Path(sys.executable).with_name("ffmesh")
"""The command as it is installed, beside the interpreter that runs the benchmark."""

PARTS: Final = ("broker", "coordinator", "agent-1")


class Mesh:
    """`pid` is that of `up`."""

    def __init__(self, home: Path, files: Path, pid: int) -> None:
        self.home = home
        self.files = files
        self.pid = pid
        self.environment = {**os.environ, "FFMESH_CONFIG": str(home / "client.toml")}

    @property
    def config(self) -> ClientConfig:
        return load(self.home / "client.toml")

    def program(self, name: str) -> Path:
        """One of `programs`, where it lies."""
        return self.home.with_name(name)

    def pid_of(self, part: str) -> int:
        return int((self.home / "run" / f"{part}.pid").read_text(encoding="ascii"))

    def run(self, *line: str) -> list[str | Path]:
        """`ffmesh run` of this program; to be started in `files` with `environment`."""
        return [FFMESH, "run", "--", *line]


def started(home: Path, files: Path, *options: str) -> "subprocess.Popen[bytes]":
    """`ffmesh up`, as soon as it has said `ready`."""
    command: list[str | Path] = [FFMESH, "up", "--home", home, "--root", f"Bench={files}", *options]
    with tempfile.TemporaryFile() as said:
        environment = os.environ | {"FFMESH_TRIALS": "off"}  # what is measured is the mesh
        up = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        assert up.stdout is not None
        try:
            line = up.stdout.readline()
        except BaseException:
            ended(up)
            raise
        if line.startswith(b"ready "):
            return up
        ended(up)
        said.seek(0)
        raise SystemExit(f"`ffmesh up` is not ready: {said.read().decode(errors='replace')}")


@contextmanager
def mesh(*options: str, programs: Mapping[str, str] | None = None) -> Generator[Mesh, None, None]:
    """`options` are of `up`; `programs` are listed ones by name, as the text of a shell script."""
    with tempfile.TemporaryDirectory(prefix="ffmesh-bench-") as folder:
        home, files = Path(folder, "home"), Path(folder, "files")
        files.mkdir()
        up = started(home, files, *options, *_scripts(Path(folder), programs or {}))
        try:
            yield Mesh(home, files, up.pid)
        finally:
            assert up.stdout is not None
            up.stdout.close()
            ended(up)


def _scripts(folder: Path, programs: Mapping[str, str]) -> Sequence[str]:
    words: list[str] = []
    for name, text in programs.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        script.chmod(0o755)
        words += ["--program", f"{name}={script}"]
    return words
