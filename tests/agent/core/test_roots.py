"""An offer that needs roots is answered when they have been looked at once more."""

from agent.core.story import ATTEMPT, OTHER, Story, offer
from ffmesh_agent.core.effects import LookAtRoots
from ffmesh_agent.core.events import CapabilitySeen, RootsLookedAt
from ffmesh_protocol.messages.capability import RootState
from ffmesh_protocol.messages.orders import Offers, Withdrawn
from ffmesh_protocol.messages.reports import Claim, Decline, DeclineCode
from support.coordinating import PI_LIFE, advert


def sees_root(story: Story, state: RootState) -> None:
    story.on(CapabilitySeen(advert=advert(PI_LIFE, roots={"Movies": state}), programs=None))


def is_offered(story: Story, attempt: str = ATTEMPT) -> Story:
    return story.hears(Offers(offers=(offer(attempt=attempt, roots=("Movies",)),)))


def test_it_is_claimed_when_they_are_there() -> None:
    story = is_offered(Story())
    assert story.one(LookAtRoots) == LookAtRoots(attempt=ATTEMPT, roots=("Movies",))
    assert story.says(Claim) == []
    story.on(RootsLookedAt(attempt=ATTEMPT))
    assert story.says(Claim) == [Claim(attempts=(ATTEMPT,))]


def test_it_is_declined_with_the_reason_when_one_has_just_gone() -> None:
    story = is_offered(Story())
    sees_root(story, RootState(mounted=False, why="nothing is mounted there"))
    story.on(RootsLookedAt(attempt=ATTEMPT))
    (declined,) = story.says(Decline)[0].declined
    assert declined.code is DeclineCode.ROOT_MISSING
    assert declined.reason == "root Movies is not mounted: nothing is mounted there"


def test_one_that_is_known_to_be_gone_is_not_looked_at_for_an_offer() -> None:
    story = Story()
    sees_root(story, RootState(mounted=False, why="it does not answer"))
    is_offered(story)
    assert story.all(LookAtRoots) == []
    assert [each.code for each in story.says(Decline)[0].declined] == [DeclineCode.ROOT_MISSING]


def test_the_slot_is_kept_while_they_are_looked_at() -> None:
    story = is_offered(is_offered(Story()), OTHER)
    assert [each.code for each in story.says(Decline)[0].declined] == [DeclineCode.BUSY]
    story.on(RootsLookedAt(attempt=ATTEMPT))
    assert story.says(Claim) == [Claim(attempts=(ATTEMPT,))]


def test_an_offer_that_was_taken_back_meanwhile_is_neither_claimed_nor_keeps_a_slot() -> None:
    story = is_offered(Story()).hears(Withdrawn(attempts=(ATTEMPT,)))
    story.on(RootsLookedAt(attempt=ATTEMPT))
    assert story.says(Claim) == []
    assert is_offered(story, OTHER).one(LookAtRoots).attempt == OTHER


def test_a_repeated_offer_is_looked_into_once() -> None:
    story = is_offered(is_offered(Story()))
    assert (story.all(LookAtRoots), story.says(Claim), story.says(Decline)) == ([], [], [])
