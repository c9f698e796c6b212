"""Small pictures made of letters, each exactly as wide as is asked for. Numbers come from others: none is too large."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from ffmesh_client.tui.looks import Looks
from ffmesh_protocol.messages.jobs import Progress

NOTHING: Final = "–"
STEPS: Final = "▁▂▃▄▅▆▇█"
MOST: Final = 99_999.0
DAY: Final = 86_400.0


def fitted(text: Text, width: int, *, right: bool = False) -> Text:
    """Cut with an ellipsis, or filled with blanks."""
    fit = text.copy()
    fit.truncate(max(0, width), overflow="ellipsis")
    missing = width - fit.cell_len
    if missing > 0:
        (fit.pad_left if right else fit.pad_right)(missing)
    return fit


def side_by_side(left: Text, right: Text, width: int) -> Text:
    """The right one whole, as far as there is room; the left one gets the rest."""
    right_width = min(right.cell_len, width)
    return Text.assemble(fitted(left, width - right_width), fitted(right, right_width))


def number(value: float | None, unit: str = "", digits: int = 0) -> str:
    if value is None:
        return NOTHING
    value = max(-MOST, min(MOST, value))
    return f"{value:.{digits}f}{unit}"


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{max(0.0, min(100.0, value)):.0f} %"


def duration(seconds: float | None) -> str:
    """`2:03`, `1:02:03`, `5 d`."""
    if seconds is None:
        return NOTHING
    whole = int(max(0.0, min(seconds, MOST * DAY)))
    if whole >= DAY * 2:
        return f"{whole // int(DAY)} d"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def parsed(rfc3339: str | None) -> datetime | None:
    """As this machine's zone has it; None: there is none, or it cannot be read."""
    if rfc3339 is None:
        return None
    try:
        return datetime.fromisoformat(rfc3339).astimezone()
    except (ValueError, OverflowError):
        return None


def clock(rfc3339: str | None) -> str:
    """`14:03:12`."""
    moment = parsed(rfc3339)
    return moment.strftime("%H:%M:%S") if moment is not None else NOTHING


def day_and_clock(rfc3339: str | None) -> str:
    moment = parsed(rfc3339)
    return moment.strftime("%m-%d %H:%M") if moment is not None else NOTHING


def clock_of(utc: float) -> str:
    return datetime.fromtimestamp(utc).astimezone().strftime("%H:%M:%S")


def progress_bar(value: float | None, width: int, looks: Looks, colour: str | None = None) -> Text:
    """What is done as a strong line, what is not as a faint one. Unknown: all of it faint."""
    if width <= 0:
        return Text()
    share = 0.0 if value is None else max(0.0, min(1.0, value / 100))
    halves = round(share * width * 2)
    full, half = divmod(halves, 2)
    bar = Text("━" * full + "╸" * half, style=colour or looks.busy)
    bar.append("─" * (width - full - half), style=looks.faint)
    return bar


def sparkline(values: Sequence[float], width: int, looks: Looks, *, top: float = 100.0) -> Text:
    """The last of these values, the newest at the right. One colour: a machine that works is no trouble."""
    shown = values[-width:] if width > 0 else ()
    line = Text(" " * (max(0, width) - len(shown)))
    for value in shown:
        share = max(0.0, min(1.0, value / top)) if top > 0 else 0.0
        line.append(STEPS[min(len(STEPS) - 1, int(share * len(STEPS)))], style=looks.busy)
    return line


def slots(used: int, total: int, looks: Looks, *, most: int = 8) -> Text:
    """A cell for each slot; a number says it too, and alone where there are many."""
    cells = Text()
    if total <= most:
        cells.append("■" * min(used, total), style=looks.busy)
        cells.append("□" * max(0, total - used), style=looks.faint)
        cells.append(" ")
    cells.append(f"{used}/{total}", style=looks.text if used else looks.muted)
    return cells


def progress_words(told: Progress, looks: Looks) -> Text:
    """`42 %  30 fps  1.25x  1:01 left`, each in its place also where one is not known."""
    words = Text()
    words.append(percent(told.percent).rjust(5), style=looks.text)
    words.append(number(told.fps, " fps").rjust(9), style=looks.muted)
    words.append(number(told.speed, "x", 2).rjust(8), style=looks.muted)
    words.append(duration(told.eta_s).rjust(8), style=looks.text)
    return words
