"""What is looked at for one job that comes, and one that takes the place of another: no more when there are many."""

from itertools import count

import pytest

from ffmesh_coordinator.core.effects import Tell
from ffmesh_protocol.messages.orders import Leased, Welcome
from ffmesh_protocol.messages.reports import HeldPhase
from ffmesh_protocol.names import agent, client
from support.coordinating import Story, held, hello, submit

DECISIONS = 20


class Busy:
    """A mesh whose agents have one slot each, all taken, and a queue that stays as long as it is."""

    def __init__(self, *, queued: int, agents: int, wishes: int = 1, owners: int = 1) -> None:
        self.story = Story()
        self._numbers = count(1)
        self._wishes = wishes
        self._owners = owners
        self.running: list[tuple[int, str]] = []
        for number in range(agents):
            self.story.agent_comes(agent(f"pi-{number}"), life(number), slots=1)
            self.submitted()
            self.taken(number)
        for _ in range(queued):
            self.submitted()

    def submitted(self) -> None:
        number = next(self._numbers)
        asked = submit(f"0J{number:024d}", capabilities=() if number % self._wishes == 0 else ("program=ffmpeg",))
        self.story.client_says(asked, who=client(("tv", "radio")[number % self._owners]))

    def taken(self, number: int) -> None:
        attempt = self.story.is_taken(who=agent(f"pi-{number}"), life=life(number))
        self.running.append((number, attempt))

    def decided(self) -> None:
        self.submitted()
        number, attempt = self.running.pop(0)
        self.story.ends(attempt, who=agent(f"pi-{number}"), life=life(number))
        self.taken(number)


def life(number: int) -> str:
    return f"0P{number:024d}"


def looked_at(busy: Busy) -> float:
    before = busy.story.core.looked_at
    for _ in range(DECISIONS):
        busy.decided()
    return (busy.story.core.looked_at - before) / DECISIONS


@pytest.mark.parametrize(("wishes", "owners"), [(1, 1), (2, 2)])
def test_a_decision_looks_at_no_more_with_two_thousand_jobs_in_the_queue_than_with_twenty(
    wishes: int, owners: int
) -> None:
    few = looked_at(Busy(queued=20, agents=3, wishes=wishes, owners=owners))
    assert looked_at(Busy(queued=2_000, agents=3, wishes=wishes, owners=owners)) <= few


def test_a_decision_looks_at_no_more_among_three_hundred_agents_than_among_ten() -> None:
    assert looked_at(Busy(queued=20, agents=300)) <= looked_at(Busy(queued=20, agents=10))


def test_jobs_that_follow_others_on_many_agents_are_placed_with_one_list_of_agents() -> None:
    """Each would rather be where the files are, which is another agent for each."""

    def cost(agents: int) -> float:
        busy = Busy(queued=0, agents=agents)
        story = busy.story
        before = story.core.looked_at
        for number, attempt in list(busy.running):
            follower = submit(f"0K{number:024d}", after=(f"0J{number + 1:024d}",))
            story.client_says(follower)
            story.ends(attempt, job=f"0J{number + 1:024d}", who=agent(f"pi-{number}"), life=life(number))
            story.is_taken(who=agent(f"pi-{number}"), life=life(number))
        return (story.core.looked_at - before) / agents

    assert cost(100) <= cost(5)


def test_after_a_restart_each_agent_is_told_what_it_must_know_once_however_long_the_queue() -> None:
    """Welcome and leases: no grant again, and no offer to whoever is full."""
    busy = Busy(queued=200, agents=10)
    story = busy.story.restarted()
    for number, attempt in busy.running:
        job = next(each.id for each in story.disk.values() if each.attempts and each.attempts[-1].id == attempt)
        story.agent_says(hello(held(attempt, HeldPhase.RUNNING, job=job)), who=agent(f"pi-{number}"), life=life(number))
        told = [type(tell.message) for tell in story.all(Tell)]
        assert told == [Welcome, Leased], f"agent pi-{number} was told {told}"
