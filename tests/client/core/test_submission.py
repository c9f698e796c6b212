"""Command lines become submits."""

import msgspec
import pytest

from client.core.attached_world import JOB
from ffmesh_client.core.submission import Surroundings, Wishes, in_need_of_real_places, submission
from ffmesh_client.errors import WrongUsage
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.limits import SUBMIT_BYTES
from ffmesh_protocol.media import RawBytes, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit

ROOTS = {"Movies": "/media/movies"}


def surroundings(*folders: str, **environment: str) -> Surroundings:
    return Surroundings(folders=folders, environment=environment, umask=0o022, stdin_is_terminal=False)


def submitted(
    *line: str,
    folders: tuple[str, ...] = ("/home/me",),
    wishes: Wishes | None = None,
    roots: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> Submit:
    return submission(
        JOB,
        JobKind.DIRECT,
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
    assert submitted("ffmpeg", "in.mkv").cwd is None


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
    assert really("in.mkv", "", folder="/mnt/disk1").cwd is None


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
    )
    submit = submitted("ffmpeg", wishes=wishes)
    assert (submit.priority, submit.timeout_seconds, submit.labels) == (5, 1.5, {"title": "Holiday"})
    assert (submit.needs.on, submit.needs.capabilities) == ("pi-1", ("encoder=hevc_nvenc",))


def test_arguments_that_no_message_can_hold_are_refused_with_the_limit() -> None:
    with pytest.raises(WrongUsage, match=f"{SUBMIT_BYTES // 1024} KiB"):
        submitted("ffmpeg", *["x" * 100_000] * 3)
    with pytest.raises(WrongUsage, match="8192 arguments"):
        submitted("ffmpeg", *["x"] * 9000)


def test_more_labels_than_a_job_can_have_are_refused_with_the_limit() -> None:
    with pytest.raises(WrongUsage, match="32 labels at most, and these are 99"):
        submitted("ffmpeg", wishes=Wishes(labels={str(n): "" for n in range(99)}, roots={}))


def test_what_the_coordinator_would_not_understand_is_refused_here() -> None:
    with pytest.raises(WrongUsage):
        submitted("ffmpeg", wishes=Wishes(labels={"x" * 513: ""}, roots={}))
