"""What was asked for, kept small: a hundred thousand jobs may wait, and hold their arguments until each one's turn.

What turns, placement and retries look at stands open. The whole is packed JSON, made once and never changed: what the
disk keeps is the same text. Whoever needs the rest unpacks it, which costs as much as to decode a message.
"""

import zlib
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.wire import Told

V = TypeVar("V", bound=Hashable)

TITLE_LABEL: Final = "title"

LEVEL: Final = 1
"""Of packing: paths and options pack to a third even so, and a higher one gains a tenth for twice the time."""

WORTH_PACKING: Final = 1024
"""Bytes. Less is kept as it is: a hundred thousand of those are no burden, and to pack them all would be one."""

SHARED: Final = 4096

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Submit)


class PackedSubmit(Told, frozen=True, gc=False):
    """Values only, so that the collector of garbage need not look at a hundred thousand of them."""

    job: str
    kind: JobKind
    needs: Needs
    priority: int
    title: str | None
    after: tuple[str, ...]
    max_attempts: int
    writes: tuple[str, ...]
    """The roots that its outputs are to lie in, as far as it says; only a staged one does."""
    packed: bytes

    @classmethod
    def of(cls, submit: Submit) -> "PackedSubmit":
        return cls._of(submit, _encoder.encode(submit))

    @classmethod
    def read(cls, record: str) -> "PackedSubmit":
        """From the disk. Every field is checked now, though most are looked at much later."""
        return cls._of(_decoder.decode(record), record.encode())

    @classmethod
    def _of(cls, submit: Submit, record: bytes) -> "PackedSubmit":
        return cls(
            job=submit.job,
            kind=submit.kind,
            needs=shared(submit.needs),
            priority=submit.priority,
            title=submit.labels.get(TITLE_LABEL),
            after=submit.after,
            max_attempts=submit.max_attempts,
            writes=shared(tuple(sorted({output.root for output in submit.outputs}))),
            packed=zlib.compress(record, LEVEL) if len(record) >= WORTH_PACKING else record,
        )

    @property
    def program(self) -> str:
        """A submit that needs another one than it runs is refused."""
        return self.needs.program

    @property
    def record(self) -> str:
        """The whole as the disk keeps it."""
        return self._unpacked().decode()

    @property
    def whole(self) -> Submit:
        return _decoder.decode(self._unpacked())

    def _unpacked(self) -> bytes:
        return self.packed if self.packed.startswith(b"{") else zlib.decompress(self.packed)


def shared(value: V) -> V:
    """An equal value that was here before, or else this one: jobs that say the same say it once."""
    first: V = _first(value)
    return first


@lru_cache(maxsize=SHARED)
def _first(value: Hashable) -> Any:  # noqa: ANN401 - a cache over types cannot be typed closer
    return value
