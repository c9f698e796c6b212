import base64
from typing import Any

import pytest
from msgspec import structs

from ffmesh_agent.ffmpeg.argv import command
from ffmesh_agent.ffmpeg.aside import SCRATCH, Aside, aside, may_replace, redirected
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


def pattern(relative: str) -> RootPath:
    return RootPath(root="R", path=relative, quoting="pattern")


def several(outputs: tuple[RootPath, ...], *args: str | RootPath | Argument, cwd: RootPath | None = None) -> Grant:
    return structs.replace(grant(None, *args, cwd=cwd), outputs=outputs)


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
    (place,) = place_of(grant("a b/c.mkv")).places
    assert (place.hidden, place.moved("a b/c.mkv")) == (f"a b/.ffmesh-{ULID}", f"a b/.ffmesh-{ULID}/c.mkv")
    whole = place_of(grant("a b/c.mkv"))
    assert (whole.shown, whole.folder_shown) == ("$R/a b/c.mkv", "$R/a b")
    at_the_top = place_of(grant("c.mkv"))
    assert (at_the_top.places[0].moved("c.mkv"), at_the_top.folder_shown) == (f".ffmesh-{ULID}/c.mkv", "$R")
    folder = place_of(grant("a b//parts/"))
    assert (folder.places[0].moved("a b/parts"), folder.shown) == (f"a b/.ffmesh-{ULID}/parts", "$R/a b/parts/")


def test_several_outputs_lie_in_one_hidden_folder_of_each_root_as_they_will_lie_there() -> None:
    outputs = (
        *(path("show/hls/master.m3u8"), pattern("show/hls/%v.m3u8"), pattern("show/hls/%v/seg_%05d.ts")),
        *(path("show/thumbs/"), path("poster.jpg", "S")),
    )
    given = several(
        outputs,
        *("-i", path("show/in.mkv"), "-hls_segment_filename", path("show/hls/%v/seg_%05d.ts")),
        *(
            "-master_pl_name",
            "master.m3u8",
            path("show/hls/%v.m3u8"),
            path("show/thumbs/%d.jpg"),
            path("poster.jpg", "S"),
        ),
    )
    hidden = f"/media/show/.ffmesh-{ULID}"
    assert arguments(given) == [
        *("-i", "/media/show/in.mkv", "-hls_segment_filename", f"{hidden}/hls/%v/seg_%05d.ts"),
        *("-master_pl_name", "master.m3u8", f"{hidden}/hls/%v.m3u8", f"{hidden}/thumbs/%d.jpg"),
        f"/srv/.ffmesh-{ULID}/poster.jpg",
    ]
    assert place_of(given).shown == "$R/show/hls/master.m3u8 and 4 more"


def test_an_output_in_a_folder_that_is_one_too_is_part_of_it() -> None:
    (place,) = place_of(several((path("a/p/"), path("a/p/x.m3u8"), path("a/p/")))).places
    assert [target.path for target in place.targets] == ["a/p"]


def test_what_ffmpeg_itself_puts_beside_a_playlist_is_no_path_from_the_working_folder() -> None:
    outputs = (path("hls/x.m3u8"), path("hls/init.mp4"), pattern("hls/x%d.m4s"))
    given = several(outputs, "-hls_fmp4_init_filename", "init.mp4", "x.m3u8", cwd=path("hls"))
    assert arguments(given) == ["-hls_fmp4_init_filename", "init.mp4", f"/media/hls/.ffmesh-{ULID}/x.m3u8"]


def test_segments_that_would_be_written_where_no_output_is_are_refused() -> None:
    given = several((path("hls/x.m3u8"),), "-hls_segment_filename", path("other/%d.ts"), path("hls/x.m3u8"))
    with pytest.raises(PathRefused, match=r"-hls_segment_filename names \$R/other/%d.ts, which is none of its outputs"):
        redirected(given, place_of(given))


def test_what_is_made_in_scratch_is_the_same_tree_in_another_place() -> None:
    given = several((path("a/x.m3u8"), path("b/y.mkv")), path("a/x.m3u8"), path("b/y.mkv"))
    place = aside(given, {"R"})
    assert place is not None
    wanted = command(redirected(given, place), {"ffmpeg": ""}, {"R": "/media", SCRATCH: "/var/fast"})
    made = f"/var/fast/.ffmesh-{ULID}/R"
    assert [argument.decode() for argument in wanted.argv[-2:]] == [f"{made}/a/x.m3u8", f"{made}/b/y.mkv"]
    assert place.places[0].hidden == f".ffmesh-{ULID}"


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


def test_outputs_in_lists_and_behind_options_are_moved_with_the_quotes_of_their_places() -> None:
    def quoted(relative: str, quoting: str) -> RootPath:
        return RootPath(root="R", path=relative, quoting=quoting)

    tee = ("[f=mpegts]", quoted("it's/a|b.ts", "tee"), "|[f=segment:segment_list=", quoted("it's/l.csv", "slave+tee"))
    given = several(
        (path("it's/a|b.ts"), path("it's/l.csv"), pattern("it's/s%d.ts"), path("it's/psnr")),
        *("-i", path("it's/a|b.ts"), "-lavfi", ("psnr=stats_file=", quoted("it's/psnr", "filter"))),
        *("-f", "tee", (*tee, "]", quoted("it's/s%d.ts", "pattern+tee"))),
    )
    moved = redirected(given, place_of(given)).args
    hidden = f"it's/.ffmesh-{ULID}"
    assert moved == (
        *(("-i",), (path("it's/a|b.ts"),), ("-lavfi",), ("psnr=stats_file=", quoted(f"{hidden}/psnr", "filter"))),
        *(("-f",), ("tee",)),
        (
            *("[f=mpegts]", quoted(f"{hidden}/a|b.ts", "tee"), "|[f=segment:segment_list="),
            *(quoted(f"{hidden}/l.csv", "slave+tee"), "]", quoted(f"{hidden}/s%d.ts", "pattern+tee")),
        ),
    )


def test_relative_names_are_moved_wherever_they_are_written() -> None:
    given = several(
        (path("a b/x.ts"), path("a b/y.csv"), path("a b/zü.mkv")),
        *("-i", "x.ts", "-vf", "movie=x.ts", "-f", "tee", "[f=mpegts]x.ts|[onfail=ignore]zü.mkv"),
        *("-metadata", "x.ts", "-f", "segment", "-segment_list", "file:y.csv", "file:x.ts"),
        cwd=path("a b"),
    )
    assert arguments(given) == [
        *(
            "-i",
            "x.ts",
            "-vf",
            "movie=x.ts",
            "-f",
            "tee",
            f"[f=mpegts]{HIDDEN}/x.ts|[onfail=ignore]{HIDDEN}/zü.mkv",
        ),
        *("-metadata", "x.ts", "-f", "segment", "-segment_list", f"file:{HIDDEN}/y.csv", f"file:{HIDDEN}/x.ts"),
    ]


def test_what_a_filter_reads_stays_though_the_output_takes_its_place() -> None:
    film = path("a b/c.mkv")
    given = grant(
        "a b/c.mkv", "-i", film, "-vf", ("subtitles=", RootPath(root="R", path=film.path, quoting="filter")), film
    )
    assert arguments(given)[-2:] == ["subtitles=/media/a b/c.mkv", f"{HIDDEN}/c.mkv"]


def test_a_path_in_a_word_that_is_not_understood_is_moved_for_it_may_be_written() -> None:
    given = grant("a b/c.mkv", "-x265-params", ("what=", path("a b/c.mkv")), path("a b/c.mkv"))
    assert arguments(given) == ["-x265-params", f"what={HIDDEN}/c.mkv", f"{HIDDEN}/c.mkv"]


def test_segments_told_on_standard_output_or_with_the_folder_need_no_place() -> None:
    told = grant("a b/s.mkv", "-f", "matroska", "-segment_list", "pipe:1", "s.mkv", cwd=path("a b"))
    assert arguments(told)[-1] == f"{HIDDEN}/s.mkv"
    below = grant("a b/p/", "-f", "hls", "-hls_segment_filename", "%d.ts", "x.m3u8", cwd=path("a b/p"))
    assert arguments(below)[-2:] == ["%d.ts", "x.m3u8"]


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
    whole = grant("a b/p/", "x.ts", path("a b/p/y.ts"), cwd=path("a b/p"))
    assert arguments(whole) == ["x.ts", f"{HIDDEN}/p/y.ts"]


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


@pytest.mark.parametrize("name", ["a%099999999999d.ts", "%d" * 13, "%v_" * 9])
def test_a_set_that_nobody_could_tell_from_others_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(PathRefused, match=r"^\$R/out/\S+ cannot be an output of a staged job: (its|it|two) "):
        aside(several((pattern(f"out/{name}"),), pattern(f"out/{name}")))
