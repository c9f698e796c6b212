"""What stands on the screen of a dashboard: as text, and as text with its styles."""

from collections.abc import Iterator
from typing import Any

from rich.segment import Segment
from textual.app import App
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from ffmesh_client.tui.pages.page import Page


def text_of(top: App[Any]) -> str:
    """Lines without the blanks at their ends."""
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in _lines(top))


def picture_of(top: App[Any]) -> str:
    """The text, and below it each line's runs of one style, by the cell at which they begin."""
    styles = [f"{number}: {runs}" for number, line in enumerate(_lines(top)) if (runs := _runs(line))]
    return "\n".join((text_of(top), "-- styles", *styles, ""))


def strips_of(top: App[Any]) -> list[Strip]:
    """What Textual would send to the terminal. It has no other door to that than one of its own."""
    return top.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage] - see above


def _lines(top: App[Any]) -> Iterator[list[Segment]]:
    for strip in strips_of(top):
        yield [segment for segment in strip if not segment.control]


def _runs(line: list[Segment]) -> str:
    runs: list[str] = []
    at, last = 0, ""
    for segment in line:
        style = str(segment.style.without_color + segment.style.background_style) if segment.style else ""
        colour = segment.style.color.name if segment.style and segment.style.color else ""
        said = f"{colour} {style}".strip()
        if said != last and (segment.text.strip() or segment.style):
            runs.append(f"{at} {said}")
            last = said
        at += segment.cell_length
    return " | ".join(runs)


async def seen(pilot: Pilot[Any], *words: str) -> str:
    """The screen once all of these stand there. Painting is a message behind those of the keys."""
    for _ in range(50):
        await pilot.pause()
        text = text_of(pilot.app)
        if all(each in text for each in words):
            return text
    missing = [each for each in words if each not in text_of(pilot.app)]
    raise AssertionError(f"{missing} are not to be seen:\n{text_of(pilot.app)}")


async def settled(pilot: Pilot[Any]) -> str:
    """The picture once nothing more comes of what was done."""
    last = ""
    for _ in range(50):
        await pilot.pause()
        picture = picture_of(pilot.app)
        if picture == last:
            return picture
        last = picture
    raise AssertionError(f"it never comes to rest:\n{last}")


async def gone(pilot: Pilot[Any], words: str) -> str:
    for _ in range(50):
        await pilot.pause()
        text = text_of(pilot.app)
        if words not in text:
            return text
    raise AssertionError(f"“{words}” is still to be seen:\n{text_of(pilot.app)}")


def page_of(top: App[Any]) -> Page:
    page = top.screen
    assert isinstance(page, Page)
    return page


async def search(pilot: Pilot[Any], words: str) -> None:
    """As if they were typed, but all at once: each key takes a while to be played."""
    await pilot.press("slash")
    pilot.app.screen.query_one("#search", Input).value = words
