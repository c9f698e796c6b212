import base64
from typing import Any

import pytest

from ffmesh_agent.ffmpeg.argv import command
from ffmesh_agent.ffmpeg.aside import Aside, aside, may_replace, redirected
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, Needs, RawBytes, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
HIDDEN = f"/media/a b/.ffmesh-{ULID}"


def path(relative: str, root: str = "R") -> RootPath:
    return RootPath(root=root, path=relative)


def grant(
    output: str | None,
    *args: str | RootPath | Argument,
    program: str = "ffmpeg",
    cwd: RootPath | None = None,
    kind: JobKind = JobKind.STAGED,
) -> Grant:
    values: dict[str, Any] = {"attempt": ULID, "job": ULID, "number": 1, "env": {}, "umask": None}
    values |= {"needs": Needs(program=program), "timeout_seconds": None, "audience": None}
    pieces = tuple(arg if isinstance(arg, tuple) else (arg,) for arg in args)
    outputs = () if output is None else (path(output),)
    return Grant(program=program, args=pieces, cwd=cwd, kind=kind, outputs=outputs, **values)


def place_of(given: Grant) -> Aside:
    place = aside(given)
    assert place is not None
    return place


def arguments(given: Grant) -> list[str]:
    """What the program is given in the end, without what we ask of ffmpeg for ourselves."""
    wanted = command(redirected(given, place_of(given)), {"ffmpeg": "", "sh": ""}, {"R": "/media", "S": "/srv"})
    ours = 2 if wanted.reports_progress else 0
    return [argument.decode(errors="surrogateescape") for argument in wanted.argv[1 + ours :]]


def raw(content: bytes) -> RawBytes:
    return RawBytes(base64=base64.b64encode(content).decode())


def test_an_output_is_made_in_a_hidden_folder_of_the_attempt_beside_its_place() -> None:
    place = place_of(grant("a b/c.mkv"))
    assert (place.hidden, place.staged) == (f"a b/.ffmesh-{ULID}", f"a b/.ffmesh-{ULID}/c.mkv")
    assert (place.shown, place.folder_shown, place.is_folder) == ("$R/a b/c.mkv", "$R/a b", False)
    at_the_top = place_of(grant("c.mkv"))
    assert (at_the_top.staged, at_the_top.folder_shown) == (f".ffmesh-{ULID}/c.mkv", "$R")
    folder = place_of(grant("a b//parts/"))
    assert (folder.staged, folder.shown, folder.is_folder) == (f"a b/.ffmesh-{ULID}/parts", "$R/a b/parts/", True)


@pytest.mark.parametrize("given", [grant(None), grant("a", kind=JobKind.DIRECT), grant("a", kind=JobKind.INTERACTIVE)])
def test_what_is_not_staged_or_has_no_output_is_left_alone(given: Grant) -> None:
    assert aside(given) is None


@pytest.mark.parametrize("output", ["", ".", "./", "../a", "a/../../b", "/a", "a/..", "a\0"])
def test_an_output_that_is_no_place_in_its_root_is_refused(output: str) -> None:
    with pytest.raises(PathRefused, match=r"^\$R\S* cannot be an output"):
        aside(grant(output))


def test_the_output_is_named_by_its_hidden_place_wherever_it_stands_and_nothing_else_is() -> None:
    given = grant(
        "a b/c.mkv",
        *("-i", path("a b/in.mkv"), "-passlogfile", path("a b/c"), path("a b/c.mkv"), path("a b/c.mkv", "S")),
        *((("file:", path("a b/./c.mkv"))), ("[f=null]", path("a b/c.mkv"), "|", path("a b/d.mkv"))),
    )
    assert arguments(given) == [
        *("-i", "/media/a b/in.mkv", "-passlogfile", "/media/a b/c", f"{HIDDEN}/c.mkv", "/srv/a b/c.mkv"),
        *(f"file:{HIDDEN}/c.mkv", f"[f=null]{HIDDEN}/c.mkv|/media/a b/d.mkv"),
    ]


def test_what_ffmpeg_reads_stays_so_that_a_file_can_be_replaced_by_what_is_made_of_it() -> None:
    film = path("a b/c.mkv")
    assert arguments(grant("a b/c.mkv", "-y", "-i", film, film)) == ["-y", "-i", "/media/a b/c.mkv", f"{HIDDEN}/c.mkv"]
    assert arguments(grant("a b/c.mkv", "-i", film, program="sh"))[1] == f"{HIDDEN}/c.mkv"


def test_what_lies_in_an_output_that_is_a_folder_is_moved_with_it() -> None:
    given = grant("a b/p/", path("a b/p/x/%03d.ts"), path("a b/p/"), path("a b/p"), path("a b/pp/y"), path("a b"))
    assert arguments(given) == [
        *(f"{HIDDEN}/p/x/%03d.ts", f"{HIDDEN}/p/", f"{HIDDEN}/p", "/media/a b/pp/y", "/media/a b"),
    ]


def test_names_that_are_no_utf_8_are_moved_too() -> None:
    given = grant("a b/p/", (path(""), raw(b"a b/p/\xff.ts")), (path("a b/p"), "/x.", raw(b"\xfe")))
    assert arguments(given) == [f"{HIDDEN}/p/\udcff.ts", f"{HIDDEN}/p/x.\udcfe"]


def test_a_relative_argument_is_the_output_if_the_working_folder_makes_it_so() -> None:
    given = grant("a b/c.mkv", "c.mkv", "../a b/c.mkv", "file:c.mkv", "d.mkv", "-c.mkv", cwd=path("a b"))
    assert arguments(given) == [
        *(f"{HIDDEN}/c.mkv", f"{HIDDEN}/c.mkv", f"file:{HIDDEN}/c.mkv", "d.mkv", "-c.mkv"),
    ]


def test_a_program_that_starts_in_the_folder_it_makes_starts_in_the_hidden_one() -> None:
    given = grant("a b/p/", "copy", "%03d.ts", cwd=path("a b/p"))
    moved = redirected(given, place_of(given))
    assert moved.cwd == path(f"a b/.ffmesh-{ULID}/p")
    assert arguments(given) == ["copy", "%03d.ts"]


@pytest.mark.parametrize("arguments_", [("c.mkv",), (path("c.mkv", "S"),), ("-i", path("c.mkv")), ()])
def test_a_job_that_would_write_past_the_hidden_place_is_refused(arguments_: tuple[str | RootPath, ...]) -> None:
    given = grant("c.mkv", *arguments_)
    with pytest.raises(PathRefused, match=r"nowhere name its output \$R/c.mkv"):
        redirected(given, place_of(given))


def test_ffmpeg_replaces_a_file_only_if_it_was_told_to_and_any_other_program_always() -> None:
    assert may_replace(grant("a", "-y", "a"))
    assert not may_replace(grant("a", "-i", "-y.mkv", "a"))
    assert not may_replace(grant("a", "-n", "a"))
    assert may_replace(grant("a", program="sh"))
