"""Bytes, cut anywhere, into lines. CR, LF or both end a line: ffmpeg's progress lines end in CR alone."""

import re
from typing import Final

LINE_BYTES: Final = 4000
"""Of a line, that is what is kept. A program that never ends its line must not fill our memory."""

_ends = re.compile(rb"\r\n|\r|\n")


class Lines:
    def __init__(self) -> None:
        self._unfinished = b""
        self._after_cr = False

    def feed(self, block: bytes) -> list[bytes]:
        """The lines that ended in this block, without their ends."""
        if self._after_cr and block.startswith(b"\n"):
            block = block[1:]
            self._after_cr = False
        if not block:
            return []
        self._after_cr = block.endswith(b"\r")
        *lines, unfinished = _ends.split(self._unfinished + block)
        self._unfinished = unfinished[:LINE_BYTES]
        return [line[:LINE_BYTES] for line in lines]

    def rest(self) -> bytes:
        """What stands after the last end of a line; after it, nothing does."""
        rest, self._unfinished = self._unfinished, b""
        return rest
