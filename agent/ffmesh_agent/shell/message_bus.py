"""D-Bus, as far as this agent speaks it: calls with an answer, signals, descriptors. It blocks, and belongs in threads.

The only file that knows jeepney, which is loaded when somebody is to be asked, and has no types: what comes in is
checked by whoever asked for it.
"""

import contextlib
import importlib
import os
import socket
from dataclasses import dataclass
from typing import Any, Final, Literal

CALL_SECONDS: Final = 3.0

Which = Literal["SYSTEM", "SESSION"]


class NoBus(Exception):
    """Why there is nobody to be asked: the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Whom:
    """An object of a service, and which of its interfaces is meant."""

    service: str
    path: str
    interface: str


class Bus:
    """Made by `opened`."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401  # of a library without types
        self._connection = connection
        self._jeepney = importlib.import_module("jeepney")

    @classmethod
    def opened(cls, which: Which, *, descriptors: bool = False) -> "Bus":
        try:
            blocking = importlib.import_module("jeepney.io.blocking")
        except ImportError:
            raise NoBus("jeepney is not installed") from None
        try:
            return cls(blocking.open_dbus_connection(bus=which, enable_fds=descriptors))
        except KeyError:
            raise NoBus("this agent belongs to no session") from None
        except (OSError, RuntimeError, ValueError) as error:
            raise NoBus(f"no message bus answers ({_shown(error)})") from None

    def call(self, whom: Whom, method: str, signature: str = "", *body: object) -> tuple[Any, ...]:
        """What it answers; `NoBus` with its words if that is an error."""
        address = self._jeepney.DBusAddress(whom.path, bus_name=whom.service, interface=whom.interface)
        message = self._jeepney.new_method_call(address, method, signature or None, body)
        try:
            answer = self._connection.send_and_get_reply(message, timeout=CALL_SECONDS)
        except (OSError, RuntimeError) as error:
            raise NoBus(f"{whom.service} does not answer ({_shown(error)})") from None
        if answer.header.message_type is self._jeepney.MessageType.error:
            words = answer.body[0] if answer.body and isinstance(answer.body[0], str) else "it refuses"
            raise NoBus(f"{whom.service}: {words}")
        return tuple(answer.body)

    def descriptor(self, whom: Whom, method: str, signature: str, *body: object) -> int:
        """One that comes with the answer, for the caller to close."""
        [found] = self.call(whom, method, signature, *body)
        descriptor = int(found.to_raw_fd())
        os.set_inheritable(descriptor, False)
        return descriptor

    def properties(self, whom: Whom) -> dict[str, object]:
        of_it = Whom(whom.service, whom.path, "org.freedesktop.DBus.Properties")
        [found] = self.call(of_it, "GetAll", "s", whom.interface)
        return {name: value for name, (_, value) in found.items()}

    def listen(self, whom: Whom, signal: str) -> None:
        """From now on `heard` gives its signals, and nothing else."""
        rule = self._jeepney.MatchRule(
            type="signal", sender=whom.service, interface=whom.interface, path=whom.path, member=signal
        )
        bus = Whom("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
        self.call(bus, "AddMatch", "s", rule.serialise())
        self._wanted = (whom.interface, signal)

    def heard(self) -> tuple[Any, ...]:
        """Waits for the next signal that is listened to, for ever; or until `end`, or the end of the bus, after which
        this is closed."""
        fields = self._jeepney.HeaderFields
        while True:
            try:
                message = self._connection.receive()
            except (OSError, RuntimeError, ValueError) as error:
                self.close()
                raise NoBus(f"the message bus has gone ({_shown(error)})") from None
            said = message.header.fields
            if (said.get(fields.interface), said.get(fields.member)) == self._wanted:
                return tuple(message.body)

    def end(self) -> None:
        """For another thread than the one that waits in `heard`."""
        with contextlib.suppress(OSError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()


def _shown(error: Exception) -> str:
    return (
        os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error) or type(error).__name__
    )
