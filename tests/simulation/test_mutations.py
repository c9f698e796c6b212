# pyright: reportPrivateUsage=false
# A mutation reaches into what it mutates.
"""Mutations of the cores. A bottle that does not catch them proves nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from ffmesh_agent.core.attempt import Attempt
from ffmesh_agent.core.bench import Bench
from ffmesh_coordinator.core import jobs
from ffmesh_coordinator.core.agents import Agents
from ffmesh_coordinator.core.job import Job, Owner
from ffmesh_coordinator.core.jobs import Jobs
from ffmesh_coordinator.core.ledger import Ledger
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.roster import Agent as RosterAgent
from ffmesh_protocol.messages.jobs import AttemptState
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import HeldPhase, Result
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.streams import Chunk, IncomingStream
from simulation.truth import Broken
from simulation.world import World


def _nothing(*_: object) -> None: ...


def _zero(*_: object) -> int:
    return 0


def _starts_what_it_has_started(patch: pytest.MonkeyPatch) -> None:
    """The agent forgets which attempts it was granted: a repeated grant starts its program again."""

    def granted(bench: Bench, grant: Grant) -> None:
        attempt = Attempt(id=grant.attempt, job=grant.job, slot="", phase=HeldPhase.GRANTED, grant=grant)
        bench._attempts[grant.attempt] = attempt
        bench._launch(attempt)

    patch.setattr(Bench, "granted", granted)


def _counts_no_slots(patch: pytest.MonkeyPatch) -> None:
    """Agent and coordinator forget what runs already."""
    patch.setattr(Bench, "used", _zero)
    patch.setattr(RosterAgent, "used", _zero)


def _grants_before_the_disk(patch: pytest.MonkeyPatch) -> None:
    """The coordinator sends a grant that it has not saved."""
    change = Jobs._change

    def unsaved(jobs: Jobs, job: Job, *, save: bool = False, **fields: Any) -> Job:
        return change(jobs, job, save=save and fields.get("phase") is not Phase.GRANTED, **fields)

    patch.setattr(Jobs, "_change", unsaved)


def _counts_our_stop_as_success(patch: pytest.MonkeyPatch) -> None:
    """What ended with 0 because we stopped it is taken for a success."""

    def verdict(job: Job, result: Result) -> jobs.Verdict:
        state = AttemptState.SUCCEEDED if result.exit_code == 0 else AttemptState.FAILED
        return jobs.Verdict(state=state)

    patch.setattr(jobs, "verdict_on", verdict)


def _offers_what_was_lost_again(patch: pytest.MonkeyPatch) -> None:
    """A job whose agent fell silent is queued again, though its program may still run."""

    def lose(keeper: Jobs, job: Job, _: str) -> None:
        keeper._forget_attempt(job.attempts[-1])
        keeper._change(job, phase=Phase.QUEUED, cancel=None, save=True)

    patch.setattr(Jobs, "lose", lose)


def _hides_results_from_its_hello(patch: pytest.MonkeyPatch) -> None:
    """An agent that starts anew does not list what it still has on disk."""
    patch.setattr(Bench, "restore", _nothing)


def _accepts_a_job_as_often_as_it_is_submitted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "get", _nothing)
    patch.setattr(Ledger, "recent", _nothing)


def _writes_chunks_as_they_come(patch: pytest.MonkeyPatch) -> None:
    """The client neither drops what it has nor waits for what is missing."""

    def take(stream: IncomingStream, chunk: Chunk) -> bytes:
        if chunk.is_end:
            stream.final = chunk.offset
        stream.received += len(chunk.content)
        return chunk.content

    patch.setattr(IncomingStream, "take", take)


def _answers_before_the_disk(patch: pytest.MonkeyPatch) -> None:
    """A submit is accepted that was not saved."""

    def accept(keeper: Jobs, submit: Submit, owner: Owner) -> Job:
        desk = keeper._desk
        job = Job(asked=submit, owner=owner, sequence=desk.ledger.next_sequence(), created_at=desk.now.utc)
        desk.ledger.put(job)
        return job

    patch.setattr(Jobs, "accept", accept)


def _strands_a_lost_grant(patch: pytest.MonkeyPatch) -> None:
    """A grant is sent once and never again."""
    patch.setattr(Agents, "_unlisted", _nothing)


MUTATIONS = [
    _starts_what_it_has_started,
    _counts_no_slots,
    _grants_before_the_disk,
    _counts_our_stop_as_success,
    _offers_what_was_lost_again,
    _hides_results_from_its_hello,
    _accepts_a_job_as_often_as_it_is_submitted,
    _writes_chunks_as_they_come,
    _answers_before_the_disk,
    _strands_a_lost_grant,
]
CAUGHT_WITHIN = 100


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_of_the_cores_is_caught_within_100_seeds(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation(monkeypatch)
    for seed in range(CAUGHT_WITHIN):
        try:
            World(seed).play()
        except Broken:
            return
    pytest.fail(f"{mutation.__name__} lived through {CAUGHT_WITHIN} seeds")
