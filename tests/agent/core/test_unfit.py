"""An agent that may not work as it is, such as one that demands a fence and has none."""

from agent.core.story import Story, grant, offer
from ffmesh_agent.core.effects import KeepResult, Launch
from ffmesh_protocol.messages.orders import Grants, Offers
from ffmesh_protocol.messages.reports import Claim, Decline, DeclineCode, Declined
from ffmesh_protocol.reasons import ReasonCode

WHY = "it takes no work without a fence around programs, and has none: this kernel has no Landlock"


def test_it_declines_every_offer_and_says_why() -> None:
    asked = offer()
    story = Story(unfit=WHY).hears(Offers(offers=(asked,)))
    assert story.says(Decline) == [
        Decline(declined=(Declined(attempt=asked.attempt, code=DeclineCode.CANNOT, reason=WHY),))
    ]
    assert story.says(Claim) == []


def test_it_starts_nothing_that_it_is_granted_all_the_same() -> None:
    story = Story(unfit=WHY).hears(Grants(grants=(grant(),)))
    assert story.all(Launch) == []
    (kept,) = story.all(KeepResult)
    assert (kept.result.started, kept.result.reason_code) == (False, ReasonCode.REFUSED_BY_AGENT)
    assert WHY in (kept.result.reason or "")
