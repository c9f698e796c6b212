"""Where the bytes of a program's stream go: somewhere that says how many it takes now."""

from collections.abc import Callable
from typing import Protocol

from ffmesh_agent.shell.pipes import BLOCK_BYTES


class Outlet(Protocol):
    async def room(self) -> int:
        """How many bytes it takes now. Waits until it is at least one."""
        ...

    def write(self, content: bytes) -> None:
        """After the program's end also without room: what is left then is what a pipe holds, and no more comes."""

    def end(self) -> None: ...

    def when_broken(self, broken: Callable[[], None]) -> None:
        """To be called when nobody takes more, as soon as that is so."""
        ...


class Nowhere:
    """For streams that nobody reads. They are read all the same: a full pipe would freeze the program."""

    async def room(self) -> int:
        return BLOCK_BYTES

    def write(self, content: bytes) -> None:
        del content

    def end(self) -> None: ...

    def when_broken(self, broken: Callable[[], None]) -> None:
        del broken
