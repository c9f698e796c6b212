"""The agent's core: every event goes in by `handle`, every effect comes out. It has no clock, disk, socket or dice.

    effects = core.handle(event, now)

It says what it holds every two seconds, soon after each change, after each connection and at each `online` of the
coordinator: no single lost message can strand a job.
"""

from collections.abc import Iterable
from typing import Final, assert_never

from ffmesh_agent.core.attempt import About
from ffmesh_agent.core.audiences import Audiences
from ffmesh_agent.core.bench import Bench
from ffmesh_agent.core.desk import Desk
from ffmesh_agent.core.effects import Effect, Leave, ReadTail, WakeAt
from ffmesh_agent.core.events import (
    CapabilitySeen,
    ClientStatusSeen,
    ConditionsSeen,
    Connected,
    ConnectFailed,
    CoordinatorSeen,
    CoordinatorSpoke,
    CoordinatorWord,
    CreditCame,
    Disconnected,
    DrainAsked,
    Event,
    HeartbeatReturned,
    InputCame,
    LoadSampled,
    OutputCommitted,
    OutputNotCommitted,
    OutputNotSealed,
    OutputSealed,
    OwnAdvertSeen,
    OwnStatusSeen,
    ProgramEnded,
    ProgramNotStarted,
    ProgramStarted,
    ProgressRead,
    Restored,
    ResultKept,
    RootsLookedAt,
    SignalsCame,
    StopAsked,
    TailRead,
    Thawed,
    Woken,
)
from ffmesh_agent.core.leases import Leases
from ffmesh_agent.core.post import Post
from ffmesh_agent.core.public import Public
from ffmesh_agent.core.willing import why_by_itself
from ffmesh_protocol import VERSION, times
from ffmesh_protocol.media import MANY_OUTPUTS, QUOTED_PATHS
from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.capability import Load
from ffmesh_protocol.messages.manners import PAUSE, Condition, Manner, wanted
from ffmesh_protocol.messages.orders import (
    Cancels,
    Commit,
    Drain,
    Grants,
    Leased,
    Offers,
    Resend,
    Settled,
    Superseded,
    TailWanted,
    Welcome,
    Withdrawn,
)
from ffmesh_protocol.messages.presence import ClientState, CoordinatorState
from ffmesh_protocol.messages.reports import Decline, DeclineCode, Declined, Hello, Holding, Tail
from ffmesh_protocol.messages.requests import Bye, StreamCredit
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.sending import published
from ffmesh_protocol.topics import Family, Verb

FEATURES: Final = ("direct", "interactive", MANY_OUTPUTS, PAUSE, QUOTED_PATHS, "staged")

CHANGE_SAID_WITHIN: Final = 0.2
"""Changes so close together share one `holding`."""

LEAVE_WITHIN: Final = 3.0
"""A shutdown ends by then, whatever programs and disk do; the warden kills what is left."""

SETTLE_WITHIN: Final = 10.0
"""When all is done, an agent that is to leave waits so long until it is told that its results are settled, and its last
outputs may take their places. What is not by then waits on the disk for its next life."""

START_AGAIN: Final = 1
TAKEN_OVER: Final = 78
"""The exit code that says: do not start me again."""

NOT_A_MEMBER: Final = 77
"""The exit code that says: the broker refuses this login. Whoever starts agents may do it again, later."""

REFUSED_FOR: Final = 10.0
"""A broker that has just been started again may not have all logins yet; one that refuses ours so long means it."""

NOT_WHILE_CUT_OFF: Final = frozenset({About.STATUS, About.FIRST_CREDIT, About.CLIENT_WILL, About.CLIENT_SILENCE})
"""Silence that we could not have heard is nobody's fault; it is counted anew when we connect."""

DEAF_AFTER: Final = 2 * times.HOLDING
"""Our own heartbeat comes back from the broker. If nothing does, a client that is silent may well be speaking."""


class Agent:
    def __init__(
        self,
        *,
        name: str,
        cluster: str,
        life: str,
        secret: bytes,
        kid: int,
        boot: str,
        spool: str,
        version: str = VERSION,
        unfit: str | None = None,
    ) -> None:
        """`unfit`: why this machine takes no work at all, as long as it lives."""
        audiences = Audiences()
        self._post = Post(
            cluster=cluster, me=agent_principal(name), life=life, secret=secret, kid=kid, audiences=audiences
        )
        self._desk = Desk(name=name, life=life, post=self._post, audiences=audiences)
        self._public = Public(self._desk, unfit)
        self._leases = Leases(self._desk)
        self._bench = Bench(self._desk, self._public, self._leases)
        self._boot = boot
        self._spool = spool
        self._version = version
        self._welcomed = False
        self._heard = 0
        self._told_heard = 0
        self._heard_at = 0.0
        """When the broker last brought anything that is sent without fail."""
        self._client_connections: dict[tuple[str, str], int] = {}
        self._has_left = False
        self._held = self._bench.held()
        """When the last event had been handled."""
        self._woken_for: float | None = None
        self._refused_since: float | None = None
        self._goodbye = Leave(exit_code=0, sentence="stopped")

    # --- in and out ---------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Effect]:
        """The only way to change anything. `now` is in seconds, never jumps, and counts sleep."""
        desk = self._desk
        if self._has_left:
            return []
        desk.now = now
        self._take(event)
        for about, name in desk.deadlines.due(now):
            self._fall_due(about, name)
        self._bench.settle_pauses()
        held = self._bench.held()
        if held != self._held:
            self._held = held
            self._hold_soon()
        if desk.leaving and self._bench.is_idle():
            self._leave(self._goodbye)
        elif desk.ending and not desk.leaving:
            self._leave_when_done()
        effects = desk.taken_effects()
        at = desk.deadlines.next()
        if at != self._woken_for:
            self._woken_for = at
            effects.append(WakeAt(elapsed=at))
        return effects

    def opened(self, packet: Packet) -> Event | None:
        return self._post.opened(packet)

    def packets(self, effects: Iterable[Effect]) -> list[Packet]:
        return self._post.packets(effects)

    def chunk(self, attempt: str, verb: Verb, offset: int, content: bytes) -> Packet | None:
        """A signed piece of an attempt's stream, or None when nobody reads it any more."""
        return self._post.chunk(attempt, verb, offset, content)

    def credit(self, credit: StreamCredit) -> Packet | None:
        """What its program has of the client's standard input, and of its signals; or None, as `chunk`."""
        return self._post.credit(credit)

    def subscriptions(self) -> list[tuple[str, int]]:
        return self._post.subscriptions()

    def will(self, connection: int) -> Packet:
        topic = self._desk.topics.agent_status(self._desk.name)
        status = self._public.status(online=False, connection=connection)
        return published(Family.AGENT_STATUS, topic, status)

    # --- events -------------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        desk, bench = self._desk, self._bench
        match event:
            case Restored(results=results, staged=staged):
                bench.restore(results, staged)
                desk.deadlines.set(About.BEAT, "", desk.after(times.HOLDING))
            case Connected(connection=connection):
                self._connect(connection)
            case Disconnected():
                desk.connected = False
            case ConnectFailed(refused=refused):
                self._could_not_connect(refused=refused)
            case Thawed():
                self._refused_since = None
                bench.count_silences()
            case Woken():
                self._woken_for = None
            case HeartbeatReturned(beat=beat):
                self._heard_at = desk.now
                stood = self._leases.heartbeat_returned(beat)
                if stood > 0:
                    bench.stood_still(stood)
            case CoordinatorSeen(status=status):
                self._leases.coordinator_seen(status)
                if status.state is not CoordinatorState.OFFLINE:
                    self._meet(status.life)
            case OwnStatusSeen(status=status):
                if status != self._public.status():
                    self._correct()
            case OwnAdvertSeen(life=life):
                if life != desk.life:
                    self._correct()
            case ClientStatusSeen():
                self._client_seen(event)
            case CoordinatorSpoke():
                self._heard_at = desk.now
                self._obey(event.word, event.number)
                self._heard = max(self._heard, event.number)
            case CreditCame(credit=credit):
                bench.credited(credit.attempt)
            case SignalsCame(signals=signals):
                bench.signalled(signals)
            case InputCame():
                pass
            case RootsLookedAt(attempt=attempt):
                bench.roots_looked_at(attempt)
            case ProgramStarted(attempt=attempt, reads_keys=reads_keys):
                bench.program_started(attempt, reads_keys=reads_keys)
            case ProgramNotStarted():
                bench.program_not_started(event)
            case ProgramEnded():
                bench.program_ended(event)
            case OutputSealed(attempt=attempt, outputs=outputs):
                bench.output_sealed(attempt, outputs)
            case OutputNotSealed():
                bench.output_not_sealed(event)
            case OutputCommitted(attempt=attempt):
                bench.output_committed(attempt)
            case OutputNotCommitted():
                bench.output_not_committed(event)
            case ResultKept(attempt=attempt):
                bench.result_kept(attempt)
            case ProgressRead(attempt=attempt, progress=progress):
                bench.progressed(attempt, progress)
            case TailRead(attempt=attempt, request=request, lines=lines, more=more):
                desk.tell(Tail(attempt=attempt, request=request, lines=lines, more=more))
            case CapabilitySeen(advert=advert, programs=programs):
                self._public.learned(advert, programs)
            case LoadSampled(load=load):
                self._beat(load)
            case ConditionsSeen(conditions=conditions):
                self._mind(conditions)
            case DrainAsked():
                self._end()
            case StopAsked():
                self._stop(self._goodbye)
            case _:
                assert_never(event)

    def _obey(self, word: CoordinatorWord, number: int) -> None:
        desk, bench = self._desk, self._bench
        lacking = sorted(set(word.requires) - set(FEATURES))
        if lacking:
            self._cannot(word, lacking)
            return
        match word:
            case Welcome(draining=draining, manner=manner, features=features):
                self._welcomed = True
                desk.knows_pauses = PAUSE in features
                self._behave(wanted(draining=draining, manner=manner))
                bench.report_all()
                self._hold()
            case Offers(offers=offers):
                bench.offered(offers)
            case Grants(grants=grants):
                # We have said that we heard past this number, and that we do not have these attempts.
                if number > self._told_heard:
                    for grant in grants:
                        bench.granted(grant)
            case Withdrawn(attempts=attempts):
                for attempt in attempts:
                    bench.withdrawn(attempt)
            case Leased(beat=beat, attempts=attempts):
                bench.leased(beat, attempts)
            case Commit(attempts=attempts):
                bench.permitted(attempts)
            case Cancels(stops=stops):
                for stop in stops:
                    bench.told_to_stop(stop)
            case Settled(attempts=attempts):
                bench.settled(attempts)
            case Resend(attempts=attempts):
                bench.report_again(attempts)
            case Drain(draining=draining, manner=manner):
                self._behave(wanted(draining=draining, manner=manner))
            case TailWanted(attempt=attempt, request=request, after=after):
                desk.order(ReadTail(attempt=attempt, request=request, after=after))
            case Superseded():
                self._give_way()
            case Retired():
                sentence = "the coordinator takes this life for ended; a new one is needed"
                self._stop(Leave(exit_code=START_AGAIN, sentence=sentence))
            case _:
                assert_never(word)

    def _cannot(self, word: CoordinatorWord, lacking: list[str]) -> None:
        """A message that requires what we do not know: an offer is declined, of the rest nothing is done."""
        reason = f"unsupported: {', '.join(lacking)}"
        if isinstance(word, Offers):
            offers = word.offers
            declined = [Declined(attempt=each.attempt, code=DeclineCode.CANNOT, reason=reason) for each in offers]
            self._desk.tell(Decline(declined=tuple(declined)))
        else:
            self._desk.warn(f"a message of the coordinator is {reason}; this agent is too old for it")

    def _fall_due(self, about: About, name: str) -> None:
        bench = self._bench
        if about in NOT_WHILE_CUT_OFF and not self._desk.connected:
            return
        match about:
            case About.BEAT:
                self._hold()
            case About.RESERVATION:
                bench.withdrawn(name)
            case About.FIRST_CREDIT:
                bench.no_credit(name)
            case About.TIMEOUT:
                bench.stop(name, Stopped.TIMEOUT)
            case About.LEASE:
                bench.lease_ends(name)
            case About.TERMINATE:
                bench.terminate(name)
            case About.KILL:
                bench.kill(name)
            case About.STATUS:
                self._public.say_everything()
            case About.CLIENT_WILL:
                bench.client_lost(name, Stopped.CLIENT_GONE)
            case About.CLIENT_SILENCE if self._desk.now - self._heard_at > DEAF_AFTER:
                self._desk.deadlines.set(about, name, self._desk.after(times.CLIENT_SILENCE))
            case About.CLIENT_SILENCE:
                bench.client_lost(name, Stopped.SILENCE)
            case About.LEAVE if not self._desk.leaving:
                sentence = "all is done; what nobody has settled waits on the disk for its next life"
                self._leave(Leave(exit_code=0, sentence=sentence))
            case About.LEAVE:
                sentence = f"{self._goodbye.sentence}; not everything had ended, and the warden ends the rest"
                self._leave(Leave(exit_code=self._goodbye.exit_code, sentence=sentence))
            case _:
                assert_never(about)

    # --- broker and coordinator ---------------------------------------------------------------------------------------

    def _connect(self, connection: int) -> None:
        desk = self._desk
        desk.connected = True
        desk.connection = connection
        self._leases.connected()
        self._refused_since = None
        self._public.say_everything()
        self._bench.count_silences()
        self._hold()

    def _correct(self) -> None:
        """Something stands under our name that we have not said, or not last."""
        deadlines = self._desk.deadlines
        if self._desk.connected and not deadlines.is_set(About.STATUS, ""):
            deadlines.set(About.STATUS, "", self._public.may_correct_at())

    def _could_not_connect(self, *, refused: bool) -> None:
        """Whoever was removed hears it from the broker alone: it has no login by which anybody could tell it."""
        desk = self._desk
        if not refused:
            self._refused_since = None
            return
        if self._refused_since is None:
            self._refused_since = desk.now
        if desk.now - self._refused_since >= REFUSED_FOR:
            sentence = (
                f"{desk.name} is not a member of this mesh, or no longer with this secret: the broker has refused its "
                f"login for {REFUSED_FOR:.0f} s; `ffmesh principal add` or `rotate` prints a token to join again with"
            )
            self._stop(Leave(exit_code=NOT_A_MEMBER, sentence=sentence))

    def _meet(self, life: str) -> None:
        """The coordinator says that it is there. A life of it that we have not met is greeted."""
        desk = self._desk
        if self._post.has_ended(life):
            return
        if life != desk.coordinator:
            self._post.greet(life)
            desk.coordinator = life
            self._welcomed = False
            self._heard = self._told_heard = 0
        self._hold()

    def _hold_soon(self) -> None:
        deadlines, soon = self._desk.deadlines, self._desk.after(CHANGE_SAID_WITHIN)
        at = deadlines.when(About.BEAT, "")
        if at is None or at > soon:
            deadlines.set(About.BEAT, "", soon)

    def _hold(self) -> None:
        """What we hold; until we are welcomed it is part of the hello."""
        desk = self._desk
        desk.deadlines.set(About.BEAT, "", desk.after(times.HOLDING))
        if desk.coordinator is None or not desk.connected:
            return
        self._told_heard = self._heard
        held = self._bench.held()
        beat = self._leases.next_beat()
        if self._welcomed:
            desk.tell(
                Holding(
                    beat=beat,
                    heard=self._heard,
                    draining=desk.told is not None,
                    manner=desk.told,
                    unwilling=why_by_itself(desk),
                    held=held,
                )
            )
            return
        desk.tell(
            Hello(
                beat=beat,
                boot=self._boot,
                spool=self._spool,
                version=self._version,
                features=FEATURES,
                heard=self._heard,
                held=held,
            )
        )

    def _mind(self, conditions: tuple[Condition, ...]) -> None:
        desk = self._desk
        status, why = self._public.status(), why_by_itself(desk)
        desk.conditions = conditions
        if self._public.status() != status:
            self._public.say_status()
        if why_by_itself(desk) != why:
            self._hold_soon()

    def _behave(self, told: Manner | None) -> None:
        desk = self._desk
        if desk.told is not told:
            desk.told = told
            self._public.say_status()
            self._hold_soon()

    def _beat(self, load: Load) -> None:
        used = {kind: self._bench.used(kind) for kind in self._public.slot_kinds()}
        self._public.beat(self._leases.next_heartbeat(), load, used, self._bench.running_jobs())
        self._bench.say_progress_again()

    # --- clients ------------------------------------------------------------------------------------------------------

    def _client_seen(self, seen: ClientStatusSeen) -> None:
        """A will counts for the current connection of that life only, and after a grace."""
        desk, status = self._desk, seen.status
        readers = desk.audiences.of(seen.client, status.life)
        key = (seen.client, status.life)
        if not readers:
            self._client_connections.pop(key, None)
            return
        if status.connection < self._client_connections.get(key, 0):
            return
        if status.state is ClientState.ONLINE:
            self._client_connections[key] = status.connection
        for reader in readers:
            if status.state is ClientState.ONLINE:
                desk.deadlines.lift(About.CLIENT_WILL, reader.attempt)
            else:
                desk.deadlines.set(About.CLIENT_WILL, reader.attempt, desk.after(times.WILL_GRACE))

    # --- leaving ------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Finishes what it has, and then leaves."""
        desk = self._desk
        if desk.ending or desk.leaving:
            return
        desk.ending = True
        self._public.say_status()
        self._hold_soon()
        many = self._bench.unfinished()
        desk.note(
            f"draining: it takes no more jobs, and leaves when its {many} are done; another signal ends them at once"
        )

    def _leave_when_done(self) -> None:
        desk, bench = self._desk, self._bench
        if not bench.is_idle():
            desk.deadlines.lift(About.LEAVE, "")
        elif bench.is_empty() or not desk.connected or desk.coordinator is None:
            self._leave(Leave(exit_code=0, sentence="all is done"))
        elif not desk.deadlines.is_set(About.LEAVE, ""):
            desk.deadlines.set(About.LEAVE, "", desk.after(SETTLE_WITHIN))

    def _stop(self, goodbye: Leave) -> None:
        """Ends what runs, and then leaves with these words."""
        desk = self._desk
        if desk.leaving:
            return
        desk.leaving = True
        self._goodbye = goodbye
        self._public.say_status()
        self._bench.stop_all()
        desk.deadlines.set(About.LEAVE, "", desk.after(LEAVE_WITHIN))

    def _give_way(self) -> None:
        """To the life that has our name now; also when we were leaving for another reason."""
        desk = self._desk
        sentence = f"another agent called {desk.name} has taken over; give this one another name"
        goodbye = Leave(exit_code=TAKEN_OVER, sentence=sentence)
        desk.superseded = True
        self._stop(goodbye)
        self._goodbye = goodbye

    def _leave(self, goodbye: Leave) -> None:
        """Once; nothing follows, whatever else has come by then."""
        desk = self._desk
        if self._has_left:
            return
        self._has_left = True
        self._public.say_status(online=False)
        if self._welcomed and not desk.superseded:
            desk.tell(Bye())
        desk.deadlines.lift(About.LEAVE, "")
        desk.order(goodbye)
