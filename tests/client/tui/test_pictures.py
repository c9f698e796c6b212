"""Every page as it was when somebody last looked at it and found it good: letters, and the style of each.

    FFMESH_PICTURES=new pytest tests/client/tui/test_pictures.py     # keeps what it looks like now

Four fleets, three sizes, both themes; not each with each, for that would take minutes and show nothing more.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import textual

from client.tui.played import played_desk
from client.tui.seeing import seen, settled
from ffmesh_client.tui.app import Top
from ffmesh_client.tui.looks import DARK, LIGHT

KEPT: Final = Path(__file__).parent / "pictures"
NEW: Final = os.environ.get("FFMESH_PICTURES") == "new"
SMALL, MIDDLE, LARGE = (80, 24), (120, 36), (250, 70)

pytestmark = pytest.mark.skipif(
    not textual.__version__.startswith("8.2."), reason="another Textual may draw a scroll bar otherwise"
)


class View(NamedTuple):
    """`keys` lead there from the page of the fleet; `words` are then to be seen. A letter of the keys is one key."""

    page: str
    keys: tuple[str, ...]
    words: str
    size: tuple[int, int]
    theme: str


FLEETS: Final[dict[int, tuple[View, ...]]] = {
    0: (
        View("fleet", (), "No agent is known", SMALL, "dark"),
        View("jobs", ("2",), "There are no jobs yet", MIDDLE, "light"),
        View("workflows", ("3",), "No job comes after another", SMALL, "dark"),
        View("events", ("4",), "Nothing has happened", SMALL, "light"),
    ),
    1: (
        View("fleet", (), "● attic", MIDDLE, "light"),
        View("agent", ("enter",), "its last jobs", MIDDLE, "dark"),
        View("job", ("j", "enter"), "time=00:00:39.00", LARGE, "light"),
        View("jobs", ("2",), "newest first", LARGE, "dark"),
    ),
    12: (
        View("fleet", (), "● attic", SMALL, "light"),
        View("fleet", (), "● attic", MIDDLE, "dark"),
        View("jobs", ("2", "o", "o"), "by state", SMALL, "dark"),
        View("job", ("j", "enter"), "time=00:00:39.00", SMALL, "dark"),
        View("agent", ("enter",), "its last jobs", SMALL, "light"),
        View("workflows", ("3",), "cut film 0", SMALL, "light"),
        View("events", ("4",), "events since", MIDDLE, "dark"),
        View("keys", ("question_mark",), "Pages", MIDDLE, "light"),
    ),
    200: (
        View("fleet", (), "● attic", LARGE, "dark"),
        View("jobs", ("2",), "and there are more", MIDDLE, "light"),
        View("agent", ("enter",), "its last jobs", LARGE, "light"),
        View("events", ("4",), "events since", LARGE, "light"),
    ),
}


@pytest.mark.parametrize("agents", FLEETS)
async def test_every_page_looks_as_it_did_when_it_was_looked_at(agents: int) -> None:
    top = Top(played_desk(agents))
    others: list[str] = []
    async with top.run_test(size=SMALL) as pilot:
        for view in FLEETS[agents]:
            await pilot.resize_terminal(*view.size)
            if top.desk.looks is not (LIGHT if view.theme == "light" else DARK):
                await pilot.press("t")
            await pilot.press("1", "g", *view.keys)
            await seen(pilot, view.words)
            name = "-".join((view.page, str(agents), "x".join(map(str, view.size)), view.theme))
            if not _is_as_kept(name, await settled(pilot)):
                others.append(name)
            await pilot.press("escape")
    assert others == [], "look at what is in pictures/*.now"


def _is_as_kept(name: str, picture: str) -> bool:
    kept, now = KEPT / f"{name}.txt", KEPT / f"{name}.now"
    if NEW:
        KEPT.mkdir(exist_ok=True)
        kept.write_text(picture, encoding="utf-8")
    is_as_kept = kept.exists() and kept.read_text(encoding="utf-8") == picture
    if not is_as_kept:
        now.write_text(picture, encoding="utf-8")
    return is_as_kept
