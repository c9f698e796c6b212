# pyright: reportPrivateUsage=false
# A mutation reaches into what it mutates.
"""Mutations of the cores. A bottle that does not catch them proves nothing.

What is not here is harmless by design: every verb is idempotent, so that a window that lets repeats through, or a grant
that is started though `heard` has passed it, breaks no promise alone.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ffmesh_agent.core import bench as agent_bench
from ffmesh_agent.core import pausing as agent_pausing
from ffmesh_agent.core.attempt import Attempt as HeldAttempt
from ffmesh_agent.core.bench import Bench
from ffmesh_agent.core.effects import CommitOutput
from ffmesh_agent.core.events import StagedOutput
from ffmesh_agent.core.pausing import Pausing
from ffmesh_coordinator.core import agents, jobs, retries
from ffmesh_coordinator.core.agents import Agents
from ffmesh_coordinator.core.books import Books
from ffmesh_coordinator.core.chains import Chains
from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.job import Attempt, Job, Owner
from ffmesh_coordinator.core.jobs import Jobs
from ffmesh_coordinator.core.ledger import Ledger
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.packed import PackedSubmit
from ffmesh_coordinator.core.roster import Agent as RosterAgent
from ffmesh_coordinator.core.verdicts import Verdict
from ffmesh_protocol.messages.jobs import AttemptState, Written
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import HeldPhase, Result
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.signing import Numbers
from ffmesh_protocol.streams import Chunk, IncomingStream
from simulation.truth import Broken
from simulation.world import DIE_AFTER_COMMIT, World


def _nothing(*_: object, **__: object) -> None: ...


def _zero(*_: object) -> int:
    return 0


def _no_one(*_: object) -> dict[str, str]:
    return {}


def _always(*_: object, **__: object) -> bool:
    return True


def _for_ever(*_: object) -> float:
    return float("inf")


# --- the agent --------------------------------------------------------------------------------------------------------


def _starts_what_it_has_started(patch: pytest.MonkeyPatch) -> None:
    """The agent forgets which attempts it was granted: a repeated grant starts its program again."""

    def granted(bench: Bench, grant: Grant) -> None:
        attempt = HeldAttempt(id=grant.attempt, job=grant.job, slot="", phase=HeldPhase.GRANTED, grant=grant)
        attempt.kind, attempt.lease_until = grant.kind, float("inf")
        bench._attempts[grant.attempt] = attempt
        bench._launch_if_ready(attempt)

    patch.setattr(Bench, "granted", granted)


def _counts_no_slots(patch: pytest.MonkeyPatch) -> None:
    """Agent and coordinator forget what runs already."""
    patch.setattr(Bench, "used", _zero)
    patch.setattr(Bench, "_has_room", _always)
    patch.setattr(RosterAgent, "used", _zero)
    patch.setattr(RosterAgent, "has_room", _always)


def _lets_nothing_stand_still(patch: pytest.MonkeyPatch) -> None:
    """What somebody waits for begins although all slots are used."""
    patch.setattr(agent_pausing, "standing_still", _no_one)


def _lets_nothing_go_on(patch: pytest.MonkeyPatch) -> None:
    """What was stopped for something else is forgotten."""

    def forget(_: Pausing, attempt: HeldAttempt) -> None:
        attempt.paused = None

    patch.setattr(Pausing, "release", forget)


def _hides_results_from_its_hello(patch: pytest.MonkeyPatch) -> None:
    """An agent that starts anew does not list what it still has on disk."""
    patch.setattr(Bench, "restore", _nothing)


def _lets_leases_run_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Programs go on after their lease has ended: neither the agent nor the warden stops them."""
    patch.setattr(agent_bench, "last_moment", _for_ever)
    patch.setattr(Bench, "lease_ends", _nothing)


def _renames_after_the_lease(patch: pytest.MonkeyPatch) -> None:
    def rename_if_ready(bench: Bench, attempt: HeldAttempt) -> None:
        if attempt.phase is HeldPhase.COMMITTING and not attempt.renaming:
            attempt.renaming = True
            bench._desk.order(CommitOutput(attempt=attempt.id, until=float("inf")))

    patch.setattr(Bench, "_rename_if_ready", rename_if_ready)


def _needs_no_permission(patch: pytest.MonkeyPatch) -> None:
    """What is whole takes its place at once."""
    sealed = Bench.output_sealed

    def output_sealed(bench: Bench, attempt_id: str, outputs: tuple[Written, ...] = ()) -> None:
        sealed(bench, attempt_id, outputs)
        bench.permitted([attempt_id])

    patch.setattr(Bench, "output_sealed", output_sealed)


def _puts_in_place_what_an_earlier_life_left(patch: pytest.MonkeyPatch) -> None:
    """Without asking anew."""
    restore = Bench._restore_output

    def restore_output(bench: Bench, output: StagedOutput) -> None:
        restore(bench, output)
        attempt = bench._attempts[output.result.attempt]
        attempt.lease_until = float("inf")
        bench.permitted([attempt.id])

    patch.setattr(Bench, "_restore_output", restore_output)


# --- the coordinator --------------------------------------------------------------------------------------------------


def _grants_before_the_disk(patch: pytest.MonkeyPatch) -> None:
    """A grant is sent that was not saved."""
    _does_not_save(patch, Phase.GRANTED)


def _permits_before_the_disk(patch: pytest.MonkeyPatch) -> None:
    """Permission is told that was not saved."""
    _does_not_save(patch, Phase.COMMITTING)


def _does_not_save(patch: pytest.MonkeyPatch, phase: Phase) -> None:
    change = Books.change

    def unsaved(books: Books, job: Job, *, save: bool = False, **fields: Any) -> Job:
        return change(books, job, save=save and fields.get("phase") is not phase, **fields)

    patch.setattr(Books, "change", unsaved)


def _settles_before_the_disk(patch: pytest.MonkeyPatch) -> None:
    """An end is told, and the result settled, that was not saved."""
    enter = Books.enter

    def unsaved(books: Books, job: Job) -> None:
        if job.has_ended:
            books._desk.ledger.put(job)
        else:
            enter(books, job)

    patch.setattr(Books, "enter", unsaved)


def _answers_before_the_disk(patch: pytest.MonkeyPatch) -> None:
    """A submit is accepted that was not saved."""

    def accept(keeper: Jobs, submit: Submit, owner: Owner) -> Job:
        desk = keeper._desk
        job = Job(
            asked=PackedSubmit.of(submit), owner=owner, sequence=desk.ledger.next_sequence(), created_at=desk.now.utc
        )
        desk.ledger.put(job)
        return job

    patch.setattr(Jobs, "accept", accept)


def _accepts_a_job_as_often_as_it_is_submitted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "get", _nothing)
    patch.setattr(Ledger, "recent", _nothing)


def _counts_our_stop_as_success(patch: pytest.MonkeyPatch) -> None:
    """What ended with 0 because we stopped it is taken for a success."""

    def verdict(_: Job, result: Result) -> Verdict:
        return Verdict(state=AttemptState.SUCCEEDED if result.exit_code == 0 else AttemptState.FAILED)

    patch.setattr(jobs, "verdict_on", verdict)


def _takes_the_result_of_any_attempt(patch: pytest.MonkeyPatch) -> None:
    """Identity is not checked: what an earlier attempt says counts for the one that holds the job."""

    def job_of(keeper: Agents, agent: RosterAgent, attempt_id: str) -> Job | None:
        held = agent.held.get(attempt_id)
        job = keeper._desk.ledger.get(held.job) if held is not None else None
        return job if job is not None and job.attempt is not None else None

    patch.setattr(Agents, "_job_of", job_of)


def _gives_away_what_is_silent(patch: pytest.MonkeyPatch) -> None:
    """A job that is written in place is another's as soon as its agent is silent."""

    def lose_all(keeper: Agents, name: str, sentence: str) -> None:
        for job in keeper._desk.ledger.held_by(name):
            keeper._jobs.lose(job, sentence)

    patch.setattr(Agents, "_lose_what_waits_for_nobody", lose_all)


def _believes_any_hello(patch: pytest.MonkeyPatch) -> None:
    """A copy of the machine ends the leases of the machine that it was copied from."""
    patch.setattr(agents, "_is_heir", _always)


def _forgets_grants_over_its_restart(patch: pytest.MonkeyPatch) -> None:
    """What had been granted is offered again by the next life of the coordinator."""

    def restore(keeper: Jobs, job: Job) -> None:
        if job.attempt is not None:
            attempts: tuple[Attempt, ...] = job.attempts
            job = msgspec.structs.replace(job, phase=Phase.QUEUED, attempts=attempts)
        keeper._desk.ledger.put(job)

    patch.setattr(Jobs, "restore", restore)


def _takes_its_own_silence_for_others(patch: pytest.MonkeyPatch) -> None:
    """After it was cut off it counts no silence and no lease anew."""
    patch.setattr(Coordinator, "_count_silences", _nothing)


def _strands_a_lost_grant(patch: pytest.MonkeyPatch) -> None:
    """A grant is sent once and never again."""
    patch.setattr(Agents, "_unlisted", _nothing)


def _tries_without_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(retries, "_has_tries_left", _always)


def _releases_nobody(patch: pytest.MonkeyPatch) -> None:
    """Jobs that come after others wait for ever."""
    patch.setattr(Chains, "settled", _nothing)


# --- the wire ---------------------------------------------------------------------------------------------------------


def _reuses_numbers(patch: pytest.MonkeyPatch) -> None:
    """It counts to five. (A number used twice now and then is a message lost, which is nothing.)"""
    following = Numbers.next

    def next_number(numbers: Numbers, pair: str) -> int:
        return min(5, following(numbers, pair))

    patch.setattr(Numbers, "next", next_number)


def _writes_chunks_as_they_come(patch: pytest.MonkeyPatch) -> None:
    """The client neither drops what it has nor waits for what is missing."""

    def take(stream: IncomingStream, chunk: Chunk) -> bytes:
        if chunk.is_end:
            stream.final = chunk.offset
        stream.received += len(chunk.content)
        return chunk.content

    patch.setattr(IncomingStream, "take", take)


MUTATIONS = [
    _starts_what_it_has_started,
    _counts_no_slots,
    _lets_nothing_stand_still,
    _lets_nothing_go_on,
    _hides_results_from_its_hello,
    _lets_leases_run_for_ever,
    _renames_after_the_lease,
    _needs_no_permission,
    _puts_in_place_what_an_earlier_life_left,
    _grants_before_the_disk,
    _permits_before_the_disk,
    _settles_before_the_disk,
    _answers_before_the_disk,
    _accepts_a_job_as_often_as_it_is_submitted,
    _counts_our_stop_as_success,
    _takes_the_result_of_any_attempt,
    _gives_away_what_is_silent,
    _believes_any_hello,
    _forgets_grants_over_its_restart,
    _takes_its_own_silence_for_others,
    _strands_a_lost_grant,
    _tries_without_end,
    _releases_nobody,
    _reuses_numbers,
    _writes_chunks_as_they_come,
]
CAUGHT_WITHIN = 200

WORLDS: dict[Callable[[pytest.MonkeyPatch], None], Callable[[int], World]] = {
    _takes_its_own_silence_for_others: lambda seed: World(
        seed, agents=3, jobs=16, faults=["freeze", "clone", "sleep", "partition", "lonely"]
    ),
    _strands_a_lost_grant: lambda seed: World(
        seed, jobs=16, faults=["broker", "cut", "cut"], die_after_commit=10 * DIE_AFTER_COMMIT
    ),
}
"""Of those that one seed in some hundreds catches else: their worlds have more of the faults that they do not stand."""


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_of_the_cores_is_caught_within_200_seeds(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutation(monkeypatch)
    for seed in range(CAUGHT_WITHIN):
        try:
            WORLDS.get(mutation, World)(seed).play()
        except Broken:
            return
    pytest.fail(f"{mutation.__name__} lived through {CAUGHT_WITHIN} seeds")
