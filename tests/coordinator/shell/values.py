"""Jobs and their parts, for tests of what keeps and shows them."""

from typing import Any

import msgspec

from ffmesh_coordinator.core.job import Attempt, Job, Owner
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.packed import PackedSubmit
from ffmesh_protocol.messages.jobs import AttemptState
from support.coordinating import submit

LIFE = "0T" + "1" * 24


def ulid(letter: str, number: int) -> str:
    return f"0{letter}{number:024d}"


def a_job(sequence: int, *, labels: dict[str, str] | None = None, **fields: Any) -> Job:
    asked = msgspec.structs.replace(
        submit(ulid("J", sequence)), labels={"title": "A film"} if labels is None else labels
    )
    return Job(
        asked=PackedSubmit.of(asked),
        owner=Owner(client="tv", life=LIFE),
        sequence=sequence,
        created_at=1000.5 + sequence,
        **fields,
    )


def an_attempt(number: int, *, state: AttemptState = AttemptState.GRANTED, **fields: Any) -> Attempt:
    return Attempt(
        id=ulid("A", number), number=number, agent="pi", agent_life=LIFE, state=state, granted_at=2000.25, **fields
    )


def ended(sequence: int, phase: Phase = Phase.SUCCEEDED, **fields: Any) -> Job:
    return a_job(sequence, phase=phase, ended_at=3000.0 + sequence, **fields)
