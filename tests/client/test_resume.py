"""What `ffmesh resume` says of an agent."""

from ffmesh_client.commands.resume import said
from ffmesh_protocol.messages.presence import AgentState


def test_an_agent_that_minds_its_machine_does_not_take_jobs_again() -> None:
    assert said("pi-1", AgentState.ONLINE) == "pi-1 takes jobs again; it is online."
    assert said("pi-1", AgentState.OFFLINE) == "pi-1 takes jobs again; it is offline."
    minds = "pi-1 may take jobs again, and does not by itself: `ffmesh agent pi-1` says what it minds."
    assert said("pi-1", AgentState.DRAINING) == minds
