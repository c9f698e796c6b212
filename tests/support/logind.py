"""A message bus of our own, and on it a logind that a test plays: sessions, inhibitors, and the moment before sleep.

    with system_bus(tmp_path) as bus, Logind.on(bus) as logind:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)

The real dbus-daemon, and jeepney on both sides.
"""

import importlib
import os
import shutil
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

jeepney: Any = importlib.import_module("jeepney")  # without types
open_dbus_connection: Any = importlib.import_module("jeepney.io.blocking").open_dbus_connection

PATH: Final = "/org/freedesktop/login1"
NAME: Final = "org.freedesktop.login1"
MANAGER: Final = f"{NAME}.Manager"

_CONFIGURATION: Final = """<busconfig>
<type>session</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"""


@contextmanager
def system_bus(folder: Path) -> Generator[str, None, None]:
    """Its address."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("there is no dbus-daemon (Debian: apt install dbus-daemon)")
    socket = folder / "bus"
    configuration = folder / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(socket=socket))
    daemon = subprocess.Popen(
        ["dbus-daemon", "--nofork", "--nopidfile", "--print-address", f"--config-file={configuration}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert daemon.stdout is not None
        assert daemon.stdout.readline(), "dbus-daemon did not start"  # said when it listens
        yield f"unix:path={socket}"
    finally:
        daemon.kill()
        daemon.communicate()


@dataclass(frozen=True, slots=True)
class Inhibitor:
    """Held as long as nobody has closed the other end."""

    what: str
    mode: str
    reads: int

    def wait_until_released(self) -> None:
        assert os.read(self.reads, 1) == b""


@dataclass(slots=True)
class Logind:
    """Made by `on`. `sessions`: the properties of each."""

    connection: Any
    sessions: list[dict[str, tuple[str, object]]] = field(default_factory=list[dict[str, tuple[str, object]]])
    refuses_block: bool = False
    refused: threading.Semaphore = field(default_factory=partial(threading.Semaphore, 0))
    """Once for each lock."""
    hangs: bool = False
    inhibitors: list[Inhibitor] = field(default_factory=list[Inhibitor])
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @classmethod
    @contextmanager
    def on(cls, address: str) -> "Generator[Logind, None, None]":
        connection = open_dbus_connection(address, enable_fds=True)
        logind = cls(connection)
        name = jeepney.new_method_call(jeepney.message_bus, "RequestName", "su", (NAME, 0))
        connection.send_and_get_reply(name)
        thread = threading.Thread(target=logind._serve, daemon=True)
        thread.start()
        try:
            yield logind
        finally:
            stop = jeepney.DBusAddress(PATH, bus_name=NAME, interface="test.Stop")
            with suppress(OSError), open_dbus_connection(address) as other:
                other.send(jeepney.new_method_call(stop, "Stop"))
                thread.join(20)
            connection.close()
            for each in logind.inhibitors:
                os.close(each.reads)

    def inhibitor(self, mode: str, number: int = 1) -> Inhibitor:
        """The one of this mode with this number, counted from 1, when it has been taken."""

        def taken() -> list[Inhibitor]:
            return [each for each in self.inhibitors if each.mode == mode]

        with self._changed:
            assert self._changed.wait_for(lambda: len(taken()) >= number, 20), f"no {mode} inhibitor: {self.inhibitors}"
            return taken()[number - 1]

    def prepare_for_sleep(self, *, begins: bool) -> None:
        manager = jeepney.DBusAddress(PATH, interface=MANAGER)
        self.connection.send(jeepney.new_signal(manager, "PrepareForSleep", "b", (begins,)))

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                message = self.connection.receive()
                member = message.header.fields.get(jeepney.HeaderFields.member)
                if member == "Stop":
                    return
                if message.header.message_type is jeepney.MessageType.method_call and not self.hangs:
                    self._answer(message, member)

    def _answer(self, message: Any, member: str) -> None:
        path = message.header.fields[jeepney.HeaderFields.path]
        if member == "ListSessions":
            listed = [(str(at), 1000, "ada", "seat0", f"{PATH}/session/{at}") for at in range(len(self.sessions))]
            self.connection.send(jeepney.new_method_return(message, "a(susso)", (listed,)))
        elif member == "GetAll":
            found = self.sessions[int(path.rpartition("/")[2])]
            self.connection.send(jeepney.new_method_return(message, "a{sv}", (found,)))
        elif member == "Inhibit":
            self._inhibit(message)

    def _inhibit(self, message: Any) -> None:
        what, _, _, mode = message.body
        if mode == "block" and self.refuses_block:
            name = "org.freedesktop.DBus.Error.AccessDenied"
            self.connection.send(jeepney.new_error(message, name, "s", ("Permission denied",)))
            self.refused.release()
            return
        reads, writes = os.pipe()
        self.connection.send(jeepney.new_method_return(message, "h", (writes,)))
        os.close(writes)
        with self._changed:
            self.inhibitors.append(Inhibitor(what, mode, reads))
            self._changed.notify_all()
