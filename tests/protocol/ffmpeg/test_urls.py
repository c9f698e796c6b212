"""What a name opens: a file behind any number of local protocols, a stream, or nothing that is here."""

import pytest

from ffmesh_protocol.ffmpeg.places import READ, WRITTEN, Place
from ffmesh_protocol.ffmpeg.urls import read_file, read_url


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a.mkv", ["a.mkv"]),
        ("/media/c: d.mkv", ["/media/c: d.mkv"]),
        ("./a:b.mkv", ["./a:b.mkv"]),
        ("file:a.mkv", ["a.mkv"]),
        ("file:-a.mkv", ["-a.mkv"]),
        ("file:///media/a.mkv", ["///media/a.mkv"]),
        ("file:http://x", ["http://x"]),
        ("async:cache:/a.mkv", ["/a.mkv"]),
        ("crypto:/a.ts", ["/a.ts"]),
        ("crypto+file:/a.ts", ["/a.ts"]),
        ("bluray:/mnt/disc", ["/mnt/disc"]),
        ("concat:a.ts|file:b.ts||/c d.ts", ["a.ts", "b.ts", "/c d.ts"]),
        ("concatf:/list.txt", ["/list.txt"]),
        ("subfile,,start,153391104,end,268142592,,:/dvd/a.vob", ["/dvd/a.vob"]),
        ("subfile,;start;1;end;2;;:a;b.vob", ["a;b.vob"]),
        ("md5:/sums/a.md5", ["/sums/a.md5"]),
        ("hls+file:/a.m3u8", ["/a.m3u8"]),
        ("/dev/shm/a.ts", ["/dev/shm/a.ts"]),
        ("", []),
        ("file:", []),
        ("data:text/plain;base64,AAAA", []),
        ("/dev/null", []),
        ("/dev/dri/renderD128", []),
        ("/dev/video0", []),
    ],
)
def test_the_files_behind_a_name(text: str, paths: list[str]) -> None:
    address = read_url(text)
    assert [place.path for place in address.places] == paths
    assert [text[place.start : place.end] for place in address.places] == paths
    assert address.doubt is None


@pytest.mark.parametrize(
    ("text", "use", "descriptors"),
    [
        ("-", READ, (0,)),
        ("-", WRITTEN, (1,)),
        ("pipe:", READ, (0,)),
        ("pipe:", WRITTEN, (1,)),
        ("pipe:3", WRITTEN, (3,)),
        ("fd:", WRITTEN, (1,)),
        ("/dev/stdin", READ, (0,)),
        ("/dev/stdout", WRITTEN, (1,)),
        ("/dev/fd/63", READ, (63,)),
        ("/proc/self/fd/1", WRITTEN, (1,)),
        ("cache:pipe:0", READ, (0,)),
        ("md5:", WRITTEN, (1,)),
    ],
)
def test_the_streams_behind_a_name(text: str, use: str, descriptors: tuple[int, ...]) -> None:
    address = read_url(text, use)
    assert (address.streams, address.places, address.doubt) == (descriptors, (), None)


@pytest.mark.parametrize("text", ["http://a/b", "rtsp://u:p@h/1", "udp://@:1234", "hls+http://x/y.m3u8", "tcp:h:1"])
def test_what_the_network_has_is_no_file(text: str) -> None:
    address = read_url(text)
    assert (address.places, address.streams, address.doubt) == ((), (), None)
    assert address.urls


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Sample: 1.mkv", "no protocol"),
        ("C:\\films\\a.mkv", "no protocol"),
        ("unix:/run/x.sock", "socket"),
        ("/dev/sr0", "device"),
        ("subfile,,start,1", "could be read"),
        ("subfile,,start,0,end,0,/a.vob:x", "could be read"),
        ("async:" * 9 + "/a", "too many"),
    ],
)
def test_what_cannot_be_told_is_a_doubt(text: str, word: str) -> None:
    address = read_url(text)
    assert address.places == ()
    assert address.doubt is not None
    assert word in address.doubt


def test_a_part_of_a_list_says_that_it_stands_in_one() -> None:
    assert read_url("concat:a|b").places == (
        Place(start=7, end=8, path="a", quoting="concat"),
        Place(start=9, end=10, path="b", quoting="concat"),
    )


def test_what_is_no_url_keeps_what_looks_like_a_protocol() -> None:
    assert read_file("file:a").places == (Place(start=0, end=6, path="file:a"),)
