"""Command lines become submits."""

import msgspec
import pytest

from client.core.attached_world import JOB
from ffmesh_client.core.submission import Surroundings, Wishes, in_need_of_real_places, paths_in, submission
from ffmesh_client.errors import WrongUsage
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.limits import SUBMIT_BYTES
from ffmesh_protocol.media import RawBytes, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit

ROOTS = {"Movies": "/media/movies"}
PARENT = "01J0000000000000000000000P"


def surroundings(*folders: str, **environment: str) -> Surroundings:
    return Surroundings(folders=folders, environment=environment, umask=0o022, stdin_is_terminal=False)


def submitted(
    *line: str,
    folders: tuple[str, ...] = ("/home/me",),
    wishes: Wishes | None = None,
    roots: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
    kind: JobKind = JobKind.DIRECT,
) -> Submit:
    return submission(
        JOB,
        kind,
        line,
        wishes or Wishes(labels={}, roots={}),
        surroundings(*folders, **(environment or {})),
        ROOTS if roots is None else roots,
    )


def test_an_absolute_path_under_a_root_becomes_a_piece() -> None:
    submit = submitted("ffmpeg", "-i", "/media/movies/a b.mkv", "-y")
    assert submit.args == (("-i",), (RootPath(root="Movies", path="a b.mkv"),), ("-y",))
    assert submit.needs.roots == ("Movies",)
    assert submit.needs.program == "ffmpeg"


def test_a_name_that_is_no_unicode_arrives_as_its_bytes() -> None:
    submit = submitted("ffmpeg", "/media/movies/\udcff.mkv")
    assert submit.args == ((RootPath(root="Movies", path=""), RawBytes(base64="/y5ta3Y=")),)


def test_an_absolute_path_under_no_root_is_refused_by_name() -> None:
    with pytest.raises(PathRefused, match="/etc/passwd"):
        submitted("ffmpeg", "-i", "/etc/passwd")


@pytest.mark.parametrize("word", ["/dev/null", "/dev/stdout", "/dev/fd/3"])
def test_a_stream_of_the_program_is_text(word: str) -> None:
    assert submitted("ffmpeg", word).args == ((word,),)


def test_nothing_inside_an_argument_is_looked_at() -> None:
    assert submitted("ffmpeg", "-vf", "subtitles=/media/movies/a.srt").args[1] == ("subtitles=/media/movies/a.srt",)


def test_the_program_starts_where_the_caller_is_if_that_lies_under_a_root() -> None:
    submit = submitted("ffmpeg", "in.mkv", folders=("/media/movies/new",))
    assert submit.cwd == RootPath(root="Movies", path="new")
    assert submit.args == (("in.mkv",),)
    assert submit.needs.roots == ("Movies",)


def test_elsewhere_it_starts_in_an_empty_folder() -> None:
    assert submitted("sh", "in.mkv").cwd is None
    assert submitted("ffmpeg", "-i", "/media/movies/in.mkv", "-f", "null", "-").cwd is None


def test_what_ffmpeg_would_look_for_or_leave_in_that_empty_folder_is_refused() -> None:
    for words in (("-i", "in.mkv"), ("-i", "/media/movies/in.mkv", "out.mkv"), ("-vf", "ass=a.ass", "-")):
        with pytest.raises(PathRefused, match=r"lies under no root, because this folder does not"):
            submitted("ffmpeg", *words)


def test_a_relative_path_that_leads_under_a_root_from_above_becomes_a_piece() -> None:
    submit = submitted("ffmpeg", "-i", "movies/a.mkv", "-vf", "ass=./movies/x/../b.ass", "-", folders=("/media",))
    assert submit.cwd is None
    assert submit.args == (
        ("-i",),
        (RootPath(root="Movies", path="a.mkv"),),
        ("-vf",),
        ("ass=", RootPath(root="Movies", path="b.ass", quoting="filter")),
        ("-",),
    )
    assert submit.needs.roots == ("Movies",)


def test_so_does_an_output_that_is_staged() -> None:
    submit = submitted("ffmpeg", "-i", "movies/a.mkv", "movies/b.mkv", folders=("/media",), kind=JobKind.STAGED)
    assert submit.outputs == (RootPath(root="Movies", path="b.mkv"),)


def test_a_folder_that_is_reached_by_a_link_counts_by_either_name() -> None:
    assert submitted("ffmpeg", folders=("/media/movies/new", "/mnt/disk1/new")).cwd == RootPath(
        root="Movies", path="new"
    )
    assert submitted("ffmpeg", folders=("/home/me/films", "/media/movies")).cwd == RootPath(root="Movies", path="")


REAL_ROOTS = {"Movies": "/mnt/disk1/movies"}


def really(word: str, place: str, *, folder: str = "/home/me") -> Submit:
    """With that argument, which is really there. /media/movies is really /mnt/disk1/movies."""
    places = msgspec.structs.replace(surroundings(folder), real_roots=REAL_ROOTS, real_paths={word: place})
    return submission(JOB, JobKind.DIRECT, ("ffmpeg", word), Wishes(labels={}, roots={}), places, ROOTS)


def test_a_folder_that_only_its_real_place_puts_under_a_root_counts() -> None:
    assert really("in.mkv", "", folder="/mnt/disk1/movies/new").cwd == RootPath(root="Movies", path="new")
    assert really("-", "", folder="/mnt/disk1").cwd is None


def test_an_argument_that_only_its_real_place_puts_under_a_root_is_named_as_it_is_there() -> None:
    submit = really("/films/a.mkv", "/mnt/disk1/movies/old/a.mkv")
    assert submit.args == ((RootPath(root="Movies", path="old/a.mkv"),),)
    assert submit.needs.roots == ("Movies",)
    odd = really("/films/\udcff", "/mnt/disk1/movies/\udcff")
    assert odd.args == ((RootPath(root="Movies", path=""), RawBytes(base64="/w==")),)


def test_an_argument_whose_real_place_lies_under_no_root_is_refused_as_it_was_written() -> None:
    with pytest.raises(PathRefused, match="/films/secret"):
        really("/films/secret", "/etc/secret")


def test_an_argument_that_its_letters_put_under_a_root_stays_there_wherever_its_links_lead() -> None:
    assert in_need_of_real_places(["/media/movies/link/a.mkv", "in.mkv", "-i", "/dev/null"], ROOTS) == []
    assert in_need_of_real_places(["/media/movies/../x", "/films/a.mkv"], ROOTS) == [
        "/media/movies/../x",
        "/films/a.mkv",
    ]


def test_a_working_folder_that_was_removed_is_no_error() -> None:
    assert submitted("ffmpeg", folders=()).cwd is None


def test_a_relative_path_that_leads_out_of_its_root_is_refused_by_name() -> None:
    with pytest.raises(PathRefused, match=r"\.\./\.\./etc/passwd"):
        submitted("ffmpeg", "../../etc/passwd", folders=("/media/movies/new",))


def test_a_relative_path_may_climb_inside_of_its_root() -> None:
    assert submitted("ffmpeg", "../a.mkv", folders=("/media/movies/new",)).args == (("../a.mkv",),)


def test_a_root_of_the_command_line_replaces_that_of_the_configuration() -> None:
    wishes = Wishes(labels={}, roots={"Movies": "/srv/films"})
    assert submitted("ffmpeg", "/srv/films/a.mkv", wishes=wishes).args == ((RootPath(root="Movies", path="a.mkv"),),)
    with pytest.raises(PathRefused):
        submitted("ffmpeg", "/media/movies/a.mkv", wishes=wishes)


@pytest.mark.parametrize("program", ["/usr/bin/ffmpeg", "./ffmpeg", "bin/"])
def test_a_program_is_a_name_and_no_path(program: str) -> None:
    with pytest.raises(WrongUsage, match="not a path"):
        submitted(program)


def test_what_ffmpegs_arguments_ask_for_is_asked_of_the_agent_besides_what_was_said() -> None:
    wishes = Wishes(labels={}, roots={}, capabilities=("encoder=libx265", "encoder=mine"))
    line = ("ffmpeg", "-i", "/media/movies/a", "-c:v", "libx265", "-c:a", "aac", "-vf", "scale=2:2", "-")
    expected = ("encoder=libx265", "encoder=mine", "encoder=aac", "filter=scale")
    assert submitted(*line, wishes=wishes).needs.capabilities == expected
    assert submitted("sh", *line).needs.capabilities == ()


@pytest.mark.parametrize("program", ["", "x" * 257, "\udcff"])
def test_a_program_that_cannot_be_a_name_is_refused_in_words_about_it(program: str) -> None:
    with pytest.raises(WrongUsage, match="PROGRAM"):
        submitted(program)


def test_only_what_the_program_speaks_with_goes_along_of_the_environment() -> None:
    environment = {
        "AV_LOG_FORCE_COLOR": "1",
        "NO_COLOR": "",
        "TERM": "xterm",
        "LANG": "C",
        "LC_ALL": "de_DE.UTF-8",
        "TZ": "UTC",
        "LC_BYTES": "\udcff",
        "PATH": "/usr/bin",
        "HOME": "/home/me",
        "LD_PRELOAD": "/evil.so",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    assert set(submitted("ffmpeg", environment=environment).env) == {
        "AV_LOG_FORCE_COLOR",
        "NO_COLOR",
        "TERM",
        "LANG",
        "LC_ALL",
        "TZ",
    }


def test_the_wishes_travel_along() -> None:
    wishes = Wishes(
        priority=5,
        on="pi-1",
        capabilities=("encoder=hevc_nvenc",),
        timeout_seconds=1.5,
        labels={"title": "Holiday"},
        roots={},
        slot="gpu",
        after=(PARENT,),
        max_attempts=7,
    )
    submit = submitted("ffmpeg", wishes=wishes)
    assert (submit.priority, submit.timeout_seconds, submit.labels) == (5, 1.5, {"title": "Holiday"})
    assert (submit.needs.on, submit.needs.capabilities, submit.needs.slot) == ("pi-1", ("encoder=hevc_nvenc",), "gpu")
    assert (submit.after, submit.max_attempts) == ((PARENT,), 7)


@pytest.mark.parametrize(("kind", "attempts"), [(JobKind.INTERACTIVE, 1), (JobKind.DIRECT, 1), (JobKind.STAGED, 3)])
def test_only_what_is_written_aside_is_tried_again_unless_that_was_asked_for(kind: JobKind, attempts: int) -> None:
    submit = submitted("ffmpeg", "/media/movies/out.mkv", kind=kind)
    assert (submit.max_attempts, submit.needs.slot, submit.after) == (attempts, "cpu", ())


# --- file:


def test_a_path_behind_file_becomes_a_piece_too() -> None:
    submit = submitted("ffmpeg", "-i", "file:/media/movies/a:b.mkv")
    assert submit.args == (("-i",), ("file:", RootPath(root="Movies", path="a:b.mkv")))
    assert submit.needs.roots == ("Movies",)
    assert submitted("ffmpeg", "file:/media/movies/\udcff").args == (
        ("file:", RootPath(root="Movies", path=""), RawBytes(base64="/w==")),
    )


def test_what_follows_file_is_a_path_however_it_begins() -> None:
    words = ("file:a.mkv", "file:", "file:-")
    assert submitted("ffmpeg", *words, folders=("/media/movies",)).args == tuple((word,) for word in words)
    with pytest.raises(PathRefused, match="/etc/passwd lies under no root"):
        submitted("ffmpeg", "file:/etc/passwd")


def test_a_path_inside_a_filter_becomes_a_piece_that_says_how_it_is_quoted() -> None:
    graph = "scale=2:2,subtitles='/media/movies/It'\\\\\\''s.srt':si=1"
    submit = submitted("ffmpeg", "-i", "/media/movies/a.mkv", "-vf", graph, "-")
    place = RootPath(root="Movies", path="It's.srt", quoting="filter")
    assert submit.args[3] == ("scale=2:2,subtitles=", place, ":si=1")
    assert submit.requires == ("quoted-paths",)
    assert submit.needs.capabilities == ("filter=scale", "filter=subtitles", "feature=quoted-paths")
    assert submit.needs.roots == ("Movies",)


def test_a_path_inside_a_filter_is_refused_as_any_other() -> None:
    with pytest.raises(PathRefused, match=r"/etc/a\.srt lies under no root"):
        submitted("ffmpeg", "-i", "/media/movies/a.mkv", "-vf", "subtitles=/etc/a.srt", "-")


def test_of_another_program_only_a_whole_argument_is_a_path() -> None:
    assert submitted("sh", "-vf", "subtitles=/etc/a.srt").args == (("-vf",), ("subtitles=/etc/a.srt",))


# --- staged


def staged(
    *words: str,
    output: str | tuple[str, ...] = (),
    folder: str = "/media/movies/new",
    program: str = "ffmpeg",
) -> Submit:
    wishes = Wishes(labels={}, roots={}, outputs=(output,) if isinstance(output, str) else output)
    return submitted(program, *words, folders=(folder,), wishes=wishes, kind=JobKind.STAGED)


@pytest.mark.parametrize(
    ("last", "path"),
    [
        ("/media/movies/out.mkv", "out.mkv"),
        ("/media/movies/old/../out.mkv", "out.mkv"),
        ("file:/media/movies/a:b.mkv", "a:b.mkv"),
        ("out.mkv", "new/out.mkv"),
        ("./out.mkv", "new/out.mkv"),
        ("../out.mkv", "out.mkv"),
        ("file:out.mkv", "new/out.mkv"),
        ("file:a:b.mkv", "new/a:b.mkv"),
        ("frames/", "new/frames/"),
        ("100%.mkv", "new/100%.mkv"),
    ],
)
def test_a_staged_job_writes_its_last_argument_unless_it_says_otherwise(last: str, path: str) -> None:
    submit = staged("-i", "in.mkv", last)
    assert (submit.kind, submit.outputs) == (JobKind.STAGED, (RootPath(root="Movies", path=path),))


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("/media/movies/hls/", "hls/"),
        ("/media/movies/out.mkv", "out.mkv"),
        ("hls/", "new/hls/"),
        ("hls/.", "new/hls/"),
        (".", "new/"),
        ("./", "new/"),
        ("../other/..", "./"),
        ("../out.mkv", "out.mkv"),
        ("a:b.mkv", "new/a:b.mkv"),
    ],
)
def test_the_output_may_be_said_from_the_root_or_from_here_and_a_folder_ends_in_a_slash(said: str, path: str) -> None:
    if path == "./":
        with pytest.raises(WrongUsage, match="is the root"):
            staged("-", output=said)
    else:
        assert staged("-", output=said).outputs == (RootPath(root="Movies", path=path),)


def test_the_root_of_the_output_is_needed_even_if_no_argument_names_it() -> None:
    wishes = Wishes(labels={}, roots={}, outputs=("/media/movies/out.mkv",))
    assert submitted("true", wishes=wishes, kind=JobKind.STAGED).needs.roots == ("Movies",)


def test_an_output_that_only_its_real_place_puts_under_a_root_counts_like_an_argument() -> None:
    output = "/films/old/a.mkv"
    places = msgspec.structs.replace(
        surroundings("/home/me"), real_roots=REAL_ROOTS, real_paths={output: "/mnt/disk1/movies/old/a.mkv"}
    )
    wishes = Wishes(labels={}, roots={})
    submit = submission(JOB, JobKind.STAGED, ("ffmpeg", f"file:{output}"), wishes, places, ROOTS)
    assert submit.outputs == (RootPath(root="Movies", path="old/a.mkv"),)
    assert submit.args == (("file:", RootPath(root="Movies", path="old/a.mkv")),)
    line = ("ffmpeg", "-i", f"file:{output}")
    assert paths_in(JobKind.STAGED, line, msgspec.structs.replace(wishes, outputs=("x",))) == ["-i", output, "x"]
    assert paths_in(JobKind.DIRECT, line, wishes) == ["-i", output]
    assert paths_in(JobKind.STAGED, ("ffmpeg", "/films/%d.png"), wishes) == ["/films/%d.png"]


@pytest.mark.parametrize(
    ("output", "folder", "why"),
    [
        ("/etc/passwd", "/media/movies", "/etc/passwd lies under no root"),
        ("out.mkv", "/home/me", "out.mkv lies under no root"),
        ("../../out.mkv", "/media/movies/new", r"\.\./\.\./out.mkv leads out of \$Movies"),
        ("-/../../out.mkv", "/media/movies", "leads out of"),
        ("..", "/media/movies", "leads out of"),
    ],
)
def test_an_output_under_no_root_is_refused_by_name(output: str, folder: str, why: str) -> None:
    with pytest.raises(PathRefused, match=why):
        staged("-", output=output, folder=folder)


@pytest.mark.parametrize("last", ["-", "-y", "pipe:1", "rtmp://host/live", "/dev/null", "/dev/fd/3", "", "file:"])
def test_a_last_argument_that_is_no_path_is_not_guessed_to_be_the_output(last: str) -> None:
    with pytest.raises(WrongUsage, match="--output PATH"):
        staged("-i", "in.mkv", last)
    assert staged("-i", "in.mkv", last, output="out.mkv").outputs


@pytest.mark.parametrize(
    "words", [("-f", "null", "nothing"), ("-f", "flv", "rtmp://host/live", "-shortest"), ("-progress", "p.txt")]
)
def test_a_line_that_writes_no_file_has_no_output_to_guess(words: tuple[str, ...]) -> None:
    with pytest.raises(WrongUsage, match="--output PATH"):
        staged("-i", "in.mkv", *words)


def test_a_program_without_arguments_has_no_output_to_guess() -> None:
    with pytest.raises(WrongUsage, match="--output PATH"):
        staged(program="true")


@pytest.mark.parametrize(
    ("line", "files", "sets"),
    [
        ("-i in.mkv a.mkv b.mkv", "a.mkv b.mkv", ""),
        ("-i in.mkv -an -c:v libx264 a.mp4 -vn -c:a copy b.m4a -f null -", "a.mp4 b.m4a", ""),
        ("-autorotate 0 -i in.mkv -noautoscale -progress p.txt -seek_timestamp 1 a.mp4 b.mkv", "a.mp4 b.mkv", ""),
        ("-i in.mkv frames/%04d.png", "", "frames/%04d.png"),
        ("-i in.mkv -update 1 a%d.png -f mp4 b%d.mp4", "a%d.png b%d.mp4", ""),
        ("-i in.mkv -f segment -segment_list l.m3u8 s_%03d.mkv", "l.m3u8", "s_%03d.mkv"),
        ("-i in.mkv hls/x.m3u8", "hls/x.m3u8", "hls/x%d.ts hls/x_vtt.m3u8 hls/x%d.vtt"),
        (
            "-i in.mkv -f hls -hls_segment_type fmp4 -hls_segment_filename s/%05d.m4s x.m3u8",
            "x.m3u8",
            "s/%05d.m4s init.mp4 init_%v.mp4 x_vtt.m3u8 x%d.vtt",
        ),
        ("-i in.mkv -hls_flags single_file x.m3u8", "x.m3u8", "x.ts x_vtt.m3u8 x%d.vtt"),
        (
            "-i in.mkv -var_stream_map v:0 -master_pl_name m.m3u8 -hls_segment_filename %v/s%d.ts %v.m3u8",
            "m.m3u8",
            "%v.m3u8 %v/s%d.ts %v_vtt.m3u8 %v%d.vtt",
        ),
        (
            "-i in.mkv -var_stream_map v:0 -master_pl_name m.m3u8 h/%v/x.m3u8",
            "h/m.m3u8",
            "h/%v/x.m3u8 h/%v/x%d.ts h/%v/x_vtt.m3u8 h/%v/x%d.vtt",
        ),
        ("-i in.mkv d/x.MPD", "d/x.MPD", "d/init-stream%d.%v d/chunk-stream%d-%05d.%v"),
    ],
)
def test_what_ffmpeg_writes_is_told_by_its_words(line: str, files: str, sets: str) -> None:
    submit = staged(*line.split(), folder="/media/movies")
    assert [output.path for output in submit.outputs if output.quoting == "none"] == files.split()
    assert [output.path for output in submit.outputs if output.quoting == "pattern"] == sets.split()
    assert submit.requires == ("many-outputs",)
    assert "feature=many-outputs" in submit.needs.capabilities


def test_what_any_agent_understands_asks_for_no_feature() -> None:
    submit = staged("-i", "in.mkv", "a.mkv")
    assert (submit.requires, submit.needs.capabilities) == ((), ())


@pytest.mark.parametrize(
    "words",
    [
        ("-strftime", "1", "-f", "segment", "hls/%Y.ts"),
        ("-f", "tee", "hls/[f=hls]x.m3u8"),
        ("-init_seg_name", "i.mp4", "hls/x.mpd"),
    ],
)
def test_what_ffmpeg_writes_and_nobody_can_tell_is_asked_for(words: tuple[str, ...]) -> None:
    with pytest.raises(WrongUsage, match=r"cannot be told; .* as in --output hls/"):
        staged("-i", "in.mkv", *words)
    assert staged("-i", "in.mkv", *words, output="hls/").outputs == (RootPath(root="Movies", path="new/hls/"),)


def test_several_outputs_may_be_said_and_patterns_are_sets() -> None:
    outputs = staged("x", output=("a.mkv", "a.mkv", "s/%d.ts", "/media/movies/d/"), program="sh").outputs
    assert outputs == (
        RootPath(root="Movies", path="new/a.mkv"),
        RootPath(root="Movies", path="new/s/%d.ts", quoting="pattern"),
        RootPath(root="Movies", path="d/"),
    )
    assert staged("%d", program="touch").outputs == (RootPath(root="Movies", path="new/%d"),)


@pytest.mark.parametrize("output", ["", "a\0b", "\udcff.mkv", "x" * 4097, "/media/movies", "/media/movies/.", "%v/"])
def test_an_output_that_nothing_can_be_put_in_the_place_of_is_wrong_usage(output: str) -> None:
    with pytest.raises(WrongUsage):
        staged("x", output=output)


def test_more_jobs_before_one_than_it_can_come_after_are_refused_with_the_limit() -> None:
    with pytest.raises(WrongUsage, match="256 others at most, and these are 257"):
        submitted("ffmpeg", wishes=Wishes(labels={}, roots={}, after=(PARENT,) * 257))


def test_arguments_that_no_message_can_hold_are_refused_with_the_limit() -> None:
    with pytest.raises(WrongUsage, match=f"{SUBMIT_BYTES // 1024} KiB"):
        submitted("sh", *["x" * 100_000] * 3)
    with pytest.raises(WrongUsage, match="8192 arguments"):
        submitted("ffmpeg", *["x"] * 9000)


def test_more_labels_than_a_job_can_have_are_refused_with_the_limit() -> None:
    with pytest.raises(WrongUsage, match="32 labels at most, and these are 99"):
        submitted("ffmpeg", wishes=Wishes(labels={str(n): "" for n in range(99)}, roots={}))


def test_what_the_coordinator_would_not_understand_is_refused_here() -> None:
    with pytest.raises(WrongUsage):
        submitted("ffmpeg", wishes=Wishes(labels={"x" * 513: ""}, roots={}))
