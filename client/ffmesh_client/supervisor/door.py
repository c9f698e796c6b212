"""The coordinator's door on its own machine, from outside: `run/coordinator.sock`, a line of JSON each way.

A coordinator that is not there yet, or goes away over a question, is asked again until it answers: every question may
be repeated.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from ffmesh_protocol.errors import FfmeshError

LOOK_AGAIN: Final = 0.01
"""Seconds between two looks for the socket; nobody tells that one has appeared."""

LOOK_AGAIN_SELDOM: Final = 1.0
"""The same for what is waited for all the time: a coordinator may be away for long."""

LINE_BYTES: Final = 1024 * 1024


class CoordinatorRefused(FfmeshError):
    """It was asked for something that cannot be."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """For who speaks plain MQTT."""

    host: str
    port: int
    username: str
    password: str
    cluster: str


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A principal, and what it takes part with."""

    name: str
    role: str
    kid: int
    secret: bytes
    login: Login | None

    def __repr__(self) -> str:
        return f"Member({self.role} {self.name})"  # without the secrets, which have no business in a log


class _Answer(msgspec.Struct, frozen=True):
    ok: bool
    error: str = ""
    warning: str | None = None
    principals: tuple[Member, ...] = ()


class Door:
    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ensured(self, wanted: Sequence[tuple[str, str]]) -> dict[str, Member]:
        """These names with these roles are principals: by name, with their secrets."""
        answer = await self._asked(
            {"do": "ensure", "principals": [{"name": name, "role": role} for name, role in wanted]}
        )
        return {member.name: member for member in answer.principals}

    async def ready(self, agents: Sequence[str]) -> None:
        """Returns when each of these agents can take work."""
        await self._asked({"do": "ready", "agents": list(agents)})

    async def rotated(self, kids: Mapping[str, int]) -> list[Member]:
        """Returns when one of these has a secret of another generation: all that have."""
        answer = await self._asked({"do": "rotations", "kids": dict(kids)}, look_again=LOOK_AGAIN_SELDOM)
        return list(answer.principals)

    async def _asked(self, question: dict[str, Any], *, look_again: float = LOOK_AGAIN) -> _Answer:  # Any: JSON
        while True:
            try:
                line = await self._asked_once(msgspec.json.encode(question) + b"\n")
            except (FileNotFoundError, ConnectionError):
                line = b""
            if line:
                break
            await asyncio.sleep(look_again)
        answer = msgspec.json.decode(line, type=_Answer)
        if not answer.ok:
            raise CoordinatorRefused(f"the coordinator says: {answer.error}")
        return answer

    async def _asked_once(self, question: bytes) -> bytes:
        # A socket's address has 108 bytes at most, and a home may lie deeper: it is reached by way of its open folder.
        folder = os.open(self._socket.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            has_proc = sys.platform == "linux"
            address = f"/proc/self/fd/{folder}/{self._socket.name}" if has_proc else str(self._socket)
            reader, writer = await asyncio.open_unix_connection(address, limit=LINE_BYTES)
        finally:
            os.close(folder)
        try:
            writer.write(question)
            return await reader.readline()
        finally:
            writer.close()
