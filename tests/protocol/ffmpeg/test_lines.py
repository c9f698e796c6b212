"""Whole command lines: their files, what they need, and whether the standard streams carry data."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.ffmpeg.command_line import INPUT, OTHER, OUTPUT, CommandLine
from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.needs import capabilities, wanted


def lines(text: str) -> CommandLine:
    program, *words = shlex.split(text)
    return read(program, words)


@pytest.mark.parametrize(
    ("text", "inputs", "outputs", "others"),
    [
        ("ffmpeg -i a.mkv -c copy b.mkv", "a.mkv", "b.mkv", ""),
        ("ffmpeg -y -ss -3 -i a.mkv -i b.srt -map 0 -map -0:s -c:s srt c.mkv", "a.mkv b.srt", "c.mkv", ""),
        ("ffmpeg -i a.mkv x.srt -map 0 y.mkv -f null -", "a.mkv", "x.srt y.mkv", ""),
        ("ffmpeg -i a.mkv -- -b.mkv", "a.mkv", "-b.mkv", ""),
        ("ffmpeg -i a.mkv -f null /tmp/nothing", "a.mkv", "", ""),
        ("ffmpeg -i a.mkv -f null -benchmark out.null -f md5 -", "a.mkv", "", ""),
        ("ffmpeg -f lavfi -i testsrc -f v4l2 -i /dev/video1 -i /dev/video0 o.mkv", "", "o.mkv", ""),
        ("ffmpeg -i a -hls_segment_filename s%d.ts -hls_fmp4_init_filename i.mp4 p.m3u8", "a", "s%d.ts p.m3u8", ""),
        ("ffmpeg -i a -hls_key_info_file k -hls_base_url /x/ -master_pl_name m.m3u8 p/%v.m3u8", "a", "p/%v.m3u8", "k"),
        ("ffmpeg -i a -f segment -segment_list l.csv -segment_list_entry_prefix /p/ %03d.ts", "a", "l.csv %03d.ts", ""),
        ("ffmpeg -i a -f webm_chunk -header h.hdr %d.chk", "a", "h.hdr %d.chk", ""),
        ("ffmpeg -i a -f dash -init_seg_name i$RepresentationID$ -media_seg_name m m.mpd", "a", "m.mpd", ""),
        ("ffmpeg -i a -f fifo -fifo_format null x", "a", "", ""),
        ("ffmpeg -i a -f fifo -format_opts hls_segment_filename=%d.ts p.m3u8", "a", "%d.ts p.m3u8", ""),
        ("ffmpeg -i a -f avi md5:sum.txt", "a", "sum.txt", ""),
        ("ffmpeg -i a -f rtp rtp://h:1 -sdp_file s.sdp -progress p.txt", "a", "", "s.sdp p.txt"),
        ("ffmpeg -i a o.mkv -vstats_file v.log -passlogfile ignored -vf ass=ignored.ass", "a", "o.mkv", "v.log"),
        ("ffmpeg -dump_attachment:t:0 f.ttf -dump_attachment:t:1 '' -i a.mkv", "a.mkv", "", "f.ttf"),
        ("ffmpeg -i a -attach f.ttf -metadata:s:t mimetype=x/y o.mkv", "a", "o.mkv", "f.ttf"),
        ("ffmpeg -i a -/filter:v g.txt -filter_script:a h.txt -fpre p o.mkv", "a", "o.mkv", "g.txt h.txt p"),
        ("ffmpeg -i a -pass 2 -passlogfile logs/x -f null -", "a", "", "logs/x"),
        ("ffmpeg -i a -x265-params \"pass=2:stats='b c.log':film-grain=t.txt\" o.mkv", "a", "o.mkv", "b c.log|t.txt"),
        ("ffmpeg -i a -x264opts stats=x.log:me=hex -svtav1-params film-grain=8 o.mkv", "a", "o.mkv", "x.log"),
        ("ffmpeg -ca_file ca -cert_file c -key_file k -i https://h/a o.mkv", "", "o.mkv", "ca c k"),
        ("ffmpeg -stats_enc_post s.log -stats_mux_pre m.log -i a o.mkv", "a", "o.mkv", "s.log m.log"),
        ("ffmpeg -print_graphs_file g.json -i a o.mkv", "a", "o.mkv", "g.json"),
        ("ffmpeg -i a -metadata title=/b/c -user_agent /x -force_key_frames 'expr:gte(t,1)/2' o.mkv", "a", "o.mkv", ""),
        ("ffmpeg -f concat -safe 0 -i l.txt -i 'concat:x.ts|y.ts' o.mkv", "l.txt x.ts y.ts", "o.mkv", ""),
        ("ffprobe -v error -show_entries format=duration a.mkv -of json", "a.mkv", "", ""),
        ("ffprobe -show_streams -o r.json -i a.mkv", "a.mkv", "r.json", ""),
        ("ffprobe anullsrc -f lavfi", "", "", ""),
        ("ffprobe -show_frames -- -a.mkv", "-a.mkv", "", ""),
    ],
)  # fmt: skip
def test_the_files_of_a_line(text: str, inputs: str, outputs: str, others: str) -> None:
    line = lines(text)
    assert line.doubts == ()
    assert line.paths(INPUT) == tuple(inputs.split())
    assert line.paths(OUTPUT) == tuple(outputs.split())
    assert line.paths(OTHER) == tuple(others.split("|") if "|" in others else others.split())


@pytest.mark.parametrize(
    ("slaves", "outputs"),
    [
        ("a.ts|b.mp4", ["a.ts", "b.mp4"]),
        ("[f=mpegts:onfail=ignore]a.ts|[select=\\'v:0,a\\']b.mp4", ["a.ts", "b.mp4"]),
        ("[f=null]x|[f=flv]rtmp://h/l|[]c.mkv", ["c.mkv"]),
        ("[f=hls:hls_segment_filename=s_%d.ts]p.m3u8", ["s_%d.ts", "p.m3u8"]),
        ("[f=segment:segment_list='a b.m3u8']%d.ts", ["a b.m3u8", "%d.ts"]),
        ("[bsfs/v=dump_extra=freq=keyframe]a\\|b.ts|file:c.ts", ["a|b.ts", "c.ts"]),
    ],
)
def test_the_members_of_a_tee(slaves: str, outputs: list[str]) -> None:
    line = read("ffmpeg", ["-i", "in.mkv", "-map", "0", "-f", "tee", slaves])
    assert sorted(line.paths(OUTPUT)) == sorted(outputs)
    assert line.doubts == ()


@pytest.mark.parametrize(
    ("text", "encoders", "decoders", "hwaccels", "filters"),
    [
        ("ffmpeg -c:v h264_cuvid -i a -c:v hevc_nvenc -c:a:1 aac -c:s copy o", "aac hevc_nvenc", "h264_cuvid", "", ""),
        ("ffmpeg -i a -vcodec mpeg4 -vcodec copy -acodec:0 mp3 -scodec srt o", "mp3 mpeg4 srt", "", "", ""),
        ("ffmpeg -i a o -c:v libx264 -hwaccel cuda", "", "", "", ""),
        ("ffmpeg -hwaccel auto -i a -hwaccel:v vaapi -i b o -vaapi_device /dev/dri/card0", "", "", "vaapi", ""),
        ("ffmpeg -init_hw_device qsv=q@va -init_hw_device cuda:1 -i a o", "", "", "cuda qsv", ""),
        ("ffmpeg -qsv_device 0 -init_hw_device vulkan -i a o", "", "", "qsv vulkan", ""),
        ("ffmpeg -f lavfi -i sine -i a -vf fps=1,scale=2:2 -bsf:v h264_mp4toannexb o", "", "", "", "fps scale sine"),
        ("ffmpeg -i a o -filter_complex overlay -af volume=2", "", "", "", "overlay"),
        ("ffprobe -c:v av1 -i a", "", "av1", "", ""),
        ("ffmpeg -i a -c libx264 b -c h264 -dec 0:0 -lavfi [dec:0]hstack c", "libx264", "h264", "", "hstack"),
    ],
)  # fmt: skip
def test_what_a_line_asks_for(text: str, encoders: str, decoders: str, hwaccels: str, filters: str) -> None:
    needs = wanted(lines(text))
    assert [" ".join(names) for names in (needs.encoders, needs.decoders, needs.hwaccels, needs.filters)] == [
        encoders,
        decoders,
        hwaccels,
        filters,
    ]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("ffmpeg -c:v h264 -i a -c:v hevc -c:a libopus -c:s copy o", "encoder=libopus"),
        ("ffmpeg -hwaccel nvdec -i a -c:v hevc_nvenc o", "encoder=hevc_nvenc hwaccel=cuda"),
        ("ffmpeg -c:v h264_cuvid -i a -vf fps=1 o", "decoder=h264_cuvid filter=fps"),
        ("ffmpeg -i a -c:v libx264 -vf scale=2:2[ o", "encoder=libx264"),
        ("ffprobe a", ""),
    ],
)
def test_of_an_agent_only_that_is_asked_which_ffmpeg_lists_by_that_name(text: str, asked: str) -> None:
    """Else a job would wait for an agent that is there."""
    assert " ".join(capabilities(lines(text))) == asked


@pytest.mark.parametrize(
    ("text", "stdin", "stdout"),
    [
        ("ffmpeg -i - o.mkv", True, False),
        ("ffmpeg -f kmsgrab -i - o.mkv", False, False),
        ("ffmpeg -i a -f mpegts -", False, True),
        ("ffmpeg -i a -f null -", False, False),
        ("ffmpeg -i a -progress - o.mkv", False, True),
        ("ffmpeg -i a -progress pipe:2 o.mkv", False, False),
        ("ffmpeg -i a -f segment -segment_list pipe:1 %d.ts", False, True),
        ("ffmpeg -i a -f tee '[f=mpegts]-|b.ts'", False, True),
        ("ffmpeg -i a -f avi md5:", False, True),
        ("ffmpeg -i a -vf metadata=print:file=- -f null -", False, True),
        ("ffprobe a", False, True),
        ("ffprobe -o - -", True, True),
        ("ffprobe a -o b", False, False),
    ],
)
def test_whether_the_standard_streams_carry_data(text: str, stdin: bool, stdout: bool) -> None:
    line = lines(text)
    assert (line.reads_stdin, line.writes_stdout) == (stdin, stdout)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ffmpeg -i a -unheard -of o.mkv", "-unheard is not known"),
        ("ffmpeg -i a -unheard -i b o.mkv", "-unheard is not known"),
        ("ffmpeg -i a -unheard /x/y o.mkv", "whether that names a file"),
        ("ffmpeg -i a -unheard_params log=../y o.mkv", "whether that names a file"),
        ("ffmpeg -i a -vf scale=2:2[ o.mkv", "graph"),
        ("ffmpeg -i a -c:v", "stands last"),
        ("ffmpeg -i", "names no file"),
        ("ffmpeg -f concat -i - o.mkv", "list on standard input"),
        ("ffmpeg -i nowhere:x o.mkv", "no protocol"),
    ],
)
def test_what_is_not_understood_for_sure_is_said(text: str, words: str) -> None:
    assert any(words in doubt for doubt in lines(text).doubts)


def test_a_stranger_before_an_option_that_is_known_is_taken_for_a_flag() -> None:
    line = lines("ffmpeg -unheard -i a.mkv o.mkv")
    assert line.paths(INPUT) == ("a.mkv",)
    assert line.paths(OUTPUT) == ("o.mkv",)


def test_a_file_has_the_options_before_it_in_their_order() -> None:
    line = lines("ffmpeg -y -ss 1 -i a -c:v x -b:v 1M -b:a 2k -an o -t 3 p")
    first, second = line.outputs
    assert line.inputs[0].values("ss") == ("1",)
    assert first.values("b") == ("1M", "2k")
    assert first.last("b", "c") == "2k"
    assert first.has("an")
    assert not second.has("b")
    assert second.last("t") == "3"
    assert [option.name for option in line.whole] == ["y"]


def test_lists_are_told_apart_from_films() -> None:
    line = lines("ffmpeg -f concat -i l -i p.m3u8 -i a.mkv -filter_complex_script g o.mkv")
    assert [named.place.path for named in line.lists] == ["l", "p.m3u8", "g"]


def test_a_question_is_answered_and_nothing_else() -> None:
    assert lines("ffmpeg -hide_banner -h encoder=libx264").questions == ("h",)
    assert lines("ffmpeg -encoders").questions == ("encoders",)
    assert lines("ffprobe -version").questions == ("version",)


@pytest.mark.parametrize(
    ("words", "quoting"),
    [
        (("-i", "/m/%d.png"), "pattern"),
        (("-i", "/m/100%.png"), "none"),
        (("-f", "image2", "-pattern_type", "glob", "-i", "/m/*.png"), "glob"),
        (("-i", "/m/%d.mkv"), "none"),
        (("/m/%d.png",), "pattern"),
        (("-update", "1", "/m/%d.png"), "none"),
        (("-f", "segment", "/m/%d.mkv"), "pattern"),
        (("-f", "tee", "[f=segment]/m/%d.mkv"), "pattern+tee"),
        (("-f", "hls", "/m/%v.m3u8"), "none"),
        (("-f", "hls", "-hls_segment_filename", "/m/%d.ts", "x.m3u8"), "none"),
        (("-f", "hls", "-strftime", "1", "-hls_segment_filename", "/m/%s.ts", "x.m3u8"), "pattern"),
    ],
)
def test_how_a_percent_sign_is_meant(words: tuple[str, ...], quoting: str) -> None:
    named = [each for each in read("ffmpeg", words).named if each.place.path.startswith("/m/")]
    assert [each.place.quoting for each in named] == [quoting]


tricky = st.one_of(
    st.text(alphabet="a/:|'\\\\[]=,;%-+. \udcff", max_size=12),
    st.sampled_from(["-", "--", "-i", "-f", "tee", "lavfi", "-vf", "-c:v", "-/vf", "-x265-params", "-x264opts", "-no"]),
    st.sampled_from(["-progress", "-h", "-hls_segment_filename", "concat:", "subfile,,", "file:", "cache:", "pipe:9"]),
)


@given(st.sampled_from(["ffmpeg", "ffprobe"]), st.lists(tricky, max_size=12))
def test_whatever_the_words_are_each_place_lies_in_its_word_and_overlaps_no_other(
    program: str, words: list[str]
) -> None:
    line = read(program, words)
    at: dict[int, int] = {}
    for named in line.named:
        place = named.place
        assert at.get(named.argument, 0) <= place.start <= place.end <= len(words[named.argument])
        assert place.path
        at[named.argument] = place.end


def test_a_long_list_is_read_in_one_pass() -> None:
    parts = 50_000
    assert len(read("ffmpeg", ["-i", "concat:" + "|".join(["a"] * parts), "o.mkv"]).inputs[0].places) == parts
