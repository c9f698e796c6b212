"""What is refused of ffmpeg's words, and above all what is not: none of these lines reaches out of its roots."""

import contextlib
from typing import Any, Final

import pytest

from ffmesh_agent.ffmpeg.opened import Opened
from ffmesh_agent.ffmpeg.strangers import refuse_strangers
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, Needs, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
HERE = RootPath(root="Movies", path="sub")
LONG: Final = 64 * 1024
"""Twice as long is the longest word that can be handed to a program."""
FILM: Argument = (RootPath(root="Movies", path="film.mkv"),)


def refuse(*args: str | Argument, program: str = "ffmpeg", network: bool = False) -> None:
    values: dict[str, Any] = {"attempt": ULID, "job": ULID, "number": 1, "kind": JobKind.DIRECT, "env": {}}
    values |= {"umask": None, "needs": Needs(program=program), "timeout_seconds": None, "audience": None, "cwd": HERE}
    pieces = tuple((arg,) if isinstance(arg, str) else arg for arg in args)
    refuse_strangers(
        Grant(program=program, args=pieces, **values), network=network, opened=Opened(["/opt/luts", "/etc/one-file"])
    )


HARMLESS = [
    ("-vf", "scale=iw/2:-1,fps=30000/1001,setpts=PTS/1.5"),
    ("-filter_complex", "[0:v]split=2[a][b];[a]scale='trunc(iw/2)*2':-2[c];[b][c]overlay=W-w:(H-h)/2"),
    ("-vf", "scale=trunc(iw / 2)*2:ih / 2"),
    ("-vf", "crop=in_w:in_h/2:0:in_h/4"),
    ("-vf", "subtitles=../subs/film.srt:force_style='Fontsize=24,Outline=1'"),
    ("-vf", r"subtitles=film\:s.srt:fontsdir=/usr/share/fonts"),
    ("-vf", "drawtext=fontfile=/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:text='a/b'"),
    ("-vf", "lut3d=/opt/luts/warm.cube"),
    ("-init_hw_device", "vaapi=va:/dev/dri/renderD128", "-filter_hw_device", "va"),
    ("-metadata", "comment=see http://example.com/ and /etc/hostname"),
    ("-metadata:s:s:0", "title=/a/b"),
    ("-headers", "Referer: https://example.com/"),
    ("-hls_base_url", "http://example.com/films/"),
    ("-segment_list_entry_prefix", "https://example.com/"),
    ("-force_key_frames", "expr:gte(t,n_forced*2)"),
    ("-progress", "pipe:1", "-f", "null", "-"),
    ("-i", "pipe:0", "-f", "matroska", "pipe:1"),
    ("-i", "data:text/plain;base64,/9j/4AAQ"),
    ("-f", "md5", "md5:"),
    ("-map", "0:v:0", "-c:v:1", "libx264", "-b:a", "128k", "-aspect", "16/9", "-r", "24000/1001"),
    ("-x264-params", "keyint=250:deblock=-1,-1:psy-rd=1.00,0.15"),
    ("-i", "concat:a.ts|b.ts"),
    ("-i", "file:film.mkv"),
    ("-i", "subfile,,start,0,end,100,,:film.mkv"),
    ("-f", "tee", "[f=mpegts]a.ts|[f=hls:hls_time=4]b.m3u8"),
    ("-i", "2001: A Space Odyssey.mkv"),
    ("-i", "http.mkv"),
    ("-i", "file:/dev/video0", "-vf", "lut3d=/etc/one-file"),
    ("-vf", "lut3d=file=/opt/luts/warm.cube,movie=/dev/null"),
    ("-af", "volume=/2"),
    ("-vf", "drawtext=text=/half"),
    ("-vf", r"drawtext=text='see\: /a/b, f=/etc/hostname':fontsize=12"),
    ("-vf", "geq=lum=lum(X\\,Y):cb=/2:cr=/2"),
    ("-vf", r"drawtext=text=http\\://example.com/a"),
    ("-metadata", "comment=/x"),
    ("-comment", "tls:1"),
    ("-comment", "udp://example.com is=/a/b"),
    ("-title", "a=/b/c"),
    ("-an", "rtp,film.mkv"),
    ("-an", "title=/a.mkv"),
    ("-f", "tee", "[f=hls:hls_base_url=http://example.com/]a.m3u8|[f=null]-"),
    ("-no_such_option", "see file:/etc/hostname"),
    ("-vf", "no_such_filter=/2"),
    ("-f", "null", "file:/nowhere"),
    ("-vf", r"drawtext=text=movie\\=http\\://example.com/a"),
]


@pytest.mark.parametrize("line", HARMLESS, ids=lambda line: " ".join(line))
def test_what_stays_in_its_roots_is_not_refused(line: tuple[str, ...]) -> None:
    refuse("-i", FILM, *line, FILM)


def test_pieces_are_not_looked_at_again() -> None:
    refuse("-i", ("concat:", *FILM, "|", *FILM), "-vf", ("subtitles=", *FILM, ":charenc=UTF-8"), FILM)
    refuse("-f", "tee", ("[f=mpegts]", *FILM, "|[f=matroska]", *FILM))


REFUSED = [
    (("-i", "file:/etc/hostname"), "/etc/hostname is an absolute path under no root"),
    (("-i", "concat:a.ts|/etc/hostname"), "/etc/hostname is an absolute path under no root"),
    (("-i", "crypto+file:/etc/hostname"), "/etc/hostname is an absolute path under no root"),
    (("-i", "async:cache:/etc/hostname"), "/etc/hostname is an absolute path under no root"),
    (("-i", "concat:../../x.ts"), "../../x.ts leads out of the folder that it belongs to"),
    (("-vf", r"movie='\/etc\/hostname'"), "/etc/hostname is an absolute path under no root"),
    (("-vf", "subtitles=../../../x.srt"), "../../../x.srt leads out of the folder that it belongs to"),
    (("-vf", "lut3d=/opt/luts/../secret"), "/opt/luts/../secret is an absolute path under no root"),
    (("-vf", "lut3d=/etc/one-file2"), "/etc/one-file2 is an absolute path under no root"),
    (("-i", "file:/dev/dri/../sda"), "/dev/dri/../sda is an absolute path under no root"),
    (("-x264-params", "pass=1:stats=/tmp/x"), "/tmp/x is an absolute path under no root"),
    (("-i", "unix:/run/docker.sock"), "sockets of this machine are not for jobs"),
    (("-i", "http://example.com/a"), "it would open the network (http:)"),
    (("-i", "hls+https://example.com/a"), "it would open the network (https:)"),
    (("-f", "tee", "[f=mpegts]udp://10.0.0.1:99"), "it would open the network (udp:)"),
    (("-vf", r"movie=http\\://example.com/a"), "it would open the network (http:)"),
    (("-f", "lavfi", "-i", r"movie=filename=rtsp\\://10.0.0.1/a"), "it would open the network (rtsp:)"),
    (("-f", "tee", "[f=hls:hls_segment_filename=/tmp/%d.ts]a.m3u8"), "/tmp/%d.ts is an absolute path under no root"),
    (("-f", "tee", "[f=mpegts]a.ts|unix:/run/x.sock"), "sockets of this machine are not for jobs"),
    (("-vf", r"movie=\'/dev/sda\'"), "/dev/sda is an absolute path under no root"),
    (("-x265-params", "csv=../../../x"), "../../../x leads out of the folder that it belongs to"),
    (("-vf", ("movie=", *FILM, r"/..\/..\/x")), "leads out of its root"),
]


@pytest.mark.parametrize(
    "part",
    [
        *("a", "=", "@", ":", "\\", "'", " ", "]", "=../", "../", "=a", "a=", "=a/", "a+", "=http+", "concat:"),
        *("crypto:", "subfile,:", "concat:a|", "[a]", "='"),
    ],
)
@pytest.mark.timeout(30)
def test_a_long_word_is_read_once(part: str) -> None:
    """With time that grew with the square of its length, most of these would take minutes."""
    word = (part * LONG)[:LONG]
    options = ("-i", "-vf", "-x264-params", "-x264opts")
    for line in (*((option, word) for option in options), ("-f", "tee", word), ("-vf", f"libvmaf=model={word}")):
        with contextlib.suppress(PathRefused):
            refuse(*line)


@pytest.mark.parametrize(("line", "sentence"), REFUSED, ids=str)
def test_what_leaves_them_is_refused_and_the_sentence_has_the_word(
    line: tuple[str | Argument, ...], sentence: str
) -> None:
    with pytest.raises(PathRefused) as refusal:
        refuse(*line)
    assert sentence in str(refusal.value)


def test_with_the_network_allowed_urls_are_nobodys_business_but_sockets_are() -> None:
    for url in ("http://example.com/a?x=/etc/hostname", "rtsp://user:pass@10.0.0.1:554/../x", "udp://10.0.0.1:99"):
        refuse("-i", url, network=True)
    with pytest.raises(PathRefused):
        refuse("-i", "unix:/run/docker.sock", network=True)
    with pytest.raises(PathRefused):
        refuse("-i", "file:/etc/hostname", network=True)


def test_of_programs_that_are_not_understood_nothing_is_refused_here() -> None:
    refuse("-c", "curl http://example.com >/tmp/x; echo a=/b", program="sh")
