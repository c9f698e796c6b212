"""The pictures of docs/dashboard, of a mesh that is played: `make screenshots`.

PYTHONPATH=tests python -m client.tui.screenshots docs/dashboard
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from client.tui.played import played_desk
from client.tui.seeing import seen
from ffmesh_client.tui.app import Top
from ffmesh_client.tui.looks import DARK, LIGHT, Looks


class Picture(NamedTuple):
    """`keys` lead there; `words` are to be seen then."""

    name: str
    keys: tuple[str, ...]
    words: str
    looks: Looks
    size: tuple[int, int]


PICTURES: Final = (
    Picture("fleet", (), "● attic", DARK, (120, 36)),
    Picture("fleet-light", (), "● attic", LIGHT, (120, 36)),
    Picture("jobs", ("2", "o", "o"), "by state", DARK, (120, 30)),
    Picture("job", ("j", "enter"), "time=00:00:39.00", DARK, (140, 40)),
    Picture("agent", ("enter",), "its last jobs", LIGHT, (140, 40)),
    Picture("workflows", ("3",), "cut film", DARK, (120, 24)),
    Picture("events", ("4",), "events since", LIGHT, (120, 24)),
)


async def taken(picture: Picture, folder: Path) -> None:
    top = Top(played_desk(12), looks=picture.looks)
    async with top.run_test(size=picture.size) as pilot:
        for key in picture.keys:
            await pilot.press(key)
            await pilot.pause(0.2)
        await seen(pilot, picture.words)
        folder.joinpath(f"{picture.name}.svg").write_text(top.export_screenshot(title="ffmesh top"), encoding="utf-8")


def main() -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        asyncio.run(taken(picture, folder))
        print(folder / f"{picture.name}.svg")


if __name__ == "__main__":
    main()
