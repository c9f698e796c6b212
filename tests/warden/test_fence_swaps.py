"""A name in a fence whose folder is swapped for a link between the choice and the start leads nowhere then."""

from contextlib import suppress
from pathlib import Path

import pytest

from ffmesh_warden.errors import NotStarted
from ffmesh_warden.handle import Warden
from support.swapping import swapped_all_the_time
from warden.fenced import KINDS, Place

TRIES = 8


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, warden: Warden, tmp_path: Path) -> Place:
    return Place.made(warden, tmp_path.resolve(), request.param)


def chosen(place: Place, folder: Path) -> Place:
    """A fence around this folder too, as it is now."""
    name = bytes(folder)
    return place.but(write=(*place.fence.write, name), leads=((name, name),))


async def test_what_leads_where_it_led_is_open(place: Place) -> None:
    folder = place.outside / "mine"
    folder.mkdir()
    await chosen(place, folder).allowed({"made": f"open('{folder}/new', 'x')"})


async def test_a_link_that_its_owner_has_put_there_is_followed(place: Place) -> None:
    (link := place.readable / "link").symlink_to(place.outside)
    leads = ((bytes(link), bytes(place.outside)),)
    there = place.but(write=(*place.fence.write, bytes(link)), leads=leads)
    await there.allowed({"read": f"assert open('{link}/file').read() == 'outside'"})


async def test_what_has_become_a_link_meanwhile_is_closed(place: Place) -> None:
    (link := place.writable / "link").symlink_to(place.outside)
    there = chosen(place, link)
    await there.refused({"read": f"open('{link}/file')", "written": f"open('{link}/new', 'x')"})
    assert place.is_untouched(place.outside)


async def test_what_lies_in_a_folder_that_has_become_a_link_is_closed(place: Place) -> None:
    (place.outside / "sub").mkdir()
    (link := place.writable / "link").symlink_to(place.outside)
    await chosen(place, link / "sub").refused({"written": f"open('{link}/sub/new', 'x')"})


async def test_a_folder_that_is_swapped_for_a_link_all_the_time_lets_nobody_out(place: Place) -> None:
    (folder := place.writable / "folder").mkdir()
    (folder / "file").write_text("writable")
    (other := place.writable / "other").symlink_to(place.outside)
    there = chosen(place, folder)
    with swapped_all_the_time(folder, other):
        for number in range(TRIES):
            with suppress(NotStarted):  # it was swapped while a room was built
                await there.tried(
                    {
                        "written": f"open('{folder}/new-{number}', 'x')",
                        "read": f"assert open('{folder}/file').read() == 'writable'",
                    }
                )
    assert place.is_untouched(place.outside)
