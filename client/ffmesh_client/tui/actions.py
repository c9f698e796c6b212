"""What can be done to jobs and agents from here. One more is one more row."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

from ffmesh_client.tui.desk import Asking
from ffmesh_protocol.wire import Told

Kind = Literal["job", "agent"]


class Subject(Told, frozen=True):
    """What an action is done to: a job by its id, or an agent by its name."""

    kind: Kind
    name: str


class Action(Told, frozen=True):
    """`asks`: how it is asked whether that is meant; None: it hurts nobody and is done at once."""

    key: str
    word: str
    kind: Kind
    says: str
    asks: str | None
    done: str
    do: Callable[[Asking, str], Awaitable[object]]


async def _cancel(mesh: Asking, job: str) -> object:
    return await mesh.cancel(job)


async def _retry(mesh: Asking, job: str) -> object:
    return await mesh.retry(job)


async def _drain(mesh: Asking, agent: str) -> object:
    return await mesh.drain(agent, True)


async def _resume(mesh: Asking, agent: str) -> object:
    return await mesh.drain(agent, False)


ACTIONS: Final[Sequence[Action]] = (
    Action(
        key="c",
        word="cancel",
        kind="job",
        says="end a job for good",
        asks="Cancel {}? What it has done so far is lost.",
        done="{} cancelled",
        do=_cancel,
    ),
    Action(
        key="r",
        word="retry",
        kind="job",
        says="try a job again that failed or was cancelled",
        asks=None,
        done="{} to be tried again",
        do=_retry,
    ),
    Action(
        key="d",
        word="drain",
        kind="agent",
        says="let an agent finish what it has and take no more",
        asks="Drain {}? It finishes what it has and takes no more until it is resumed.",
        done="{} draining",
        do=_drain,
    ),
    Action(
        key="u",
        word="resume",
        kind="agent",
        says="let a drained agent take jobs again",
        asks=None,
        done="{} takes jobs again",
        do=_resume,
    ),
)


def named(kind: Kind, names: Sequence[str]) -> str:
    """`agent pi-1`, `3 jobs`."""
    return f"{kind} {names[0]}" if len(names) == 1 else f"{len(names)} {kind}s"
