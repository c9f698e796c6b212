"""Programs behind fences, and what they bring back: a Python that tries things, and says what came of each."""

from __future__ import annotations

import functools
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ffmesh_warden.fence import Fence
from ffmesh_warden.fences import found
from warden.living import PATH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ffmesh_warden.fence import Kind
    from ffmesh_warden.fences import Found
    from ffmesh_warden.handle import Ended, Warden

PYTHON = Path(sys.executable).resolve()
SYSTEM = (b"/usr", b"/lib", b"/lib64", b"/bin", b"/etc/ld.so.cache", os.fsencode(sys.base_prefix))
"""What a program and a Python need to run at all."""

KINDS: tuple[Kind, ...] = ("landlock", "bubblewrap")
each_kind = pytest.mark.parametrize("kind", KINDS)
found_here = functools.cache(found)
CLOSED = {"EACCES", "EPERM", "ENOENT", "EROFS", "EXDEV"}
"""How a fence says no; which of them depends on its kind."""

_FOR_GOOD_REASON = (
    *("this is not Linux", "this Python", "this kernel has no", "Landlock is not", "there is no filter"),
    *("bwrap is not installed", "user namespaces are not allowed", "bwrap cannot build a room"),
)

_TRIES = """
import errno, json, os, socket, sys
tried = {}
for name, attempt in json.loads(sys.argv[1]).items():
    try:
        exec(attempt)
        tried[name] = "done"
    except OSError as error:
        tried[name] = errno.errorcode[error.errno]
print(json.dumps(tried))
"""


def all_of(descriptor: int) -> bytes:
    """What a pipe holds when its other end is closed; this end is closed then too."""
    said = b"".join(iter(lambda: os.read(descriptor, 65536), b""))
    os.close(descriptor)
    return said


def needs(kind: Kind) -> None:
    """Skips the test where this machine has no such fence; not where ours does not work."""
    here: Found = found_here()
    if (why := here.missing.get(kind)) is not None:
        assert why.startswith(_FOR_GOOD_REASON), why
        pytest.skip(why)


@dataclass(frozen=True)
class Place:
    """Three folders beside each other, each with a `file` in it, and a fence that leads into two of them."""

    warden: Warden
    readable: Path
    writable: Path
    outside: Path
    fence: Fence

    @classmethod
    def made(cls, warden: Warden, folder: Path, kind: Kind) -> Place:
        needs(kind)
        readable, writable, outside = (folder / name for name in ("readable", "writable", "outside"))
        for each in (readable, writable, outside):
            each.mkdir()
            (each / "file").write_text(each.name)
        fence = Fence(kind, (*SYSTEM, bytes(readable)), (bytes(writable),))
        return cls(warden, readable, writable, outside, fence)

    def but(self, **changes: object) -> Place:
        """The same place with another fence."""
        return replace(self, fence=replace(self.fence, **changes))  # type: ignore[arg-type]  # the test's to get right

    async def ran(
        self, argv: Sequence[str | bytes | Path], *, stdin: int | None = None, free: bool = False
    ) -> tuple[Ended, str]:
        """How a program ended, and what it said on both its outputs. A free one runs without the fence."""
        said, tells = os.pipe()
        fence = None if free else self.fence
        program = await self.warden.start(
            argv, env=PATH, cwd=self.writable, fence=fence, stdin=stdin, stdout=tells, stderr=tells
        )
        os.close(tells)
        ended = await program.ended()
        return ended, all_of(said).decode()

    async def tried(self, attempts: Mapping[str, str], *, free: bool = False) -> dict[str, str]:
        """Each attempt (Python), and `done` or the name of its error."""
        ended, said = await self.ran([PYTHON, "-S", "-I", "-c", _TRIES, json.dumps(attempts)], free=free)
        assert ended.exit_code == 0, said
        tried: dict[str, str] = json.loads(said)
        return tried

    async def refused(self, attempts: Mapping[str, str]) -> None:
        """All of them."""
        tried = await self.tried(attempts)
        assert {name: came for name, came in tried.items() if came not in CLOSED} == {}

    async def allowed(self, attempts: Mapping[str, str]) -> None:
        """All of them."""
        tried = await self.tried(attempts)
        assert {name: came for name, came in tried.items() if came != "done"} == {}

    def is_untouched(self, folder: Path) -> bool:
        return [path.name for path in folder.iterdir()] == ["file"] and (folder / "file").read_text() == folder.name
