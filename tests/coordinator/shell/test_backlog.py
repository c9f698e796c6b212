"""What waits for room on the disk: nothing is said before what it rests on is kept, and little is held back."""

import pytest

from coordinator.shell.values import LIFE, a_job, ended, ulid
from ffmesh_coordinator.core.effects import (
    Effect,
    ForgetAgent,
    Note,
    NoteLevel,
    Publish,
    Recall,
    Reply,
    SaveAgent,
    SaveJob,
    Tell,
    WakeAt,
)
from ffmesh_coordinator.core.events import Asker, ClientSpoke, KnownAgent
from ffmesh_coordinator.shell import backlog as backlog_module
from ffmesh_coordinator.shell.backlog import Backlog
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Accepted, Refusal
from ffmesh_protocol.messages.orders import Leased, Settled
from ffmesh_protocol.messages.requests import Cancel
from ffmesh_protocol.names import agent, client
from ffmesh_protocol.topics import Family

TV = Asker(principal=client("tv"), life=LIFE, topic="answer", correlation=b"1")


def refusal(code: RefusalCode) -> Reply:
    return Reply(asker=TV, answer=Refusal(code=code, sentence="no"))


def settled(number: int) -> Tell:
    return Tell(receiver=agent("pi"), life=LIFE, message=Settled(attempts=(ulid("A", number),)))


def published(family: Family) -> Publish:
    return Publish(family=family, topic="t", message=None, retain=True)


LEASED = Tell(receiver=agent("pi"), life=LIFE, message=Leased(beat=3, attempts=(ulid("A", 1),)))
ACCEPTED = Reply(asker=TV, answer=Accepted(job=ulid("J", 1)))
RECALL = Recall(job=ulid("J", 1), spoken=ClientSpoke(client="tv", life=LIFE, word=Cancel(job=ulid("J", 1)), asker=None))


@pytest.mark.parametrize(
    "effect",
    [
        LEASED,
        refusal(RefusalCode.FULL),
        refusal(RefusalCode.MALFORMED),
        published(Family.COORDINATOR_STATUS),
        published(Family.SUMMARY),
        WakeAt(elapsed=5.0),
        Note(level=NoteLevel.INFO, text="x"),
        RECALL,
    ],
)
def test_what_promises_nothing_is_not_held_back(effect: Effect) -> None:
    backlog = Backlog()
    assert backlog.taken([ACCEPTED, effect]) == [effect]
    assert backlog.words == [ACCEPTED]


@pytest.mark.parametrize(
    "effect",
    [
        ACCEPTED,
        settled(1),
        refusal(RefusalCode.TOO_LATE),
        refusal(RefusalCode.ID_TAKEN),
        published(Family.JOB),
        published(Family.EVENTS),
    ],
)
def test_what_tells_of_something_that_may_not_be_kept_waits_in_its_order(effect: Effect) -> None:
    backlog = Backlog()
    assert backlog.taken([settled(7), effect]) == []
    assert backlog.taken([settled(8)]) == []
    assert backlog.words == [settled(7), effect, settled(8)]


def test_of_several_saves_for_one_job_or_agent_the_last_one_counts() -> None:
    backlog = Backlog()
    pi, nas = KnownAgent(name="pi", draining=True), KnownAgent(name="nas", draining=False)
    backlog.taken([SaveJob(job=a_job(1)), SaveAgent(agent=pi), SaveAgent(agent=nas), SaveJob(job=a_job(2))])
    backlog.taken([SaveJob(job=ended(1)), ForgetAgent(name="nas")])
    assert backlog.savings == [
        SaveJob(job=ended(1)),
        SaveJob(job=a_job(2)),
        SaveAgent(agent=pi),
        ForgetAgent(name="nas"),
    ]


def test_words_beyond_the_limit_are_dropped_together_and_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, "HELD_AT_MOST", 3)
    backlog = Backlog()
    for number in range(3):
        backlog.taken([settled(number)])
    assert (len(backlog.words), backlog.overflowed) == (3, False)
    backlog.taken([SaveJob(job=ended(1)), settled(4)])
    assert backlog.taken([LEASED]) == [LEASED]
    backlog.taken([settled(5)])
    assert (backlog.words, backlog.overflowed) == ([], True)
    assert backlog.savings == [SaveJob(job=ended(1))]
