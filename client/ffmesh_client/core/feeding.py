"""Our standard input, on its way to the program: read as far as the agent gives credit, kept until it has it.

Nothing is read before the program runs, and nothing once it has ended or takes no more: what lies there then is meant
for somebody else. What was read goes out at once, however little it is. After a new connection, and when the agent
stands still, sending begins again where the agent is known to be.
"""

from ffmesh_client.core.effects import Effect, Feed, ReadInput, StopInput
from ffmesh_protocol.limits import CHUNK_BYTES
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.streams import Chunk, OutgoingStream

STREAM = "stdin"


class Feeding:
    """Of one attempt. What it asks for is given back by each method."""

    def __init__(self, attempt: str) -> None:
        self._attempt = attempt
        self._outgoing = OutgoingStream()
        self._is_reading = False
        self._is_over = False
        self._patience = 1
        self._still_for = 0

    @property
    def has_begun(self) -> bool:
        """Something may have been read."""
        return self._is_reading or self._outgoing.written > 0 or self._outgoing.ended

    @property
    def kept_bytes(self) -> int:
        return self._outgoing.written - self._outgoing.acknowledged

    def credited(self, credit: StreamCredit) -> list[Effect]:
        """The agent says what it has, or that nobody takes more."""
        if self._is_over:
            return []
        if STREAM in credit.closed:
            return self.over()
        if STREAM not in credit.received or STREAM not in credit.allowed:
            return []
        before = self._outgoing.acknowledged
        self._outgoing.credit(credit.received[STREAM], credit.allowed[STREAM])
        if self._outgoing.acknowledged > before:
            self._patience, self._still_for = 1, 0
        return [*self._due(), *self._read_on()]

    def read(self, content: bytes) -> list[Effect]:
        """The answer to `ReadInput`."""
        self._is_reading = False
        if self._is_over or self._outgoing.ended:
            return []
        if content:
            self._outgoing.write(content)
        else:
            self._outgoing.end()
        return [*self._due(), *self._read_on()]

    def send_again(self) -> list[Effect]:
        """After a new connection."""
        if self._is_over:
            return []
        self._outgoing.send_again()
        return self._due()

    def beat(self) -> list[Effect]:
        """Regularly. An agent that stands still has lost something, or is only slow: each time it gets longer."""
        if self._is_over:
            return []
        # The end counts as delivered only when the agent has said so: without it a program would wait for ever.
        still = self._outgoing.stands_still() or self._outgoing.delivered
        self._still_for = self._still_for + 1 if still else 0
        if self._still_for < self._patience:
            return []
        self._still_for = 0
        self._patience *= 2
        return self.send_again()

    def over(self) -> list[Effect]:
        """Nobody takes more. What is kept may go."""
        if self._is_over:
            return []
        self._is_over = True
        self._outgoing = OutgoingStream()
        return [StopInput()]

    def _due(self) -> list[Effect]:
        return [
            Feed(chunk=Chunk(attempt=self._attempt, offset=offset, content=content))
            for offset, content in self._outgoing.due()
        ]

    def _read_on(self) -> list[Effect]:
        room = min(self._outgoing.allowed - self._outgoing.written, self._outgoing.wants, CHUNK_BYTES)
        if self._is_reading or room <= 0:
            return []
        self._is_reading = True
        return [ReadInput(at_most=room)]
