"""Paths travel as pieces, every machine writes its own, and nobody gets out of a root."""

import os
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import (
    Argument,
    Piece,
    RawBytes,
    RootPath,
    are_quoted,
    argument_of,
    is_same_everywhere,
    leads_out,
    piece_of_path,
    printable,
    raw_bytes,
    roots_in,
    shown,
    working_folder,
    written,
)

CALLER = {"Movies": "/media/movies", "New": "/media/movies/new", "Tmp": "/tmp/x/"}
AGENT = {"Movies": "/mnt/films", "New": "/srv/new", "Tmp": "/var/scratch"}
NOT_UTF8 = os.fsdecode(b"caf\xe9.mkv")

path_names = st.one_of(
    st.text(alphabet=st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8),
    st.binary(min_size=1, max_size=5).map(os.fsdecode).filter(lambda name: "/" not in name and "\0" not in name),
    st.sampled_from([".", "..", "...", "-i", "a b", "$Movies", "%03d"]),
)
relative_paths = st.lists(path_names, max_size=6).map("/".join)


def inside(path: bytes, place: str) -> bool:
    normal = posixpath.normpath(path)
    top = os.fsencode(place.rstrip("/")) or b"/"
    return normal == top or normal.startswith(top.rstrip(b"/") + b"/")


@pytest.mark.parametrize(
    ("text", "pieces", "on_the_agent"),
    [
        ("-i", ("-i",), b"-i"),
        ("", ("",), b""),
        ("/media/movies", (RootPath(root="Movies", path=""),), b"/mnt/films"),
        ("/media/movies/", (RootPath(root="Movies", path=""),), b"/mnt/films"),
        ("//media//movies/./a b.mkv", (RootPath(root="Movies", path="a b.mkv"),), b"/mnt/films/a b.mkv"),
        ("/media/movies/x/../y.mkv", (RootPath(root="Movies", path="y.mkv"),), b"/mnt/films/y.mkv"),
        ("/media/movies/new/y.mkv", (RootPath(root="New", path="y.mkv"),), b"/srv/new/y.mkv"),
        ("/media/movies/newer/y.mkv", (RootPath(root="Movies", path="newer/y.mkv"),), b"/mnt/films/newer/y.mkv"),
        ("/tmp/x/-y", (RootPath(root="Tmp", path="-y"),), b"/var/scratch/-y"),
        ("out.mkv", ("out.mkv",), b"out.mkv"),
        ("a/../b", ("a/../b",), b"a/../b"),
        ("-vf", ("-vf",), b"-vf"),
        ("-..", ("-..",), b"-.."),
        ("/dev/null", ("/dev/null",), b"/dev/null"),
        ("/dev/fd/63", ("/dev/fd/63",), b"/dev/fd/63"),
        ("/dev/dri/renderD128", ("/dev/dri/renderD128",), b"/dev/dri/renderD128"),
        ("/dev/video0", ("/dev/video0",), b"/dev/video0"),
        ("/dev/nvidia0", ("/dev/nvidia0",), b"/dev/nvidia0"),
        (NOT_UTF8, (RawBytes(base64="Y2Fm6S5ta3Y="),), b"caf\xe9.mkv"),
        (
            f"/media/movies/{NOT_UTF8}",
            (RootPath(root="Movies", path=""), RawBytes(base64="Y2Fm6S5ta3Y=")),
            b"/mnt/films/caf\xe9.mkv",
        ),
    ],
    ids=repr,
)
def test_an_argument_becomes_pieces_and_every_machine_writes_its_own(
    text: str, pieces: Argument, on_the_agent: bytes
) -> None:
    assert argument_of(text, CALLER, None) == pieces
    assert written(pieces, AGENT, None) == on_the_agent


@given(st.sampled_from(sorted(CALLER.values())), relative_paths)
def test_what_lies_under_a_root_comes_back_as_it_was(place: str, below: str) -> None:
    text = f"{place}/{below}"
    try:
        argument = argument_of(text, CALLER, None)
    except PathRefused:
        assert piece_of_path(text, CALLER) is None
        return
    assert written(argument, CALLER, None) == os.fsencode(posixpath.normpath(text))


@given(relative_paths.filter(lambda text: not text.startswith("/")))
def test_what_is_no_path_of_a_root_comes_back_as_it_was(text: str) -> None:
    try:
        argument = argument_of(text, CALLER, None)
    except PathRefused:
        assert leads_out(text, None)
        with pytest.raises(PathRefused):
            written((text.encode(errors="replace").decode(),), AGENT, None)
        return
    assert written(argument, AGENT, None) == os.fsencode(text)


def test_the_longest_root_wins_in_any_order() -> None:
    for roots in (CALLER, dict(reversed(CALLER.items()))):
        assert piece_of_path("/media/movies/new/x", roots) == RootPath(root="New", path="x")
        assert piece_of_path("/media/movies/old/x", roots) == RootPath(root="Movies", path="old/x")


@pytest.mark.parametrize("place", ["/", "//", "/."])
def test_the_whole_disk_may_be_a_root(place: str) -> None:
    assert piece_of_path("/etc/hosts", {"All": place}) == RootPath(root="All", path="etc/hosts")
    assert piece_of_path("/", {"All": place}) == RootPath(root="All", path="")
    assert written((RootPath(root="All", path="etc/hosts"),), {"All": "/"}) == b"/etc/hosts"
    assert written((RootPath(root="All", path=""),), {"All": "/"}) == b"/"


def test_two_slashes_at_the_beginning_of_a_root_are_one() -> None:
    assert piece_of_path("/media/x", {"Media": "//media/"}) == RootPath(root="Media", path="x")


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "/media/movies/../../etc/passwd",
        "/media/moviesX/y",
        "/media",
        "/",
        "//etc/passwd",
        "/dev/sda",
        "/dev/dri/../sda",
        "/dev/video0/../sda",
        "/dev/nvidia0\n",
        "/dev/fd/../../etc/passwd",
        "/dev/fd/",
        "/dev/fd/3/x",
        "/dev/fd/3\n",
        "/dev/null/../sda",
        "/dev/stdin/../sda",
        "/media/movies/" + "x" * 4097,
    ],
)
def test_an_absolute_argument_under_no_root_is_refused_and_named(text: str) -> None:
    with pytest.raises(PathRefused) as refused:
        argument_of(text, CALLER, None)
    assert printable(text)[:20] in str(refused.value)
    with pytest.raises(PathRefused):
        argument_of(text, {}, None)


@pytest.mark.parametrize(
    ("text", "folder", "out"),
    [
        ("..", None, True),
        ("../x", None, True),
        ("a/../../x", None, True),
        ("a/../x", None, False),
        ("...", None, False),
        ("..x", None, False),
        ("../x", "a", False),
        ("../../x", "a", True),
        ("../../x", "a/b", False),
        ("../../../x", "a/b", True),
        ("../Movies/x", "", True),
        ("./../x", "", True),
        ("a/..", "", False),
        ("-../x", None, False),
        ("..", "a", False),
        ("..", "../a", True),
    ],
)
def test_a_relative_argument_may_not_lead_out(text: str, folder: str | None, out: bool) -> None:
    working = None if folder is None else RootPath(root="Movies", path=folder)
    assert leads_out(text, working) is out
    for refuse in (lambda: argument_of(text, CALLER, working), lambda: written((text,), AGENT, working)):
        if out:
            with pytest.raises(PathRefused):
                refuse()
        else:
            refuse()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/0", "/dev/fd/10"])
def test_streams_of_the_process_itself_are_no_files(path: str) -> None:
    assert is_same_everywhere(path)
    assert written((path,), {}, None) == path.encode()


def coded(raw: bytes) -> RawBytes:
    import base64

    return RawBytes(base64=base64.b64encode(raw).decode())


@pytest.mark.parametrize(
    "argument",
    [
        (RootPath(root="Movies", path=".."),),
        (RootPath(root="Movies", path="../x"),),
        (RootPath(root="Movies", path="a/../../x"),),
        (RootPath(root="Movies", path="link/../x"),),
        (RootPath(root="Movies", path="./.."),),
        (RootPath(root="Movies", path="/etc/passwd"),),
        (RootPath(root="Movies", path="//etc/passwd"),),
        (RootPath(root="Movies", path=""), "../x"),
        (RootPath(root="Movies", path=""), "/../x"),
        (RootPath(root="Movies", path=""), "//../../x"),
        (RootPath(root="Movies", path="a"), "/../../x"),
        (RootPath(root="Movies", path="a"), "b/../../x"),
        (RootPath(root="Movies", path="a/."), "./../x"),
        (RootPath(root="Movies", path="."), "./x"),
        (RootPath(root="Movies", path="a/"), "../../x"),
        (RootPath(root="Movies", path=""), ".", "./x"),
        (RootPath(root="Movies", path=""), "", "", "../x"),
        (RootPath(root="Movies", path=""), coded(b"../x")),
        (RootPath(root="Movies", path=""), coded(b"/../\xff")),
        (RootPath(root="Movies", path="a"), coded(b"\xff/../../x")),
        (RootPath(root="Movies", path=""), coded(b"."), ".", coded(b"/x")),
        (RootPath(root="Movies", path="a"), RootPath(root="New", path=""), "/../x"),
        (RootPath(root="New", path="a"), "/../..", RootPath(root="Movies", path="b")),
        (
            "",
            RootPath(root="Movies", path=".."),
        ),
        ("/etc/passwd",),
        ("/", "etc/passwd"),
        ("", "/etc/passwd"),
        (coded(b"/etc/passwd"),),
        (coded(b"/"), RootPath(root="Movies", path="x")),
        ("/dev/fd/../../etc/passwd",),
        ("/dev/fd/", RootPath(root="Movies", path="x")),
        ("../x",),
        (".", "./x"),
        ("a/", coded(b"../../\xff")),
        ("..", RootPath(root="Movies", path="x")),
        ("zero\0byte",),
        (RootPath(root="Movies", path="zero\0byte"),),
        (coded(b"zero\0byte"),),
        (RootPath(root="Nowhere", path="x"),),
        (RootPath(root="Movies", path="x", quoting="unheard-of"),),
        (RootPath(root="Movies", path="x|y", quoting="concat"),),
        ("f=", RootPath(root="Movies", path="../x", quoting="filter")),
        ("f=", RootPath(root="Movies", path="a", quoting="filter"), "/../../x"),
        ("f=", RootPath(root="Movies", path="", quoting="filter"), "../x:si=1"),
        ("f=", RootPath(root="Movies", path="a", quoting="filter"), "\\:/../../x"),
        ("f='", RootPath(root="Movies", path="a", quoting="option+quoted"), "'/../../x"),
        ("f=", RootPath(root="Movies", path="a", quoting="tee"), "/.\\./../x|y"),
        (RawBytes(base64="no base64!"),),
        (RawBytes(base64="QQ"),),
    ],
    ids=repr,
)
def test_an_agent_refuses_what_leaves_its_roots_whoever_sent_it(argument: Argument) -> None:
    with pytest.raises(PathRefused):
        written(argument, AGENT, None)


@pytest.mark.parametrize(
    ("quoting", "before", "after", "whole"),
    [
        ("filter", "subtitles=f=", ":si=1", rb"subtitles=f=/mnt/it\\\'s\[1\]/a\\:b.srt:si=1"),
        ("option+quoted", "ass='", "':x=../../y", rb"ass='/mnt/it\'\''s[1]/a\:b.srt':x=../../y"),
        ("tee", "x.mkv|", "|y.mkv", rb"x.mkv|/mnt/it\'s[1]/a:b.srt|y.mkv"),
        ("concat", "concat:", "|y.ts", rb"concat:/mnt/it's[1]/a:b.srt|y.ts"),
        ("none", "file:", "", rb"file:/mnt/it's[1]/a:b.srt"),
        ("pattern", "", "_%d.png", rb"/mnt/it's[1]/a:b.srt_%d.png"),
    ],
)
def test_a_path_is_written_with_the_escapes_of_its_place(quoting: str, before: str, after: str, whole: bytes) -> None:
    path = RootPath(root="Movies", path="a:b.srt", quoting=quoting)
    assert written((before, path, after), {"Movies": "/mnt/it's[1]"}, None) == whole


def test_bytes_behind_a_root_in_a_quoted_place_lie_below_it() -> None:
    argument = ("f=", RootPath(root="Movies", path="", quoting="filter"), RawBytes(base64="Y2Fm6S5ta3Y="), ":si=1")
    assert written(argument, AGENT, None) == b"f=/mnt/films/caf\xe9.mkv:si=1"
    folder = ("f=x:fontsdir=", RootPath(root="Movies", path="", quoting="filter"), ":si=1")
    assert written(folder, AGENT, None) == b"f=x:fontsdir=/mnt/films:si=1"


def test_whether_a_submit_needs_who_writes_quoted_paths() -> None:
    plain = ("file:", RootPath(root="Movies", path="x"))
    assert not are_quoted([plain, ("-i",)])
    assert are_quoted([plain, ("ass=", RootPath(root="Movies", path="x", quoting="filter"))])


pieces: st.SearchStrategy[Piece] = st.one_of(
    st.builds(
        RootPath,
        root=st.sampled_from(["Movies", "New"]),
        path=st.text(alphabet="./a", max_size=8),
    ),
    st.text(alphabet="./a:|", max_size=8),
    st.binary(max_size=4).map(coded),
    st.text(alphabet="./\0", max_size=6).map(str.encode).map(coded),
)


@given(st.lists(pieces, max_size=5).map(tuple))
def test_no_pieces_whatever_name_a_place_outside(argument: Argument) -> None:
    """Judged by what comes out alone: an absolute path lies in a root, a relative one in its folder."""
    try:
        whole = written(argument, AGENT, None)
    except PathRefused:
        return
    if whole.startswith(b"/"):
        assert any(inside(whole, place) for place in AGENT.values()) or is_same_everywhere(os.fsdecode(whole))
    else:
        assert posixpath.normpath(whole).split(b"/")[0] != b".." or whole.startswith(b"-")


def test_where_the_program_starts_may_be_unknown_and_then_only_absolute_paths_are_judged() -> None:
    assert written(("../x",), AGENT) == b"../x"
    with pytest.raises(PathRefused):
        written(("/etc/passwd",), AGENT)


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (("-i",), "-i"),
        ((RootPath(root="Movies", path="a/b.mkv"),), "$Movies/a/b.mkv"),
        ((RootPath(root="Movies", path=""),), "$Movies"),
        ((RootPath(root="Movies", path=""), coded(b"caf\xe9")), "$Movies/caf\\xe9"),
        (("concat:", RootPath(root="Movies", path="a"), "|", RootPath(root="New", path="")), "concat:$Movies/a|$New"),
        ((), ""),
    ],
)
def test_people_see_roots_by_their_names(argument: Argument, text: str) -> None:
    assert shown(argument) == text


@given(st.lists(pieces, max_size=5).map(tuple))
def test_what_is_shown_can_be_said(argument: Argument) -> None:
    shown(argument).encode()


def test_the_roots_of_a_job_are_those_of_its_arguments_and_of_its_folder() -> None:
    arguments = [argument_of(text, CALLER, None) for text in ("-i", "/tmp/x/a", "/media/movies/b", "/tmp/x/c")]
    assert roots_in(arguments, None) == ("Movies", "Tmp")
    assert roots_in(arguments, RootPath(root="New", path="")) == ("Movies", "New", "Tmp")
    assert roots_in([], None) == ()


def test_a_program_starts_where_its_caller_stands_if_that_can_be_named() -> None:
    assert working_folder("/media/movies/a", CALLER) == RootPath(root="Movies", path="a")
    assert working_folder("/home/me", CALLER) is None
    assert working_folder(f"/media/movies/{NOT_UTF8}", CALLER) is None


@given(st.binary(max_size=30))
def test_bytes_come_back_as_they_were(raw: bytes) -> None:
    assert raw_bytes(coded(raw)) == raw


@given(st.binary(max_size=30))
def test_a_sentence_about_a_path_is_one_printable_line(raw: bytes) -> None:
    assert printable(os.fsdecode(raw)).isprintable()
