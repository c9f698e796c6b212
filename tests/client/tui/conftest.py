"""The dashboard on a terminal that is played."""

from collections.abc import Callable

import pytest

from ffmesh_client.tui.app import Top

Screen = Callable[[Top], str]


@pytest.fixture(autouse=True)
def one_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown as local time is the same everywhere; and nothing of this terminal's own counts."""
    monkeypatch.setenv("TZ", "UTC")
    for name in ("NO_COLOR", "TEXTUAL", "COLORTERM", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
