"""What Jellyfin does with ffmpeg and ffprobe comes out the same when they are the shim."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.jellyfin import TOPICS, film_in
from end_to_end.outside import mesh
from end_to_end.shims import LOCAL, Programs, Shim, shim_in

STAYS_HERE = ("is_probed", "is_pictured", "gives_attachments", "gives_key_frames")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`films` and `transcodes`, as the server has them."""
    place = tmp_path_factory.mktemp("jellyfin")
    for name in ("films", "transcodes"):
        (place / name).mkdir()
    return place


@pytest.fixture(scope="module")
def film(place: Path) -> Path:
    return film_in(place / "films")


@pytest.fixture(scope="module")
def records(place: Path, film: Path) -> dict[str, dict[str, Any]]:
    """Of the real programs, by topic, as far as they were asked for."""
    return {}


@pytest.fixture(scope="module")
def shim(place: Path) -> Generator[Shim, None, None]:
    """The agent has the same folders by other names."""
    elsewhere = place / "the agent's [own] place"
    elsewhere.symlink_to(place)
    with (
        mesh(
            place / "home",
            *("--slots", "4"),
            *("--root", f"Films={place / 'films'}", "--root", f"Transcodes={place / 'transcodes'}"),
            *("--root", f"agent-1:Films={elsewhere / 'films'}"),
            *("--root", f"agent-1:Transcodes={elsewhere / 'transcodes'}"),
        ) as running,
        shim_in(running, place / "installed") as shim,
    ):
        yield shim


def recorded(programs: Programs, topic: str, film: Path, place: Path) -> dict[str, Any]:
    folder = place / "transcodes" / programs.side / topic
    folder.mkdir(parents=True)
    return TOPICS[topic](programs, film, folder)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_real_programs_make_it_happy(
    topic: str, film: Path, place: Path, records: dict[str, dict[str, Any]]
) -> None:
    """Else the other test would compare nothing with nothing."""
    record = records[topic] = recorded(LOCAL, topic, film, place)
    assert record
    for start in ("from 20", "from 3", "from 36"):
        if start in record:
            assert (record[start]["stopped by"], record[start]["exit code"]) == ("q", 0)


@pytest.mark.parametrize("topic", TOPICS)
def test_with_the_shim_it_sees_the_same(
    topic: str, film: Path, place: Path, records: dict[str, dict[str, Any]], shim: Shim
) -> None:
    if topic not in records:
        records[topic] = recorded(LOCAL, topic, film, place)
    assert recorded(shim, topic, film, place) == records[topic]
    assert bool(shim.ran_here()) == (topic in STAYS_HERE)
