"""Stories for a pure core: this happened, that was asked for. A story that goes wrong prints itself so far."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

E = TypeVar("E")
F = TypeVar("F")
N = TypeVar("N")
T = TypeVar("T")


class Playbook(Generic[E, F, N]):
    """`handle` is the core's; `at` makes its moment of a number of seconds."""

    def __init__(self, handle: Callable[[E, N], list[F]], at: Callable[[float], N]) -> None:
        self._handle = handle
        self._at = at
        self._story: list[str] = []
        self.now = 0.0
        self.effects: list[F] = []

    def on(self, event: E, *, after: float = 0.0) -> "Playbook[E, F, N]":
        self.now += after
        self._story.append(f"{self.now:8.3f}  {event}")
        self.effects = self._handle(event, self._at(self.now))
        self._story.extend(f"            → {effect}" for effect in self.effects)
        return self

    def all(self, kind: type[T], **fields: object) -> list[T]:
        """What was asked for last, of that kind, with these fields."""
        return [effect for effect in self.effects if isinstance(effect, kind) and _matches(effect, fields)]

    def one(self, kind: type[T], **fields: object) -> T:
        found = self.all(kind, **fields)
        assert len(found) == 1, self.told(f"expected one {kind.__name__} with {fields}, and there are {len(found)}")
        return found[0]

    def none(self, kind: type[object], **fields: object) -> None:
        assert not self.all(kind, **fields), self.told(f"expected no {kind.__name__} with {fields}")

    def told(self, complaint: str) -> str:
        return "\n".join([complaint, "the story so far:", *self._story[-40:]])


def _matches(effect: object, fields: dict[str, object]) -> bool:
    assert isinstance(effect, msgspec.Struct)
    return all(getattr(effect, name) == value for name, value in fields.items())
