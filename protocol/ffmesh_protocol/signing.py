"""Signatures without clocks.

A signed message carries its sender's life, the life it is meant for, and a number that counts from 1 for that pair.
Its MAC covers all that and the place and content of the message. A receiver takes it only when the MAC fits, the life
it is addressed to is its own, its sender's life is not retired, and the number is new. Nothing here knows what time it
is.

What the MAC covers, in this order, each as a 4-byte big-endian length and then the bytes:

    version   "1"
    kid       generation of the secret, decimal
    topic     UTF-8
    from      the sender's life
    to        the receiver's life
    n         the number, decimal without leading zeros
    response topic        empty if there is none
    correlation data      empty if there is none
    payload
"""

import hashlib
import hmac
import re
from typing import Final

from ffmesh_protocol.errors import Forged, MalformedMessage, OtherLife, Repeated, RetiredLife
from ffmesh_protocol.limits import NUMBER_MAX, NUMBERS_WINDOW
from ffmesh_protocol.names import is_ulid
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.topics import parse
from ffmesh_protocol.wire import Told

WIRE_VERSION: Final = "1"

_decimal = re.compile(r"^[1-9][0-9]{0,18}\Z")
_hex_mac = re.compile(r"^[0-9a-f]{64}\Z")


class Stamp(Told, frozen=True):
    """What travels beside a signed payload, in user properties."""

    kid: int
    sender_life: str
    receiver_life: str
    number: int
    mac: bytes = b""
    sender: str = ""
    """The login that the topic belongs to. It is read from there and no property of its own."""

    def properties(self) -> tuple[tuple[str, str], ...]:
        return (
            ("v", WIRE_VERSION),
            ("kid", str(self.kid)),
            ("from", self.sender_life),
            ("to", self.receiver_life),
            ("n", str(self.number)),
            ("mac", self.mac.hex()),
        )


def mac_input(packet: Packet, stamp: Stamp) -> bytes:
    """The bytes that are signed."""
    covered = (
        WIRE_VERSION.encode(),
        str(stamp.kid).encode(),
        packet.topic.encode(),
        stamp.sender_life.encode(),
        stamp.receiver_life.encode(),
        str(stamp.number).encode(),
        (packet.response_topic or "").encode(),
        packet.correlation or b"",
        packet.payload,
    )
    return b"".join(len(part).to_bytes(4, "big") + part for part in covered)


def signed(packet: Packet, key: bytes, stamp: Stamp) -> Packet:
    """The packet with its stamp in the user properties."""
    mac = hmac.digest(key, mac_input(packet, stamp), hashlib.sha256)
    complete = Stamp(
        kid=stamp.kid,
        sender_life=stamp.sender_life,
        receiver_life=stamp.receiver_life,
        number=stamp.number,
        mac=mac,
    )
    return Packet(
        topic=packet.topic,
        payload=packet.payload,
        qos=packet.qos,
        retain=packet.retain,
        expiry_seconds=packet.expiry_seconds,
        response_topic=packet.response_topic,
        correlation=packet.correlation,
        properties=complete.properties(),
    )


def stamp_of(packet: Packet) -> Stamp:
    """What the packet claims about itself, well-formed but not yet believed."""
    claimed = dict(packet.properties)
    if len(claimed) != len(packet.properties):
        raise MalformedMessage("a user property stands twice")
    if claimed.get("v") != WIRE_VERSION:
        raise MalformedMessage(f"wire version {claimed.get('v', 'none')!r:.20}; this is {WIRE_VERSION}")
    kid, number, mac = claimed.get("kid", ""), claimed.get("n", ""), claimed.get("mac", "")
    sender_life, receiver_life = claimed.get("from", ""), claimed.get("to", "")
    if not _decimal.match(kid) or not _decimal.match(number) or int(number) > NUMBER_MAX or int(kid) > NUMBER_MAX:
        raise MalformedMessage("kid and n are decimal numbers from 1, without leading zeros")
    if not is_ulid(sender_life) or not is_ulid(receiver_life):
        raise MalformedMessage("from and to are lives: ULIDs of 26 letters")
    if not _hex_mac.match(mac):
        raise MalformedMessage("mac is 64 hexadecimal digits, in lower case")
    place = parse(packet.topic)
    return Stamp(
        kid=int(kid),
        sender_life=sender_life,
        receiver_life=receiver_life,
        number=int(number),
        mac=bytes.fromhex(mac),
        sender=place.sender.login if place else "",
    )


def checked_mac(packet: Packet, stamp: Stamp, key: bytes) -> None:
    """Nothing, or `Forged`. In constant time."""
    if not hmac.compare_digest(hmac.digest(key, mac_input(packet, stamp), hashlib.sha256), stamp.mac):
        raise Forged("its MAC does not fit")


class Window:
    """Which numbers of one pair of lives were seen: the highest, and one bit for each of the 1,024 up to it."""

    __slots__ = ("_seen", "highest")

    def __init__(self) -> None:
        self.highest = 0
        self._seen = 0

    def take(self, number: int) -> None:
        """Marks the number as seen, or raises `Repeated`."""
        ahead = number - self.highest
        if ahead > 0:
            # A jump further than the window leaves nothing of it; shifting by the jump itself could take all memory.
            kept = 0 if ahead >= NUMBERS_WINDOW else (self._seen << ahead) & ((1 << NUMBERS_WINDOW) - 1)
            self._seen = kept | 1
            self.highest = number
            return
        # The order matters here too: a bit for a number far below the highest could take all memory.
        if -ahead >= NUMBERS_WINDOW or self._seen & (1 << -ahead):
            raise Repeated(f"number {number} was seen before, or lies {NUMBERS_WINDOW} below the highest")
        self._seen |= 1 << -ahead


class Lives:
    """What one receiver knows of the lives of its peers: a window for each that lives, and the names of the retired.

    A life belongs to who speaks it: lives are public, so that another principal, whose own MAC fits its own topics, may
    put any life beside it. It can neither use up the numbers of that life nor end it.
    A retired life costs its 26 letters until the receiver's own life ends, so that nothing of it is ever taken again.
    """

    def __init__(self, own: str) -> None:
        self.own = own
        self._windows: dict[tuple[str, str], Window] = {}
        self._retired: set[tuple[str, str]] = set()
        self._retired_of_anyone: set[str] = set()

    def admit(self, stamp: Stamp) -> None:
        """Takes the number of a message whose MAC fits, or says why the message must not be acted on."""
        if stamp.receiver_life != self.own:
            raise OtherLife(f"it was meant for life {stamp.receiver_life}")
        if self.is_retired(stamp.sender_life, stamp.sender):
            raise RetiredLife(f"life {stamp.sender_life} has ended")
        whose = (stamp.sender, stamp.sender_life)
        window = self._windows.get(whose)
        if window is None:
            window = self._windows[whose] = Window()
        window.take(stamp.number)

    def retire(self, life: str, sender: str | None = None) -> None:
        """Nothing of this life is taken any more. To retire a life twice changes nothing.

        Whoever acts on a message (`bye`) says whose: `lives.retire(stamp.sender_life, stamp.sender)`. Without a sender
        it is retired for everyone, which only a receiver that hears one peer alone, or knows whose it is, may do.
        """
        if sender is None:
            self._retired_of_anyone.add(life)
            self._windows = {whose: window for whose, window in self._windows.items() if whose[1] != life}
        else:
            self._retired.add((sender, life))
            self._windows.pop((sender, life), None)

    def forget(self, life: str, sender: str) -> None:
        """Drops the window of a life whose keys are gone too: without them nothing of it can be genuine again."""
        self._windows.pop((sender, life), None)

    def is_retired(self, life: str, sender: str | None = None) -> bool:
        return life in self._retired_of_anyone or (sender is not None and (sender, life) in self._retired)

    def known(self) -> frozenset[str]:
        """The lives that were heard and have not ended."""
        return frozenset(life for _, life in self._windows)


class Numbers:
    """The numbers that one life gives to its messages, from 1, for each life it speaks to."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def next(self, receiver_life: str) -> int:
        number = self._last.get(receiver_life, 0) + 1
        self._last[receiver_life] = number
        return number

    def forget(self, receiver_life: str) -> None:
        """For a life that has ended for good: it will never be spoken to again."""
        self._last.pop(receiver_life, None)
