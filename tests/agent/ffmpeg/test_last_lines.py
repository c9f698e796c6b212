"""The last lines of standard error as they are told to people elsewhere."""

import pytest

from ffmesh_agent.ffmpeg.last_lines import last_lines
from ffmesh_protocol.limits import LABEL_CHARS, LAST_LINES

ROOTS = {"Media": "/mnt/nas", "Movies": "/mnt/nas/movies/", "Odd": "/mnt/\udcff"}
PRIVATE = ("/var/lib/ffmesh/agent", "/var/tmp/ffmesh")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/mnt/nas/movies/a.mkv: Invalid data", "$Movies/a.mkv: Invalid data"),
        ("Opening '/mnt/nas/other/a' and '/mnt/nas/movies'", "Opening '$Media/other/a' and '$Movies'"),
        ("/mnt/nas/movies-old/a", "$Media/movies-old/a"),
        ("/mnt/nas2/a", "/mnt/nas2/a"),
        ("/mnt/�/a", "$Odd/a"),
        ("/mnt/nas/x/.ffmesh-01JD000000000000000000ATT0/out.mkv: full", "$Media/x/out.mkv: full"),
        ("/var/lib/ffmesh/agent/scratch/01JD/core", "…/scratch/01JD/core"),
        ("/var/tmp/ffmesh/.ffmesh-01JD000000000000000000ATT0/out.mkv", "…/out.mkv"),
        ("Conversion failed!", "Conversion failed!"),
    ],
)
def test_no_place_of_this_machine_is_told(line: str, told: str) -> None:
    assert last_lines([line], ROOTS, PRIVATE) == (told,)


def test_there_are_few_and_none_is_long() -> None:
    told = last_lines([f"{number} " + "x" * 5000 for number in range(100)], {})
    assert len(told) == LAST_LINES
    assert told[-1].startswith("99 x")
    assert {len(line) for line in told} == {LABEL_CHARS}


def test_of_progress_lines_in_a_row_only_the_last_is_told() -> None:
    progress = [f"frame=   {n} fps= 25 q=2.0 size=  {n}kB time=00:00:0{n} bitrate= 1kbits/s speed=1x" for n in range(9)]
    lines = ["Input #0", *progress, "", "out.mkv: No space left on device", "size=N/A time=00:00:09.00 bitrate=N/A"]
    assert last_lines(lines, {}) == ("Input #0", progress[-1], *lines[-2:])
