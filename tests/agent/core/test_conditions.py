"""What the agent minds of its machine does the same as the word of a person, and ends by itself."""

import pytest

from agent.core.story import ATTEMPT, Story
from ffmesh_agent.core.effects import KeepResult, Pause, Publish, Resume, Terminate
from ffmesh_agent.core.events import ConditionsSeen
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import PAUSE, Condition, Manner
from ffmesh_protocol.messages.orders import Drain, Welcome
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.messages.reports import Claim, Decline, DeclineCode, Holding
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.times import HOLDING
from ffmesh_protocol.topics import Family

HOT = "81.5 °C, above 80 °C"
SAID = f"its temperature is {HOT}"


def minds(
    story: Story, manner: Manner, *, in_force: bool = True, name: str = "temperature", reason: str = HOT
) -> Story:
    story.on(ConditionsSeen(conditions=(Condition(name=name, manner=manner, in_force=in_force, reason=reason),)))
    return story


def begun() -> Story:
    return Story().hears(Welcome(draining=False, features=(PAUSE,)))


def holding(story: Story) -> Holding:
    story.holds()
    return story.says(Holding)[0]


@pytest.mark.parametrize("manner", [Manner.DRAIN, Manner.PAUSE, Manner.STOP])
def test_while_it_is_in_force_nothing_new_is_taken_and_the_reason_is_said(manner: Manner) -> None:
    story = minds(begun(), manner)
    status = story.one(Publish, family=Family.AGENT_STATUS).message
    assert isinstance(status, AgentStatus)
    assert (status.state, status.manner) == (AgentState.DRAINING, manner)
    (declined,) = story.claims(JobKind.INTERACTIVE).says(Decline)[0].declined
    assert (declined.code, declined.reason) == (DeclineCode.DRAINING, SAID)
    said = holding(story)
    assert (said.draining, said.manner, said.unwilling) == (False, None, SAID)
    status = minds(story, manner, in_force=False).one(Publish, family=Family.AGENT_STATUS).message
    assert isinstance(status, AgentStatus)
    assert (status.state, status.manner) == (AgentState.ONLINE, None)
    assert story.claims().says(Claim)
    assert holding(story).unwilling is None


def test_a_machine_that_is_only_slow_takes_work() -> None:
    story = minds(begun(), Manner.SLOW)
    assert story.claims().says(Claim)
    assert holding(story).unwilling is None


def test_that_it_takes_nothing_new_is_said_soon() -> None:
    story = minds(begun(), Manner.DRAIN)
    story.none(Publish, family=Family.ADVERT)
    story.passes(HOLDING / 4)
    assert story.says(Holding)[0].unwilling == SAID


def test_what_runs_goes_on_while_it_drains() -> None:
    story = minds(begun().runs(), Manner.DRAIN)
    story.none(Pause)
    story.none(Terminate)


def test_what_nobody_waits_for_stands_still_and_goes_on_by_itself() -> None:
    story = minds(begun().runs(), Manner.PAUSE)
    assert story.one(Pause) == Pause(attempt=ATTEMPT)
    assert holding(story).held[0].paused == SAID
    hotter = minds(story, Manner.PAUSE, reason="82.0 °C, above 80 °C")
    hotter.none(Pause)
    assert holding(story).held[0].paused == "its temperature is 82.0 °C, above 80 °C"
    assert minds(story, Manner.PAUSE, in_force=False).one(Resume) == Resume(attempt=ATTEMPT)


def test_what_runs_is_handed_back_with_the_reason() -> None:
    story = minds(begun().runs(), Manner.STOP, name="programs", reason="steam is running")
    assert story.one(Terminate)
    kept = story.ends(exit_code=None, signal=15).one(KeepResult).result
    assert (kept.stopped, kept.reason) == (Stopped.HANDED_BACK, "agent pi handed it back: steam is running (programs)")


def test_the_strongest_of_several_counts() -> None:
    weak = Condition(name="hours", manner=Manner.DRAIN, in_force=True, reason="Mo 14:20 is outside of its hours")
    strong = Condition(name="temperature", manner=Manner.PAUSE, in_force=True, reason=HOT)
    story = begun().runs()
    story.on(ConditionsSeen(conditions=(weak, strong)))
    assert story.one(Pause)
    assert holding(story).unwilling == SAID
    story.on(ConditionsSeen(conditions=(weak,)))
    assert story.one(Resume)
    assert holding(story).unwilling == "Mo 14:20 is outside of its hours (hours)"


def test_what_a_person_has_said_stays_when_a_condition_ends_and_the_other_way_round() -> None:
    story = minds(begun().runs().hears(Drain(draining=True, manner=Manner.PAUSE)), Manner.PAUSE)
    minds(story, Manner.PAUSE, in_force=False).none(Resume)
    minds(story, Manner.PAUSE).hears(Drain(draining=False)).none(Resume)
    assert minds(story, Manner.PAUSE, in_force=False).one(Resume)


def test_what_was_seen_before_anybody_was_greeted_counts() -> None:
    story = Story()
    minds(story, Manner.DRAIN)
    assert story.claims().says(Decline)
