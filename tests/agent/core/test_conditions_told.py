from agent.core.story import Story
from ffmesh_agent.core.effects import Publish
from ffmesh_agent.core.events import ConditionsSeen, LoadSampled
from ffmesh_protocol.messages.capability import Heartbeat, Load
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.topics import Family


def test_a_heartbeat_carries_what_is_minded_as_it_was_seen_last() -> None:
    story, load = Story(), Load(cpu_percent=None, memory_percent=None, temperature_c=None)
    for in_force in (True, False):
        seen = (Condition(name="power", manner=Manner.SLOW, in_force=in_force, reason="on battery"),)
        story.on(ConditionsSeen(conditions=seen))
        story.on(LoadSampled(load=load))
        heartbeat = story.one(Publish, family=Family.HEARTBEAT).message
        assert isinstance(heartbeat, Heartbeat)
        assert heartbeat.conditions == seen
