"""What lives in a mesh in a bottle: it starts, dies, freezes, connects, and loses its connection."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ffmesh_protocol import times
from ffmesh_protocol.packet import Packet
from simulation.network import Line

if TYPE_CHECKING:
    from simulation.world import World

KEEPALIVE_ENDS = times.KEEPALIVE * 1.5
"""The broker gives up on a connection that was silent for so long."""


class Part:
    """A process. Its clock runs as fast as all others, and may be years off."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.alive = False
        self.frozen = False
        self.parted = False
        self.life = ""
        self.line: Line | None = None
        self.connection = 0
        self.offset = 0.0
        self._wake: float | None = None
        self._backlog: list[Callable[[], None]] = []
        self._handled_at = 0.0

    # What each kind of part fills in.
    def begin(self) -> None: ...
    def subscriptions(self) -> list[str]: ...  # type: ignore[empty-body]
    def will(self) -> Packet: ...  # type: ignore[empty-body]
    def connected(self) -> None: ...
    def disconnected(self) -> None: ...
    def hear(self, packet: Packet) -> None: ...
    def woken(self) -> None: ...

    @property
    def now(self) -> float:
        """By its own clock."""
        return self.world.now + self.offset

    def was_deaf(self) -> bool:
        """Asked before each event: whether nothing was done for so long that it must have been frozen."""
        deaf = self.now - self._handled_at > times.DEAF
        self._handled_at = self.now
        return deaf

    # --- life and death -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        if self.alive:
            return
        self.alive = True
        self.frozen = False
        self.life = self.world.ulid()
        self.connection = 0
        self._wake = None
        self._backlog = []
        self._handled_at = self.now
        self.begin()
        self.reconnect()

    def kill(self) -> None:
        if not self.alive:
            return
        self.alive = self.frozen = False
        self._backlog = []
        if self.line is not None:
            self.world.broker.cut(self.line, will=True)
            self.line = None

    def freeze(self, seconds: float) -> None:
        """SIGSTOP, or the machine sleeps. The broker notices after a while; what was under way then is lost."""
        if not self.alive or self.frozen:
            return
        self.frozen = True
        life, line = self.life, self.line

        def give_up() -> None:
            if self.frozen and self.life == life and line is not None and line is self.line:
                self.world.broker.cut(line, will=True)

        self.world.after(KEEPALIVE_ENDS, f"the broker gives up on {self.name}", give_up)
        self.world.after(seconds, f"{self.name} goes on", lambda: self.thaw() if self.life == life else None)

    def thaw(self) -> None:
        if not self.frozen:
            return
        self.frozen = False
        backlog, self._backlog = self._backlog, []
        for action in backlog:
            self.do(action)
        if self.line is not None and not self.line.alive:
            self.line = None
            self.disconnected()
            self.retry()

    def do(self, action: Callable[[], None]) -> None:
        """Now, or when it goes on."""
        if self.frozen:
            self._backlog.append(action)
        elif self.alive:
            action()

    def later(self, seconds: float, what: str, action: Callable[[], None]) -> None:
        """Something that this life does, unless it has ended by then."""
        life = self.life
        self.world.after(seconds, f"{self.name}: {what}", lambda: self.do(action) if self.life == life else None)

    def part_from_broker(self, seconds: float) -> None:
        """The network is there for all others."""
        self.parted = True
        self.do(self.cut_off)
        self.world.after(seconds, f"{self.name} can reach the broker again", self.rejoin_broker)

    def rejoin_broker(self) -> None:
        self.parted = False

    # --- the broker ---------------------------------------------------------------------------------------------------

    def reconnect(self) -> None:
        if not self.alive or (self.line is not None and self.line.alive):
            return
        self.connection += 1
        life = self.life
        line = Line(
            owner=self.name,
            subscriptions=self.subscriptions(),
            will=self.will(),
            deliver=lambda packet: self.do(lambda: self.hear(packet)) if self.life == life else None,
            lost=lambda: self.do(self.cut_off) if self.life == life else None,
        )
        if not self.parted and self.world.broker.connect(line):
            self.line = line
            self.connected()
        else:
            self.retry()

    def cut_off(self) -> None:
        if self.alive and not self.frozen and self.line is not None:
            self.world.broker.cut(self.line, will=True)
            self.line = None
            self.disconnected()
            self.retry()

    def retry(self) -> None:
        self.later(self.world.dice.uniform(0.0, 1.5), "reconnects", self.reconnect)

    def send(self, packets: list[Packet]) -> None:
        for packet in packets:
            if self.line is not None:
                self.world.broker.publish(self.line, packet)

    def wake_at(self, at: float | None) -> None:
        self._wake = at
        if at is None:
            return

        def wake() -> None:
            if self._wake == at:
                self._wake = None
                self.woken()

        self.later(max(0.0, at - self.now), "wakes", wake)
