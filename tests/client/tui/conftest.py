"""The dashboard on a terminal that is played."""

import time
from collections.abc import Generator

import pytest


@pytest.fixture(autouse=True)
def one_zone(monkeypatch: pytest.MonkeyPatch) -> Generator[None, None, None]:
    """What is shown as local time is the same everywhere; and nothing of this terminal's own counts."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for name in ("NO_COLOR", "TEXTUAL", "COLORTERM", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
    yield
    monkeypatch.undo()
    time.tzset()
