"""Command lines of ffmpeg with names of files in many places, at random."""

from hypothesis import strategies as st

from support.spelling import names, spellings


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
    protocol = draw(st.sampled_from(["", "file:"]))
    attached = ["-attach", font, "-metadata:s:t", "mimetype=a/b"]
    hls = ["-f", "hls", "-hls_segment_filename", f"{mine}_%d"]
    segments = ["-f", "segment", "-segment_format", "mpegts", "-segment_list", next(drawn), f"{part}_%d"]
    outputs = [
        ["-c:v", "mpeg4", "-pass", "1", "-passlogfile", next(drawn), "-f", "mpegts", next(drawn)],
        ["-filter_script:v", graph, "-c:v", "mpeg4", *attached, "-f", "matroska", protocol + next(drawn)],
        ["-c", "copy", *hls, protocol + next(drawn)],
        ["-c", "copy", *segments],
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
