"""Which processors are left to programs while they are to be slow."""

from collections.abc import Collection


def few(usable: Collection[int], wanted: int | None) -> frozenset[int]:
    """So many of them, half unless said, one at least.

    The last ones: interrupts mostly come to the first, and where processors differ, the last are often the small ones.
    """
    count = wanted if wanted is not None else len(usable) // 2
    return frozenset(sorted(usable)[-max(1, count) :])
