"""Everything that one program writes, read from beginning to end: stdout and stderr for whoever wants them, the end of
stderr for the tail and to judge a failure by, progress and duration for people.

Always as blocks, and always on: a reader that waits for line ends, or that stops, freezes an encode.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from ffmesh_agent.core.events import Event, ProgressRead
from ffmesh_agent.ffmpeg.command_line import Line
from ffmesh_agent.ffmpeg.duration import NOTHING_SAID, DurationReader
from ffmesh_agent.ffmpeg.last_words import LastWords
from ffmesh_agent.ffmpeg.progress import ProgressReader
from ffmesh_agent.shell.outlets import Outlet
from ffmesh_agent.shell.pipes import Pipe, StandardInput
from ffmesh_agent.shell.tails import Tail
from ffmesh_protocol.messages.jobs import Progress
from ffmesh_protocol.messages.reports import StreamLengths
from ffmesh_warden.program import Ended, Program

log = logging.getLogger(__name__)

LEFT_BYTES: Final = 2 * 1024 * 1024
"""Read from a pipe after its program's end, at most: more than any pipe holds. If that is not the end, a process that
no sweep could find holds the pipe and goes on writing."""

PROGRESS_SECONDS: Final = 0.5
"""How often progress is told, at most, whatever period the caller asked ffmpeg for. The last word is always told."""


@dataclass(frozen=True, slots=True)
class Streams:
    stdout: Pipe
    stderr: Pipe
    progress: Pipe | None
    stdin: StandardInput | None = None

    @classmethod
    def made(cls, pipes: ExitStack, *, progress: bool, stdin: bool = False) -> "Streams":
        def pipe() -> Pipe:
            made = Pipe()
            pipes.callback(made.close)
            return made

        streams = cls(pipe(), pipe(), pipe() if progress else None, _stdin(pipes) if stdin else None)
        streams.stdout.widen()
        return streams

    def close_the_programs(self) -> None:
        """Its ends of them; it has its own by then."""
        for pipe in (self.stdout, self.stderr, self.progress):
            if pipe is not None:
                pipe.close_writes()
        if self.stdin is not None:
            self.stdin.close_reads()


def _stdin(pipes: ExitStack) -> StandardInput:
    made = StandardInput()
    pipes.callback(made.close)
    return made


class Reading:
    """Reads everything that one program writes."""

    def __init__(
        self,
        *,
        attempt: str,
        streams: Streams,
        stdout: Outlet,
        stderr: Outlet,
        tail: Tail,
        tell: Callable[[Event], None],
        line: Line = NOTHING_SAID,
    ) -> None:
        """`line` is what the program's arguments say of inputs and outputs."""
        self._stdout_bytes = 0
        self._stderr_bytes = 0
        self._attempt = attempt
        self._streams = streams
        self._stdout = stdout
        self._stderr = stderr
        self._tail = tail
        self._tell = tell
        self._progress = ProgressReader()
        self._duration = DurationReader(line)
        self._last_words = LastWords()
        self._began = time.monotonic()
        self._ended_at: float | None = None
        self._untold: Progress | None = None
        self._told_at = float("-inf")

    @property
    def seconds(self) -> float:
        return round((self._ended_at or time.monotonic()) - self._began, 3)

    @property
    def lengths(self) -> StreamLengths:
        return StreamLengths(stdout=self._stdout_bytes, stderr=self._stderr_bytes)

    def last_lines(self) -> list[str]:
        """Of standard error."""
        return self._last_words.lines()

    async def until_ended(self, program: Program) -> Ended:
        """Its end; all that it wrote has been taken by then."""
        self._stdout.when_broken(self._streams.stdout.close_reads)
        self._stderr.when_broken(self._streams.stderr.close_reads)
        async with asyncio.TaskGroup() as tasks:
            readers = [
                tasks.create_task(self._copy(self._streams.stdout, self._stdout, self._take_stdout), name="stdout"),
                tasks.create_task(self._copy(self._streams.stderr, self._stderr, self._take_stderr), name="stderr"),
            ]
            if self._streams.progress is not None:
                readers.append(tasks.create_task(self._read_progress(self._streams.progress), name="progress"))
            ended = await program.ended()
            self._ended_at = time.monotonic()
            for reader in readers:
                reader.cancel()  # what is left needs no waiting: nothing runs that could write more
        self._read_what_is_left()
        return ended

    async def _copy(self, pipe: Pipe, outlet: Outlet, take: Callable[[bytes], None]) -> None:
        while True:
            room = await outlet.room()
            await pipe.readable()
            # From here to `take` nothing waits, so that a cancellation loses nothing.
            block = pipe.read(room)
            if block == b"":
                return
            if block is not None:
                take(block)

    async def _read_progress(self, pipe: Pipe) -> None:
        while True:
            await pipe.readable()
            block = pipe.read()
            if block == b"":
                return
            if block is not None:
                self._take_progress(block)

    def _read_what_is_left(self) -> None:
        self._empty(self._streams.stdout, self._take_stdout)
        self._empty(self._streams.stderr, self._take_stderr)
        if self._streams.progress is not None:
            self._empty(self._streams.progress, self._take_progress)
            self._tell_progress()
        self._stdout.end()
        self._stderr.end()

    def _empty(self, pipe: Pipe, take: Callable[[bytes], None]) -> None:
        taken = 0
        while (block := pipe.read()) and taken < LEFT_BYTES:
            take(block)
            taken += len(block)
        if block != b"":
            log.warning("%s: something that outlived the program holds one of its streams open", self._attempt)

    def _take_stdout(self, block: bytes) -> None:
        self._stdout_bytes += len(block)
        self._stdout.write(block)

    def _take_stderr(self, block: bytes) -> None:
        self._stderr_bytes += len(block)
        self._stderr.write(block)
        self._tail.feed(self.seconds, block)
        self._last_words.feed(block)
        if self._streams.progress is not None:
            self._duration.feed(block)

    def _take_progress(self, block: bytes) -> None:
        told = self._progress.feed(block, self._duration.seconds)
        if told:
            self._untold = told[-1]
        if time.monotonic() - self._told_at >= PROGRESS_SECONDS:
            self._tell_progress()

    def _tell_progress(self) -> None:
        if self._untold is not None:
            self._tell(ProgressRead(attempt=self._attempt, progress=self._untold))
            self._untold = None
            self._told_at = time.monotonic()
