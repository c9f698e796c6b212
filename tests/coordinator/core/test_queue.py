"""Whose turn it is: priorities, who is waited for, owners in turn, and age so that nobody starves."""

from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ffmesh_coordinator.core.job import Job, Owner
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.packed import PackedSubmit
from ffmesh_coordinator.core.queue import OLDEST_EVERY, Queue, Wish
from ffmesh_protocol.messages.jobs import JobKind
from support.coordinating import TV_LIFE, Story, submit


def job(
    sequence: int, *, owner: str = "tv", priority: int = 0, kind: JobKind = JobKind.DIRECT, slot: str = "cpu"
) -> Job:
    asked = submit(f"0J{sequence:024d}", kind=kind, priority=priority, slot=slot)
    return Job(
        asked=PackedSubmit.of(asked),
        owner=Owner(client=owner, life=TV_LIFE),
        sequence=sequence,
        created_at=0.0,
        phase=Phase.QUEUED,
    )


def wish(queued: Job) -> Wish:
    return Wish(kind=queued.kind, needs=queued.asked.needs)


def order(jobs: list[Job], turns: int | None = None) -> list[int]:
    """The sequence numbers in the order in which they are served, if anybody can run any of them."""
    queue = Queue()
    by_id = {each.id: each for each in jobs}
    for each in jobs:
        queue.add(each, wish(each))
    served: list[int] = []
    while len(queue) and (turns is None or len(served) < turns):
        chosen = queue.next_of(queue.buckets())
        assert chosen is not None
        served.append(by_id[chosen[1]].sequence)
        queue.discard(chosen[1])
        queue.served(by_id[chosen[1]])
    return served


def test_equals_are_served_in_the_order_of_their_acceptance() -> None:
    assert order([job(2), job(3), job(1)]) == [1, 2, 3]


def test_a_higher_priority_comes_first() -> None:
    assert order([job(1), job(2, priority=-1), job(3, priority=5)]) == [3, 1, 2]


def test_of_equal_priority_what_a_client_waits_for_comes_first() -> None:
    assert order([job(1), job(2, kind=JobKind.STAGED), job(3, kind=JobKind.INTERACTIVE), job(4, priority=1)]) == [
        4,
        3,
        1,
        2,
    ]


def test_owners_are_served_in_turn_however_many_jobs_one_of_them_has() -> None:
    greedy = [job(number, owner="tv") for number in range(1, 7)]
    modest = [job(7, owner="radio"), job(8, owner="radio")]
    assert order(greedy + modest, 5) == [1, 7, 2, 8, 3]


def test_owners_are_in_turn_over_jobs_of_different_wishes() -> None:
    greedy = [job(1), job(2, slot="gpu"), job(3), job(4, slot="gpu")]
    assert order([*greedy, job(5, owner="radio")], 3) == [1, 5, 2]


def test_every_tenth_turn_goes_to_what_was_accepted_first() -> None:
    unwanted = job(1, priority=-100)
    urgent = [job(number, priority=100) for number in range(2, 40)]
    served = order([unwanted, *urgent], OLDEST_EVERY)
    assert served.index(1) == OLDEST_EVERY - 1


def test_what_left_the_queue_is_not_chosen_and_comes_back_with_its_age() -> None:
    queue = Queue()
    first, second = job(1), job(2)
    for each in (first, second):
        queue.add(each, wish(each))
    queue.discard(first.id)
    assert queue.next_of(queue.buckets()) is not None
    assert [chosen for _, chosen in [queue.next_of(queue.buckets()) or (None, None)]] == [second.id]
    queue.add(first, wish(first))
    assert [chosen for _, chosen in [queue.next_of(queue.buckets()) or (None, None)]] == [first.id]


def test_a_wish_that_changes_moves_the_job_to_others_like_it() -> None:
    queue = Queue()
    one = job(1)
    queue.add(one, wish(one))
    avoiding = msgspec.structs.replace(wish(one), avoiding=frozenset({"pi"}))
    queue.add(one, avoiding)
    assert [bucket.wish for bucket in queue.buckets()] == [avoiding]
    assert (len(queue), queue.wish_of(one.id)) == (1, avoiding)


def test_an_empty_queue_has_nobody_next() -> None:
    assert Queue().next_of(()) is None


# --- against a naive model --------------------------------------------------------------------------------------------


@dataclass
class Naive:
    """The same rules, by looking at everything each time."""

    waiting: list[Job] = field(default_factory=list[Job])
    served: dict[str, int] = field(default_factory=dict[str, int])
    turn: int = 0

    def next(self, slots: str) -> str | None:
        able = [each for each in self.waiting if each.asked.needs.slot in slots]
        if not able:
            return None
        if self.turn % OLDEST_EVERY == OLDEST_EVERY - 1:
            return min(able, key=lambda each: each.sequence).id
        return min(able, key=self._rank).id

    def _rank(self, each: Job) -> tuple[int, bool, int, int]:
        owner_served = self.served.get(each.owner.client, 0)
        return (-each.asked.priority, each.kind is not JobKind.INTERACTIVE, owner_served, each.sequence)

    def serve(self, each: Job) -> None:
        self.turn += 1
        self.served[each.owner.client] = self.turn


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"),
            st.sampled_from(["tv", "radio", "nas"]),
            st.sampled_from([-1, 0, 0, 7]),
            st.sampled_from(list(JobKind)),
            st.sampled_from(["cpu", "gpu"]),
        ),
        st.tuples(st.just("serve"), st.sampled_from(["cpu", "gpu", "cpu gpu", "cpu gpu"])),
        st.tuples(st.just("leave"), st.integers(min_value=0, max_value=30)),
        st.tuples(st.just("return"), st.integers(min_value=0, max_value=30)),
    ),
    max_size=80,
)


@given(steps=steps)
@settings(max_examples=300)
def test_the_queue_serves_as_one_would_who_looked_at_all_jobs_each_time(steps: list[tuple[object, ...]]) -> None:
    queue, naive = Queue(), Naive()
    away: list[Job] = []
    accepted = 0
    for step in steps:
        match step:
            case ("add", str(owner), int(priority), JobKind() as kind, str(slot)):
                accepted += 1
                new = job(accepted, owner=owner, priority=priority, kind=kind, slot=slot)
                queue.add(new, wish(new))
                naive.waiting.append(new)
            case ("serve", str(slots)):
                hopeful = [bucket for bucket in queue.buckets() if bucket.wish.needs.slot in slots]
                chosen = queue.next_of(hopeful)
                assert (chosen[1] if chosen else None) == naive.next(slots)
                if chosen is not None:
                    served = next(each for each in naive.waiting if each.id == chosen[1])
                    queue.discard(served.id)
                    queue.served(served)
                    naive.waiting.remove(served)
                    naive.serve(served)
                    away.append(served)
            case ("leave", int(which)) if naive.waiting:
                leaves = naive.waiting.pop(which % len(naive.waiting))
                queue.discard(leaves.id)
                away.append(leaves)
            case ("return", int(which)) if away:
                returns = away.pop(which % len(away))
                queue.add(returns, wish(returns))
                naive.waiting.append(returns)
            case _:
                pass
        assert len(queue) == len(naive.waiting)


# --- through the door -------------------------------------------------------------------------------------------------


def test_an_urgent_job_that_comes_later_is_offered_first() -> None:
    story = Story().client_says(submit("0J" + "1" * 24)).client_says(submit("0J" + "2" * 24, priority=1))
    story.agent_comes()
    story.is_taken()
    assert story.phase("0J" + "2" * 24) is Phase.RUNNING


def test_a_job_that_nobody_can_run_keeps_no_other_from_its_turn() -> None:
    story = Story().client_says(submit("0J" + "1" * 24, priority=100, roots=("Music",)))
    story.client_says(submit("0J" + "2" * 24))
    story.agent_comes()
    story.is_taken()
    assert story.phase("0J" + "2" * 24) is Phase.RUNNING
