"""What the coordinator's core asks for: orders, carried out by the shell in this order: disk, network, the rest.

Only what `said_beforehand` picks out need not wait for the disk.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

from ffmesh_coordinator.core.events import Asker, ClientSpoke, KnownAgent
from ffmesh_coordinator.core.job import Job
from ffmesh_protocol.messages.answers import Answer
from ffmesh_protocol.messages.orders import Offers
from ffmesh_protocol.names import Principal
from ffmesh_protocol.topics import Family
from ffmesh_protocol.wire import Directed, Told


class SaveJob(Told, frozen=True):
    """On disk before anything is sent. Of several for one job in one batch the last one counts."""

    job: Job


class SaveAgent(Told, frozen=True):
    agent: KnownAgent


class ForgetAgent(Told, frozen=True):
    name: str


class Tell(Told, frozen=True):
    """A signed message to one life."""

    receiver: Principal
    life: str
    message: Directed


class Reply(Told, frozen=True):
    """The signed answer to a request."""

    asker: Asker
    answer: Answer


class Publish(Told, frozen=True):
    """A public message; null clears what is retained. `retain` is false where a last word must not stay."""

    family: Family
    topic: str
    message: Told | None
    retain: bool


class Recall(Told, frozen=True):
    """A client speaks of a job that has ended: read it from disk and say `Recalled`, with `spoken`."""

    job: str
    spoken: ClientSpoke
    with_followers: bool = False


class WakeAt(Told, frozen=True):
    """Say `Woken` when `elapsed` is this. The last one counts; null: there is nothing to wait for."""

    elapsed: float | None


class NoteLevel(StrEnum):
    INFO = "info"
    WARNING = "warning"


class Note(Told, frozen=True):
    """One line that an operator can act on."""

    level: NoteLevel
    text: str


Effect: TypeAlias = SaveJob | SaveAgent | ForgetAgent | Tell | Reply | Publish | Recall | WakeAt | Note


def said_beforehand(effects: Iterable[Effect]) -> tuple[list[Effect], list[Effect]]:
    """The offers among them, but for those to whom something else is to be said first; and all the rest.

    An offer promises nothing, and nothing of it is on disk: while the job gets there, its agent can answer.
    """
    to_wait: set[Principal] = set()
    offers: list[Effect] = []
    rest: list[Effect] = []
    for effect in effects:
        if isinstance(effect, Tell) and isinstance(effect.message, Offers) and effect.receiver not in to_wait:
            offers.append(effect)
            continue
        if isinstance(effect, Tell):
            to_wait.add(effect.receiver)
        rest.append(effect)
    return offers, rest
