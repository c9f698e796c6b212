"""Whatever comes in whatever order: nothing begins after the time that the coordinator gave, and nothing outlasts it.

What a lease is is counted here a second time, by the agent's own words: when it said a claim, a beat and a heartbeat.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.story import ATTEMPT, BOSS, Story, coordinator, grant, offer
from ffmesh_agent.core.effects import (
    CommitOutput,
    Effect,
    HoldUntil,
    Kill,
    Launch,
    Publish,
    SealOutput,
    Tell,
    Terminate,
    WakeAt,
)
from ffmesh_agent.core.events import (
    Connected,
    CoordinatorSeen,
    Disconnected,
    Event,
    HeartbeatReturned,
    LoadSampled,
    OutputCommitted,
    OutputNotCommitted,
    OutputSealed,
    ProgramStarted,
    Woken,
)
from ffmesh_protocol.messages.capability import Heartbeat, Load
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grants, Leased, Offers, Withdrawn
from ffmesh_protocol.messages.presence import CoordinatorState
from ffmesh_protocol.messages.reports import Claim, FailureKind, Hello, Holding
from ffmesh_protocol.times import LEASE, LEASE_KILL, LEASE_STOP, RESERVATION, WILL_GRACE

NOTHING: Final = float("-inf")
A_HAIR: Final = 1e-6
"""What the order of additions may make of a sum."""


class Model:
    """How long the attempt may go on at most, as the coordinator and the broker would have it."""

    def __init__(self) -> None:
        self.until = NOTHING
        self.claimed_at: float | None = None
        self.beats: dict[int, float] = {}
        self.heartbeats: dict[int, float] = {}
        self.away_since: float | None = None

    def heard(self, effect: Effect, now: float) -> None:
        match effect:
            case Tell(message=Claim()):
                self.claimed_at = now if self.claimed_at is None else self.claimed_at
            case Tell(message=Holding(beat=beat) | Hello(beat=beat)):
                self.beats[beat] = now
            case Publish(message=Heartbeat(beat=beat)):
                self.heartbeats[beat] = now
            case _:
                pass

    def granted(self) -> None:
        if self.claimed_at is not None:
            self.until = max(self.until, self.claimed_at + LEASE)

    def leased(self, beat: int) -> None:
        self.until = max(self.until, self.beats.get(beat, NOTHING) + LEASE)

    def stood_still(self, beat: int, now: float) -> None:
        sent_at = self.heartbeats.get(beat, NOTHING)
        if self.away_since is not None and sent_at > self.away_since:
            if self.until > now:
                self.until += sent_at - self.away_since
            self.away_since = sent_at


class World:
    """The agent, the model, and a shell that does what it is asked to, in time."""

    def __init__(self) -> None:
        self.model = Model()
        self.story = Story()
        self.connection = 1
        self.wakes_at: float | None = None
        self.was_withdrawn = False
        self.asked: set[type[Effect]] = set()
        self.has_started = False
        self.runs_until_stopped = False
        for beat in (1, 2):  # said while the story began
            self.model.beats[beat] = 0.0
        self.on(Woken())

    def on(self, event: Event) -> None:
        self.story.on(event)
        self._look()

    def hears(self, word: Offers | Grants | Leased | Withdrawn) -> None:
        self.story.hears(word)
        self._look()

    def _look(self) -> None:
        story, model, now = self.story, self.model, self.story.now
        for effect in story.effects:
            model.heard(effect, now)
            self.asked.add(type(effect))
            match effect:
                case Launch(kill_at=kill_at):
                    assert now < model.until - LEASE_STOP, story.told("it was launched too late")
                    assert kill_at <= model.until - LEASE_KILL + A_HAIR, story.told("it may run too long")
                    self.runs_until_stopped = True
                case HoldUntil(kill_at=kill_at):
                    assert kill_at <= model.until - LEASE_KILL + A_HAIR, story.told("it may run too long")
                case CommitOutput(until=until):
                    assert now < until <= model.until - LEASE_KILL + A_HAIR, story.told("it may rename too late")
                case Terminate() | Kill():
                    self.runs_until_stopped = False
                case WakeAt(elapsed=elapsed):
                    self.wakes_at = elapsed
                case _:
                    pass
        if self.runs_until_stopped:
            assert now < model.until - LEASE_STOP + A_HAIR, story.told("nobody stops it")

    # --- what may happen ----------------------------------------------------------------------------------------------

    def passes(self, seconds: float) -> None:
        """With a shell that wakes the core when it wants to be woken, and looks at the load then."""
        end = self.story.now + seconds
        while self.wakes_at is not None and self.wakes_at <= end:
            self.story.now = max(self.story.now, self.wakes_at)
            self.wakes_at = None
            self.beats(0.0)
            self.on(Woken())
        self.story.now = end

    def freezes(self, seconds: float) -> None:
        """Nobody wakes the core; the next event finds it much later, and the programs of this time are the warden's."""
        self.story.now += seconds
        self.runs_until_stopped = False

    def is_offered(self, _: float) -> None:
        """Perhaps again, while it is kept; an attempt that was given up is offered under another name."""
        claimed_at = self.model.claimed_at
        if not self.was_withdrawn and (claimed_at is None or self.story.now - claimed_at < RESERVATION):
            self.hears(Offers(offers=(offer(kind=JobKind.STAGED),)))

    def is_granted(self, _: float) -> None:
        self.model.granted()
        self.hears(Grants(grants=(grant(kind=JobKind.STAGED),)))

    def is_withdrawn(self, _: float) -> None:
        self.was_withdrawn = True
        self.hears(Withdrawn(attempts=(ATTEMPT,)))

    def is_leased(self, back: float) -> None:
        """By the answer to one of the last beats, or to one that is still to come."""
        beat = max(self.model.beats) + 1 - int(back)
        self.model.leased(beat)
        self.hears(Leased(beat=beat, attempts=(ATTEMPT,)))

    def may_commit(self, _: float) -> None:
        self.story.permitted()
        self._look()

    def is_stopped(self, _: float) -> None:
        self.story.stops()
        self._look()

    def starts(self, _: float) -> None:
        if Launch in self.asked:
            self.on(ProgramStarted(attempt=ATTEMPT))
            self.has_started = True

    def ends(self, _: float) -> None:
        if self.has_started:
            self.runs_until_stopped = False
            self.story.ends()
            self._look()

    def is_sealed(self, _: float) -> None:
        if SealOutput in self.asked:
            self.on(OutputSealed(attempt=ATTEMPT))

    def is_committed(self, _: float) -> None:
        if CommitOutput in self.asked:
            self.on(OutputCommitted(attempt=ATTEMPT))

    def is_too_late(self, _: float) -> None:
        if CommitOutput in self.asked:
            late = "its time was over"
            self.on(OutputNotCommitted(attempt=ATTEMPT, sentence=late, failure=FailureKind.TRANSIENT, too_late=True))

    def beats(self, _: float) -> None:
        self.on(LoadSampled(load=Load(cpu_percent=None, memory_percent=None, temperature_c=None)))

    def heartbeat_returns(self, back: float) -> None:
        beat = max(self.model.heartbeats, default=0) + 1 - int(back)
        self.model.stood_still(beat, self.story.now)
        self.on(HeartbeatReturned(beat=beat))

    def coordinator_goes(self, _: float) -> None:
        if self.model.away_since is None:
            self.model.away_since = self.story.now + WILL_GRACE
        self.on(CoordinatorSeen(status=coordinator(BOSS, CoordinatorState.OFFLINE)))

    def coordinator_comes(self, _: float) -> None:
        self.model.away_since = None
        self.on(CoordinatorSeen(status=coordinator(BOSS)))

    def blinks(self, seconds: float) -> None:
        self.on(Disconnected())
        self.passes(seconds)
        self.connection += 1
        self.model.away_since = None
        self.model.heartbeats.clear()
        self.on(Connected(connection=self.connection))


Happening: TypeAlias = Callable[[World, float], None]

HAPPENINGS: Final[tuple[Happening, ...]] = (
    World.passes,
    World.passes,
    World.freezes,
    World.is_offered,
    World.is_granted,
    World.is_withdrawn,
    World.is_leased,
    World.is_leased,
    World.may_commit,
    World.is_stopped,
    World.starts,
    World.ends,
    World.is_sealed,
    World.is_committed,
    World.is_too_late,
    World.beats,
    World.heartbeat_returns,
    World.coordinator_goes,
    World.coordinator_comes,
    World.blinks,
)
SECONDS: Final = (0.0, 0.25, 1.0, 1.0, 2.0, 3.0, 4.0, 7.5, 20.0, 51.0, 52.0, 59.5, 60.0)
BEGINNINGS: Final[tuple[tuple[Happening, ...], ...]] = (
    (),
    (World.is_granted,),
    (World.is_offered, World.is_granted, World.starts),
    (World.is_offered, World.is_granted, World.starts, World.coordinator_goes),
    (World.is_offered, World.is_granted, World.starts, World.ends, World.is_sealed),
)
"""Some of which are long ways for chance."""


@settings(max_examples=500, deadline=None)
@given(
    beginning=st.sampled_from(BEGINNINGS),
    pause=st.sampled_from((0.0, 0.25, 3.0)),
    happenings=st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.sampled_from(SECONDS)), min_size=5, max_size=40),
)
def test_nothing_begins_or_lasts_longer_than_the_coordinator_allowed(
    beginning: tuple[Happening, ...], pause: float, happenings: list[tuple[Happening, float]]
) -> None:
    world = World()
    for happens in beginning:
        happens(world, 0.0)
        world.passes(pause)
    for happens, seconds in happenings:
        happens(world, seconds)
