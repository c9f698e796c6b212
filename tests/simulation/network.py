"""A broker and the ways to it, as values in virtual time: it loses, repeats and delays, and may forget it all.

Directed messages may be dropped and repeated at will; public ones are lost only with a connection, as on a real broker.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from ffmesh_protocol.packet import Packet
from ffmesh_protocol.topics import Family, parse


class Clock(Protocol):
    def after(self, seconds: float, what: str, action: Callable[[], None]) -> None: ...


@dataclass
class Weather:
    """How bad the network is."""

    drop: float = 0.0
    repeat: float = 0.0
    delay: float = 0.02


@dataclass
class Line:
    """One connection of one part. `alive` ends with either end; what is under way on it then is lost."""

    owner: str
    subscriptions: list[str]
    will: Packet
    deliver: Callable[[Packet], None]
    lost: Callable[[], None]
    alive: bool = True
    ready_at: float = 0.0
    inbound_at: float = 0.0


@dataclass
class Broker:
    clock: "WorldClock"
    dice: Random
    weather: Weather
    up: bool = True
    retained: dict[str, Packet] = field(default_factory=dict[str, Packet])
    lines: list[Line] = field(default_factory=list[Line])

    def connect(self, line: Line) -> bool:
        if not self.up:
            return False
        self.lines.append(line)
        for topic in sorted(self.retained):
            if any(matches(each, topic) for each in line.subscriptions):
                self._deliver(line, _as_retained(self.retained[topic]))
        return True

    def publish(self, line: Line, packet: Packet) -> None:
        """From a part to the broker: in order on one line, unless it is dropped."""
        if not line.alive or not self.up or self._dropped(packet):
            return
        line.ready_at = max(line.ready_at, self.clock.now + self.dice.uniform(0, self.weather.delay))
        at = line.ready_at

        def arrive() -> None:
            if line.alive and self.up:
                self._route(packet)

        self.clock.after(at - self.clock.now, f"broker takes {packet.topic}", arrive)

    def cut(self, line: Line, *, will: bool) -> None:
        """The connection ends; unless the part said goodbye, the will follows a little later."""
        if not line.alive:
            return
        line.alive = False
        if line in self.lines:
            self.lines.remove(line)
        if will and self.up:
            packet = line.will
            late = self.dice.uniform(0, 2.0)
            self.clock.after(late, f"will of {line.owner}", lambda: self._route(packet) if self.up else None)

    def kill(self) -> None:
        """SIGKILL: nothing was kept, and everyone is cut off without a word."""
        self.up = False
        self.retained.clear()
        lines, self.lines = self.lines, []
        for line in lines:
            line.alive = False
            line.lost()

    def start(self) -> None:
        self.up = True

    def _route(self, packet: Packet) -> None:
        if packet.retain:
            if packet.payload:
                self.retained[packet.topic] = packet
            else:
                self.retained.pop(packet.topic, None)
        for line in list(self.lines):
            if any(matches(each, packet.topic) for each in line.subscriptions):
                self._deliver(line, _as_live(packet))
                if _is_directed(packet) and self.dice.random() < self.weather.repeat:
                    self._deliver(line, _as_live(packet), late=self.dice.uniform(0, 3.0))

    def _deliver(self, line: Line, packet: Packet, late: float = 0.0) -> None:
        if self._dropped(packet):
            return
        if late:
            at = self.clock.now + late  # a repeat overtakes nothing and keeps no order
        else:
            line.inbound_at = max(line.inbound_at, self.clock.now + self.dice.uniform(0, self.weather.delay))
            at = line.inbound_at
        self.clock.after(
            at - self.clock.now,
            f"{line.owner} hears {packet.topic}",
            lambda: line.deliver(packet) if line.alive else None,
        )

    def _dropped(self, packet: Packet) -> bool:
        return _is_directed(packet) and self.dice.random() < self.weather.drop


class WorldClock(Clock, Protocol):
    now: float


def matches(pattern: str, topic: str) -> bool:
    wanted, said = pattern.split("/"), topic.split("/")
    return len(wanted) == len(said) and all(w in ("+", s) for w, s in zip(wanted, said, strict=True))


def _is_directed(packet: Packet) -> bool:
    place = parse(packet.topic)
    return place is not None and place.family is Family.DIRECTED


def _as_live(packet: Packet) -> Packet:
    """The retain flag is only seen on what was retained before the subscription."""
    return _copy(packet, retain=False)


def _as_retained(packet: Packet) -> Packet:
    return _copy(packet, retain=True)


def _copy(packet: Packet, *, retain: bool) -> Packet:
    return Packet(
        topic=packet.topic,
        payload=packet.payload,
        qos=packet.qos,
        retain=retain,
        response_topic=packet.response_topic,
        correlation=packet.correlation,
        properties=packet.properties,
    )
