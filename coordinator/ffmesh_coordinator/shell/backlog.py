"""What waits for room on the disk: everything to be saved, and behind it, in order, everything that may be said after.

While the disk takes nothing, the core goes on deciding, but nobody hears of what is not kept. A few words need no disk
and promise nothing, and are not held back: that leases go on, what is refused, how the coordinator is.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias, assert_never

from ffmesh_coordinator.core.effects import (
    Effect,
    ForgetAgent,
    Note,
    Publish,
    Recall,
    Reply,
    SaveAgent,
    SaveJob,
    Tell,
    WakeAt,
)
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Refusal
from ffmesh_protocol.messages.orders import Leased
from ffmesh_protocol.topics import Family

Saving: TypeAlias = SaveJob | SaveAgent | ForgetAgent

HELD_AT_MOST: Final = 10_000
"""Words. Beyond that they are dropped, and once there is room the connection is made anew: then all that still holds
is said and heard again. What is to be saved grows with open jobs and agents only."""

SAID_ALWAYS: Final = frozenset({Family.COORDINATOR_STATUS, Family.SUMMARY})

REFUSED_ALWAYS: Final = frozenset(RefusalCode) - {RefusalCode.ID_TAKEN, RefusalCode.TOO_LATE}
"""Those two tell of something that may not be on the disk."""


class Backlog:
    def __init__(self) -> None:
        self._jobs: dict[str, SaveJob] = {}
        self._agents: dict[str, SaveAgent | ForgetAgent] = {}
        self._words: list[Effect] = []
        self.overflowed = False
        """Words were dropped."""

    def taken(self, effects: Sequence[Effect]) -> list[Effect]:
        """Holds back what must wait; the answer is what need not."""
        now: list[Effect] = []
        for effect in effects:
            match effect:
                case SaveJob(job=job):
                    self._jobs[job.id] = effect
                case SaveAgent(agent=agent):
                    self._agents[agent.name] = effect
                case ForgetAgent(name=name):
                    self._agents[name] = effect
                case Tell() | Reply() | Publish():
                    if _promises_nothing(effect):
                        now.append(effect)
                    else:
                        self._hold(effect)
                case Recall() | WakeAt() | Note():
                    now.append(effect)
                case _:
                    assert_never(effect)
        return now

    def _hold(self, word: Effect) -> None:
        if len(self._words) == HELD_AT_MOST:
            self.overflowed = True
        if self.overflowed:
            self._words.clear()
        else:
            self._words.append(word)

    @property
    def savings(self) -> list[Saving]:
        """Of several for one job or agent the last one."""
        return [*self._jobs.values(), *self._agents.values()]

    @property
    def words(self) -> list[Effect]:
        """To be said when all of `savings` is on the disk."""
        return list(self._words)


def _promises_nothing(word: Tell | Reply | Publish) -> bool:
    match word:
        case Tell(message=message):
            return isinstance(message, Leased)
        case Reply(answer=answer):
            return isinstance(answer, Refusal) and answer.code in REFUSED_ALWAYS
        case Publish(family=family):
            return family in SAID_ALWAYS
        case _:
            assert_never(word)
