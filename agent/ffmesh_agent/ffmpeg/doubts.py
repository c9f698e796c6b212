"""Which of the things that jobs asked for are to be tried again, by how the jobs ended. Pure.

A failure that lies with this machine casts doubt on all that its job asked for. Of other failures nobody here knows
whether another machine would have done better; several in a row are a reason to look, and the coordinator offers
nothing to such an agent for a while then.
"""

from collections.abc import Iterable
from typing import Final

from ffmesh_agent.ffmpeg.trials import ENCODER, HWACCEL
from ffmesh_protocol import times
from ffmesh_protocol.messages.reports import FailureKind, Result

_NOT_THE_JOBS: Final = frozenset({FailureKind.TRANSIENT, FailureKind.INPUT})


class Doubts:
    def __init__(self) -> None:
        self._in_a_row = 0
        self._asked_for: set[str] = set()

    def ended(self, result: Result, capabilities: Iterable[str]) -> frozenset[str]:
        """`capabilities`: those that its job needs, as `encoder=h264_nvenc`. What is doubted now."""
        asked_for = frozenset(
            each.replace("=", "/", 1)
            for each in capabilities
            if each.replace("=", "/", 1).startswith((ENCODER, HWACCEL))
        )
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
