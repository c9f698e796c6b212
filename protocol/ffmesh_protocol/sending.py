"""What is ready to be sent, as packets: public messages as their family is published, lists of one verb joined.

Cost is per message, not per byte: what is ready together for one life shares a message.
"""

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from ffmesh_protocol import codec
from ffmesh_protocol.messages.orders import Cancels, Commit, Grants, Offers, Resend, Settled, Withdrawn
from ffmesh_protocol.messages.reports import Claim, Decline, MayCommit, Results, Started
from ffmesh_protocol.names import Principal
from ffmesh_protocol.packet import EMPTY, Packet
from ffmesh_protocol.topics import DELIVERY, Family
from ffmesh_protocol.wire import Directed, Told

T = TypeVar("T")

LISTS: Final[dict[type[Directed], str]] = {
    Offers: "offers",
    Grants: "grants",
    Withdrawn: "attempts",
    Cancels: "stops",
    Settled: "attempts",
    Resend: "attempts",
    Commit: "attempts",
    Claim: "attempts",
    Decline: "declined",
    Started: "attempts",
    MayCommit: "attempts",
    Results: "results",
}
"""The field in which messages of one verb to one life are joined."""

JOINED_ITEMS: Final = 200


class Addressed(Told, frozen=True):
    """A message and the life that it is for."""

    receiver: Principal
    life: str
    message: Directed


def published(family: Family, topic: str, message: Told | None, *, retain: bool | None = None) -> Packet:
    """A public message; None clears what is retained. `retain` is said where a last word must not stay."""
    delivery = DELIVERY[family]
    payload = codec.encode(message) if message is not None else EMPTY
    return Packet(
        topic=topic,
        payload=payload,
        qos=delivery.qos,
        retain=delivery.retain if retain is None else retain,
        expiry_seconds=delivery.expiry_seconds if payload else None,
    )


def joined(messages: Iterable[T | Addressed]) -> list[T | Addressed]:
    """All in order; lists of one verb to one life are joined where the first of them stood."""
    ready: list[T | Addressed] = []
    places: dict[tuple[Principal, str, type[Directed]], int] = {}
    for each in messages:
        if not isinstance(each, Addressed) or type(each.message) not in LISTS:
            ready.append(each)
            continue
        field = LISTS[type(each.message)]
        key = (each.receiver, each.life, type(each.message))
        first = ready[places[key]] if key in places else None
        if not isinstance(first, Addressed) or len(getattr(first.message, field)) >= JOINED_ITEMS:
            places[key] = len(ready)
            ready.append(each)
            continue
        items = getattr(first.message, field) + getattr(each.message, field)
        message = msgspec.structs.replace(first.message, **{field: items})
        ready[places[key]] = Addressed(receiver=each.receiver, life=each.life, message=message)
    return ready


def halves(message: Directed) -> list[Directed]:
    """A joined message that became too large, as two. One item alone fits: `SUBMIT_BYTES` sees to it."""
    field = LISTS[type(message)]
    items = getattr(message, field)
    middle = len(items) // 2
    assert middle, "one item alone exceeds the size of a message"
    return [msgspec.structs.replace(message, **{field: part}) for part in (items[:middle], items[middle:])]
