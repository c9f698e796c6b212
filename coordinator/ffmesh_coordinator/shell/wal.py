"""Whether SQLite's log beside the database (`-wal`) has lost transactions that were on the disk once.

SQLite ends its reading of the log at the first frame that does not fit, in silence: after a crash that is the rest of a
transaction that was never committed. But when other transactions follow it, then it was on the disk before they began,
and what does not fit is damage: jobs that were accepted would be gone.
"""

import mmap
import struct
from pathlib import Path
from typing import Final, NamedTuple

MAGIC: Final = {0x377F0682: "<II", 0x377F0683: ">II"}
"""Says in which byte order the checksums count; the numbers themselves are big-endian."""

HEADER: Final = struct.Struct(">8I")
FRAME: Final = struct.Struct(">6I")
CHECKED_OF_FRAME: Final = 8
SMALLEST_PAGE: Final = 512

Sum = tuple[int, int]


class _Frame(NamedTuple):
    begin: int
    commits: bool
    salt: Sum
    said: Sum
    """Its checksum, which goes on from that of the frame before."""


def damage(log: Path) -> str | None:
    """How it is damaged, as far as anybody can tell; null: it is whole, but perhaps for its last transaction."""
    if not log.exists() or log.stat().st_size < HEADER.size + FRAME.size + SMALLEST_PAGE:
        return None
    with log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _Log(content).damage() if any(content[: HEADER.size]) else None


class _Log:
    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        magic, _, self._page, _, *rest = HEADER.unpack_from(content)
        self._order = MAGIC.get(magic, "<II")
        self._salt: Sum = (rest[0], rest[1])
        self._begin = self._summed(content[: HEADER.size - 8], (0, 0))
        self._fits = magic in MAGIC and self._begin == (rest[2], rest[3])

    def damage(self) -> str | None:
        if not self._fits:
            return "the beginning of its log does not fit"
        frames = self._frames()
        good = self._good(frames)
        for commit, after in zip(frames[good:], frames[good + 1 :], strict=False):
            if commit.commits and self._follows(after, commit.said):
                return f"frame {good + 1} of its log does not fit, and transactions follow it"
        return None

    def _frames(self) -> list[_Frame]:
        """Those of this round of the log; after them lie frames of an earlier one."""
        step, found = FRAME.size + self._page, list[_Frame]()
        for begin in range(HEADER.size, len(self._content) - step + 1, step):
            _, size, salt_1, salt_2, sum_1, sum_2 = FRAME.unpack_from(self._content, begin)
            found.append(_Frame(begin=begin, commits=size > 0, salt=(salt_1, salt_2), said=(sum_1, sum_2)))
        while found and found[-1].salt != self._salt:
            found.pop()
        return found

    def _good(self, frames: list[_Frame]) -> int:
        """How many fit, one after the other."""
        before = self._begin
        for number, frame in enumerate(frames):
            if not self._follows(frame, before):
                return number
            before = frame.said
        return len(frames)

    def _follows(self, frame: _Frame, before: Sum) -> bool:
        head, body = frame.begin, frame.begin + FRAME.size
        checked = self._content[head : head + CHECKED_OF_FRAME] + self._content[body : body + self._page]
        return frame.salt == self._salt and self._summed(checked, before) == frame.said

    def _summed(self, content: bytes, start: Sum) -> Sum:
        one, two = start
        for left, right in struct.iter_unpack(self._order, content):
            one = (one + left + two) & 0xFFFFFFFF
            two = (two + right + one) & 0xFFFFFFFF
        return one, two
