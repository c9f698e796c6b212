"""Command lines on which the shim and the program that it stands for must agree, and the files that they need.

In a line `{films}` is the folder of what is there already, `{out}` one of its own; both have names that no shell and no
filter likes. `CASES` are by name, and the name is part of the folder's.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from end_to_end.shims import LOCAL

AWKWARD: Final = "Das Boot's [1981] 100%, été: a; b.mkv"
PASSES: Final = ("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-b:v", "50k")
ENCODED: Final = ("-c:v", "mpeg4", "-threads", "1", "-c:a", "aac")
QUIET: Final = ("-hide_banner", "-nostats")
FILM: Final = ("-i", f"{{films}}/{AWKWARD}")
PLAIN: Final = ("-i", "{films}/plain.mkv")
TEST: Final = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`steps` are lines, run one after the other until one fails. `files` are there before.

    `inside`: it works in its folder `{out}`, not elsewhere. `here`: it is not for the mesh. `unable`: no agent has what
    it asks for.
    """

    steps: tuple[tuple[str, ...], ...]
    program: str = "ffmpeg"
    code: int = 0
    files: dict[str, str] = field(default_factory=dict[str, str])
    stdin: bytes | str = b""
    inside: bool = False
    here: bool = False
    unable: bool = False


def case(
    *words: str,
    program: str = "ffmpeg",
    code: int = 0,
    files: dict[str, str] | None = None,
    stdin: bytes | str = b"",
    inside: bool = False,
    here: bool = False,
    unable: bool = False,
) -> Case:
    """One line. A text as `stdin` is the path of a file."""
    return Case(
        steps=(words,),
        program=program,
        code=code,
        files=files or {},
        stdin=stdin,
        inside=inside,
        here=here,
        unable=unable,
    )


def in_a_filter(path: str) -> str:
    """As it stands in an option of a filter, within a graph: two levels of escapes, and no quotes."""
    once = "".join(f"\\{letter}" if letter in "\\':" else letter for letter in path)
    return "".join(f"\\{letter}" if letter in "\\'[],;" else letter for letter in once)


FILTERED: Final = "{films}/it's [one], two; 100%"

CASES: Final[dict[str, Case]] = {
    # --- copies, and names
    "copy": case(*FILM, "-c", "copy", "{out}/copy.mkv"),
    "copy by file URLs": case("-i", f"file:{{films}}/{AWKWARD}", "-c", "copy", "file:{out}/co:py.mkv"),
    "output with an awkward name": case(*PLAIN, "-c", "copy", '{out}/50% of [it]\'s "é", a; b .mkv'),
    "everything mapped": case(*QUIET, *FILM, "-map", "0", "-c", "copy", "{out}/all.mkv"),
    "a part by time": case(*QUIET, "-ss", "0.2", "-t", "0.4", *PLAIN, "-c:v", "mpeg4", "-an", "{out}/part.avi"),
    "frames": case(*QUIET, *PLAIN, "-frames:v", "3", *ENCODED, "{out}/three.mp4"),
    "a limit of size": case(*QUIET, *PLAIN, "-fs", "4096", *ENCODED, "{out}/small.mkv"),
    "faststart": case(*PLAIN, *ENCODED, "-movflags", "+faststart", "-y", "{out}/fast.mp4"),
    "without the banner": case("-hide_banner", "-nostats", "-loglevel", "info", *PLAIN, *ENCODED, "{out}/a.mkv"),
    "errors only": case("-v", "error", *PLAIN, *ENCODED, "{out}/quiet.mkv"),
    "levels in messages": case("-hide_banner", "-loglevel", "level+info", *PLAIN, "-c", "copy", "{out}/levels.mkv"),
    "no input file": case(*TEST, *ENCODED, "-y", "{out}/test.mkv"),
    "a loop": case(*QUIET, "-stream_loop", "2", *PLAIN, "-map", "0:v", "-c", "copy", "-shortest", "{out}/loop.mkv"),
    # --- relative names
    "relative": case(*QUIET, "-i", "in it's.ts", "-c", "copy", "below/out.mkv", inside=True, files={"below/x": ""}),
    "relative, upwards": case(*QUIET, *PLAIN, "-c", "copy", "../{name}/./up.mkv", inside=True),
    "relative pattern": case(*QUIET, *TEST, "pic-%02d.png", inside=True),
    # --- several outputs
    "two outputs": case(*QUIET, *PLAIN, "-map", "0:v", "-c", "copy", "{out}/v.mkv", "-map", "0:a", "{out}/a.wav"),
    "tee": case(
        *(*QUIET, *PLAIN, "-map", "0:v", "-c:v", "mpeg4", "-f", "tee"),
        "[f=mpegts]{tee}/one.ts|[f=matroska:onfail=ignore]{tee}/two.mkv",
    ),
    "segments": case(
        *(*QUIET, *PLAIN, "-map", "0:v", "-c", "copy", "-f", "segment", "-segment_time", "0.2"),
        *("-segment_list", "{out}/list.csv", "{out}/s%03d.ts"),
    ),
    "segments told on standard output": case(
        *("-nostats", "-hide_banner", *PLAIN, "-map", "0:v", "-c", "copy", "-f", "segment", "-segment_time", "0.2"),
        *("-segment_list_type", "flat", "-segment_list", "pipe:1", "{out}/segment-%d.ts"),
    ),
    "HLS": case(
        *(*QUIET, *PLAIN, "-map", "0:v", "-c", "copy", "-f", "hls", "-hls_time", "0.2", "-hls_list_size", "0"),
        *("-hls_segment_filename", "{out}/hls%d.ts", "{out}/hls.m3u8"),
    ),
    "HLS in fragments": case(
        *(*QUIET, *PLAIN, "-map", "0:v", "-c", "copy", "-f", "hls", "-hls_time", "0.2", "-hls_segment_type", "fmp4"),
        *("-hls_fmp4_init_filename", "x-1.mp4", "-hls_segment_filename", "{out}/x%d.mp4", "{out}/x.m3u8"),
    ),
    "pictures": case(*QUIET, *PLAIN, "-vf", "fps=10", "-start_number", "7", "{out}/p%03d.png"),
    "pictures as input": case(*QUIET, "-framerate", "5", "-i", "{films}/p%03d.png", *ENCODED, "{out}/of.mkv"),
    "one picture": case(*QUIET, *PLAIN, "-frames:v", "1", "-f", "image2", "-update", "1", "{out}/one.jpg", here=True),
    # --- several inputs
    "concat protocol": case(
        *QUIET, "-i", "concat:{films}/one.ts|{films}/two.ts", "-c", "copy", "-fflags", "+bitexact", "{out}/c.ts"
    ),
    "concat filter": case(
        *(*QUIET, *PLAIN, *FILM, "-filter_complex", "[0:v][1:v]concat=n=2:v=1:a=0[v]", "-map", "[v]"),
        *(*ENCODED, "{out}/both.mkv"),
    ),
    "a list for concat": case(
        *(*QUIET, "-f", "concat", "-safe", "0", "-i", "{out}/list.txt", "-c", "copy", "{out}/of list.mkv"),
        files={"list.txt": "file '{films}/one.ts'\nfile '{films}/two.ts'\n"},
        here=True,
    ),
    "a list with relative names": case(
        *(*QUIET, "-f", "concat", "-i", "{films}/list.txt", "-c", "copy", "{out}/of list.mkv"),
    ),
    # --- names in filters
    "subtitles": case(
        *(*QUIET, *PLAIN, "-vf", "subtitles={filtered}.srt:force_style='FontSize=30,PrimaryColour=&H00ff00'"),
        *("-an", "-c:v", "mpeg4", "{out}/burnt.mkv"),
    ),
    "subtitles, named": case(
        *QUIET, *PLAIN, "-vf", "subtitles=f={filtered}.srt:si=0,hflip", "-an", "-c:v", "mpeg4", "{out}/burnt.mkv"
    ),
    "subtitles in quotes": case(
        *QUIET, *PLAIN, "-vf", "subtitles='{films}/plain.srt'", "-an", "-c:v", "mpeg4", "{out}/burnt.mkv"
    ),
    "ass": case(*QUIET, *PLAIN, "-vf", "ass={filtered}.ass", "-an", "-c:v", "mpeg4", "{out}/ass.mkv"),
    "lut3d": case(*QUIET, *PLAIN, "-vf", "lut3d={filtered}.cube,vflip", "-an", "-c:v", "mpeg4", "{out}/lut.mkv"),
    "drawtext of a file": case(
        *(*QUIET, *PLAIN, "-vf", "drawtext=textfile={filtered}.txt:fontsize=20:x=1:y=1", "-an"),
        *("-c:v", "mpeg4", "{out}/text.mkv"),
    ),
    "movie": case(
        *(*QUIET, *PLAIN, "-filter_complex", "movie={filtered}.png[m];[0:v][m]overlay=1:1[o]", "-map", "[o]"),
        *("-c:v", "mpeg4", "{out}/movie.mkv"),
    ),
    "a graph in a file": case(
        *(*QUIET, *PLAIN, "-filter_complex_script", "{out}/graph.txt", "-map", "[o]", "-c:v", "mpeg4", "{out}/g.mkv"),
        files={"graph.txt": "[0:v]hflip,\n scale=32:24 [o]\n"},
    ),
    "a filter in a file": case(
        *(*QUIET, *PLAIN, "-filter_script:v", "{out}/filter.txt", "-an", "-c:v", "mpeg4", "{out}/f.mkv"),
        files={"filter.txt": "vflip"},
    ),
    "stabilised in two passes": Case(
        steps=(
            (*QUIET, *PLAIN, "-vf", "vidstabdetect=result={out}/moves.trf", "-an", "-f", "null", "-"),
            (*QUIET, *PLAIN, "-vf", "vidstabtransform=input={out}/moves.trf", "-an", "-c:v", "mpeg4", "{out}/s.mkv"),
        )
    ),
    # --- files beside
    "two passes": Case(
        steps=(
            (*QUIET, *PLAIN, *PASSES, "-pass", "1", "-passlogfile", "{out}/log of it", "-an", "-f", "null", "-"),
            (*QUIET, *PLAIN, *PASSES, "-pass", "2", "-passlogfile", "{out}/log of it", "-an", "{out}/two.mkv"),
        )
    ),
    "metadata out and in": Case(
        steps=(
            (*QUIET, *FILM, "-f", "ffmetadata", "{out}/meta data.txt"),
            (*QUIET, *PLAIN, "-i", "{out}/meta data.txt", "-map_metadata", "1", "-c", "copy", "{out}/with.mkv"),
        )
    ),
    "attachments by their names": case(*QUIET, "-dump_attachment:t", "", "-y", *FILM, "-f", "null", "-", inside=True),
    "attachments, and no output": case(*QUIET, "-dump_attachment:t", "", "-y", *FILM, inside=True, code=1, here=True),
    "an attachment by our name": case(
        *QUIET, "-dump_attachment:t:0", "{out}/a font.ttf", *FILM, "-map", "0:v", "-c", "copy", "-f", "null", "-"
    ),
    "attached": case(
        *(*QUIET, *PLAIN, "-attach", "{films}/Font of it.ttf", "-metadata:s:t", "mimetype=font/ttf", "-c", "copy"),
        "{out}/attached.mkv",
    ),
    "subtitles taken out": case(*QUIET, *FILM, "-map", "0:s", "-c:s", "srt", "{out}/taken.srt"),
    "progress into a file": case(*QUIET, "-progress", "{out}/progress", *PLAIN, "-c", "copy", "-y", "{out}/p.mkv"),
    # --- the standard streams
    "progress on standard output": case(*QUIET, "-progress", "pipe:1", *PLAIN, "-c", "copy", "-y", "{out}/p.mkv"),
    "film on standard output": case(*QUIET, *PLAIN, "-map", "0:v", "-c", "copy", "-bitexact", "-f", "matroska", "-"),
    "pictures on standard output": case(*QUIET, *PLAIN, "-c:v", "ppm", "-f", "image2pipe", "pipe:1"),
    "hashes on standard output": case(*QUIET, *PLAIN, "-map", "0:v", "-f", "framemd5", "-"),
    "film on standard input": case(
        *QUIET, "-f", "mpegts", "-i", "-", "-c", "copy", "{out}/of stdin.mkv", stdin="{films}/one.ts"
    ),
    "through from input to output": case(
        *("-v", "error", "-i", "pipe:0", "-map", "0:v", "-c", "copy", "-f", "mpegts", "pipe:1"), stdin="{films}/one.ts"
    ),
    "nothing on standard input": case(*QUIET, "-f", "mpegts", "-i", "-", "-f", "null", "-", code=1),
    "nowhere": case(*PLAIN, "-f", "null", "-"),
    "told in its messages": case(*QUIET, *PLAIN, "-af", "volumedetect", "-vn", "-f", "null", "-"),
    # --- what fails
    "no such input": case(*QUIET, "-i", "{films}/there [is] none.mkv", "{out}/a.mkv", code=1),
    "input is a folder": case(*QUIET, "-i", "{films}", "{out}/a.mkv", code=1),
    "input is no film": case(*QUIET, "-i", "{films}/plain.srt.txt", "{out}/a.mkv", code=1),
    "no such option": case(*QUIET, *PLAIN, "-nosuchoption", "1", "{out}/a.mkv", code=1),
    "no such encoder": case(*QUIET, *PLAIN, "-c:v", "nosuchencoder", "{out}/a.mkv", code=1, unable=True),
    "no such muxer": case(*QUIET, *PLAIN, "-c", "copy", "{out}/a.nosuchend", code=1),
    "no such filter": case(*QUIET, *PLAIN, "-vf", "nosuchfilter", "{out}/a.mkv", code=1, unable=True),
    "no such stream": case(*QUIET, *PLAIN, "-map", "0:9", "-c", "copy", "{out}/a.mkv", code=1),
    "no such folder": case(*QUIET, *PLAIN, "-c", "copy", "{out}/no such/a.mkv", code=1),
    "no output": case(*QUIET, *PLAIN, code=1, here=True),
    "half a film": case(*QUIET, "-xerror", "-err_detect", "explode", "-i", "{films}/half.mkv", "-f", "null", "-"),
    # --- an output that is there
    "there, and kept": case(*QUIET, *PLAIN, "-n", "{out}/a.mkv", files={"a.mkv": "old"}, code=1),
    "there, and replaced": case(*QUIET, *PLAIN, "-c", "copy", "-y", "{out}/a.mkv", files={"a.mkv": "old"}),
    "there, and nobody answers": case(*QUIET, *PLAIN, "{out}/a.mkv", files={"a.mkv": "old"}, code=1),
    "there, and the answer is yes": case(
        *QUIET, *PLAIN, "-c", "copy", "{out}/a.mkv", files={"a.mkv": "old"}, stdin=b"y\n"
    ),
    "there, and the answer is no": case(*QUIET, *PLAIN, "{out}/a.mkv", files={"a.mkv": "old"}, stdin=b"n\n", code=1),
    # --- the other program
    "probed": case(
        *("-v", "error", "-show_format", "-show_streams", "-of", "json", f"{{films}}/{AWKWARD}"),
        program="ffprobe",
        here=True,
    ),
    "probed, and not there": case("-hide_banner", "{films}/none.mkv", program="ffprobe", code=1, here=True),
}


def films_in(folder: Path) -> None:
    """What `{films}` holds."""
    folder.mkdir(parents=True)
    (folder / "plain.srt").write_text("1\n00:00:00,000 --> 00:00:00,800\nIt's <i>text</i>\n", encoding="utf-8")
    (folder / "Font of it.ttf").write_bytes(b"no font" * 100)
    _made(
        *("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=0.8"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=0.8", "-i", folder / "plain.srt"),
        *("-map", "0", "-map", "1", "-map", "2", "-c:v", "mpeg4", "-g", "5", "-c:a", "aac", "-c:s", "srt"),
        *("-metadata", "title=It's; it=\u00e9", "-attach", folder / "Font of it.ttf"),
        *("-metadata:s:t", "mimetype=font/ttf", folder / AWKWARD),
    )
    _made("-i", folder / AWKWARD, "-map", "0:v", "-map", "0:a", "-c", "copy", folder / "plain.mkv")
    for name in ("one.ts", "two.ts"):
        _made("-i", folder / AWKWARD, "-map", "0:v", "-c:v", "mpeg2video", "-bitexact", folder / name)
    _made("-i", folder / "plain.mkv", "-vf", "fps=5", folder / "p%03d.png")
    whole = (folder / "plain.mkv").read_bytes()
    (folder / "half.mkv").write_bytes(whole[: len(whole) // 2])
    (folder / "plain.srt.txt").write_text("no film\n")
    (folder / "list.txt").write_text("file one.ts\nfile two.ts\n")
    awkward = Path(FILTERED.format(films=folder))
    shutil.copy(folder / "plain.srt", f"{awkward}.srt")
    shutil.copy(folder / "p001.png", f"{awkward}.png")
    Path(f"{awkward}.txt").write_text("text")
    _made("-i", folder / "plain.srt", f"{awkward}.ass")
    corners = (f"{blue} {green} {red}" for red in (0, 1) for green in (0, 1) for blue in (0, 1))
    Path(f"{awkward}.cube").write_text("LUT_3D_SIZE 2\n" + "".join(f"{corner}\n" for corner in corners))


def _made(*words: str | Path) -> None:
    done = LOCAL.ffmpeg("-v", "error", "-y", *words)
    assert done.returncode == 0, done.stderr
