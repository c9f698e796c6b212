"""The list: ways out of the roots, as arguments of programs. Each is a name, what it makes, and what it says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from end_to_end.yard import ROOT, SECRET, Yard
from ffmesh_protocol.media import Argument, RootPath

Says: TypeAlias = Callable[[Yard], tuple[str | Argument, ...]]


def _nothing(yard: Yard) -> None:
    del yard


@dataclass(frozen=True)
class Escape:
    name: str
    says: Says
    makes: Callable[[Yard], None] = _nothing
    program: str = "ffmpeg"
    cwd: RootPath | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    refused: bool = True
    """By the agent, with a sentence. Else only the fence holds it: it hides in a file, or in words we do not know."""
    unheard_of: tuple[str, ...] = ()
    """What an ffmpeg says that is too old for it, or was built without it."""
    bites: bool = True
    """False: there is something else in its way too."""


def film(name: str = "film.mkv") -> Argument:
    return (RootPath(root=ROOT, path=name),)


_HERE: Final = RootPath(root=ROOT, path="")
_IN: Final = ("-i", film())
_OUT: Final = film("out.mkv")
_NULL: Final = ("-f", "null", "-")
_UNKNOWN_OPTION: Final = ("Unrecognized option", "Option not found")
_NO_FILTER: Final = ("No such filter",)
_NO_PROTOCOL: Final = ("Protocol not found",)
_NO_FORMAT: Final = ("Unknown input format", "Unrecognized hwaccel", "not a suitable output format")


def _graph(graph: Callable[[Yard], str]) -> Says:
    return lambda yard: (*_IN, "-vf", graph(yard), *_NULL)


def _read(*words: Callable[[Yard], str] | str) -> Says:
    return lambda yard: (*(word if isinstance(word, str) else word(yard) for word in words), *_NULL)


def _out(name: str, before: str = "") -> Callable[[Yard], str]:
    return lambda yard: f"{before}{yard.out(name)}"


def _playlist(segment: Callable[[Yard], str]) -> Callable[[Yard], None]:
    return lambda yard: yard.note(
        "list.m3u8", "#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", segment(yard), "#EXT-X-ENDLIST"
    )


def _concat(name: Callable[[Yard], str]) -> Callable[[Yard], None]:
    return lambda yard: yard.note("list.ffconcat", "ffconcat version 1.0", f"file '{name(yard)}'")


def _manifest(yard: Yard) -> None:
    yard.note(
        "list.mpd",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" minBufferTime="PT1S"',
        ' mediaPresentationDuration="PT0.4S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>',
        '<AdaptationSet contentType="video"><Representation id="0" mimeType="video/mp2t" bandwidth="1">',
        f'<SegmentList duration="1"><SegmentURL media="{yard.out("film.ts")}"/></SegmentList>',
        "</Representation></AdaptationSet></Period></MPD>",
    )


def _two_links(yard: Yard) -> None:
    yard.link("a", "b")
    yard.link("b", yard.out(""))


def _linked_segment(yard: Yard) -> None:
    _playlist(lambda _: "link.ts")(yard)
    yard.link("link.ts", "../outside/film.ts")


def _shell(line: Callable[[Yard], str]) -> Says:
    return lambda yard: ("-c", line(yard))


#: What is read.
_NAMES: Final = (
    Escape("dots in a piece", lambda _: ("-i", film("../outside/film.mkv"), *_NULL)),
    Escape(
        "dots behind a piece",
        lambda _: ("-i", (*film("sub"), "/../../outside/film.mkv"), *_NULL),
        lambda yard: (yard.root / "sub").mkdir(),
    ),
    Escape("dots in a text", _read("-i", "../outside/film.mkv"), cwd=_HERE),
    Escape("an absolute path", _read("-i", _out("film.mkv"))),
    Escape("file:", _read("-i", _out("film.mkv", "file:"))),
    Escape(
        "a link to a file",
        lambda _: ("-i", film("link.mkv"), *_NULL),
        lambda yard: yard.link("link.mkv", "../outside/film.mkv"),
    ),
    Escape(
        "an absolute link",
        lambda _: ("-i", film("link.mkv"), *_NULL),
        lambda yard: yard.link("link.mkv", yard.out("film.mkv")),
    ),
    Escape(
        "a link to a folder",
        lambda _: ("-i", film("link/film.mkv"), *_NULL),
        lambda yard: yard.link("link", "../outside"),
    ),
    Escape(
        "a link to a link",
        lambda _: ("-i", film("a/film.mkv"), *_NULL),
        _two_links,
    ),
    Escape("a link in a text", _read("-i", "link/film.mkv"), lambda yard: yard.link("link", "../outside"), cwd=_HERE),
    Escape(
        "a working folder that is a link",
        _read("-i", "film.mkv"),
        lambda yard: yard.link("link", "../outside"),
        cwd=RootPath(root=ROOT, path="link"),
    ),
    Escape("concat:", _read("-i", _out("film.ts", "concat:"))),
    Escape("concat: with dots", _read("-i", "concat:film.ts|../outside/film.ts"), cwd=_HERE),
    Escape(
        "concat: behind a piece", lambda yard: ("-i", ("concat:", *film("film.ts"), f"|{yard.out('film.ts')}"), *_NULL)
    ),
    Escape(
        "concatf:",
        lambda _: ("-i", ("concatf:", *film("list")), *_NULL),
        lambda yard: yard.note("list", yard.out("film.ts")),
        refused=False,
        unheard_of=_NO_PROTOCOL,
    ),
    Escape("subfile:", _read("-i", _out("film.mkv", "subfile,,start,0,end,0,,:"))),
    Escape(
        "async:",
        _read(
            "-i",
            _out("film.mkv", "async:"),
        ),
        unheard_of=_NO_PROTOCOL,
    ),
    Escape("async:file:", _read("-i", _out("film.mkv", "async:file:")), unheard_of=_NO_PROTOCOL),
    Escape("cache:", _read("-i", _out("film.mkv", "cache:"))),
    Escape(
        "crypto:", _read("-decryption_key", "00" * 16, "-decryption_iv", "00" * 16, "-i", _out("film.mkv", "crypto:"))
    ),
    Escape(
        "a pattern of pictures",
        lambda _: ("-i", film("link/%d.png"), *_NULL),
        lambda yard: yard.link("link", "../outside"),
    ),
    Escape("a key file", lambda yard: (*_IN, "-f", "hls", "-hls_key_info_file", yard.out(), film("x.m3u8"))),
)
_LISTS: Final = (
    Escape("a playlist", lambda _: ("-i", film("list.m3u8"), *_NULL), _playlist(_out("film.ts")), refused=False),
    Escape(
        "a playlist with file:",
        lambda _: ("-i", film("list.m3u8"), *_NULL),
        _playlist(_out("film.ts", "file:")),
        refused=False,
    ),
    Escape(
        "a playlist with dots",
        lambda _: ("-i", film("list.m3u8"), *_NULL),
        _playlist(lambda _: "../outside/film.ts"),
        refused=False,
    ),
    Escape(
        "a playlist with a link",
        lambda _: ("-i", film("list.m3u8"), *_NULL),
        _linked_segment,
        refused=False,
    ),
    Escape(
        "a concat list",
        lambda _: ("-safe", "0", "-i", film("list.ffconcat"), *_NULL),
        _concat(_out("film.mkv")),
        refused=False,
    ),
    Escape(
        "a concat list with dots",
        lambda _: ("-safe", "0", "-f", "concat", "-i", film("list.ffconcat"), *_NULL),
        _concat(lambda _: "../outside/film.mkv"),
        refused=False,
    ),
    Escape(
        "a concat list with subfile:",
        lambda _: ("-protocol_whitelist", "file,subfile", "-safe", "0", "-i", film("list.ffconcat"), *_NULL),
        _concat(_out("film.mkv", "subfile,,start,0,end,0,,:")),
        refused=False,
    ),
    Escape(
        "a manifest of DASH",
        lambda _: ("-i", film("list.mpd"), *_NULL),
        _manifest,
        refused=False,
        unheard_of=("Invalid data found", *_NO_FORMAT),
    ),
)
_FILTERS: Final = (
    Escape("movie=", _graph(lambda yard: f"movie={yard.out('film.mkv')}[a];[in][a]overlay[out]")),
    Escape("movie= in quotes", _graph(lambda yard: f"movie='{yard.out('film.mkv')}'[a];[in][a]overlay[out]")),
    Escape("movie= with dots", _graph(lambda _: "movie=../outside/film.mkv[a];[in][a]overlay[out]"), cwd=_HERE),
    Escape("movie=filename=", _graph(lambda yard: f"movie=filename={yard.out('film.mkv')}[a];[in][a]overlay[out]")),
    Escape("a graph as input", _read("-f", "lavfi", "-i", _out("film.mkv", "movie="))),
    Escape("subtitles=", _graph(lambda yard: f"subtitles={yard.out('words.srt')}"), unheard_of=_NO_FILTER),
    Escape(
        "subtitles=, escaped",
        _graph(lambda yard: "subtitles=" + yard.out("words.srt").replace("/", "\\/")),
        unheard_of=_NO_FILTER,
    ),
    Escape("ass=", _graph(lambda yard: f"ass={yard.out('words.srt')}"), unheard_of=_NO_FILTER),
    Escape("drawtext=textfile", _graph(lambda yard: f"drawtext=textfile={yard.out()}"), unheard_of=_NO_FILTER),
    Escape("drawtext=fontfile", _graph(lambda yard: f"drawtext=text=a:fontfile={yard.out()}"), unheard_of=_NO_FILTER),
    Escape("lut3d=", _graph(lambda yard: f"lut3d={yard.out('colours.cube')}")),
    Escape("removelogo=", _graph(lambda yard: f"removelogo={yard.out('1.png')}")),
    Escape("sendcmd=f", _graph(lambda yard: f"sendcmd=f={yard.out()},null")),
    Escape(
        "-filter_complex_script",
        lambda yard: (*_IN, "-filter_complex_script", yard.out("graph"), *_NULL),
        unheard_of=_UNKNOWN_OPTION,
    ),
    Escape(
        "-filter_script", lambda yard: (*_IN, "-filter_script:v", yard.out("graph"), *_NULL), unheard_of=_UNKNOWN_OPTION
    ),
    Escape("-/filter", lambda yard: (*_IN, "-/filter:v", yard.out("graph"), *_NULL), unheard_of=_UNKNOWN_OPTION),
    Escape("-attach", lambda yard: (*_IN, "-attach", yard.out(), "-metadata:s:t", "mimetype=text/plain", _OUT)),
    Escape(
        "-attach file:",
        lambda yard: (*_IN, "-attach", f"file:{yard.out()}", "-metadata:s:t", "mimetype=text/plain", _OUT),
    ),
    Escape("-fpre", lambda yard: (*_IN, "-fpre", yard.out(), _OUT), unheard_of=_UNKNOWN_OPTION),
)

#: What is written.
_WRITES: Final = (
    Escape("an output with dots", lambda _: (*_IN, film("../outside/new.mkv"))),
    Escape("an absolute output", lambda yard: (*_IN, yard.out("new.mkv"))),
    Escape("an output over a canary", lambda yard: ("-y", *_IN, f"file:{yard.out('film.mkv')}")),
    Escape(
        "an output in a folder that is a link",
        lambda _: (*_IN, film("link/new.mkv")),
        lambda yard: yard.link("link", "../outside"),
    ),
    Escape(
        "an output that is a link to nothing yet",
        lambda _: (*_IN, film("new.mkv")),
        lambda yard: yard.link("new.mkv", "../outside/new.mkv"),
    ),
    Escape(
        "tee:",
        lambda yard: (*_IN, "-map", "0", "-c", "copy", "-f", "tee", f"[f=null]-|[f=matroska]{yard.out('new.mkv')}"),
    ),
    Escape("-vstats_file", lambda yard: (*_IN, "-vstats_file", yard.out("new"), _OUT)),
    Escape("-progress", lambda yard: (*_IN, "-progress", yard.out("new"), *_NULL)),
    Escape("-progress file:", lambda yard: (*_IN, "-progress", f"file:{yard.out('new')}", *_NULL)),
    Escape(
        "-dump_attachment",
        lambda yard: ("-dump_attachment:t:0", f"file:{yard.out('new')}", "-i", film("attached.mkv"), *_NULL),
    ),
    Escape(
        "-hls_segment_filename",
        lambda yard: (*_IN, "-f", "hls", "-hls_segment_filename", f"file:{yard.out('%d.ts')}", film("a.m3u8")),
    ),
    Escape(
        "-segment_list",
        lambda yard: (*_IN, "-f", "segment", "-segment_list", f"file:{yard.out('new')}", film("%d.mkv")),
    ),
    Escape("-passlogfile", lambda yard: (*_IN, "-pass", "1", "-passlogfile", yard.out("new"), *_NULL)),
    Escape(
        "stats of x264",
        lambda yard: (*_IN, "-c:v", "libx264", "-x264-params", f"pass=1:stats={yard.out('new')}", *_NULL),
        unheard_of=("Unknown encoder",),
    ),
    Escape(
        "vidstabdetect=result", _graph(lambda yard: f"vidstabdetect=result={yard.out('new')}"), unheard_of=_NO_FILTER
    ),
    Escape("metadata=file", _graph(lambda yard: f"metadata=print:file={yard.out('new')}")),
    Escape("psnr=stats_file", lambda yard: (*_IN, *_IN, "-lavfi", f"psnr=stats_file={yard.out('new')}", *_NULL)),
    Escape(
        "-report by environment",
        lambda _: (*_IN, *_NULL),
        env={"FFREPORT": "file=../outside/new"},
        cwd=_HERE,
        refused=False,
        bites=False,
    ),
    Escape(
        "-o of ffprobe",
        lambda yard: ("-o", f"file:{yard.out('new')}", "-show_format", film()),
        program="ffprobe",
        unheard_of=_UNKNOWN_OPTION,
    ),
)

#: The network, and sockets.
_SOCKETS: Final = (
    Escape("tcp:", lambda yard: ("-i", f"tcp://127.0.0.1:{yard.port}?timeout=100000", *_NULL)),
    Escape("http:", lambda yard: ("-rw_timeout", "100000", "-i", f"http://127.0.0.1:{yard.port}/a", *_NULL)),
    Escape("udp:", lambda yard: (*_IN, "-f", "mpegts", f"udp://127.0.0.1:{yard.udp_port}")),
    Escape("rtp:", lambda yard: (*_IN, "-f", "rtp", f"rtp://127.0.0.1:{yard.udp_port}")),
    Escape("unix:", lambda yard: ("-i", f"unix:{yard.socket}", *_NULL)),
    Escape("-progress http:", lambda yard: (*_IN, "-progress", f"http://127.0.0.1:{yard.port}/p", *_NULL)),
    Escape(
        "tee: to the network",
        lambda yard: (
            *_IN,
            "-map",
            "0",
            "-c",
            "copy",
            "-f",
            "tee",
            f"[f=mpegts]udp://127.0.0.1:{yard.udp_port}|[f=null]-",
        ),
    ),
    Escape(
        "movie= of the network",
        _graph(lambda yard: rf"movie=http\\://127.0.0.1\\:{yard.port}/a[a];[in][a]overlay[out]"),
    ),
    Escape(
        "a playlist of the network",
        lambda _: ("-protocol_whitelist", "file,http,tcp", "-rw_timeout", "100000", "-i", film("list.m3u8"), *_NULL),
        _playlist(lambda yard: f"http://127.0.0.1:{yard.port}/a.ts"),
        refused=False,
    ),
    Escape(
        "a concat list of the network",
        lambda _: ("-protocol_whitelist", "file,tcp", "-safe", "0", "-i", film("list.ffconcat"), *_NULL),
        _concat(lambda yard: f"tcp://127.0.0.1:{yard.port}?timeout=100000"),
        refused=False,
    ),
)

#: Programs of which we understand nothing.
_OTHERS: Final = (
    Escape("cat", lambda yard: (yard.out(),), program="cat"),
    Escape("a shell that reads", _shell(lambda yard: f"cat {yard.out()}"), program="sh", refused=False),
    Escape(
        "a shell that reads through another process",
        _shell(lambda yard: f"cat /proc/{yard.pid}/root{yard.out()}"),
        program="sh",
        refused=False,
    ),
    Escape(
        "a shell that reads what another process has open",
        _shell(lambda yard: f"cat /proc/{yard.pid}/fd/{yard.held}"),
        program="sh",
        refused=False,
    ),
    Escape(
        "a shell that links and reads",
        _shell(lambda yard: f"ln {yard.out()} hard && cat hard"),
        program="sh",
        cwd=_HERE,
        refused=False,
    ),
    Escape(
        "a shell that makes a link and follows it",
        _shell(lambda yard: f"ln -s {yard.out()} soft && cat soft"),
        program="sh",
        cwd=_HERE,
        refused=False,
    ),
    Escape(
        "a shell that writes", _shell(lambda yard: f"echo {SECRET} >{yard.out('new')}"), program="sh", refused=False
    ),
    Escape("a shell that removes", _shell(lambda yard: f"rm {yard.out()}"), program="sh", refused=False),
    Escape(
        "a shell that moves out",
        _shell(lambda yard: f"mv film.mkv {yard.out('new.mkv')}"),
        program="sh",
        cwd=_HERE,
        refused=False,
    ),
    Escape(
        "a shell that moves in", _shell(lambda yard: f"mv {yard.out()} mine"), program="sh", cwd=_HERE, refused=False
    ),
    Escape("a shell that changes modes", _shell(lambda yard: f"chmod 777 {yard.out()}"), program="sh", refused=False),
    Escape(
        "a shell that changes owners", _shell(lambda yard: f"chown $(id -u) {yard.out()}"), program="sh", refused=False
    ),
    Escape(
        "a shell that changes dates",
        _shell(lambda yard: f"touch -c -d @1 {yard.out()}"),
        program="sh",
        refused=False,
    ),
    Escape(
        "a shell that changes modes over a link",
        _shell(lambda _: "chmod 777 link"),
        lambda yard: yard.link("link", "../outside/canary.txt"),
        program="sh",
        cwd=_HERE,
        refused=False,
    ),
    Escape("a shell that lists", _shell(lambda yard: f"ls {yard.outside}"), program="sh", refused=False),
    Escape(
        "a grandchild in its own session",
        _shell(lambda yard: f"setsid -w cat {yard.out()}"),
        program="sh",
        refused=False,
    ),
)

ESCAPES: Final = (*_NAMES, *_LISTS, *_FILTERS, *_WRITES, *_SOCKETS, *_OTHERS)
