import base64
from typing import Any

import pytest

from ffmesh_agent.ffmpeg.argv import command
from ffmesh_agent.ffmpeg.opened import Opened
from ffmesh_agent.shell import installed
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, Needs, RawBytes, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
ROOTS = {"Movies": "/media/my movies", "All": "/"}
PROGRAMS = {"ffmpeg": "", "ffprobe": "/opt/ffprobe"}
OURS = (b"-progress", b"pipe:3")


def _grant(*args: str | Argument, program: str = "ffmpeg", cwd: RootPath | None = None) -> Grant:
    values: dict[str, Any] = {"attempt": ULID, "job": ULID, "number": 1, "kind": JobKind.DIRECT, "env": {}}
    values |= {"umask": None, "needs": Needs(program=program), "timeout_seconds": None, "audience": None}
    pieces = tuple((arg,) if isinstance(arg, str) else arg for arg in args)
    return Grant(program=program, args=pieces, cwd=cwd, **values)


def _argv(*args: str | Argument, program: str = "ffmpeg", cwd: RootPath | None = None) -> tuple[bytes, ...]:
    return command(_grant(*args, program=program, cwd=cwd), PROGRAMS, ROOTS).argv


def _raw(content: bytes) -> RawBytes:
    return RawBytes(base64=base64.b64encode(content).decode())


def test_pieces_become_paths_of_this_machine() -> None:
    film, odd = RootPath(root="Movies", path="a b/ü.mkv"), (RootPath(root="Movies", path=""), _raw(b"\xff.mkv"))
    assert _argv("-i", (film,), odd) == (
        *(b"ffmpeg", *OURS, b"-i", "/media/my movies/a b/ü.mkv".encode()),
        b"/media/my movies/\xff.mkv",
    )


def test_a_program_is_called_by_its_path_if_it_has_one_here() -> None:
    assert _argv("-version", program="ffprobe") == (b"/opt/ffprobe", b"-version")


def test_the_working_folder_is_the_roots_and_without_one_it_is_private() -> None:
    assert command(_grant(cwd=RootPath(root="Movies", path="x/y")), PROGRAMS, ROOTS).folder == b"/media/my movies/x/y"
    assert command(_grant(), PROGRAMS, ROOTS).folder is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("-progress", "pipe:2"),
        ("-report",),
        ("-v", "verbose"),
        ("-v", "40"),
        ("-v", "debug"),
        ("-loglevel", "repeat+level+trace"),
        ("-v", "48"),
        ("pipe:3",),
        ("-i", "/dev/fd/3"),
        ("-loglevel", "+56"),
    ],
)
def test_no_progress_is_asked_for_where_the_caller_does_or_would_see_it(arguments: tuple[str, ...]) -> None:
    assert not command(_grant(*arguments), PROGRAMS, ROOTS).reports_progress
    assert _argv(*arguments)[1:] == tuple(argument.encode() for argument in arguments)


@pytest.mark.parametrize("arguments", [(), ("-version",), ("-v", "info"), ("-loglevel", "+39"), ("-v",), ("debug",)])
def test_progress_is_asked_for_of_every_other_ffmpeg(arguments: tuple[str, ...]) -> None:
    wanted = command(_grant(*arguments), PROGRAMS, ROOTS)
    assert wanted.reports_progress
    assert wanted.argv[1:3] == OURS


def test_no_other_program_is_asked_for_progress() -> None:
    assert not command(_grant("-i", "a", program="ffprobe"), PROGRAMS, ROOTS).reports_progress


@pytest.mark.parametrize(
    "argument",
    [
        *(("/etc/hostname",), ("/dev/fd/../../etc/hostname",), ("/dev/sda",), ("../up",), ("a/../../up",)),
        *(("/", "etc/hostname"), (_raw(b"/etc/hostname"),), ("", "/etc/hostname"), (_raw(b"../x"),), ("a\0b",)),
        *((RootPath(root="Movies", path="../x"),), (RootPath(root="Movies", path=""), "/../../etc")),
        *((RootPath(root="Nowhere", path="x"),), (RootPath(root="Movies", path="x", quoting="rot13"),)),
        (RawBytes(base64="!"),),
    ],
)
def test_what_leaves_the_roots_is_refused_with_a_sentence(argument: Argument) -> None:
    with pytest.raises(PathRefused, match=r"\w+ \w+"):
        _argv(argument)


@pytest.mark.parametrize("argument", ["/dev/null", "/dev/stdout", "/dev/fd/1", "a/../b", "..a", "-", "-i", "pipe:1"])
def test_what_stays_is_passed_on_as_it_is(argument: str) -> None:
    assert _argv(argument)[-1] == argument.encode()


OPENED = Opened(["/opt/luts/", "/etc/one-file"])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "/dev/dri/renderD128",
            "/dev/dri/by-path/pci-0000:00:02.0-render",
            "/dev/video0",
            "/dev/nvidia0",
            "/dev/null",
        ),
        *("/dev/nvidia-caps/nvidia-cap1", "/dev/kfd", "/dev/dma_heap/system", "/opt/luts/a/x.cube", "/etc/one-file"),
        *("/usr/share/fonts/a.ttf", "/dev/zero"),
    ],
)
def test_devices_and_what_the_owner_has_opened_may_be_named(name: str) -> None:
    assert command(_grant("-i", name), PROGRAMS, ROOTS, OPENED).argv[-1] == name.encode()


@pytest.mark.parametrize(
    "name",
    [
        *("/dev/dri/../sda", "/dev/sda", "/dev/video0/x", "/dev/mem", "/dev/nvidia/../mem", "/dev/dri/..", "/dev"),
        *("/opt/luts/../x", "/opt/luts2/x", "/etc/one-file2", "/etc/passwd", "/dev/kmsg", "/dev/videos/../sda"),
    ],
)
def test_what_only_looks_like_them_may_not(name: str) -> None:
    with pytest.raises(PathRefused, match="absolute path under no root"):
        command(_grant("-i", name), PROGRAMS, ROOTS, OPENED)


def test_a_relative_argument_may_climb_within_the_root_of_the_working_folder_and_no_further() -> None:
    below = RootPath(root="Movies", path="series/one")
    assert _argv("../two/a.mkv", cwd=below)[-1] == b"../two/a.mkv"
    with pytest.raises(PathRefused):
        _argv("../../../a.mkv", cwd=below)


def test_a_program_off_the_list_is_refused_by_name() -> None:
    with pytest.raises(PathRefused, match="sh is not on this agent's list"):
        _argv("-c", "id", program="sh")


@pytest.mark.parametrize("cwd", [RootPath(root="Nowhere", path=""), RootPath(root="Movies", path="../..")])
def test_a_working_folder_that_is_not_here_is_refused(cwd: RootPath) -> None:
    with pytest.raises(PathRefused):
        command(_grant(cwd=cwd), PROGRAMS, ROOTS)


@pytest.mark.parametrize("pattern", installed.DEVICES)
def test_every_device_that_a_fence_gives_may_be_named(pattern: str) -> None:
    name = f"{pattern.removesuffix('*')}0" if pattern.endswith("*") else pattern
    assert command(_grant("-i", name), PROGRAMS, ROOTS).argv[-1] == name.encode()
