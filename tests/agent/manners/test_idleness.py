"""When somebody last touched this machine, from what those say who may know."""

import pytest

from ffmesh_agent.manners.idleness import MUTE, NOBODY, Session, Witnesses, last_input
from ffmesh_agent.manners.readings import Seen, Unseen

NOW = 10_000.0


def session(kind: str = "wayland", *, since: float = 0.0, idle: bool = False, owner: str = "user") -> Session:
    return Session(kind=kind, owner=owner, is_idle=idle, since=since)


@pytest.mark.parametrize(
    ("witnesses", "seconds"),
    [
        (Witnesses(terminals=(50, 20, 30)), 20),
        (Witnesses(terminals=(50,), display=7), 7),
        (Witnesses(terminals=(50,), sessions=()), 50),
        (Witnesses(terminals=(900,), sessions=(session(since=9_400, idle=True),)), 600),
        (Witnesses(terminals=(900,), sessions=(session(since=9_400),)), 0),
        (Witnesses(sessions=(session(since=9_400), session(since=9_000, idle=True)), display=30), 30),
        (Witnesses(terminals=(900,), sessions=(session("tty"), session("x11", owner="greeter"))), 900),
        (Witnesses(sessions=(session("x11"),), display=12, has_display=True), 12),
        (Witnesses(terminals=(9,), sessions=(), has_display=True), 9),
    ],
)
def test_the_least_idle_witness_counts(witnesses: Witnesses, seconds: float) -> None:
    assert last_input(witnesses, NOW) == Seen(value=seconds)


@pytest.mark.parametrize(
    ("witnesses", "why"),
    [
        (Witnesses(), NOBODY),
        (Witnesses(terminals=(900,), sessions=(session("wayland"),)), MUTE),
        (Witnesses(terminals=(900,), has_display=True), MUTE),
    ],
)
def test_who_may_be_at_a_display_that_says_nothing_is_not_known(witnesses: Witnesses, why: str) -> None:
    assert last_input(witnesses, NOW) == Unseen(why=why)
