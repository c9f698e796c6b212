"""What a program of ours prints, when it is asked about itself: bounded in time and size, through the warden."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.pipes import Pipe
from ffmesh_warden.errors import NotStarted, WardenDied
from ffmesh_warden.handle import Warden

OUTPUT_BYTES: Final = 4 * 1024 * 1024


class NoAnswer(Exception):
    """Why there is nothing to be had: the rest of a sentence that begins with the program's name."""


@dataclass(frozen=True, slots=True)
class Asker:
    warden: Warden
    environment: Mapping[str, str]
    folder: Path
    seconds: float = 10.0
    """A program that takes longer hangs: a real ffmpeg answers in a tenth of a second, on a Raspberry Pi in one."""

    async def asked(self, argv: Sequence[str]) -> str:
        """What it printed on standard output, if it ended well."""
        pipe = Pipe()
        try:
            return await self._asked(argv, pipe)
        finally:
            pipe.close()

    async def _asked(self, argv: Sequence[str], pipe: Pipe) -> str:
        deadline = boottime() + self.seconds
        try:
            program = await self.warden.start(
                argv,
                env=self.environment,
                cwd=self.folder,
                stdout=pipe.writes,
                kill_at=deadline,
                program_called=Path(argv[0]).name,
                folder_called="of the agent",
            )
        except (NotStarted, WardenDied) as error:
            raise NoAnswer(f"cannot be started: {error.sentence}") from error
        pipe.close_writes()
        printed = bytearray()
        while (block := pipe.read()) != b"":
            if block is None:
                await pipe.readable()
                continue
            printed += block
            if len(printed) > OUTPUT_BYTES:
                program.kill_at(boottime())
                raise NoAnswer("prints without end")
            await asyncio.sleep(0)
        ended = await program.ended()
        if ended.by_deadline:
            raise NoAnswer(f"did not answer within {self.seconds:.0f} s")
        if ended.signal is not None:
            raise NoAnswer(f"was ended by signal {ended.signal}")
        if ended.exit_code != 0:
            raise NoAnswer(f"ended with exit code {ended.exit_code}")
        return printed.decode(errors="replace")
