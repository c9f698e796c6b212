"""What an agent refuses by a job's words alone, with the roots that it has."""

import pytest

from agent.shell.stage import granted
from ffmesh_agent.shell.checks import Checks
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, RootPath

CHECKS = Checks({"ffmpeg": ""}, {"Films": "/media/films", "Music": "/media/music"})


def words(hidden: str) -> tuple[Argument, ...]:
    return (("-i",), (RootPath(root="Films", path="a.mkv"),), ("-vf",), (hidden,), (RootPath(root="Films", path="b"),))


@pytest.mark.parametrize("hidden", ["subtitles=/media/films/a.srt", "movie=/media/films/logo.png[l];[in][l]overlay"])
def test_a_filter_may_name_what_lies_in_a_root_of_its_job_as_this_machine_does(hidden: str) -> None:
    assert CHECKS.command(granted("ffmpeg", *words(hidden))).argv[-2] == hidden.encode()


@pytest.mark.parametrize(
    "hidden", ["subtitles=/media/music/a.srt", "subtitles=/media/films/../x.srt", "subtitles=/media/films2/a.srt"]
)
def test_a_filter_may_not_name_what_lies_elsewhere(hidden: str) -> None:
    with pytest.raises(PathRefused, match="is an absolute path under no root"):
        CHECKS.command(granted("ffmpeg", *words(hidden)))
