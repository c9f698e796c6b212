"""Requests and answers, paired."""

from client.core.attached_world import LIVES, online
from ffmesh_client.core.effects import Deliver, Effect, GiveUp, Missing, Tell, WakeAt
from ffmesh_client.core.events import Answered, Asked, Connected, Disconnected, Event, Forgotten, Reborn, Woken
from ffmesh_client.core.requests import Requests
from ffmesh_protocol.messages.answers import AgentList
from ffmesh_protocol.messages.requests import ListAgents
from ffmesh_protocol.times import REQUEST_PATIENCE, REQUEST_REPEAT

QUESTION = ListAgents()
ANSWER = AgentList(agents=())
ASKED = Asked(correlation=b"1", request=QUESTION, patience=REQUEST_PATIENCE)
TOLD = Tell(message=QUESTION, correlation=b"1")


def said(machine: Requests, event: Event, at: float = 0.0) -> list[Effect]:
    """What is asked for, alarms aside."""
    return [effect for effect in machine.handle(event, at) if not isinstance(effect, WakeAt)]


def connected() -> Requests:
    machine = Requests()
    machine.handle(Connected(), 0.0)
    machine.handle(online(LIVES[0]), 0.0)
    return machine


def test_a_request_goes_out_at_once_when_it_can() -> None:
    assert said(connected(), ASKED) == [TOLD]


def test_a_request_waits_until_broker_and_coordinator_are_there() -> None:
    machine = Requests()
    assert said(machine, ASKED) == []
    assert said(machine, Connected(), 1.0) == []
    assert said(machine, online(LIVES[0]), 1.5) == [TOLD]


def test_a_request_is_said_again_each_second_until_it_is_answered() -> None:
    machine = connected()
    machine.handle(ASKED, 0.0)
    assert said(machine, Woken(), REQUEST_REPEAT / 2) == []
    assert said(machine, Woken(), REQUEST_REPEAT) == [TOLD]
    assert said(machine, Answered(correlation=b"1", answer=ANSWER), 1.5) == [Deliver(correlation=b"1", answer=ANSWER)]
    assert machine.handle(Woken(), 9.0) == []


def test_the_alarm_is_set_for_the_repeat_and_lifted_by_the_answer() -> None:
    machine = connected()
    assert WakeAt(elapsed=REQUEST_REPEAT) in machine.handle(ASKED, 0.0)
    assert WakeAt(elapsed=None) in machine.handle(Answered(correlation=b"1", answer=ANSWER), 0.1)


def test_a_new_life_of_the_coordinator_is_asked_at_once() -> None:
    machine = connected()
    machine.handle(ASKED, 0.0)
    assert said(machine, online(LIVES[1]), 0.1) == [TOLD]


def test_after_a_reconnect_and_in_a_new_life_the_request_is_said_again_at_once() -> None:
    machine = connected()
    machine.handle(ASKED, 0.0)
    machine.handle(Reborn(), 0.1)
    machine.handle(Disconnected(), 0.1)
    assert said(machine, Connected(), 0.2) == [TOLD]


def test_an_answer_is_delivered_once() -> None:
    machine = connected()
    machine.handle(ASKED, 0.0)
    machine.handle(Answered(correlation=b"1", answer=ANSWER), 0.1)
    assert said(machine, Answered(correlation=b"1", answer=ANSWER), 0.2) == []


def test_an_answer_to_nothing_is_dropped() -> None:
    assert said(connected(), Answered(correlation=b"9", answer=ANSWER)) == []


def test_two_requests_get_their_own_answers() -> None:
    machine = connected()
    machine.handle(ASKED, 0.0)
    machine.handle(Asked(correlation=b"2", request=QUESTION, patience=None), 0.0)
    assert said(machine, Answered(correlation=b"2", answer=ANSWER)) == [Deliver(correlation=b"2", answer=ANSWER)]
    assert said(machine, Woken(), REQUEST_REPEAT) == [TOLD]


def test_who_waits_ten_seconds_is_told_what_was_missing() -> None:
    nobody = Requests()
    nobody.handle(ASKED, 0.0)
    assert said(nobody, Woken(), REQUEST_PATIENCE) == [GiveUp(correlation=b"1", missing=Missing.BROKER)]
    alone = Requests()
    alone.handle(Connected(), 0.0)
    alone.handle(ASKED, 0.0)
    assert said(alone, Woken(), REQUEST_PATIENCE) == [GiveUp(correlation=b"1", missing=Missing.COORDINATOR)]
    silent = connected()
    silent.handle(ASKED, 0.0)
    assert said(silent, Woken(), REQUEST_PATIENCE) == [GiveUp(correlation=b"1", missing=Missing.ANSWER)]


def test_without_patience_a_request_waits_for_ever() -> None:
    machine = Requests()
    machine.handle(Asked(correlation=b"1", request=QUESTION, patience=None), 0.0)
    assert machine.handle(Woken(), 1_000_000.0) == []


def test_what_nobody_waits_for_is_not_said_again() -> None:
    machine = connected()
    machine.handle(ASKED, 0.0)
    machine.handle(Forgotten(correlation=b"1"), 0.5)
    assert said(machine, Woken(), REQUEST_REPEAT) == []
