"""Requests and their answers, paired by correlation data. A request is said again until it is answered.

That changes nothing for the one who is asked: every verb is idempotent. Not there yet: `unsupported`.
"""

from ffmesh_client.core.effects import Deliver, Effect, GiveUp, Tell, WakeAt
from ffmesh_client.core.events import Answered, Asked, Event, Forgotten, Woken
from ffmesh_client.core.reach import Reach
from ffmesh_protocol.times import REQUEST_REPEAT


class _Open:
    def __init__(self, asked: Asked, now: float) -> None:
        self.asked = asked
        self.again_at = now
        self.until = now + asked.patience if asked.patience is not None else None


class Requests:
    def __init__(self) -> None:
        self._reach = Reach()
        self._open: dict[bytes, _Open] = {}
        self._wake_at: float | None = None

    def handle(self, event: Event, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if self._reach.handle(event):
            for each in self._open.values():
                each.again_at = now
        match event:
            case Asked(correlation=correlation):
                self._open[correlation] = _Open(event, now)
            case Forgotten(correlation=correlation):
                self._open.pop(correlation, None)
            case Answered(correlation=correlation, answer=answer):
                if self._open.pop(correlation, None) is not None:
                    effects.append(Deliver(correlation=correlation, answer=answer))
            case Woken():
                self._wake_at = None
            case _:
                pass
        effects += self._due(now)
        return effects + self._wake()

    def _due(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for correlation, each in list(self._open.items()):
            if each.until is not None and now >= each.until:
                del self._open[correlation]
                effects.append(GiveUp(correlation=correlation, missing=self._reach.missing))
            elif self._reach.open and now >= each.again_at:
                each.again_at = now + REQUEST_REPEAT
                effects.append(Tell(message=each.asked.request, correlation=correlation))
        return effects

    def _wake(self) -> list[Effect]:
        moments = [each.until for each in self._open.values() if each.until is not None]
        if self._reach.open:
            moments += [each.again_at for each in self._open.values()]
        wake_at = min(moments, default=None)
        if wake_at == self._wake_at:
            return []
        self._wake_at = wake_at
        return [WakeAt(elapsed=wake_at)]
