"""What the agent does with what it hears: stories of one attempt each."""

import base64

import msgspec
import pytest

from ffmesh_agent.core.agent import NOT_A_MEMBER, REFUSED_FOR, TAKEN_OVER, Agent
from ffmesh_agent.core.effects import (
    CloseStreams,
    DropResult,
    Effect,
    KeepResult,
    Kill,
    Launch,
    Leave,
    OpenStreams,
    Publish,
    ReadTail,
    Tell,
    Terminate,
)
from ffmesh_agent.core.events import (
    CapabilitySeen,
    ClientStatusSeen,
    Connected,
    ConnectFailed,
    CoordinatorSeen,
    CoordinatorSpoke,
    CoordinatorWord,
    CreditCame,
    Disconnected,
    Event,
    OwnStatusSeen,
    ProgramEnded,
    ProgramStarted,
    ProgressRead,
    Restored,
    ResultKept,
    StopAsked,
    Thawed,
    Woken,
)
from ffmesh_protocol import keys, times
from ffmesh_protocol.keys import Label, SealedFor
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.jobs import JobKind, Progress
from ffmesh_protocol.messages.orders import (
    Audience,
    Cancels,
    Drain,
    Grant,
    Grants,
    Offer,
    Offers,
    Resend,
    Settled,
    Stop,
    TailWanted,
    Welcome,
    Withdrawn,
)
from ffmesh_protocol.messages.presence import (
    AgentState,
    AgentStatus,
    ClientState,
    ClientStatus,
    CoordinatorState,
    CoordinatorStatus,
)
from ffmesh_protocol.messages.reports import (
    Claim,
    Decline,
    DeclineCode,
    HeldPhase,
    Hello,
    Holding,
    Results,
    StreamLengths,
)
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.topics import Family
from support.coordinating import JOB, PI_LIFE, TV_LIFE, D, advert, result
from support.playbook import Playbook

SECRET = bytes(range(32))
BOSS = "0C" + "1" * 24
OTHER_BOSS = "0C" + "2" * 24
ATTEMPT = "0A" + "1" * 24
OTHER = "0A" + "2" * 24


class Story(Playbook[Event, Effect, float]):
    """Begins with a connected, welcomed agent with one slot."""

    def __init__(self) -> None:
        self.core = Agent(name="pi", cluster="home", life=PI_LIFE, secret=SECRET, kid=1, boot="boot", spool="spool")
        super().__init__(self.core.handle, float)
        self._number = 0
        self.on(Restored(results=()))
        self.on(CapabilitySeen(advert=advert(PI_LIFE), programs=None))
        self.on(Connected(connection=1))
        self.on(CoordinatorSeen(status=coordinator(BOSS)))
        self.hears(Welcome(draining=False))

    def hears(self, word: CoordinatorWord, *, number: int | None = None, after: float = 0.0) -> "Story":
        self._number = number if number is not None else self._number + 1
        self.on(CoordinatorSpoke(life=BOSS, number=self._number, word=word), after=after)
        return self

    def says(self, kind: type[D]) -> list[D]:
        return [tell.message for tell in self.all(Tell) if isinstance(tell.message, kind)]

    def runs(self, kind: JobKind = JobKind.DIRECT) -> "Story":
        self.hears(Offers(offers=(offer(),)))
        self.hears(Grants(grants=(grant(kind=kind),)))
        if kind is JobKind.INTERACTIVE:
            self.on(credit())
        self.one(Launch)
        self.on(ProgramStarted(attempt=ATTEMPT))
        return self

    def ends(self, exit_code: int | None = 0, signal: int | None = None) -> "Story":
        lengths = StreamLengths(stdout=1, stderr=2)
        self.on(ProgramEnded(attempt=ATTEMPT, exit_code=exit_code, signal=signal, seconds=1.0, lengths=lengths))
        return self

    def stops(self, why: Stopped = Stopped.CANCEL, attempt: str = ATTEMPT) -> "Story":
        return self.hears(Cancels(stops=(Stop(attempt=attempt, job=JOB, why=why),)))


def coordinator(life: str, state: CoordinatorState = CoordinatorState.ONLINE) -> CoordinatorStatus:
    return CoordinatorStatus(state=state, life=life, connection=1, version="0")


def offer(attempt: str = ATTEMPT, program: str = "ffmpeg", roots: tuple[str, ...] = ()) -> Offer:
    return Offer(attempt=attempt, job=JOB, kind=JobKind.DIRECT, needs=Needs(program=program, roots=roots))


def grant(attempt: str = ATTEMPT, kind: JobKind = JobKind.DIRECT, timeout: float | None = None) -> Grant:
    return Grant(
        attempt=attempt,
        job=JOB,
        number=1,
        kind=kind,
        program="ffmpeg",
        args=(),
        cwd=None,
        env={},
        umask=None,
        needs=Needs(program="ffmpeg"),
        timeout_seconds=timeout,
        audience=audience(attempt) if kind is JobKind.INTERACTIVE else None,
    )


def audience(attempt: str, bound_to_life: str = PI_LIFE) -> Audience:
    seal = keys.derived(SECRET, "home", agent_principal("pi"), Label.SEAL)
    bound_to = SealedFor(job=JOB, attempt=attempt, agent="pi", life=bound_to_life)
    box = keys.sealed(keys.stream_keys(SECRET, "home", JOB, attempt), seal, bound_to, bytes(12))
    return Audience(client="tv", life=TV_LIFE, kid=1, sealed_keys=base64.b64encode(box).decode())


def credit() -> CreditCame:
    streams = {"stdout": 0, "stderr": 0}
    return CreditCame(credit=StreamCredit(attempt=ATTEMPT, received=streams, allowed=streams))


def client_status(state: ClientState, connection: int) -> ClientStatusSeen:
    return ClientStatusSeen(client="tv", status=ClientStatus(state=state, life=TV_LIFE, connection=connection))


# --- offers and grants ------------------------------------------------------------------------------------------------


def test_only_a_grant_starts_a_program() -> None:
    story = Story().hears(Offers(offers=(offer(),)))
    assert story.says(Claim)[0].attempts == (ATTEMPT,)
    story.none(Launch)
    assert story.hears(Grants(grants=(grant(),))).one(Launch).grant.attempt == ATTEMPT


def test_a_repeated_grant_starts_nothing_again() -> None:
    story = Story().runs().hears(Grants(grants=(grant(),)))
    story.none(Launch)


def test_a_grant_of_an_ended_attempt_is_answered_with_its_result() -> None:
    story = Story().runs().ends()
    story.on(ResultKept(attempt=ATTEMPT))
    story.hears(Grants(grants=(grant(),)))
    story.none(Launch)
    assert story.says(Results)


def test_a_grant_of_a_settled_attempt_starts_nothing() -> None:
    story = Story().runs().ends()
    story.on(ResultKept(attempt=ATTEMPT))
    story.hears(Settled(attempts=(ATTEMPT,)))
    story.hears(Grants(grants=(grant(),)))
    story.none(Launch)


def test_a_grant_whose_number_is_not_above_what_was_told_as_heard_is_dropped() -> None:
    story = Story().hears(Drain(draining=False), number=50)
    story.on(Woken(), after=times.HOLDING)
    assert story.says(Holding)[0].heard == 50
    story.hears(Grants(grants=(grant(),)), number=49)
    story.none(Launch)
    story.hears(Grants(grants=(grant(),)), number=51)
    assert story.one(Launch)


def test_a_claim_keeps_the_slot_for_ten_seconds() -> None:
    story = Story().hears(Offers(offers=(offer(),))).hears(Offers(offers=(offer(OTHER),)))
    assert story.says(Decline)[0].declined[0].code is DeclineCode.BUSY
    story.on(Woken(), after=times.RESERVATION)
    assert story.hears(Offers(offers=(offer(OTHER),))).says(Claim)


def test_a_withdrawn_claim_frees_the_slot_at_once() -> None:
    story = Story().hears(Offers(offers=(offer(),))).hears(Withdrawn(attempts=(ATTEMPT,)))
    assert story.hears(Offers(offers=(offer(OTHER),))).says(Claim)


def test_a_program_off_the_list_a_missing_root_and_a_drained_agent_are_declined() -> None:
    story = Story()
    assert (
        story.hears(Offers(offers=(offer(program="rm"),))).says(Decline)[0].declined[0].code is DeclineCode.NOT_LISTED
    )
    assert (
        story.hears(Offers(offers=(offer(roots=("X",)),))).says(Decline)[0].declined[0].code is DeclineCode.ROOT_MISSING
    )
    story.hears(Drain(draining=True))
    assert story.one(Publish, family=Family.AGENT_STATUS)
    assert story.hears(Offers(offers=(offer(),))).says(Decline)[0].declined[0].code is DeclineCode.DRAINING


def test_an_offer_that_requires_what_this_agent_does_not_know_is_declined() -> None:
    story = Story().hears(Offers(requires=("teleport",), offers=(offer(),)))
    assert "teleport" in story.says(Decline)[0].declined[0].reason
    assert not story.says(Claim)


def test_a_grant_that_requires_what_this_agent_does_not_know_starts_nothing() -> None:
    Story().hears(Grants(requires=("teleport",), grants=(grant(),))).none(Launch)


def test_a_genuine_grant_of_a_program_off_the_list_starts_nothing_and_says_why() -> None:
    forbidden = Grants(grants=(_with_program(grant(), "rm"),))
    story = Story().hears(forbidden)
    story.none(Launch)
    kept = story.one(KeepResult).result
    assert (kept.started, kept.reason_code) == (False, ReasonCode.REFUSED_BY_AGENT)


def _with_program(granted: Grant, program: str) -> Grant:
    return msgspec.structs.replace(granted, program=program, needs=Needs(program=program))


def test_a_grant_without_a_claim_takes_no_slot_that_is_used() -> None:
    story = Story().runs().hears(Grants(grants=(grant(OTHER),)))
    story.none(Launch)
    assert story.one(KeepResult).result.started is False


# --- results ----------------------------------------------------------------------------------------------------------


def test_a_result_is_on_disk_before_it_is_told_and_stays_until_it_is_settled() -> None:
    story = Story().runs().ends()
    assert not story.says(Results)
    assert story.one(KeepResult).result.exit_code == 0
    story.on(ResultKept(attempt=ATTEMPT))
    assert story.says(Results)
    story.none(DropResult)
    assert story.hears(Settled(attempts=(ATTEMPT,))).one(DropResult).attempt == ATTEMPT


def test_a_result_that_is_asked_for_again_is_told_again() -> None:
    story = Story().runs().ends()
    story.on(ResultKept(attempt=ATTEMPT))
    assert story.hears(Resend(attempts=(ATTEMPT,))).says(Results)


def test_results_of_an_earlier_life_are_listed_in_the_hello_and_told_when_welcome() -> None:
    core = Agent(name="pi", cluster="home", life=PI_LIFE, secret=SECRET, kid=1, boot="boot", spool="spool")
    story = Playbook[Event, Effect, float](core.handle, float)
    story.on(Restored(results=(result(ATTEMPT),)))
    story.on(Connected(connection=1))
    story.on(CoordinatorSeen(status=coordinator(BOSS)))
    hello = _only(story, Hello)
    assert [(held.attempt, held.phase) for held in hello.held] == [(ATTEMPT, HeldPhase.ENDED)]
    story.on(CoordinatorSpoke(life=BOSS, number=1, word=Welcome(draining=False)))
    assert _only(story, Results).results[0].attempt == ATTEMPT


def _only(story: Playbook[Event, Effect, float], kind: type[D]) -> D:
    (message,) = [tell.message for tell in story.all(Tell) if isinstance(tell.message, kind)]
    return message


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_a_stop_is_sigterm_and_then_sigkill_and_the_result_says_who_wanted_it() -> None:
    story = Story().runs().stops()
    assert story.one(Terminate)
    story.on(Woken(), after=times.STOP_TERM)
    assert story.one(Kill)
    assert story.ends(exit_code=None, signal=9).one(KeepResult).result.stopped is Stopped.CANCEL


def test_a_program_that_ends_with_0_because_we_stopped_it_says_so() -> None:
    assert Story().runs().stops().ends(exit_code=0).one(KeepResult).result.stopped is Stopped.CANCEL


def test_a_stop_of_an_attempt_whose_grant_is_still_under_way_keeps_it_from_ever_starting() -> None:
    story = Story().stops()
    assert story.one(KeepResult).result.started is False
    story.hears(Grants(grants=(grant(),)))
    story.none(Launch)


def test_a_program_that_was_stopped_while_it_was_being_started_is_stopped_when_it_has() -> None:
    story = Story().hears(Offers(offers=(offer(),))).hears(Grants(grants=(grant(),))).stops()
    story.on(ProgramStarted(attempt=ATTEMPT))
    assert story.one(Terminate)


def test_a_program_that_runs_too_long_is_stopped_and_has_timed_out() -> None:
    story = Story().hears(Offers(offers=(offer(),))).hears(Grants(grants=(grant(timeout=5.0),)))
    story.on(ProgramStarted(attempt=ATTEMPT))
    story.on(Woken(), after=5.0)
    assert story.one(Terminate)
    assert story.ends(exit_code=255).one(KeepResult).result.reason_code is ReasonCode.TIMED_OUT


def test_a_shutdown_stops_what_runs_keeps_the_results_and_leaves() -> None:
    story = Story().runs()
    story.on(StopAsked())
    assert story.one(Terminate)
    story.on(Woken(), after=1.0)
    assert story.one(Kill)
    assert story.ends(exit_code=None, signal=9).one(KeepResult).result.stopped is Stopped.SHUTDOWN
    story.on(ResultKept(attempt=ATTEMPT))
    assert story.one(Leave).exit_code == 0
    status = story.all(Publish, family=Family.AGENT_STATUS)[-1].message
    assert status == AgentStatus(state=AgentState.OFFLINE, life=PI_LIFE, connection=1)


def test_an_idle_agent_leaves_at_once_and_one_whose_program_hangs_does_not_wait_for_ever() -> None:
    story = Story()
    story.on(StopAsked())
    assert story.one(Leave)
    story = Story().runs()
    story.on(StopAsked())
    story.on(Woken(), after=10.0)
    assert story.one(Leave)


def test_an_agent_whose_life_has_ended_leaves_for_good() -> None:
    assert Story().hears(Retired()).one(Leave).exit_code == TAKEN_OVER


def test_an_agent_whose_login_is_refused_for_long_ends_what_it_runs_keeps_the_results_and_leaves() -> None:
    story = Story().runs()
    story.on(Disconnected())
    story.on(ConnectFailed(refused=True))
    for _ in range(4):
        story.on(ConnectFailed(refused=True), after=0.2 * REFUSED_FOR)
        story.none(Terminate)
    story.on(ConnectFailed(refused=True), after=0.2 * REFUSED_FOR)
    assert story.one(Terminate)
    story.on(Woken(), after=1.0)
    assert story.one(Kill)
    assert story.ends(exit_code=None, signal=9).one(KeepResult).result.stopped is Stopped.SHUTDOWN
    story.on(ResultKept(attempt=ATTEMPT))
    goodbye = story.one(Leave)
    assert goodbye.exit_code == NOT_A_MEMBER
    assert "pi is not a member" in goodbye.sentence


def test_a_program_that_does_not_end_does_not_keep_an_agent_whose_login_is_refused() -> None:
    story = Story().runs()
    story.on(ConnectFailed(refused=True))
    story.on(ConnectFailed(refused=True), after=REFUSED_FOR)
    story.on(Woken(), after=10.0)
    assert story.one(Leave).exit_code == NOT_A_MEMBER


@pytest.mark.parametrize(
    "between", [Connected(connection=2), ConnectFailed(refused=False), Thawed()], ids=["known", "away", "frozen"]
)
def test_refusals_count_only_in_a_row(between: Event) -> None:
    story = Story().runs()
    story.on(ConnectFailed(refused=True))
    story.on(between, after=0.5 * REFUSED_FOR)
    story.on(ConnectFailed(refused=True), after=REFUSED_FOR)
    story.none(Terminate)
    story.on(ConnectFailed(refused=True), after=REFUSED_FOR)
    assert story.one(Terminate)


def test_a_broker_that_is_away_for_long_is_no_reason_to_end_anything() -> None:
    story = Story().runs()
    for _ in range(10):
        story.on(ConnectFailed(refused=False), after=REFUSED_FOR)
        story.none(Terminate)


# --- readers ----------------------------------------------------------------------------------------------------------


def test_an_interactive_program_starts_with_its_clients_first_credit() -> None:
    story = Story().hears(Offers(offers=(offer(),))).hears(Grants(grants=(grant(kind=JobKind.INTERACTIVE),)))
    assert story.one(OpenStreams).client == "tv"
    story.none(Launch)
    story.on(credit())
    assert story.one(Launch)
    story.on(credit())
    story.none(Launch)


def test_a_grant_whose_client_never_comes_is_given_back() -> None:
    story = Story().hears(Offers(offers=(offer(),))).hears(Grants(grants=(grant(kind=JobKind.INTERACTIVE),)))
    story.on(Woken(), after=times.FIRST_CREDIT)
    assert story.one(KeepResult).result.reason_code is ReasonCode.CLIENT_SILENT
    story.on(credit())
    story.none(Launch)


def test_stream_keys_that_were_sealed_for_another_life_start_nothing() -> None:
    foreign = msgspec.structs.replace(grant(kind=JobKind.INTERACTIVE), audience=audience(ATTEMPT, TV_LIFE))
    story = Story().hears(Grants(grants=(foreign,)))
    story.none(OpenStreams)
    assert story.one(KeepResult).result.started is False


def test_the_death_of_the_client_stops_its_program_after_a_grace() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(client_status(ClientState.OFFLINE, 1))
    story.none(Terminate)
    story.on(Woken(), after=times.WILL_GRACE)
    assert story.one(Terminate)
    assert story.one(CloseStreams)


def test_a_client_whose_network_blinked_keeps_its_program() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(client_status(ClientState.ONLINE, 1))
    story.on(client_status(ClientState.OFFLINE, 1))
    story.on(client_status(ClientState.ONLINE, 2), after=0.1)
    story.on(client_status(ClientState.OFFLINE, 1))
    story.on(Woken(), after=times.WILL_GRACE)
    story.none(Terminate)


def test_a_client_without_a_sign_of_life_loses_its_program_while_it_could_have_been_heard() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(Disconnected())
    story.on(Woken(), after=10 * times.CLIENT_SILENCE)
    story.none(Terminate)
    story.on(Connected(connection=2))
    story.on(Woken(), after=times.CLIENT_SILENCE)
    assert story.one(Terminate)
    assert story.ends(None, 15).one(KeepResult).result.stopped is Stopped.SILENCE


def test_an_agent_that_was_frozen_stops_nothing_for_what_it_did_not_hear() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(Thawed(), after=2 * times.CLIENT_SILENCE)
    story.none(Terminate)


# --- what it says -----------------------------------------------------------------------------------------------------


def test_a_hello_is_said_again_until_it_is_welcome_and_then_holdings_follow() -> None:
    core = Agent(name="pi", cluster="home", life=PI_LIFE, secret=SECRET, kid=1, boot="boot", spool="spool")
    story = Playbook[Event, Effect, float](core.handle, float)
    story.on(Restored(results=()))
    story.on(Connected(connection=1))
    story.on(CoordinatorSeen(status=coordinator(BOSS)))
    assert _only(story, Hello)
    story.on(Woken(), after=times.HOLDING)
    assert _only(story, Hello)
    story.on(CoordinatorSpoke(life=BOSS, number=1, word=Welcome(draining=True)))
    assert _only(story, Holding).draining


def test_a_new_coordinator_is_greeted_and_the_one_before_is_not_met_again() -> None:
    story = Story()
    story.on(CoordinatorSeen(status=coordinator(OTHER_BOSS)))
    assert story.one(Tell).life == OTHER_BOSS
    assert story.says(Hello)
    story.on(CoordinatorSeen(status=coordinator(BOSS)))
    assert not story.all(Tell)


def test_what_is_held_is_said_soon_after_it_has_changed() -> None:
    story = Story().hears(Offers(offers=(offer(),)))
    story.on(Woken(), after=0.2)
    assert [held.phase for held in story.says(Holding)[0].held] == [HeldPhase.RESERVED]


def test_after_a_connection_everything_public_is_said_again() -> None:
    story = Story()
    story.on(Disconnected())
    story.on(Connected(connection=2))
    assert {publish.family for publish in story.all(Publish)} >= {Family.AGENT_STATUS, Family.ADVERT}
    assert story.says(Holding)


def test_a_late_will_of_its_own_does_not_stand() -> None:
    story = Story()
    story.on(OwnStatusSeen(status=AgentStatus(state=AgentState.OFFLINE, life=PI_LIFE, connection=1)))
    assert story.one(Publish, family=Family.AGENT_STATUS)


def test_progress_goes_out_at_most_once_a_second_and_is_cleared_at_the_end() -> None:
    story = Story().runs()
    story.on(ProgressRead(attempt=ATTEMPT, progress=Progress(percent=1.0)))
    assert story.one(Publish, family=Family.PROGRESS)
    story.on(ProgressRead(attempt=ATTEMPT, progress=Progress(percent=2.0)), after=0.5)
    story.none(Publish)
    story.on(ProgressRead(attempt=ATTEMPT, progress=Progress(percent=3.0)), after=0.5)
    assert story.one(Publish, family=Family.PROGRESS)
    assert story.ends().one(Publish, family=Family.PROGRESS).message is None


def test_the_log_is_read_when_the_coordinator_wants_it() -> None:
    assert Story().hears(TailWanted(attempt=ATTEMPT, request=OTHER)).one(ReadTail).request == OTHER


def test_while_it_is_cut_off_it_says_nothing_and_its_program_goes_on() -> None:
    story = Story().runs()
    story.on(Disconnected())
    story.ends()
    story.on(ResultKept(attempt=ATTEMPT))
    assert not [effect for effect in story.effects if isinstance(effect, Tell | Publish)]
    story.on(Connected(connection=2))
    assert [held.phase for held in story.says(Holding)[0].held] == [HeldPhase.ENDED]
