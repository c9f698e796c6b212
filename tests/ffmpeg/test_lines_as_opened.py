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
from support.opening import needs_strace, opened_by
from support.spelling import names, spellings

from ffmesh_protocol.ffmpeg.command_line import CommandLine
from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.places import PREFIX

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


@st.composite
def lines(draw: st.DrawFn, folder: str) -> tuple[list[str], list[str], dict[str, str]]:
    """A command line, the films that it reads, and the contents of the other files that it reads."""
    # Each name begins with a number, so that no two are one; a bar would end it in a list of files.
    drawn = (
        f"{folder}/{at}{name.replace('|', '!')}"
        for at, name in enumerate(draw(st.lists(names, min_size=24, max_size=24)))
    )
    films = [next(drawn) for _ in range(2)]
    graph, font = next(drawn), next(drawn)
    words = ["-progress", next(drawn), "-vstats_file", next(drawn)]
    source = draw(st.sampled_from(["{}", "file:{}", "cache:{}", "async:file:{}", "subfile,,start,0,end,0,,:{}"]))
    words += draw(
        st.sampled_from(
            [
                ["-i", source.format(films[0]), "-i", films[1]],
                ["-i", f"concat:{films[0]}|file:{films[1]}"],
                ["-f", "mpegts", "-i", source.format(films[0]), "-f", "mpegts", "-i", f"file:{films[1]}"],
            ]
        )
    )
    mine = "".join(letter for letter in next(drawn) if letter != "%")
    part = "".join(letter for letter in next(drawn) if letter != "%")
    outputs = [
        ["-c:v", "mpeg4", "-pass", "1", "-passlogfile", next(drawn), "-f", "mpegts", next(drawn)],
        ["-filter_script:v", graph, "-c:v", "mpeg4", "-attach", font, "-metadata:s:t", "mimetype=a/b", "-f", "matroska"]
        + [draw(st.sampled_from(["", "file:"])) + next(drawn)],
        [
            "-c",
            "copy",
            "-f",
            "hls",
            "-hls_segment_filename",
            f"{mine}_%d",
            draw(st.sampled_from(["", "file:"])) + next(drawn),
        ],
        ["-c", "copy", "-f", "segment", "-segment_format", "mpegts", "-segment_list", next(drawn), f"{part}_%d"],
        ["-c", "copy", "-f", "tee", draw(tees(next(drawn), next(drawn), f"{part}-%d"))],
        ["-c", "copy", "-f", "mpegts", f"md5:{next(drawn)}"],
        ["-f", "null", next(drawn)],
    ]
    for output in draw(st.permutations(outputs)):
        words += ["-map", "0", *output]
    return words, films, {graph: "null", font: "a font"}


@st.composite
def tees(draw: st.DrawFn, plain: str, listed: str, segments: str) -> str:
    inside = draw(spellings(listed, ":]"))
    slaves = [f"[f=mpegts:onfail=ignore]{plain}", f"[f=segment:segment_format=mpegts:segment_list={inside}]{segments}"]
    return "|".join(draw(spellings(slave, "|")) for slave in draw(st.permutations([*slaves, "[f=null]nothing"])))


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
@settings(max_examples=CALLS, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
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
        assume(not line.doubts)  # a name may begin inside quotes that end before it does
        opened = opened_by(["ffmpeg", "-nostdin", *line.words], folder, Path(outer) / "opened")
        # A playlist is written aside first.
        assert numberless(name.removesuffix(".tmp") for name in opened) == numberless(told(line))
