"""What the picture of the mesh makes of public messages: any of them, in any order."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.tui import played
from client.tui.played import CLUSTER, LIFE, TOPICS, Clock, said
from ffmesh_client.tui.model.events import KEPT
from ffmesh_client.tui.model.fold import Fold
from ffmesh_client.tui.model.history import POINTS
from ffmesh_client.tui.model.mesh_line import SILENT
from ffmesh_protocol.messages.jobs import JobState, Progress
from ffmesh_protocol.messages.presence import AgentState, CoordinatorState
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.times import LEASE, PROGRESS_EXPIRY
from ffmesh_protocol.topics import Topics

JOB = played.public_job(0, 0)
AGENT = played.public_agent(0, 2)
OTHER = played.agent_name(1)


class Watched:
    """A fold with its clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fold = Fold(CLUSTER)
        self.fold.opened(self.clock())

    def hear(self, topic: str, message: object, *, retain: bool = False) -> None:
        self.fold.heard(said(topic, message, retain=retain), self.clock())

    def clear(self, topic: str) -> None:
        self.fold.heard(Packet(topic=topic, payload=b""), self.clock())

    def runs(self) -> list[str]:
        return [run.id for agent in self.fold.fleet().agents for run in agent.runs]


@pytest.fixture
def watched() -> Watched:
    watched = Watched()
    watched.hear(TOPICS.agent(AGENT.name), AGENT)
    return watched


MESSAGES = [
    *played.packets(3, beats=2),
    *(said(TOPICS.events(), played.event(number)) for number in range(4)),
    *(Packet(topic=packet.topic, payload=b"") for packet in played.packets(3, beats=1)),
    said(TOPICS.job(JOB.id), msgspec.structs.replace(JOB, agent=OTHER)),
    said(TOPICS.job(JOB.id), msgspec.structs.replace(JOB, state=JobState.SUCCEEDED)),
    said(TOPICS.progress(OTHER, JOB.id), played.progress_of(3)),
]
RUBBISH = st.builds(
    Packet,
    topic=st.sampled_from([packet.topic for packet in MESSAGES]) | st.text(max_size=40),
    payload=st.binary(max_size=60) | st.sampled_from([packet.payload for packet in MESSAGES]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(MESSAGES) | RUBBISH, max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_no_message_in_any_order_raises_or_shows_a_job_twice(packets: list[Packet], cuts: list[int]) -> None:
    watched = Watched()
    for number, packet in enumerate(packets):
        watched.clock.elapsed += 1
        if number in cuts:
            watched.fold.closed(watched.clock())
            watched.fold.opened(watched.clock())
        watched.fold.heard(packet, watched.clock())
        watched.fold.ticked(watched.clock())
        runs = watched.runs()
        assert len(runs) == len(set(runs))
        assert watched.fold.line(watched.clock()).fps >= 0


def test_a_job_is_shown_with_the_agent_that_has_it_and_with_its_progress(watched: Watched) -> None:
    watched.hear(TOPICS.job(JOB.id), JOB)
    watched.hear(TOPICS.progress(AGENT.name, JOB.id), Progress(percent=12.5, fps=30.0))
    (agent,) = watched.fold.fleet().agents
    (run,) = agent.runs
    assert (run.id, run.agent, run.progress.percent) == (JOB.id, AGENT.name, 12.5)
    assert watched.fold.line(watched.clock()).fps == 30.0


def test_progress_that_comes_before_its_job_is_kept_for_it(watched: Watched) -> None:
    watched.hear(TOPICS.progress(AGENT.name, JOB.id), Progress(percent=7.0))
    assert watched.runs() == []
    watched.hear(TOPICS.job(JOB.id), JOB)
    assert watched.fold.fleet().agents[0].runs[0].progress.percent == 7.0


def test_progress_of_an_agent_that_does_not_have_the_job_is_not_believed(watched: Watched) -> None:
    watched.hear(TOPICS.job(JOB.id), JOB)
    watched.hear(TOPICS.progress(OTHER, JOB.id), Progress(percent=99.0))
    assert watched.fold.fleet().agents[0].runs[0].progress.percent is None
    assert watched.fold.dropped == 1


def test_a_job_that_moves_to_another_agent_leaves_the_first_and_begins_anew(watched: Watched) -> None:
    watched.hear(TOPICS.agent(OTHER), played.public_agent(1, 0))
    watched.hear(TOPICS.job(JOB.id), JOB)
    watched.hear(TOPICS.progress(AGENT.name, JOB.id), Progress(percent=50.0))
    watched.hear(TOPICS.job(JOB.id), msgspec.structs.replace(JOB, agent=OTHER))
    first, second = watched.fold.fleet().agents
    assert (first.runs, [run.id for run in second.runs]) == ((), [JOB.id])
    assert second.runs[0].progress.percent is None


@pytest.mark.parametrize("how", ["ended", "cleared"])
def test_a_job_that_is_over_is_gone(watched: Watched, how: str) -> None:
    watched.hear(TOPICS.job(JOB.id), JOB)
    if how == "ended":
        watched.hear(TOPICS.job(JOB.id), msgspec.structs.replace(JOB, state=JobState.FAILED))
    else:
        watched.clear(TOPICS.job(JOB.id))
    assert (watched.runs(), watched.fold.run(JOB.id)) == ([], None)


@pytest.mark.parametrize("payload", [b"{", b"null", b"[]", b'{"id": 1}', b"\xff", b'{"percent": 1e999}', b"[" * 9999])
@pytest.mark.parametrize(
    "topic", [TOPICS.job(JOB.id), TOPICS.agent("pi-1"), TOPICS.summary(), TOPICS.events(), TOPICS.coordinator_status()]
)
def test_what_cannot_be_read_is_counted_and_changes_nothing(topic: str, payload: bytes) -> None:
    watched = Watched()
    watched.fold.heard(Packet(topic=topic, payload=payload), watched.clock())
    assert watched.fold.dropped == 1
    assert (watched.fold.fleet().agents, watched.fold.line(watched.clock()).running) == ((), 0)


def test_what_is_said_of_one_under_the_name_of_another_is_dropped(watched: Watched) -> None:
    watched.hear(TOPICS.agent("pi-9"), AGENT)
    watched.hear(TOPICS.job(played.ulid(99)), JOB)
    watched.hear(Topics("elsewhere").agent("pi-9"), AGENT)
    assert watched.fold.dropped == 3
    assert [agent.name for agent in watched.fold.fleet().agents] == [AGENT.name]


def test_a_heartbeat_shows_at_once_and_a_late_one_never(watched: Watched) -> None:
    for beat in (5, 6, 4):
        watched.hear(TOPICS.heartbeat(AGENT.name), played.beat_of(0, beat))
    (agent,) = watched.fold.fleet().agents
    assert agent.load == played.beat_of(0, 6).load
    assert list(agent.cpu) == [played.beat_of(0, beat).load.cpu_percent for beat in (5, 6)]


def test_an_agent_that_only_speaks_itself_is_not_shown() -> None:
    watched = Watched()
    watched.hear(TOPICS.heartbeat("pi-9"), played.beat_of(0, 1))
    assert watched.fold.fleet().agents == ()


def test_an_agent_that_is_away_shows_no_load_and_stands_behind(watched: Watched) -> None:
    watched.hear(TOPICS.agent(OTHER), played.public_agent(1, 0))
    watched.hear(TOPICS.heartbeat(AGENT.name), played.beat_of(0, 1))
    watched.hear(TOPICS.agent(AGENT.name), msgspec.structs.replace(AGENT, state=AgentState.OFFLINE))
    last = watched.fold.fleet().agents[-1]
    assert (last.name, last.trouble, last.load.cpu_percent, last.cpu) == (AGENT.name, "offline", None, ())


def test_an_agent_that_was_removed_is_gone(watched: Watched) -> None:
    watched.clear(TOPICS.agent(AGENT.name))
    assert watched.fold.fleet().agents == ()


def test_a_broker_that_goes_away_leaves_the_picture_and_says_since_when(watched: Watched) -> None:
    watched.hear(TOPICS.job(JOB.id), JOB)
    watched.fold.closed(watched.clock())
    since = watched.clock().utc
    watched.clock.elapsed += 1000
    watched.fold.closed(watched.clock())
    watched.fold.ticked(watched.clock())
    line = watched.fold.line(watched.clock())
    assert (line.broker_away_since, line.is_alive, watched.runs()) == (since, False, [JOB.id])


def test_what_nobody_tells_again_is_forgotten_a_lease_after_the_broker_came_back(watched: Watched) -> None:
    watched.hear(TOPICS.job(JOB.id), JOB)
    watched.fold.closed(watched.clock())
    watched.clock.elapsed += 1
    watched.fold.opened(watched.clock())
    watched.clock.elapsed += LEASE - 1
    watched.fold.ticked(watched.clock())
    assert watched.runs() == [JOB.id]
    watched.hear(TOPICS.agent(AGENT.name), AGENT)
    watched.clock.elapsed += 2
    watched.fold.ticked(watched.clock())
    assert ([agent.name for agent in watched.fold.fleet().agents], watched.runs()) == ([AGENT.name], [])


def test_progress_whose_job_never_comes_is_forgotten(watched: Watched) -> None:
    watched.hear(TOPICS.progress(AGENT.name, JOB.id), Progress(percent=7.0, fps=9.0))
    watched.clock.elapsed += PROGRESS_EXPIRY + 1
    watched.fold.ticked(watched.clock())
    watched.hear(TOPICS.job(JOB.id), JOB)
    assert watched.fold.fleet().agents[0].runs[0].progress.percent is None


def test_frames_of_a_program_that_fell_silent_are_not_counted(watched: Watched) -> None:
    watched.hear(TOPICS.job(JOB.id), JOB)
    watched.hear(TOPICS.progress(AGENT.name, JOB.id), Progress(fps=30.0))
    watched.clock.elapsed += PROGRESS_EXPIRY + 1
    assert watched.fold.line(watched.clock()).fps == 0


def test_the_coordinator_is_alive_while_it_counts_and_says_that_it_is_online(watched: Watched) -> None:
    def is_alive() -> bool:
        return watched.fold.line(watched.clock()).is_alive

    assert not is_alive()
    watched.hear(TOPICS.coordinator_status(), played.status(), retain=True)
    watched.hear(TOPICS.summary(), played.summary(1))
    assert is_alive()
    watched.clock.elapsed += SILENT + 1
    assert not is_alive()
    watched.hear(TOPICS.summary(), played.summary(1), retain=True)
    assert not is_alive(), "what was retained says nothing of now"
    watched.hear(TOPICS.summary(), played.summary(1))
    assert is_alive()
    watched.hear(TOPICS.coordinator_status(), played.status(CoordinatorState.OFFLINE))
    assert not is_alive()


def test_the_will_of_an_earlier_connection_says_nothing(watched: Watched) -> None:
    watched.hear(TOPICS.coordinator_status(), msgspec.structs.replace(played.status(), connection=2))
    watched.hear(TOPICS.coordinator_status(), played.status(CoordinatorState.OFFLINE))
    assert watched.fold.line(watched.clock()).coordinator is CoordinatorState.ONLINE


def test_histories_are_bounded(watched: Watched) -> None:
    watched.hear(TOPICS.job(JOB.id), JOB)
    for number in range(POINTS + 10):
        watched.hear(TOPICS.progress(AGENT.name, JOB.id), Progress(fps=float(number)))
    points = watched.fold.points(JOB.id)
    assert (len(points), points[-1].fps) == (POINTS, POINTS + 9)
    for number in range(KEPT + 10):
        watched.hear(TOPICS.events(), played.event(number))
    assert watched.fold.events.count == KEPT + 10
    assert len(list(watched.fold.events.newest_first())) == KEPT


def test_a_name_moves_no_cursor_and_turns_no_direction(watched: Watched) -> None:
    watched.hear(TOPICS.job(JOB.id), msgspec.structs.replace(JOB, title=played.STRANGE))
    name = watched.fold.fleet().agents[0].runs[0].name
    assert name.isprintable()
    assert "שלום" in name


def test_why_an_agent_takes_no_work_is_said(watched: Watched) -> None:
    told: dict[str, dict[str, Any]] = {
        "has no slots": {"slots": {}},
        "lists no program": {"programs": {}},
        "root Series is not mounted: the server does not answer": {"roots": played.public_agent(4, 0).roots},
        "draining: finishes what it has, takes no more": {"state": AgentState.DRAINING},
    }
    for trouble, changes in told.items():
        watched.hear(TOPICS.agent(AGENT.name), msgspec.structs.replace(AGENT, **changes))
        assert watched.fold.fleet().agents[0].trouble == trouble
    assert AGENT.life == LIFE
