"""What a program of ours prints, asked about itself or tried: bounded in time and size, through the warden."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.pipes import Pipe
from ffmesh_warden.errors import NotStarted, WardenDied
from ffmesh_warden.fence import Fence
from ffmesh_warden.handle import Warden
from ffmesh_warden.program import Ended

OUTPUT_BYTES: Final = 4 * 1024 * 1024

MODEST: Final = 10
"""The nice value of those that must be in nobody's way. With 19 they would get so little beside a busy server that they
seemed to hang."""

MODEST_WITH_DISKS: Final = "best-effort:7"

TO_END: Final = 5.0
"""Seconds. What still runs so long after it was killed is held by the kernel, for a driver that hangs."""


class NoAnswer(Exception):
    """Why there is nothing to be had: the rest of a sentence that begins with the program's name."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a program printed, and how it ended; `took` seconds, its start among them."""

    printed: str
    ended: Ended
    took: float


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and is cancelled meanwhile has ended the program with it."""

    warden: Warden
    environment: Mapping[str, str]
    folder: Path
    seconds: float = 10.0
    """A program that takes longer hangs: a real ffmpeg answers in a tenth of a second, on a Raspberry Pi in one."""

    async def asked(self, argv: Sequence[str]) -> str:
        """What it printed on standard output, if it ended well."""
        pipe = Pipe()
        try:
            heard = await self._heard(argv, pipe, stdout=pipe.writes)
        finally:
            pipe.close()
        why = self.unanswered(heard.ended)
        if why is not None:
            raise NoAnswer(why)
        return heard.printed

    async def tried(self, argv: Sequence[str], fence: Fence | None) -> Heard:
        """What it says on standard error, however it ends. It runs behind everything else."""
        pipe = Pipe()
        try:
            return await self._heard(argv, pipe, stderr=pipe.writes, nice=MODEST, ionice=MODEST_WITH_DISKS, fence=fence)
        finally:
            pipe.close()

    def unanswered(self, ended: Ended) -> str | None:
        """Why its end is not a good one; the rest of a sentence."""
        if ended.by_deadline:
            return f"did not answer within {self.seconds:.0f} s"
        if ended.signal is not None:
            return f"was ended by signal {ended.signal}"
        return f"ended with exit code {ended.exit_code}" if ended.exit_code != 0 else None

    async def _heard(
        self,
        argv: Sequence[str],
        pipe: Pipe,
        *,
        stdout: int | None = None,
        stderr: int | None = None,
        nice: int | None = None,
        ionice: str | None = None,
        fence: Fence | None = None,
    ) -> Heard:
        began = boottime()
        try:
            program = await self.warden.start(
                argv,
                fence=fence,
                env=self.environment,
                cwd=self.folder,
                stdout=stdout,
                stderr=stderr,
                nice=nice,
                ionice=ionice,
                kill_at=began + self.seconds,
                program_called=Path(argv[0]).name,
                folder_called="of the agent",
            )
        except (NotStarted, WardenDied) as error:
            raise NoAnswer(f"cannot be started: {error.sentence}") from error
        pipe.close_writes()
        try:
            async with asyncio.timeout(self.seconds + TO_END):
                printed = await _read(pipe)
                ended = await program.ended()
            return Heard(printed=printed, ended=ended, took=boottime() - began)
        except TimeoutError:
            raise NoAnswer("hangs, and cannot be ended") from None
        finally:
            program.signal(signal.SIGKILL)  # nothing, to one that has ended


async def _read(pipe: Pipe) -> str:
    printed = bytearray()
    while (block := pipe.read()) != b"":
        if block is None:
            await pipe.readable()
            continue
        printed += block
        if len(printed) > OUTPUT_BYTES:
            raise NoAnswer("prints without end")
        await asyncio.sleep(0)
    return printed.decode(errors="replace")
