"""While we are stopped, somebody must go on saying that we are here: broker, agent and coordinator would take us for
dead, and our program would be killed before anybody says `fg`.

A child of ours does that, with nothing but our connection and what is to be said, without waiting for answers. They
pile up until we go on and read them. It ends when we go on, and also when we die: then the connection ends with it, and
with that the job.
"""

import mmap
import os
import select
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ffmesh_protocol.times import ATTENDING

_COUNTER_BYTES: Final = 8


class Keeper:
    """Exists from now until `over`. `words` makes what is to be said, anew each time: numbers count."""

    def __init__(self, connection: int, words: Callable[[], bytes]) -> None:
        self._rounds = mmap.mmap(-1, _COUNTER_BYTES)
        ends, self._lives = os.pipe()
        with warnings.catch_warnings():
            # Of locks that other threads of ours hold: the child takes none.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            try:
                _keep(connection, ends, words, self._rounds)
            finally:
                os._exit(0)
        os.close(ends)

    def over(self) -> int:
        """How often it has said the words; nothing is said by it any more."""
        os.close(self._lives)
        os.waitpid(self._pid, 0)
        rounds = int.from_bytes(self._rounds[:], "big")
        self._rounds.close()
        return rounds


def _keep(connection: int, ends: int, words: Callable[[], bytes], rounds: mmap.mmap) -> None:
    signal.set_wakeup_fd(-1)
    with suppress(OSError):
        os.setpgid(0, 0)  # what stops or ends our group is not meant for this one
    low, high = sorted((connection, ends))
    for begin, end in ((0, low), (low + 1, high), (high + 1, os.sysconf("SC_OPEN_MAX"))):
        os.closerange(begin, end)  # our reader's pipe, a terminal: they are not held open by this one
    count = 0
    while not select.select([ends], [], [], ATTENDING)[0]:
        count += 1
        rounds[:] = count.to_bytes(_COUNTER_BYTES, "big")
        _send(connection, words())


def _send(connection: int, content: bytes) -> None:
    """Whole, or the connection would be of no use to anybody."""
    left = memoryview(content)
    while left:
        select.select([], [connection], [])
        with suppress(BlockingIOError):
            left = left[os.write(connection, left) :]
