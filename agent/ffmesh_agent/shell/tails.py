"""The kept end of each attempt's standard error, for `ffmesh logs`.

Bounded three ways: the length of a line, the size of an attempt's file, the number of attempts. Written each beat and
at the end, never line by line: a memory card wears out. Not synced: what a crash takes of it is no loss to anybody.

Lines have numbers, so that who follows a program can ask for what is new. They count what was not kept too: a number
that is left out shows where lines are missing.

On disk an attempt is one or two files of JSON lines, `[seconds since the start, text, number]`: `<attempt>.log`, and
`<attempt>.log.1` with what came before.
"""

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from ffmesh_agent.ffmpeg.lines import Lines
from ffmesh_agent.shell.disk import Disk
from ffmesh_protocol.messages.reports import LogLine

LINE_CHARS: Final = 1000
FILE_BYTES: Final = 32 * 1024
"""Of each of an attempt's two files."""

SMALL_BYTES: Final = 4096
SMALL_SECONDS: Final = 0.05
KEPT: Final = 200
"""How many attempts have a tail; the oldest goes first."""

MESSAGE_BYTES: Final = 128 * 1024
"""Of the lines that answer one request, as JSON."""

STREAM: Final = "stderr"

log = logging.getLogger(__name__)


class _Line(msgspec.Struct, frozen=True, array_like=True):
    """As it stands in a file; earlier agents wrote no numbers."""

    seconds: float
    text: str
    number: int = 0


_lines: Final = msgspec.json.Decoder(_Line)
_json: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Part:
    """Of what is kept of an attempt. `more`: the newest lines did not fit into one message."""

    lines: tuple[LogLine, ...]
    more: bool = False


class Tail:
    """Of one attempt that runs. Feeding costs nothing but the newest bytes; lines are made when they are asked for."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._lines = Lines()
        self._number = 0
        """Of the last line."""
        self._seconds = 0.0
        """When the last bytes came."""

    @property
    def held_bytes(self) -> int:
        return self._bytes

    def feed(self, seconds: float, block: bytes) -> None:
        if len(block) > FILE_BYTES:
            while self._blocks:
                self._drop(self._blocks.popleft()[1])
            self._bytes = 0
            self._drop(block[:-FILE_BYTES])
            block = block[-FILE_BYTES:]
        self._bytes += len(block)
        self._blocks.append(self._merged(seconds, block))
        while self._bytes - len(self._blocks[0][1]) >= FILE_BYTES:
            dropped = self._blocks.popleft()[1]
            self._bytes -= len(dropped)
            self._drop(dropped)

    def _drop(self, block: bytes) -> None:
        """Nobody will see it; its lines count. What comes next does not continue what had not ended."""
        self._lines.rest()
        self._number += max(1, block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n"))

    def _merged(self, seconds: float, block: bytes) -> tuple[float, bytes]:
        """With the block before it, if both are small: a program may write each letter by itself."""
        if self._blocks and len(block) + len(self._blocks[-1][1]) <= SMALL_BYTES:
            before, content = self._blocks[-1]
            if seconds - before < SMALL_SECONDS:
                self._blocks.pop()
                return before, content + block
        return seconds, block

    def taken(self, *, at_end: bool = False) -> bytes:
        """The lines that ended since the last time, as they stand in the file."""
        written = b"".join(
            self._written(seconds, line) for seconds, block in self._blocks for line in self._lines.feed(block)
        )
        if self._blocks:
            self._seconds = self._blocks[-1][0]
        if at_end and (rest := self._lines.rest()):
            written += self._written(self._seconds, rest)
        self._blocks.clear()
        self._bytes = 0
        return written

    def _written(self, seconds: float, line: bytes) -> bytes:
        self._number += 1
        text = line.decode(errors="replace")[:LINE_CHARS]
        return _json.encode(_Line(round(seconds, 3), text, self._number)) + b"\n"


class Tails:
    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._running: dict[str, Tail] = {}
        self._kept: dict[str, None] = {}
        """Every attempt that has a tail, the oldest first. One that wrote nothing has no file."""
        self._in_files: set[str] = set()
        self._disk_is_well = True

    async def prepare(self) -> None:
        self._kept = dict.fromkeys(await self._disk.did(_found, self._folder))
        self._in_files = set(self._kept)

    def begin(self, attempt: str) -> Tail:
        self._kept[attempt] = None
        tail = self._running[attempt] = Tail()
        return tail

    async def end(self, attempt: str) -> None:
        tail = self._running.pop(attempt)
        await self._append({attempt: tail.taken(at_end=True)})

    async def beat(self) -> None:
        """Writes what came since the last one."""
        await self._append({attempt: tail.taken() for attempt, tail in self._running.items()})

    async def read(self, attempt: str, *, after: int | None = None) -> Part | None:
        """The newest lines that fit into a message, or the first that fit of those above a number.

        None: there is nothing of that attempt here.
        """
        if attempt not in self._kept:
            return None
        if tail := self._running.get(attempt):
            await self._append({attempt: tail.taken()})
        return await self._disk.did(_read, self._folder, attempt, after)

    async def _append(self, written: dict[str, bytes]) -> None:
        written = {attempt: lines for attempt, lines in written.items() if lines}
        too_many = [attempt for attempt in self._taken_from_kept() if attempt in self._in_files]
        if not written and not too_many:
            return
        self._in_files.update(written)
        self._in_files.difference_update(too_many)
        try:
            await self._disk.did(_carried_out, self._folder, written, too_many)
        except OSError as error:  # a full disk stops no program
            if self._disk_is_well:
                log.warning("the ends of standard error cannot be kept in %s: %s", self._folder, error.strerror)
            self._disk_is_well = False
        else:
            self._disk_is_well = True

    def _taken_from_kept(self) -> list[str]:
        over = max(0, len(self._kept) - KEPT)
        oldest = list(islice((attempt for attempt in self._kept if attempt not in self._running), over))
        for attempt in oldest:
            del self._kept[attempt]
        return oldest


def _found(folder: Path) -> list[str]:
    """The attempts with files, the oldest first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return [file.stem for file in sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime_ns)]


def _carried_out(folder: Path, written: dict[str, bytes], too_many: list[str]) -> None:
    for attempt in too_many:
        for half in _halves(folder, attempt):
            half.unlink(missing_ok=True)
    for attempt, lines in written.items():
        _append_one(folder, attempt, lines)


def _halves(folder: Path, attempt: str) -> tuple[Path, Path]:
    return folder / f"{attempt}.log.1", folder / f"{attempt}.log"


def _append_one(folder: Path, attempt: str, lines: bytes) -> None:
    older, newer = _halves(folder, attempt)
    if len(lines) > FILE_BYTES:
        lines = lines[lines.index(b"\n", len(lines) - FILE_BYTES) + 1 :]
    size = newer.stat().st_size if newer.exists() else 0
    if size and size + len(lines) > FILE_BYTES:
        newer.replace(older)
    with newer.open("ab") as opened:
        opened.write(lines)


def _read(folder: Path, attempt: str, after: int | None) -> Part:
    halves = [half.read_bytes() for half in _halves(folder, attempt) if half.exists()]
    lines = [line for half in halves for line in _lines_in(half)]
    if after is None:
        return Part(tuple(reversed(_first_that_fit(reversed(lines)))))
    new = [line for line in lines if line.number > after]
    fitting = _first_that_fit(new)
    return Part(tuple(fitting), more=len(fitting) < len(new))


def _lines_in(half: bytes) -> Iterable[LogLine]:
    for line in half.splitlines():
        try:
            kept = _lines.decode(line)
        except msgspec.MsgspecError:
            continue  # cut off by a crash
        yield LogLine(time=kept.seconds, stream=STREAM, text=kept.text, number=kept.number)


def _first_that_fit(lines: Iterable[LogLine]) -> list[LogLine]:
    fitting: list[LogLine] = []
    room = MESSAGE_BYTES
    for line in lines:
        room -= len(_json.encode(line)) + 1
        if room < 0:
            break
        fitting.append(line)
    return fitting
