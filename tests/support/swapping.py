"""Two names that change places all the time, each at one moment: for whoever looks first and uses then."""

import ctypes
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_EXCHANGE: Final = 2
_FROM_HERE: Final = -100
PAUSE: Final = 0.0005
"""Seconds between two swaps, so that who looks and uses at once meets both."""


@contextmanager
def swapped_all_the_time(one: Path, other: Path) -> Generator[None, None, None]:
    over = threading.Event()
    names = os.fsencode(one), os.fsencode(other)
    exchange = ctypes.CDLL(None, use_errno=True).renameat2

    def swap() -> None:
        while not over.is_set():
            exchange(_FROM_HERE, names[0], _FROM_HERE, names[1], _EXCHANGE)
            over.wait(PAUSE)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        yield
    finally:
        over.set()
        swapping.join()
