"""Requests for the end of a program's standard error, on their way through an agent: only it has that."""

from collections import OrderedDict
from typing import Final

from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.events import Asker
from ffmesh_coordinator.core.job import Job
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Lines
from ffmesh_protocol.messages.orders import TailWanted
from ffmesh_protocol.messages.reports import Tail
from ffmesh_protocol.messages.requests import Logs

UNANSWERED: Final = 1000
"""Requests that are remembered; who asks again is remembered again."""


class Tails:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._askers: OrderedDict[str, Asker] = OrderedDict()

    def wanted(self, job: Job, logs: Logs, asker: Asker | None) -> None:
        desk = self._desk
        if asker is None:
            return
        if not job.attempts:
            why = "was never started, so there is no log of it"
            not_yet = "has not been started, so there is no log of it yet"
            desk.refuse(asker, RefusalCode.NO_LOGS, f"job {job.id} {why if job.has_ended else not_yet}")
            return
        numbered = {attempt.number: attempt for attempt in job.attempts}
        attempt = job.attempts[-1] if logs.attempt is None else numbered.get(logs.attempt)
        if attempt is None:
            desk.refuse(asker, RefusalCode.NO_LOGS, f"job {job.id} has no attempt {logs.attempt}")
            return
        agent = desk.roster.get(attempt.agent)
        if agent is None or not agent.online or agent.life is None:
            desk.refuse(asker, RefusalCode.AGENT_AWAY, f"the log is kept by agent {attempt.agent}, which is offline")
            return
        request = desk.ids()
        self._askers[request] = asker
        if len(self._askers) > UNANSWERED:
            self._askers.popitem(last=False)
        desk.tell_agent(agent.name, agent.life, TailWanted(attempt=attempt.id, request=request, after=logs.after))

    def arrived(self, tail: Tail) -> None:
        asker = self._askers.pop(tail.request, None)
        if tail.lines is None:
            self._desk.refuse(asker, RefusalCode.NO_LOGS, "its agent no longer keeps a log of this job")
        else:
            self._desk.reply(asker, Lines(lines=tail.lines, more=tail.more))
