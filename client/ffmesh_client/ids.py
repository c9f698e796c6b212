"""Fresh ids for jobs and lives: ULIDs, of which python-ulid would make the same after importing for 70 ms."""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def fresh_ulid() -> str:
    """48 bits of milliseconds since 1970, then 80 random ones. The clock may be wrong: nothing rests on the order."""
    return spelled(time.time_ns() // 1_000_000, os.urandom(10))


def spelled(milliseconds: int, dice: bytes) -> str:
    number = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(dice, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
