"""Whether SQLite's log beside the database (`-wal`) has lost transactions that were on the disk once.

SQLite ends its reading of the log at the first frame that does not fit, in silence: after a crash that is the rest of a
transaction that was never committed. But when other transactions follow it, then it was on the disk before they began,
and what does not fit is damage: jobs that were accepted would be gone.
"""

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
    commits: bool
    salt: Sum
    said: Sum
    """Its checksum, which goes on from that of the frame before."""
    bytes: bytes
    """What the checksum is of."""


def damage(log: Path) -> str | None:
    """How it is damaged, as far as anybody can tell; null: it is whole, but perhaps for its last transaction."""
    content = log.read_bytes() if log.exists() else b""
    if len(content) < HEADER.size + FRAME.size + SMALLEST_PAGE or not any(content[: HEADER.size]):
        return None
    magic, _, page, _, *salt_and_sum = HEADER.unpack_from(content)
    order = MAGIC.get(magic, "<II")
    begin = _summed(order, content[: HEADER.size - 8], (0, 0))
    if magic not in MAGIC or begin != tuple(salt_and_sum[2:]):
        return "the beginning of its log does not fit"
    salt = (salt_and_sum[0], salt_and_sum[1])
    frames = _frames(content, page, salt)
    good = _good(frames, order, salt, begin)
    for number in range(good, len(frames) - 1):
        commit, after = frames[number], frames[number + 1]
        if commit.commits and after.salt == salt and _summed(order, after.bytes, commit.said) == after.said:
            return f"frame {good + 1} of its log does not fit, and transactions follow it"
    return None


def _frames(content: bytes, page: int, salt: Sum) -> list[_Frame]:
    """Those of this round of the log; after them lie frames of an earlier one."""
    found: list[_Frame] = []
    for begin in range(HEADER.size, len(content) - FRAME.size - page + 1, FRAME.size + page):
        _, size, salt_1, salt_2, sum_1, sum_2 = FRAME.unpack_from(content, begin)
        body = content[begin + FRAME.size : begin + FRAME.size + page]
        checked = content[begin : begin + CHECKED_OF_FRAME] + body
        found.append(_Frame(commits=size > 0, salt=(salt_1, salt_2), said=(sum_1, sum_2), bytes=checked))
    while found and found[-1].salt != salt:
        found.pop()
    return found


def _good(frames: list[_Frame], order: str, salt: Sum, begin: Sum) -> int:
    """How many fit, one after the other."""
    total = begin
    for number, frame in enumerate(frames):
        total = _summed(order, frame.bytes, total)
        if frame.salt != salt or total != frame.said:
            return number
    return len(frames)


def _summed(order: str, content: bytes, start: Sum) -> Sum:
    one, two = start
    for left, right in struct.iter_unpack(order, content):
        one = (one + left + two) & 0xFFFFFFFF
        two = (two + right + one) & 0xFFFFFFFF
    return one, two
