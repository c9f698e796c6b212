"""The options of one filter, with the names of those that are given without."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ffmesh_protocol.ffmpeg.escapes import Spelled, take_pair

_BETWEEN: Final = ":"


class Option(NamedTuple):
    name: str | None
    """None: it stands alone, and whose turn it is, is not known."""
    value: Spelled
    is_late: bool = False
    """It stands alone behind one with a key: other versions of ffmpeg deal it to another option, or refuse it."""


def options_of(text: Spelled, order: Sequence[Sequence[str]]) -> Iterator[Option]:
    """`order` has the names of each option, in the order in which values without a key are dealt out.

    A key does not end the dealing: it goes on behind that option, as in `scale=w=100:200`. Behind a key of another
    kind, such as `enable`, it begins anew, but not with the option whose turn it was when the last one was looked at.
    """
    slots = [slot for slot, names in enumerate(order) for _ in names]
    names = [name for group in order for name in group]
    turn, last, at = 0, -1, 0
    was_key = False
    while at < len(text.text):
        while turn < len(slots) and slots[turn] == last:
            turn += 1
        candidate = names[turn] if turn < len(names) else None
        last = slots[turn] if candidate is not None else last
        key, value, end = take_pair(text, at, _BETWEEN)
        if key is None:
            yield Option(candidate, value, is_late=was_key)
            turn += 1
        else:
            was_key = True
            yield Option(key, value)
            turn = names.index(key) + 1 if key in names else 0
        at = end + 1
