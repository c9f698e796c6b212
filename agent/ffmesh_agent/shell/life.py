"""A fresh life: the id of one run of this process, a ULID. (python-ulid would take 20 ms and 3 MB to make the same.)"""

import os
import time
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def fresh_life() -> str:
    """48 bits of milliseconds since 1970 and 80 random ones. The clock may be wrong: nothing rests on the order."""
    milliseconds = time.time_ns() // 1_000_000 & (1 << 48) - 1
    number = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
