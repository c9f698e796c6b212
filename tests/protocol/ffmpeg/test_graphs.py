"""What a filter graph names: read as ffmpeg reads it, and written anew without a change to anything else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.ffmpeg.filter_options import options_of
from ffmesh_protocol.ffmpeg.filters import FILTERS
from ffmesh_protocol.ffmpeg.graphs import parse, read_graph
from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.quoting import write
from support.spelling import GRAPH_ENDS, OPTION_ENDS, names, spellings

FILES: list[tuple[str, list[str]]] = [
    ("subtitles=/v/a.srt", ["/v/a.srt"]),
    ("subtitles=f='/v/Ocean'\\\\\\''s 8.mkv':si=1:fontsdir='/cache/fonts'", ["/v/Ocean's 8.mkv", "/cache/fonts"]),
    ("subtitles='/v/a, b.mkv:si=0'", ["/v/a, b.mkv"]),
    ("subtitles=/v/a.srt:1920x1080:/fonts", ["/v/a.srt", "/fonts"]),
    (r"subtitles=filename=file\\:/v/a.srt", ["/v/a.srt"]),
    ("subtitles=f=:si=0", []),
    ("ass=/v/a.ass:fontsdir=/fonts", ["/v/a.ass", "/fonts"]),
    ("movie=logo.png,scale=320:240[w];[in][w]overlay=10:10[out]", ["logo.png"]),
    ("movie=/v/a.mkv:s=v+a[v][a]", ["/v/a.mkv"]),
    ("amovie=/v/a.flac[x];movie=/v/%03d.png:f=image2", ["/v/a.flac", "/v/%03d.png"]),
    (r"movie=concat\\:/v/1.ts|/v/2.ts", ["/v/1.ts", "/v/2.ts"]),
    (r"movie=http\\://host/a.mkv", []),
    (r"movie=rtsp\\://host\\:554/a", []),
    (r"movie=/dev/video0:f=v4l2,movie=hw\\:0:f=alsa,amovie=format_name=pulse:filename=default", []),
    ("drawtext=/fonts/x.ttf:text=/v/not.txt:textfile=/v/t.txt:x=w/2", ["/fonts/x.ttf", "/v/t.txt"]),
    ("drawtext=text='/v/a/b':fontcolor=white", []),
    ("drawtext=/text=/v/t.txt", ["/v/t.txt"]),
    ("lut3d=/l/x.cube:interp=tetrahedral,lut1d=file=/l/y.cube", ["/l/x.cube", "/l/y.cube"]),
    ("vidstabdetect=/l/t.trf:5,vidstabtransform=input=/l/t.trf", ["/l/t.trf", "/l/t.trf"]),
    ("vidstabtransform=smoothing=20,unsharp=5:5:0.8", []),
    ("arnndn=m=/m/bd.rnnn", ["/m/bd.rnnn"]),
    ("[0:v][1:v]libvmaf=log_path=/l/v.json:n_threads=4:model_path=/m/v.json", ["/l/v.json", "/m/v.json"]),
    (r"libvmaf=model='version=v1|path=/m/a.json\:name=a|name=b\:path=/m/b.json'", ["/m/a.json", "/m/b.json"]),
    ("libvmaf=model=version", []),
    ("[0][1]ssim=/l/s.log;[0][1]psnr=f=/l/p.log", ["/l/s.log", "/l/p.log"]),
    ("metadata=print:file=/l/m.txt,ametadata=mode=print:file=/l/n.txt", ["/l/m.txt", "/l/n.txt"]),
    ("metadata=add:key=comment:value=/v/not", []),
    ("sendcmd=f=/l/c.cmd,asendcmd=c='0 volume volume 1':filename=/l/d.cmd", ["/l/c.cmd", "/l/d.cmd"]),
    ("curves=psfile=/l/a.acv:plot=/l/p.plt,selectivecolor=psfile=/l/b.asv", ["/l/a.acv", "/l/p.plt", "/l/b.asv"]),
    ("removelogo=/l/m.png,find_rect=/l/o.pgm,cover_rect=/l/c.jpg:cover", ["/l/m.png", "/l/o.pgm", "/l/c.jpg"]),
    ("[0][1]signature=nb_inputs=2:filename=s%d.xml", ["s%d.xml"]),
    ("deshake=filename=/l/d.log,deshake=-1:-1:-1:-1:16:16:mirror:8:125:exhaustive:/l/e.log", ["/l/d.log", "/l/e.log"]),
    ("nnedi=/m/w.bin,sr=model=/m/s.pb,derain=model=/m/d.pb", ["/m/w.bin", "/m/s.pb", "/m/d.pb"]),
    ("dnn_detect=tensorflow:/m/d.pb:x:y:labels=/m/l.txt", ["/m/d.pb", "/m/l.txt"]),
    ("libplacebo=w=1:custom_shader_path=/s/x.glsl", ["/s/x.glsl"]),
    ("ladspa=file=cmt:p=amp_mono,ladspa=/usr/lib/ladspa/amp.so", ["/usr/lib/ladspa/amp.so"]),
    ("sofalizer=/h/a.sofa:type=freq,asr=hmm=/m/en:dict=/m/d:lm=/m/l", ["/h/a.sofa", "/m/en", "/m/d", "/m/l"]),
    ("program_opencl=/c/a.cl:k,xfade_opencl=custom:/c/b.cl:k", ["/c/a.cl", "/c/b.cl"]),
    ("showcqt=fontfile=/f/a.ttf:axisfile=/f/b.png", ["/f/a.ttf", "/f/b.png"]),
    ("whisper=model=/m/w.bin:destination=/l/w.srt", ["/m/w.bin", "/l/w.srt"]),
    ("paletteuse=debug_kdtree=/l/k.dot,fieldhint=/l/h.txt:relative", ["/l/k.dot", "/l/h.txt"]),
    ("firequalizer=dumpfile=/l/f.txt,flite=textfile=/l/t.txt", ["/l/f.txt", "/l/t.txt"]),
    ("inlineass=font_scale=1.0:font_path=/f/a.ttf:fontconfig_file=/f/fonts.conf", ["/f/a.ttf", "/f/fonts.conf"]),
    ("cellauto=/l/c.txt,life=f=/l/l.txt", ["/l/c.txt", "/l/l.txt"]),
    ("select='gt(scene,0.3)',geq=lum='p(X/2,Y)',scale=trunc(iw/2)*2:-2,pan=stereo|c0=FL|c1=FR", []),
    ("lensfun=make=Canon:model=Canon EOS 100D:lens_model=f/3.5-5.6:enable=lte(t\\,5)", []),
]


@pytest.mark.parametrize(("graph", "paths"), FILES, ids=[graph for graph, _ in FILES])
def test_the_files_in_a_graph_are_found(graph: str, paths: list[str]) -> None:
    read = read_graph(graph)
    assert [place.path for place in read.places] == paths
    assert read.doubt is None
    assert not read.writes_stdout
    assert not read.reads_stdin


@pytest.mark.parametrize(
    ("graph", "quoting", "spelling"),
    [
        ("subtitles=f='/v/a':si=0", "filter", "'/v/a'"),
        ("subtitles='f=/v/a:si=0'", "option+quoted", "/v/a"),
        (r"subtitles='f='\'/v/a\'", "quoted+graph", "/v/a"),
        (r"movie=file\\:/v/a", "filter", "/v/a"),
        (r"movie=concat\\:/v/a", "concat+filter", "/v/a"),
        ("movie=/v/%03d.png", "pattern+filter", "/v/%03d.png"),
        ("movie=/v/%03d.mkv", "filter", "/v/%03d.mkv"),
        ("movie=/v/a%.png:f=image2", "filter", "/v/a%.png"),
        ("signature=filename=/v/%d.xml", "pattern+filter", "/v/%d.xml"),
        (r"libvmaf=model='path=/v/a\:name=b'", "concat+option+option+quoted", "/v/a"),
        ("movie=-", "filter", "-"),
    ],
)
def test_a_place_is_told_with_the_quotes_around_it(graph: str, quoting: str, spelling: str) -> None:
    (place,) = read_graph(graph).places
    assert (place.quoting, graph[place.start : place.end]) == (quoting, spelling)


@pytest.mark.parametrize(
    ("graph", "use"),
    [
        ("subtitles=/v/a", "read"),
        ("subtitles=fontsdir=/v/a", "folder"),
        ("metadata=print:file=/v/a", "written"),
        ("vidstabdetect=result=/v/a", "written"),
        ("vidstabtransform=input=/v/a", "read"),
        ("libvmaf=log_path=/v/a", "written"),
        ("psnr=/v/a", "written"),
    ],
)
def test_a_place_is_told_with_what_happens_there(graph: str, use: str) -> None:
    assert [place.use for place in read_graph(graph).places] == [use]


@pytest.mark.parametrize(
    ("graph", "filters"),
    [
        ("", ()),
        ("null", ("null",)),
        (" yadif, colormatrix=bt601:bt709 , scale=1440:1080 ", ("yadif", "colormatrix", "scale")),
        (
            "[0:v]scale@big=1:-2,split[a][b];[b] crop [b2] ; [a][b2]overlay@o[v]",
            ("scale", "split", "crop", "overlay"),
        ),
        ("sws_flags=lanczos;[0:v]scale=1:1", ("scale",)),
        ("[#0x2ef] setpts=PTS+1/TB [sub];[ #0x2d0 ][sub]overlay", ("setpts", "overlay")),
        ("[v:0]fps=10[v], [v][1:v]paletteuse", ("fps", "paletteuse")),
        ("sc\\ale='1':\"1\"", ("scale",)),
        ("drawtext=text='a,b;c[d]',null", ("drawtext", "null")),
    ],
)
def test_filters_are_told_without_labels_and_instances(graph: str, filters: tuple[str, ...]) -> None:
    read = read_graph(graph)
    assert (read.filters, read.doubt) == (filters, None)


@pytest.mark.parametrize(
    "graph",
    [
        *("scale=1,", "scale=1;", ",null", "null,,null", "[a", "[]null", "null[", "null[a]x", "[a b=[c]", "=1"),
        *("sws_flags=bicubic", "[a][b]"),
    ],
)
def test_what_is_no_graph_is_a_doubt(graph: str) -> None:
    assert "cannot be read" in (read_graph(graph).doubt or "")


@pytest.mark.parametrize(
    ("graph", "named"),
    [
        ("magic=model=/m/x.onnx", "magic"),
        ("magic=x='a|/m/x'", "magic"),
        ("magic=./x", "magic"),
        ("magic=size=2:net=x.onnx", "magic=net"),
        (r"magic=x=file\\:x", "magic"),
        ("scale=w=/v/a", "scale=w"),
        ("drawtext=boxcolor=../a", "drawtext=boxcolor"),
        ("subtitles=/v/a=b.srt", "subtitles=/v/a"),
        ("subtitles=/filename=/v/list", "subtitles=/filename"),
        ("sendcmd=c='0 drawtext reinit textfile=/v/a'", "sendcmd=commands"),
        ("sendcmd=commands='0 drawtext reinit textfile=/v/a'", "sendcmd=commands"),
        ("movie=testsrc:f=lavfi", "testsrc"),
        (r"movie=odd\\:a", "odd:a"),
        (r"subtitles=C\\:/v/a.srt", "C:/v/a.srt"),
        ("subtitles='f=/v/a'b", "/v/ab"),
        ("drawtext=x=1:text.txt", "text.txt"),
    ],
)
def test_what_could_be_a_file_is_a_doubt_that_names_it(graph: str, named: str) -> None:
    read = read_graph(graph)
    assert read.doubt is not None
    assert named.replace("sendcmd=commands", "sendcmd=c") in read.doubt
    assert read.places == ()


@pytest.mark.parametrize("graph", ["subtitles=f=/v/a.srt:0x0", "drawtext=text=a:/f/a.ttf", "movie=s=v:/v/a.mkv"])
def test_a_value_alone_behind_one_with_a_key_is_a_doubt_where_files_are_named(graph: str) -> None:
    """Up to 5.1 the dealing goes on behind the key, later such a value is refused."""
    assert "is not known" in (read_graph(graph).doubt or "")


@pytest.mark.parametrize("graph", ["scale=w=100:200", "subtitles=/v/a.srt:si=1", "drawtext=/f/a.ttf:text=a:"])
def test_elsewhere_it_is_none(graph: str) -> None:
    assert read_graph(graph).doubt is None


@pytest.mark.parametrize(
    ("graph", "urls"),
    [
        (r"movie=http\\://host/a.mkv[a];[in][a]overlay", ("http://host/a.mkv",)),
        (r"amovie=filename=rtsp\\://host\\:554/a", ("rtsp://host:554/a",)),
        ("movie=/v/a.mkv", ()),
    ],
)
def test_what_is_opened_over_the_network_is_told(graph: str, urls: tuple[str, ...]) -> None:
    assert read_graph(graph).urls == urls
    line = read("ffmpeg", ["-i", "http://host/b", "-vf", graph, "-f", "null", "-"])
    assert line.urls == ("http://host/b", *urls)


@pytest.mark.parametrize(
    "graph", ["magic=w=1.5:h=iw/2:p=bt709:c='a|b'", "tonemapx=tonemap=bt2390:peak=100", "alphasrc=s=2x2"]
)
def test_a_filter_without_anything_like_a_file_is_no_doubt(graph: str) -> None:
    assert read_graph(graph).doubt is None


@pytest.mark.parametrize(
    ("graph", "reads", "writes"),
    [
        ("blackdetect=d=0.5,metadata=print:file=-", False, True),
        (r"metadata=print:file=pipe\\:1", False, True),
        (r"metadata=print:file=pipe\\:2", False, False),
        ("metadata=print:file=/dev/stdout", False, True),
        ("metadata=print:file=/dev/stderr", False, False),
        ("[0][1]psnr=-", False, True),
        (r"movie=pipe\\:0", True, False),
        ("movie=/dev/stdin", True, False),
        ("libvmaf=log_path=/dev/stdout", False, True),
        ("libvmaf=log_path=/dev/null", False, False),
        ("metadata=print", False, False),
    ],
)
def test_standard_streams_are_no_files(graph: str, reads: bool, writes: bool) -> None:
    read = read_graph(graph)
    assert (read.reads_stdin, read.writes_stdout, read.places, read.doubt) == (reads, writes, (), None)


@pytest.mark.parametrize(
    ("options", "names_of_values"),
    [
        ("1:2:3", ["contrast", "brightness", "saturation"]),
        ("gamma=1:2:3", ["gamma", "gamma_r", "gamma_g"]),
        ("1:gamma=1:2", ["contrast", "gamma", "gamma_r"]),
        ("enable=1:1:2", ["enable", "brightness", "saturation"]),
        ("1:enable=1:2", ["contrast", "enable", "contrast"]),
        ("f=1:2", ["f", "size"]),
        ("filename=1:2", ["filename", "size"]),
        ("size=1:2", ["size", "s"]),
    ],
)
def test_a_value_without_a_key_is_for_the_option_whose_turn_it_is(options: str, names_of_values: list[str]) -> None:
    order: tuple[tuple[str, ...], ...] = tuple(
        (name,) for name in ("contrast", "brightness", "saturation", "gamma", "gamma_r", "gamma_g")
    )
    if "f" in names_of_values[0] or "size" in names_of_values[0]:
        order = (("filename", "f"), ("size", "s"))
    (only,) = parse(f"x={options}").filters
    assert [option.name for option in options_of(only.options, order)] == names_of_values


PATHS = ("filename", "f", "file", "textfile", "stats_file", "plot", "log_path", "model")
CONTEXTS = [
    "subtitles={}",
    "subtitles=f={}:si=1",
    "[0:v]scale=2:-2, movie=filename={} [x] ; [x]null",
    "metadata=mode=print:file={}:key=a\\\\:b",
    "drawtext=textfile={}:text='a, b'",
    "lut3d={}:interp=nearest",
    "[a][b]psnr=stats_file={}",
    "sws_flags=bicubic;curves=plot={}[o]",
    "libvmaf=psnr=1:log_path={}",
]


@given(st.data(), st.sampled_from(CONTEXTS), names, names, st.sampled_from(["", "/", "/x y/", "/it's:/"]))
def test_every_spelling_is_found_and_another_path_can_stand_there(
    data: st.DataObject, context: str, name: str, another: str, folder: str
) -> None:
    path = f"/v{folder}{name}" if folder else f"/{name}"
    outer = data.draw(spellings(data.draw(spellings(path, OPTION_ENDS)), GRAPH_ENDS))
    _replaced_everywhere(context.format(outer), path, another)


@given(st.data(), names, names)
def test_a_path_inside_quoted_options_is_found_and_replaced(data: st.DataObject, name: str, another: str) -> None:
    """As `subtitles='/v/a.mkv:si=0'`, where the quotes are around more than the path."""
    options = f"f={data.draw(spellings(f'/v/{name}', OPTION_ENDS))}:si=0"
    _replaced_everywhere("subtitles={}[v]".format("'" + options.replace("'", "'\\''") + "'"), f"/v/{name}", another)


@given(st.data(), names.filter(lambda name: "|" not in name), names.filter(lambda name: "|" not in name))
def test_a_path_in_a_model_is_found_and_replaced(data: st.DataObject, name: str, another: str) -> None:
    model = data.draw(spellings(data.draw(spellings(f"/v/{name}", OPTION_ENDS)), OPTION_ENDS))
    option = data.draw(spellings(model, GRAPH_ENDS))
    graph = f"libvmaf=model=name=a\\\\:path={option}|version=b:n_threads=2"
    _replaced_everywhere(graph, f"/v/{name}", another)


def _replaced_everywhere(graph: str, path: str, another: str) -> None:
    read = read_graph(graph)
    assert [place.path for place in read.places] == [path]
    assert read.doubt is None
    (place,) = read.places
    again = graph[: place.start] + write(b"/elsewhere", another.encode(), place.quoting).decode() + graph[place.end :]
    reread = read_graph(again)
    assert [place.path for place in reread.places] == [f"/elsewhere/{another}"]
    assert (reread.filters, reread.doubt) == (read.filters, None)
    assert _rest(again) == _rest(graph)


def _rest(graph: str) -> list[tuple[str, str | None, str]]:
    return [
        (each.name, option.name, "" if option.name in PATHS else option.value.text)
        for each in parse(graph).filters
        for option in options_of(each.options, FILTERS[each.name].order if each.name in FILTERS else ())
    ]


def test_bytes_that_are_no_utf_8_pass_through() -> None:
    name = os.fsdecode(b"caf\xe9: \xff.srt")
    read = read_graph(f"subtitles='/v/{name[:3]}{name[3]}\\: \udcff.srt'")
    (place,) = read.places
    assert os.fsencode(place.path) == b"/v/caf\xe9: \xff.srt"
