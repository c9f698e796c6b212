"""Values as people read them. Nothing here lets a control character through: names and labels come from others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ffmesh_protocol.media import printable
from ffmesh_protocol.messages.jobs import JobView, Progress

NOTHING: Final = "-"

STYLE_OF_STATE: Final[Mapping[str, str]] = {
    "running": "cyan",
    "paused": "yellow",
    "cancelling": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "online": "green",
    "draining": "yellow",
    "stopped": "yellow",
    "offline": "red",
}


def text(value: object) -> str:
    return NOTHING if value is None or value == "" else printable(str(value))


def joined(values: Mapping[str, object] | tuple[str, ...]) -> str:
    if isinstance(values, Mapping):
        words = [f"{key}={value}" if value else key for key, value in values.items()]
    else:
        words = list(values)
    return printable(", ".join(words)) or NOTHING


def number(value: float | None, unit: str = "", digits: int = 0) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}{unit}"


def duration(seconds: float | None) -> str:
    """`1:02:03`, `2:03`."""
    if seconds is None:
        return NOTHING
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(rfc3339: str | None, *, local: bool) -> str:
    """To the second: by this machine's zone for people, as it came for pipes."""
    if rfc3339 is None:
        return NOTHING
    if not local:
        return printable(rfc3339)
    try:
        return datetime.fromisoformat(rfc3339).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return printable(rfc3339)


def progress(told: Progress) -> str:
    parts = [
        number(told.percent, " %") if told.percent is not None else None,
        number(told.fps, " fps") if told.fps is not None else None,
        number(told.speed, "x", 2) if told.speed is not None else None,
        f"eta {duration(told.eta_s)}" if told.eta_s is not None else None,
    ]
    return " ".join(part for part in parts if part is not None) or NOTHING


def name_of(job: JobView) -> str:
    """What people call it: its title, else its program."""
    return text(job.title or job.program)
