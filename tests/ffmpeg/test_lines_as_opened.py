"""The model against the real ffmpeg: what it says a command line names is what ffmpeg opens, and nothing else."""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import copyfile

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from ffmesh_protocol.ffmpeg.command_line import CommandLine
from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.places import PREFIX
from support.lines import lines
from support.opening import needs_strace, opened_by

_number = re.compile(r"[_-][0-9]+(\.log)?\Z")

CALLS = 12
"""Of the real ffmpeg; each opens a dozen files."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of moving picture and sound, as a stream that may be cut anywhere."""
    path = tmp_path_factory.mktemp("film") / "film.ts"
    sources = ("-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=5", "-f", "lavfi", "-i", "sine=d=1")
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", *sources, "-c:v", "mpeg4", "-c:a", "mp2", str(path)], check=True
    )
    return path


def told(line: CommandLine) -> Iterator[str]:
    """What will be opened by these names: the first of each set."""
    for named in line.named:
        path = named.place.path
        if named.place.use == PREFIX:
            yield f"{path}-0.log"
        else:
            yield path.replace("_%d", "_0").replace("-%d", "-0")


def numberless(paths: Iterable[str]) -> set[str]:
    """Segments are counted, and so are the streams that a pass has logs of."""
    return {_number.sub("#", path) for path in paths}


@needs_strace
@settings(
    max_examples=CALLS,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_what_is_told_is_what_ffmpeg_opens(film: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer).resolve() / "here"
        folder.mkdir()
        words, films, contents = data.draw(lines(str(folder)))
        for path in films:
            copyfile(film, path)
        for path, content in contents.items():
            Path(path).write_text(content)
        line = read("ffmpeg", ["-v", "error", "-y", *words])
        # A part of a tee may begin inside quotes that end before it does: that is a doubt, and the only one.
        assume(not any(doubt.startswith("the quotes around") for doubt in line.doubts))
        assert line.doubts == ()
        opened = opened_by(["ffmpeg", "-nostdin", *line.words], folder, Path(outer) / "opened")
        # A playlist is written aside first.
        assert numberless(name.removesuffix(".tmp") for name in opened) == numberless(told(line))
