"""Which of the things that jobs asked for are to be tried again, by how the jobs ended. Pure.

A failure that lies with this machine casts doubt on all that its job asked for. Of other failures nobody here knows
whether another machine would have done better; several in a row are a reason to look, and the coordinator offers
nothing to such an agent for a while then.
"""

from typing import Final

from ffmesh_agent.ffmpeg.command_line import UNDERSTOOD, read
from ffmesh_agent.ffmpeg.trials import ENCODER, HWACCEL
from ffmesh_protocol import times
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg.needs import wanted
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind, Result

_NOT_THE_JOBS: Final = frozenset({FailureKind.TRANSIENT, FailureKind.INPUT})


def asked_for(grant: Grant) -> frozenset[str]:
    """Encoders and accelerators, by what was said that it needs and by its arguments."""
    said = {each.replace("=", "/", 1) for each in grant.needs.capabilities}
    return frozenset({each for each in said if each.startswith((ENCODER, HWACCEL))} | _in_its_words(grant))


def _in_its_words(grant: Grant) -> set[str]:
    if grant.program not in UNDERSTOOD:
        return set()
    try:
        names = wanted(read(grant))
    except PathRefused:
        return set()  # nothing was started then
    return {*(f"{ENCODER}{name}" for name in names.encoders), *(f"{HWACCEL}{name}" for name in names.hwaccels)}


class Doubts:
    def __init__(self) -> None:
        self._in_a_row = 0
        self._asked_for: set[str] = set()

    def ended(self, result: Result, asked_for: frozenset[str]) -> frozenset[str]:
        """What is doubted now."""
        if not result.started or result.stopped is not None:
            return frozenset()
        if result.exit_code == 0 and result.failure is None:
            self._forget()
            return frozenset()
        if result.failure is FailureKind.NODE:
            return asked_for
        if result.failure in _NOT_THE_JOBS:
            self._in_a_row += 1
            self._asked_for |= asked_for
        if self._in_a_row < times.COOL_DOWN_AFTER:
            return frozenset()
        doubted = frozenset(self._asked_for)
        self._forget()
        return doubted

    def _forget(self) -> None:
        self._in_a_row = 0
        self._asked_for.clear()
