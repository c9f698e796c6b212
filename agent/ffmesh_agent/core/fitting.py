"""Results that can always be told: whatever a job has made and said, each fits into a message, and is read as written.

A result that does not would be kept and never settled, and a next life could not read it.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import structs

from ffmesh_protocol import codec
from ffmesh_protocol.errors import MalformedMessage
from ffmesh_protocol.limits import NAME_CHARS, OUTPUTS, PATH_CHARS
from ffmesh_protocol.messages.jobs import Written
from ffmesh_protocol.messages.reports import Result

TOLD_CHARS: Final = 32 * 1024
"""Of all paths of outputs together: a result shares its message with others."""

RESULT_BYTES: Final = 128 * 1024
"""Of one in its message: letters of some kinds take six bytes there."""


def fitting(result: Result) -> Result:
    """With as many of its outputs as there is room for; without any, and without last lines, if it cannot be told."""
    result = structs.replace(result, outputs=told(result.outputs))
    if _can_be_told(result):
        return result
    return structs.replace(result, outputs=(), last_lines=())


def told(outputs: Iterable[Written]) -> tuple[Written, ...]:
    """The first ones, less those whose path is longer than a path may be."""
    fit: list[Written] = []
    room = TOLD_CHARS
    for output in outputs:
        if len(output.path) > PATH_CHARS + NAME_CHARS:
            continue
        room -= len(output.path)
        if len(fit) == OUTPUTS or room < 0:
            break
        fit.append(output)
    return tuple(fit)


def _can_be_told(result: Result) -> bool:
    try:
        encoded = codec.encode(result)
        return len(encoded) <= RESULT_BYTES and codec.decode(Result, encoded) == result
    except MalformedMessage:
        return False
