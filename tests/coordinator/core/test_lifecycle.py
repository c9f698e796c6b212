"""The table of a job's steps."""

import pytest

from ffmesh_coordinator.core.lifecycle import ENDED, FIRST, HELD, LIFECYCLE, IllegalStep, Phase, Step, stepped

ABSENT = [(phase, step) for phase in Phase for step in Step if step not in LIFECYCLE[phase]]


def test_every_phase_has_a_row() -> None:
    assert set(LIFECYCLE) == set(Phase)


def test_an_end_can_be_reached_from_every_phase() -> None:
    ends_from = set(ENDED)
    for _ in Phase:
        ends_from |= {phase for phase, steps in LIFECYCLE.items() if ends_from & set(steps.values())}
    assert ends_from == set(Phase)


def test_every_phase_can_be_reached() -> None:
    reached = {FIRST}
    for _ in Phase:
        reached |= {after for phase in reached for after in LIFECYCLE[phase].values()}
    assert reached == set(Phase)


@pytest.mark.parametrize(("phase", "step"), ABSENT)
def test_what_is_not_in_the_table_is_illegal(phase: Phase, step: Step) -> None:
    with pytest.raises(IllegalStep):
        stepped(phase, step)


@pytest.mark.parametrize("phase", sorted(set(Phase) - ENDED - {Phase.COMMITTING}))
def test_every_open_job_that_has_no_permission_to_commit_can_be_cancelled(phase: Phase) -> None:
    assert stepped(phase, Step.CANCEL) is Phase.CANCELLED


def test_what_has_permission_to_commit_cannot_be_cancelled() -> None:
    assert Step.CANCEL not in LIFECYCLE[Phase.COMMITTING]


@pytest.mark.parametrize("phase", sorted(HELD))
def test_what_an_agent_has_can_be_tried_again(phase: Phase) -> None:
    assert stepped(phase, Step.TRY_AGAIN) is Phase.QUEUED


def test_what_has_succeeded_is_never_opened_again() -> None:
    assert {phase for phase in Phase if Step.REOPEN in LIFECYCLE[phase]} == ENDED - {Phase.SUCCEEDED}
