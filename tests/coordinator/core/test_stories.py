# pyright: reportPrivateUsage=false
# Two stories look into the books, where nothing comes out that would show it.
"""What the coordinator does with what it hears: stories of one job each."""

import msgspec
import pytest

from ffmesh_coordinator.core.effects import Publish, Recall, Reply, SaveAgent, SaveJob, Tell
from ffmesh_coordinator.core.events import (
    AdvertSeen,
    AgentStatusSeen,
    ClientStatusSeen,
    Connected,
    Disconnected,
    OwnJobSeen,
    OwnStatusSeen,
    PrincipalRemoved,
    ProgramsSeen,
    Recalled,
    Thawed,
    Woken,
)
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol import times
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.limits import PAGE_BYTES
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.answers import Accepted, AgentList, Assigned, Attended, Ended, JobList, Refusal
from ffmesh_protocol.messages.capability import AdvertPrograms
from ffmesh_protocol.messages.jobs import JobKind, JobState, JobView, PublicJob, Summary
from ffmesh_protocol.messages.orders import Drain, Resend, TailWanted, Welcome, Withdrawn
from ffmesh_protocol.messages.presence import AgentState, AgentStatus, ClientState, ClientStatus
from ffmesh_protocol.messages.reports import (
    Claim,
    Decline,
    DeclineCode,
    Declined,
    HeldPhase,
    LogLine,
    Results,
    Started,
    Tail,
)
from ffmesh_protocol.messages.requests import Attending, Bye, Cancel, DrainAgent, ListAgents, Logs, ShowAgent
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.topics import Family
from support.coordinating import (
    JOB,
    LATER_LIFE,
    NAS,
    NAS_LIFE,
    PI,
    PI_LIFE,
    RADIO,
    TV,
    TV_LIFE,
    Story,
    advert,
    held,
    holding,
    result,
    submit,
)


def test_a_job_is_accepted_only_after_it_was_saved() -> None:
    story = Story().client_says(submit())
    kinds = [type(effect) for effect in story.effects if isinstance(effect, SaveJob | Reply)]
    assert kinds.index(Reply) > kinds.index(SaveJob)
    assert (kinds[-1], story.phase()) == (Reply, Phase.QUEUED)
    assert story.answer(Accepted).job == JOB


def test_a_repeated_submit_is_the_same_job() -> None:
    story = Story().client_says(submit()).client_says(submit())
    assert story.answer(Accepted).job == JOB
    story.none(SaveJob)


def test_a_repeated_submit_of_a_job_that_has_ended_starts_nothing() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(Results(results=(result(attempt),)))
    story.client_says(submit())
    assert story.answer(Accepted).job == JOB
    story.none(SaveJob)


def test_an_id_that_belongs_to_somebody_else_is_refused() -> None:
    story = Story().client_says(submit()).client_says(submit(), who=RADIO)
    assert story.answer(Refusal).code is RefusalCode.ID_TAKEN


def test_a_program_on_the_list_of_no_known_agent_is_refused_and_one_waits_while_nobody_is_known() -> None:
    assert Story().client_says(submit()).answer(Accepted)
    story = Story().agent_comes()
    other = msgspec.structs.replace(submit(), program="rm", needs=Needs(program="rm"))
    assert story.client_says(other).answer(Refusal).code is RefusalCode.PROGRAM_NOT_LISTED


def test_a_job_goes_from_offer_to_claim_to_grant_to_its_result() -> None:
    story = Story().agent_comes().client_says(submit())
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    assert story.granted() == [attempt]
    assert story.saved().phase is Phase.GRANTED
    story.agent_says(Started(attempts=(attempt,)))
    assert story.saved().phase is Phase.RUNNING
    story.agent_says(Results(results=(result(attempt),)))
    assert story.saved().phase is Phase.SUCCEEDED
    assert story.settled() == [attempt]


def test_an_offer_that_nobody_claims_is_made_again() -> None:
    story = Story().agent_comes().client_says(submit())
    (first,) = story.offered()
    story.on(Woken(), after=times.OFFER)
    (second,) = story.offered()
    assert second != first


def test_a_claim_that_comes_too_late_is_withdrawn() -> None:
    story = Story().agent_comes().client_says(submit())
    (first,) = story.offered()
    story.on(Woken(), after=times.OFFER)
    story.agent_says(Claim(attempts=(first,)))
    assert story.messages(Withdrawn)[0].attempts == (first,)
    assert story.granted() == []


def test_a_claim_of_another_agents_offer_gets_nothing() -> None:
    story = Story().agent_comes().client_says(submit())
    (attempt,) = story.offered()
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_says(Claim(attempts=(attempt,)), who=NAS, life=NAS_LIFE)
    assert story.granted() == []


def test_an_agent_that_declines_rests_and_another_is_asked() -> None:
    story = Story().agent_comes().client_says(submit())
    (attempt,) = story.offered()
    declined = Declined(attempt=attempt, code=DeclineCode.BUSY, reason="busy")
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_says(Decline(declined=(declined,)))
    assert story.one(Tell).receiver == NAS


def test_a_grant_that_is_not_listed_is_sent_again_as_the_same_attempt() -> None:
    story = Story().agent_comes().client_says(submit())
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    assert story.granted() == [attempt]
    story.agent_says(holding(heard=1), after=times.HOLDING)
    assert story.granted() == [attempt]


def test_a_listed_grant_is_not_sent_again() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(holding(held(attempt, HeldPhase.RUNNING)), after=times.HOLDING)
    assert story.granted() == []


def test_an_attempt_that_its_agent_knew_and_no_longer_knows_is_lost() -> None:
    story = Story()
    story.runs()
    story.agent_says(holding(heard=1000), after=times.HOLDING)
    assert story.saved().reason_code is ReasonCode.LOST


def test_an_old_holding_says_nothing_of_a_newer_grant() -> None:
    story = Story()
    story.runs()
    story.agent_says(holding(heard=0), after=times.HOLDING)
    story.none(SaveJob)


def test_a_new_life_of_the_agent_without_the_attempt_makes_the_job_lost() -> None:
    story = Story()
    story.runs()
    story.agent_comes(life=LATER_LIFE)
    assert (story.saved().phase, story.saved().reason_code) == (Phase.FAILED, ReasonCode.LOST)


def test_a_new_life_of_the_agent_that_kept_the_result_is_asked_for_it() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_comes(life=LATER_LIFE, holds=(held(attempt, HeldPhase.ENDED),))
    assert story.messages(Resend)[0].attempts == (attempt,)
    story.agent_says(Results(results=(result(attempt),)), life=LATER_LIFE)
    assert story.saved().phase is Phase.SUCCEEDED


def test_the_old_life_of_an_agent_is_heard_no_more() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_comes(life=LATER_LIFE, holds=(held(attempt, HeldPhase.ENDED),))
    story.agent_says(Results(results=(result(attempt),)), life=PI_LIFE)
    story.none(SaveJob)


def test_a_coordinator_that_was_frozen_calls_nobody_lost_for_what_it_did_not_hear() -> None:
    story = Story()
    story.runs(JobKind.INTERACTIVE)
    story.on(Thawed(), after=2 * times.LEASE)
    story.none(SaveJob)
    assert story.stopped() == []


def test_a_stranger_attempt_is_told_to_stop_and_a_strange_result_is_settled() -> None:
    story = Story().agent_comes()
    story.agent_says(holding(held("0X" + "1" * 24, HeldPhase.RUNNING), held("0X" + "2" * 24, HeldPhase.ENDED)))
    assert story.stopped() == ["0X" + "1" * 24]
    assert story.settled() == ["0X" + "2" * 24]


def test_what_we_stopped_is_no_success() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(Results(results=(result(attempt, exit_code=0, stopped=Stopped.TIMEOUT),)))
    assert (story.saved().phase, story.saved().reason_code) == (Phase.FAILED, ReasonCode.TIMED_OUT)


@pytest.mark.parametrize(
    ("exit_code", "phase", "code"),
    [(0, Phase.SUCCEEDED, None), (1, Phase.FAILED, ReasonCode.EXITED), (None, Phase.FAILED, ReasonCode.KILLED)],
)
def test_the_programs_end_is_the_jobs(exit_code: int | None, phase: Phase, code: ReasonCode | None) -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(Results(results=(result(attempt, exit_code=exit_code),)))
    assert (story.saved().phase, story.saved().reason_code, story.saved().exit_code) == (phase, code, exit_code)


def test_a_second_result_of_an_attempt_changes_nothing_and_is_settled() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(Results(results=(result(attempt),)))
    story.agent_says(Results(results=(result(attempt, exit_code=1),)))
    story.none(SaveJob)
    assert story.settled() == [attempt]


# --- cancel -----------------------------------------------------------------------------------------------------------


def test_a_queued_job_is_cancelled_at_once() -> None:
    story = Story().client_says(submit()).client_says(Cancel(job=JOB))
    assert story.answer(JobList).jobs[0].state is JobState.CANCELLED


def test_an_offered_job_is_cancelled_at_once_and_a_claim_of_it_comes_too_late() -> None:
    story = Story().agent_comes().client_says(submit())
    (attempt,) = story.offered()
    story.client_says(Cancel(job=JOB))
    assert story.saved().phase is Phase.CANCELLED
    story.agent_says(Claim(attempts=(attempt,)))
    assert story.messages(Withdrawn)


def test_a_running_job_is_cancelled_when_its_agent_has_stopped_it() -> None:
    story = Story()
    attempt = story.runs()
    story.client_says(Cancel(job=JOB))
    assert story.answer(JobList).jobs[0].state is JobState.CANCELLING
    assert story.stopped() == [attempt]
    story.agent_says(Results(results=(result(attempt, exit_code=0),)))
    assert (story.saved().phase, story.saved().reason_code) == (Phase.CANCELLED, ReasonCode.CANCELLED)


def test_a_cancel_is_said_again_until_the_agent_has_obeyed() -> None:
    story = Story()
    attempt = story.runs()
    story.client_says(Cancel(job=JOB))
    story.agent_says(holding(held(attempt, HeldPhase.RUNNING)), after=times.HOLDING)
    assert story.stopped() == [attempt]


def test_a_cancelled_interactive_job_ends_also_when_its_agent_never_answers() -> None:
    story = Story()
    story.runs(JobKind.INTERACTIVE)
    story.client_says(Cancel(job=JOB))
    story.on(Woken(), after=times.CANCEL_SILENCE)
    assert story.saved().phase is Phase.CANCELLED


def test_to_cancel_twice_is_no_error_and_to_cancel_what_has_succeeded_is_too_late() -> None:
    story = Story().client_says(submit()).client_says(Cancel(job=JOB)).client_says(Cancel(job=JOB))
    assert story.answer(JobList)
    story = Story()
    attempt = story.runs()
    story.agent_says(Results(results=(result(attempt),)))
    assert story.client_says(Cancel(job=JOB)).answer(Refusal).code is RefusalCode.TOO_LATE


def test_a_job_that_nobody_knows_cannot_be_cancelled() -> None:
    assert Story().client_says(Cancel(job=JOB)).answer(Refusal).code is RefusalCode.UNKNOWN_JOB


# --- clients ----------------------------------------------------------------------------------------------------------


def test_a_client_is_told_where_its_streams_come_from_before_the_grant_goes_out() -> None:
    story = Story().agent_comes().client_says(submit(kind=JobKind.INTERACTIVE))
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    kinds = [type(tell.message).__name__ for tell in story.all(Tell)]
    assert kinds == ["Assigned", "Grants"]
    assert story.messages(Assigned)[0].assignment.attempt == attempt


def test_a_client_that_dies_takes_its_interactive_job_with_it() -> None:
    story = Story()
    attempt = story.runs(JobKind.INTERACTIVE)
    story.on(_client_status(ClientState.OFFLINE, 1))
    story.on(Woken(), after=times.WILL_GRACE)
    assert story.stopped() == [attempt]
    assert story.saved().cancel is Stopped.CLIENT_GONE


def test_a_client_whose_network_blinked_keeps_its_job() -> None:
    story = Story()
    story.runs(JobKind.INTERACTIVE)
    story.on(_client_status(ClientState.ONLINE, 1))
    story.on(_client_status(ClientState.OFFLINE, 1))
    story.on(_client_status(ClientState.ONLINE, 2), after=0.1)
    story.on(_client_status(ClientState.OFFLINE, 1), after=0.1)
    story.on(Woken(), after=times.WILL_GRACE)
    assert story.stopped() == []


def test_a_silent_client_takes_its_interactive_job_with_it_and_one_that_attends_keeps_it() -> None:
    story = Story()
    attempt = story.runs(JobKind.INTERACTIVE)
    running = holding(held(attempt, HeldPhase.RUNNING))
    story.agent_says(running, after=times.CLIENT_SILENCE / 2)
    story.client_says(Attending(jobs=(JOB,)), after=times.CLIENT_SILENCE / 2 - 1)
    story.agent_says(running).agent_says(running, after=times.CLIENT_SILENCE / 2)
    story.passes(times.CLIENT_SILENCE / 2 - 1)
    assert story.stopped() == []
    story.passes(1)
    assert story.stopped() == [attempt]


def test_a_direct_job_outlives_its_client() -> None:
    story = Story()
    story.runs(JobKind.DIRECT)
    story.client_says(Bye())
    story.on(Woken(), after=times.CLIENT_SILENCE)
    story.none(SaveJob)


def test_who_attends_learns_of_an_end_whose_word_was_lost() -> None:
    story = Story()
    attempt = story.runs(JobKind.INTERACTIVE)
    story.agent_says(Results(results=(result(attempt),)))
    assert story.messages(Ended)[0].end.streams_lost is False
    story.client_says(Attending(jobs=(JOB,)))
    (news,) = story.messages(Attended)[0].jobs
    assert news.end is not None
    assert (news.end.state, news.end.streams_lost) == (JobState.SUCCEEDED, False)


def test_who_attends_a_queued_job_learns_why_it_waits() -> None:
    story = Story()
    story.client_says(submit(kind=JobKind.INTERACTIVE))
    story.client_says(Attending(jobs=(JOB,)))
    (news,) = story.messages(Attended)[0].jobs
    assert (news.state, (news.reason or "")[:17]) == (JobState.QUEUED, "no agent is known")
    story.agent_comes()
    story.client_says(Attending(jobs=(JOB,)))
    (news,) = story.messages(Attended)[0].jobs
    assert (news.state, news.reason) == (JobState.OFFERED, None)


def test_the_log_of_a_job_that_was_never_started_is_not_promised_for_later() -> None:
    story = Story()
    story.client_says(submit())
    waits = story.client_says(Logs(job=JOB)).answer(Refusal)
    assert (waits.code, "has not been started" in waits.sentence) == (RefusalCode.NO_LOGS, True)
    story.client_says(Cancel(job=JOB))
    never = story.client_says(Logs(job=JOB)).answer(Refusal)
    assert (never.code, never.sentence) == (
        RefusalCode.NO_LOGS,
        f"job {JOB} was never started, so there is no log of it",
    )


def test_streams_are_called_lost_when_the_life_that_kept_them_has_ended() -> None:
    story = Story()
    attempt = story.runs(JobKind.INTERACTIVE)
    story.agent_says(Results(results=(result(attempt),)))
    story.agent_comes(life=LATER_LIFE)
    story.client_says(Attending(jobs=(JOB,)))
    (news,) = story.messages(Attended)[0].jobs
    assert news.end is not None
    assert news.end.streams_lost


def test_who_attends_a_job_that_ended_long_ago_is_answered_from_the_disk() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(Results(results=(result(attempt),)))
    ended = story.saved()
    story.core._desk.ledger._recent.clear()
    story.client_says(Attending(jobs=(JOB,)))
    recall = story.one(Recall, job=JOB)
    story.on(Recalled(job=JOB, found=ended, spoken=recall.spoken))
    assert story.messages(Attended)[0].jobs[0].state is JobState.SUCCEEDED


def test_a_removed_client_is_waited_for_by_no_job_also_when_only_the_disk_knows_its_life() -> None:
    story = Story()
    attempt = story.runs(JobKind.INTERACTIVE)
    story = story.restarted(connected=False)
    story.on(PrincipalRemoved(principal=TV))
    assert story.stopped() == [attempt]


def test_a_life_that_has_ended_is_told_so() -> None:
    story = Story().client_says(Bye())
    assert story.core._post._lives.is_retired(TV_LIFE, TV.login)
    assert not story.core._post._lives.is_retired(TV_LIFE, RADIO.login)


# --- agents -----------------------------------------------------------------------------------------------------------


def test_the_will_of_an_earlier_connection_changes_nothing() -> None:
    story = Story().agent_comes()
    story.on(_agent_status(AgentState.ONLINE, 2))
    story.on(_agent_status(AgentState.OFFLINE, 1))
    story.on(Woken(), after=times.WILL_GRACE)
    assert story.client_says(submit()).offered()


def test_an_agent_whose_will_stood_is_offered_nothing_until_it_speaks_again() -> None:
    story = Story().agent_comes()
    story.on(_agent_status(AgentState.OFFLINE, 1))
    story.on(Woken(), after=times.WILL_GRACE)
    assert story.client_says(submit()).offered() == []
    assert story.agent_says(holding()).offered()


def test_an_agent_that_is_silent_for_seven_seconds_is_offline() -> None:
    story = Story().agent_comes()
    story.on(Woken(), after=times.AGENT_SILENCE)
    assert story.client_says(ShowAgent(agent="pi")).answer(AgentList).agents[0].state is AgentState.OFFLINE


def test_a_drained_agent_takes_no_more_and_is_remembered_as_drained() -> None:
    story = Story().agent_comes().client_says(DrainAgent(agent="pi", draining=True))
    assert story.messages(Drain)[0].draining
    assert story.one(SaveAgent).agent.draining
    assert story.client_says(submit()).offered() == []
    story.agent_comes(life=LATER_LIFE)
    assert story.messages(Welcome)[0].draining
    assert story.client_says(DrainAgent(agent="pi", draining=False)).offered()


def test_a_removed_agent_leaves_nothing_behind() -> None:
    story = Story()
    story.runs(JobKind.STAGED)
    story.on(PrincipalRemoved(principal=PI))
    assert story.saved().reason_code is ReasonCode.LOST
    cleared = {publish.family for publish in story.all(Publish, message=None)}
    assert {Family.AGENT_STATUS, Family.ADVERT, Family.PROGRAMS, Family.PROGRESS, Family.AGENT} <= cleared
    assert story.client_says(ListAgents()).answer(AgentList).agents == ()


def test_a_removed_agent_does_not_come_back_by_its_will_or_an_advert_that_was_under_way() -> None:
    story = Story().agent_comes()
    story.core._desk.keyring.remove(PI)
    story.on(PrincipalRemoved(principal=PI))
    late = (
        (_agent_status(AgentState.OFFLINE, 1), Family.AGENT_STATUS),
        (AdvertSeen(agent="pi", advert=advert(PI_LIFE)), Family.ADVERT),
        (ProgramsSeen(agent="pi", programs=_long_lists()), Family.PROGRAMS),
    )
    for event, family in late:
        story.on(event)
        assert [publish.family for publish in story.all(Publish, message=None)] == [family]
        assert story.all(SaveAgent) == []
    assert story.client_says(ListAgents()).answer(AgentList).agents == ()


def test_agents_come_in_pages_that_fit_a_message() -> None:
    story = Story()
    for number in range(40):
        agent = story.core._desk.roster.met(f"pi-{number:02d}")
        agent.programs = _long_lists()
    names: list[str] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor is not None:
        page = story.client_says(ListAgents(cursor=cursor)).answer(AgentList)
        names += [agent.name for agent in page.agents]
        cursor, pages = page.cursor, pages + 1
    assert names == sorted(names)
    assert (len(names), pages > 1) == (40, True)


def _long_lists() -> AdvertPrograms:
    words = tuple(f"encoder-{number:05d}" for number in range(PAGE_BYTES // 16 // 4))
    return AdvertPrograms(life=PI_LIFE, encoders=words, decoders=(), filters=(), unavailable={}, tried=False)


def test_logs_are_asked_of_the_agent_that_has_them() -> None:
    story = Story()
    attempt = story.runs()
    story.client_says(Logs(job=JOB))
    wanted = story.messages(TailWanted)[0]
    assert wanted.attempt == attempt
    story.agent_says(Tail(attempt=attempt, request=wanted.request, lines=(LogLine(time=1, stream="stderr", text="x"),)))
    assert story.all(Reply)


def test_logs_of_a_job_whose_agent_is_away_are_not_there_now() -> None:
    story = Story()
    story.runs()
    story.on(Woken(), after=times.AGENT_SILENCE)
    assert story.client_says(Logs(job=JOB)).answer(Refusal).code is RefusalCode.AGENT_AWAY


# --- in public --------------------------------------------------------------------------------------------------------


def test_a_public_job_has_no_path_no_argument_no_label_and_no_owner() -> None:
    story = Story().agent_comes().client_says(submit())
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    public = story.one(Publish, family=Family.JOB).message
    assert type(public) is PublicJob
    assert public.title == "A film"
    said = repr(public)
    assert not any(secret in said for secret in ("a film.mkv", "secret", "tv", "-i"))


def test_public_details_are_told_when_the_configuration_says_so() -> None:
    story = Story(public_details=True).agent_comes().client_says(submit())
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    public = story.one(Publish, family=Family.JOB).message
    assert isinstance(public, JobView)
    assert public.args == ("-i", "$Movies/a film.mkv")


def test_the_end_of_a_job_is_told_and_then_its_topic_is_cleared() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(Results(results=(result(attempt),)))
    told, cleared = story.all(Publish, family=Family.JOB)
    assert (told.retain, cleared.retain) == (False, True)
    assert cleared.message is None


def test_after_a_connection_what_should_be_retained_is_said_again() -> None:
    story = Story()
    story.runs()
    story.on(Disconnected())
    story.on(Connected(connection=2))
    families = {publish.family for publish in story.all(Publish)}
    assert {Family.COORDINATOR_STATUS, Family.JOB, Family.AGENT} <= families


def test_a_public_job_of_an_earlier_life_that_nobody_runs_is_cleared() -> None:
    story = Story()
    story.on(OwnJobSeen(job=JOB))
    assert story.one(Publish, family=Family.JOB).message is None


def test_a_late_will_of_our_own_does_not_stand() -> None:
    story = Story().passes(times.STATUS_AT_MOST)
    story.on(OwnStatusSeen(status=None))
    assert story.one(Publish, family=Family.COORDINATOR_STATUS)


def test_two_that_speak_under_one_name_do_not_correct_each_other_without_end() -> None:
    story = Story().passes(times.STATUS_AT_MOST)
    said = 0
    for _ in range(100):
        story.on(OwnStatusSeen(status=None), after=times.STATUS_AT_MOST / 25)
        said += len(story.all(Publish, family=Family.COORDINATOR_STATUS))
    assert 4 <= said <= 5


def test_the_summary_comes_at_least_every_three_seconds() -> None:
    story = Story()
    story.on(Woken(), after=times.SUMMARY_AT_LEAST)
    story.on(Woken(), after=times.SUMMARY_AT_LEAST)
    assert isinstance(story.one(Publish, family=Family.SUMMARY).message, Summary)


def _client_status(state: ClientState, connection: int) -> ClientStatusSeen:
    return ClientStatusSeen(client="tv", status=ClientStatus(state=state, life=TV_LIFE, connection=connection))


def _agent_status(state: AgentState, connection: int) -> AgentStatusSeen:
    return AgentStatusSeen(agent="pi", status=AgentStatus(state=state, life=PI_LIFE, connection=connection))
