"""Agents that take no work because of what they mind of their machines: nobody offers them any, and jobs say why."""

import msgspec

from ffmesh_coordinator.core.effects import Publish
from ffmesh_protocol.messages.answers import AgentList
from ffmesh_protocol.messages.capability import PublicAgent
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.messages.requests import DrainAgent, ShowAgent
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.topics import Family
from support.coordinating import JOB, LATER_LIFE, NAS, NAS_LIFE, Story, holding, submit

HOT = "its temperature is 81.5 °C, above 80 °C"


def minds(story: Story, why: str | None) -> Story:
    return story.agent_says(msgspec.structs.replace(holding(), unwilling=why))


def reason(story: Story) -> str | None:
    return story.core.view(story.disk[JOB]).reason


def test_an_agent_that_minds_its_machine_is_offered_nothing_until_that_is_over() -> None:
    story = minds(Story().agent_comes(), HOT)
    public = story.one(Publish, family=Family.AGENT).message
    assert isinstance(public, PublicAgent)
    assert (public.state, public.manner) == (AgentState.DRAINING, None)
    assert story.client_says(submit()).offered() == []
    assert reason(story) == f"pi takes no work: {HOT}; no other agent is online"
    assert story.core.view(story.disk[JOB]).reason_code is ReasonCode.WAITING_FOR_AGENT
    assert minds(story, None).offered()
    assert story.client_says(ShowAgent(agent="pi")).answer(AgentList).agents[0].state is AgentState.ONLINE


def test_a_value_that_changes_is_told_with_the_reason_and_is_no_change_of_state() -> None:
    story = minds(Story().agent_comes(), HOT).client_says(submit())
    minds(story, "its temperature is 82.0 °C, above 80 °C").none(Publish, family=Family.AGENT)
    assert reason(story) == "pi takes no work: its temperature is 82.0 °C, above 80 °C; no other agent is online"


def test_others_take_its_work() -> None:
    story = minds(Story().agent_comes().agent_comes(NAS, NAS_LIFE), HOT).client_says(submit())
    story.is_granted(who=NAS, life=NAS_LIFE)


def test_of_several_agents_each_says_why() -> None:
    story = minds(Story().agent_comes().agent_comes(NAS, NAS_LIFE), HOT)
    story.client_says(DrainAgent(agent="nas", draining=True)).client_says(submit())
    assert reason(story) == f"no agent that is online takes work: nas is draining; pi takes no work: {HOT}"


def test_a_job_that_asks_for_it_says_why_it_waits() -> None:
    story = minds(Story().agent_comes().agent_comes(NAS, NAS_LIFE), HOT).client_says(submit(on="pi"))
    assert reason(story) == f"it asks for agent pi, which takes no work: {HOT}"


def test_a_job_that_only_it_could_run_says_why_it_waits() -> None:
    story = Story().agent_comes().agent_comes(NAS, NAS_LIFE, roots={})
    minds(story, HOT).client_says(submit(roots=("Movies",)))
    assert reason(story) == f"no agent online has root Movies; pi has, and takes no work: {HOT}"


def test_a_person_comes_first() -> None:
    story = minds(Story().agent_comes(), HOT).client_says(DrainAgent(agent="pi", draining=True)).client_says(submit())
    assert reason(story) == "every agent that is online is draining: pi"
    assert minds(story, None).offered() == []


def test_another_life_has_said_nothing_yet() -> None:
    story = minds(Story().agent_comes(), HOT).client_says(submit())
    assert story.agent_comes(life=LATER_LIFE).offered()
