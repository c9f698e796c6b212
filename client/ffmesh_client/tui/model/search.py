"""What is searched for among jobs, as a person types it: `state:failed agent:pi-1 owner:tv label:show=Sea coast`."""

from collections.abc import Mapping
from typing import Final

from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.wire import Told

OPEN: Final = (
    JobState.WAITING,
    JobState.QUEUED,
    JobState.OFFERED,
    JobState.GRANTED,
    JobState.RUNNING,
    JobState.CANCELLING,
)
OF_WORDS: Final[Mapping[str, tuple[JobState, ...]]] = {
    "open": OPEN,
    "ended": tuple(state for state in JobState if state.is_end),
    "queued": (JobState.QUEUED, JobState.OFFERED),
    "running": (JobState.GRANTED, JobState.RUNNING, JobState.CANCELLING),
}
"""What people mean by a word; any other is a state, or the beginning of one."""


class Wanted(Told, frozen=True):
    """`states` and `labels` are asked of the coordinator; the rest is looked for in what it gives. `states` is None
    where any will do, and empty where none can be meant."""

    states: tuple[JobState, ...] | None = None
    labels: tuple[tuple[str, str], ...] = ()
    agent: str = ""
    agent_is: str | None = None
    """The whole name."""
    owner: str = ""
    in_workflow: bool = False
    words: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[object, ...]:
        """What another answer of the coordinator would be needed for, if it changed."""
        return (self.states, self.labels)

    @property
    def looks_inside(self) -> bool:
        """Whether some of the jobs that the coordinator gives may not be meant."""
        return bool(self.agent or self.agent_is or self.owner or self.in_workflow or self.words)


def parsed(text: str, states: tuple[JobState, ...] | None = None) -> Wanted:
    """Never wrong: what is no filter is a word to be looked for. `states` holds where the text says none."""
    labels: list[tuple[str, str]] = []
    words: list[str] = []
    agent = owner = ""
    for word in text.split():
        kind, colon, value = word.partition(":")
        name, equals, rest = value.partition("=")
        if kind == "state" and value:
            states = _states(value.casefold())
        elif kind == "agent" and value:
            agent = value.casefold()
        elif kind == "owner" and value:
            owner = value.casefold()
        elif kind == "label" and name and equals:
            labels.append((name, rest))
        elif not colon or value:
            words.append(word.casefold())
    return Wanted(states=states, labels=tuple(labels), agent=agent, owner=owner, words=tuple(words))


def _states(word: str) -> tuple[JobState, ...]:
    return OF_WORDS.get(word) or tuple(state for state in JobState if state.value.startswith(word))
