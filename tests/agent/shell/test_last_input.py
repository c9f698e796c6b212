"""Terminals and logind say when somebody was here last."""

import os
import pty
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ffmesh_agent.manners.idleness import MUTE, Session
from ffmesh_agent.manners.readings import Seen, Unseen
from ffmesh_agent.shell import last_input as module
from ffmesh_agent.shell.capture import Asker
from ffmesh_agent.shell.last_input import LastInput, sessions, terminals
from ffmesh_agent.shell.message_bus import Bus, NoBus
from ffmesh_warden.handle import Warden
from support.logind import Logind, system_bus

ENVIRONMENT = {"PATH": os.defpath}


def _graphical(*, idle: bool, since: float) -> dict[str, tuple[str, object]]:
    return {
        "Type": ("s", "wayland"),
        "Class": ("s", "user"),
        "IdleHint": ("b", idle),
        "IdleSinceHintMonotonic": ("t", int(since * 1_000_000)),
    }


def test_a_terminal_knows_when_it_was_typed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    try:
        monkeypatch.setattr(module, "_TERMINALS", (os.ttyname(theirs),))
        os.utime(os.ttyname(theirs), (time.time() - 3600, time.time()))
        [seconds] = terminals()
        assert 3590 < seconds < 3700
    finally:
        os.close(ours)
        os.close(theirs)


async def test_logind_is_asked_about_each_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warden: Warden
) -> None:
    monkeypatch.setattr(module, "_TERMINALS", ())
    now = time.monotonic()
    with ExitStack() as opened, system_bus(tmp_path) as bus, Logind.on(bus) as logind:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        last = opened.enter_context(closing(LastInput(Asker(warden, ENVIRONMENT, tmp_path), {})))
        logind.sessions = [_graphical(idle=True, since=now - 900), _graphical(idle=True, since=now - 600)]
        reading = await last.reading()
        assert isinstance(reading, Seen)
        assert 600 <= reading.value < 700
        logind.sessions = [_graphical(idle=True, since=now - 900), _graphical(idle=False, since=now - 600)]
        assert await last.reading() == Seen(value=0)
        logind.sessions = [_graphical(idle=False, since=0)]
        assert await last.reading() == Unseen(why=MUTE)


async def test_a_display_that_can_be_asked_knows_better_than_its_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warden: Warden
) -> None:
    monkeypatch.setattr(module, "_TERMINALS", ())
    xprintidle = tmp_path / "xprintidle"
    xprintidle.write_text('#!/bin/sh\ntest "$DISPLAY" = :7 && echo 42500\n')
    xprintidle.chmod(0o755)
    asker = Asker(warden, {"PATH": f"{tmp_path}:{os.defpath}"}, tmp_path)
    with ExitStack() as opened, system_bus(tmp_path) as bus, Logind.on(bus) as logind:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        logind.sessions = [_graphical(idle=False, since=1)]
        last = opened.enter_context(closing(LastInput(asker, {"DISPLAY": ":7"})))
        assert await last.reading() == Seen(value=42.5)


def test_a_logind_that_has_gone_or_hangs_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with system_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        monkeypatch.setattr("ffmesh_agent.shell.message_bus.CALL_SECONDS", 0.05)
        bus = Bus.opened("SYSTEM")
        with pytest.raises(NoBus, match=r"org\.freedesktop\.login1: "):
            sessions(bus)
        with Logind.on(address) as logind:
            logind.hangs = True
            with pytest.raises(NoBus, match="does not answer"):
                sessions(bus)
        bus.close()
    with pytest.raises(NoBus, match="no message bus answers"):
        Bus.opened("SYSTEM")


def test_a_session_is_read_as_logind_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with system_bus(tmp_path) as address, Logind.on(address) as logind:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        logged_out = {**_graphical(idle=False, since=7), "State": ("s", "closing")}
        logind.sessions = [{"Type": ("s", "tty"), "Class": ("s", "user")}, logged_out, _graphical(idle=True, since=5)]
        bus = Bus.opened("SYSTEM")
        assert sessions(bus) == (
            Session(kind="tty", owner="user", is_idle=False, since=0),
            Session(kind="wayland", owner="user", is_idle=True, since=5),
        )
        bus.close()
