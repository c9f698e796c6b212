"""What an agent minds of its machine, and whether it is busy, as everybody is shown it."""

from ffmesh_coordinator.core.effects import Publish
from ffmesh_coordinator.core.events import HeartbeatSeen
from ffmesh_protocol import times
from ffmesh_protocol.messages.answers import AgentList
from ffmesh_protocol.messages.capability import Activity, AgentView, Heartbeat, Load, PublicAgent
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.messages.requests import ShowAgent
from ffmesh_protocol.topics import Family
from support.coordinating import LATER_LIFE, PI_LIFE, Story


def _hot(celsius: float, *, in_force: bool = True) -> tuple[Condition, ...]:
    reason = f"{celsius:.1f} °C"
    return (Condition(name="temperature", manner=Manner.SLOW, in_force=in_force, reason=reason),)


def _beats(story: Story, conditions: tuple[Condition, ...], *, life: str = PI_LIFE) -> Story:
    load = Load(cpu_percent=1.0, memory_percent=2.0, temperature_c=None)
    beat = Heartbeat(life=life, beat=1, load=load, slots={}, running=(), conditions=conditions)
    return story.on(HeartbeatSeen(agent="pi", heartbeat=beat))


def _shown(story: Story) -> AgentView:
    [agent] = story.client_says(ShowAgent(agent="pi")).answer(AgentList).agents
    return agent


def test_conditions_are_shown_as_they_were_said_last() -> None:
    story = _beats(Story().agent_comes(), _hot(81.5))
    assert _shown(story).conditions == _hot(81.5)
    assert _shown(_beats(story, _hot(70, in_force=False))).conditions == _hot(70, in_force=False)
    assert _shown(_beats(story, _hot(90), life=LATER_LIFE)).conditions == _hot(70, in_force=False)


def test_what_begins_or_ends_is_published_at_once_and_another_value_with_the_next_beat() -> None:
    story = Story().agent_comes()
    message = _beats(story, _hot(81.5)).one(Publish, family=Family.AGENT).message
    assert isinstance(message, PublicAgent)
    assert message.conditions == _hot(81.5)
    _beats(story, _hot(82)).none(Publish, family=Family.AGENT)
    _beats(story, _hot(70, in_force=False)).one(Publish, family=Family.AGENT)


def test_an_agent_is_idle_or_busy_and_neither_when_it_is_not_there() -> None:
    assert _shown(Story().agent_comes()).activity is Activity.IDLE
    story = Story()
    story.runs()
    assert _shown(story).activity is Activity.BUSY
    _beats(story, _hot(81.5))
    story.passes(times.AGENT_SILENCE)
    agent = _shown(story)
    assert (agent.activity, agent.conditions) == (None, ())
