"""What somebody waits for goes where something else can stand still for it, and everybody is told what does."""

from ffmesh_coordinator.core.effects import Publish
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol.messages.answers import AgentList
from ffmesh_protocol.messages.capability import AgentView
from ffmesh_protocol.messages.jobs import JobKind, JobState, JobView, PublicJob
from ffmesh_protocol.messages.manners import PAUSE
from ffmesh_protocol.messages.reports import Held, HeldPhase, Results
from ffmesh_protocol.messages.requests import ShowAgent
from ffmesh_protocol.reasons import SENTENCES, ReasonCode
from ffmesh_protocol.topics import Family
from support.coordinating import JOB, NAS, NAS_LIFE, Story, held, holding, result, submit

OTHER_JOB, THIRD_JOB = "0J" + "2" * 24, "0J" + "3" * 24
INTERACTIVE, DIRECT = JobKind.INTERACTIVE, JobKind.DIRECT
ABLE = (*JobKind, PAUSE)
WHY = "an interactive job has its slot"


def busy(*, slots: int = 1, features: tuple[str, ...] = ABLE) -> tuple[Story, str]:
    """With an agent whose one used slot has a job that nobody waits for."""
    story = Story().agent_comes(slots=slots, features=features).client_says(submit())
    return story, story.is_taken()


def still(attempt: str, why: str | None = WHY) -> Held:
    return Held(attempt=attempt, job=JOB, phase=HeldPhase.RUNNING, paused=why)


def test_an_interactive_job_is_offered_to_an_agent_whose_slots_are_used_by_others() -> None:
    story, _ = busy()
    assert story.client_says(submit(OTHER_JOB, kind=INTERACTIVE)).offered()
    story.is_granted()
    placement = story.core.view(story.disk[OTHER_JOB]).placement
    assert placement == "pi had no cpu slot free, and lets another job stand still for it"


def test_an_agent_with_a_free_slot_comes_first() -> None:
    story, _ = busy(slots=4)
    story.client_says(submit(OTHER_JOB))
    story.is_taken()
    for number in range(2):
        story.client_says(submit(f"0J{number:024d}"))
        story.is_taken()
    story.agent_comes(NAS, NAS_LIFE, features=ABLE)
    story.client_says(submit(THIRD_JOB, kind=INTERACTIVE))
    story.is_granted(who=NAS, life=NAS_LIFE)


def test_other_jobs_wait_for_a_free_slot() -> None:
    story, _ = busy()
    assert story.client_says(submit(OTHER_JOB)).offered() == []
    assert story.client_says(submit(THIRD_JOB, kind=JobKind.STAGED)).offered() == []


def test_an_agent_that_cannot_pause_is_offered_what_has_a_free_slot() -> None:
    story, _ = busy(features=tuple(JobKind))
    assert story.client_says(submit(OTHER_JOB, kind=INTERACTIVE)).offered() == []
    assert story.core.view(story.disk[OTHER_JOB]).reason_code is ReasonCode.WAITING_FOR_SLOT


def test_there_is_room_for_as_many_interactive_jobs_as_there_are_slots() -> None:
    story, _ = busy()
    story.client_says(submit(OTHER_JOB, kind=INTERACTIVE))
    attempt = story.is_granted()
    assert story.client_says(submit(THIRD_JOB, kind=INTERACTIVE)).offered() == []
    story.agent_says(Results(results=(result(attempt, job=OTHER_JOB),)))
    assert len(story.offered()) == 1


def test_a_slot_that_something_unknown_has_is_nobodys() -> None:
    stranger = held("0A" + "9" * 24, HeldPhase.RUNNING, OTHER_JOB)
    story = Story().agent_comes(features=ABLE, holds=(stranger,))
    assert story.client_says(submit(kind=INTERACTIVE)).offered() == []


def test_when_the_interactive_job_has_ended_the_other_still_has_its_slot() -> None:
    story, _ = busy()
    story.client_says(submit(OTHER_JOB, kind=INTERACTIVE))
    story.ends(story.is_taken(), job=OTHER_JOB)
    assert story.client_says(submit(THIRD_JOB)).offered() == []


def test_after_a_restart_an_interactive_job_is_offered_likewise() -> None:
    story, attempt = busy()
    story = story.restarted().agent_comes(features=ABLE, holds=(held(attempt, HeldPhase.RUNNING),))
    assert story.client_says(submit(OTHER_JOB, kind=INTERACTIVE)).offered()


# --- what is told -----------------------------------------------------------------------------------------------------


def viewed(story: Story) -> JobView:
    return story.core.view(story.disk[JOB])


def test_a_job_that_stands_still_is_running_and_says_why_not() -> None:
    story, attempt = busy()
    story.agent_says(holding(still(attempt)))
    view = viewed(story)
    assert (view.state, view.paused, view.reason) == (JobState.RUNNING, True, f"paused on pi: {WHY}")
    assert view.reason_code is ReasonCode.PAUSED
    public = story.one(Publish, family=Family.JOB).message
    assert isinstance(public, PublicJob)
    assert (public.paused, public.reason) == (True, SENTENCES[ReasonCode.PAUSED])
    story.agent_says(holding(still(attempt))).none(Publish, family=Family.JOB)


def test_a_job_that_goes_on_says_so() -> None:
    story, attempt = busy()
    story.agent_says(holding(still(attempt))).agent_says(holding(still(attempt, None)))
    assert (viewed(story).paused, viewed(story).reason, viewed(story).reason_code) == (False, None, None)
    public = story.one(Publish, family=Family.JOB).message
    assert isinstance(public, PublicJob)
    assert not public.paused


def test_a_job_that_ended_while_it_stood_still_says_how_it_ended() -> None:
    story, attempt = busy()
    story.agent_says(holding(still(attempt)))
    story.ends(attempt, exit_code=None)
    assert (story.phase(), viewed(story).paused) == (Phase.FAILED, False)
    assert viewed(story).reason == "ffmpeg was ended by signal 9"


def test_an_agent_names_the_jobs_that_stand_still_there_and_never_more_used_slots_than_it_has() -> None:
    story, attempt = busy()
    story.client_says(submit(OTHER_JOB, kind=INTERACTIVE))
    interactive = story.is_taken()
    story.agent_says(holding(still(attempt), held(interactive, HeldPhase.RUNNING, OTHER_JOB)))
    view: AgentView = story.client_says(ShowAgent(agent="pi")).answer(AgentList).agents[0]
    assert (view.paused, view.running) == ((JOB,), (JOB, OTHER_JOB))
    assert (view.slots["cpu"].total, view.slots["cpu"].used) == (1, 1)
