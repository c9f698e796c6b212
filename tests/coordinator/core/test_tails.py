"""Logs on their way: of which attempt, from which line on, and when there are none."""

from ffmesh_coordinator.core.effects import Tell
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Lines, Refusal
from ffmesh_protocol.messages.orders import TailWanted
from ffmesh_protocol.messages.reports import FailureKind, Tail
from ffmesh_protocol.messages.requests import Logs
from support.coordinating import JOB, NAS, NAS_LIFE, PI_LIFE, Story


def test_logs_may_be_asked_of_any_attempt_and_from_any_line_on() -> None:
    story = Story()
    first = story.runs(max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    story.ends(first, exit_code=1, failure=FailureKind.NODE)
    second = story.is_taken(who=NAS, life=NAS_LIFE)
    request = ""
    for number, attempt, life in ((1, first, PI_LIFE), (2, second, NAS_LIFE), (None, second, NAS_LIFE)):
        story.client_says(Logs(job=JOB, attempt=number, after=7))
        (told,) = story.all(Tell)
        assert isinstance(told.message, TailWanted)
        assert (told.message.attempt, told.message.after, told.life) == (attempt, 7, life)
        request = told.message.request
    story.agent_says(Tail(attempt=second, request=request, lines=(), more=True), who=NAS, life=NAS_LIFE)
    assert story.answer(Lines).more
    assert story.client_says(Logs(job=JOB, attempt=3)).answer(Refusal).code is RefusalCode.NO_LOGS
