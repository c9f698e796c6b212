"""The terminal that a person types on: keys go through at once and are not shown, as ffmpeg has it. Ctrl-C is no key.

It is ours only while we are in its foreground: in the background it is neither changed nor read, and whoever does so
all the same is stopped by the kernel, as any program is.
"""

import contextlib
import os
import sys
import threading
from typing import Final

if sys.platform != "win32":
    import termios

_CONTROL: Final = 6
"""Where `tcgetattr` has the control characters; before them are input, output, control and local modes."""


class Terminal:
    """Called from the loop and from the thread that reads keys."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[int | list[bytes | int]] | None = None
        self._may_take = True
        self._lock = threading.Lock()

    @property
    def is_ours(self) -> bool:
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:
            return False  # it is not the one that controls us, or it has hung up

    def take(self) -> None:
        """Does nothing while it is not ours, or when it was taken."""
        with self._lock, contextlib.suppress(termios.error):
            if self._before is None and self._may_take and self.is_ours:
                before = termios.tcgetattr(self._descriptor)
                termios.tcsetattr(self._descriptor, termios.TCSANOW, _for_keys(before))
                self._before = before

    def take_again(self) -> None:
        """Somebody may have changed it: we were stopped by a signal that nobody hears."""
        with self._lock, contextlib.suppress(termios.error):
            if self._before is not None and self.is_ours:
                termios.tcsetattr(self._descriptor, termios.TCSANOW, _for_keys(self._before))

    def give_back(self) -> None:
        """As it was. It is not taken again before `may_take`."""
        with self._lock, contextlib.suppress(termios.error):
            self._may_take = False
            before, self._before = self._before, None
            if before is not None and self.is_ours:
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)

    def may_take(self) -> None:
        """We were stopped and go on; whoever had the terminal meanwhile has left it as it likes."""
        with self._lock:
            self._may_take = True


def _for_keys(modes: list[int | list[bytes | int]]) -> list[int | list[bytes | int]]:
    incoming, outgoing, control, local, *rest = modes
    assert isinstance(incoming, int)
    assert isinstance(outgoing, int)
    assert isinstance(control, int)
    assert isinstance(local, int)
    off = termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
    incoming &= ~(off | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
    local &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN)
    control = control & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    characters = rest[_CONTROL - 4]
    assert isinstance(characters, list)
    characters = [*characters]
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    return [incoming, outgoing | termios.OPOST, control, local, *rest[: _CONTROL - 4], characters]
