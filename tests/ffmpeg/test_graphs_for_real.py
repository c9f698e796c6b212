"""The real ffmpeg opens the files that are found in its filter graphs, however their names are spelled."""

import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ffmesh_protocol.ffmpeg.filters import FILTERS
from ffmesh_protocol.ffmpeg.graphs import read_graph
from ffmesh_protocol.ffmpeg.quoting import write
from support.spelling import GRAPH_ENDS, OPTION_ENDS, names, spellings

# Every example starts ffmpeg once, so they are few, and a failure is not made smaller.
few = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)

READ: Final = ("picture", "lut", "subtitles", "text")
MADE: Final = ("plot", "metadata", "statistics")

GRAPH: Final = (
    "movie={picture},lut3d=file={lut},scale=32:32,subtitles=f={subtitles}:alpha=0,"
    "drawtext=textfile={text}:fontsize=8:enable='gt(t,1)',drawtext=text='/not/a/file, no', curves=plot={plot} ,"
    "metadata=mode=print:file={metadata},split[a][b]; [a][b] psnr={statistics}"
)
_CUBE: Final = "LUT_3D_SIZE 2\n" + "".join(f"{r} {g} {b}\n" for b in (0, 1) for g in (0, 1) for r in (0, 1))
_SUBTITLES: Final = "1\n00:00:00,000 --> 00:00:01,000\nhi\n"


@functools.cache
def picture() -> bytes:
    return _ffmpeg("-f", "lavfi", "-i", "color=s=16x16", "-frames:v", "1", "-f", "image2pipe", "-c", "png", "-").stdout


def _ffmpeg(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, check=False, timeout=60)


def files_in(folder: Path, words: Mapping[str, str]) -> dict[str, str]:
    """A different file for each use, and those that are read have what they should hold."""
    paths = {use: str(folder / f"{at}{words[use]}") for at, use in enumerate((*READ, *MADE))}
    paths["lut"] += ".cube"  # the filter chooses its reader by it
    Path(paths["picture"]).write_bytes(picture())
    Path(paths["lut"]).write_text(_CUBE)
    Path(paths["subtitles"]).write_text(_SUBTITLES)
    Path(paths["text"]).write_text("text")
    return paths


def runs(graph: str, paths: Mapping[str, str], folder: Path) -> None:
    """It exits in peace, so it has read what is there; and it has made what was to be made, and nothing else."""
    ran = _ffmpeg("-f", "lavfi", "-i", graph, "-frames:v", "1", "-f", "null", "-", cwd=folder)
    assert (ran.returncode, ran.stderr) == (0, b""), graph
    assert {os.fsdecode(path) for path in folder.iterdir()} == set(paths.values())


@few
@given(st.data(), st.fixed_dictionaries(dict.fromkeys((*READ, *MADE), names)))
def test_ffmpeg_opens_what_is_found_however_it_is_spelled(data: st.DataObject, words: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as top:
        paths = files_in(Path(top), words)
        graph = GRAPH.format_map(
            {
                use: data.draw(spellings(data.draw(spellings(path, OPTION_ENDS)), GRAPH_ENDS))
                for use, path in paths.items()
            }
        )
        runs(graph, paths, Path(top))
        read = read_graph(graph)
        assert read.doubt is None
        assert sorted(place.path for place in read.places) == sorted(paths.values())


@few
@given(st.fixed_dictionaries(dict.fromkeys((*READ, *MADE), names)))
def test_ffmpeg_opens_what_is_written_in_place_of_it(words: dict[str, str]) -> None:
    caller = GRAPH.format_map({use: f"'/caller/{use}'" for use in (*READ, *MADE)})
    caller = caller.replace("plot='/caller/plot'", "'plot=/caller/plot:all=0/0 1/1'")
    with tempfile.TemporaryDirectory() as top:
        paths = files_in(Path(top), words)
        graph = caller
        for place in reversed(read_graph(caller).places):
            name = os.path.relpath(paths[Path(place.path).name], top)
            there = write(top.encode(), name.encode(), place.quoting).decode()
            graph = graph[: place.start] + there + graph[place.end :]
        runs(graph, paths, Path(top))


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_the_options_of_a_filter_stand_in_its_order(name: str) -> None:
    """Those that this ffmpeg has; what it does not tell is which of its names are the same option."""
    told = _ffmpeg("-h", f"filter={name}").stdout.decode()
    names_there = re.findall(
        r"^   (\w+) +<\w+>", told.partition("AVOptions:")[2].partition("AVOptions:")[0], re.MULTILINE
    )
    order = [each for names_of_one in FILTERS[name].order for each in names_of_one]
    if not names_there or not order:
        pytest.skip("this ffmpeg has no such filter, or it is always told by its keys")
    assert names_there[: len(order)] == order[: len(names_there)]
    assert set(FILTERS[name].meanings) <= {*names_there, *order}


@pytest.mark.parametrize(
    ("options", "set_there"),
    [
        ("1:2:3", "contrast brightness saturation"),
        ("gamma=1:2:3", "gamma gamma_r gamma_g"),
        ("1:gamma=1:2", "contrast gamma gamma_r"),
        ("enable=1:1:2", "enable brightness saturation"),
        ("1:enable=1:2", "contrast enable contrast"),
    ],
)
def test_ffmpeg_deals_values_without_a_key_out_in_this_order(options: str, set_there: str) -> None:
    words = ["-f", "lavfi", "-i", f"color=s=16x16,eq={options}", "-frames:v", "1", "-f", "null", "-"]
    told = subprocess.run(["ffmpeg", "-loglevel", "debug", *words], capture_output=True, check=False).stderr.decode()
    assert re.findall(r"Parsed_eq[^\]]*\] Setting '(\w+)'", told) == set_there.split()
